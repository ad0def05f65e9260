/* Vector mathematics over `real`: include after pure/kernel.h, once per pass (there is no guard).
 *
 * Scalar functions without branches or calls, so that gcc and clang vectorise them inside `#pragma
 * omp simd` loops on every instruction set, SSE2 included: they need no rounding instruction, no
 * 64-bit comparison or arithmetic shift and no fused multiply-add. Special values are those of C99.
 * Error bounds, in units in the last place:
 *
 *   v_exp, v_log, v_log1p              2 (1.1 measured), subnormal arguments and results included
 *   v_exp_flush                        2 for normal results; 0 below 0.7 of the smallest of them
 *   v_expm1, v_tanh, v_sigmoid, v_erf  3 (2.6 measured)
 *   v_sin, v_cos                       3 for |x| <= L(v_sincos_limit); meaningless beyond
 *   v_softplus                         4, the far negative tail included
 *   v_normal_cdf                       6, the far negative tail included
 *   v_round, v_floor, v_ceil           exact
 *
 * The polynomials interpolate, at Chebyshev nodes, the function named beside each; the reductions
 * are those of Cody and Waite 1980, "Software Manual for the Elementary Functions". */

/* Always: a loop with a call left in it is not vectorised, and clang finds the larger ones too large. */
#define V_INLINE static inline __attribute__((always_inline))

#if defined KERNEL_F32
#define V_BITS      uint32_t
#define V_MANTISSA  23 /* explicit bits of the significand */
#define V_ONE       UINT32_C(0x3f800000)
#define V_SIGN      UINT32_C(0x80000000)
#define V_HALF_ROOT UINT32_C(0x3f3504f3) /* bits of sqrt(1/2) */
#define V_HIGH      UINT32_C(0xfffff000) /* upper half of the significand: its square is exact */
#define V_BIG       8388608.0f           /* 2^23: all larger numbers are integers */
#define V_BIAS      127
#define V_MIN       1.17549435e-38f /* smallest normal number */
#define V_EXP_LOW   -104.0f         /* exp is 0 below and infinite above */
#define V_EXP_HIGH  89.0f
#define V_EXP_FLUSH -88.0f       /* in units of ln(2) it rounds to -127, whose power of 2 is 0 */
#define V_ONE_LOW   -20.0f       /* exp - 1 is -1 below */
#define V_ONE_HIGH  10.0f        /* tanh and erf are 1 above */
#define V_TAIL      15.0f        /* the normal density is 0 above */
#define V_LN2_HIGH  0.693145752f /* 15 bits: times an exponent is exact */
#define V_LN2_LOW   1.42860677e-6f
#define V_PIO2_1    1.5703125f /* three parts of 11 bits and the rest */
#define V_PIO2_2    4.837512969970703125e-4f
#define V_PIO2_3    7.549533620476722717e-8f
#define V_PIO2_4    2.563344151594518789e-12f
#define V_ERFCX_K   3.0f
enum { L(v_sincos_limit) = 12800 };

/* (exp(r) - 1 - r) / r^2, |r| <= ln(2)/2 */
V_INLINE real L(v_exp_poly)(real r) {
  return 0.500000000f +
         r * (0.166665768f + r * (0.0416665544f + r * (0.00836320297f + r * 0.00139262135f)));
}
/* (2 atanh(s) / s - 2) / z, z = s^2 <= 0.02945 */
V_INLINE real L(v_log_poly)(real z) { return 0.666666851f + z * (0.399887707f + z * 0.295803983f); }
/* (sin(r) / r - 1) / z, z = r^2 <= (pi/4)^2 */
V_INLINE real L(v_sin_poly)(real z) {
  return -0.166666647f + z * (0.00833274710f + z * -1.95876390e-4f);
}
/* (cos(r) - 1 + z/2) / z^2 */
V_INLINE real L(v_cos_poly)(real z) {
  return 0.0416666647f + z * (-0.00138883019f + z * 2.45476897e-5f);
}
/* erf(x) / x, z = x^2 <= 1 */
V_INLINE real L(v_erf_poly)(real z) {
  return 1.12837917f +
         z * (-0.376126267f +
              z * (0.112835947f +
                   z * (-0.0268542120f +
                        z * (0.00518908742f + z * (-8.01686429e-4f + z * 7.87587506e-5f)))));
}
/* exp(a^2) erfc(a) (a + K), t = (a - K) / (a + K), a >= 0 */
V_INLINE real L(v_erfcx_poly)(real t) {
  return 1.07400690f +
         t * (-0.883394487f +
              t * (0.590228531f +
                   t * (-0.310465876f +
                        t * (0.119526834f +
                             t * (-0.0268417624f +
                                  t * (-0.00122049469f +
                                       t * (0.00308679247f +
                                            t * (-4.85958848e-4f + t * -3.28856185e-4f))))))));
}

