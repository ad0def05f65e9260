/* Windows of so many samples, by the algorithm of van Herk (1992) and Gil and Werman (1993) as a stream.
 *
 * Samples come in blocks. The window reaches from the block that is filling (`prefix`, the maximum of its
 * samples so far) back into an older one, whose maxima from each sample to the block's end are at hand
 * (suffixes[which]). These take a pass backwards through the block, which no single push should have to wait
 * for. So blocks are half as long as the window, and there is a third one between the two (`middle`, its
 * maximum): while a block fills, the pass goes through the middle one, in steps of STEP samples. With
 * block = window / 2 the older one has window - block - (i + 1) samples left in the window when i + 1 of the
 * filling one are there.
 *
 * In a short window a pass takes little longer than such a step. It is one block, and none lies between.
 *
 * Many samples at once go through the loops of the pure face, in runs. There vectors have neighbouring
 * samples in their lanes: maxima of as many samples as there are lanes come first, by doubling, then the
 * maxima of whole vectors. */
#include "sequence/window_stream.h"

enum {
  SHORT = 256,  /* samples of a short window, at most                                  */
  STEP = 64,    /* samples of a step backwards                                         */
  FEW = 16,     /* samples that are not worth a run                                    */
  RUN = 2048,   /* bytes of a run's keys                                               */
  REACH = 64,   /* keys that a vector's maxima reach beyond, at most                   */
  SPARE = 2048, /* bytes of a short window's keys, and of twice as many as these       */
};

typedef struct window_scratch {
  _Alignas(8) char keys[SPARE + RUN + SPARE];
} window_scratch;

/* ---- layout ------------------------------------------------------------------------------------ */

static size_t blocks_lay(rill_window *w, char *memory) {
  int64_t k = w->options.window;
  size_t bytes = 0;
  w->lags = k > SHORT;
  w->block = w->lags ? k / 2 : k;
  int64_t ahead =
      WINDOW_LANES_AHEAD * WINDOW_VECTOR / w->size; /* lanes are read, but count nowhere */
  w->ring = window_room(memory, &bytes, w->mask + 1 + ahead, w->size);
  /* Behind each is the lowest key: an older block that has nothing left in the window. */
  for (int i = 0; i < 2; i++) w->suffixes[i] = window_room(memory, &bytes, w->block + 1, w->size);
  w->candidates = (int64_t *)(void *)window_room(memory, &bytes, w->mask + 1, sizeof(int64_t));
  return bytes;
}

/* ---- the pass backwards ------------------------------------------------------------------------ */

/* A vector of one key, for the loops to begin with. */
static void vector_of(const rill_window *w, int64_t key, void *to) {
  window_fill_keys(to, key, WINDOW_VECTOR / w->size, w->size);
}

/* to[i] = the maximum of keys[i] and of what follows, as many as a vector has lanes. */
static void lanes_of(const rill_window *w, const void *keys, int64_t n, void *to) {
  const window_keys as_they_are = {.floor = window_key_low(w->size)};
  w->loops.take_lanes(&as_they_are, keys, n, WINDOW_VECTOR / w->size, to);
}

/* Likewise in place, or some more. Returns how many. */
static int64_t widen_to_vector(const rill_window *w, void *keys, int64_t n) {
  int64_t s = 1, lanes = WINDOW_VECTOR / w->size;
  if (w->loops.take_lanes) {
    lanes_of(w, keys, n, keys);
    return lanes;
  }
  for (; s < lanes; s *= 4) w->loops.quad(keys, n, (const int64_t[3]){s, 2 * s, 3 * s});
  return s;
}

/* Where n keys, whole vectors, lie in the ring from number `index` on, if in one piece with a vector of others
 * on both sides; else NULL. Those others may count: they are in every window that the n are all in. */
static char *in_ring(const rill_window *w, int64_t index, int64_t n) {
  int64_t lanes = WINDOW_VECTOR / w->size, at = index & w->mask;
  bool inside = at >= lanes && at + n + lanes <= w->mask + 1;
  return w->lags && w->loops.take_lanes && inside ? w->ring + at * w->size : NULL;
}

/* to[i] = the maximum of samples index + i ... index + n and of `rising`, which becomes to[0]. */
static inline void back_few(rill_window *w, int64_t index, int64_t n, char *to, int64_t size) {
  int64_t m = w->rising;
  for (int64_t i = n - 1; i >= 0; i--) {
    m = window_higher(m, window_load(w->ring, (index + i) & w->mask, size));
    window_store(to, i, m, size);
  }
  w->rising = m;
}

