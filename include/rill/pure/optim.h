/* The pure face: optimizer steps (src/pure/optim.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_OPTIM_H
#define RILL_PURE_OPTIM_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each updates param and its state in one pass, with PyTorch's order of operations; to minimise. */

/* torch.optim.SGD. momentum_buffer: [n], may be NULL where momentum is 0; where `first` it is
 * written, not read. */
RILL_API void rill_sgd_f32(float *param, const float *grad, float *momentum_buffer, int64_t n,
                           double lr, double momentum, double dampening, bool nesterov,
                           double weight_decay, bool first);
RILL_API void rill_sgd_f64(double *param, const double *grad, double *momentum_buffer, int64_t n,
                           double lr, double momentum, double dampening, bool nesterov,
                           double weight_decay, bool first);

/* torch.optim.Adam (weight_decay goes into the gradient) and torch.optim.AdamW (it shrinks the
 * parameter). m, v: [n], zero before the first step. v_max: [n], zero before the first step, for
 * amsgrad; else NULL. step: 1 in the first step. */
RILL_API void rill_adam_f32(float *param, const float *grad, float *m, float *v, float *v_max,
                            int64_t n, double lr, double beta1, double beta2, double eps,
                            double weight_decay, int64_t step);
RILL_API void rill_adam_f64(double *param, const double *grad, double *m, double *v, double *v_max,
                            int64_t n, double lr, double beta1, double beta2, double eps,
                            double weight_decay, int64_t step);
RILL_API void rill_adamw_f32(float *param, const float *grad, float *m, float *v, float *v_max,
                             int64_t n, double lr, double beta1, double beta2, double eps,
                             double weight_decay, int64_t step);
RILL_API void rill_adamw_f64(double *param, const double *grad, double *m, double *v, double *v_max,
                             int64_t n, double lr, double beta1, double beta2, double eps,
                             double weight_decay, int64_t step);

/* average += (1 - decay) * (param - average) */
RILL_API void rill_ema_f32(float *average, const float *param, int64_t n, double decay);
RILL_API void rill_ema_f64(double *average, const double *param, int64_t n, double decay);

/* *sum = the sum of squares, added up in double: for clipping gradients by their norm. */
RILL_API void rill_sum_squares_f32(const float *x, int64_t n, double *sum);
RILL_API void rill_sum_squares_f64(const double *x, int64_t n, double *sum);

#ifdef __cplusplus
}
#endif

#endif
