/* What the ops over sliding windows share: their arguments, the same for all as far as NaN, and what these
 * make of shapes. A pass slides along one dim; passes go from the last dim to the first. */
#ifndef RILL_SRC_OPS_WINDOW_H
#define RILL_SRC_OPS_WINDOW_H

#include "ops/units.h"

enum {
  SLIDE_INPUT,
  SLIDE_WINDOW,
  SLIDE_DIMS,
  SLIDE_STRIDE,
  SLIDE_DILATION,
  SLIDE_MODE,
  SLIDE_EDGE,
  SLIDE_PAD,
  SLIDE_NAN,
  SLIDE_MORE /* an op's own arguments from here on */
};

#define SLIDE_SIGNATURE                                                                            \
  "input: Tensor, window: int, dim: int[] = [], stride: int = 1, dilation: int = 1, mode: int = "  \
  "0, edge: int = 0, pad: float = 0.0, nan: int = 0"

/* Which dims, the last first. */
typedef struct slide_dims {
  int dim[RILL_MAX_DIMS];
  int count;
} slide_dims;

/* With the error set and false where a dim is none, or named twice. */
bool slide_read_dims(rill_context *ctx, const rill_op *op, const rill_value *v, int ndim,
                     slide_dims *dims);

/* What is wrong whatever the shape: says so. */
rill_status slide_check(op_call *c);

/* The dims, checked, and the shape of output 0, which is as the input but along these. */
rill_status slide_infer(op_call *c, rill_dtype dtype, slide_dims *dims);

/* Contiguous [outer, n, inner] around dim d. */
rill_window_params slide_params(const rill_value *args, const int64_t *shape, int ndim, int d);

/* Units at a time. A stretch reads a window's length more than it has outputs, so these are not too few; but
 * there are some stretches for each thread. Sliding gives the same however it is cut. */
int64_t slide_grain(const rill_context *ctx, int64_t units);

/* A tensor for what slides out of x along dim d. */
rill_tensor *slide_result(rill_context *ctx, const rill_op *op, const rill_window_params *p,
                          rill_dtype type, const rill_tensor *x, int d);

/* The C faces' arguments as those of the op: an option of 0 is the default. *o has the options, `dims` room
 * for RILL_MAX_DIMS. */
rill_status slide_arguments(rill_context *ctx, const rill_op *op, const rill_tensor *input,
                            int64_t window, const rill_window_options *options,
                            rill_window_options *o, int64_t *dims, rill_value *args);

#endif
