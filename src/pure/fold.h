/* Folds (sums, products, maxima, minima) of f(x) over the middle of [outer, n, inner], shared by the
 * reductions, the softmax family and the normalisations.
 *
 * Everything is folded as columns: a narrow block (inner < FOLD_LANES, so also plain rows) is seen
 * as wide rows of several groups side by side, whose partial results are folded together at the end.
 * So all loops run over lanes of independent columns and vectorise without reordering anything.
 * Chunks of rows meet pairwise (Higham, "The accuracy of floating point summation", 1993), so the
 * rounding error of a sum grows with log n. The order depends on n and inner only.
 *
 * Like kernel.h, this is compiled once per pass and has no include guard. */
#include "base/vmath.h"

#include <math.h>
#include <string.h>

#undef FOLD_INLINE
#undef FOLD_LANES
#undef FOLD_CHUNK
#undef FOLD_LEVELS
#define FOLD_LANES  64 /* columns folded at once */
#define FOLD_CHUNK  64 /* rows folded one after the other before partial results meet pairwise */
#define FOLD_LEVELS 32 /* enough for 64 * 2^32 rows */

typedef enum L(fold_op) {
  L(FOLD_ADD),
  L(FOLD_MUL),
  L(FOLD_MAX), /* NaN wins, as in PyTorch */
  L(FOLD_MIN), /* likewise                */
  L(FOLD_TOP)  /* the maximum of what is not NaN, -inf where all is: one instruction */
} L(fold_op);

/* f of L(fold); d is x less the shift of its column. */
typedef enum L(fold_term) {
  L(FOLD_X),        /* x      */
  L(FOLD_D),        /* d      */
  L(FOLD_DD),       /* d * d  */
  L(FOLD_EXP),      /* exp(d) */
  L(FOLD_ABS),      /* |x|    */
  L(FOLD_XX),       /* x * x  */
  L(FOLD_ABS_POW),  /* |x| to the power `shift` */
  L(FOLD_NONZERO)   /* 0 where x is 0, else 1   */
} L(fold_term);

#define FOLD_INLINE static inline __attribute__((always_inline))

FOLD_INLINE real L(fold_identity)(L(fold_op) op) {
  return op == L(FOLD_ADD)   ? 0
         : op == L(FOLD_MUL) ? 1
         : op == L(FOLD_MIN) ? REAL_INFINITY
                             : -REAL_INFINITY;
}

FOLD_INLINE real L(fold_two)(L(fold_op) op, real a, real b) {
  switch (op) {
  case L(FOLD_ADD): return a + b;
  case L(FOLD_MUL): return a * b;
  case L(FOLD_MAX): {
    real high = b > a ? b : a; /* a where one is NaN */
    return b == b ? high : b;
  }
  case L(FOLD_MIN): {
    real low = b < a ? b : a;
    return b == b ? low : b;
  }
  default: return b > a ? b : a;
  }
}

FOLD_INLINE real L(fold_map)(L(fold_term) term, real x, real shift) {
  switch (term) {
  case L(FOLD_X): return x;
  case L(FOLD_D): return x - shift;
  case L(FOLD_DD): return (x - shift) * (x - shift);
  case L(FOLD_EXP): return L(v_exp)(x - shift);
  case L(FOLD_ABS): return L(v_abs)(x);
  case L(FOLD_XX): return x * x;
  case L(FOLD_ABS_POW): return (real)pow(L(v_abs)(x), shift);
  default: return x != 0;
  }
}

/* acc[l] = fold of up to FOLD_CHUNK rows. */
FOLD_INLINE void L(fold_chunk)(L(fold_op) op, L(fold_term) term, const real *x, int64_t rows,
                               int64_t stride, int64_t width, const real *shift, real *acc) {
  int64_t r = 0;
  for (int64_t l = 0; l < width; l++) acc[l] = L(fold_identity)(op);
  for (; r + 4 <= rows; r += 4) {
    const real *a = x + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
#pragma omp simd
    for (int64_t l = 0; l < width; l++) {
      real fa = L(fold_map)(term, a[l], shift[l]), fb = L(fold_map)(term, b[l], shift[l]);
      real fc = L(fold_map)(term, c[l], shift[l]), fd = L(fold_map)(term, d[l], shift[l]);
      real four = L(fold_two)(op, L(fold_two)(op, fa, fb), L(fold_two)(op, fc, fd));
      acc[l] = L(fold_two)(op, acc[l], four);
    }
  }
  for (; r < rows; r++) {
    const real *a = x + r * stride;
#pragma omp simd
    for (int64_t l = 0; l < width; l++)
      acc[l] = L(fold_two)(op, acc[l], L(fold_map)(term, a[l], shift[l]));
  }
}

