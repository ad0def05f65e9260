/* The element-wise kernels: gradients against closed forms, strides, special values of the ops with
 * two inputs, choosing and filling. (The unary values are in tests/base/test_vmath.c.) */
#include "main.h"
#include "base/base.h"
#include "pure/elementwise.h"
#include "rill/pure.h"

enum { N = 1031 }; /* no multiple of any vector length, and more than two blocks of sin */

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || a == b; }

/* ---- one input ---- */

typedef struct unary {
  const char *name;
  int uses;
  void (*f32)(const float *, float *, int64_t);
  void (*f64)(const double *, double *, int64_t);
  void (*back32)(const float *, const float *, const float *, float *, int64_t);
  void (*back64)(const double *, const double *, const double *, double *, int64_t);
} unary;

#define ROW(name, uses, ...)                                                                       \
  {#name,                                                                                          \
   uses,                                                                                           \
   rill_##name##_f32,                                                                              \
   rill_##name##_f64,                                                                              \
   rill_##name##_backward_f32,                                                                     \
   rill_##name##_backward_f64},
static const unary unaries[] = {ELEMENTWISE_UNARY(ROW)};
#undef ROW

enum { UNARIES = sizeof unaries / sizeof *unaries };

static double normal_density(double x) { return exp(-x * x / 2) / sqrt(2 * acos(-1)); }

static double slope(const char *name, double x) {
  double s = 1 / (1 + exp(-x)), k = sqrt(2 / acos(-1)), u = tanh(k * (x + 0.044715 * x * x * x));
#define IS(n) !strcmp(name, n)
  return IS("neg")          ? -1
         : IS("abs")        ? (x > 0) - (x < 0)
         : IS("exp")        ? exp(x)
         : IS("log")        ? 1 / x
         : IS("log1p")      ? 1 / (1 + x)
         : IS("expm1")      ? exp(x)
         : IS("sqrt")       ? 0.5 / sqrt(x)
         : IS("rsqrt")      ? -0.5 / (x * sqrt(x))
         : IS("sin")        ? cos(x)
         : IS("cos")        ? -sin(x)
         : IS("tanh")       ? 1 / (cosh(x) * cosh(x))
         : IS("sigmoid")    ? s * (1 - s)
         : IS("erf")        ? 2 / sqrt(acos(-1)) * exp(-x * x)
         : IS("relu")       ? x > 0
         : IS("gelu")       ? 0.5 * erfc(-x / sqrt(2)) + x * normal_density(x)
         : IS("gelu_tanh")  ? 0.5 * (1 + u) + 0.5 * x * (1 - u * u) * k * (1 + 0.134145 * x * x)
         : IS("silu")       ? s + x * s * (1 - s)
         : IS("reciprocal") ? -1 / (x * x)
         : IS("square")     ? 2 * x
         : IS("sign") || IS("floor") || IS("ceil") || IS("round") ? 0
                                                                  : NAN; /* a row without a case */
#undef IS
}

static bool positive_only(const char *name) {
  return !strcmp(name, "log") || !strcmp(name, "log1p") || !strcmp(name, "sqrt") ||
         !strcmp(name, "rsqrt");
}

/* Also shows that what a gradient does not use may be NULL. */
START_TEST(unary_gradients) {
  const unary *f = &unaries[_i];
  static double x[N], y[N], g[N], out[N], ref[N];
  static float xf[N], yf[N], gf[N], outf[N];
  uint64_t state = 11;
  for (int i = 0; i < N; i++) {
    x[i] = 3 * test_normal(&state);
    if (positive_only(f->name)) x[i] = fabs(x[i]) + 0.01;
    if (i % 97 == 5 && (!strcmp(f->name, "sin") || !strcmp(f->name, "cos"))) x[i] *= 1e8;
    xf[i] = (float)x[i], x[i] = xf[i]; /* the same number in both */
    gf[i] = (float)test_normal(&state), g[i] = gf[i];
    ref[i] = g[i] * slope(f->name, x[i]);
  }
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    f->f64(x, y, N);
    f->back64(g, f->uses == USES_X ? x : NULL, f->uses == USES_Y ? y : NULL, out, N);
    ck_assert_double_le(rms_ratio_f64(out, ref, N), 1e-14);
    f->f32(xf, yf, N);
    f->back32(gf, f->uses == USES_X ? xf : NULL, f->uses == USES_Y ? yf : NULL, outf, N);
    ck_assert_double_le(rms_ratio_f32(outf, ref, N), 4e-7);
    for (int i = 0; i < N; i++)
      ck_assert_double_le(fabs(out[i] - ref[i]), 2e-14 * (1 + fabs(ref[i])));
  }
}
END_TEST

