/* Streaming windows: the handle, its options, and what the public functions check. */
#include "sequence/window_stream.h"

#include <math.h>

/* ---- options ----------------------------------------------------------------------------------- */

void rill_window_stream_options_init(rill_window_stream_options *options) {
  if (options) *options = (rill_window_stream_options)RILL_STRUCT_INIT(rill_window_stream_options);
}

static bool is_reduction(const rill_window_stream_options *o) { return o->kind >= RILL_WINDOW_SUM; }

static rill_status check_options(rill_context *ctx, const char *op,
                                 const rill_window_stream_options *o) {
  const char *fault = NULL;
  if (o->kind < RILL_WINDOW_MAX || o->kind > RILL_WINDOW_QUANTILE) fault = "there is no such kind";
  if (o->nan < RILL_WINDOW_NAN_PROPAGATE || o->nan > RILL_WINDOW_NAN_IGNORE)
    fault = "there is no such rule for NaN";
  if (!(o->q >= 0 && o->q <= 1)) fault = "q is not from 0 to 1";
  if (o->method < RILL_WINDOW_QUANTILE_LINEAR || o->method > RILL_WINDOW_QUANTILE_MIDPOINT)
    fault = "there is no such method for quantiles";
  if (o->span == 0 && o->capacity != 0) fault = "a capacity is given, but no span";
  if (o->span == 0 && o->window < 1)
    fault = "the window is less than 1 sample, and no span is given";
  if (o->span != 0 && o->window != 0) fault = "both a window and a span are given";
  if (o->span != 0 && !(o->span > 0 && isfinite(o->span)))
    fault = "the span is not above 0, or not finite";
  if (o->span != 0 && o->capacity < 1) fault = "a span needs a capacity of at least 1 sample";
  if (fault) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s", fault);
  if (is_reduction(o) && !dtype_is_float(o->dtype))
    return error_set(ctx, RILL_ERROR_DTYPE, op,
                     "sums, means and quantiles are of f32 and f64, not %s",
                     rill_dtype_name(o->dtype));
  switch (o->dtype) {
  case RILL_F32:
  case RILL_F64:
  case RILL_I32:
  case RILL_I64:
  case RILL_U8: return RILL_OK;
  default:
    return error_set(ctx, RILL_ERROR_DTYPE, op, "takes f32, f64, i32, i64 and u8, not %s",
                     rill_dtype_name(o->dtype));
  }
}

/* How the dtype's bits become keys, and what the lowest key means. */
static window_keys keys_of(const rill_window_stream_options *o) {
  int64_t size = (int64_t)rill_dtype_size(o->dtype), infinity = 0;
  bool min = o->kind == RILL_WINDOW_MIN, unsigned_ = o->dtype == RILL_U8;
  if (o->dtype == RILL_F32) infinity = INT64_C(0x7f800000);
  if (o->dtype == RILL_F64) infinity = INT64_C(0x7ff0000000000000);
  if (is_reduction(o)) {
    window_keys bits = window_keys_of(size, 0, false, false, o->nan, false);
    bits.lowest = window_float_bits(o->kind == RILL_WINDOW_SUM ? 0 : (double)NAN, size);
    return bits;
  }
  window_keys k = window_keys_of(size, infinity, unsigned_, min, o->nan, false);
  if (!infinity) k.lowest = window_key_bits(&k, window_key_low(size), size);
  return k;
}

/* ---- life -------------------------------------------------------------------------------------- */

/* The struct, and behind it the arrays. */
enum { WINDOW_HEAD = (sizeof(rill_window) + 63) / 64 * 64 };

static void window_destroy(handle *h) { heap_free(h); }

rill_window *rill_window_retain(rill_window *window) {
  if (window) handle_retain(&window->base);
  return window;
}

void rill_window_release(rill_window *window) {
  if (window) handle_release(&window->base);
}

/* All but the arrays' contents: the struct and, behind it, places for them. */
static rill_window *window_new(rill_context *ctx, const char *op,
                               const rill_window_stream_options *o) {
  rill_window w = {.options = *o, .keys = keys_of(o), .floats = dtype_is_float(o->dtype)};
  int64_t most = o->span != 0 ? o->capacity : o->window;
  size_t any;
  if (!checked_bytes(most, 128, &any)) {
    error_set(ctx, RILL_ERROR_OVERFLOW, op, "a window of %lld samples does not fit in memory",
              (long long)most);
    return NULL;
  }
  w.reduces = is_reduction(o);
  w.algorithm = o->span != 0 ? &window_spans : w.reduces ? &window_counted : &window_blocks;
  w.size = (int64_t)rill_dtype_size(o->dtype);
  w.single = w.algorithm == &window_blocks ? o->dtype : RILL_BOOL;
  while (w.mask + 1 < most) w.mask = 2 * w.mask + 1;
  if (w.size == 1) rill_window_loops_i8(&w.loops);
  if (w.size == 4) rill_window_loops_i32(&w.loops);
  if (w.size == 8) rill_window_loops_i64(&w.loops);
  w.bytes = WINDOW_HEAD + w.algorithm->lay(&w, NULL);
  rill_window *window = context_alloc(ctx, op, w.bytes);
  if (!window) return NULL;
  memcpy(window, &w, sizeof w);
  window->algorithm->lay(window, (char *)window + WINDOW_HEAD);
  handle_init(&window->base, window_destroy);
  return window;
}