FOLD_INLINE void L(fold_merge)(L(fold_op) op, real *acc, const real *other, int64_t width) {
#pragma omp simd
  for (int64_t l = 0; l < width; l++) acc[l] = L(fold_two)(op, acc[l], other[l]);
}

/* acc[l] = fold over all rows of columns l < width. Partial results wait on a stack; chunk number c
 * (from 1) ends as many pairs as c has trailing zero bits. */
FOLD_INLINE void L(fold_rows)(L(fold_op) op, L(fold_term) term, const real *x, int64_t rows,
                              int64_t stride, int64_t width, const real *shift, real *acc) {
  if (rows <= FOLD_CHUNK) {
    L(fold_chunk)(op, term, x, rows, stride, width, shift, acc);
    return;
  }
  real stack[FOLD_LEVELS][FOLD_LANES];
  int depth = 0;
  for (int64_t r = 0, chunk = 1; r < rows; r += FOLD_CHUNK, chunk++) {
    int64_t count = rows - r < FOLD_CHUNK ? rows - r : FOLD_CHUNK;
    L(fold_chunk)(op, term, x + r * stride, count, stride, width, shift, stack[depth++]);
    for (int64_t c = chunk; !(c & 1); c >>= 1, depth--)
      L(fold_merge)(op, stack[depth - 2], stack[depth - 1], width);
  }
  for (; depth > 1; depth--) L(fold_merge)(op, stack[depth - 2], stack[depth - 1], width);
  memcpy(acc, stack[0], (size_t)width * sizeof *acc);
}

/* y[j] = fold over i < n of f(x[i * inner + j]) for j < width <= FOLD_LANES, where x points at the
 * first of these columns. shift: one value a column, NULL where f takes none. */
FOLD_INLINE void L(fold)(L(fold_op) op, L(fold_term) term, const real *x, int64_t n, int64_t inner,
                         int64_t width, const real *shift, real *y) {
  real wide[FOLD_LANES], acc[FOLD_LANES];
  int64_t groups = width < inner ? 1 : FOLD_LANES / width;
  if (groups > n) groups = n > 0 ? n : 1;
  int64_t lanes = groups * width, rows = n / groups, tail = (n - rows * groups) * width;
  if (!shift)
    shift = wide; /* never looked at: f is known at compile time */
  else if (groups > 1) {
    for (int64_t l = 0; l < lanes; l += width)
      for (int64_t j = 0; j < width; j++) wide[l + j] = shift[j];
    shift = wide;
  }
  int64_t stride = groups > 1 ? lanes : inner;
  if (lanes == FOLD_LANES)
    L(fold_rows)(op, term, x, rows, stride, FOLD_LANES, shift, acc);
  else
    L(fold_rows)(op, term, x, rows, stride, lanes, shift, acc);
#pragma omp simd
  for (int64_t l = 0; l < tail; l++)
    acc[l] = L(fold_two)(op, acc[l], L(fold_map)(term, x[rows * stride + l], shift[l]));
  for (int64_t half; groups > (width == 1 ? 8 : 1); groups = half) {
    half = (groups + 1) / 2;
    L(fold_merge)(op, acc, acc + half * width, (groups - half) * width);
  }
  for (int64_t l = 1; l < groups; l++) acc[0] = L(fold_two)(op, acc[0], acc[l]); /* width is 1 */
  memcpy(y, acc, (size_t)width * sizeof *y);
}

/* The fold of one row. */
FOLD_INLINE real L(fold_row)(L(fold_op) op, L(fold_term) term, const real *x, int64_t n,
                             real shift) {
  real y;
  L(fold)(op, term, x, n, 1, 1, &shift, &y);
  return y;
}
