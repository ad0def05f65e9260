/* The faces of the sliding windows: of reals with gradients, and of the integers that
 * tensors have, by the same functions. */
#ifndef REAL

/* size is outer, n, inner, window, stride, dilation, mode, edge. */
static rill_window_params window_params(const int64_t *size) {
  return (rill_window_params){.struct_size = sizeof(rill_window_params),
                              .outer = size[0],
                              .n = size[1],
                              .inner = size[2],
                              .window = size[3],
                              .stride = size[4],
                              .dilation = size[5],
                              .mode = (rill_window_mode)size[6],
                              .edge = (rill_window_edge)size[7],
                              .pad = 1,
                              .pad_integer = 1};
}

static const int window_dim = 1;

static rill_window_options window_options(const int64_t *size) {
  return (rill_window_options){.struct_size = sizeof(rill_window_options),
                               .dims = &window_dim,
                               .ndims = 1,
                               .stride = size[4],
                               .dilation = size[5],
                               .mode = (rill_window_mode)size[6],
                               .edge = (rill_window_edge)size[7],
                               .pad = 1};
}

#define WINDOW_INTEGERS
#define REAL    uint8_t
#define DTYPE   RILL_U8
#define N(name) name##_u8
#define K(name) (face_called("rill_" #name "_u8"), rill_##name##_u8)
#include "ops/test_faces_window.h"
#undef REAL
#undef DTYPE
#undef N
#undef K

#define REAL    int32_t
#define DTYPE   RILL_I32
#define N(name) name##_i32
#define K(name) (face_called("rill_" #name "_i32"), rill_##name##_i32)
#include "ops/test_faces_window.h"
#undef REAL
#undef DTYPE
#undef N
#undef K

#define REAL    int64_t
#define DTYPE   RILL_I64
#define N(name) name##_i64
#define K(name) (face_called("rill_" #name "_i64"), rill_##name##_i64)
#include "ops/test_faces_window.h"
#undef REAL
#undef DTYPE
#undef N
#undef K
#undef WINDOW_INTEGERS

#define FACE_FAMILY "ops/test_faces_window.h"
#include "ops/test_faces_types.h"

static const face_sizes window_sizes = {8,
                                        10,
                                        {{1, 1, 1, 1, 1, 1, 0, 0},
                                         {3, 7, 2, 3, 1, 1, 0, 0},
                                         {2, 9, 3, 4, 2, 1, 1, 1},
                                         {2, 40, 5, 11, 1, 2, 2, 0},
                                         {1, 50, 1, 33, 3, 1, 3, 4},
                                         {2, 3, 2, 5, 1, 1, 0, 0},
                                         {0, 3, 2, 2, 1, 1, 2, 5},
                                         {2, 0, 2, 2, 1, 1, 1, 0},
                                         {3, 30001, 1, 101, 1, 1, 1, 2},
                                         {2, 60, 2500, 7, 1, 1, 3, 0}}};

/* Integers come in further rows of the same op, two types a row. */
#define WINDOW_ROW(op, a, b)                                                                       \
  { "window_" #op, window_##op##_##a, window_##op##_##b, &window_sizes, NULL, false }
#define WINDOW_ROWS(op) WINDOW_ROW(op, f32, f64), WINDOW_ROW(op, u8, i32), WINDOW_ROW(op, i64, i64)
static const face_case window_cases[] = {
    WINDOW_ROWS(max),           WINDOW_ROWS(min),
    WINDOW_ROWS(argmax),        WINDOW_ROWS(argmin),
    WINDOW_ROWS(minmax),        WINDOW_ROW(sum, f32, f64),
    WINDOW_ROW(mean, f32, f64), WINDOW_ROW(quantile, f32, f64)};
#undef WINDOW_ROW
#undef WINDOW_ROWS

#else

/* What the pure functions of the type give, of samples among which many are equal. */
typedef struct N(window) {
  rill_window_params params;
  int64_t all, places, units;
  REAL *x, *low, *high;
  int64_t *low_at, *high_at;
  void *workspace;
  rill_tensor *t;
  rill_window_options options;
} N(window);

static N(window) N(window_make)(rill_context *ctx, const int64_t *size) {
  N(window) w = {.params = window_params(size), .options = window_options(size)};
  w.all = size[0] * size[1] * size[2];
  w.places = size[0] * rill_window_length(&w.params) * size[2];
  w.units = rill_window_units(&w.params);
  w.x = face_take(w.all, sizeof *w.x);
  for (int64_t i = 0; i < w.all; i++) w.x[i] = (REAL)(9 * test_uniform(&face_seed));
  w.low = face_take(w.places, sizeof *w.low);
  w.high = face_take(w.places, sizeof *w.high);
  w.low_at = face_take(w.places, sizeof *w.low_at);
  w.high_at = face_take(w.places, sizeof *w.high_at);
  w.workspace = face_take((int64_t)K(window_workspace)(&w.params), 1);
  w.t = rill_from_buffer(ctx, DTYPE, size, 3, w.x);
#ifndef WINDOW_INTEGERS
  if (w.t) rill_set_requires_grad(ctx, w.t, true);
#endif
  return w;
}

/* The gradient of y, which pure indices lead to the samples; integers have none. */
static void N(window_agree)(rill_context *ctx, N(window) * w, rill_tensor *y, const REAL *want,
                            const int64_t *index) {
#ifdef WINDOW_INTEGERS
  (void)index;
  face_same(ctx, "value", y, DTYPE, want, w->places);
#else
  REAL *g = N(values)(w->places), *gx = N(room)(w->all);
  face_status(K(window_max_backward)(&w->params, g, index, gx, 0,
                                     rill_window_max_backward_units(&w->params)));
  face_agree(ctx, DTYPE, &(face_value){y, want, w->places, g}, 1,
             &(face_grad){"gradient", w->t, gx}, 1);
#endif
}

static void N(window_max)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  (void)c;
  face_status(K(window_max)(&w.params, w.x, w.high, 0, w.units, w.workspace));
  face_status(K(window_argmax)(&w.params, w.x, w.high_at, NULL, 0, w.units, w.workspace));
  N(window_agree)(ctx, &w, rill_window_max(ctx, w.t, size[3], &w.options), w.high, w.high_at);
}