/* Likewise for whole vectors. */
static void back_run(rill_window *w, int64_t index, int64_t n, char *to) {
  window_scratch t;
  char start[WINDOW_VECTOR];
  int64_t lanes = WINDOW_VECTOR / w->size;
  const char *ring = in_ring(w, index, n);
  char *keys = ring ? to : t.keys;
  if (ring)
    lanes_of(w, ring, n, keys);
  else {
    window_ring_read(w, index, n, keys);
    window_fill_keys(keys + n * w->size, window_key_low(w->size), 2 * REACH, w->size);
    widen_to_vector(w, keys, n);
  }
  vector_of(w, w->rising, start);
  w->loops.up(keys, lanes, n / lanes, 1, start);
  if (!ring) memcpy(to, keys, (size_t)(n * w->size));
  w->rising = window_load(to, 0, w->size);
}

static void back(rill_window *w, int64_t index, int64_t n, char *to) {
  int64_t size = w->size, run = RUN / size, few = n > FEW ? n % (WINDOW_VECTOR / size) : n;
  n -= few;
  if (size == 4)
    back_few(w, index + n, few, to + n * 4, 4);
  else if (size == 8)
    back_few(w, index + n, few, to + n * 8, 8);
  else
    back_few(w, index + n, few, to + n, 1);
  for (int64_t part; n > 0; n -= part) {
    part = n < run ? n : run;
    back_run(w, index + n - part, part, to + (n - part) * size);
  }
}

/* ---- from block to block ----------------------------------------------------------------------- */

/* A new block begins with the next sample. */
static void begin_block(rill_window *w) {
  w->begin = w->pushed;
  w->prefix = w->rising = window_key_low(w->size);
  w->settled = 0;
  w->stop = w->begin + (w->block < STEP ? w->block : STEP);
  /* One sample more is left of the older block where the window is odd. */
  int64_t odd = w->lags ? w->options.window % 2 : 0;
  w->suffix = w->suffixes[w->which] + (1 - odd) * w->size;
}

/* The block of a short window is complete, or is to be: its samples are the last ones. */
static void turn_short(rill_window *w) {
  w->rising = window_key_low(w->size);
  back(w, w->pushed - w->block, w->block, w->suffixes[0]);
  begin_block(w);
}

static void turn(rill_window *w) {
  w->middle = w->prefix;
  w->which ^= 1; /* the pass through the middle block is complete: it is the older one now */
  begin_block(w);
}

/* Makes the steps that are due. */
static void settle(rill_window *w) {
  int64_t filled = w->pushed - w->begin;
  if (!w->lags) {
    turn_short(w);
    return;
  }
  /* Sample j of the middle block is number begin - block + j; the pass is through down to `settled`. */
  int64_t from = w->block - filled;
  back(w, w->begin - filled, filled - w->settled, w->suffixes[w->which ^ 1] + from * w->size);
  w->settled = filled;
  if (filled == w->block)
    turn(w);
  else
    w->stop = w->begin + (w->block - filled < STEP ? w->block : filled + STEP);
}

static void blocks_clear(rill_window *w) {
  int64_t low = window_key_low(w->size);
  window_fill_keys(w->ring, low, w->mask + 1, w->size);
  for (int i = 0; i < 2; i++) window_fill_keys(w->suffixes[i], low, w->block + 1, w->size);
  w->pushed = 0;
  w->value = w->middle = low;
  w->which = 0;
  window_forget(w);
  begin_block(w);
}

/* ---- one sample -------------------------------------------------------------------------------- */

/* The new maximum's bits. `size` is a constant at each call. */
static inline int64_t push_bits(rill_window *w, int64_t bits, int64_t size) {
  int64_t key = window_to_key(w, bits, size), n = w->pushed;
  window_store(w->ring, n & w->mask, key, size);
  int64_t prefix = window_higher(w->prefix, key);
  int64_t older = window_higher(w->middle, window_load(w->suffix, n - w->begin, size));
  int64_t value = window_higher(prefix, older);
  w->prefix = prefix;
  w->value = value;
  w->pushed = n + 1;
  if (__builtin_expect(n + 1 == w->stop, 0)) settle(w);
  return window_from_key(w, value, size);
}

static inline void push_few(rill_window *w, const void *x, int64_t n, void *y, int64_t size) {
  for (int64_t i = 0; i < n; i++) {
    int64_t bits = push_bits(w, window_load(x, i, size), size);
    if (y) window_store(y, i, bits, size);
  }
}

/* A sample of a window that is not by blocks. */
static bool push_other(rill_window *w, rill_dtype dtype, void *x) {
  return w && w->options.dtype == dtype && rill_window_push(w, x, 1, x) == RILL_OK;
}

float rill_window_push_f32(rill_window *w, float x) {
  if (!w || w->single != RILL_F32) return push_other(w, RILL_F32, &x) ? x : __builtin_nanf("");
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = (int32_t)push_bits(w, bits, 4);
  memcpy(&x, &bits, sizeof bits);
  return x;
}

double rill_window_push_f64(rill_window *w, double x) {
  if (!w || w->single != RILL_F64) return push_other(w, RILL_F64, &x) ? x : __builtin_nan("");
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = push_bits(w, bits, 8);
  memcpy(&x, &bits, sizeof bits);
  return x;
}

