/* What the files of the streaming windows share: window_stream.c has the handle and the public functions,
 * window_blocks.c the windows of so many samples, window_spans.c those of a span of time,
 * window_candidates.c where the maximum lies, window_reductions.c sums, means and quantiles, window_file.c
 * files.
 *
 * As in pure/window.h a sample becomes a key, a signed integer of its size, such that the larger key is the
 * one wanted. So there are maxima only, of three sizes. For sums, means and quantiles a key is a sample's
 * bits. */
#ifndef RILL_SRC_WINDOW_STREAM_H
#define RILL_SRC_WINDOW_STREAM_H

#include "base/base.h"
#include "pure/window.h"
#include "pure/window_order.h"
#include "rill/window.h"

#include <string.h>

/* How a kind of window works. Functions are given arguments that window_stream.c has checked. */
typedef struct window_algorithm {
  /* Sets the arrays' places behind `memory`, and returns their bytes; NULL: only that. */
  size_t (*lay)(rill_window *w, char *memory);
  void (*clear)(rill_window *w);
  rill_status (*push)(rill_window *w, const double *times, const void *x, int64_t n, void *y);
} window_algorithm;

struct rill_window {
  handle base;
  const window_algorithm *algorithm;
  int64_t size; /* bytes of a sample and of a key */
  bool floats;
  bool reduces;      /* a sum, a mean or a quantile                                     */
  rill_dtype single; /* the dtype where push_f32 and push_f64 are quick; else RILL_BOOL */

  /* The last samples' keys: sample i is ring[i & mask], counted from the last reset. A window's first
   * sample is max(0, pushed - window), or of a span `first`. */
  char *ring;
  int64_t mask, pushed;
  int64_t value; /* the maximum's key */
  window_keys keys;

  /* window_blocks.c */
  int64_t prefix, middle, begin, stop;
  char *suffix;
  int64_t block, settled, rising;
  bool lags;
  int which; /* of the two arrays is in use */
  char *suffixes[2];
  window_loops loops;

  /* window_spans.c */
  double *times; /* a ring as that of the keys */
  double now;    /* -infinity at first         */
  int64_t first;
  int64_t zero; /* the last sample that is the higher zero; -1: none */

  /* window_candidates.c: numbers of samples, each larger than all that follow, in a ring as the others */
  int64_t *candidates;
  int64_t head, tail, seen; /* samples before `seen` are among them */

  /* window_reductions.c */
  double *sums, newer; /* from each sample of the older part to its end; of the newer part */
  int64_t split, nans; /* the newer part's first sample; NaN in the window                 */
  window_order order;

  rill_window_stream_options options;
  size_t bytes; /* of the block that this is at the start of */
};

extern const window_algorithm window_blocks, window_counted, window_spans;

/* ---- keys -------------------------------------------------------------------------------------- */

static inline int64_t window_load(const void *a, int64_t i, int64_t size) {
  int32_t narrow;
  int64_t wide;
  if (size == 1) return ((const int8_t *)a)[i];
  if (size == 4) return memcpy(&narrow, (const char *)a + 4 * i, 4), narrow;
  return memcpy(&wide, (const char *)a + 8 * i, 8), wide;
}

static inline void window_store(void *a, int64_t i, int64_t value, int64_t size) {
  int32_t narrow = (int32_t)value;
  if (size == 1)
    ((int8_t *)a)[i] = (int8_t)value;
  else if (size == 4)
    memcpy((char *)a + 4 * i, &narrow, 4);
  else
    memcpy((char *)a + 8 * i, &value, 8);
}

/* to[0] ... to[n - 1] = key: the first ones, and copies of what is there already. */
static inline void window_fill_keys(void *to, int64_t key, int64_t n, int64_t size) {
  int64_t first = n < WINDOW_VECTOR / size ? n : WINDOW_VECTOR / size;
  for (int64_t i = 0; i < first; i++) window_store(to, i, key, size);
  for (int64_t done = first, more; done < n; done += more) {
    more = n - done < done ? n - done : done;
    memcpy((char *)to + done * size, to, (size_t)(more * size));
  }
}

static inline int64_t window_higher(int64_t a, int64_t b) { return b > a ? b : a; }

static inline int64_t window_key_low(int64_t size) { return INT64_MIN >> (64 - 8 * size); }

/* A sum that wraps around. */
static inline int64_t window_shifted(int64_t a, int64_t by, int64_t size) {
  int unused = (int)(64 - 8 * size);
  return (int64_t)(((uint64_t)a + (uint64_t)by) << unused) >> unused;
}

/* As the loops in pure/window_loops.c do it, of the sample's bits. */
static inline int64_t window_to_key(const rill_window *w, int64_t bits, int64_t size) {
  const window_keys *k = &w->keys;
  int64_t key = bits ^ ((bits >> 63) & k->mask) ^ k->flip;
  return window_higher(window_shifted(key, k->bias, size), k->floor);
}

static inline int64_t window_from_key(const rill_window *w, int64_t key, int64_t size) {
  const window_keys *k = &w->keys;
  int64_t bits = window_shifted(key, -k->bias, size) ^ k->flip;
  return bits ^ ((bits >> 63) & k->mask);
}

/* Of floats the key of -0, of minima that of +0; the other zero's is the next one. */
static inline int64_t window_lower_zero(const rill_window *w) { return w->keys.bias - 1; }

/* ---- shared ------------------------------------------------------------------------------------ */

/* n elements of the block of memory, and a cache line's rest. */
static inline char *window_room(char *memory, size_t *bytes, int64_t n, int64_t size) {
  char *at = memory ? memory + *bytes : NULL;
  *bytes += ((size_t)(n * size) + 63) / 64 * 64;
  return at;
}

/* Keys of samples from number `index` on, out of the ring and into it. */
void window_ring_read(const rill_window *w, int64_t index, int64_t n, char *to);
void window_ring_write(rill_window *w, int64_t index, int64_t n, const char *from);

/* The number of the window's first sample. */
static inline int64_t window_first(const rill_window *w) {
  if (w->times) return w->first;
  return window_higher(0, w->pushed - w->options.window);
}

/* The arrays of a reduction, the state of an empty window, a sample that was stored, the first one before it
 * leaves, and w->value of what there is. */
void window_reduction_lay(rill_window *w, char *memory, size_t *bytes);
void window_reduction_clear(rill_window *w);
void window_reduction_in(rill_window *w);
void window_reduction_out(rill_window *w, int64_t first);
void window_reduction_find(rill_window *w);
/* Of a sum or mean: the newer part begins at `split`, the window at `first`. */
void window_reduction_split(rill_window *w, int64_t first, int64_t split);

/* Forgets all. */
void window_forget(rill_window *w);
/* Adds the next sample not seen. */
void window_consider(rill_window *w);
/* The number of the sample that is the maximum, all samples considered; -1 where the window is empty. */
int64_t window_candidate(rill_window *w);

#endif
