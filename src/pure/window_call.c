/* What a call of the sliding windows checks, and what each type's samples look like as keys. */
#include "pure/kernel.h"
#include "pure/window.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

typedef struct window_facts {
  int64_t size;      /* bytes                            */
  int64_t low, high; /* of integers                      */
  int64_t infinity;  /* the bits of a float's; else 0    */
} window_facts;

static window_facts facts_of(window_type type) {
  switch (type) {
  case WINDOW_F32: return (window_facts){4, 0, 0, INT64_C(0x7f800000)};
  case WINDOW_F64: return (window_facts){8, 0, 0, INT64_C(0x7ff0000000000000)};
  case WINDOW_I8: return (window_facts){1, INT8_MIN, INT8_MAX, 0};
  case WINDOW_U8: return (window_facts){1, 0, UINT8_MAX, 0};
  case WINDOW_I16: return (window_facts){2, INT16_MIN, INT16_MAX, 0};
  case WINDOW_I32: return (window_facts){4, INT32_MIN, INT32_MAX, 0};
  default: return (window_facts){8, INT64_MIN, INT64_MAX, 0};
  }
}

int64_t window_float_bits(double v, int64_t size) {
  float narrow = (float)v;
  int32_t bits;
  int64_t wide;
  memcpy(&bits, &narrow, sizeof bits);
  memcpy(&wide, &v, sizeof wide);
  return size == 4 ? bits : wide;
}

window_keys window_keys_of(int64_t size, int64_t infinity, bool unsigned_, bool min,
                           rill_window_nan nan, bool places) {
  int64_t high = INT64_MAX >> (64 - 8 * size), low = -high - 1, nans = high - infinity;
  window_keys k = {.flip = min ? -1 : 0, .floor = low, .ceiling = high};
  if (unsigned_) k.flip ^= low;
  if (!infinity) return k;
  bool ignore = nan == RILL_WINDOW_NAN_IGNORE;
  k.mask = high;
  k.bias = ignore ? nans : -nans;
  if (ignore)
    k.floor = low + 2 * nans - 1; /* all NaN, or most, have this key */
  else
    k.ceiling = infinity + 1 - nans;
  k.zero = places ? low : 0;
  k.lowest = min ? infinity : infinity | low;
  return k;
}

int64_t window_key_bits(const window_keys *keys, int64_t key, int64_t size) {
  int unused = (int)(64 - 8 * size);
  int64_t v = (int64_t)(((uint64_t)key - (uint64_t)keys->bias) << unused) >> unused;
  v ^= keys->flip;
  return v ^ (v < 0 ? keys->mask : 0);
}

static void choose_keys(window_job *w, const rill_window_params *p, bool min) {
  window_facts facts = facts_of(w->type);
  /* Unsigned bytes in keys of their own size have the sign's bit flipped; wider keys hold them all. */
  bool unsigned_ = w->type == WINDOW_U8 && w->key_size == 1;
  w->keys = window_keys_of(w->key_size, facts.infinity, unsigned_, min, p->nan, w->arg);
  if (!facts.infinity) w->keys.lowest = min ? facts.high : facts.low;
  w->keys.pad = facts.infinity ? window_float_bits(p->pad, w->size) : p->pad_integer;
  w->unseen = !w->arg && facts.infinity && p->nan == RILL_WINDOW_NAN_IGNORE && w->dilation > 1 &&
              p->edge == RILL_WINDOW_IGNORE && !w->y_keys;
  w->out = w->y_keys ? (window_keys){.mask = 0} : w->keys;
}

static rill_status plan(window_type type, const rill_window_params *p, bool arg, const void *x,
                        int64_t begin, int64_t end, const void *workspace, window_job *w) {
  rill_status status = window_plan(p, w);
  if (status != RILL_OK) return status;
  window_facts facts = facts_of(type);
  w->type = type;
  w->arg = arg;
  w->size = facts.size;
  w->key_size = arg && facts.size < 4 ? 4 : facts.size;
  w->large = w->outer * w->length * w->inner * window_result(w) >= WINDOW_LARGE;
  w->x = x;
  if (begin < 0 || end < begin || end > w->outer * w->panels * w->chunks)
    return RILL_ERROR_ARGUMENT;
  if (p->edge == RILL_WINDOW_CONSTANT && !facts.infinity &&
      (p->pad_integer < facts.low || p->pad_integer > facts.high))
    return RILL_ERROR_ARGUMENT;
  return begin < end && (!x || !workspace) ? RILL_ERROR_ARGUMENT : RILL_OK;
}

