/* The pure face of sliding-window quantiles (src/pure/window_quantile.c): of every `window`
 * samples along one dim of an array, the median above all: a filter for outliers, a running percentile.
 * rill/pure/window.h has the params, the length, the units and what modes and edges are; rill/pure.h says
 * what holds for all pure functions. */
#ifndef RILL_PURE_WINDOW_QUANTILE_H
#define RILL_PURE_WINDOW_QUANTILE_H

#include "rill/pure/window.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What there is where q * (numbers - 1) lies between two ranks; as torch.quantile and numpy.quantile. */
typedef enum rill_window_quantile_method {
  RILL_WINDOW_QUANTILE_LINEAR = 0,  /* low + part * (high - low)           */
  RILL_WINDOW_QUANTILE_LOWER = 1,   /* low: with q 0.5, torch.median       */
  RILL_WINDOW_QUANTILE_HIGHER = 2,  /* high                                */
  RILL_WINDOW_QUANTILE_NEAREST = 3, /* whichever is nearer, or of even rank */
  RILL_WINDOW_QUANTILE_MIDPOINT = 4 /* (low + high) / 2                   */
} rill_window_quantile_method;

/* Bytes of a workspace, of any alignment, for each function below: some 130 kB, and for long windows 80
 * for each of their samples. 0 where the params are wrong. */
RILL_API size_t rill_window_quantile_workspace_f32(const rill_window_params *params);
RILL_API size_t rill_window_quantile_workspace_f64(const rill_window_params *params);

/* The q-quantiles of units unit_begin .. unit_end, exact: of what a window sees, which with
 * RILL_WINDOW_IGNORE are the samples that lie inside; q 0.5 is the median. A window with a NaN gives NaN,
 * or with RILL_WINDOW_NAN_IGNORE the quantile of the rest (torch.nanquantile); one that sees nothing gives
 * NaN. Between infinities of both signs there is NaN, between an infinity and a number the infinity; a zero
 * is +0. Cost hardly grows with the window: long rows are sorted in blocks of some windows.
 *
 * RILL_ERROR_ARGUMENT also where q is not within 0 and 1, for an unknown method, and where the memory of x
 * and y overlaps in any way. Otherwise errors are as with rill_window_max. */
RILL_API rill_status rill_window_quantile_f32(const rill_window_params *params, double q,
                                              rill_window_quantile_method method, const float *x,
                                              float *y, int64_t unit_begin, int64_t unit_end,
                                              void *workspace);
RILL_API rill_status rill_window_quantile_f64(const rill_window_params *params, double q,
                                              rill_window_quantile_method method, const double *x,
                                              double *y, int64_t unit_begin, int64_t unit_end,
                                              void *workspace);

/* The gradient of x, with x's shape and strides, from that of y, with y's. As in torch.quantile it goes to
 * the sample a quantile is, or in parts to the two that it lies between; of equal samples the one that comes
 * first in the window has the lower rank. A window that gives NaN for a NaN sends it to its last NaN. Units
 * are those of rill_window_backward_units, and the bits do not depend on the cut. grad_x overlaps
 * neither. */
RILL_API rill_status rill_window_quantile_backward_f32(const rill_window_params *params, double q,
                                                       rill_window_quantile_method method,
                                                       const float *grad, const float *x,
                                                       float *grad_x, int64_t unit_begin,
                                                       int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_quantile_backward_f64(const rill_window_params *params, double q,
                                                       rill_window_quantile_method method,
                                                       const double *grad, const double *x,
                                                       double *grad_x, int64_t unit_begin,
                                                       int64_t unit_end, void *workspace);

#ifdef __cplusplus
}
#endif

#endif
