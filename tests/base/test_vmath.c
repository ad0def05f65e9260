/* The vector functions of base/vmath.h, through the public kernels, against long double libm: error
 * in units in the last place over dense sweeps, special values, subnormal numbers. */
#include "main.h"
#include "base/base.h"
#include "rill/pure.h"
#include <float.h>

typedef long double ld;

static ld sigmoid(ld x) { return 1 / (1 + expl(-x)); }
static ld silu(ld x) { return x * sigmoid(x); }
static ld gelu(ld x) { return x * 0.5L * erfcl(-x * 0.707106781186547524400844362104849L); }
static ld gelu_tanh(ld x) {
  return x * sigmoid(2 * sqrtl(2 / acosl(-1)) * (x + 0.044715L * x * x * x));
}
static ld softplus(ld x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
static ld rsqrt(ld x) { return 1 / sqrtl(x); }

/* The thresholds are out of reach, so that the formula itself is measured. */
static void softplus_f32(const float *x, float *y, int64_t n) {
  rill_softplus_f32(x, y, n, 1, 100);
}
static void softplus_f64(const double *x, double *y, int64_t n) {
  rill_softplus_f64(x, y, n, 1, 1000);
}
/* The gradient of logsumexp is exp(x - y), by v_exp_flush. */
static void exp_flush_f32(const float *x, float *y, int64_t n) {
  rill_logsumexp_backward_f32(&(float){1}, x, &(float){0}, y, 1, n, 1);
}
static void exp_flush_f64(const double *x, double *y, int64_t n) {
  rill_logsumexp_backward_f64(&(double){1}, x, &(double){0}, y, 1, n, 1);
}
static void clamp_f32(const float *x, float *y, int64_t n) { rill_clamp_f32(x, y, n, -1, 2); }
static void clamp_f64(const double *x, double *y, int64_t n) { rill_clamp_f64(x, y, n, -1, 2); }

#define BOTH(name) rill_##name##_f32, rill_##name##_f64

static const struct function {
  const char *name;
  void (*f32)(const float *, float *, int64_t);
  void (*f64)(const double *, double *, int64_t);
  ld (*exact)(ld);
  double low, high; /* of the sweep */
  double ulps;
} functions[] = {
    {"exp", BOTH(exp), expl, -110, 90, 2},
    {"exp, f64 range", BOTH(exp), expl, -750, 720, 2},
    {"exp_flush", exp_flush_f32, exp_flush_f64, expl, -87, 88, 2},
    {"log", BOTH(log), logl, 0.4, 2.5, 2},
    {"log", BOTH(log), logl, 0, 1e30, 2},
    {"log1p", BOTH(log1p), log1pl, -0.999999, 4, 2},
    {"log1p", BOTH(log1p), log1pl, 0, 1e30, 2},
    {"expm1", BOTH(expm1), expm1l, -1.5, 1.5, 3},
    {"expm1", BOTH(expm1), expm1l, -45, 90, 3},
    {"tanh", BOTH(tanh), tanhl, -1, 1, 3},
    {"tanh", BOTH(tanh), tanhl, -25, 25, 3},
    {"sigmoid", BOTH(sigmoid), sigmoid, -110, 45, 3},
    {"erf", BOTH(erf), erfl, -7, 7, 3},
    {"sin", BOTH(sin), sinl, -10, 10, 3},
    {"sin", BOTH(sin), sinl, -12000, 12000, 3},
    {"sin, large", BOTH(sin), sinl, 1e5, 1e15, 3},
    {"cos", BOTH(cos), cosl, -10, 10, 3},
    {"cos", BOTH(cos), cosl, -12000, 12000, 3},
    {"cos, large", BOTH(cos), cosl, 1e5, 1e15, 3},
    {"silu", BOTH(silu), silu, -80, 45, 4},
    {"gelu", BOTH(gelu), gelu, -13, 10, 7},
    {"gelu_tanh", BOTH(gelu_tanh), gelu_tanh, -2, 10, 10},
    {"gelu_tanh, tail", BOTH(gelu_tanh), gelu_tanh, -7, 10, 100},
    {"softplus", softplus_f32, softplus_f64, softplus, -80, 60, 4},
    {"sqrt", BOTH(sqrt), sqrtl, 0, 1e6, 0.5},
    {"rsqrt", BOTH(rsqrt), rsqrt, 1e-6, 1e6, 1.5},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions, POINTS = 60000 };

/* |y - exact| in units in the last place of a type with `digits` bits and least exponent `least`;
 * 1e9 where they differ in kind. */
static double ulps(ld y, ld exact, ld rounded, int digits, int least) {
  if (isnan(rounded)) return isnan(y) ? 0 : 1e9;
  if (isinf(rounded) || isinf(y)) return y == rounded ? 0 : 1e9;
  int e;
  frexpl(rounded, &e);
  if (rounded == 0 || e < least) e = least;
  double u = (double)(fabsl(y - exact) / ldexpl(1, e - digits));
  return isnan(u) ? 1e9 : u;
}

/* Half of the points evenly spaced, half spread over the exponents and both signs. */
static double point(const struct function *f, int i) {
  double even = f->low + (f->high - f->low) * (i + 0.37) / POINTS;
  if (i % 2) return even;
  double x = ldexp(1 + (double)i / POINTS, -(i / 2 % 140));
  if (i / 2 % 3 == 0) x = -x;
  x *= fabs(f->high) < 4 ? 1 : 4;
  return x < f->low || x > f->high ? even : x;
}

START_TEST(error_is_within_bounds) {
  const struct function *f = &functions[_i];
  float *x = malloc(POINTS * sizeof *x), *y = malloc(POINTS * sizeof *y);
  double *xd = malloc(POINTS * sizeof *xd), *yd = malloc(POINTS * sizeof *yd);
  bool compare = reference_is_finer();
  for (int i = 0; i < POINTS; i++) x[i] = (float)(xd[i] = point(f, i));
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    f->f32(x, y, POINTS);
    f->f64(xd, yd, POINTS);
    for (int i = 0; compare && i < POINTS; i++) {
      ld exact = f->exact(x[i]);
      double u = ulps(y[i], exact, (float)exact, FLT_MANT_DIG, FLT_MIN_EXP);
      if (!(u <= f->ulps)) ck_abort_msg("%s_f32(%.9g) = %.9g: %g ulp", f->name, x[i], y[i], u);
      exact = f->exact(xd[i]);
      u = ulps(yd[i], exact, (double)exact, DBL_MANT_DIG, DBL_MIN_EXP);
      if (!(u <= f->ulps)) ck_abort_msg("%s_f64(%.17g) = %.17g: %g ulp", f->name, xd[i], yd[i], u);
    }
  }
  free(x), free(y), free(xd), free(yd);
}
END_TEST

