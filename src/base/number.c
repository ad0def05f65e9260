/* Decimal numbers to text and back. Reading is exact: the decimal is a ratio of two big integers and
 * the mantissa their quotient, rounded once. Printing asks snprintf for ever more digits until they
 * read back, and takes from its answer the digits alone, for the decimal point is the locale's. */
#include "base/number.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* No double needs more than 767 digits to be told from the halfway points beside it. */
enum { DIGITS = 800 };

/* 0.d1 d2 d3 ... x 10^exponent, d1 and the last digit not zero; no digits are the number zero. */
typedef struct decimal {
  unsigned char digits[DIGITS];
  int count;
  int64_t exponent;
  bool negative;
} decimal;

typedef struct format {
  int bits;     /* of the mantissa, the leading one included */
  int smallest; /* the exponent of the last bit of the smallest number */
  int largest;  /* the exponent of the first bit of the largest number */
} format;

static const format FORMAT_F64 = {DBL_MANT_DIG, DBL_MIN_EXP - DBL_MANT_DIG, DBL_MAX_EXP - 1};
static const format FORMAT_F32 = {FLT_MANT_DIG, FLT_MIN_EXP - FLT_MANT_DIG, FLT_MAX_EXP - 1};

/* ---- big integers ---- */

/* 800 digits over 10^1130 and 2 x 53 bits of quotient stay below 3900 bits. */
enum { WORDS = 128 };

typedef struct big {
  uint32_t word[WORDS]; /* least first; the top one is not zero */
  int count;
} big;

static void big_multiply_add(big *b, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (int i = 0; i < b->count; i++) {
    carry += (uint64_t)b->word[i] * factor;
    b->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) b->word[b->count++] = (uint32_t)carry;
}

static void big_multiply_power(big *b, int64_t power_of_ten) {
  for (; power_of_ten >= 9; power_of_ten -= 9) big_multiply_add(b, 1000000000, 0);
  for (; power_of_ten > 0; power_of_ten--) big_multiply_add(b, 10, 0);
}

static void big_shift(big *b, int bits) {
  int words = bits / 32, rest = bits % 32;
  if (rest) big_multiply_add(b, (uint32_t)1 << rest, 0);
  if (!words || !b->count) return;
  memmove(b->word + words, b->word, (size_t)b->count * sizeof b->word[0]);
  memset(b->word, 0, (size_t)words * sizeof b->word[0]);
  b->count += words;
}

static int big_bits(const big *b) {
  return b->count ? 32 * b->count - __builtin_clz(b->word[b->count - 1]) : 0;
}

static int big_compare(const big *a, const big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (int i = a->count - 1; i >= 0; i--)
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
  return 0;
}

/* a -= b, where a >= b. */
static void big_subtract(big *a, const big *b) {
  int64_t borrow = 0;
  for (int i = 0; i < a->count; i++) {
    borrow += (int64_t)a->word[i] - (i < b->count ? b->word[i] : 0);
    a->word[i] = (uint32_t)borrow;
    borrow >>= 32;
  }
  while (a->count && !a->word[a->count - 1]) a->count--;
}

/* ---- decimal to binary ---- */

/* The quotient numerator / denominator rounded to the format: mantissa x 2^*exponent. */
static uint64_t divide(big *numerator, big *denominator, format f, int *exponent) {
  int first =
      big_bits(numerator) - big_bits(denominator); /* of the quotient's first bit, or one less */
  int last = first - f.bits;
  if (last < f.smallest) last = f.smallest;
  if (last < 0)
    big_shift(numerator, -last);
  else
    big_shift(denominator, last);
  /* The quotient now has at most bits + 1 bits before its point. */
  big_shift(denominator, f.bits);
  uint64_t quotient = 0;
  for (int i = f.bits; i >= 0; i--) {
    quotient <<= 1;
    if (big_compare(numerator, denominator) >= 0) {
      big_subtract(numerator, denominator);
      quotient |= 1;
    }
    big_shift(numerator, 1);
  }
  int half = big_compare(numerator, denominator); /* the remainder, doubled by the last shift */
  if (quotient >> f.bits) { /* one bit too many: it decides the rounding, the remainder is sticky */
    half = quotient & 1 ? (numerator->count ? 1 : 0) : -1;
    quotient >>= 1;
    last++;
  }
  if (half > 0 || (half == 0 && quotient & 1)) quotient++;
  *exponent = last;
  return quotient;
}

static double decimal_value(const decimal *d, format f) {
  static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (!d->count || d->exponent < -330) return 0;
  if (d->exponent > 310) return HUGE_VAL;
  int64_t scale = d->exponent - d->count;
  /* Both are exact in a double, so one operation rounds once (Clinger 1990). */
  if (f.bits == DBL_MANT_DIG && FLT_EVAL_METHOD == 0 && d->count <= 15 && scale >= -22 &&
      scale <= 22) {
    int64_t n = 0;
    for (int i = 0; i < d->count; i++) n = n * 10 + d->digits[i];
    return scale < 0 ? (double)n / power[-scale] : (double)n * power[scale];
  }
  big numerator, denominator;
  numerator.count = 0;
  denominator.count = 1;
  denominator.word[0] = 1;
  for (int i = 0; i < d->count; i++) big_multiply_add(&numerator, 10, d->digits[i]);
  big_multiply_power(scale < 0 ? &denominator : &numerator, scale < 0 ? -scale : scale);
  int exponent;
  uint64_t mantissa = divide(&numerator, &denominator, f, &exponent);
  double value = ldexp((double)mantissa, exponent);
  return value >= ldexp(2, f.largest) ? HUGE_VAL : value;
}