#else
#define V_BITS      uint64_t
#define V_MANTISSA  52
#define V_ONE       UINT64_C(0x3ff0000000000000)
#define V_SIGN      UINT64_C(0x8000000000000000)
#define V_HALF_ROOT UINT64_C(0x3fe6a09e667f3bcd)
#define V_HIGH      UINT64_C(0xfffffffff8000000)
#define V_BIG       4503599627370496.0
#define V_BIAS      1023
#define V_MIN       2.2250738585072014e-308
#define V_EXP_LOW   -746.0
#define V_EXP_HIGH  710.0
#define V_EXP_FLUSH -709.2
#define V_ONE_LOW   -40.0
#define V_ONE_HIGH  20.0
#define V_TAIL      39.0
#define V_LN2_HIGH  0.693147180559890330187045 /* 42 bits */
#define V_LN2_LOW   5.497923018708371174712472e-14
#define V_PIO2_1    1.57079632673412561416626 /* three parts of 33 bits and the rest */
#define V_PIO2_2    6.077100506303965976595549e-11
#define V_PIO2_3    2.022266248711166455795996e-21
#define V_PIO2_4    8.478427660368899643958701e-32
#define V_ERFCX_K   4.0
enum { L(v_sincos_limit) = 1600000 };

/* The same functions as above. */
V_INLINE real L(v_exp_poly)(real r) {
  return 0.50000000000000011 +
         r * (0.16666666666666669 +
              r * (0.041666666666623990 +
                   r * (0.0083333333333300511 +
                        r * (0.0013888888917281794 +
                             r * (1.9841269863105968e-4 +
                                  r * (2.4801521190217729e-5 +
                                       r * (2.7557268378684192e-6 +
                                            r * (2.7620138719733994e-7 +
                                                 r * 2.5100424157005067e-8))))))));
}
V_INLINE real L(v_log_poly)(real z) {
  return 0.66666666666666696 +
         z * (0.39999999999899238 +
              z * (0.28571428626095891 +
                   z * (0.22222211115144158 +
                        z * (0.18182890556695763 +
                             z * (0.15331674030163508 + z * 0.14617037548837150)))));
}
V_INLINE real L(v_sin_poly)(real z) {
  return -0.16666666666666666 +
         z * (0.0083333333333309358 +
              z * (-1.9841269836740527e-4 +
                   z * (2.7557316093196066e-6 +
                        z * (-2.5051129895962803e-8 + z * 1.5917988944318488e-10))));
}
V_INLINE real L(v_cos_poly)(real z) {
  return 0.041666666666666664 +
         z * (-0.0013888888888887389 +
              z * (2.4801587298754400e-5 +
                   z * (-2.7557317265876615e-7 +
                        z * (2.0876145049108280e-9 + z * -1.1382544623404147e-11))));
}
V_INLINE real L(v_erf_poly)(real z) {
  return 1.1283791670955126 +
         z * (-0.37612638903183748 +
              z * (0.11283791670954879 +
                   z * (-0.026866170645076792 +
                        z * (0.0052239776248180145 +
                             z * (-8.5483269808337900e-4 +
                                  z * (1.2055331111642710e-4 +
                                       z * (-1.4925595266831182e-5 +
                                            z * (1.6461000484121361e-6 +
                                                 z * (-1.6350312701054618e-7 +
                                                      z * (1.4659775274046955e-8 +
                                                           z * (-1.1372848856789924e-9 +
                                                                z * 5.9571761477461144e-11)))))))))));
}
V_INLINE real L(v_erfcx_poly)(real t) {
  return 1.0959956610004911 +
         t * (-0.97654872908088208 +
              t * (0.77320870226523730 +
                   t * (-0.54085383131321896 +
                        t * (0.33085158787799973 +
                             t * (-0.17401093724047675 +
                                  t * (0.076381514909615658 +
                                       t * (-0.026370053331925547 +
                                            t * (0.0061120556522956020 +
                                                 t * (-2.8095893753504687e-4 +
                                                      t * (-4.5505266555541206e-4 +
                                                           t * (1.7681319269796959e-4 +
                                                                t * (-3.6352164714591733e-6 +
                                                                     t * (-1.8862112406502865e-5 +
                                                                          t * (4.6944242824760182e-6 +
                                                                               t * (1.4267346156272253e-6 +
                                                                                    t * (-8.4601493293265981e-7 +
                                                                                         t * (-7.8747430775257753e-8 +
                                                                                              t * (1.2378138348989538e-7 +
                                                                                                   t * (3.1226547362597087e-9 +
                                                                                                        t * (-1.5199618762747320e-8 +
                                                                                                             t * (-5.2729293874429145e-10 +
                                                                                                                  t * 9.4407291675920025e-10)))))))))))))))))))));
}
#endif

