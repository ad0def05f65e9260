/* The pure face of sliding-window maxima (src/pure/window*.c): the largest or smallest of every
 * `window` samples along one dim of an array, at a cost per sample that does not grow with the
 * window. It is max pooling in a network, dilation and erosion in an image (one call per dim), an
 * envelope in audio, a running high in a series of prices. rill/pure.h says what holds for all pure
 * functions. */
#ifndef RILL_PURE_WINDOW_H
#define RILL_PURE_WINDOW_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which windows there are. With s = (window - 1) * dilation, the window of place o (before `stride`
 * picks) begins at sample o - lead: */
typedef enum rill_window_mode {
  RILL_WINDOW_VALID = 0, /* all that lie inside: n - s places, lead 0; none where s >= n          */
  RILL_WINDOW_SAME = 1,  /* around each sample: n places, lead (window / 2) * dilation, as
                            scipy.ndimage.maximum_filter1d                                        */
  RILL_WINDOW_FULL = 2,  /* all that touch a sample: n + s places, lead s                         */
  RILL_WINDOW_CAUSAL = 3 /* that end at each sample: n places, lead s                             */
} rill_window_mode;

/* What a window sees beyond the ends, with abcd for x; the names are scipy.ndimage's. */
typedef enum rill_window_edge {
  RILL_WINDOW_IGNORE = 0,   /* nothing: it is cut, as in PyTorch's pooling */
  RILL_WINDOW_CONSTANT = 1, /* the pad value                               */
  RILL_WINDOW_NEAREST = 2,  /* aaaa | abcd | dddd                          */
  RILL_WINDOW_REFLECT = 3,  /* dcba | abcd | dcba                          */
  RILL_WINDOW_MIRROR = 4,   /* cdcb | abcd | cbab                          */
  RILL_WINDOW_WRAP = 5      /* abcd | abcd | abcd                          */
} rill_window_edge;

typedef enum rill_window_nan {
  RILL_WINDOW_NAN_PROPAGATE = 0, /* a window with a NaN gives NaN, as PyTorch's pooling */
  RILL_WINDOW_NAN_IGNORE = 1     /* only a window of nothing but NaN gives NaN          */
} rill_window_nan;

/* x is [outer, n, inner], y [outer, length, inner] with length = rill_window_length: the window
 * slides along n. Zero means default. A window that sees nothing (possible with dilation) gives the
 * lowest value of the type (of a minimum the highest; of floats an infinity) and the index -1. */
typedef struct rill_window_params {
  size_t struct_size; /* sizeof(rill_window_params)                                  */
  int64_t outer, n, inner;
  int64_t x_stride[3], y_stride[3]; /* elements between neighbours of each dim; all three 0:
                                       contiguous                                            */
  int64_t window;                   /* samples in a window, at least 1; may exceed n          */
  int64_t stride;                   /* one place in so many; 0: 1                             */
  int64_t dilation;                 /* from one sample of a window to the next; 0: 1          */
  rill_window_mode mode;
  rill_window_edge edge;
  double pad;          /* of RILL_WINDOW_CONSTANT, for f32 and f64 */
  int64_t pad_integer; /* likewise, for the integer types          */
  rill_window_nan nan;
  bool last; /* indices: of equal samples the window's last rather than its first  */
} rill_window_params;

#define RILL_WINDOW_PARAMS_INIT RILL_STRUCT_INIT(rill_window_params)
RILL_API void rill_window_params_init(rill_window_params *params);

/* RILL_ERROR_ARGUMENT: NULL, a wrong struct_size, window below 1, stride or dilation below 0, an
 * unknown mode, edge or nan. RILL_ERROR_SHAPE: a negative size. RILL_ERROR_OVERFLOW: a size that does
 * not fit. Strides are trusted. */
RILL_API rill_status rill_window_check(const rill_window_params *params);

/* Places along n: ceil(places of the mode / stride), 0 where n is 0; -1 where the params are wrong. */
RILL_API int64_t rill_window_length(const rill_window_params *params);

/* The work is cut into units that may run in any order and on any threads, each call with a
 * workspace of its own: the result is the same for every cut, bit for bit. Calls with few units of a
 * long window each read it anew. 0 where there is nothing to do or the params are wrong. */
RILL_API int64_t rill_window_units(const rill_window_params *params);

/* The units of a backward function: these cut the samples. */
RILL_API int64_t rill_window_backward_units(const rill_window_params *params);

/* Bytes of a workspace, of any alignment, for each function of the type: some 100 kB, and for long
 * windows as much as the window or the row has. 0 where the params are wrong. */
RILL_API size_t rill_window_workspace_f32(const rill_window_params *params);
RILL_API size_t rill_window_workspace_f64(const rill_window_params *params);
RILL_API size_t rill_window_workspace_i8(const rill_window_params *params);
RILL_API size_t rill_window_workspace_u8(const rill_window_params *params);
RILL_API size_t rill_window_workspace_i16(const rill_window_params *params);
RILL_API size_t rill_window_workspace_i32(const rill_window_params *params);
RILL_API size_t rill_window_workspace_i64(const rill_window_params *params);

/* Maxima and minima of units unit_begin .. unit_end, by doubling for short windows and by the algorithm
 * of van Herk (1992, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal
 * kernels") and Gil and Werman (1993, "Computing 2-D min, median, and max filters") for others. +0 is
 * above -0; a NaN that is returned is any NaN.
 *
 * y may be x where both are contiguous, the length is at most n, the dilation is 1, and one call does
 * all units. Otherwise RILL_ERROR_ARGUMENT where the memory from the first to the last element of one
 * overlaps that of the other, where pad_integer does not fit the type, or the units do not exist; a NULL
 * x, y or workspace likewise, unless there is nothing to do. Nothing is written then. */