/* ---- many -------------------------------------------------------------------------------------- */

/* Keys of n samples, to the ring and, behind a vector or more of others, to t->keys, where each is the maximum
 * of itself and `*wide` - 1 after it. Returns where the first one is there. */
static const char *take_run(rill_window *w, const void *x, int64_t n, window_scratch *t,
                            int64_t *wide) {
  int64_t size = w->size, lanes = WINDOW_VECTOR / size;
  char *ring = in_ring(w, w->pushed, n), *keys = t->keys + REACH * size;
  if (ring) {
    w->loops.take(&w->keys, x, n, ring, 0);
    lanes_of(w, ring - WINDOW_VECTOR, lanes + n, t->keys);
    *wide = lanes;
    return t->keys + WINDOW_VECTOR;
  }
  window_fill_keys(t->keys, window_key_low(size), REACH, size);
  w->loops.take(&w->keys, x, n, keys, 0);
  window_ring_write(w, w->pushed, n, keys);
  *wide = widen_to_vector(w, t->keys, REACH + n);
  return keys;
}

/* A run within a block, of whole vectors. The older block's suffixes, which no other sample needs, are left as
 * they come. */
static void push_run(rill_window *w, const void *x, int64_t n, void *y) {
  window_scratch t;
  char prefix[WINDOW_VECTOR];
  int64_t size = w->size, lanes = WINDOW_VECTOR / size, wide, before = w->prefix;
  const char *keys = take_run(w, x, n, &t, &wide);
  char *old = w->suffix + (w->pushed - w->begin) * size;
  for (int64_t end = n; end > 0; end -= wide)
    w->prefix = window_higher(w->prefix, window_load(keys, end - wide, size));
  w->value = window_higher(window_higher(w->prefix, w->middle), window_load(old, n - 1, size));
  if (y) {
    vector_of(w, window_higher(before, w->middle), prefix);
    w->loops.down(&(window_rows){.keys = &w->keys,
                                 .m = keys - (wide - 1) * size,
                                 .width = lanes,
                                 .suffix = old,
                                 .pitch = lanes,
                                 .prefix = prefix,
                                 .y = y,
                                 .y_pitch = lanes,
                                 .rows = n / lanes,
                                 .vectors = 1});
    /* The one behind them may be among these. */
    window_store(w->suffixes[w->which], w->block, window_key_low(size), size);
  }
  w->pushed += n;
  if (w->pushed >= w->stop) settle(w);
}

/* A run of a short window: its maxima by doubling, as in pure/window_run.c. */
static void push_run_short(rill_window *w, const void *x, int64_t n, void *y) {
  window_scratch t;
  int64_t k = w->options.window, size = w->size, s = 1;
  char *keys = t.keys + (k - 1) * size;
  window_ring_read(w, w->pushed - (k - 1), k - 1, t.keys);
  w->loops.take(&w->keys, x, n, keys, 0);
  window_ring_write(w, w->pushed, n, keys);
  if (y) {
    for (; 4 * s < k; s *= 4) w->loops.quad(t.keys, n + k, (const int64_t[3]){s, 2 * s, 3 * s});
    int64_t last[3] = {s, 2 * s, k - s};
    for (int i = 0; i < 2; i++)
      if (last[i] > k - s) last[i] = k - s;
    w->loops.quad_out(&w->keys, t.keys, n, last, y, false);
  }
  w->pushed += n;
  turn_short(w);
  w->value = window_load(w->suffixes[0], 0, size);
}

/* How many of n samples the next call takes on. */
static int64_t part_of(const rill_window *w, int64_t n) {
  int64_t part = RUN / w->size, left = w->begin + w->block - w->pushed;
  if (w->lags && left < part) part = left;
  if (n < part) part = n;
  int64_t lanes = WINDOW_VECTOR / w->size, rest = part % lanes;
  return w->lags && part > rest ? part - rest : part;
}

static rill_status blocks_push(rill_window *w, const double *times, const void *x, int64_t n,
                               void *y) {
  (void)times;
  const char *from = x;
  char *to = y;
  while (n > 0) {
    int64_t part = part_of(w, n);
    bool whole = part % (WINDOW_VECTOR / w->size) == 0;
    if (part >= FEW && w->lags && whole)
      push_run(w, from, part, to);
    else if (part >= FEW && !w->lags)
      push_run_short(w, from, part, to);
    else if (w->size == 4)
      push_few(w, from, part, to, 4);
    else if (w->size == 8)
      push_few(w, from, part, to, 8);
    else
      push_few(w, from, part, to, 1);
    n -= part;
    from += part * w->size;
    if (to) to += part * w->size;
  }
  return RILL_OK;
}

const window_algorithm window_blocks = {blocks_lay, blocks_clear, blocks_push};