#define V_MAGIC (R(1.5) * V_BIG) /* adding it leaves the nearest integer in the lowest bits */

V_INLINE V_BITS L(v_bits)(real x) {
  V_BITS b;
  __builtin_memcpy(&b, &x, sizeof b);
  return b;
}

V_INLINE real L(v_real)(V_BITS b) {
  real x;
  __builtin_memcpy(&x, &b, sizeof x);
  return x;
}

/* 2^n, where the lowest bits of `n` hold it in two's complement. */
V_INLINE real L(v_power_of_2)(V_BITS n) { return L(v_real)((n << V_MANTISSA) + V_ONE); }

V_INLINE real L(v_abs)(real x) { return L(v_real)(L(v_bits)(x) & ~V_SIGN); }

/* |magnitude| with the sign of `sign`. */
V_INLINE real L(v_copysign)(real magnitude, real sign) {
  return L(v_real)((L(v_bits)(magnitude) & ~V_SIGN) | (L(v_bits)(sign) & V_SIGN));
}

/* NaN where x is. Compare no result of these with another constant: gcc would thread the jump and
 * compute what follows once for each outcome. */
V_INLINE real L(v_min)(real x, real high) { return x > high ? high : x; }
V_INLINE real L(v_max)(real x, real low) { return x < low ? low : x; }
/* For low <= high. */
V_INLINE real L(v_clamp)(real x, real low, real high) {
  real y = x < low ? low : x;
  return x > high ? high : y;
}

/* To the nearest integer, ties to even. */
V_INLINE real L(v_round)(real x) {
  real a = L(v_abs)(x);
  real r = L(v_copysign)((a + V_BIG) - V_BIG, x);
  return a < V_BIG ? r : x;
}

V_INLINE real L(v_floor)(real x) {
  real r = L(v_round)(x);
  return r - (r > x ? R(1.0) : R(0.0));
}

V_INLINE real L(v_ceil)(real x) {
  real r = L(v_round)(x);
  return L(v_copysign)(r + (r < x ? R(1.0) : R(0.0)), x);
}

/* exp(x + low) = 2^n (1 + p): returns a number whose lowest bits hold n. A `low` of -0.0 costs
 * nothing, one of 0 an addition. */
V_INLINE real L(v_exp_reduce)(real x, real low, real *p) {
  real t = x * R(1.442695040888963407) + V_MAGIC, n = t - V_MAGIC;
  real r = x - n * V_LN2_HIGH - n * V_LN2_LOW + low;
  *p = r + r * r * L(v_exp_poly)(r);
  return t;
}