/* In place, and every length up to more than two vectors, touching nothing beyond. */
START_TEST(unary_in_place_and_lengths) {
  const unary *f = &unaries[_i];
  float x[70], y[70];
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int n = 0; n < 70; n++) {
      for (int i = 0; i < 70; i++) x[i] = y[i] = 0.05f + (float)i / 64;
      f->f32(x, y, n);
      for (int i = n; i < 70; i++) ck_assert_float_eq(y[i], x[i]);
      f->f32(x, x, n);
      for (int i = 0; i < n; i++) ck_assert_msg(same(x[i], y[i]), "%s", f->name);
    }
    f->f32(NULL, NULL, 0);
    f->f64(NULL, NULL, 0);
    f->back32(NULL, NULL, NULL, NULL, 0);
    f->back64(NULL, NULL, NULL, NULL, 0);
  }
}
END_TEST

/* As torch 2.13 gives them. */
START_TEST(unary_gradient_specials) {
  double x[5] = {NAN, 0, -0.0, INFINITY, -1e30}, g[5] = {1, 1, 1, 1, 1}, y[5], out[5];
#define CHECK(name, a, b, c, d, e)                                                                 \
  do {                                                                                             \
    const double ref[5] = {a, b, c, d, e};                                                         \
    rill_##name##_f64(x, y, 5);                                                                    \
    rill_##name##_backward_f64(g, x, y, out, 5);                                                   \
    for (int i = 0; i < 5; i++)                                                                    \
      ck_assert_msg(same(out[i], ref[i]), #name " %g: %g", x[i], out[i]);                          \
  } while (0)
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    CHECK(abs, 0, 0, 0, 1, -1);
    CHECK(relu, 1, 0, 0, 1, 0);
    CHECK(sqrt, NAN, INFINITY, -INFINITY, 0, NAN);
    CHECK(gelu, NAN, 0.5, 0.5, NAN, 0);
    CHECK(gelu_tanh, NAN, 0.5, 0.5, 1, 0); /* torch: NaN where x^2 overflows */
    CHECK(silu, NAN, 0.5, 0.5, NAN, 0);
    CHECK(tanh, NAN, 1, 1, 0, 0);
    CHECK(sign, 0, 0, 0, 0, 0);
  }
#undef CHECK
}
END_TEST

START_TEST(softplus_and_clamp) {
  static double x[N], g[N], y[N], out[N], ref[N], ref_slope[N];
  uint64_t state = 5;
  for (int i = 0; i < N; i++) x[i] = 8 * test_normal(&state), g[i] = test_normal(&state);
  x[0] = 10, x[1] = 10.0001, x[2] = NAN;
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int i = 0; i < N; i++) {
      bool linear = x[i] * 2 > 20;
      ref[i] = linear ? x[i] : log1p(exp(2 * x[i])) / 2;
      ref_slope[i] = g[i] * (linear ? 1 : 1 / (1 + exp(-2 * x[i])));
    }
    rill_softplus_f64(x, y, N, 2, 20);
    rill_softplus_backward_f64(g, x, NULL, out, N, 2, 20);
    ck_assert_double_le(rms_ratio_f64(y, ref, N), 1e-15);
    ck_assert_double_le(rms_ratio_f64(out, ref_slope, N), 1e-15);
    ck_assert_double_eq(y[1], 10.0001);
    ck_assert(isnan(y[2]) && isnan(out[2]));

    x[3] = -1.5, x[4] = 2;
    rill_clamp_f64(x, y, N, -1.5, 2);
    rill_clamp_backward_f64(g, x, NULL, out, N, -1.5, 2);
    ck_assert(isnan(y[2]) && out[2] == 0);
    for (int i = 3; i < N; i++) {
      ck_assert_double_eq(y[i], fmin(fmax(x[i], -1.5), 2));
      ck_assert_double_eq(out[i], x[i] >= -1.5 && x[i] <= 2 ? g[i] : 0);
    }
    rill_clamp_f64(x, y, N, 2, 1);
    for (int i = 3; i < N; i++) ck_assert_double_eq(y[i], 1);
    rill_clamp_f64(x, y, N, NAN, 1);
    for (int i = 0; i < N; i++) ck_assert(isnan(y[i]));
  }
}
END_TEST

