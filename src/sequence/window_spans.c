/* Windows of a span of time: a ring of samples and times, and over it the monotonic deque or a reduction. */
#include "sequence/window_stream.h"

#include <math.h>

static size_t spans_lay(rill_window *w, char *memory) {
  size_t bytes = 0;
  w->ring = window_room(memory, &bytes, w->mask + 1, w->size);
  w->times = (double *)(void *)window_room(memory, &bytes, w->mask + 1, sizeof(double));
  if (w->reduces)
    window_reduction_lay(w, memory, &bytes);
  else
    w->candidates = (int64_t *)(void *)window_room(memory, &bytes, w->mask + 1, sizeof(int64_t));
  return bytes;
}

static void spans_clear(rill_window *w) {
  w->pushed = w->first = 0;
  w->now = -INFINITY;
  w->zero = -1;
  w->value = window_key_low(w->size);
  window_forget(w);
  if (w->reduces) window_reduction_clear(w);
}

static bool expired(const rill_window *w, double time, double now) {
  return !(now - time < w->options.span);
}

/* Would all go well? The first sample in the window moves along as it will in earnest. */
static rill_status spans_check(const rill_window *w, const double *times, int64_t n) {
  int64_t first = w->first;
  double last = w->now;
  for (int64_t i = 0; i < n; i++) {
    double now = times[i];
    if (!isfinite(now) || now < last) return RILL_ERROR_ARGUMENT;
    for (; first < w->pushed + i; first++) {
      int64_t j = first - w->pushed;
      if (!expired(w, j < 0 ? w->times[first & w->mask] : times[j], now)) break;
    }
    if (w->pushed + i - first >= w->options.capacity) return RILL_ERROR_OVERFLOW;
    last = now;
  }
  return RILL_OK;
}

static void expire(rill_window *w, double now) {
  w->now = now;
  for (; w->first < w->pushed && expired(w, w->times[w->first & w->mask], now); w->first++)
    if (w->reduces) window_reduction_out(w, w->first);
}

/* The value of what the window holds. Among zeros the maximum is the higher one, if there is any. */
static void find_value(rill_window *w) {
  if (w->reduces) {
    window_reduction_find(w);
    return;
  }
  int64_t i = window_candidate(w);
  w->value = i < 0 ? window_key_low(w->size) : window_load(w->ring, i & w->mask, w->size);
  if (w->floats && w->value == window_lower_zero(w) && w->zero >= w->first) w->value++;
}

static rill_status spans_push(rill_window *w, const double *times, const void *x, int64_t n,
                              void *y) {
  rill_status status = spans_check(w, times, n);
  if (status != RILL_OK) return status;
  for (int64_t i = 0; i < n; i++) {
    int64_t key = window_to_key(w, window_load(x, i, w->size), w->size);
    expire(w, times[i]); /* first, since the sample may take the place of one */
    if (key == window_lower_zero(w) + 1) w->zero = w->pushed;
    window_store(w->ring, w->pushed & w->mask, key, w->size);
    w->times[w->pushed++ & w->mask] = times[i];
    if (w->reduces) window_reduction_in(w);
    find_value(w);
    if (y) window_store(y, i, window_from_key(w, w->value, w->size), w->size);
  }
  return RILL_OK;
}

rill_status rill_window_advance(rill_window *w, double now) {
  if (!w || !isfinite(now)) return RILL_ERROR_ARGUMENT;
  if (!w->times) return RILL_ERROR_UNSUPPORTED;
  if (now < w->now) return RILL_ERROR_ARGUMENT;
  expire(w, now);
  find_value(w);
  return RILL_OK;
}

const window_algorithm window_spans = {spans_lay, spans_clear, spans_push};
