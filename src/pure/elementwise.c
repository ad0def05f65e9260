/* Element-wise operations and their gradients: loops over the rows of elementwise.h, and the few
 * operations with parameters of their own. */
#include "pure/kernel.h"
#include "base/vmath.h"
#include "pure/elementwise.h"
#include "pure/stream.h"
#include <math.h>

#if defined KERNEL_F32
#define SQRT __builtin_sqrtf
#define POW  powf
#else
#define SQRT __builtin_sqrt
#define POW  pow
#endif

#define SIMD   _Pragma("omp simd")
#define INLINE static inline __attribute__((always_inline))
#define SHARED static __attribute__((noinline))

/* ---- one input ---- */

INLINE real L(square_root)(real x) { return SQRT(x); }

INLINE real L(sign_of)(real x) { return (x > 0 ? R(1.0) : R(0.0)) - (x < 0 ? R(1.0) : R(0.0)); }

INLINE real L(erf_slope)(real x) { return R(1.128379167095512574) * L(v_exp)(-x * x); }

/* Phi(x) + x phi(x); the two share their exponential. */
INLINE real L(gelu_slope)(real x) {
  real e = L(v_normal_exp)(x);
  return L(v_normal_cdf)(x, e) + x * (R(0.3989422804014326779) * e);
}

/* (1 + tanh(u)) / 2 = sigmoid(2u): this is 2u. */
INLINE real L(gelu_inner)(real x) {
  return x * (R(1.595769121605730712) + R(0.07135481627260024878) * (x * x));
}

/* The second term vanishes long before |x| = 40, so that the square there need not overflow. */
INLINE real L(gelu_tanh_slope)(real x) {
  real c = L(v_clamp)(x, -40, 40), s = L(v_sigmoid)(L(gelu_inner)(c));
  return s + c * (R(1.595769121605730712) + R(0.2140644488178007463) * (c * c)) * (s * (1 - s));
}

INLINE real L(silu_slope)(real x) {
  real s = L(v_sigmoid)(x);
  return s * (1 + x * (1 - s));
}

#define UNARY(name, uses, value, gradient, module, doc)                                            \
  KERNEL(name, (const real *in, real *out, int64_t n), (in, out, n)) {                             \
    if (n > L(stream_long)) {                                                                      \
      L(stream_unary)(KERNEL_VARIANT(name, KERNEL_SET), in, out, n);                               \
      return;                                                                                      \
    }                                                                                              \
    SIMD for (int64_t i = 0; i < n; i++) {                                                         \
      real x = in[i];                                                                              \
      out[i] = (value);                                                                            \
    }                                                                                              \
  }                                                                                                \
  KERNEL(name##_backward,                                                                          \
         (const real *grad, const real *in, const real *out, real *grad_in, int64_t n),            \
         (grad, in, out, grad_in, n)) {                                                            \
    (void)in, (void)out;                                                                           \
    SIMD for (int64_t i = 0; i < n; i++) {                                                         \
      real g = grad[i], x = (uses) == USES_X ? in[i] : 0, y = (uses) == USES_Y ? out[i] : 0;       \
      (void)g, (void)x, (void)y;                                                                   \
      grad_in[i] = (gradient);                                                                     \
    }                                                                                              \
  }

ELEMENTWISE_FORMULAS(UNARY)

/* Goes by blocks: one that holds a number too large for v_sincos is left to libm. */
enum { L(block) = 512 };

static bool L(too_large)(const real *x, int64_t n) {
  int large = 0;
#pragma omp simd reduction(| : large)
  for (int64_t i = 0; i < n; i++) large |= L(v_abs)(x[i]) > L(v_sincos_limit);
  return large;
}

INLINE void L(periodic)(const real *grad, const real *in, real *out, int64_t n, bool cosine,
                        bool negate) {
  for (int64_t begin = 0, end; begin < n; begin = end) {
    end = n - begin > L(block) ? begin + L(block) : n;
    if (L(too_large)(in + begin, end - begin)) {
      for (int64_t i = begin; i < end; i++) {
        real y = (real)(cosine ? cos(in[i]) : sin(in[i]));
        out[i] = (grad ? grad[i] : 1) * (negate ? -y : y);
      }
      continue;
    }
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      real y = cosine ? L(v_cos)(in[i]) : L(v_sin)(in[i]);
      out[i] = (grad ? grad[i] : 1) * (negate ? -y : y);
    }
  }
}