/* ---- two inputs ---- */

typedef struct binary {
  const char *name;
  int uses;
  void (*f32)(const float *, int64_t, const float *, int64_t, float *, int64_t);
  void (*f64)(const double *, int64_t, const double *, int64_t, double *, int64_t);
  void (*back32)(const float *, const float *, int64_t, const float *, int64_t, float *, float *,
                 int64_t);
  void (*back64)(const double *, const double *, int64_t, const double *, int64_t, double *,
                 double *, int64_t);
} binary;

#define ROW(name, uses, ...)                                                                       \
  {#name,                                                                                          \
   uses,                                                                                           \
   rill_##name##_f32,                                                                              \
   rill_##name##_f64,                                                                              \
   rill_##name##_backward_f32,                                                                     \
   rill_##name##_backward_f64},
static const binary binaries[] = {ELEMENTWISE_BINARY(ROW)};
#undef ROW

enum { BINARIES = sizeof binaries / sizeof *binaries };

/* y, and the slopes in a and b. */
static void binary_reference(const char *name, double a, double b, double r[3]) {
  bool tie = a == b;
#define SET(n, y, da, db)                                                                          \
  if (!strcmp(name, n)) r[0] = (y), r[1] = (da), r[2] = (db)
  r[0] = r[1] = r[2] = NAN;
  SET("add", a + b, 1, 1);
  SET("sub", a - b, 1, -1);
  SET("mul", a * b, b, a);
  SET("div", a / b, 1 / b, -a / (b * b));
  SET("pow", pow(a, b), b == 0 ? 0 : b * pow(a, b - 1), pow(a, b) * log(a));
  SET("maximum", a > b ? a : b, tie ? 0.5 : a > b, tie ? 0.5 : a < b);
  SET("minimum", a < b ? a : b, tie ? 0.5 : a < b, tie ? 0.5 : a > b);
#undef SET
}

/* Every pair of these strides; the fast paths are among them. */
START_TEST(binary_strides) {
  static const int64_t strides[] = {1, 0, 2, 3, -1, -2};
  const binary *f = &binaries[_i];
  enum { M = 135 };
  static double a[3 * M], b[3 * M], g[M], y[M], ga[M], gb[M], ref[3][M];
  static float af[3 * M], bf[3 * M], gf[M], yf[M], gaf[M], gbf[M];
  uint64_t state = 3;
  for (int i = 0; i < 3 * M; i++) {
    a[i] = af[i] = (float)(0.1 + 3 * test_uniform(&state));
    b[i] = bf[i] = (float)(0.1 + 3 * test_uniform(&state));
    if (i % 5 == 0) b[i] = a[i], bf[i] = af[i];
  }
  for (int i = 0; i < M; i++) g[i] = gf[i] = (float)test_normal(&state);
  for (int level = 0; level < CPU_LEVELS; level++)
    for (int u = 0; u < 6; u++)
      for (int v = 0; v < 6; v++) {
        int64_t sa = strides[u], sb = strides[v], oa = sa < 0 ? -sa * (M - 1) : 0,
                ob = sb < 0 ? -sb * (M - 1) : 0;
        cpu_set_level(level);
        for (int i = 0; i < M; i++) {
          double r[3];
          binary_reference(f->name, a[oa + i * sa], b[ob + i * sb], r);
          ref[0][i] = r[0], ref[1][i] = g[i] * r[1], ref[2][i] = g[i] * r[2];
        }
        f->f64(a + oa, sa, b + ob, sb, y, M);
        f->f32(af + oa, sa, bf + ob, sb, yf, M);
        ck_assert_double_le(rms_ratio_f64(y, ref[0], M), 1e-15);
        ck_assert_double_le(rms_ratio_f32(yf, ref[0], M), 2e-7);
        const double *pa = f->uses ? a + oa : NULL, *pb = f->uses ? b + ob : NULL;
        const float *paf = f->uses ? af + oa : NULL, *pbf = f->uses ? bf + ob : NULL;
        f->back64(g, pa, sa, pb, sb, ga, gb, M);
        f->back32(gf, paf, sa, pbf, sb, gaf, gbf, M);
        ck_assert_double_le(rms_ratio_f64(ga, ref[1], M), 1e-14);
        ck_assert_double_le(rms_ratio_f64(gb, ref[2], M), 1e-14);
        ck_assert_double_le(rms_ratio_f32(gaf, ref[1], M), 4e-7);
        ck_assert_double_le(rms_ratio_f32(gbf, ref[2], M), 4e-7);
        memset(ga, 0, sizeof ga), memset(gb, 0, sizeof gb);
        f->back64(g, pa, sa, pb, sb, ga, NULL, M);
        f->back64(g, pa, sa, pb, sb, NULL, gb, M);
        ck_assert_double_le(rms_ratio_f64(ga, ref[1], M), 1e-14);
        ck_assert_double_le(rms_ratio_f64(gb, ref[2], M), 1e-14);
      }
}
END_TEST

START_TEST(binary_in_place_and_empty) {
  const binary *f = &binaries[_i];
  for (int level = 0; level < CPU_LEVELS; level++) {
    double a[41], b[41], g[41], y[41], ga[41], gb[41];
    cpu_set_level(level);
    for (int i = 0; i < 41; i++) a[i] = 1 + i * 0.25, b[i] = 3 - i * 0.06, g[i] = i - 20;
    f->f64(a, 1, b, 1, y, 41);
    f->back64(g, a, 1, b, 1, ga, gb, 41);
    f->back64(g, a, 1, b, 1, g, gb, 41);
    for (int i = 0; i < 41; i++) ck_assert_double_eq(g[i], ga[i]);
    f->f64(a, 1, b, 1, b, 41);
    for (int i = 0; i < 41; i++) ck_assert_double_eq(b[i], y[i]);
    f->f64(NULL, 0, NULL, 0, NULL, 0);
    f->f64(NULL, 1, NULL, 0, NULL, 0);
    f->back64(NULL, NULL, 1, NULL, 0, NULL, NULL, 0);
    f->back64(NULL, NULL, 1, NULL, 0, y, y, 0);
    ck_assert_double_eq(b[7], y[7]);
  }
}
END_TEST

START_TEST(maximum_and_minimum_keep_nan) {
  const double a[6] = {NAN, 1, NAN, INFINITY, -INFINITY, 2}, b[6] = {1, NAN, NAN, 1, 1, 2};
  const double g[6] = {4, 4, 4, 4, 4, 4};
  const double max_a[6] = {4, 4, 4, 4, 0, 2}, max_b[6] = {4, 4, 4, 0, 4, 2};
  for (int level = 0; level < CPU_LEVELS; level++) {
    double y[6], ga[6], gb[6];
    cpu_set_level(level);
    rill_maximum_f64(a, 1, b, 1, y, 6);
    ck_assert(isnan(y[0]) && isnan(y[1]) && isnan(y[2]) && isinf(y[3]) && y[4] == 1 && y[5] == 2);
    rill_maximum_backward_f64(g, a, 1, b, 1, ga, gb, 6);
    for (int i = 0; i < 6; i++) ck_assert(ga[i] == max_a[i] && gb[i] == max_b[i]);
    rill_minimum_f64(a, 1, b, 1, y, 6);
    ck_assert(isnan(y[0]) && isnan(y[1]) && isnan(y[2]) && y[3] == 1 && isinf(y[4]) && y[5] == 2);
    rill_minimum_backward_f64(g, a, 1, b, 1, ga, gb, 6);
    for (int i = 3; i < 5; i++) ck_assert(ga[i] == max_b[i] && gb[i] == max_a[i]);
    ck_assert(ga[0] == 4 && gb[0] == 4 && ga[5] == 2 && gb[5] == 2);
  }
}
END_TEST

/* Constant exponents go by short cuts, which must keep the special values of pow. */
START_TEST(power_of_constant_exponents) {
  static const double exponents[] = {0, 0.5, 1, 1.5, 2, 3, 4, -0.5, -1, -2, NAN, INFINITY};
  const double a[11] = {0, -0.0, 1, -1, 2.5, -2.5, INFINITY, -INFINITY, NAN, 1e-200, 1e200};
  const double g[11] = {1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1};
  for (int level = 0; level < CPU_LEVELS; level++)
    for (int k = 0; k < 12; k++) {
      double b = exponents[k], y[11], ga[11];
      cpu_set_level(level);
      rill_pow_f64(a, 1, &b, 0, y, 11);
      rill_pow_backward_f64(g, a, 1, &b, 0, ga, NULL, 11);
      for (int i = 0; i < 11; i++) {
        double ref = pow(a[i], b), d = b == 0 ? 0 : g[i] * (b * pow(a[i], b - 1));
        ck_assert_msg(same(y[i], ref) || fabs(y[i] - ref) <= 5e-16 * fabs(ref), "%g^%g: %g not %g",
                      a[i], b, y[i], ref);
        ck_assert_msg(same(ga[i], d) || fabs(ga[i] - d) <= 1e-15 * fabs(d), "%g^%g: %g not %g",
                      a[i], b, ga[i], d);
      }
    }
}
END_TEST

/* torch: zero where a is 0 and b >= 0, NaN for the logarithm of a negative base. */
START_TEST(power_gradient_of_exponent) {
  const double a[5] = {0, 0, -1, 2, 0}, b[5] = {0, 2, 2, 0, -1}, g[5] = {1, 1, 1, 1, 1};
  const double ref[5] = {0, 0, NAN, 0.693147180559945309, -INFINITY};
  for (int level = 0; level < CPU_LEVELS; level++) {
    double gb[5];
    cpu_set_level(level);
    rill_pow_backward_f64(g, a, 1, b, 1, NULL, gb, 5);
    for (int i = 0; i < 5; i++) ck_assert(same(gb[i], ref[i]) || fabs(gb[i] - ref[i]) < 1e-15);
  }
}
END_TEST

START_TEST(comparisons) {
  enum { M = 71 };
  double a[2 * M], b[2 * M];
  float af[2 * M], bf[2 * M];
  for (int i = 0; i < 2 * M; i++) {
    a[i] = af[i] = (float)(i % 7 - 3), b[i] = bf[i] = (float)(i % 5 - 2);
    if (i % 11 == 0) a[i] = af[i] = NAN;
    if (i % 13 == 0) b[i] = bf[i] = NAN;
  }
  b[1] = bf[1] = 0, a[1] = af[1] = -0.0f;
  static const int64_t strides[4][2] = {{1, 1}, {1, 0}, {0, 1}, {2, 2}};
  for (int level = 0; level < CPU_LEVELS; level++)
    for (int k = 0; k < 4; k++) {
      int64_t sa = strides[k][0], sb = strides[k][1];
      uint8_t y[M], yf[M];
      cpu_set_level(level);
#define CHECK(name, op)                                                                            \
  memset(y, 7, M), memset(yf, 7, M);                                                               \
  rill_##name##_f64(a + 1, sa, b + 1, sb, y, M - 1);                                               \
  rill_##name##_f32(af + 1, sa, bf + 1, sb, yf, M - 1);                                            \
  ck_assert(y[M - 1] == 7 && yf[M - 1] == 7);                                                      \
  for (int i = 0; i < M - 1; i++)                                                                  \
  ck_assert(y[i] == (a[1 + i * sa] op b[1 + i * sb]) && yf[i] == y[i])
      CHECK(eq, ==);
      CHECK(ne, !=);
      CHECK(lt, <);
      CHECK(le, <=);
      CHECK(gt, >);
      CHECK(ge, >=);
#undef CHECK
    }
}
END_TEST

/* ---- choosing, filling, adding up ---- */

START_TEST(where_and_masked_fill) {
  enum { M = 77 };
  static const int64_t strides[][3] = {{1, 1, 1}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}, {2, 2, 1}};
  float a[2 * M], b[2 * M], y[M];
  uint8_t c[2 * M];
  for (int i = 0; i < 2 * M; i++) a[i] = (float)i, b[i] = (float)-i, c[i] = (uint8_t)(i % 3);
  a[4] = NAN, b[5] = NAN;
  for (int level = 0; level < CPU_LEVELS; level++)
    for (int k = 0; k < 5; k++) {
      int64_t sc = strides[k][0], sa = strides[k][1], sb = strides[k][2];
      cpu_set_level(level);
      rill_where_f32(c + 1, sc, a, sa, b, sb, y, M);
      for (int i = 0; i < M; i++) ck_assert(same(y[i], c[1 + i * sc] ? a[i * sa] : b[i * sb]));
      rill_masked_fill_f32(a, c + 1, sc, -INFINITY, y, M);
      for (int i = 0; i < M; i++) ck_assert(same(y[i], c[1 + i * sc] ? -INFINITY : a[i]));
      rill_where_f32(NULL, sc, NULL, sa, NULL, sb, NULL, 0);
      rill_masked_fill_f32(NULL, NULL, sc, 1, NULL, 0);
    }
}
END_TEST

