/* The pure face: reductions (src/pure/reduce.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_REDUCE_H
#define RILL_PURE_REDUCE_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x is [outer, n, inner] and is reduced over the middle: y is [outer, inner]. A dim reduced alone has
 * inner = the product of the dims behind it; all of a tensor is [1, n, 1]. */

/* torch.sum and torch.mean. Sums run pairwise, so that the rounding error grows with log n. Where n
 * is 0 the sum is 0 and the mean NaN. */
RILL_API void rill_sum_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_sum_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_mean_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_mean_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);

/* grad_x[o, i, j] = grad[o, j], for the mean divided by n. */
RILL_API void rill_sum_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_sum_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_mean_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                     int64_t inner);
RILL_API void rill_mean_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                     int64_t inner);

/* torch.var: the sum of squared deviations over max(0, n - correction). mean: [outer, inner], kept
 * for the backward, or NULL. */
RILL_API void rill_var_f32(const float *x, double correction, float *y, float *mean, int64_t outer,
                           int64_t n, int64_t inner);
RILL_API void rill_var_f64(const double *x, double correction, double *y, double *mean,
                           int64_t outer, int64_t n, int64_t inner);

/* grad_x = grad * 2 / (n - correction) * (x - mean); it may be x. */
RILL_API void rill_var_backward_f32(const float *grad, const float *x, const float *mean,
                                    double correction, float *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_var_backward_f64(const double *grad, const double *x, const double *mean,
                                    double correction, double *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);

/* torch.max and torch.min over a dim, and with y = NULL torch.argmax and torch.argmin. NaN wins over
 * all; of equals the first index is taken. y or index may be NULL.
 * RILL_ERROR_SHAPE where n is 0 and there is something to write. */
RILL_API rill_status rill_max_f32(const float *x, float *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_max_f64(const double *x, double *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_min_f32(const float *x, float *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_min_f64(const double *x, double *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);

/* The backward of both: grad where index points, 0 elsewhere. RILL_ERROR_INDEX where an index is not
 * in [0, n). */
RILL_API rill_status rill_max_backward_f32(const float *grad, const int64_t *index, float *grad_x,
                                           int64_t outer, int64_t n, int64_t inner);
RILL_API rill_status rill_max_backward_f64(const double *grad, const int64_t *index, double *grad_x,
                                           int64_t outer, int64_t n, int64_t inner);

/* torch.logsumexp; -inf where n is 0. */
RILL_API void rill_logsumexp_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_logsumexp_f64(const double *x, double *y, int64_t outer, int64_t n,
                                 int64_t inner);

/* y: the result of the forward. grad_x = grad * exp(x - y); it may be x. */
RILL_API void rill_logsumexp_backward_f32(const float *grad, const float *x, const float *y,
                                          float *grad_x, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_logsumexp_backward_f64(const double *grad, const double *x, const double *y,
                                          double *grad_x, int64_t outer, int64_t n, int64_t inner);

/* torch.linalg.vector_norm of order p: any number, 0 (counts what is not zero), inf or -inf. */
RILL_API void rill_norm_f32(const float *x, double p, float *y, int64_t outer, int64_t n,
                            int64_t inner);
RILL_API void rill_norm_f64(const double *x, double p, double *y, int64_t outer, int64_t n,
                            int64_t inner);

/* y: the result of the forward. As in PyTorch, the gradient is 0 at a zero norm, and p = inf or -inf
 * shares it among the elements that attain the norm. */
RILL_API void rill_norm_backward_f32(const float *grad, const float *x, const float *y, double p,
                                     float *grad_x, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_norm_backward_f64(const double *grad, const double *x, const double *y, double p,
                                     double *grad_x, int64_t outer, int64_t n, int64_t inner);

/* torch.prod; 1 where n is 0. The backward is right where x has zeros. */
RILL_API void rill_prod_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_backward_f32(const float *grad, const float *x, float *grad_x,
                                     int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_backward_f64(const double *grad, const double *x, double *grad_x,
                                     int64_t outer, int64_t n, int64_t inner);

/* torch.cumsum along the middle: y is [outer, n, inner], added up in double. y may be x. */
RILL_API void rill_cumsum_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_cumsum_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);

/* The sum of grad from each place to the end. grad_x may be grad. */
RILL_API void rill_cumsum_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                       int64_t inner);
RILL_API void rill_cumsum_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                       int64_t inner);

#ifdef __cplusplus
}
#endif

#endif
