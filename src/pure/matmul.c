/* Matrix products: small ones on register tiles, which the attention kernel shares, where they beat
 * the CBLAS because it need not be set up; large ones by the CBLAS, unless that is an OpenBLAS which
 * does not know the processor and so runs its oldest SSE code at a quarter of the tiles' speed. */
#include "pure/kernel.h"
#include "pure/gemm.h"
#include "pure/tile.h"
#include <cblas.h>
#include <limits.h>
#include <string.h>

#define VEC_BYTES (TILE_LANES * (int)sizeof(real))
typedef real L(vec) __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));
typedef real L(quad)
    __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

/* A vector of dots, of at least four reals. */
#define DOT_LANES (TILE_LANES < 4 ? 4 : TILE_LANES)
#define DOT_BYTES (DOT_LANES * (int)sizeof(real))
#define QUADS     (DOT_LANES / 4)
typedef real L(dot) __attribute__((vector_size(DOT_BYTES), aligned(sizeof(real)), may_alias));
#define vec  L(vec)
#define quad L(quad)

/* The tile's rows: with two vectors a row, as many accumulators as the registers hold. */
#if defined KERNEL_AVX512
#define TILE_ROWS 12
#elif defined KERNEL_AVX2
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif

#define TILE_COLS  (2 * TILE_LANES)
#define BLOCK_ROWS (4 * TILE_ROWS)
#define DEPTH      256 /* of a packed panel: DEPTH * TILE_COLS reals stay in the L1 cache */
#define INLINE     static inline __attribute__((always_inline))

/* One register tile. rows and vectors are constants at every call, so the loops unroll and `t`
 * lives in registers. */
INLINE void L(tile)(const int rows, const int vectors, int64_t k, const real *a, int64_t a_row,
                    int64_t a_col, const real *b, int64_t ldb, real *c, int64_t ldc, bool add) {
  vec t[TILE_ROWS < 8 ? 8 : TILE_ROWS][8];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++)
      t[i][v] = add ? *(const vec *)(c + i * ldc + v * TILE_LANES) : (vec){0};
  for (int64_t p = 0; p < k; p++) {
    vec x[8];
    for (int v = 0; v < vectors; v++) x[v] = *(const vec *)(b + v * TILE_LANES);
    for (int i = 0; i < rows; i++)
      for (int v = 0; v < vectors; v++) t[i][v] += a[i * a_row] * x[v];
    a += a_col;
    b += ldb;
  }
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) *(vec *)(c + i * ldc + v * TILE_LANES) = t[i][v];
}

/* A column of tiles, `vectors` wide: whole tiles, then the rows that are left by halves. */
INLINE void L(column)(const int vectors, int64_t m, int64_t k, const real *a, int64_t a_row,
                      int64_t a_col, const real *b, int64_t ldb, real *c, int64_t ldc, bool add) {
  for (; m >= TILE_ROWS; m -= TILE_ROWS, a += TILE_ROWS * a_row, c += TILE_ROWS * ldc)
    L(tile)(TILE_ROWS, vectors, k, a, a_row, a_col, b, ldb, c, ldc, add);
#if TILE_ROWS > 8
  if (m >= 8) {
    L(tile)(8, vectors, k, a, a_row, a_col, b, ldb, c, ldc, add);
    m -= 8, a += 8 * a_row, c += 8 * ldc;
  }
#endif
#if TILE_ROWS > 4
  if (m >= 4) {
    L(tile)(4, vectors, k, a, a_row, a_col, b, ldb, c, ldc, add);
    m -= 4, a += 4 * a_row, c += 4 * ldc;
  }
#endif
  if (m >= 2) {
    L(tile)(2, vectors, k, a, a_row, a_col, b, ldb, c, ldc, add);
    m -= 2, a += 2 * a_row, c += 2 * ldc;
  }
  if (m) L(tile)(1, vectors, k, a, a_row, a_col, b, ldb, c, ldc, add);
}

void L(tile_multiply)(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                      const real *b, int64_t ldb, real *c, int64_t ldc, bool add) {
  if (m <= 2) /* more columns at a time, or the loop would wait for its own sums */
    for (; n >= 8 * TILE_LANES; n -= 8 * TILE_LANES, b += 8 * TILE_LANES, c += 8 * TILE_LANES)
      for (int64_t i = 0; i < m; i++)
        L(tile)(1, 8, k, a + i * a_row, a_row, a_col, b, ldb, c + i * ldc, ldc, add);
  for (; n >= TILE_COLS; n -= TILE_COLS, b += TILE_COLS, c += TILE_COLS)
    L(column)(2, m, k, a, a_row, a_col, b, ldb, c, ldc, add);
  if (n) L(column)(1, m, k, a, a_row, a_col, b, ldb, c, ldc, add);
}

