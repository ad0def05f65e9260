/* How the ops cut a large matrix product: into stretches of the rows or of the columns of c, whichever
 * are more, that any thread may make. However cut, c has the bits that rill_gemm gives it. */
#ifndef RILL_SRC_PURE_GEMM_H
#define RILL_SRC_PURE_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* Products below this many multiply-adds stay in one piece: about 20 microseconds. */
#define GEMM_SPLIT ((int64_t)1 << 20)

typedef struct gemm_cut {
  bool columns;         /* cut along n, else along m */
  int64_t side, length; /* of what is cut, and of a stretch; the last may be shorter */
} gemm_cut;

/* Eight stretches of a long side, in whole register tiles. */
static inline gemm_cut gemm_cut_of(int64_t m, int64_t n, int64_t k) {
  int64_t side = n > m ? n : m, each = (side + 7) / 8;
  gemm_cut cut = {n > m, side, each < 48 ? 48 : (each + 15) / 16 * 16};
  if (k <= 0 || (m * n < GEMM_SPLIT && m * n * k < GEMM_SPLIT)) cut.length = side;
  return cut;
}

/* Stretch [begin, end): its sizes, and where its matrices begin, in elements. */
typedef struct gemm_piece {
  int64_t m, n, a, b, c;
} gemm_piece;

static inline gemm_piece gemm_piece_of(const gemm_cut *cut, int64_t begin, int64_t end,
                                       bool trans_a, bool trans_b, int64_t m, int64_t n,
                                       int64_t lda, int64_t ldb, int64_t ldc) {
  if (cut->columns) return (gemm_piece){m, end - begin, 0, begin * (trans_b ? ldb : 1), begin};
  return (gemm_piece){end - begin, n, begin * (trans_a ? 1 : lda), 0, begin * ldc};
}

/* One stretch, m by n, of a product that is of_m by of_n in all. */
void rill_gemm_piece_f32(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                         const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                         float *c, int64_t ldc, int64_t of_m, int64_t of_n);
void rill_gemm_piece_f64(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha,
                         const double *a, int64_t lda, const double *b, int64_t ldb, double beta,
                         double *c, int64_t ldc, int64_t of_m, int64_t of_n);

#endif
