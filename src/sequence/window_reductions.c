/* Sums, means and quantiles of what a streaming window holds, for windows of so many samples and, through
 * window_spans.c, for those of a span of time.
 *
 * A sum is never subtracted from: it would drift, and after a NaN be one for ever. It is that of two parts of
 * the window. The sums of the older one, from each sample to the part's end, are at hand (`sums`); the newer
 * one's grows with each sample (`newer`). When the older part is used up, the window as a whole becomes it: a
 * pass backwards, in which each sample takes part once. Quantiles keep the numbers in order:
 * pure/window_order.h. All is computed in double. */
#include "sequence/window_stream.h"

#include <math.h>

static bool ordered(const rill_window *w) { return w->options.kind == RILL_WINDOW_QUANTILE; }

static bool ignores(const rill_window *w) { return w->options.nan == RILL_WINDOW_NAN_IGNORE; }

/* ---- samples ----------------------------------------------------------------------------------- */

static double number_of(const rill_window *w, int64_t bits) {
  int32_t few = (int32_t)bits;
  float narrow;
  double wide;
  memcpy(&narrow, &few, sizeof narrow);
  memcpy(&wide, &bits, sizeof wide);
  return w->size == 4 ? (double)narrow : wide;
}

static double sample(const rill_window *w, int64_t index) {
  return number_of(w, window_load(w->ring, index & w->mask, w->size));
}

/* What a sample adds to a sum. */
static double term(const rill_window *w, int64_t index) {
  double v = sample(w, index);
  return ignores(w) && isnan(v) ? 0 : v;
}

/* ---- in and out -------------------------------------------------------------------------------- */

void window_reduction_lay(rill_window *w, char *memory, size_t *bytes) {
  int64_t most = w->options.span != 0 ? w->options.capacity : w->options.window;
  if (!ordered(w)) {
    w->sums = (double *)(void *)window_room(memory, bytes, w->mask + 1, sizeof(double));
    return;
  }
  char *at = window_room(memory, bytes, (int64_t)window_order_bytes(most, false), 1);
  if (at) window_order_lay(&w->order, most, false, at);
}

void window_reduction_clear(rill_window *w) {
  w->split = w->nans = 0;
  w->newer = 0;
  w->value = w->keys.lowest;
  if (ordered(w)) window_order_clear(&w->order);
}

void window_reduction_split(rill_window *w, int64_t first, int64_t split) {
  double sum = 0;
  for (int64_t i = split - 1; i >= first; i--) w->sums[i & w->mask] = sum += term(w, i);
  w->newer = 0;
  for (int64_t i = split; i < w->pushed; i++) w->newer += term(w, i);
  w->split = split;
}

void window_reduction_in(rill_window *w) {
  int64_t index = w->pushed - 1;
  if (ordered(w)) {
    window_order_push(&w->order, sample(w, index) + 0.0, 0);
    return;
  }
  w->nans += isnan(sample(w, index));
  w->newer += term(w, index);
}

void window_reduction_out(rill_window *w, int64_t first) {
  if (ordered(w)) {
    window_order_pop(&w->order);
    return;
  }
  w->nans -= isnan(sample(w, first));
  if (first == w->split) window_reduction_split(w, first, w->pushed);
}

static double quantile(const rill_window *w) {
  const window_order *o = &w->order;
  int64_t low, high;
  double weight, q = w->options.q != 0 ? w->options.q : 0.5;
  if (o->count == 0 || (o->nans > 0 && !ignores(w))) return NAN;
  window_order_ranks(q, w->options.method, o->count, &low, &high, &weight);
  double v = window_order_at(o, low);
  return weight > 0 ? window_order_between(v, window_order_at(o, high), weight) : v;
}

void window_reduction_find(rill_window *w) {
  int64_t first = window_first(w), count = w->pushed - first;
  double v;
  if (ordered(w)) {
    v = quantile(w);
  } else {
    v = (first < w->split ? w->sums[first & w->mask] : 0) + w->newer;
    if (w->options.kind == RILL_WINDOW_MEAN) v /= (double)(ignores(w) ? count - w->nans : count);
  }
  w->value = window_float_bits(v, w->size);
}

/* ---- windows of so many samples ---------------------------------------------------------------- */

static size_t counted_lay(rill_window *w, char *memory) {
  size_t bytes = 0;
  w->ring = window_room(memory, &bytes, w->mask + 1, w->size);
  window_reduction_lay(w, memory, &bytes);
  return bytes;
}

static void counted_clear(rill_window *w) {
  w->pushed = 0;
  window_reduction_clear(w);
}

static rill_status counted_push(rill_window *w, const double *times, const void *x, int64_t n,
                                void *y) {
  (void)times;
  for (int64_t i = 0; i < n; i++) {
    int64_t bits = window_load(x, i, w->size), first = window_first(w);
    if (w->pushed - first == w->options.window) window_reduction_out(w, first);
    window_store(w->ring, w->pushed++ & w->mask, bits, w->size);
    window_reduction_in(w);
    if (!y && i + 1 < n) continue;
    window_reduction_find(w);
    if (y) window_store(y, i, w->value, w->size);
  }
  return RILL_OK;
}

const window_algorithm window_counted = {counted_lay, counted_clear, counted_push};
