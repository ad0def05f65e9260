/* Rotary positions against complex multiplication, and what they are for: scores that depend on
 * distances alone. */
#include "main.h"
#include "base/base.h"
#include "rill/pure.h"
#include <complex.h>

enum { B = 2, T = 9, H = 3, D = 140, N = B * T * H * D };

static rill_rope_params params(bool interleaved) {
  rill_rope_params p;
  rill_rope_params_init(&p);
  p.batch = B, p.time = T, p.heads = H, p.head_dim = D;
  p.interleaved = interleaved;
  p.x_stride[0] = p.y_stride[0] = T * H * D;
  p.x_stride[1] = H * D, p.x_stride[2] = D; /* [B,T,H,D] */
  p.y_stride[1] = D, p.y_stride[2] = T * D; /* [B,H,T,D] */
  return p;
}

static void fill(double *x, float *x4) {
  uint64_t seed = 3;
  for (int i = 0; i < N; i++) x[i] = x4[i] = (float)test_normal(&seed);
}

START_TEST(agrees_with_complex_multiplication) {
  static double x[N], y[N], ref[N];
  static float x4[N], y4[N];
  fill(x, x4);
  cpu_set_level(_i);
  for (int c = 0; c < 8; c++) {
    rill_rope_params p = params(c & 1);
    p.offset = c & 2 ? 1000000 : 0;
    if (c & 4) p.rotary_dim = 30, p.base = 500;
    int64_t d = c & 4 ? 30 : D;
    ck_assert_int_eq(rill_rope_check(&p), RILL_OK);
    for (int64_t b = 0; b < B; b++)
      for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++) {
          const double *from = x + ((b * T + t) * H + h) * D;
          double *to = ref + ((b * H + h) * T + t) * D;
          for (int64_t i = 0; i < D; i++) to[i] = from[i];
          for (int64_t i = 0; i < d / 2; i++) {
            int64_t u = c & 1 ? 2 * i : i, v = c & 1 ? 2 * i + 1 : i + d / 2;
            double period = pow(c & 4 ? 500 : 10000, 2.0 * (double)i / (double)d);
            double angle = (double)(p.offset + t) / period;
            double complex z = (from[u] + from[v] * I) * cexp(I * angle);
            to[u] = creal(z), to[v] = cimag(z);
          }
        }
    rill_rope_f64(&p, x, y);
    rill_rope_f32(&p, x4, y4);
    ck_assert_double_lt(rms_ratio_f64(y, ref, N), 1e-10); /* angles of 1e6 keep 10 digits */
    ck_assert_double_lt(rms_ratio_f32(y4, ref, N), 1e-7);
  }
}
END_TEST

START_TEST(inverse_turns_back_in_place) {
  static double x[N], y[N];
  static float x4[N];
  fill(x, x4);
  cpu_set_level(_i);
  for (int c = 0; c < 4; c++) {
    rill_rope_params p = params(c & 1);
    memcpy(p.y_stride, p.x_stride, sizeof p.x_stride);
    p.offset = 77;
    if (c & 2) p.rotary_dim = 64;
    memcpy(y, x, sizeof x);
    rill_rope_f64(&p, y, y);
    ck_assert_double_gt(rms_ratio_f64(y, x, N), 0.1);
    p.inverse = true;
    rill_rope_f64(&p, y, y);
    ck_assert_double_lt(rms_ratio_f64(y, x, N), 1e-15);
  }
}
END_TEST

/* <R(a) q, R(b) k> = <R(a + s) q, R(b + s) k>, and one step at a time equals all at once. */
START_TEST(scores_depend_on_distance) {
  enum { W = 16 };
  double q[W], k[W], dots[2], u[2 * W], v[W], xs[2 * W];
  uint64_t seed = 4;
  cpu_set_level(_i);
  for (int i = 0; i < W; i++) q[i] = test_normal(&seed), k[i] = test_normal(&seed);
  for (int s = 0; s < 2; s++) {
    rill_rope_params p;
    rill_rope_params_init(&p);
    p.batch = p.heads = p.time = 1, p.head_dim = W;
    p.offset = 10 + 321 * s;
    rill_rope_f64(&p, q, u);
    p.offset = 4 + 321 * s;
    rill_rope_f64(&p, k, v);
    dots[s] = 0;
    for (int i = 0; i < W; i++) dots[s] += u[i] * v[i];
  }
  ck_assert_double_eq_tol(dots[0], dots[1], 1e-12);
  memcpy(xs, q, sizeof q), memcpy(xs + W, k, sizeof k);
  rill_rope_params p;
  rill_rope_params_init(&p);
  p.batch = p.heads = 1, p.time = 2, p.head_dim = W, p.offset = 3;
  p.x_stride[1] = p.y_stride[1] = W;
  rill_rope_f64(&p, xs, u);
  p.time = 1, p.offset = 4;
  rill_rope_f64(&p, k, v);
  ck_assert(!memcmp(u + W, v, sizeof v));
}
END_TEST

START_TEST(wrong_arguments) {
  rill_rope_params good = params(false), p;
  ck_assert_int_eq(rill_rope_check(NULL), RILL_ERROR_ARGUMENT);
  rill_rope_params_init(NULL);
#define WRONG(field, value, error)                                                                 \
  p = good, p.field = value;                                                                       \
  ck_assert_int_eq(rill_rope_check(&p), error)
  WRONG(struct_size, 0, RILL_ERROR_ARGUMENT);
  WRONG(batch, -1, RILL_ERROR_SHAPE);
  WRONG(head_dim, 7, RILL_ERROR_SHAPE);
  WRONG(rotary_dim, 3, RILL_ERROR_SHAPE);
  WRONG(rotary_dim, D + 2, RILL_ERROR_SHAPE);
  WRONG(rotary_dim, -2, RILL_ERROR_SHAPE);
  WRONG(base, -1, RILL_ERROR_ARGUMENT);
  WRONG(base, NAN, RILL_ERROR_ARGUMENT);
  WRONG(offset, -1, RILL_ERROR_ARGUMENT);
  WRONG(offset, INT64_MAX, RILL_ERROR_ARGUMENT);
#undef WRONG
  p = good, p.time = 0; /* nothing is read or written */
  rill_rope_f32(&p, NULL, NULL);
  p = good, p.head_dim = 0;
  ck_assert_int_eq(rill_rope_check(&p), RILL_OK);
  rill_rope_f64(&p, NULL, NULL);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("rope");
  tcase_add_loop_test(c, agrees_with_complex_multiplication, 0, CPU_LEVELS);
  tcase_add_loop_test(c, inverse_turns_back_in_place, 0, CPU_LEVELS);
  tcase_add_loop_test(c, scores_depend_on_distance, 0, CPU_LEVELS);
  tcase_add_loop_test(c, wrong_arguments, 0, CPU_LEVELS);
  return c;
}

TEST_MAIN("rope", tcase)