RILL_API rill_status rill_window_max_f32(const rill_window_params *params, const float *x, float *y,
                                         int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_max_f64(const rill_window_params *params, const double *x,
                                         double *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_max_i8(const rill_window_params *params, const int8_t *x,
                                        int8_t *y, int64_t unit_begin, int64_t unit_end,
                                        void *workspace);
RILL_API rill_status rill_window_max_u8(const rill_window_params *params, const uint8_t *x,
                                        uint8_t *y, int64_t unit_begin, int64_t unit_end,
                                        void *workspace);
RILL_API rill_status rill_window_max_i16(const rill_window_params *params, const int16_t *x,
                                         int16_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_max_i32(const rill_window_params *params, const int32_t *x,
                                         int32_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_max_i64(const rill_window_params *params, const int64_t *x,
                                         int64_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_min_f32(const rill_window_params *params, const float *x, float *y,
                                         int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_min_f64(const rill_window_params *params, const double *x,
                                         double *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_min_i8(const rill_window_params *params, const int8_t *x,
                                        int8_t *y, int64_t unit_begin, int64_t unit_end,
                                        void *workspace);
RILL_API rill_status rill_window_min_u8(const rill_window_params *params, const uint8_t *x,
                                        uint8_t *y, int64_t unit_begin, int64_t unit_end,
                                        void *workspace);
RILL_API rill_status rill_window_min_i16(const rill_window_params *params, const int16_t *x,
                                         int16_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_min_i32(const rill_window_params *params, const int32_t *x,
                                         int32_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);
RILL_API rill_status rill_window_min_i64(const rill_window_params *params, const int64_t *x,
                                         int64_t *y, int64_t unit_begin, int64_t unit_end,
                                         void *workspace);

/* Both at once; one of y_min and y_max may be x, as above. They must not overlap each other. */
RILL_API rill_status rill_window_minmax_f32(const rill_window_params *params, const float *x,
                                            float *y_min, float *y_max, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_f64(const rill_window_params *params, const double *x,
                                            double *y_min, double *y_max, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_i8(const rill_window_params *params, const int8_t *x,
                                           int8_t *y_min, int8_t *y_max, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_u8(const rill_window_params *params, const uint8_t *x,
                                           uint8_t *y_min, uint8_t *y_max, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_i16(const rill_window_params *params, const int16_t *x,
                                            int16_t *y_min, int16_t *y_max, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_i32(const rill_window_params *params, const int32_t *x,
                                            int32_t *y_min, int32_t *y_max, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_minmax_i64(const rill_window_params *params, const int64_t *x,
                                            int64_t *y_min, int64_t *y_max, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);

/* Where the maximum or minimum lies along n, and in y (unless NULL) the sample there. Both have y's
 * shape and strides, and neither may overlap x or the other. Of equal samples (-0 equals +0; all NaN
 * are equal) the first in the window, or the last. Samples that the edge repeats count where the window
 * sees them, and have their own index; the pad value has index -1. RILL_ERROR_UNSUPPORTED where n and
 * the windows' reach exceed 2^31 - 1, but for f64 and i64. */
RILL_API rill_status rill_window_argmax_f32(const rill_window_params *params, const float *x,
                                            int64_t *index, float *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_f64(const rill_window_params *params, const double *x,
                                            int64_t *index, double *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_i8(const rill_window_params *params, const int8_t *x,
                                           int64_t *index, int8_t *y, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_u8(const rill_window_params *params, const uint8_t *x,
                                           int64_t *index, uint8_t *y, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_i16(const rill_window_params *params, const int16_t *x,
                                            int64_t *index, int16_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_i32(const rill_window_params *params, const int32_t *x,
                                            int64_t *index, int32_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmax_i64(const rill_window_params *params, const int64_t *x,
                                            int64_t *index, int64_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_f32(const rill_window_params *params, const float *x,
                                            int64_t *index, float *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_f64(const rill_window_params *params, const double *x,
                                            int64_t *index, double *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_i8(const rill_window_params *params, const int8_t *x,
                                           int64_t *index, int8_t *y, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_u8(const rill_window_params *params, const uint8_t *x,
                                           int64_t *index, uint8_t *y, int64_t unit_begin,
                                           int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_i16(const rill_window_params *params, const int16_t *x,
                                            int64_t *index, int16_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_i32(const rill_window_params *params, const int32_t *x,
                                            int64_t *index, int32_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);
RILL_API rill_status rill_window_argmin_i64(const rill_window_params *params, const int64_t *x,
                                            int64_t *index, int64_t *y, int64_t unit_begin,
                                            int64_t unit_end, void *workspace);

/* The gradient of maxima or minima: grad_x, of x's shape and strides, is for each sample the sum of
 * `grad` over the places whose `index` it is, in their order; -1 goes nowhere. grad and index, as argmax
 * or argmin gave it, have y's shape and strides. Units are not those of the others: 0 where x is empty
 * or the params are wrong. RILL_ERROR_INDEX, with nothing written, where an index of these units is below
 * -1 or no sample; RILL_ERROR_ARGUMENT as above. */
RILL_API int64_t rill_window_max_backward_units(const rill_window_params *params);
RILL_API rill_status rill_window_max_backward_f32(const rill_window_params *params,
                                                  const float *grad, const int64_t *index,
                                                  float *grad_x, int64_t unit_begin,
                                                  int64_t unit_end);
RILL_API rill_status rill_window_max_backward_f64(const rill_window_params *params,
                                                  const double *grad, const int64_t *index,
                                                  double *grad_x, int64_t unit_begin,
                                                  int64_t unit_end);

#ifdef __cplusplus
}
#endif

#endif
