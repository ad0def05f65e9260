/* The cases that bench/windows.py has for sliding windows, and two of its peers: memcpy of the same array,
 * and the monotonic deque of the textbooks. */
#include "bench.h"

static void window_prepare(bench *b) {
  b->x[0] = input(b, "x");
  rill_tensor *window = input(b, "window");
  b->window = *(const int64_t *)rill_tensor_data(window);
}

/* ---- arrays --------------------------------------------------------------------------------------- */

static rill_window_options around(void) {
  rill_window_options o = RILL_WINDOW_OPTIONS_INIT;
  o.mode = RILL_WINDOW_SAME;
  return o;
}

static void max_step(bench *b) {
  rill_window_options o = around();
  result(b, "y", rill_window_max(b->ctx, b->x[0], b->window, &o));
}

static void argmax_step(bench *b) {
  rill_window_options o = around();
  result(b, "y", rill_window_argmax(b->ctx, b->x[0], b->window, &o));
}

static void image_step(bench *b) {
  rill_window_options o = around();
  o.dims = (const int[]){0, 1};
  o.ndims = 2;
  result(b, "y", rill_window_max(b->ctx, b->x[0], b->window, &o));
}

static void copy_step(bench *b) {
  int64_t n = rill_tensor_numel(b->x[0]);
  rill_tensor *y = rill_empty(b->ctx, RILL_F32, &n, 1);
  memcpy(rill_tensor_data(y), rill_tensor_data(b->x[0]), (size_t)n * sizeof(float));
  result(b, "y", y);
}

/* ---- streams -------------------------------------------------------------------------------------- */

typedef struct stream {
  const float *x;
  float *y;
  int64_t n;
} stream;

/* What goes in and where it comes out. */
static stream stream_of(bench *b) {
  stream s = {.x = rill_tensor_data(b->x[0]), .n = rill_tensor_numel(b->x[0])};
  rill_tensor *y = rill_empty(b->ctx, RILL_F32, &s.n, 1);
  s.y = rill_tensor_data(y);
  result(b, "y", y);
  return s;
}

static rill_window *window_of(bench *b) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.window = b->window;
  return rill_window_create(b->ctx, &o);
}

static void push_step(bench *b) {
  rill_window *w = window_of(b);
  stream s = stream_of(b);
  for (int64_t i = 0; i < s.n; i++) s.y[i] = rill_window_push_f32(w, s.x[i]);
}

static void push_many_step(bench *b) {
  enum { MANY = 256 }; /* as a callback for sound gets them */
  rill_window *w = window_of(b);
  stream s = stream_of(b);
  for (int64_t i = 0; i < s.n; i += MANY)
    rill_window_push(w, s.x + i, s.n - i < MANY ? s.n - i : MANY, s.y + i);
}

/* Samples that may yet become the maximum, the largest first, in a ring. */
typedef struct deque {
  float *value;
  int64_t *index;
  int64_t mask, head, tail, next, window;
} deque;

/* Not inlined: a program that reads one sample at a time calls it, as it calls rill. */
__attribute__((noinline)) static float deque_push(deque *q, float x) {
  while (q->tail > q->head && q->value[(q->tail - 1) & q->mask] <= x) q->tail--;
  q->value[q->tail & q->mask] = x;
  q->index[q->tail++ & q->mask] = q->next++;
  if (q->index[q->head & q->mask] <= q->next - 1 - q->window) q->head++;
  return q->value[q->head & q->mask];
}

static void deque_step(bench *b) {
  deque q = {.window = b->window};
  while (q.mask <= b->window) q.mask = 2 * q.mask + 1;
  q.value = malloc((size_t)(q.mask + 1) * sizeof *q.value);
  q.index = malloc((size_t)(q.mask + 1) * sizeof *q.index);
  if (!q.value || !q.index) die("no memory for the deque");
  stream s = stream_of(b);
  for (int64_t i = 0; i < s.n; i++) s.y[i] = deque_push(&q, s.x[i]);
  free(q.value);
  free(q.index);
}

const bench_case window_cases[] = {
    {"window_max", window_prepare, max_step},
    {"window_argmax", window_prepare, argmax_step},
    {"window_2d", window_prepare, image_step},
    {"window_copy", window_prepare, copy_step},
    {"window_push", window_prepare, push_step},
    {"window_push_many", window_prepare, push_many_step},
    {"window_deque", window_prepare, deque_step},
    {NULL, NULL, NULL},
};