/* Four rows of four at a time: four loads, eight shuffles, four stores. */
void L(tile_transpose)(int64_t rows, int64_t cols, const real *src, int64_t src_row, real scale,
                       real *dst, int64_t dst_row) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const real *s = src + r * src_row;
    real *d = dst + r;
    int64_t c = 0;
    for (; c + 4 <= cols; c += 4) {
      quad x0 = *(const quad *)(s + c), x1 = *(const quad *)(s + src_row + c);
      quad x2 = *(const quad *)(s + 2 * src_row + c), x3 = *(const quad *)(s + 3 * src_row + c);
      quad y0 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
      quad y1 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
      quad y2 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
      quad y3 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
      *(quad *)(d + c * dst_row) = scale * __builtin_shufflevector(y0, y1, 0, 1, 4, 5);
      *(quad *)(d + (c + 1) * dst_row) = scale * __builtin_shufflevector(y0, y1, 2, 3, 6, 7);
      *(quad *)(d + (c + 2) * dst_row) = scale * __builtin_shufflevector(y2, y3, 0, 1, 4, 5);
      *(quad *)(d + (c + 3) * dst_row) = scale * __builtin_shufflevector(y2, y3, 2, 3, 6, 7);
    }
    for (; c < cols; c++)
      for (int i = 0; i < 4; i++) d[c * dst_row + i] = scale * s[i * src_row + c];
  }
  for (; r < rows; r++)
    for (int64_t c = 0; c < cols; c++) dst[c * dst_row + r] = scale * src[r * src_row + c];
}

/* ---- products of the caller's matrices -------------------------------------------------------- */

typedef struct L(product) {
  int64_t m, n, k;
  const real *a, *b;
  int64_t a_row, a_col, b_row, b_col, ldc;
  real alpha, beta;
  real *c;
} L(product);

/* c = beta * c, where 0 overwrites (a NaN in c does not survive it). */
static void L(scale)(const L(product) * g) {
  for (int64_t i = 0; i < g->m; i++) {
    real *c = g->c + i * g->ldc;
    if (g->beta == 0)
      for (int64_t j = 0; j < g->n; j++) c[j] = 0;
    else
      for (int64_t j = 0; j < g->n; j++) c[j] *= g->beta;
  }
}

/* alpha * b[p0 .. p0+k, j0 .. j0+n] as rows of `width`, zeros to the right. */
static void L(pack)(const L(product) * g, int64_t p0, int64_t k, int64_t j0, int64_t n, real *panel,
                    int64_t width) {
  const real *b = g->b + p0 * g->b_row + j0 * g->b_col;
  if (n < width) memset(panel, 0, (size_t)(k * width) * sizeof(real));
  if (g->b_col != 1) {
    L(tile_transpose)(n, k, b, g->b_col, g->alpha, panel, width);
    return;
  }
  for (int64_t p = 0; p < k; p++) {
    const real *row = b + p * g->b_row;
    real *out = panel + p * width;
    if (n == TILE_COLS)
      for (int j = 0; j < TILE_COLS; j++) out[j] = g->alpha * row[j];
    else
      for (int64_t j = 0; j < n; j++) out[j] = g->alpha * row[j];
  }
}

/* Panels of b are packed in turn and met by all rows of a, which are read where they lie. At the edge
 * what c holds goes through a tile too, so that an element is added up alike wherever it lies. */
static void L(panels)(const L(product) * g) {
  real panel[DEPTH * TILE_COLS], edge[TILE_ROWS * TILE_COLS];
  if (g->beta != 0 && g->beta != 1) L(scale)(g);
  for (int64_t j = 0; j < g->n; j += TILE_COLS) {
    int64_t n = g->n - j < TILE_COLS ? g->n - j : TILE_COLS;
    int64_t width = (n + TILE_LANES - 1) / TILE_LANES * TILE_LANES;
    for (int64_t p = 0; p < g->k; p += DEPTH) {
      int64_t k = g->k - p < DEPTH ? g->k - p : DEPTH, ldb = width;
      bool add = p > 0 || g->beta != 0;
      const real *b = panel, *a = g->a + p * g->a_col;
      if (g->b_col == 1 && g->alpha == 1 && n == width && g->m <= 2 * TILE_ROWS)
        b = g->b + p * g->b_row + j, ldb = g->b_row;
      else
        L(pack)(g, p, k, j, n, panel, width);
      if (n == width) {
        L(tile_multiply)(g->m, n, k, a, g->a_row, g->a_col, b, ldb, g->c + j, g->ldc, add);
        continue;
      }
      for (int64_t i = 0; i < g->m; i += TILE_ROWS) {
        int64_t m = g->m - i < TILE_ROWS ? g->m - i : TILE_ROWS;
        for (int64_t r = 0; r < m && add; r++) {
          memcpy(edge + r * width, g->c + (i + r) * g->ldc + j, (size_t)n * sizeof(real));
          memset(edge + r * width + n, 0, (size_t)(width - n) * sizeof(real));
        }
        L(tile_multiply)
        (m, width, k, a + i * g->a_row, g->a_row, g->a_col, b, ldb, edge, width, add);
        for (int64_t r = 0; r < m; r++)
          memcpy(g->c + (i + r) * g->ldc + j, edge + r * width, (size_t)n * sizeof(real));
      }
    }
  }
}