#define LOW (-INFINITY)

/* f(x) = y exactly, the sign of zero included; both dtypes. */
static const struct special {
  const char *name;
  void (*f32)(const float *, float *, int64_t);
  void (*f64)(const double *, double *, int64_t);
  double x, y;
} specials[] = {
    {"exp", BOTH(exp), LOW, 0},
    {"exp", BOTH(exp), INFINITY, INFINITY},
    {"exp", BOTH(exp), NAN, NAN},
    {"exp", BOTH(exp), 0, 1},
    {"exp", BOTH(exp), -1e30, 0},
    {"exp", BOTH(exp), 1e30, INFINITY},
    {"log", BOTH(log), 0, LOW},
    {"log", BOTH(log), -0.0, LOW},
    {"log", BOTH(log), 1, 0},
    {"log", BOTH(log), -1, NAN},
    {"log", BOTH(log), LOW, NAN},
    {"log", BOTH(log), INFINITY, INFINITY},
    {"log", BOTH(log), NAN, NAN},
    {"log1p", BOTH(log1p), -1, LOW},
    {"log1p", BOTH(log1p), -1.5, NAN},
    {"log1p", BOTH(log1p), -0.0, -0.0},
    {"log1p", BOTH(log1p), 0, 0},
    {"log1p", BOTH(log1p), INFINITY, INFINITY},
    {"log1p", BOTH(log1p), NAN, NAN},
    {"exp_flush", exp_flush_f32, exp_flush_f64, LOW, 0},
    {"exp_flush", exp_flush_f32, exp_flush_f64, NAN, NAN},
    {"exp_flush", exp_flush_f32, exp_flush_f64, 0, 1},
    {"exp_flush", exp_flush_f32, exp_flush_f64, -709, 0},
    {"exp_flush", exp_flush_f32, exp_flush_f64, -1e30, 0},
    {"expm1", BOTH(expm1), LOW, -1},
    {"expm1", BOTH(expm1), INFINITY, INFINITY},
    {"expm1", BOTH(expm1), -0.0, -0.0},
    {"expm1", BOTH(expm1), 1e-40, 1e-40},
    {"expm1", BOTH(expm1), NAN, NAN},
    {"tanh", BOTH(tanh), LOW, -1},
    {"tanh", BOTH(tanh), INFINITY, 1},
    {"tanh", BOTH(tanh), -0.0, -0.0},
    {"tanh", BOTH(tanh), NAN, NAN},
    {"sigmoid", BOTH(sigmoid), LOW, 0},
    {"sigmoid", BOTH(sigmoid), INFINITY, 1},
    {"sigmoid", BOTH(sigmoid), 0, 0.5},
    {"sigmoid", BOTH(sigmoid), NAN, NAN},
    {"erf", BOTH(erf), LOW, -1},
    {"erf", BOTH(erf), INFINITY, 1},
    {"erf", BOTH(erf), -0.0, -0.0},
    {"erf", BOTH(erf), NAN, NAN},
    {"sin", BOTH(sin), INFINITY, NAN},
    {"sin", BOTH(sin), NAN, NAN},
    {"sin", BOTH(sin), -0.0, -0.0},
    {"cos", BOTH(cos), LOW, NAN},
    {"cos", BOTH(cos), NAN, NAN},
    {"cos", BOTH(cos), 0, 1},
    {"softplus", softplus_f32, softplus_f64, LOW, 0},
    {"softplus", softplus_f32, softplus_f64, INFINITY, INFINITY},
    {"softplus", softplus_f32, softplus_f64, NAN, NAN},
    {"gelu", BOTH(gelu), NAN, NAN},
    {"gelu", BOTH(gelu), INFINITY, INFINITY},
    {"gelu", BOTH(gelu), LOW, NAN},
    {"gelu", BOTH(gelu), -1e30, -0.0},
    {"gelu", BOTH(gelu), -0.0, -0.0},
    {"gelu_tanh", BOTH(gelu_tanh), LOW, NAN},
    {"gelu_tanh", BOTH(gelu_tanh), 1e18, 1e18},
    {"gelu_tanh", BOTH(gelu_tanh), NAN, NAN},
    {"silu", BOTH(silu), LOW, NAN},
    {"silu", BOTH(silu), INFINITY, INFINITY},
    {"silu", BOTH(silu), NAN, NAN},
    {"relu", BOTH(relu), NAN, NAN},
    {"relu", BOTH(relu), LOW, 0},
    {"relu", BOTH(relu), 3, 3},
    {"abs", BOTH(abs), -0.0, 0},
    {"abs", BOTH(abs), LOW, INFINITY},
    {"abs", BOTH(abs), NAN, NAN},
    {"neg", BOTH(neg), 0, -0.0},
    {"square", BOTH(square), -3, 9},
    {"reciprocal", BOTH(reciprocal), -0.0, LOW},
    {"reciprocal", BOTH(reciprocal), INFINITY, 0},
    {"sqrt", BOTH(sqrt), -1, NAN},
    {"sqrt", BOTH(sqrt), -0.0, -0.0},
    {"rsqrt", BOTH(rsqrt), -0.0, LOW},
    {"rsqrt", BOTH(rsqrt), INFINITY, 0},
    {"sign", BOTH(sign), NAN, 0},
    {"sign", BOTH(sign), -0.5, -1},
    {"sign", BOTH(sign), -0.0, 0},
    {"sign", BOTH(sign), INFINITY, 1},
    {"clamp", clamp_f32, clamp_f64, NAN, NAN},
    {"clamp", clamp_f32, clamp_f64, LOW, -1},
    {"clamp", clamp_f32, clamp_f64, 3, 2},
    {"clamp", clamp_f32, clamp_f64, 0.5, 0.5},
};

