/* Where the maximum lies: the monotonic deque of samples that may yet become it. */
#include "sequence/window_stream.h"

/* Of places -0 equals +0, and all NaN are equal. */
static int64_t key_of_sample(const rill_window *w, int64_t index) {
  int64_t key = window_load(w->ring, index & w->mask, w->size);
  if (w->floats && key == window_lower_zero(w)) key++;
  return key > w->keys.ceiling ? w->keys.ceiling : key;
}

void window_forget(rill_window *w) { w->head = w->tail = w->seen = 0; }

void window_consider(rill_window *w) {
  int64_t key = key_of_sample(w, w->seen);
  for (; w->tail > w->head; w->tail--) {
    int64_t other = key_of_sample(w, w->candidates[(w->tail - 1) & w->mask]);
    if (other > key || (other == key && !w->options.last)) break;
  }
  w->candidates[w->tail++ & w->mask] = w->seen++;
}

int64_t window_candidate(rill_window *w) {
  int64_t first = window_first(w);
  if (w->seen < first) { /* none that was seen is left */
    w->seen = first;
    w->head = w->tail;
  }
  while (w->head < w->tail && w->candidates[w->head & w->mask] < first) w->head++;
  while (w->seen < w->pushed) window_consider(w);
  return w->head < w->tail ? w->candidates[w->head & w->mask] : -1;
}
