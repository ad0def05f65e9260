/* The faces of the element-wise ops: by the rows of pure/elementwise.h, and clamp, softplus, where and
 * masked_fill. */
#ifndef REAL

/* For one type: the pure functions of a row and their names. */
#define FACE_FUNCTIONS(type, real)                                                                 \
  typedef struct unary_value_##type {                                                              \
    const char *symbol;                                                                            \
    void (*call)(const real *, real *, int64_t);                                                   \
  } unary_value_##type;                                                                            \
  typedef struct unary_slope_##type {                                                              \
    const char *symbol;                                                                            \
    void (*call)(const real *, const real *, const real *, real *, int64_t);                       \
  } unary_slope_##type;                                                                            \
  typedef struct binary_value_##type {                                                             \
    const char *symbol;                                                                            \
    void (*call)(const real *, int64_t, const real *, int64_t, real *, int64_t);                   \
  } binary_value_##type;                                                                           \
  typedef struct binary_slope_##type {                                                             \
    const char *symbol;                                                                            \
    void (*call)(const real *, const real *, int64_t, const real *, int64_t, real *, real *,       \
                 int64_t);                                                                         \
  } binary_slope_##type;                                                                           \
  typedef struct compare_value_##type {                                                            \
    const char *symbol;                                                                            \
    void (*call)(const real *, int64_t, const real *, int64_t, uint8_t *, int64_t);                \
  } compare_value_##type;
FACE_FUNCTIONS(f32, float)
FACE_FUNCTIONS(f64, double)
#undef FACE_FUNCTIONS

typedef struct unary_row {
  rill_tensor *(*face)(rill_context *, const rill_tensor *);
  int uses;
  unary_value_f32 value_f32;
  unary_value_f64 value_f64;
  unary_slope_f32 slope_f32;
  unary_slope_f64 slope_f64;
} unary_row;

typedef rill_tensor *binary_face(rill_context *, const rill_tensor *, const rill_tensor *);

typedef struct binary_row {
  binary_face *face;
  int uses;
  binary_value_f32 value_f32;
  binary_value_f64 value_f64;
  binary_slope_f32 slope_f32;
  binary_slope_f64 slope_f64;
} binary_row;

/* An op with a number in place of the second tensor. */
typedef struct scalar_row {
  rill_tensor *(*face)(rill_context *, const rill_tensor *, double);
  const binary_row *pure;
} scalar_row;

typedef struct compare_row {
  binary_face *face;
  compare_value_f32 value_f32;
  compare_value_f64 value_f64;
} compare_row;

/* How an operand lies in a result of [rows, cols]. */
typedef struct operand {
  int ndim;
  int64_t shape[2], count;
  int64_t row, step; /* elements to the next row and to the next column */
} operand;

/* 'w' the whole, 'r' one row, 'c' one column, 's' one number. */
static operand operand_of(char kind, int64_t rows, int64_t cols) {
  switch (kind) {
  case 'r': return (operand){1, {cols}, cols, 0, 1};
  case 'c': return (operand){2, {rows, 1}, rows, 1, 0};
  case 's': return (operand){0, {0}, 1, 0, 0};
  default: return (operand){2, {rows, cols}, rows * cols, cols, 1};
  }
}

/* Two operands, by the third number of a size. The pure face takes them in one row where it can. */
typedef struct operands {
  operand a, b;
  int64_t rows, cols, n;
} operands;

static operands operands_of(const int64_t *size) {
  static const char *const kinds[] = {"ww", "ws", "sw", "wr", "wc", "rc", "ss"};
  const char *kind = kinds[size[2]];
  operands o = {.rows = size[0], .cols = size[1], .n = size[0] * size[1]};
  o.a = operand_of(kind[0], o.rows, o.cols);
  o.b = operand_of(kind[1], o.rows, o.cols);
  if (strpbrk(kind, "rc")) return o;
  o.rows = 1;
  o.cols = o.n;
  return o;
}

#define FACE_FAMILY "ops/test_faces_elementwise.h"
#include "ops/test_faces_types.h"