enum { SPECIALS = sizeof specials / sizeof *specials };

static bool same(double a, double b) {
  return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

/* Enough copies that both the vector body and the scalar remainder see the value. */
enum { COPIES = 37 };

START_TEST(special_values) {
  const struct special *s = &specials[_i];
  float x[COPIES], y[COPIES];
  double xd[COPIES], yd[COPIES];
  for (int i = 0; i < COPIES; i++) x[i] = (float)s->x, xd[i] = s->x;
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    s->f32(x, y, COPIES);
    s->f64(xd, yd, COPIES);
    for (int i = 0; i < COPIES; i++) {
      if (!same(y[i], (float)s->y)) ck_abort_msg("%s_f32(%g) = %g [%d]", s->name, s->x, y[i], i);
      if (!same(yd[i], s->y)) ck_abort_msg("%s_f64(%g) = %g [%d]", s->name, s->x, yd[i], i);
    }
  }
}
END_TEST

/* A NaN of either sign stays one. */
START_TEST(negative_nan_stays) {
  for (int k = 0; k < FUNCTIONS; k++)
    for (int level = 0; level < CPU_LEVELS; level++) {
      float x[COPIES], y[COPIES];
      double xd[COPIES], yd[COPIES];
      cpu_set_level(level);
      for (int i = 0; i < COPIES; i++) x[i] = -NAN, xd[i] = -(double)NAN;
      functions[k].f32(x, y, COPIES);
      functions[k].f64(xd, yd, COPIES);
      for (int i = 0; i < COPIES; i++)
        ck_assert_msg(isnan(y[i]) && isnan(yd[i]), "%s", functions[k].name);
    }
}
END_TEST