rill_window *rill_window_create(rill_context *ctx, const rill_window_stream_options *options) {
  static const char op[] = "window_create";
  if (!context_ready(ctx)) return NULL;
  rill_window_stream_options o;
  options_read(&o, sizeof o, options);
  if (check_options(ctx, op, &o) != RILL_OK) return NULL;
  rill_window *w = window_new(ctx, op, &o);
  if (!w) return NULL;
  w->algorithm->clear(w);
  return scope_own(ctx, w);
}

rill_window *rill_window_clone(rill_context *ctx, const rill_window *window) {
  static const char op[] = "window_clone";
  if (!context_ready(ctx)) return NULL;
  if (!window) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the window is NULL");
    return NULL;
  }
  rill_window *w = context_alloc(ctx, op, window->bytes);
  if (!w) return NULL;
  memcpy(w, window, window->bytes);
  handle_init(&w->base, window_destroy);
  w->algorithm->lay(w, (char *)w + WINDOW_HEAD);
  if (w->suffix) w->suffix = w->suffixes[w->which] + (window->suffix - window->suffixes[w->which]);
  return scope_own(ctx, w);
}

rill_status rill_window_reset(rill_window *window) {
  if (!window) return RILL_ERROR_ARGUMENT;
  window->algorithm->clear(window);
  return RILL_OK;
}

/* ---- the ring ---------------------------------------------------------------------------------- */

/* Keys from `index` on that lie in one piece. */
static int64_t ring_piece(const rill_window *w, int64_t index, int64_t n) {
  int64_t piece = w->mask + 1 - (index & w->mask);
  return n < piece ? n : piece;
}

void window_ring_read(const rill_window *w, int64_t index, int64_t n, char *to) {
  for (int64_t piece; n > 0; n -= piece, index += piece, to += piece * w->size) {
    piece = ring_piece(w, index, n);
    memcpy(to, w->ring + (index & w->mask) * w->size, (size_t)(piece * w->size));
  }
}

void window_ring_write(rill_window *w, int64_t index, int64_t n, const char *from) {
  for (int64_t piece; n > 0; n -= piece, index += piece, from += piece * w->size) {
    piece = ring_piece(w, index, n);
    memcpy(w->ring + (index & w->mask) * w->size, from, (size_t)(piece * w->size));
  }
}

/* ---- samples ----------------------------------------------------------------------------------- */

static bool overlap(const void *a, int64_t a_size, const void *b, int64_t b_size) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return x < y + (uintptr_t)b_size && y < x + (uintptr_t)a_size;
}

static rill_status check_push(const rill_window *w, bool timed, const double *times, const void *x,
                              int64_t n, const void *y) {
  size_t bytes;
  if (!w || n < 0) return RILL_ERROR_ARGUMENT;
  if ((w->times != NULL) != timed) return RILL_ERROR_UNSUPPORTED;
  if (n == 0) return RILL_OK;
  if (!x || (timed && !times)) return RILL_ERROR_ARGUMENT;
  if (!checked_bytes(n, sizeof(double), &bytes)) return RILL_ERROR_OVERFLOW;
  if (y && y != x && overlap(x, n * w->size, y, n * w->size)) return RILL_ERROR_ARGUMENT;
  if (y && timed && overlap(times, n * 8, y, n * w->size)) return RILL_ERROR_ARGUMENT;
  return RILL_OK;
}

rill_status rill_window_push(rill_window *window, const void *x, int64_t n, void *y) {
  rill_status status = check_push(window, false, NULL, x, n, y);
  return status == RILL_OK ? window->algorithm->push(window, NULL, x, n, y) : status;
}

rill_status rill_window_push_at(rill_window *window, const double *times, const void *x, int64_t n,
                                void *y) {
  rill_status status = check_push(window, true, times, x, n, y);
  return status == RILL_OK ? window->algorithm->push(window, times, x, n, y) : status;
}

/* ---- what the window holds --------------------------------------------------------------------- */

int64_t rill_window_count(const rill_window *window) {
  return window ? window->pushed - window_first(window) : 0;
}

rill_status rill_window_value(const rill_window *window, void *value) {
  if (!window || !value) return RILL_ERROR_ARGUMENT;
  bool nothing = rill_window_count(window) == 0;
  window_store(value, 0,
               nothing ? window->keys.lowest : window_from_key(window, window->value, window->size),
               window->size);
  return RILL_OK;
}

int64_t rill_window_age(rill_window *window) {
  int64_t i = window && !window->reduces ? window_candidate(window) : -1;
  return i < 0 ? -1 : window->pushed - 1 - i;
}

double rill_window_time(rill_window *window) {
  bool placed = window && window->times && !window->reduces;
  int64_t i = placed ? window_candidate(window) : -1;
  return i < 0 ? NAN : window->times[i & window->mask];
}
