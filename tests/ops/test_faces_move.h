/* The faces of the ops that move elements: views, copies, conversions, joining, rearranging. */
#ifndef REAL

/* How a view lies in its input. */
typedef struct placed {
  int ndim;
  int64_t shape[4], strides[4], offset;
} placed;

/* X(op, is nothing copied, shape of the input, functional face, where its elements lie in the input). size is outer, n and
 * inner: O, N_ and I. */
#define VIEWS(X)                                                                                   \
  X(contiguous, false, AS(O, N_, I), rill_contiguous(ctx, rill_transpose(ctx, t, 0, 2)),           \
    AS(3, {I, N_, O}, {1, I, N_ * I}, 0))                                                          \
  X(clone, false, AS(O, N_, I), rill_clone(ctx, t), AS(1, {O * N_ * I}, {1}, 0))                   \
  X(flatten, true, AS(O, N_, I), rill_flatten(ctx, t, 1, 2), AS(2, {O, N_ * I}, {N_ * I, 1}, 0))   \
  X(narrow, false, AS(O, N_, I), rill_narrow(ctx, t, 1, N_ / 3, N_ / 2),                           \
    AS(3, {O, N_ / 2, I}, {N_ * I, I, 1}, N_ / 3 * I))                                             \
  X(permute, false, AS(O, N_, I), rill_permute(ctx, t, (int[]){1, 2, 0}, 3),                       \
    AS(3, {N_, I, O}, {I, 1, N_ * I}, 0))                                                          \
  X(reshape, false, AS(O, N_, I),                                                                  \
    rill_reshape(ctx, rill_transpose(ctx, t, 1, 2), (int64_t[]){-1, N_}, 2),                       \
    AS(3, {O, I, N_}, {N_ * I, 1, I}, 0))                                                          \
  X(select, true, AS(O, N_, I), rill_select(ctx, t, 1, N_ / 2),                                    \
    AS(2, {O, I}, {N_ * I, 1}, N_ / 2 * I))                                                        \
  X(slice, false, AS(O, N_, I), rill_slice(ctx, t, 1, 1, INT64_MAX, 3),                            \
    AS(3, {O, (N_ + 1) / 3, I}, {N_ * I, 3 * I, 1}, I))                                            \
  X(squeeze, true, AS(O *N_, 1, I), rill_squeeze(ctx, t, 1), AS(2, {O * N_, I}, {I, 1}, 0))        \
  X(transpose, false, AS(O, N_, I), rill_transpose(ctx, t, 0, 1),                                  \
    AS(3, {N_, O, I}, {I, N_ * I, 1}, 0))                                                          \
  X(unsqueeze, true, AS(O, N_, I), rill_unsqueeze(ctx, t, -1), AS(1, {O * N_ * I}, {1}, 0))        \
  X(view, true, AS(O, N_, I), rill_view(ctx, t, (int64_t[]){O * N_, I}, 2),                        \
    AS(1, {O * N_ * I}, {1}, 0))

#define O       size[0]
#define N_      size[1]
#define I       size[2]
#define AS(...) __VA_ARGS__

#define FACE_FAMILY "ops/test_faces_move.h"
#include "ops/test_faces_types.h"

/* outer, n, inner. */
static const face_sizes move_sizes = {
    5, 6, {{1, 2, 1}, {1, 1, 1}, {0, 3, 2}, {3, 7, 5}, {2, 4, 0}, {23, 141, 131}}};

