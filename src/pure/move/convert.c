/* Conversion of elements between dtypes: a table of functions, one for each pair, put together from
 * how each dtype is read and written. Reals pass through double and integers through int64_t, so
 * each value is rounded once, to nearest even. A real beyond an integer's range, where C's cast is
 * undefined, becomes the integer nearest to it, and NaN becomes 0. */
#include "pure/move/move.h"
#include "rill/pure.h"

#include <string.h>

typedef float f32;
typedef double f64;
typedef uint16_t f16;
typedef uint16_t bf16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint8_t boolean;

static inline uint64_t bits_of(double x) {
  uint64_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

static inline double of_bits(uint64_t b) {
  double x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/* ---- 16-bit reals: a sign, an exponent with this bias, a mantissa of so many bits ---- */

enum { F16_MANTISSA = 10, F16_BIAS = 15, BF16_MANTISSA = 7, BF16_BIAS = 127 };

static inline double widen(uint16_t h, int mantissa, int bias) {
  uint64_t sign = (uint64_t)(h & 0x8000) << 48, rest = h & 0x7fff;
  uint64_t infinity = (uint64_t)(2 * bias + 1) << mantissa;
  uint64_t b;
  if (rest >= infinity) /* or NaN, with its payload */
    b = (uint64_t)0x7ff << 52 | (rest - infinity) << (52 - mantissa);
  else if (rest >> mantissa)
    b = (rest << (52 - mantissa)) + ((uint64_t)(1023 - bias) << 52);
  else /* subnormal: counts units of the last place */
    b = bits_of((double)(int)rest * of_bits((uint64_t)(1023 + 1 - bias - mantissa) << 52));
  return of_bits(sign | b);
}

static inline uint16_t narrow(double x, int mantissa, int bias) {
  int shift = 52 - mantissa;
  uint64_t b = bits_of(x), sign = b >> 48 & 0x8000, infinity = (uint64_t)(2 * bias + 1) << mantissa;
  b &= INT64_MAX;
  if (b > (uint64_t)0x7ff << 52) /* NaN: made quiet, the top of its payload kept */
    return (uint16_t)(sign | infinity | 1 << (mantissa - 1) | (b >> shift & ((1 << mantissa) - 1)));
  if (b >> 52 < (uint64_t)(1023 + 1 - bias)) {
    /* Subnormal: beside this number a double's last place is the small format's: adding rounds. */
    double unit = of_bits((uint64_t)(1023 + 53 - bias - mantissa) << 52);
    return (uint16_t)(sign | (bits_of(of_bits(b) + unit) - bits_of(unit)));
  }
  b -= (uint64_t)(1023 - bias) << 52;
  b += ((uint64_t)1 << (shift - 1)) - 1 + (b >> shift & 1);
  b >>= shift;
  return (uint16_t)(sign | (b < infinity ? b : infinity));
}

/* ---- reading an element, writing a real, writing an integer ---- */

static inline double f32_get(f32 x) { return (double)x; }
static inline double f64_get(f64 x) { return x; }
static inline double f16_get(f16 x) { return widen(x, F16_MANTISSA, F16_BIAS); }
static inline double bf16_get(bf16 x) { return widen(x, BF16_MANTISSA, BF16_BIAS); }
static inline int64_t i32_get(i32 x) { return x; }
static inline int64_t i64_get(i64 x) { return x; }
static inline int64_t u8_get(u8 x) { return x; }
static inline int64_t boolean_get(boolean x) { return x != 0; }

static inline f32 f32_of_real(double x) { return (f32)x; }
static inline f64 f64_of_real(double x) { return x; }
static inline f16 f16_of_real(double x) { return narrow(x, F16_MANTISSA, F16_BIAS); }
static inline bf16 bf16_of_real(double x) { return narrow(x, BF16_MANTISSA, BF16_BIAS); }
static inline i32 i32_of_real(double x) {
  return x >= INT32_MAX ? INT32_MAX : x >= INT32_MIN ? (i32)x : x < 0 ? INT32_MIN : 0;
}
static inline i64 i64_of_real(double x) {
  return x >= 0x1p63 ? INT64_MAX : x >= -0x1p63 ? (i64)x : x < 0 ? INT64_MIN : 0;
}
static inline u8 u8_of_real(double x) { return x >= UINT8_MAX ? UINT8_MAX : x > 0 ? (u8)x : 0; }
static inline boolean boolean_of_real(double x) { return x != 0; }

/* x as a double that rounds to fewer bits as x itself does: where x has more than 53 bits, the bits
 * that a double lacks are gathered into one that it has (von Neumann's rounding to odd). */
static inline double sticky(int64_t x) {
  if (x > -((int64_t)1 << 53) && x < (int64_t)1 << 53) return (double)x;
  return (double)((x & ~(int64_t)0x7ff) | (x & 0x7ff ? 0x800 : 0));
}

static inline f32 f32_of_whole(int64_t x) { return (f32)x; }
static inline f64 f64_of_whole(int64_t x) { return (f64)x; }
static inline f16 f16_of_whole(int64_t x) { return f16_of_real(sticky(x)); }
static inline bf16 bf16_of_whole(int64_t x) { return bf16_of_real(sticky(x)); }
static inline i32 i32_of_whole(int64_t x) { return (i32)x; }
static inline i64 i64_of_whole(int64_t x) { return x; }
static inline u8 u8_of_whole(int64_t x) { return (u8)x; }
static inline boolean boolean_of_whole(int64_t x) { return x != 0; }

/* ---- the table ---- */

#define PAIR(from, kind, to)                                                                       \
  static void from##_to_##to(const void *restrict source, void *restrict target, int64_t n) {      \
    const from *x = source;                                                                        \
    to *y = target;                                                                                \
    for (int64_t i = 0; i < n; i++) y[i] = to##_of_##kind(from##_get(x[i]));                       \
  }
#define PAIRS(from, kind)                                                                          \
  PAIR(from, kind, f32)                                                                            \
  PAIR(from, kind, f64)                                                                            \
  PAIR(from, kind, f16)                                                                            \
  PAIR(from, kind, bf16)                                                                           \
  PAIR(from, kind, i32) PAIR(from, kind, i64) PAIR(from, kind, u8) PAIR(from, kind, boolean)
#define ROW(from)                                                                                  \
  {                                                                                                \
    from##_to_f32, from##_to_f64, from##_to_f16, from##_to_bf16, from##_to_i32, from##_to_i64,     \
        from##_to_u8, from##_to_boolean                                                            \
  }

PAIRS(f32, real)
PAIRS(f64, real)
PAIRS(f16, real)
PAIRS(bf16, real)
PAIRS(i32, whole)
PAIRS(i64, whole)
PAIRS(u8, whole)
PAIRS(boolean, whole)

/* In the order of rill_dtype. */
static void (*const table[8][8])(const void *restrict, void *restrict, int64_t) = {
    ROW(f32), ROW(f64), ROW(f16), ROW(bf16), ROW(i32), ROW(i64), ROW(u8), ROW(boolean)};

#undef PAIR
#undef PAIRS
#undef ROW

void convert(rill_dtype from_type, const void *from, rill_dtype to_type, void *to, int64_t n) {
  if (n <= 0) return;
  if (from_type == to_type)
    memcpy(to, from, (size_t)n * rill_dtype_size(to_type));
  else
    table[from_type][to_type](from, to, n);
}

/* ---- the pure face ---- */

static rill_status converted(const void *x, rill_dtype from, rill_dtype to, void *y, int64_t n) {
  if (!dtype_valid((int)from)) return RILL_ERROR_DTYPE;
  if (n < 0) return RILL_ERROR_SHAPE;
  convert(from, x, to, y, n);
  return RILL_OK;
}

rill_status rill_to_f32(const void *x, rill_dtype from, float *y, int64_t n) {
  return converted(x, from, RILL_F32, y, n);
}

rill_status rill_to_f64(const void *x, rill_dtype from, double *y, int64_t n) {
  return converted(x, from, RILL_F64, y, n);
}

rill_status rill_to_f16(const void *x, rill_dtype from, uint16_t *y, int64_t n) {
  return converted(x, from, RILL_F16, y, n);
}

rill_status rill_to_bf16(const void *x, rill_dtype from, uint16_t *y, int64_t n) {
  return converted(x, from, RILL_BF16, y, n);
}

rill_status rill_to_i32(const void *x, rill_dtype from, int32_t *y, int64_t n) {
  return converted(x, from, RILL_I32, y, n);
}

rill_status rill_to_i64(const void *x, rill_dtype from, int64_t *y, int64_t n) {
  return converted(x, from, RILL_I64, y, n);
}

rill_status rill_to_u8(const void *x, rill_dtype from, uint8_t *y, int64_t n) {
  return converted(x, from, RILL_U8, y, n);
}

rill_status rill_to_bool(const void *x, rill_dtype from, uint8_t *y, int64_t n) {
  return converted(x, from, RILL_BOOL, y, n);
}