static void N(window_min)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  (void)c;
  face_status(K(window_min)(&w.params, w.x, w.low, 0, w.units, w.workspace));
  face_status(K(window_argmin)(&w.params, w.x, w.low_at, NULL, 0, w.units, w.workspace));
  N(window_agree)(ctx, &w, rill_window_min(ctx, w.t, size[3], &w.options), w.low, w.low_at);
}

static void N(window_argmax)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  (void)c;
  face_status(K(window_argmax)(&w.params, w.x, w.high_at, NULL, 0, w.units, w.workspace));
  face_same(ctx, "value", rill_window_argmax(ctx, w.t, size[3], &w.options), RILL_I64, w.high_at,
            w.places);
}

static void N(window_argmin)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  (void)c;
  face_status(K(window_argmin)(&w.params, w.x, w.low_at, NULL, 0, w.units, w.workspace));
  face_same(ctx, "value", rill_window_argmin(ctx, w.t, size[3], &w.options), RILL_I64, w.low_at,
            w.places);
}

static void N(window_minmax)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  rill_tensor *high;
  (void)c;
  face_status(K(window_minmax)(&w.params, w.x, w.low, w.high, 0, w.units, w.workspace));
  rill_tensor *low = rill_window_minmax(ctx, w.t, size[3], &w.options, &high);
  face_same(ctx, "minima", low, DTYPE, w.low, w.places);
  face_same(ctx, "maxima", high, DTYPE, w.high, w.places);
}

#ifndef WINDOW_INTEGERS
/* Which of the ops whose backward looks at samples instead of indices. */
typedef rill_status N(window_back)(const rill_window_params *, const REAL *, const REAL *, REAL *,
                                   int64_t, int64_t, void *);

static void N(window_agree_by)(rill_context *ctx, N(window) * w, rill_tensor *y,
                               N(window_back) * back) {
  REAL *g = N(values)(w->places), *gx = N(room)(w->all);
  face_status(
      back(&w->params, g, w->x, gx, 0, rill_window_backward_units(&w->params), w->workspace));
  face_agree(ctx, DTYPE, &(face_value){y, w->low, w->places, g}, 1,
             &(face_grad){"gradient", w->t, gx}, 1);
}

static N(window) N(window_make_sum)(rill_context *ctx, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  w.workspace = face_take((int64_t)K(window_sum_workspace)(&w.params), 1);
  return w;
}

static void N(window_sum)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make_sum)(ctx, size);
  (void)c;
  face_status(K(window_sum)(&w.params, w.x, w.low, 0, w.units, w.workspace));
  N(window_agree_by)
  (ctx, &w, rill_window_sum(ctx, w.t, size[3], &w.options), K(window_sum_backward));
}

static void N(window_mean)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make_sum)(ctx, size);
  (void)c;
  face_status(K(window_mean)(&w.params, w.x, w.low, 0, w.units, w.workspace));
  N(window_agree_by)
  (ctx, &w, rill_window_mean(ctx, w.t, size[3], &w.options), K(window_mean_backward));
}

static rill_status N(median_backward)(const rill_window_params *p, const REAL *grad, const REAL *x,
                                      REAL *grad_x, int64_t begin, int64_t end, void *workspace) {
  return K(window_quantile_backward)(p, 0.5, RILL_WINDOW_QUANTILE_LINEAR, grad, x, grad_x, begin,
                                     end, workspace);
}

static void N(window_quantile)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(window) w = N(window_make)(ctx, size);
  const rill_window_quantile_method method = RILL_WINDOW_QUANTILE_LINEAR;
  (void)c;
  w.workspace = face_take((int64_t)K(window_quantile_workspace)(&w.params), 1);
  face_status(K(window_quantile)(&w.params, 0.5, method, w.x, w.low, 0, w.units, w.workspace));
  N(window_agree_by)
  (ctx, &w, rill_window_quantile(ctx, w.t, size[3], 0.5, method, &w.options), N(median_backward));
}
#endif

#endif