/* exp(x + low) for a small `low`, where the result is within 2^(+-250), or 2^(+-2000) in f64.
 * The power of 2 is applied in halves: whole it may be out of range where the result is not. */
V_INLINE real L(v_exp_sum)(real x, real low) {
  real p;
  real t = L(v_exp_reduce)(x, low, &p);
  V_BITS n = L(v_bits)(t), half = L(v_bits)((t - V_MAGIC) * R(0.5) + V_MAGIC);
  return (1 + p) * L(v_power_of_2)(half) * L(v_power_of_2)(n - half);
}

V_INLINE real L(v_exp)(real x) {
  return L(v_exp_sum)(L(v_clamp)(x, V_EXP_LOW, V_EXP_HIGH), R(-0.0));
}

/* exp(x) for the weights of softmax, for x up to V_EXP_HIGH - 1 (beyond, and for +inf, it is inf or
 * NaN): half of v_exp's work, and next to no subnormal results, which slow down what uses them. */
V_INLINE real L(v_exp_flush)(real x) {
  real p, t = L(v_exp_reduce)(L(v_max)(x, V_EXP_FLUSH), R(-0.0), &p);
  return (1 + p) * L(v_power_of_2)(L(v_bits)(t));
}

/* v_exp_flush for any x: inf from near the largest power of 2 on. */
V_INLINE real L(v_exp_flush_any)(real x) { return L(v_exp_flush)(L(v_min)(x, V_EXP_HIGH)); }

V_INLINE real L(v_expm1)(real x) {
  real p, b = L(v_clamp)(x, V_ONE_LOW, V_EXP_HIGH);
  real t = L(v_exp_reduce)(b, R(-0.0), &p);
  V_BITS n = L(v_bits)(t), half = L(v_bits)((t - V_MAGIC) * R(0.5) + V_MAGIC), rest = n - half;
  real s = L(v_power_of_2)(half);
  real y = (p * s + (s - L(v_power_of_2)(0 - rest))) * L(v_power_of_2)(rest);
  return x == 0 ? x : y;
}

/* log(x) + low: x = 2^e (1 + f), and with s = f / (2 + f) log(1 + f) = 2 atanh s, 2s = f - s f. */
V_INLINE real L(v_log_sum)(real x, real low) {
  bool tiny = x < V_MIN;
  real scaled = tiny ? x * V_BIG : x;
  V_BITS i = L(v_bits)(scaled) + (V_ONE - V_HALF_ROOT);
  V_BITS significand = (i & (((V_BITS)1 << V_MANTISSA) - 1)) + V_HALF_ROOT;
  real e = L(v_real)((i >> V_MANTISSA) | L(v_bits)(V_BIG)) -
           (tiny ? V_BIG + V_BIAS + V_MANTISSA : V_BIG + V_BIAS);
  real f = L(v_real)(significand) - 1;
  real s = f / (2 + f), z = s * s, h = R(0.5) * f * f;
  real y = e * V_LN2_HIGH + (f - (h - (s * (h + z * L(v_log_poly)(z)) + (e * V_LN2_LOW + low))));
  y = x < REAL_INFINITY ? y : x;
  return x > 0 ? y : x == 0 ? -REAL_INFINITY : REAL_INFINITY - REAL_INFINITY;
}

V_INLINE real L(v_log)(real x) { return L(v_log_sum)(x, 0); }

/* log(u + c) = log(u) + c/u, where u = 1 + x was rounded by c. */
V_INLINE real L(v_log1p)(real x) {
  real u = 1 + x;
  real c = x > 1 ? 1 - (u - x) : x - (u - 1);
  real y = L(v_log_sum)(u, c / u);
  return x == 0 ? x : y;
}

/* (e^2a - 1) / (e^2a + 1). */
V_INLINE real L(v_tanh)(real x) {
  real p, a = 2 * L(v_min)(L(v_abs)(x), V_ONE_HIGH);
  real s = L(v_power_of_2)(L(v_bits)(L(v_exp_reduce)(a, R(-0.0), &p)));
  real y = p * s + (s - 1);
  return L(v_copysign)(y / (y + 2), x);
}

