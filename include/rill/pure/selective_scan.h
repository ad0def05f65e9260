/* The pure face: the selective scan (src/pure/selective_scan.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_SELECTIVE_SCAN_H
#define RILL_PURE_SELECTIVE_SCAN_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The selective scan of Mamba (Gu and Dao 2023; selective_scan_fn of the authors' package):
 *   dt = delta + delta_bias, through softplus where asked for
 *   h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t,   y_t = (C_t . h_t + D u_t) silu(z_t)
 * for each channel, over h of `states` numbers. u, delta, z [batch, steps, channels], A [channels,
 * states], B, C [batch, steps, states], D, delta_bias [channels], states h0, hT [batch, channels,
 * states], y [batch, steps, channels]. NULL: no D, no gate z, no delta_bias, h0 of zeros, hT not
 * wanted. hT may be h0. */
typedef struct rill_selective_scan_params {
  size_t struct_size; /* sizeof(rill_selective_scan_params) */
  int64_t batch, steps, channels, states;
  int64_t u_stride, delta_stride, z_stride; /* elements from one step's row to the next one's, so
                                that these may be slices of a wider [batch, steps, ...] tensor;
                                0: channels. A batch entry is `steps` such rows. */
  int64_t B_stride, C_stride;               /* likewise; 0: states */
  bool delta_softplus;
} rill_selective_scan_params;

#define RILL_SELECTIVE_SCAN_PARAMS_INIT RILL_STRUCT_INIT(rill_selective_scan_params)
RILL_API void rill_selective_scan_params_init(rill_selective_scan_params *params);

/* RILL_ERROR_ARGUMENT: NULL or a wrong struct_size. RILL_ERROR_SHAPE: a negative size, or a stride
 * below its row. RILL_ERROR_OVERFLOW: a buffer or query would not fit in memory. */
RILL_API rill_status rill_selective_scan_check(const rill_selective_scan_params *params);

/* Work is cut into units, each one batch entry times a block of 128 channels. A call does those of
 * [unit_begin, unit_end); calls may run at the same time, each with a workspace of its own, and any
 * split gives the same bits. 0 where the params are wrong. */
RILL_API int64_t rill_selective_scan_units(const rill_selective_scan_params *params);
RILL_API int64_t rill_selective_scan_reduce_units(const rill_selective_scan_params *params);

/* Bytes of the buffers below; 0 where the params are wrong. Workspace: for one call at a time, best
 * aligned to 64; grows with `states` alone. Checkpoints: the state at every 16th step, channels
 * rounded up to whole blocks. Partials: what units add to together in the backward,
 * batch * channels * (states + 2) + 2 * units * steps * states elements. */
RILL_API size_t rill_selective_scan_workspace_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_workspace_f64(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_checkpoints_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_checkpoints_f64(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_partials_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_partials_f64(const rill_selective_scan_params *params);

/* The scan. checkpoints: for the backward to come; NULL where none will. With steps = 1 and no
 * checkpoints (decoding) nothing is transposed. RILL_ERROR_ARGUMENT where another buffer is NULL or
 * the units are out of range. */
RILL_API rill_status rill_selective_scan_f32(const rill_selective_scan_params *params,
                                             const float *u, const float *delta, const float *A,
                                             const float *B, const float *C, const float *D,
                                             const float *z, const float *delta_bias,
                                             const float *h0, float *y, float *hT,
                                             float *checkpoints, int64_t unit_begin,
                                             int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_f64(const rill_selective_scan_params *params,
                                             const double *u, const double *delta, const double *A,
                                             const double *B, const double *C, const double *D,
                                             const double *z, const double *delta_bias,
                                             const double *h0, double *y, double *hT,
                                             double *checkpoints, int64_t unit_begin,
                                             int64_t unit_end, void *workspace);

/* Its gradients, for the inputs and checkpoints of the forward and the gradients of y and hT (NULL:
 * zeros). grad_u, grad_delta, grad_z [batch, steps, channels] and grad_h0 are overwritten; any may
 * be NULL. The others are sums over units: each unit leaves its part in partials, and when all are
 * done _reduce adds the parts in a fixed order. Its units are another set (reduce_units); NULL
 * gradients are skipped. */
RILL_API rill_status rill_selective_scan_backward_f32(
    const rill_selective_scan_params *params, const float *u, const float *delta, const float *A,
    const float *B, const float *C, const float *D, const float *z, const float *delta_bias,
    const float *checkpoints, const float *grad_y, const float *grad_hT, float *grad_u,
    float *grad_delta, float *grad_z, float *grad_h0, float *partials, int64_t unit_begin,
    int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_backward_f64(
    const rill_selective_scan_params *params, const double *u, const double *delta, const double *A,
    const double *B, const double *C, const double *D, const double *z, const double *delta_bias,
    const double *checkpoints, const double *grad_y, const double *grad_hT, double *grad_u,
    double *grad_delta, double *grad_z, double *grad_h0, double *partials, int64_t unit_begin,
    int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_reduce_f32(const rill_selective_scan_params *params,
                                                    const float *partials, float *grad_A,
                                                    float *grad_B, float *grad_C, float *grad_D,
                                                    float *grad_delta_bias, int64_t unit_begin,
                                                    int64_t unit_end);
RILL_API rill_status rill_selective_scan_reduce_f64(const rill_selective_scan_params *params,
                                                    const double *partials, double *grad_A,
                                                    double *grad_B, double *grad_C, double *grad_D,
                                                    double *grad_delta_bias, int64_t unit_begin,
                                                    int64_t unit_end);

#ifdef __cplusplus
}
#endif

#endif