/* ---- reading ---- */

static bool is_digit(const char *at, const char *end) {
  return at < end && *at >= '0' && *at <= '9';
}

static void decimal_push(decimal *d, int digit) {
  if (!d->count && !digit) {
    d->exponent--;
    return;
  }
  if (d->count < DIGITS)
    d->digits[d->count++] = (unsigned char)digit;
  else if (digit)
    d->digits[DIGITS - 1] |= 1; /* what is cut off is not nothing */
}

static bool decimal_read(const char *at, size_t size, decimal *d) {
  const char *end = at + size;
  d->count = 0, d->exponent = 0, d->negative = false;
  if (at < end && *at == '-') d->negative = true, at++;
  if (!is_digit(at, end)) return false;
  if (*at == '0') {
    at++;
  } else {
    for (; is_digit(at, end); at++) d->exponent++, decimal_push(d, *at - '0');
  }
  if (at < end && *at == '.') {
    if (!is_digit(++at, end)) return false;
    for (; is_digit(at, end); at++) decimal_push(d, *at - '0');
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (!is_digit(at, end)) return false;
    int64_t e = 0;
    for (; is_digit(at, end); at++)
      if (e < INT64_MAX / 16) e = e * 10 + (*at - '0');
    d->exponent += negative ? -e : e;
  }
  while (d->count && !d->digits[d->count - 1]) d->count--;
  return at == end;
}

bool number_read(const char *bytes, size_t size, double *out) {
  decimal d;
  if (!decimal_read(bytes, size, &d)) return false;
  double value = decimal_value(&d, FORMAT_F64);
  *out = d.negative ? -value : value;
  return true;
}

bool number_read_f32(const char *bytes, size_t size, float *out) {
  decimal d;
  if (!decimal_read(bytes, size, &d)) return false;
  float value = (float)decimal_value(&d, FORMAT_F32);
  *out = d.negative ? -value : value;
  return true;
}

/* ---- printing ---- */

/* The `precision` digits nearest to x, which is finite and above zero. */
static void decimal_of(decimal *d, double x, int precision) {
  char text[64];
  snprintf(text, sizeof text, "%.*e", precision - 1, x);
  d->count = 0, d->exponent = 1, d->negative = false;
  const char *at = text;
  for (; *at != 'e'; at++)
    if (*at >= '0' && *at <= '9') d->digits[d->count++] = (unsigned char)(*at - '0');
  bool negative = *++at == '-';
  int e = 0;
  for (at++; *at; at++) e = e * 10 + (*at - '0');
  d->exponent += negative ? -e : e;
  while (d->count > 1 && !d->digits[d->count - 1]) d->count--;
}

static char *put_digits(char *out, const decimal *d, int from, int to) {
  for (int i = from; i < to; i++) *out++ = (char)('0' + (i < d->count ? d->digits[i] : 0));
  return out;
}

static void decimal_print(char *out, const decimal *d) {
  int e = (int)d->exponent - 1; /* of the first digit */
  if (e >= 0 && e < 16) {
    out = put_digits(out, d, 0, e + 1);
    if (d->count > e + 1) *out++ = '.', out = put_digits(out, d, e + 1, d->count);
  } else if (e < 0 && e >= -4) {
    memcpy(out, "0.0000", 6);
    out = put_digits(out + 1 - e, d, 0, d->count);
  } else {
    out = put_digits(out, d, 0, 1);
    if (d->count > 1) *out++ = '.', out = put_digits(out, d, 1, d->count);
    out += snprintf(out, 8, "e%+03d", e);
  }
  *out = 0;
}

/* Tries precisions from `low`, below which no decimal of a normal number gains by being tried: what
 * has up to that many digits comes back with zeros at its end, which decimal_of takes off. */
static char *print(char *buffer, double x, bool subnormal, int low, int high, format f) {
  char *out = buffer;
  if (isnan(x)) return strcpy(buffer, "nan");
  if (signbit(x)) *out++ = '-', x = -x;
  if (x == 0 || isinf(x)) {
    strcpy(out, x == 0 ? "0" : "inf");
    return buffer;
  }
  decimal d;
  int precision = subnormal ? 1 : low;
  do decimal_of(&d, x, precision);
  while (decimal_value(&d, f) != x && precision++ < high);
  decimal_print(out, &d);
  return buffer;
}

char *number_print(char buffer[NUMBER_SIZE], double x) {
  return print(buffer, x, fabs(x) < DBL_MIN, DBL_DIG, DBL_DECIMAL_DIG, FORMAT_F64);
}

char *number_print_f32(char buffer[NUMBER_SIZE], float x) {
  return print(buffer, x, fabsf(x) < FLT_MIN, FLT_DIG, FLT_DECIMAL_DIG, FORMAT_F32);
}