static const face_sizes unary_sizes = {5, 6, {{1}, {0}, {3}, {17}, {1031}, {70001}}};
static const face_sizes pair_sizes = {9,
                                      12,
                                      {{1, 1, 0},
                                       {1, 1, 6},
                                       {0, 5, 0},
                                       {0, 5, 1},
                                       {3, 17, 0},
                                       {3, 17, 1},
                                       {3, 17, 2},
                                       {3, 17, 4},
                                       {3, 17, 5},
                                       {300, 301, 3},
                                       {7, 10001, 0},
                                       {7, 10001, 1}}};

#define UNARY_ROW(op, uses, ...)                                                                   \
  static const unary_row unary_##op = {rill_##op,                                                  \
                                       uses,                                                       \
                                       FACE_SYMBOL(op##_f32),                                      \
                                       FACE_SYMBOL(op##_f64),                                      \
                                       FACE_SYMBOL(op##_backward_f32),                             \
                                       FACE_SYMBOL(op##_backward_f64)};
#define BINARY_ROW(op, uses, ...)                                                                  \
  static const binary_row binary_##op = {rill_##op,                                                \
                                         uses,                                                     \
                                         FACE_SYMBOL(op##_f32),                                    \
                                         FACE_SYMBOL(op##_f64),                                    \
                                         FACE_SYMBOL(op##_backward_f32),                           \
                                         FACE_SYMBOL(op##_backward_f64)};
#define COMPARE_ROW(op, ...)                                                                       \
  static const compare_row compare_##op = {rill_##op, FACE_SYMBOL(op##_f32), FACE_SYMBOL(op##_f64)};
ELEMENTWISE_UNARY(UNARY_ROW)
ELEMENTWISE_BINARY(BINARY_ROW)
ELEMENTWISE_COMPARE(COMPARE_ROW)

static const scalar_row scalar_add = {rill_add_scalar, &binary_add};
static const scalar_row scalar_mul = {rill_mul_scalar, &binary_mul};
static const scalar_row scalar_pow = {rill_pow_scalar, &binary_pow};

#define UNARY_CASE(op, ...)   {#op, unary_f32, unary_f64, &unary_sizes, &unary_##op, false},
#define BINARY_CASE(op, ...)  {#op, binary_f32, binary_f64, &pair_sizes, &binary_##op, false},
#define COMPARE_CASE(op, ...) {#op, compare_f32, compare_f64, &pair_sizes, &compare_##op, false},
static const face_case elementwise_cases[] = {
    ELEMENTWISE_UNARY(UNARY_CASE)     /* one tensor */
    ELEMENTWISE_BINARY(BINARY_CASE)   /* two tensors */
    ELEMENTWISE_COMPARE(COMPARE_CASE) /* and whether one is the larger */
    {"add_scalar", scalar_f32, scalar_f64, &unary_sizes, &scalar_add, false},
    {"mul_scalar", scalar_f32, scalar_f64, &unary_sizes, &scalar_mul, false},
    {"pow_scalar", scalar_f32, scalar_f64, &unary_sizes, &scalar_pow, false},
    {"clamp", clamp_f32, clamp_f64, &unary_sizes, NULL, false},
    {"softplus", softplus_f32, softplus_f64, &unary_sizes, NULL, false},
    {"where", where_f32, where_f64, &pair_sizes, NULL, false},
    {"masked_fill", masked_fill_f32, masked_fill_f64, &pair_sizes, NULL, false},
};

#else

static void N(unary)(rill_context *ctx, const face_case *c, const int64_t *size) {
  const unary_row *r = c->row;
  int64_t n = size[0];
  REAL *x = N(special)(n), *g = N(values)(n), *y = N(room)(n), *gx = N(room)(n);
  FACE_USE(r->N(value))(x, y, n);
  FACE_USE(r->N(slope))
  (g, r->uses == USES_X ? x : NULL, r->uses == USES_Y ? y : NULL, gx, n);
  rill_tensor *t = N(leaf)(ctx, x, &n, 1);
  face_agree(ctx, DTYPE, &(face_value){r->face(ctx, t), y, n, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

/* What the engine makes of a gradient of the result's size for a stretched operand: its sum. */
static const REAL *N(summed)(const REAL *whole, const operand *o, int64_t rows, int64_t cols) {
  REAL *sum = N(room)(o->count);
  if (o->row == cols && o->step) return whole;
  if (o->step)
    K(sum)(whole, sum, 1, rows, cols);
  else if (o->ndim)
    K(sum)(whole, sum, rows, cols, 1);
  else
    K(sum)(whole, sum, 1, rows * cols, 1);
  return sum;
}

static void N(binary)(rill_context *ctx, const face_case *c, const int64_t *size) {
  const binary_row *r = c->row;
  operands o = operands_of(size);
  REAL *a = N(special)(o.a.count), *b = N(special)(o.b.count), *g = N(values)(o.n);
  REAL *y = N(room)(o.n), *ga = N(room)(o.n), *gb = N(room)(o.n);
  for (int64_t i = 0; i < o.rows; i++) {
    const REAL *p = a + i * o.a.row, *q = b + i * o.b.row;
    int64_t at = i * o.cols;
    bool inputs = r->uses == USES_INPUTS;
    FACE_USE(r->N(value))(p, o.a.step, q, o.b.step, y + at, o.cols);
    FACE_USE(r->N(slope))
    (g + at, inputs ? p : NULL, o.a.step, inputs ? q : NULL, o.b.step, ga + at, gb + at, o.cols);
  }
  rill_tensor *t = N(leaf)(ctx, a, o.a.shape, o.a.ndim), *u = N(leaf)(ctx, b, o.b.shape, o.b.ndim);
  rill_tensor *out = r->face(ctx, t, u);
  const REAL *sa = ga, *sb = gb;
  if (out && out->ndim) { /* else nothing was stretched */
    sa = N(summed)(ga, &o.a, size[0], size[1]);
    sb = N(summed)(gb, &o.b, size[0], size[1]);
  }
  face_agree(ctx, DTYPE, &(face_value){out, y, o.n, g}, 1,
             (face_grad[]){{"gradient 0", t, sa}, {"gradient 1", u, sb}}, 2);
}

static void N(compare)(rill_context *ctx, const face_case *c, const int64_t *size) {
  const compare_row *r = c->row;
  operands o = operands_of(size);
  REAL *a = N(special)(o.a.count), *b = N(special)(o.b.count);
  for (int64_t i = 0; i < o.a.count && i < o.b.count; i += 3) a[i] = b[i];
  uint8_t *y = face_take(o.n, 1);
  for (int64_t i = 0; i < o.rows; i++) FACE_USE(r->N(value))
  (a + i * o.a.row, o.a.step, b + i * o.b.row, o.b.step, y + i * o.cols, o.cols);
  rill_tensor *t = N(tensor)(ctx, a, o.a.shape, o.a.ndim);
  rill_tensor *u = N(tensor)(ctx, b, o.b.shape, o.b.ndim);
  face_same(ctx, "value", r->face(ctx, t, u), RILL_BOOL, y, o.n);
}

/* Exponents that have a formula of their own come first. */
static void N(scalar)(rill_context *ctx, const face_case *c, const int64_t *size) {
  static const double numbers[] = {3, 1.7, 2, 1, 0.5, 0, -0.5, -1, -2, -0.3};
  const scalar_row *r = c->row;
  int64_t n = size[0];
  REAL *x = N(special)(n), *g = N(values)(n), *y = N(room)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, &n, 1);
  for (int i = 0; i < (n > 5000 ? 2 : FACE_COUNT(numbers)); i++) {
    REAL b = (REAL)numbers[i];
    FACE_USE(r->pure->N(value))(x, 1, &b, 0, y, n);
    FACE_USE(r->pure->N(slope))(g, x, 1, &b, 0, gx, NULL, n);
    face_agree(ctx, DTYPE, &(face_value){r->face(ctx, t, numbers[i]), y, n, g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

static void N(clamp)(rill_context *ctx, const face_case *c, const int64_t *size) {
  static const double bounds[][2] = {{-0.6, 0.7}, {-INFINITY, 0.1}, {0.5, -0.5}, {NAN, 1}};
  int64_t n = size[0];
  REAL *x = N(special)(n), *g = N(values)(n), *y = N(room)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, &n, 1);
  (void)c;
  for (int i = 0; i < FACE_COUNT(bounds); i++) {
    double low = bounds[i][0], high = bounds[i][1];
    K(clamp)(x, y, n, (REAL)low, (REAL)high);
    K(clamp_backward)(g, x, NULL, gx, n, (REAL)low, (REAL)high);
    face_agree(ctx, DTYPE, &(face_value){rill_clamp(ctx, t, low, high), y, n, g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

static void N(softplus)(rill_context *ctx, const face_case *c, const int64_t *size) {
  static const double shapes[][2] = {{1, 20}, {2.3, 0.7}};
  int64_t n = size[0];
  REAL *x = N(special)(n), *g = N(values)(n), *y = N(room)(n), *gx = N(room)(n);
  rill_tensor *t = N(leaf)(ctx, x, &n, 1);
  (void)c;
  for (int i = 0; i < FACE_COUNT(shapes); i++) {
    double beta = shapes[i][0], threshold = shapes[i][1];
    K(softplus)(x, y, n, (REAL)beta, (REAL)threshold);
    K(softplus_backward)(g, x, NULL, gx, n, (REAL)beta, (REAL)threshold);
    face_agree(ctx, DTYPE, &(face_value){rill_softplus(ctx, t, beta, threshold), y, n, g}, 1,
               &(face_grad){"gradient", t, gx}, 1);
  }
}

/* The condition is whole; the backward is a choice between the gradient and zero. */
static void N(where)(rill_context *ctx, const face_case *c, const int64_t *size) {
  operands o = operands_of(size);
  REAL *a = N(special)(o.a.count), *b = N(special)(o.b.count), *g = N(values)(o.n), zero = 0;
  REAL *y = N(room)(o.n), *ga = N(room)(o.n), *gb = N(room)(o.n);
  uint8_t *keep = face_mask(o.n);
  (void)c;
  for (int64_t i = 0; i < o.rows; i++) K(where)
  (keep + i * o.cols, 1, a + i * o.a.row, o.a.step, b + i * o.b.row, o.b.step, y + i * o.cols,
   o.cols);
  K(where)(keep, 1, g, 1, &zero, 0, ga, o.n);
  K(where)(keep, 1, &zero, 0, g, 1, gb, o.n);
  rill_tensor *t = N(leaf)(ctx, a, o.a.shape, o.a.ndim), *u = N(leaf)(ctx, b, o.b.shape, o.b.ndim);
  rill_tensor *mask = rill_from_buffer(ctx, RILL_BOOL, size, 2, keep);
  face_agree(ctx, DTYPE, &(face_value){rill_where(ctx, mask, t, u), y, o.n, g}, 1,
             (face_grad[]){{"gradient 0", t, N(summed)(ga, &o.a, size[0], size[1])},
                           {"gradient 1", u, N(summed)(gb, &o.b, size[0], size[1])}},
             2);
}

/* The first operand is the tensor, the second the mask. */
static void N(masked_fill)(rill_context *ctx, const face_case *c, const int64_t *size) {
  operands o = operands_of(size);
  REAL *x = N(special)(o.a.count), *g = N(values)(o.n), *y = N(room)(o.n), *gx = N(room)(o.n);
  REAL *wide = N(room)(o.n), *chosen = N(room)(o.n), value = (REAL)0.3, zero = 0;
  uint8_t *mask = face_mask(o.b.count);
  (void)c;
  for (int64_t i = 0; i < o.rows; i++) {
    const uint8_t *m = mask + i * o.b.row;
    int64_t at = i * o.cols;
    for (int64_t j = 0; j < o.cols; j++) wide[at + j] = x[i * o.a.row + j * o.a.step];
    K(masked_fill)(wide + at, m, o.b.step, value, y + at, o.cols);
    K(where)(m, o.b.step, &value, 0, wide + at, 1, chosen + at, o.cols);
    K(masked_fill)(g + at, m, o.b.step, zero, gx + at, o.cols);
  }
  rill_tensor *t = N(leaf)(ctx, x, o.a.shape, o.a.ndim);
  rill_tensor *m = rill_from_buffer(ctx, RILL_BOOL, o.b.shape, o.b.ndim, mask);
  rill_tensor *out = rill_masked_fill(ctx, t, m, 0.3);
  const REAL *sum = out && out->ndim ? N(summed)(gx, &o.a, size[0], size[1]) : gx;
  face_same(ctx, "where's value", out, DTYPE, chosen, o.n);
  face_agree(ctx, DTYPE, &(face_value){out, y, o.n, g}, 1, &(face_grad){"gradient", t, sum}, 1);
}

#endif
