/* Layer norm and RMS norm against long double computations. */
#ifndef REAL
#include "pure/typed.h"

static const double tolerance_f32 = 5e-7, tolerance_f64 = 2e-15;

#define TYPED_FILE "pure/test_norm.c"
#include "pure/typed_both.h"

TYPED_TEST(layer_norm)
TYPED_TEST(rms_norm)
TYPED_TEST(row_blocks_add_up)
TYPED_TEST(special_values)

static TCase *tcase(void) {
  TCase *c = tcase_create("norm");
  tcase_add_test(c, layer_norm);
  tcase_add_test(c, rms_norm);
  tcase_add_test(c, row_blocks_add_up);
  tcase_add_test(c, special_values);
  return c;
}

TEST_MAIN("norm", tcase)
#else

enum { N(MOST) = 3 * 1300 };
static const int N(sizes)[] = {1, 2, 7, 64, 65, 200, 512, 1300};
enum { N(SIZES) = sizeof N(sizes) / sizeof *N(sizes) };

typedef struct N(problem) {
  REAL x[N(MOST)], w[N(MOST)], b[N(MOST)], g[N(MOST)], y[N(MOST)], gx[N(MOST)], gw[N(MOST)],
      gb[N(MOST)], mean[3], rstd[3];
  double ex[N(MOST)], ew[N(MOST)], eb[N(MOST)], eg[N(MOST)]; /* exact inputs */
  double want_y[N(MOST)], want_gx[N(MOST)], want_gw[N(MOST)], want_gb[N(MOST)];
} N(problem);

/* With `centre` 0 this is RMS norm. Gradients of the parameters start from 1: they are added to. */
static void N(reference)(N(problem) * p, int n, bool centre, bool affine, double eps) {
  N(typed_normal)(1, p->x, p->ex, 3 * n);
  N(typed_normal)(2, p->w, p->ew, n);
  N(typed_normal)(3, p->b, p->eb, n);
  N(typed_normal)(4, p->g, p->eg, 3 * n);
  for (int i = 0; i < 3 * n; i++) p->ex[i] = p->x[i] = p->x[i] + 1;
  for (int i = 0; i < n; i++) {
    p->gw[i] = p->gb[i] = 1;
    p->want_gw[i] = p->want_gb[i] = 1;
  }
  for (int r = 0; r < 3; r++) {
    const double *x = p->ex + r * n, *g = p->eg + r * n;
    long double mean = 0, square = 0, su = 0, suh = 0;
    for (int i = 0; centre && i < n; i++) mean += (long double)x[i] / n;
    for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / n;
    long double rstd = 1 / sqrtl(square + eps);
    for (int i = 0; i < n; i++) {
      long double h = (x[i] - mean) * rstd, u = affine ? (long double)g[i] * p->ew[i] : g[i];
      p->want_y[r * n + i] = (double)(affine ? h * p->ew[i] + (centre ? p->eb[i] : 0) : h);
      su += u / n;
      suh += u * h / n;
      p->want_gw[i] += (double)(g[i] * h);
      p->want_gb[i] += g[i];
    }
    for (int i = 0; i < n; i++) {
      long double h = (x[i] - mean) * rstd, u = affine ? (long double)g[i] * p->ew[i] : g[i];
      p->want_gx[r * n + i] = (double)(rstd * (u - (centre ? su : 0) - h * suh));
    }
  }
}

static void N(layer_norm)(void) {
  static N(problem) p;
  for (int k = 0; k < N(SIZES); k++)
    for (int affine = 0; affine < 2; affine++) {
      int n = N(sizes)[k];
      N(reference)(&p, n, true, affine, 1e-2);
      const REAL *w = affine ? p.w : NULL, *b = affine ? p.b : NULL;
      K(layer_norm)(p.x, w, b, 1e-2, p.y, p.mean, p.rstd, 3, n);
      ck_close(p.y, p.want_y, 3 * n);
      K(layer_norm_backward)(p.g, p.x, w, p.mean, p.rstd, NULL, p.gw, p.gb, 3, n);
      ck_close(p.gw, p.want_gw, n);
      ck_close(p.gb, p.want_gb, n);
      K(layer_norm_backward)(p.g, p.x, w, p.mean, p.rstd, p.g, NULL, NULL, 3, n); /* in place */
      if (n > 2) ck_close(p.g, p.want_gx, 3 * n);
      K(layer_norm)(p.x, w, b, 1e-2, p.x, NULL, NULL, 3, n);
      ck_close(p.x, p.want_y, 3 * n);
    }
}

static void N(rms_norm)(void) {
  static N(problem) p;
  for (int k = 0; k < N(SIZES); k++)
    for (int affine = 0; affine < 2; affine++) {
      int n = N(sizes)[k];
      N(reference)(&p, n, false, affine, 1e-2);
      const REAL *w = affine ? p.w : NULL;
      K(rms_norm)(p.x, w, 1e-2, p.y, p.rstd, 3, n);
      ck_close(p.y, p.want_y, 3 * n);
      K(rms_norm_backward)(p.g, p.x, w, p.rstd, p.gx, p.gw, 3, n);
      if (n > 2) ck_close(p.gx, p.want_gx, 3 * n);
      ck_close(p.gw, p.want_gw, n);
    }
}

/* Rows on their own give the same grad_x, bit for bit, and partial sums add up to the whole. */
static void N(row_blocks_add_up)(void) {
  static N(problem) p;
  enum { COLS = 200 };
  N(reference)(&p, COLS, true, true, 1e-5);
  K(layer_norm)(p.x, p.w, p.b, 1e-5, p.y, p.mean, p.rstd, 3, COLS);
  K(layer_norm_backward)(p.g, p.x, p.w, p.mean, p.rstd, p.gx, p.gw, p.gb, 3, COLS);
  static REAL gx[3 * COLS], gw[COLS], gb[COLS];
  for (int i = 0; i < COLS; i++) gw[i] = gb[i] = 1;
  for (int r = 0; r < 3; r++) K(layer_norm_backward)
  (p.g + r * COLS, p.x + r * COLS, p.w, p.mean + r, p.rstd + r, gx + r * COLS, gw, gb, 1, COLS);
  ck_assert_mem_eq(gx, p.gx, sizeof gx);
  ck_assert_mem_eq(gw, p.gw, sizeof gw);
  ck_assert_mem_eq(gb, p.gb, sizeof gb);
}

static void N(special_values)(void) {
  REAL x[70], y[70];
  for (int i = 0; i < 70; i++) x[i] = 5;
  K(layer_norm)(x, NULL, NULL, 1e-5, y, NULL, NULL, 1, 70); /* a constant row: 0, not NaN */
  for (int i = 0; i < 70; i++) ck_assert(y[i] == 0);
  x[66] = (REAL)NAN;
  K(layer_norm)(x, NULL, NULL, 1e-5, y, NULL, NULL, 1, 70);
  for (int i = 0; i < 70; i++) ck_assert(isnan(y[i]));
  K(rms_norm)(x, NULL, 1e-5, y, NULL, 1, 70);
  for (int i = 0; i < 70; i++) ck_assert(isnan(y[i]));
  REAL kept = 7;
  K(layer_norm)(x, NULL, NULL, 1e-5, &kept, NULL, NULL, 0, 70);
  K(layer_norm)(x, NULL, NULL, 1e-5, &kept, NULL, NULL, 3, 0);
  ck_assert(kept == 7);
}
#endif
