/* Streaming windows in safetensors files: the options they were made with and the samples they hold. */
#include "sequence/window_stream.h"

#include "io/tensors.h"

#include <math.h>

static const char window_key[] = "rill.window", window_format[] = "1";

enum { OPTIONS = 9, TENSORS = 5 };
static const char *const names[TENSORS] = {"options", "samples", "older", "times", "now"};

static void list_options(const rill_window_stream_options *o, int64_t list[OPTIONS]) {
  int64_t span, q;
  memcpy(&span, &o->span, sizeof span);
  memcpy(&q, &o->q, sizeof q);
  memcpy(list,
         (const int64_t[OPTIONS]){o->kind, o->dtype, o->window, span, o->capacity, o->nan, o->last,
                                  q, o->method},
         OPTIONS * sizeof *list);
}

/* Of a window without a span the first three. */
static int tensors_of(const rill_window *w) { return w->times ? TENSORS : 3; }

/* Samples of the older part of a sum: the order of addition depends on it. */
static int64_t older(const rill_window *w) {
  bool sums = w->reduces && w->options.kind != RILL_WINDOW_QUANTILE;
  return sums && w->split > window_first(w) ? w->split - window_first(w) : 0;
}

static rill_dtype dtype_of(const rill_window *w, int tensor) {
  return tensor == 1 ? w->options.dtype : tensor > 2 ? RILL_F64 : RILL_I64;
}

static rill_status refuse(rill_context *ctx, const char *op, const char *path, const char *why) {
  return error_set(ctx, RILL_ERROR_FORMAT, op, "%s holds no window like this: %s", path, why);
}

static bool ready(rill_context *ctx, const char *op, const rill_window *w, const char *path) {
  if (!context_ready(ctx)) return false;
  if (w && path) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", w ? "path" : "window");
  return false;
}

/* ---- saving ------------------------------------------------------------------------------------ */

static void fill(const rill_window *w, int64_t first, int64_t count, void *const data[TENSORS]) {
  list_options(&w->options, data[0]);
  for (int64_t i = 0; i < count; i++) {
    int64_t slot = (first + i) & w->mask;
    window_store(data[1], i, window_from_key(w, window_load(w->ring, slot, w->size), w->size),
                 w->size);
    if (w->times) ((double *)data[3])[i] = w->times[slot];
  }
  *(int64_t *)data[2] = older(w);
  if (w->times) *(double *)data[4] = w->now;
}

rill_status rill_window_save(rill_context *ctx, const rill_window *window, const char *path) {
  static const char op[] = "window_save";
  if (!ready(ctx, op, window, path)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  int64_t count = rill_window_count(window), sizes[TENSORS] = {OPTIONS, count, 1, count, 1};
  const rill_tensor *tensors[TENSORS];
  void *data[TENSORS];
  for (int i = 0; i < tensors_of(window); i++) {
    rill_tensor *t = rill_empty(ctx, dtype_of(window, i), &sizes[i], 1);
    tensors[i] = t;
    data[i] = rill_tensor_data(t);
  }
  if (ctx->error == RILL_OK) {
    fill(window, window_first(window), count, data);
    tensors_save(ctx, op, path, names, tensors, tensors_of(window),
                 (const char *const[]){window_key}, (const char *const[]){window_format}, 1);
  }
  rill_scope_close(ctx);
  return ctx->error;
}

/* ---- loading ----------------------------------------------------------------------------------- */

/* What is wrong with the times; NULL: nothing. */
static const char *time_fault(const rill_window *w, const double *times, int64_t n, double now) {
  if (!isfinite(now) && !(n == 0 && now == -INFINITY)) return "its time is not finite";
  for (int64_t i = 0; i < n; i++) {
    double next = i + 1 < n ? times[i + 1] : now;
    if (!isfinite(times[i]) || times[i] > next) return "times go back, or are not finite";
  }
  return n > 0 && !(now - times[0] < w->options.span) ? "a sample is older than the span" : NULL;
}

/* What is wrong with a file's tensors; NULL: nothing. */
static const char *tensors_fault(const rill_window *w, rill_tensor *const t[TENSORS]) {
  int64_t list[OPTIONS], most = w->times ? w->options.capacity : w->options.window;
  for (int i = 0; i < tensors_of(w); i++)
    if (rill_tensor_ndim(t[i]) != 1 || rill_tensor_dtype(t[i]) != dtype_of(w, i))
      return "a tensor has another dtype or number of dims";
  list_options(&w->options, list);
  if (rill_tensor_numel(t[0]) != OPTIONS || memcmp(rill_tensor_data(t[0]), list, sizeof list) != 0)
    return "the options differ";
  int64_t count = rill_tensor_numel(t[1]);
  if (count > most) return "it has more samples";
  if (rill_tensor_numel(t[2]) != 1) return "a tensor has another size";
  int64_t part = *(int64_t *)rill_tensor_data(t[2]);
  if (part < 0 || part > count) return "it has more older samples than samples";
  if (!w->times) return NULL;
  if (rill_tensor_numel(t[3]) != count || rill_tensor_numel(t[4]) != 1)
    return "it has more samples than times, or fewer";
  return time_fault(w, rill_tensor_data(t[3]), count, *(double *)rill_tensor_data(t[4]));
}

static void take_on(rill_window *w, rill_tensor *const t[TENSORS]) {
  const double *times = w->times ? rill_tensor_data(t[3]) : NULL;
  w->algorithm->clear(w);
  w->algorithm->push(w, times, rill_tensor_data(t[1]), rill_tensor_numel(t[1]), NULL);
  if (w->times) w->now = *(double *)rill_tensor_data(t[4]);
  if (!w->reduces || w->options.kind == RILL_WINDOW_QUANTILE) return;
  window_reduction_split(w, 0, *(int64_t *)rill_tensor_data(t[2]));
  window_reduction_find(w);
}

rill_status rill_window_load(rill_context *ctx, rill_window *window, const char *path) {
  static const char op[] = "window_load";
  if (!ready(ctx, op, window, path)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  rill_safetensors *file = rill_safetensors_open(ctx, path);
  rill_tensor *tensors[TENSORS] = {NULL};
  const char *is = file ? rill_safetensors_metadata(file, window_key) : NULL;
  if (file && (!is || strcmp(is, window_format) != 0))
    refuse(ctx, op, path, "it is a file of something else");
  else if (file && rill_safetensors_count(file) != tensors_of(window))
    refuse(ctx, op, path, "it has another number of tensors");
  for (int i = 0; ctx->error == RILL_OK && i < tensors_of(window); i++)
    tensors[i] = rill_safetensors_get(ctx, file, names[i]);
  const char *fault = ctx->error == RILL_OK ? tensors_fault(window, tensors) : NULL;
  if (fault) refuse(ctx, op, path, fault);
  if (ctx->error == RILL_OK) take_on(window, tensors);
  rill_scope_close(ctx);
  return ctx->error;
}