KERNEL(sin, (const real *x, real *y, int64_t n), (x, y, n)) {
  L(periodic)(NULL, x, y, n, false, false);
}

KERNEL(cos, (const real *x, real *y, int64_t n), (x, y, n)) {
  L(periodic)(NULL, x, y, n, true, false);
}

KERNEL(sin_backward, (const real *grad, const real *x, const real *y, real *grad_x, int64_t n),
       (grad, x, y, grad_x, n)) {
  (void)y;
  L(periodic)(grad, x, grad_x, n, true, false);
}

KERNEL(cos_backward, (const real *grad, const real *x, const real *y, real *grad_x, int64_t n),
       (grad, x, y, grad_x, n)) {
  (void)y;
  L(periodic)(grad, x, grad_x, n, false, true);
}

KERNEL(softplus, (const real *x, real *y, int64_t n, real beta, real threshold),
       (x, y, n, beta, threshold)) {
  SIMD for (int64_t i = 0; i < n; i++) {
    real z = x[i] * beta, s = L(v_softplus)(z) / beta;
    y[i] = z > threshold ? x[i] : s;
  }
}

KERNEL(softplus_backward,
       (const real *grad, const real *x, const real *y, real *grad_x, int64_t n, real beta,
        real threshold),
       (grad, x, y, grad_x, n, beta, threshold)) {
  (void)y;
  SIMD for (int64_t i = 0; i < n; i++) {
    real z = x[i] * beta, s = L(v_sigmoid)(z);
    grad_x[i] = z > threshold ? grad[i] : grad[i] * s;
  }
}

KERNEL(clamp, (const real *x, real *y, int64_t n, real low, real high), (x, y, n, low, high)) {
  if (low != low || high != high) {
    for (int64_t i = 0; i < n; i++) y[i] = low != low ? low : high;
    return;
  }
  SIMD for (int64_t i = 0; i < n; i++) y[i] = L(v_min)(L(v_max)(x[i], low), high);
}

KERNEL(clamp_backward,
       (const real *grad, const real *x, const real *y, real *grad_x, int64_t n, real low,
        real high),
       (grad, x, y, grad_x, n, low, high)) {
  (void)y;
  SIMD for (int64_t i = 0; i < n; i++) {
    real g = grad[i];
    grad_x[i] = x[i] >= low && x[i] <= high ? g : R(0.0);
  }
}

/* ---- two inputs ---- */

/* What PyTorch hands to `mine` of max(mine, other). */
INLINE real L(share)(real g, real mine, real other) {
  return mine < other ? R(0.0) : mine == other ? R(0.5) * g : g;
}

/* Defines a loop over two inputs twice: to be inlined with constant strides, where it vectorises,
 * and as a plain loop for any others. */
#define STRIDED(name, parameters, ...)                                                             \
  INLINE __attribute__((unused)) void L(name##_loop) parameters{SIMD __VA_ARGS__} SHARED void L(   \
      name##_strided) parameters {                                                                 \
    __VA_ARGS__                                                                                    \
  }

