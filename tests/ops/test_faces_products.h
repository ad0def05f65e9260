/* The faces of the matrix products, which are all one pure function. */
#ifndef REAL

static int64_t at_least_one(int64_t n) { return n > 0 ? n : 1; }

#define FACE_FAMILY "ops/test_faces_products.h"
#include "ops/test_faces_types.h"

/* batches, m, k, n. From 2^20 multiply-adds on the ops cut a product into stretches, of which the last
 * may be narrow. At the lowest level they are the CBLAS's from 4096 on. */
static const face_sizes matmul_sizes = {11,
                                        15,
                                        {{1, 1, 1, 1},
                                         {1, 0, 3, 2},
                                         {1, 2, 0, 3},
                                         {1, 1, 17, 9},
                                         {1, 9, 17, 1},
                                         {1, 5, 33, 7},
                                         {1, 90, 81, 1},
                                         {1, 129, 131, 33},
                                         {1, 300, 65, 70},
                                         {1, 70, 65, 301},
                                         {1, 97, 300, 91},
                                         {1, 1031, 1025, 1},
                                         {1, 1, 1031, 1021},
                                         {1, 3, 401, 1031},
                                         {1, 1027, 401, 3}}};
static const face_sizes linear_sizes = {6,
                                        8,
                                        {{1, 1, 1, 1},
                                         {1, 0, 3, 2},
                                         {1, 2, 0, 3},
                                         {1, 90, 1, 81},
                                         {1, 129, 131, 33},
                                         {1, 300, 65, 70},
                                         {1, 3, 401, 1031},
                                         {1, 1027, 401, 3}}};
static const face_sizes batch_sizes = {4,
                                       6,
                                       {{1, 1, 1, 1},
                                        {0, 2, 3, 4},
                                        {2, 3, 0, 4},
                                        {3, 5, 17, 7},
                                        {211, 17, 33, 19},
                                        {2, 150, 65, 120}}};

static const face_case products_cases[] = {
    {"matmul", matmul_f32, matmul_f64, &matmul_sizes, NULL, false},
    {"matmul", matmul_batches_f32, matmul_batches_f64, &batch_sizes, NULL, false},
    {"bmm", bmm_f32, bmm_f64, &batch_sizes, NULL, false},
    {"einsum", einsum_f32, einsum_f64, &batch_sizes, NULL, false},
    {"linear", linear_f32, linear_f64, &linear_sizes, NULL, false},
};

#else

/* c = a b of row-major matrices [m, k] and [k, n], where trans_a or trans_b says so kept transposed. */
static void N(multiply)(bool trans_a, bool trans_b, int64_t m, int64_t k, int64_t n, const REAL *a,
                        const REAL *b, REAL beta, REAL *c) {
  K(gemm)
  (trans_a, trans_b, m, n, k, 1, a, at_least_one(trans_a ? m : k), b, at_least_one(trans_b ? k : n),
   beta, c, at_least_one(n));
}

/* Products of `batches` pairs, and the gradients. */
typedef struct N(product) {
  int64_t batches, m, k, n;
  REAL *a, *b, *y, *g, *ga, *gb;
} N(product);

static N(product) N(product_of)(const int64_t *size) {
  int64_t batches = size[0], m = size[1], k = size[2], n = size[3];
  N(product)
  p = {.batches = batches,
       .m = m,
       .k = k,
       .n = n,
       .a = N(values)(batches * m * k),
       .b = N(values)(batches * k * n),
       .y = N(room)(batches * m * n),
       .g = N(values)(batches * m * n),
       .ga = N(room)(batches * m * k),
       .gb = N(room)(batches * k * n)};
  for (int64_t i = 0; i < batches; i++) {
    const REAL *a = p.a + i * m * k, *b = p.b + i * k * n, *g = p.g + i * m * n;
    N(multiply)(false, false, m, k, n, a, b, 0, p.y + i * m * n);
    N(multiply)(false, true, m, n, k, g, b, 0, p.ga + i * m * k);
    N(multiply)(true, false, k, m, n, a, g, 0, p.gb + i * k * n);
  }
  return p;
}

static void N(product_agrees)(rill_context *ctx, const N(product) * p, rill_tensor *a,
                              rill_tensor *b, rill_tensor *out) {
  face_agree(ctx, DTYPE, &(face_value){out, p->y, p->batches * p->m * p->n, p->g}, 1,
             (face_grad[]){{"gradient 0", a, p->ga}, {"gradient 1", b, p->gb}}, 2);
}