/* exp(-|x|). */
V_INLINE real L(v_exp_decay)(real x) {
  return L(v_exp_sum)(-L(v_min)(L(v_abs)(x), -V_EXP_LOW), R(-0.0));
}

V_INLINE real L(v_sigmoid)(real x) {
  real e = L(v_exp_decay)(x);
  return (x < 0 ? e : R(1.0)) / (1 + e);
}

/* log(1 + e^x). */
V_INLINE real L(v_softplus)(real x) { return (x > 0 ? x : R(0.0)) + L(v_log1p)(L(v_exp_decay)(x)); }

/* erfc(a) for finite a >= 0, given exp(-a^2): the scaled function in a variable that maps [0, inf)
 * to [-1, 1), after Shepherd and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x^2)
 * erfc x". */
V_INLINE real L(v_erfc)(real a, real exp_square) {
  real d = 1 / (a + V_ERFCX_K);
  return exp_square * (d * L(v_erfcx_poly)((a - V_ERFCX_K) * d));
}

V_INLINE real L(v_erf)(real x) {
  real a = L(v_abs)(x), b = L(v_min)(a, V_ONE_HIGH), z = b * b;
  real large = 1 - L(v_erfc)(b, L(v_exp_sum)(-z, 0)), small = a * L(v_erf_poly)(z);
  return L(v_copysign)(a < 1 ? small : large, x);
}

/* exp(-x^2 / 2): x^2 is split, since its rounding error would grow with it. */
V_INLINE real L(v_normal_exp)(real x) {
  real a = L(v_min)(L(v_abs)(x), V_TAIL);
  real h = L(v_real)(L(v_bits)(a) & V_HIGH);
  return L(v_exp_sum)(R(-0.5) * h * h, R(-0.5) * (a - h) * (a + h));
}

/* The standard normal distribution, given e = v_normal_exp(x). */
V_INLINE real L(v_normal_cdf)(real x, real e) {
  real a = L(v_min)(L(v_abs)(x), V_TAIL);
  real tail = R(0.5) * L(v_erfc)(a * R(0.7071067811865475244), e);
  return x < 0 ? tail : 1 - tail;
}

/* sin(x + quarters pi/2), for |x| <= v_sincos_limit: there n times each of the first three parts of
 * pi/2 is exact. */
V_INLINE real L(v_sincos)(real x, V_BITS quarters) {
  real t = x * R(0.6366197723675813431) + V_MAGIC;
  real n = t - V_MAGIC;
  real r = x - n * V_PIO2_1 - n * V_PIO2_2 - n * V_PIO2_3 - n * V_PIO2_4, z = r * r;
  real s = r + r * (z * L(v_sin_poly)(z));
  real c = (1 - R(0.5) * z) + z * z * L(v_cos_poly)(z);
  V_BITS q = L(v_bits)(t) + quarters, odd = 0 - (q & 1);
  V_BITS bits = (L(v_bits)(s) & ~odd) | (L(v_bits)(c) & odd);
  return L(v_real)(bits ^ (q >> 1) << (sizeof(real) * 8 - 1));
}

V_INLINE real L(v_sin)(real x) {
  real y = L(v_sincos)(x, 0);
  return x == 0 ? x : y;
}

V_INLINE real L(v_cos)(real x) { return L(v_sincos)(x, 1); }

#undef V_INLINE
#undef V_BITS
#undef V_MANTISSA
#undef V_ONE
#undef V_SIGN
#undef V_HALF_ROOT
#undef V_HIGH
#undef V_BIG
#undef V_BIAS
#undef V_MIN
#undef V_EXP_LOW
#undef V_EXP_HIGH
#undef V_EXP_FLUSH
#undef V_ONE_LOW
#undef V_ONE_HIGH
#undef V_TAIL
#undef V_LN2_HIGH
#undef V_LN2_LOW
#undef V_PIO2_1
#undef V_PIO2_2
#undef V_PIO2_3
#undef V_PIO2_4
#undef V_ERFCX_K
#undef V_MAGIC
