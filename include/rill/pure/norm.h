/* The pure face: normalisation (src/pure/norm.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_NORM_H
#define RILL_PURE_NORM_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* torch.nn.functional.layer_norm of each row: (x - mean) / sqrt(var + eps) * weight + bias, var with
 * correction 0. weight, bias: [cols] or NULL. mean, rstd: [rows], kept for the backward (rstd is
 * 1 / sqrt(var + eps)), or NULL. y may be x. */
RILL_API void rill_layer_norm_f32(const float *x, const float *weight, const float *bias,
                                  double eps, float *y, float *mean, float *rstd, int64_t rows,
                                  int64_t cols);
RILL_API void rill_layer_norm_f64(const double *x, const double *weight, const double *bias,
                                  double eps, double *y, double *mean, double *rstd, int64_t rows,
                                  int64_t cols);

/* Writes grad_x ([rows, cols]; may be grad or x) and adds to grad_weight and grad_bias ([cols]), row
 * after row; each of the three may be NULL. To split rows over threads with one and the same result,
 * call once for each block of 256 rows with parameter gradients of its own, zeroed: rows of [blocks,
 * cols], which rill_sum then adds up. So does the op, to the same bits. */
RILL_API void rill_layer_norm_backward_f32(const float *grad, const float *x, const float *weight,
                                           const float *mean, const float *rstd, float *grad_x,
                                           float *grad_weight, float *grad_bias, int64_t rows,
                                           int64_t cols);
RILL_API void rill_layer_norm_backward_f64(const double *grad, const double *x,
                                           const double *weight, const double *mean,
                                           const double *rstd, double *grad_x, double *grad_weight,
                                           double *grad_bias, int64_t rows, int64_t cols);

/* torch.nn.functional.rms_norm of each row: x / sqrt(mean(x * x) + eps) * weight. weight: [cols] or
 * NULL. rstd: [rows], kept for the backward, or NULL. y may be x. */
RILL_API void rill_rms_norm_f32(const float *x, const float *weight, double eps, float *y,
                                float *rstd, int64_t rows, int64_t cols);
RILL_API void rill_rms_norm_f64(const double *x, const double *weight, double eps, double *y,
                                double *rstd, int64_t rows, int64_t cols);

/* As rill_layer_norm_backward. */
RILL_API void rill_rms_norm_backward_f32(const float *grad, const float *x, const float *weight,
                                         const float *rstd, float *grad_x, float *grad_weight,
                                         int64_t rows, int64_t cols);
RILL_API void rill_rms_norm_backward_f64(const double *grad, const double *x, const double *weight,
                                         const double *rstd, double *grad_x, double *grad_weight,
                                         int64_t rows, int64_t cols);

#ifdef __cplusplus
}
#endif

#endif