/* A transposed a that is tall: blocks of it are copied out first, since its columns, a row's length
 * apart, would fight for the same few lines of the cache. */
static void L(blocks)(const L(product) * g) {
  real block[DEPTH * BLOCK_ROWS];
  for (int64_t i = 0; i < g->m; i += BLOCK_ROWS)
    for (int64_t p = 0; p < g->k; p += DEPTH) {
      L(product) part = *g;
      part.m = g->m - i < BLOCK_ROWS ? g->m - i : BLOCK_ROWS;
      part.k = g->k - p < DEPTH ? g->k - p : DEPTH;
      for (int64_t q = 0; q < part.k; q++)
        memcpy(block + q * BLOCK_ROWS, g->a + i + (p + q) * g->a_col,
               (size_t)part.m * sizeof(real));
      part.a = block, part.a_col = BLOCK_ROWS;
      part.b += p * g->b_row;
      part.c += i * g->ldc;
      if (p) part.beta = 1;
      L(panels)(&part);
    }
}

/* The sums of four vectors, at their quads' lanes 0 to 3. */
INLINE void L(sums)(const quad *t, quad *sum) {
  quad s[4];
  for (int q = 0; q < 4; q++) {
    s[q] = t[q * QUADS];
    for (int v = 1; v < QUADS; v++) s[q] += t[q * QUADS + v];
  }
  quad x = __builtin_shufflevector(s[0], s[1], 0, 4, 1, 5) +
           __builtin_shufflevector(s[0], s[1], 2, 6, 3, 7);
  quad y = __builtin_shufflevector(s[2], s[3], 0, 4, 1, 5) +
           __builtin_shufflevector(s[2], s[3], 2, 6, 3, 7);
  *sum = __builtin_shufflevector(x, y, 0, 1, 4, 5) + __builtin_shufflevector(x, y, 2, 3, 6, 7);
}

/* For few rows of a, or few columns of b, where packing costs more than the product: each element is
 * the dot product of a row of a with a column of b, both contiguous. Four columns at a time. */
static void L(dots)(const L(product) * g) {
  int64_t whole = g->k / DOT_LANES * DOT_LANES;
  for (int64_t j = 0; j < g->n; j += 4) {
    int64_t left = g->n - j < 4 ? g->n - j : 4;
    const real *b0 = g->b + j * g->b_col, *b1 = left > 1 ? b0 + g->b_col : b0;
    const real *b2 = left > 2 ? b1 + g->b_col : b0, *b3 = left > 3 ? b2 + g->b_col : b0;
    for (int64_t i = 0; i < g->m; i++) {
      const real *a = g->a + i * g->a_row;
      L(dot) t[4] = {{0}, {0}, {0}, {0}};
      for (int64_t p = 0; p < whole; p += DOT_LANES) {
        L(dot) x = *(const L(dot) *)(a + p);
        t[0] += x * *(const L(dot) *)(b0 + p);
        t[1] += x * *(const L(dot) *)(b1 + p);
        t[2] += x * *(const L(dot) *)(b2 + p);
        t[3] += x * *(const L(dot) *)(b3 + p);
      }
      quad s;
      L(sums)((const quad *)t, &s);
      for (int64_t p = whole; p < g->k; p++) s += a[p] * (quad){b0[p], b1[p], b2[p], b3[p]};
      real out[4], *c = g->c + i * g->ldc + j;
      *(quad *)out = g->alpha * s;
      for (int64_t q = 0; q < left; q++) c[q] = out[q] + (g->beta == 0 ? 0 : g->beta * c[q]);
    }
  }
}

#if defined KERNEL_F32
#define CBLAS_GEMM cblas_sgemm
#else
#define CBLAS_GEMM cblas_dgemm
#endif
/* Multiplications from which on the CBLAS is faster, measured against OpenBLAS's kernels for the
 * same instruction set. */
#if defined KERNEL_BASELINE
#define CBLAS_VOLUME 4096
#else
#define CBLAS_VOLUME 20e6
#endif

extern char *openblas_get_corename(void) __attribute__((weak));

/* OpenBLAS falls back to its code for the Prescott on a processor it has not heard of. */
static bool L(cblas_fits)(void) {
#if !defined KERNEL_BASELINE
  if (openblas_get_corename && !strcmp(openblas_get_corename(), "Prescott")) return false;
#endif
  return true;
}