START_TEST(subnormal_logarithm) {
  float x[COPIES], y[COPIES];
  double xd[COPIES], yd[COPIES];
  for (int i = 0; i < COPIES; i++) {
    x[i] = ldexpf(1 + i / 64.0f, -127 - i % 23);
    xd[i] = ldexp(1 + i / 64.0, -1023 - i % 52);
  }
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    rill_log_f32(x, y, COPIES);
    rill_log_f64(xd, yd, COPIES);
    for (int i = 0; i < COPIES; i++) {
      ck_assert_double_le(fabs(y[i] - log(x[i])), 1e-5);
      ck_assert_double_le((double)fabsl(yd[i] - logl(xd[i])), 2.3e-13);
    }
  }
}
END_TEST

START_TEST(rounding_is_exact) {
  uint64_t state = 7;
  double x[4096], y[4096];
  float xf[4096], yf[4096];
  for (int i = 0; i < 4096; i++) {
    x[i] = i < 256 ? (i - 128) * 0.5 : ldexp(test_uniform(&state) - 0.5, i % 60);
    xf[i] = (float)x[i];
  }
  x[0] = xf[0] = NAN, x[1] = xf[1] = INFINITY, x[2] = xf[2] = -INFINITY;
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
#define CHECK(name, exact)                                                                         \
  rill_##name##_f64(x, y, 4096);                                                                   \
  rill_##name##_f32(xf, yf, 4096);                                                                 \
  for (int i = 0; i < 4096; i++)                                                                   \
  ck_assert_msg(same(y[i], exact(x[i])) && same(yf[i], exact((double)xf[i])), #name " %g", x[i])
    CHECK(round, rint);
    CHECK(floor, floor);
    CHECK(ceil, ceil);
#undef CHECK
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("vmath");
  tcase_set_timeout(c, 60);
  tcase_add_loop_test(c, error_is_within_bounds, 0, FUNCTIONS);
  tcase_add_loop_test(c, special_values, 0, SPECIALS);
  tcase_add_test(c, negative_nan_stays);
  tcase_add_test(c, subnormal_logarithm);
  tcase_add_test(c, rounding_is_exact);
  return c;
}

TEST_MAIN("vmath", tcase)
