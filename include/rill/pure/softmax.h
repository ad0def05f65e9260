/* The pure face: the softmax family (src/pure/softmax.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_SOFTMAX_H
#define RILL_PURE_SOFTMAX_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Softmax of each row, torch.nn.functional.softmax over the last dim. A row that is -inf throughout
 * or has +inf or NaN gives NaN, as in PyTorch; results below the smallest normal number are 0. y may
 * be x. */
RILL_API void rill_softmax_f32(const float *x, float *y, int64_t rows, int64_t cols);
RILL_API void rill_softmax_f64(const double *x, double *y, int64_t rows, int64_t cols);

/* y: the result of rill_softmax. grad_x = (grad - sum(grad * y)) * y; it may be grad or y. */
RILL_API void rill_softmax_backward_f32(const float *grad, const float *y, float *grad_x,
                                        int64_t rows, int64_t cols);
RILL_API void rill_softmax_backward_f64(const double *grad, const double *y, double *grad_x,
                                        int64_t rows, int64_t cols);

/* Logarithm of the softmax of each row, torch.nn.functional.log_softmax. y may be x. */
RILL_API void rill_log_softmax_f32(const float *x, float *y, int64_t rows, int64_t cols);
RILL_API void rill_log_softmax_f64(const double *x, double *y, int64_t rows, int64_t cols);

/* y: the result of rill_log_softmax. grad_x = grad - exp(y) * sum(grad); it may be grad or y. */
RILL_API void rill_log_softmax_backward_f32(const float *grad, const float *y, float *grad_x,
                                            int64_t rows, int64_t cols);
RILL_API void rill_log_softmax_backward_f64(const double *grad, const double *y, double *grad_x,
                                            int64_t rows, int64_t cols);

/* torch.nn.functional.cross_entropy with class indices, one loss a row:
 *   loss = (1 - s) * weight[target] * -logp[target] + s / classes * sum over c of weight[c] * -logp[c]
 * with logp = log_softmax(logits) and s = label_smoothing in [0, 1]. weight: [classes], NULL for
 * ones. A row whose target is ignore_index has loss 0.
 * log_sum_exp: [rows], kept for the backward. row_weight: [rows] or NULL, weight[target], 0 for an
 * ignored row. PyTorch's "mean" is sum(loss) / sum(row_weight), smoothed or not.
 * RILL_ERROR_INDEX where a target is neither ignore_index nor in [0, classes). */
RILL_API rill_status rill_cross_entropy_f32(const float *logits, const int64_t *target,
                                            const float *weight, int64_t ignore_index,
                                            double label_smoothing, float *loss, float *log_sum_exp,
                                            float *row_weight, int64_t rows, int64_t classes);
RILL_API rill_status rill_cross_entropy_f64(const double *logits, const int64_t *target,
                                            const double *weight, int64_t ignore_index,
                                            double label_smoothing, double *loss,
                                            double *log_sum_exp, double *row_weight, int64_t rows,
                                            int64_t classes);

/* grad: [rows], the gradient of each row's loss (for "mean", divided by sum(row_weight)). The other
 * arguments as in the forward. grad_logits may be logits. An ignored row's gradient is 0. */
RILL_API rill_status rill_cross_entropy_backward_f32(const float *grad, const float *logits,
                                                     const float *log_sum_exp,
                                                     const int64_t *target, const float *weight,
                                                     int64_t ignore_index, double label_smoothing,
                                                     float *grad_logits, int64_t rows,
                                                     int64_t classes);
RILL_API rill_status rill_cross_entropy_backward_f64(const double *grad, const double *logits,
                                                     const double *log_sum_exp,
                                                     const int64_t *target, const double *weight,
                                                     int64_t ignore_index, double label_smoothing,
                                                     double *grad_logits, int64_t rows,
                                                     int64_t classes);

#ifdef __cplusplus
}
#endif

#endif