/* Calls the one or the other. */
#define BY_STRIDES(name, a, sa, b, sb, ...)                                                        \
  if (sa == 1 && sb == 1)                                                                          \
    L(name##_loop)(a, 1, b, 1, __VA_ARGS__);                                                       \
  else if (sa == 1 && sb == 0)                                                                     \
    L(name##_loop)(a, 1, b, 0, __VA_ARGS__);                                                       \
  else if (sa == 0 && sb == 1)                                                                     \
    L(name##_loop)(a, 0, b, 1, __VA_ARGS__);                                                       \
  else                                                                                             \
    L(name##_strided)(a, sa, b, sb, __VA_ARGS__)

#define BINARY_PARAMETERS                                                                          \
  const real *a, int64_t stride_a, const real *b, int64_t stride_b, real *y, int64_t n
#define BINARY_BACKWARD_PARAMETERS                                                                 \
  const real *grad, const real *a, int64_t stride_a, const real *b, int64_t stride_b,              \
      real *grad_a, real *grad_b, int64_t n

#define BINARY_LOOPS(name, uses, value, gradient_a, gradient_b, doc)                               \
  STRIDED(                                                                                         \
      name, (const real *pa, int64_t sa, const real *pb, int64_t sb, real *y, int64_t n),          \
      for (int64_t i = 0; i < n; i++) {                                                            \
        real a = pa[i * sa], b = pb[i * sb];                                                       \
        y[i] = (value);                                                                            \
      })                                                                                           \
  BINARY_BACKWARD_LOOP(name##_backward_a, uses, gradient_a)                                        \
  BINARY_BACKWARD_LOOP(name##_backward_b, uses, gradient_b)

#define BINARY_BACKWARD_LOOP(name, uses, gradient)                                                 \
  STRIDED(                                                                                         \
      name,                                                                                        \
      (const real *pa, int64_t sa, const real *pb, int64_t sb, const real *grad, real *out,        \
       int64_t n),                                                                                 \
      for (int64_t i = 0; i < n; i++) {                                                            \
        real g = grad[i], a = (uses) ? pa[i * sa] : 0, b = (uses) ? pb[i * sb] : 0;                \
        (void)a, (void)b;                                                                          \
        out[i] = (gradient);                                                                       \
      })

/* The gradient of a comes last, since grad_a may be grad. */
#define BINARY_KERNELS(name, uses, value, gradient_a, gradient_b, doc)                             \
  KERNEL(name, (BINARY_PARAMETERS), (a, stride_a, b, stride_b, y, n)) {                            \
    if (n > L(stream_long)) {                                                                      \
      L(stream_binary)(KERNEL_VARIANT(name, KERNEL_SET), a, stride_a, b, stride_b, y, n);          \
      return;                                                                                      \
    }                                                                                              \
    BY_STRIDES(name, a, stride_a, b, stride_b, y, n);                                              \
  }                                                                                                \
  KERNEL(name##_backward, (BINARY_BACKWARD_PARAMETERS),                                            \
         (grad, a, stride_a, b, stride_b, grad_a, grad_b, n)) {                                    \
    if (grad_b) {                                                                                  \
      BY_STRIDES(name##_backward_b, a, stride_a, b, stride_b, grad, grad_b, n);                    \
    }                                                                                              \
    if (grad_a) {                                                                                  \
      BY_STRIDES(name##_backward_a, a, stride_a, b, stride_b, grad, grad_a, n);                    \
    }                                                                                              \
  }

ELEMENTWISE_ARITHMETIC(BINARY_LOOPS)
ELEMENTWISE_ARITHMETIC(BINARY_KERNELS)

INLINE real L(power)(real a, real b) { return POW(a, b); }

INLINE real L(power_slope_a)(real g, real a, real b) {
  return b == 0 ? R(0.0) : g * (b * POW(a, b - 1));
}

INLINE real L(power_slope_b)(real g, real a, real b) {
  return a == 0 && b >= 0 ? R(0.0) : g * (POW(a, b) * L(v_log)(a));
}

/* pow(a, 1/2), which unlike the square root takes -0 to 0 and -inf to inf. */
INLINE real L(power_half)(real a) { return a == -REAL_INFINITY ? REAL_INFINITY : SQRT(a + R(0.0)); }

ELEMENTWISE_POWER(BINARY_LOOPS)

/* y = scale a^exponent, times g unless it is NULL. False for an exponent that is not simple. */
static bool L(power_simple)(const real *a, int64_t stride, real exponent, real scale, const real *g,
                            real *y, int64_t n) {
#define POWER_CASE(e, value)                                                                       \
  if (exponent == R(e)) {                                                                          \
    if (stride == 1) {                                                                             \
      SIMD for (int64_t i = 0; i < n; i++) {                                                       \
        real x = a[i];                                                                             \
        y[i] = (g ? g[i] : 1) * (scale * (value));                                                 \
      }                                                                                            \
    } else {                                                                                       \
      for (int64_t i = 0; i < n; i++) {                                                            \
        real x = a[i * stride];                                                                    \
        y[i] = (g ? g[i] : 1) * (scale * (value));                                                 \
      }                                                                                            \
    }                                                                                              \
    return true;                                                                                   \
  }
  POWER_CASE(0.5, L(power_half)(x))
  POWER_CASE(1.0, x)
  POWER_CASE(2.0, x * x)
  POWER_CASE(3.0, x * x * x)
  POWER_CASE(-0.5, 1 / L(power_half)(x))
  POWER_CASE(-1.0, 1 / x)
  POWER_CASE(-2.0, (1 / x) * (1 / x))
#undef POWER_CASE
  return false;
}

KERNEL(pow, (BINARY_PARAMETERS), (a, stride_a, b, stride_b, y, n)) {
  if (n > 0 && stride_b == 0 && L(power_simple)(a, stride_a, *b, 1, NULL, y, n)) return;
  BY_STRIDES(pow, a, stride_a, b, stride_b, y, n);
}

KERNEL(pow_backward, (BINARY_BACKWARD_PARAMETERS),
       (grad, a, stride_a, b, stride_b, grad_a, grad_b, n)) {
  if (grad_b) L(pow_backward_b_strided)(a, stride_a, b, stride_b, grad, grad_b, n);
  if (!grad_a) return;
  if (n > 0 && stride_b == 0 && *b != 0 &&
      L(power_simple)(a, stride_a, *b - 1, *b, grad, grad_a, n))
    return;
  L(pow_backward_a_strided)(a, stride_a, b, stride_b, grad, grad_a, n);
}

#define COMPARE(name, condition, doc)                                                              \
  STRIDED(                                                                                         \
      name, (const real *pa, int64_t sa, const real *pb, int64_t sb, uint8_t *y, int64_t n),       \
      for (int64_t i = 0; i < n; i++) {                                                            \
        real a = pa[i * sa], b = pb[i * sb];                                                       \
        y[i] = (condition) ? 1 : 0;                                                                \
      })                                                                                           \
  KERNEL(                                                                                          \
      name,                                                                                        \
      (const real *a, int64_t stride_a, const real *b, int64_t stride_b, uint8_t *y, int64_t n),   \
      (a, stride_a, b, stride_b, y, n)) {                                                          \
    BY_STRIDES(name, a, stride_a, b, stride_b, y, n);                                              \
  }

ELEMENTWISE_COMPARE(COMPARE)

/* ---- choosing, filling, adding up ---- */

STRIDED(
    where,
    (const real *a, int64_t sa, const real *b, int64_t sb, const uint8_t *cond, int64_t sc, real *y,
     int64_t n),
    for (int64_t i = 0; i < n; i++) {
      real u = a[i * sa], v = b[i * sb];
      y[i] = cond[i * sc] ? u : v;
    })

KERNEL(where,
       (const uint8_t *cond, int64_t stride_cond, const real *a, int64_t stride_a, const real *b,
        int64_t stride_b, real *y, int64_t n),
       (cond, stride_cond, a, stride_a, b, stride_b, y, n)) {
  if (stride_cond == 1) {
    BY_STRIDES(where, a, stride_a, b, stride_b, cond, 1, y, n);
  } else {
    L(where_strided)(a, stride_a, b, stride_b, cond, stride_cond, y, n);
  }
}

KERNEL(masked_fill,
       (const real *x, const uint8_t *mask, int64_t stride_mask, real value, real *y, int64_t n),
       (x, mask, stride_mask, value, y, n)) {
  if (stride_mask == 1)
    L(where_loop)(&value, 0, x, 1, mask, 1, y, n);
  else
    L(where_strided)(&value, 0, x, 1, mask, stride_mask, y, n);
}

KERNEL(fill, (real * y, real value, int64_t n), (y, value, n)) {
  SIMD for (int64_t i = 0; i < n; i++) y[i] = value;
}

KERNEL(accumulate, (real * y, const real *x, int64_t n), (y, x, n)) {
  SIMD for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

KERNEL(scale, (const real *x, real a, real b, real *y, int64_t n), (x, a, b, y, n)) {
  SIMD for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + b;
}

#undef SQRT
#undef POW
#undef SIMD
#undef INLINE
#undef SHARED
#undef STRIDED
#undef UNARY
#undef BY_STRIDES
#undef BINARY_PARAMETERS
#undef BINARY_BACKWARD_PARAMETERS
#undef BINARY_LOOPS
#undef BINARY_BACKWARD_LOOP
#undef BINARY_KERNELS
#undef COMPARE