START_TEST(fill_accumulate_scale) {
  for (int level = 0; level < CPU_LEVELS; level++) {
    float x[53], y[53];
    double xd[53], yd[53];
    cpu_set_level(level);
    for (int i = 0; i < 53; i++) x[i] = (float)i, xd[i] = i;
    rill_fill_f32(y, 2.5f, 52), rill_fill_f64(yd, 2.5, 52);
    y[52] = -1, yd[52] = -1;
    rill_accumulate_f32(y, x, 52), rill_accumulate_f64(yd, xd, 52);
    for (int i = 0; i < 52; i++) ck_assert(y[i] == 2.5f + (float)i && yd[i] == 2.5 + i);
    rill_scale_f32(y, 2, -3, y, 52), rill_scale_f64(yd, 2, -3, yd, 52);
    for (int i = 0; i < 52; i++) ck_assert(y[i] == 2 + 2 * (float)i && yd[i] == 2 + 2.0 * i);
    ck_assert(y[52] == -1 && yd[52] == -1);
    rill_fill_f32(NULL, 1, 0);
    rill_accumulate_f32(NULL, NULL, 0);
    rill_scale_f32(NULL, 1, 1, NULL, 0);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("elementwise");
  tcase_add_loop_test(c, unary_gradients, 0, UNARIES);
  tcase_add_loop_test(c, unary_in_place_and_lengths, 0, UNARIES);
  tcase_add_test(c, unary_gradient_specials);
  tcase_add_test(c, softplus_and_clamp);
  tcase_add_loop_test(c, binary_strides, 0, BINARIES);
  tcase_add_loop_test(c, binary_in_place_and_empty, 0, BINARIES);
  tcase_add_test(c, maximum_and_minimum_keep_nan);
  tcase_add_test(c, power_of_constant_exponents);
  tcase_add_test(c, power_gradient_of_exponent);
  tcase_add_test(c, comparisons);
  tcase_add_test(c, where_and_masked_fill);
  tcase_add_test(c, fill_accumulate_scale);
  return c;
}

TEST_MAIN("elementwise", tcase)
