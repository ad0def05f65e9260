/* The pure face: causal convolution (src/pure/causal_conv1d.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_CAUSAL_CONV1D_H
#define RILL_PURE_CAUSAL_CONV1D_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Depthwise causal convolution, torch.nn.functional.conv1d with groups = channels over
 * [tail, x] along time (causal_conv1d_fn of Mamba's authors):
 *   s_t = bias + sum_k weight[:, k] x_{t - (taps - 1) + k},   y = s, or silu(s) where asked for.
 * x, y [batch, steps, channels], weight [channels, taps], bias [channels]; tail [batch, taps - 1,
 * channels] holds the inputs before x, tail_out the last taps - 1 inputs up to the end of x, for
 * the steps that follow. NULL: no bias, a tail of zeros, tail_out not wanted. tail_out may be tail. */
typedef struct rill_causal_conv1d_params {
  size_t struct_size; /* sizeof(rill_causal_conv1d_params) */
  int64_t batch, steps, channels;
  int64_t taps;     /* width of the kernel, at least 1 */
  int64_t x_stride; /* elements from one step's row of x to the next one's; 0: channels */
  bool silu;
} rill_causal_conv1d_params;

#define RILL_CAUSAL_CONV1D_PARAMS_INIT RILL_STRUCT_INIT(rill_causal_conv1d_params)
RILL_API void rill_causal_conv1d_params_init(rill_causal_conv1d_params *params);

/* As rill_selective_scan_check; taps below 1: RILL_ERROR_SHAPE. */
RILL_API rill_status rill_causal_conv1d_check(const rill_causal_conv1d_params *params);

/* Units of work and bytes of buffers, as in rill/pure/selective_scan.h. Partials: batch * channels *
 * (taps + 1) elements. */
RILL_API int64_t rill_causal_conv1d_units(const rill_causal_conv1d_params *params);
RILL_API int64_t rill_causal_conv1d_reduce_units(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_workspace_f32(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_workspace_f64(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_partials_f32(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_partials_f64(const rill_causal_conv1d_params *params);

/* The convolution. RILL_ERROR_ARGUMENT where x, weight, y or the workspace is NULL or the units are
 * out of range. */
RILL_API rill_status rill_causal_conv1d_f32(const rill_causal_conv1d_params *params, const float *x,
                                            const float *weight, const float *bias,
                                            const float *tail, float *y, float *tail_out,
                                            int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_causal_conv1d_f64(const rill_causal_conv1d_params *params,
                                            const double *x, const double *weight,
                                            const double *bias, const double *tail, double *y,
                                            double *tail_out, int64_t unit_begin, int64_t unit_end,
                                            void *workspace);

/* Its gradients, given those of y and of tail_out (NULL: zeros). grad_x [batch, steps, channels]
 * and grad_tail are overwritten; either may be NULL. Those of weight and bias are left in partials, and
 * added over the batch by _reduce, whose units are another set; NULL gradients are skipped. */
RILL_API rill_status rill_causal_conv1d_backward_f32(
    const rill_causal_conv1d_params *params, const float *x, const float *weight, const float *bias,
    const float *tail, const float *grad_y, const float *grad_tail_out, float *grad_x,
    float *grad_tail, float *partials, int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_causal_conv1d_backward_f64(
    const rill_causal_conv1d_params *params, const double *x, const double *weight,
    const double *bias, const double *tail, const double *grad_y, const double *grad_tail_out,
    double *grad_x, double *grad_tail, double *partials, int64_t unit_begin, int64_t unit_end,
    void *workspace);
RILL_API rill_status rill_causal_conv1d_reduce_f32(const rill_causal_conv1d_params *params,
                                                   const float *partials, float *grad_weight,
                                                   float *grad_bias, int64_t unit_begin,
                                                   int64_t unit_end);
RILL_API rill_status rill_causal_conv1d_reduce_f64(const rill_causal_conv1d_params *params,
                                                   const double *partials, double *grad_weight,
                                                   double *grad_bias, int64_t unit_begin,
                                                   int64_t unit_end);

#ifdef __cplusplus
}
#endif

#endif
