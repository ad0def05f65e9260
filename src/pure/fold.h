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
#undef FOLD_SHARED
#undef FOLD_OPS
#undef FOLD_PAIRS
#undef FOLD_MERGER
#undef FOLD_CHUNKER
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
  L(FOLD_X),       /* x      */
  L(FOLD_D),       /* d      */
  L(FOLD_DD),      /* d * d  */
  L(FOLD_EXP),     /* exp(d) */
  L(FOLD_ABS),     /* |x|    */
  L(FOLD_XX),      /* x * x  */
  L(FOLD_ABS_POW), /* |x| to the power `shift` */
  L(FOLD_NONZERO)  /* 0 where x is 0, else 1   */
} L(fold_term);

#define FOLD_INLINE static inline __attribute__((always_inline))
#define FOLD_SHARED static __attribute__((noinline, unused))

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
  case L(FOLD_EXP): return L(v_exp_flush_any)(x - shift);
  case L(FOLD_ABS): return L(v_abs)(x);
  case L(FOLD_XX): return x * x;
  case L(FOLD_ABS_POW): return (real)pow(L(v_abs)(x), shift);
  default: return x != 0;
  }
}

/* Folds up to FOLD_CHUNK rows into acc. */
FOLD_INLINE void L(fold_chunk)(L(fold_op) op, L(fold_term) term, const real *x, int64_t rows,
                               int64_t stride, int64_t width, const real *shift, real *acc) {
  int64_t r = 0;
  bool long_term = term == L(FOLD_EXP); /* not worth four copies */
  for (; !long_term && r + 4 <= rows; r += 4) {
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

/* Folds the groups into the first; those of a long row have known sizes down to 8. */
FOLD_INLINE void L(fold_gather)(L(fold_op) op, void (*merge)(real *, const real *, int64_t),
                                real *acc, int64_t groups, int64_t width) {
  if (groups == FOLD_LANES) {
    for (int half = FOLD_LANES / 2; half >= 16; half /= 2)
      for (int l = 0; l < half; l += 16) L(fold_merge)(op, acc + l, acc + half + l, 16);
    L(fold_merge)(op, acc, acc + 8, 8);
    real a = L(fold_two)(op, acc[0], acc[4]), b = L(fold_two)(op, acc[1], acc[5]);
    real c = L(fold_two)(op, acc[2], acc[6]), d = L(fold_two)(op, acc[3], acc[7]);
    acc[0] = L(fold_two)(op, L(fold_two)(op, a, c), L(fold_two)(op, b, d));
    return;
  }
  for (int64_t half; groups > 1; groups = half) {
    half = (groups + 1) / 2;
    merge(acc, acc + half * width, (groups - half) * width);
  }
}

/* The loops proper are compiled once for each op, and for each pair of op and term in use; the rest
 * of the fold calls them through pointers, which costs nothing beside their work and keeps the
 * library small. */
typedef void L(fold_merger)(real *acc, const real *other, int64_t width);
typedef void L(fold_gatherer)(real *acc, int64_t groups, int64_t width);
typedef void L(fold_chunker)(const real *x, int64_t rows, int64_t stride, int64_t width,
                             const real *shift, real *acc);

#define FOLD_OPS(F) F(ADD) F(MUL) F(MAX) F(MIN) F(TOP)
/* clang-format off */
#define FOLD_PAIRS(F) \
  F(ADD, X) F(ADD, D) F(ADD, DD) F(ADD, EXP) F(ADD, ABS) \
  F(ADD, XX) F(ADD, ABS_POW) F(ADD, NONZERO) F(MUL, X) F(MAX, X) \
  F(MAX, ABS) F(MIN, X) F(MIN, ABS) F(TOP, X)
/* clang-format on */

#define FOLD_MERGER(op)                                                                            \
  FOLD_SHARED void L(fold_merge_##op)(real * acc, const real *other, int64_t width) {              \
    L(fold_merge)(L(FOLD_##op), acc, other, width);                                                \
  }                                                                                                \
  FOLD_SHARED void L(fold_gather_##op)(real * acc, int64_t groups, int64_t width) {                \
    L(fold_gather)(L(FOLD_##op), L(fold_merge_##op), acc, groups, width);                          \
  }
#define FOLD_CHUNKER(op, term)                                                                     \
  FOLD_SHARED void L(fold_##op##_##term)(const real *x, int64_t rows, int64_t stride,              \
                                         int64_t width, const real *shift, real *acc) {            \
    if (width == FOLD_LANES)                                                                       \
      L(fold_chunk)(L(FOLD_##op), L(FOLD_##term), x, rows, stride, FOLD_LANES, shift, acc);        \
    else                                                                                           \
      L(fold_chunk)(L(FOLD_##op), L(FOLD_##term), x, rows, stride, width, shift, acc);             \
  }
FOLD_OPS(FOLD_MERGER)
FOLD_PAIRS(FOLD_CHUNKER)

/* These are looked up at compile time. */
FOLD_INLINE L(fold_merger) * L(fold_merger_of)(L(fold_op) op) {
#define FOLD_CASE(o)                                                                               \
  if (op == L(FOLD_##o)) return L(fold_merge_##o);
  FOLD_OPS(FOLD_CASE)
#undef FOLD_CASE
  return NULL;
}

FOLD_INLINE L(fold_gatherer) * L(fold_gatherer_of)(L(fold_op) op) {
#define FOLD_CASE(o)                                                                               \
  if (op == L(FOLD_##o)) return L(fold_gather_##o);
  FOLD_OPS(FOLD_CASE)
#undef FOLD_CASE
  return NULL;
}

FOLD_INLINE L(fold_chunker) * L(fold_chunker_of)(L(fold_op) op, L(fold_term) term) {
#define FOLD_CASE(o, t)                                                                            \
  if (op == L(FOLD_##o) && term == L(FOLD_##t)) return L(fold_##o##_##t);
  FOLD_PAIRS(FOLD_CASE)
#undef FOLD_CASE
  return NULL;
}

/* Not for a constant 0, which gcc would store by a slow `rep stos`. */
FOLD_INLINE void L(fold_spread)(real value, real *lanes) {
#pragma omp simd
  for (int l = 0; l < FOLD_LANES; l++) lanes[l] = value;
}

/* acc[l] = fold over all rows of columns l < width. Partial results wait on a stack; chunk number c
 * (from 1) ends as many pairs as c has trailing zero bits. */
FOLD_SHARED void L(fold_rows)(real identity, L(fold_merger) * merge, L(fold_chunker) * chunk,
                              const real *x, int64_t rows, int64_t stride, int64_t width,
                              const real *shift, real *acc) {
  real stack[FOLD_LEVELS][FOLD_LANES];
  int depth = 0;
  for (int64_t r = 0, number = 1; r < rows; r += FOLD_CHUNK, number++) {
    int64_t count = rows - r < FOLD_CHUNK ? rows - r : FOLD_CHUNK;
    L(fold_spread)(identity, stack[depth]);
    chunk(x + r * stride, count, stride, width, shift, stack[depth++]);
    for (int64_t c = number; !(c & 1); c >>= 1, depth--)
      merge(stack[depth - 2], stack[depth - 1], width);
  }
  for (; depth > 1; depth--) merge(stack[depth - 2], stack[depth - 1], width);
  memcpy(acc, stack[0], (size_t)width * sizeof *acc);
}

FOLD_SHARED void L(fold_columns)(real identity, L(fold_merger) * merge, L(fold_gatherer) * gather,
                                 L(fold_chunker) * chunk, const real *x, int64_t n, int64_t inner,
                                 int64_t width, const real *shift, real *y) {
  real wide[FOLD_LANES], acc[FOLD_LANES];
  int64_t groups = width < inner ? 1 : FOLD_LANES / width;
  if (groups > n) groups = n > 0 ? n : 1;
  int64_t lanes = groups * width, rows = n / groups, tail = (n - rows * groups) * width;
  L(fold_spread)(identity, acc);
  if (!shift)
    shift = acc; /* never looked at: the term takes none */
  else if (groups > 1) {
    if (width == 1) L(fold_spread)(*shift, wide);
    for (int64_t l = 0; width > 1 && l < lanes; l += width)
      for (int64_t j = 0; j < width; j++) wide[l + j] = shift[j];
    shift = wide;
  }
  int64_t stride = groups > 1 ? lanes : inner;
  if (rows <= FOLD_CHUNK)
    chunk(x, rows, stride, lanes, shift, acc);
  else
    L(fold_rows)(identity, merge, chunk, x, rows, stride, lanes, shift, acc);
  if (tail > 0) chunk(x + rows * stride, 1, stride, tail, shift, acc);
  if (groups > 1) gather(acc, groups, width);
  memcpy(y, acc, (size_t)width * sizeof *y);
}

/* y[j] = fold over i < n of f(x[i * inner + j]) for j < width <= FOLD_LANES, where x points at the
 * first of these columns. shift: one value a column, not looked at where f takes none. */
FOLD_INLINE void L(fold)(L(fold_op) op, L(fold_term) term, const real *x, int64_t n, int64_t inner,
                         int64_t width, const real *shift, real *y) {
  bool shifted =
      term == L(FOLD_D) || term == L(FOLD_DD) || term == L(FOLD_EXP) || term == L(FOLD_ABS_POW);
  L(fold_columns)
  (L(fold_identity)(op), L(fold_merger_of)(op), L(fold_gatherer_of)(op),
   L(fold_chunker_of)(op, term), x, n, inner, width, shifted ? shift : NULL, y);
}

/* The fold of one row. */
FOLD_INLINE real L(fold_row)(L(fold_op) op, L(fold_term) term, const real *x, int64_t n,
                             real shift) {
  real y;
  L(fold)(op, term, x, n, 1, 1, &shift, &y);
  return y;
}

/* Asks for the row that follows x, to be read, and y, to be written, while these are worked on: the
 * processor by itself foresees them too late. Not for rows that would drive each other out. */
FOLD_INLINE void L(prefetch_next_row)(const real *x, const real *y, int64_t cols) {
  const int64_t line = 64 / (int64_t)sizeof(real);
  for (int64_t i = cols; cols <= 128 * line && i < 2 * cols; i += line) {
    __builtin_prefetch(x + i);
    __builtin_prefetch(y + i, 1);
  }
}
