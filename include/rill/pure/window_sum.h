/* The pure face of sliding-window sums and means (src/pure/window_sum*.c): of every `window` samples along
 * one dim of an array, at a cost per sample that does not grow with the window: a moving average, average
 * pooling, box filters (one call per dim). rill/pure/window.h has the params, the length, the units and
 * what modes and edges are; rill/pure.h says what holds for all pure functions. */
#ifndef RILL_PURE_WINDOW_SUM_H
#define RILL_PURE_WINDOW_SUM_H

#include "rill/pure/window.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a workspace, of any alignment, for each function below: some 100 kB, where gradients of strided
 * or cut windows are wanted up to 1 MB, and for long windows some times as much as the window or the row
 * has. 0 where the params are wrong. */
RILL_API size_t rill_window_sum_workspace_f32(const rill_window_params *params);
RILL_API size_t rill_window_sum_workspace_f64(const rill_window_params *params);

/* Sums, and means of what each window sees, of units unit_begin .. unit_end. Means divide by `window`, with
 * RILL_WINDOW_IGNORE by the samples that lie inside, and with RILL_WINDOW_NAN_IGNORE by those that are not
 * NaN (and sums leave NaN out, as torch.nansum and nanmean). What sees nothing has the sum 0 and the mean
 * NaN. A sum of zeros is +0. `last` and pad_integer are not looked at.
 *
 * There is no running sum from which samples are subtracted: a window's result comes of its own samples
 * alone, so a NaN or an infinity ends with the last window that sees it, and errors do not pile up. Short
 * windows are summed pairwise, others from the sums of both parts that multiples of the window cut them in;
 * the error is at most that of adding them one by one, (window - 1) * epsilon / 2 * the sum of their
 * magnitudes, and of single columns a fifteenth of it. The order of addition depends on sizes alone: the
 * bits are the same for every cut into units and every instruction set; but a NaN is any NaN.
 *
 * y may be x, and errors are, as with rill_window_max. */
RILL_API rill_status rill_window_sum_f32(const rill_window_params *params, const float *x, float *y,
                                         int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_sum_f64(const rill_window_params *params, const double *x,
                                         double *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_mean_f32(const rill_window_params *params, const float *x,
                                          float *y, int64_t unit_begin, int64_t unit_end,
                                          void *workspace);
RILL_API rill_status rill_window_mean_f64(const rill_window_params *params, const double *x,
                                          double *y, int64_t unit_begin, int64_t unit_end,
                                          void *workspace);

/* The gradient of x, with x's shape and strides, from that of y, with y's: a sample gets the sum of grad
 * over the windows that see it, as often as they see it; of means over the count of each. Units are those of
 * rill_window_backward_units, and the bits do not depend on the cut. x may be NULL but with
 * RILL_WINDOW_NAN_IGNORE, where NaN have the gradient 0 and do not count. grad_x overlaps neither. */
RILL_API rill_status rill_window_sum_backward_f32(const rill_window_params *params,
                                                  const float *grad, const float *x, float *grad_x,
                                                  int64_t unit_begin, int64_t unit_end,
                                                  void *workspace);
RILL_API rill_status rill_window_sum_backward_f64(const rill_window_params *params,
                                                  const double *grad, const double *x,
                                                  double *grad_x, int64_t unit_begin,
                                                  int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_mean_backward_f32(const rill_window_params *params,
                                                   const float *grad, const float *x, float *grad_x,
                                                   int64_t unit_begin, int64_t unit_end,
                                                   void *workspace);
RILL_API rill_status rill_window_mean_backward_f64(const rill_window_params *params,
                                                   const double *grad, const double *x,
                                                   double *grad_x, int64_t unit_begin,
                                                   int64_t unit_end, void *workspace);

#ifdef __cplusplus
}
#endif

#endif