/* Is a product of these sizes the CBLAS's? By what one stretch of it takes, since that is what the
 * CBLAS gets. */
static bool L(is_cblas)(int64_t m, int64_t n, int64_t k) {
  gemm_cut cut = gemm_cut_of(m, n, k);
  double volume = (double)cut.length * (double)(cut.columns ? m : n) * (double)k;
  return volume > CBLAS_VOLUME && L(cblas_fits)();
}

/* False for sizes that the CBLAS's int does not hold. */
static bool L(cblas)(const L(product) * g) {
  /* Both strides are 1 where k is: only one way of reading then has rows as long as they must be. */
  bool trans_a = g->a_col != 1 || g->a_row < g->k, trans_b = g->b_col != 1 || g->b_row < g->n;
  int64_t lda = trans_a ? g->a_col : g->a_row, ldb = trans_b ? g->b_col : g->b_row;
  int64_t sizes[] = {g->m, g->n, g->k, lda, ldb, g->ldc};
  for (int i = 0; i < 6; i++)
    if (sizes[i] > INT_MAX) return false;
  CBLAS_GEMM(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
             trans_b ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n, (int)g->k, g->alpha, g->a,
             (int)lda, g->b, (int)ldb, g->beta, g->c, (int)g->ldc);
  return true;
}

static L(product) L(product_of)(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                                real alpha, const real *a, int64_t lda, const real *b, int64_t ldb,
                                real beta, real *c, int64_t ldc) {
  return (L(product)){m,
                      n,
                      k,
                      a,
                      b,
                      trans_a ? 1 : lda,
                      trans_a ? lda : 1,
                      trans_b ? 1 : ldb,
                      trans_b ? ldb : 1,
                      ldc,
                      alpha,
                      beta,
                      c};
}

/* A stretch of a product that is of_m by of_n in all. These decide how it is made, for the same bits
 * however it is cut: dots and tiles add up each element by itself, while the CBLAS must be handed one
 * and the same stretches. */
static void L(multiply)(L(product) g, int64_t of_m, int64_t of_n) {
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0 || g.alpha == 0) {
    if (g.beta != 1) L(scale)(&g);
    return;
  }
  /* A vector is a row as well as a column: see it as what the loops below like better. */
  if (g.n == 1 && g.ldc == 1 && g.m > 1)
    g = (L(product)){1,       g.m,     g.k, g.b,     g.a,    g.b_col, g.b_row,
                     g.a_col, g.a_row, g.m, g.alpha, g.beta, g.c};
  if (g.n == 1 && g.b_row == 1) g.b_col = g.k;
  if (g.m == 1 && g.a_col == 1) g.a_row = g.k;
  if (g.a_col == 1 && g.b_row == 1 && (of_m <= 4 || of_n <= 4)) {
    L(dots)(&g);
    return;
  }
  if (L(is_cblas)(of_m, of_n, g.k) && L(cblas)(&g)) return;
  if (g.a_row == 1 && g.m > BLOCK_ROWS && g.k > 64)
    L(blocks)(&g);
  else
    L(panels)(&g);
}

#define PRODUCT L(product_of)(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

KERNEL(gemm_piece,
       (bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, real alpha, const real *a,
        int64_t lda, const real *b, int64_t ldb, real beta, real *c, int64_t ldc, int64_t of_m,
        int64_t of_n),
       (trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, of_m, of_n)) {
  L(multiply)(PRODUCT, of_m, of_n);
}

KERNEL(gemm,
       (bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, real alpha, const real *a,
        int64_t lda, const real *b, int64_t ldb, real beta, real *c, int64_t ldc),
       (trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) {
  L(product) g = PRODUCT;
  gemm_cut cut = gemm_cut_of(m, n, k);
  if (cut.length >= cut.side || !L(is_cblas)(m, n, k)) {
    L(multiply)(g, m, n);
    return;
  }
  for (int64_t i = 0; i < cut.side; i += cut.length) {
    int64_t end = cut.side - i < cut.length ? cut.side : i + cut.length;
    gemm_piece p = gemm_piece_of(&cut, i, end, trans_a, trans_b, m, n, lda, ldb, ldc);
    L(product) part = g;
    part.m = p.m, part.n = p.n;
    part.a += p.a, part.b += p.b, part.c += p.c;
    L(multiply)(part, m, n);
  }
}

#undef PRODUCT
#undef VEC_BYTES
#undef DOT_LANES
#undef DOT_BYTES
#undef QUADS
#undef vec
#undef quad
#undef TILE_ROWS
#undef TILE_COLS
#undef BLOCK_ROWS
#undef DEPTH
#undef INLINE
#undef CBLAS_GEMM
#undef CBLAS_VOLUME