/* Two matrices; where they have one row or one column vectors too. */
static void N(matmul)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(product) p = N(product_of)(size);
  (void)c;
  for (int row = 0; row <= (p.m == 1); row++)
    for (int column = 0; column <= (p.n == 1); column++) {
      rill_tensor *a = N(leaf)(ctx, p.a, (int64_t[]){p.m, p.k} + row, 2 - row);
      rill_tensor *b = N(leaf)(ctx, p.b, (int64_t[]){p.k, p.n}, 2 - column);
      N(product_agrees)(ctx, &p, a, b, rill_matmul(ctx, a, b));
    }
}

/* Many by many; many by one, which is a single product; and one by many. */
static void N(matmul_batches)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(product) p = N(product_of)(size);
  int64_t batches = p.batches, m = p.m, k = p.k, n = p.n;
  (void)c;
  rill_tensor *a = N(leaf)(ctx, p.a, (int64_t[]){batches, m, k}, 3);
  rill_tensor *b = N(leaf)(ctx, p.b, (int64_t[]){batches, k, n}, 3);
  N(product_agrees)(ctx, &p, a, b, rill_matmul(ctx, a, b));
  if (!batches) return;
  N(product) one = N(product_of)((int64_t[]){1, batches * m, k, n});
  a = N(leaf)(ctx, one.a, (int64_t[]){batches, m, k}, 3);
  b = N(leaf)(ctx, one.b, (int64_t[]){k, n}, 2);
  N(product_agrees)(ctx, &one, a, b, rill_matmul(ctx, a, b));
  REAL *sum = N(room)(m * k);
  for (int64_t i = 0; i < batches; i++) {
    int64_t at = i * m * n;
    N(multiply)(false, false, m, k, n, p.a, p.b + i * k * n, 0, p.y + at);
    N(multiply)(true, false, k, m, n, p.a, p.g + at, 0, p.gb + i * k * n);
  }
  K(sum)(p.ga, sum, 1, batches, m * k);
  p.ga = sum;
  a = N(leaf)(ctx, p.a, (int64_t[]){m, k}, 2);
  b = N(leaf)(ctx, p.b, (int64_t[]){batches, k, n}, 3);
  N(product_agrees)(ctx, &p, a, b, rill_matmul(ctx, a, b));
}

static void N(bmm)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(product) p = N(product_of)(size);
  (void)c;
  rill_tensor *a = N(leaf)(ctx, p.a, (int64_t[]){p.batches, p.m, p.k}, 3);
  rill_tensor *b = N(leaf)(ctx, p.b, (int64_t[]){p.batches, p.k, p.n}, 3);
  N(product_agrees)(ctx, &p, a, b, rill_bmm(ctx, a, b));
}

static void N(einsum)(rill_context *ctx, const face_case *c, const int64_t *size) {
  N(product) p = N(product_of)(size);
  (void)c;
  rill_tensor *t[] = {N(leaf)(ctx, p.a, (int64_t[]){p.batches, p.m, p.k}, 3),
                      N(leaf)(ctx, p.b, (int64_t[]){p.batches, p.k, p.n}, 3)};
  N(product_agrees)
  (ctx, &p, t[0], t[1], rill_einsum(ctx, "bij,bjk->bik", (const rill_tensor *const *)t, 2));
}

/* y = x wt + bias, with x [m, k], w [n, k]. */
static void N(linear)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t rows = size[1], in = size[2], outs = size[3], all = rows * outs;
  REAL *x = N(values)(rows * in), *w = N(values)(outs * in), *bias = N(values)(outs);
  REAL *y = N(room)(all), *g = N(values)(all), *gx = N(room)(rows * in), *gw = N(room)(outs * in);
  REAL *gb = N(room)(outs);
  (void)c;
  N(multiply)(false, false, rows, outs, in, g, w, 0, gx);
  N(multiply)(true, false, outs, rows, in, g, x, 0, gw);
  K(sum)(g, gb, 1, rows, outs);
  for (int with = 0; with < 2; with++) {
    for (int64_t i = 0; i < rows; i++) memcpy(y + i * outs, bias, (size_t)outs * sizeof *y);
    N(multiply)(false, true, rows, in, outs, x, w, with, y);
    rill_tensor *t = N(leaf)(ctx, x, size + 1, 2), *u = N(leaf)(ctx, w, (int64_t[]){outs, in}, 2);
    rill_tensor *v = N(leaf)(ctx, with ? bias : NULL, &outs, 1);
    face_agree(ctx, DTYPE, &(face_value){rill_linear(ctx, t, u, v), y, all, g}, 1,
               (face_grad[]){{"gradient", t, gx}, {"of weight", u, gw}, {"of bias", v, gb}}, 3);
  }
}

#endif
