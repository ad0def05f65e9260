/* The pure face: indexing (src/pure/index.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_INDEX_H
#define RILL_PURE_INDEX_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All return RILL_ERROR_INDEX, having written nothing, where an index is negative or too large. The
 * scatters add to their output in the order of the indices. */

/* y[i] = weight[index[i]], rows of `width`: torch.nn.functional.embedding, index_select. */
RILL_API rill_status rill_gather_rows_f32(const float *weight, int64_t rows, int64_t width,
                                          const int64_t *index, int64_t n, float *y);
RILL_API rill_status rill_gather_rows_f64(const double *weight, int64_t rows, int64_t width,
                                          const int64_t *index, int64_t n, double *y);

/* weight[index[i]] += src[i]: the backward of the above, torch.Tensor.index_add_. */
RILL_API rill_status rill_scatter_add_rows_f32(const float *src, const int64_t *index, int64_t n,
                                               int64_t width, int64_t rows, float *weight);
RILL_API rill_status rill_scatter_add_rows_f64(const double *src, const int64_t *index, int64_t n,
                                               int64_t width, int64_t rows, double *weight);

/* torch.gather: y[o, i, j] = x[o, index[o, i, j], j], where x is [outer, n, inner] and index and y
 * are [outer, m, inner]. */
RILL_API rill_status rill_gather_f32(const float *x, const int64_t *index, float *y, int64_t outer,
                                     int64_t n, int64_t m, int64_t inner);
RILL_API rill_status rill_gather_f64(const double *x, const int64_t *index, double *y,
                                     int64_t outer, int64_t n, int64_t m, int64_t inner);

/* x[o, index[o, i, j], j] += src[o, i, j]: the backward of the above, torch.scatter_add. */
RILL_API rill_status rill_scatter_add_f32(const float *src, const int64_t *index, float *x,
                                          int64_t outer, int64_t n, int64_t m, int64_t inner);
RILL_API rill_status rill_scatter_add_f64(const double *src, const int64_t *index, double *x,
                                          int64_t outer, int64_t n, int64_t m, int64_t inner);

/* The backward of unfold (torch.Tensor.unfold), whose forward is a strided copy: grad [outer, windows,
 * inner, size] is added up into grad_x [outer, n, inner], window w at w * step, zeros where none lies;
 * in the order of the windows. */
RILL_API void rill_unfold_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                       int64_t inner, int64_t windows, int64_t size, int64_t step);
RILL_API void rill_unfold_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                       int64_t inner, int64_t windows, int64_t size, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