rill_status window_float_job(window_type type, const rill_window_params *p, const void *x,
                             window_job *w) {
  rill_status status = plan(type, p, false, x, 0, 0, NULL, w);
  if (status == RILL_OK) choose_keys(w, p, false);
  return status;
}

size_t window_workspace(window_type type, const rill_window_params *p) {
  window_job w;
  if (plan(type, p, false, NULL, 0, 0, NULL, &w) != RILL_OK) return 0;
  size_t values = window_bytes(&w);
  w.arg = true;
  if (w.key_size < 4) w.key_size = 4;
  size_t indices = window_bytes(&w);
  return values > indices ? values : indices;
}

/* May y be written? *same: it is x, which it may replace. */
static bool writable(const window_job *w, const void *y, int64_t begin, int64_t end, bool *same) {
  *same = y && window_same(w, w->x, y, begin, end);
  return !y || *same || !window_overlap(w, false, w->x, w->size, y, w->size);
}

static void values(window_job *w, const rill_window_params *p, void *y, bool min, bool same,
                   int64_t begin, int64_t end, void *workspace) {
  if (!y) return;
  w->y = y;
  w->in_place = same;
  choose_keys(w, p, min);
  window_run(w, begin, end, workspace);
}

rill_status window_values(window_type type, const rill_window_params *p, const void *x, void *y_min,
                          void *y_max, int64_t begin, int64_t end, void *workspace) {
  window_job w;
  bool same_min, same_max;
  rill_status status = plan(type, p, false, x, begin, end, workspace, &w);
  if (status != RILL_OK || begin == end) return status;
  if (!y_min && !y_max) return RILL_ERROR_ARGUMENT;
  if (!writable(&w, y_min, begin, end, &same_min) || !writable(&w, y_max, begin, end, &same_max))
    return RILL_ERROR_ARGUMENT;
  if (y_min && y_max && window_overlap(&w, true, y_min, w.size, y_max, w.size))
    return RILL_ERROR_ARGUMENT;
  /* What takes the place of x comes last. */
  if (!same_min) values(&w, p, y_min, true, false, begin, end, workspace);
  values(&w, p, y_max, false, same_max, begin, end, workspace);
  if (same_min) values(&w, p, y_min, true, true, begin, end, workspace);
  return RILL_OK;
}

void window_band_keys(window_type type, const rill_window_params *p, bool min, const void *x,
                      void *keys, void *workspace) {
  window_job w;
  if (plan(type, p, false, x, 0, 0, workspace, &w) != RILL_OK) return;
  w.y_keys = true;
  values(&w, p, keys, min, false, 0, w.outer * w.panels * w.chunks, workspace);
}

void window_band_values(window_type type, const rill_window_params *p, bool min, int64_t first,
                        int64_t end, int64_t from, int64_t to, const void *x, void *y,
                        void *workspace) {
  window_job w;
  if (plan(type, p, false, x, 0, 0, workspace, &w) != RILL_OK) return;
  window_band(&w, first, end, from, to);
  w.x_keys = true;
  values(&w, p, y, min, false, 0, w.outer * w.panels * w.chunks, workspace);
}

rill_status window_indices(window_type type, const rill_window_params *p, const void *x,
                           int64_t *index, void *y, bool min, int64_t begin, int64_t end,
                           void *workspace) {
  window_job w;
  rill_status status = plan(type, p, true, x, begin, end, workspace, &w);
  if (status != RILL_OK) return status;
  if (w.key_size == 4 && w.n + 2 * (w.k - 1) * w.dilation > INT32_MAX - 1024)
    return RILL_ERROR_UNSUPPORTED;
  if (begin == end) return RILL_OK;
  if (!index || window_overlap(&w, false, x, w.size, index, sizeof *index))
    return RILL_ERROR_ARGUMENT;
  if (y && (window_overlap(&w, false, x, w.size, y, w.size) ||
            window_overlap(&w, true, index, sizeof *index, y, w.size)))
    return RILL_ERROR_ARGUMENT;
  w.y = y;
  w.index = index;
  choose_keys(&w, p, min);
  if (p->last) window_turn(&w);
  w.listed =
      w.inner == 1 && w.stride == 1 && w.dilation == 1 && w.y_stride[1] == 1 && !w.backwards && !y;
  window_run(&w, begin, end, workspace);
  return RILL_OK;
}

#endif
