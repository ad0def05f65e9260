/* The pure face: re-entrant functions over the caller's buffers, suffixed by their dtype.
 *
 * Each allocates nothing, keeps nothing, locks nothing, starts no thread and writes only its
 * outputs. Buffers are contiguous, row-major and do not overlap unless the comment says otherwise;
 * sizes are element counts of at least 0. Functions whose arguments can be wrong return a status
 * and then write nothing. What a backward needs is saved into buffers that the caller passes; where
 * scratch is needed a _workspace function says how many bytes. Any thread, any number at once. */
#ifndef RILL_PURE_H
#define RILL_PURE_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- elementwise (src/pure/elementwise.c) ----------------------------------------------------- */

/* ---- reductions (src/pure/reduce.c) ----------------------------------------------------------- */

/* ---- softmax family (src/pure/softmax.c) ------------------------------------------------------ */

/* Softmax of each row, torch.nn.functional.softmax over the last dim. A row whose largest value is
 * -inf gives NaN, as in PyTorch. y may be x. */
RILL_API void rill_softmax_f32(const float *x, float *y, int64_t rows, int64_t cols);
RILL_API void rill_softmax_f64(const double *x, double *y, int64_t rows, int64_t cols);

/* ---- normalisation (src/pure/norm.c) ---------------------------------------------------------- */

/* ---- dropout (src/pure/dropout.c) ------------------------------------------------------------- */

/* ---- matrix products (src/pure/matmul.c) ------------------------------------------------------ */

/* ---- indexing (src/pure/index.c) -------------------------------------------------------------- */

/* ---- attention (src/pure/attention.c) --------------------------------------------------------- */

/* ---- selective scan (src/pure/selective_scan.c) ----------------------------------------------- */

/* ---- causal convolution (src/pure/causal_conv1d.c) -------------------------------------------- */

/* ---- optimizer steps (src/pure/optim.c) ------------------------------------------------------- */

#ifdef __cplusplus
}
#endif

#endif