#define VIEW_ROW(op, serial, ...)                                                                  \
  {#op, view_##op##_f32, view_##op##_f64, &move_sizes, NULL, serial},
static const face_case move_cases[] = {
    VIEWS(VIEW_ROW){"expand", expand_f32, expand_f64, &move_sizes, NULL, false},
    {"unfold", unfold_f32, unfold_f64, &move_sizes, NULL, false},
    {"to", to_f32, to_f64, &move_sizes, NULL, false},
    {"cat", cat_f32, cat_f64, &move_sizes, NULL, false},
    {"stack", stack_f32, stack_f64, &move_sizes, NULL, false},
    {"split", split_f32, split_f64, &move_sizes, NULL, false},
    {"chunk", chunk_f32, chunk_f64, &move_sizes, NULL, false},
    {"flip", flip_f32, flip_f64, &move_sizes, NULL, false},
    {"roll", roll_f32, roll_f64, &move_sizes, NULL, false},
    {"repeat", repeat_f32, repeat_f64, &move_sizes, NULL, false},
    {"tril", tril_f32, tril_f64, &move_sizes, NULL, false},
    {"triu", triu_f32, triu_f64, &move_sizes, NULL, false},
    {"one_hot", one_hot_f32, one_hot_f64, &move_sizes, NULL, true},
};

#undef VIEW_ROW
#undef VIEWS
#undef O
#undef N_
#undef I
#undef AS

#else

/* The elements of x that p describes into y, dense; or back, from y among the zeros of x. */
static int64_t N(place)(const placed *p, REAL *x, REAL *y, bool back) {
  int64_t dense[4], numel = 1;
  for (int d = p->ndim - 1; d >= 0; d--) {
    dense[d] = numel;
    numel *= p->shape[d];
  }
  if (back)
    face_status(K(strided_copy)(y, dense, x + p->offset, p->strides, p->shape, p->ndim));
  else
    face_status(K(strided_copy)(x + p->offset, p->strides, y, dense, p->shape, p->ndim));
  return numel;
}

#define VIEW(op, serial, input, view, layout)                                                      \
  static void N(view_##op)(rill_context * ctx, const face_case *c, const int64_t *size) {          \
    int64_t shape[] = {input}, all = shape[0] * shape[1] * shape[2];                               \
    placed p = {layout};                                                                           \
    REAL *x = N(special)(all), *y = N(room)(all), *g = N(values)(all), *gx = N(zeros)(all);        \
    rill_tensor *t = N(leaf)(ctx, x, shape, 3);                                                    \
    int64_t n = N(place)(&p, x, y, false);                                                         \
    (void)c;                                                                                       \
    N(place)(&p, gx, g, true);                                                                     \
    face_agree(ctx, DTYPE, &(face_value){view, y, n, g}, 1, &(face_grad){"gradient", t, gx}, 1);   \
  }
VIEWS(VIEW)
#undef VIEW

static void N(expand)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t all = O * N_ * I, from[] = {O, 1, I}, strides[] = {I, 0, 1}, dense[] = {N_ * I, I, 1};
  REAL *x = N(special)(O * I), *y = N(room)(all), *g = N(values)(all), *gx = N(room)(O * I);
  rill_tensor *t = N(leaf)(ctx, x, from, 3);
  (void)c;
  face_status(K(strided_copy)(x, strides, y, dense, size, 3));
  K(sum)(g, gx, O, N_, I);
  face_agree(ctx, DTYPE, &(face_value){rill_expand(ctx, t, size, 3), y, all, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

/* Windows that overlap, and windows with gaps between them. */
static void N(unfold)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t all = O * N_ * I, width = N_ > 2 ? 3 : 1;
  (void)c;
  for (int64_t step = 1; step < 6; step += 3) {
    int64_t count = (N_ - width) / step + 1, some = O * count * I * width;
    REAL *x = N(special)(all), *y = N(room)(some), *g = N(values)(some), *gx = N(room)(all);
    placed p = {4, {O, count, I, width}, {N_ * I, step * I, 1, I}, 0};
    N(place)(&p, x, y, false);
    K(unfold_backward)(g, gx, O, N_, I, count, width, step);
    rill_tensor *t = N(leaf)(ctx, x, size, 3);
    face_agree(ctx, DTYPE, &(face_value){rill_unfold(ctx, t, 1, width, step), y, some, g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

#define TO(dtype, name, type)                                                                      \
  do {                                                                                             \
    type *y = face_take(n, sizeof *y);                                                             \
    face_called("rill_to_" #name);                                                                 \
    face_status(rill_to_##name(x, DTYPE, y, n));                                                   \
    face_same(ctx, #name, rill_to(ctx, t, dtype), dtype, y, n);                                    \
  } while (0)

/* The gradient comes back by the conversion to the input's type. */
static void N(to)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t n = O * N_ * I;
  REAL *x = N(special)(n), *gx = N(room)(n);
  float *g = face_take(n, sizeof *g);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  (void)c;
  TO(RILL_F32, f32, float);
  TO(RILL_F64, f64, double);
  TO(RILL_F16, f16, uint16_t);
  TO(RILL_BF16, bf16, uint16_t);
  TO(RILL_I32, i32, int32_t);
  TO(RILL_I64, i64, int64_t);
  TO(RILL_U8, u8, uint8_t);
  TO(RILL_BOOL, bool, uint8_t);
  for (int64_t i = 0; i < n; i++) g[i] = (float)test_uniform(&face_seed);
  face_status(K(to)(g, RILL_F32, gx, n));
  rill_tensor *out = rill_to(ctx, t, RILL_F32), *grad = NULL;
  const rill_tensor *seed = rill_from_buffer(ctx, RILL_F32, size, 3, g);
  if (rill_grad(ctx, &out, 1, &t, 1, &seed, false, false, &grad) == RILL_OK)
    face_same(ctx, "gradient", grad, DTYPE, gx, n);
}
#undef TO

/* Three pieces of the whole along n, which gradients and values are of. */
typedef struct N(pieces) {
  int64_t n[3];
  REAL *x[3], *g[3];
  rill_tensor *t[3];
  REAL *whole, *g_whole;
} N(pieces);

static void N(make_pieces)(rill_context *ctx, N(pieces) * p, const int64_t *size) {
  for (int i = 0; i < 3; i++) {
    int64_t shape[] = {O, p->n[i], I}, n = O * p->n[i] * I;
    p->x[i] = N(special)(n), p->g[i] = N(room)(n);
    p->t[i] = N(leaf)(ctx, p->x[i], shape, 3);
  }
  int64_t all = O * (p->n[0] + p->n[1] + p->n[2]) * I;
  p->whole = N(room)(all), p->g_whole = N(values)(all);
  K(cat)((const REAL *const *)p->x, p->n, 3, p->whole, O, I);
  K(split)(p->g_whole, p->g, p->n, 3, O, I);
}

static void N(cat)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(pieces) p = {.n = {N_ / 2, N_, 1}};
  (void)c;
  N(make_pieces)(ctx, &p, size);
  rill_tensor *out = rill_cat(ctx, (const rill_tensor *const *)p.t, 3, 1);
  int64_t all = O * (N_ / 2 + N_ + 1) * I;
  face_grad grad[3];
  for (int i = 0; i < 3; i++) grad[i] = (face_grad){"a gradient", p.t[i], p.g[i]};
  face_agree(ctx, DTYPE, &(face_value){out, p.whole, all, p.g_whole}, 1, grad, 3);
}

/* Of [outer, inner * n] each, along dim 1: a piece is one row there. */
static void N(stack)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t wide[] = {O, 1, N_ * I}, flat[] = {O, N_ * I};
  N(pieces) p = {.n = {1, 1, 1}};
  (void)c;
  N(make_pieces)(ctx, &p, wide);
  face_grad grad[3];
  for (int i = 0; i < 3; i++) {
    p.t[i] = N(leaf)(ctx, p.x[i], flat, 2);
    grad[i] = (face_grad){"a gradient", p.t[i], p.g[i]};
  }
  rill_tensor *out = rill_stack(ctx, (const rill_tensor *const *)p.t, 3, 1);
  face_agree(ctx, DTYPE, &(face_value){out, p.whole, 3 * O * N_ * I, p.g_whole}, 1, grad, 3);
}

/* Into pieces of `width`; no gradient comes from the second. */
static void N(check_split)(rill_context *ctx, const int64_t *size, int64_t width,
                           rill_status (*face)(rill_context *, const rill_tensor *, rill_tensor **,
                                               int *)) {
  int64_t all = O * N_ * I, n[4];
  int count = 0, made = 0;
  REAL *x = N(special)(all), *gx = N(room)(all), *y[4], *g[4];
  rill_tensor *t = N(leaf)(ctx, x, size, 3), *out[4];
  face_value value[4];
  for (int64_t at = 0; at < N_; at += width, count++) {
    n[count] = N_ - at < width ? N_ - at : width;
    y[count] = N(room)(O * n[count] * I), g[count] = N(values)(O * n[count] * I);
  }
  K(split)(x, y, n, count, O, I);
  if (face(ctx, t, out, &made) != RILL_OK || made != count) {
    complain("%d pieces, not %d", made, count);
    return;
  }
  if (count > 1) g[1] = NULL;
  K(cat)((const REAL *const *)g, n, count, gx, O, I);
  for (int i = 0; i < count; i++) value[i] = (face_value){out[i], y[i], O * n[i] * I, g[i]};
  face_agree(ctx, DTYPE, value, count, &(face_grad){"gradient", t, gx}, 1);
}

static rill_status N(split_face)(rill_context *ctx, const rill_tensor *t, rill_tensor **out,
                                 int *made) {
  return rill_split(ctx, t, rill_tensor_size(t, 1) / 3 + 1, 1, out, 4, made);
}

static rill_status N(chunk_face)(rill_context *ctx, const rill_tensor *t, rill_tensor **out,
                                 int *made) {
  return rill_chunk(ctx, t, 4, 1, out, 4, made);
}

static void N(split)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(check_split)(ctx, size, N_ / 3 + 1, N(split_face));
}

static void N(chunk)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(check_split)(ctx, size, (N_ + 3) / 4, N(chunk_face));
}

static void N(flip)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t n = O * N_ * I;
  REAL *x = N(special)(n), *y = N(room)(n), *g = N(values)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  (void)c;
  K(flip)(x, y, O, N_, I);
  K(flip)(g, gx, O, N_, I);
  face_agree(ctx, DTYPE, &(face_value){rill_flip(ctx, t, (int[]){1}, 1), y, n, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

static void N(roll)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t n = O * N_ * I, shifts[] = {0, 1, -2, 2 * N_ + 3};
  REAL *x = N(special)(n), *y = N(room)(n), *g = N(values)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  (void)c;
  for (int i = 0; i < FACE_COUNT(shifts); i++) {
    K(roll)(x, y, O, N_, I, shifts[i]);
    K(roll)(g, gx, O, N_, I, -shifts[i]);
    face_agree(ctx, DTYPE, &(face_value){rill_roll(ctx, t, shifts[i], 1), y, n, g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

/* The inner dim first, then the outer one; the gradient is summed in the order of the dims. */
static void N(repeat)(rill_context *ctx, const face_case *c, const int64_t *size) {
  enum { FIRST = 2, LAST = 3 };
  int64_t n = O * N_ * I, all = FIRST * LAST * n;
  REAL *x = N(special)(n), *wide = N(room)(LAST * n), *y = N(room)(all), *g = N(values)(all);
  REAL *g_wide = N(room)(LAST * n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  (void)c;
  K(repeat)(x, wide, O * N_, I, 1, LAST);
  K(repeat)(wide, y, 1, O, N_ * I * LAST, FIRST);
  K(sum)(g, g_wide, 1, FIRST, LAST * n);
  K(sum)(g_wide, gx, O * N_, LAST, I);
  rill_tensor *out = rill_repeat(ctx, t, (int64_t[]){FIRST, 1, LAST}, 3);
  face_agree(ctx, DTYPE, &(face_value){out, y, all, g}, 1, &(face_grad){"gradient", t, gx}, 1);
}

static void N(check_triangle)(rill_context *ctx, const int64_t *size, bool upper) {
  int64_t n = O * N_ * I, diagonals[] = {0, -1, 2, INT64_MAX, INT64_MIN};
  REAL *x = N(special)(n), *y = N(room)(n), *g = N(values)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  for (int i = 0; i < FACE_COUNT(diagonals); i++) {
    int64_t d = diagonals[i];
    if (upper)
      K(triu)(x, y, O, N_, I, d), K(triu)(g, gx, O, N_, I, d);
    else
      K(tril)(x, y, O, N_, I, d), K(tril)(g, gx, O, N_, I, d);
    rill_tensor *out = upper ? rill_triu(ctx, t, d) : rill_tril(ctx, t, d);
    face_agree(ctx, DTYPE, &(face_value){out, y, n, g}, 1, &(face_grad){"gradient", t, gx}, 1);
  }
}

static void N(tril)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(check_triangle)(ctx, size, false);
}

static void N(triu)(rill_context *ctx, const face_case *c, const int64_t *size) {
  (void)c;
  N(check_triangle)(ctx, size, true);
}

/* Integers, whatever the pass. */
static void N(one_hot)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t n = O * I, *index = face_indices(n, N_), *y = face_take(n * N_, sizeof *y);
  (void)c;
  face_called("rill_one_hot_i64");
  face_status(rill_one_hot_i64(index, y, n, N_));
  rill_tensor *t = rill_from_buffer(ctx, RILL_I64, (int64_t[]){O, I}, 2, index);
  face_same(ctx, "value", rill_one_hot(ctx, t, N_), RILL_I64, y, n * N_);
}

#endif
