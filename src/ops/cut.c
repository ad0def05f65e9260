/* Views of parts of a tensor: cuts and windows of a dim. Backward puts the gradient into zeros at
 * the view's place, and adds up what windows share. */
#include "ops/move.h"

#include <string.h>

/* Needs a dim to cut. */
static int cut_dim(op_call *c) {
  if (op_in(c, 0)->ndim) return op_dim(c, 1);
  op_fail(c, RILL_ERROR_SHAPE, "the input has no dims");
  return -1;
}

/* ---- slice, narrow, select --------------------------------------------------------------------- */

static rill_tensor *offset_view(op_call *c, const int64_t *shape, const int64_t *strides, int ndim,
                                int64_t offset) {
  const rill_tensor *t = op_in(c, 0);
  int64_t numel;
  bool empty = shape_numel(shape, ndim, &numel) && !numel; /* its first element may not exist */
  return tensor_view(c->ctx, t, shape, strides, ndim,
                     empty ? t->data : t->data + offset * (int64_t)move_size(t));
}

/* Zeros with the gradient in a strided place of them. */
static rill_status place_backward(op_grad *g, int64_t offset, const int64_t *strides) {
  rill_tensor *t = move_grad_zeros(g, 0);
  if (t) move_copy(g->ctx, g->grad[0], t->data + (size_t)offset * move_size(t), strides);
  return move_gradient(g, t);
}

/* Elements start, start + step, ..., `length` of them, of a dim. */
static rill_status cut(op_call *c, int dim, int64_t start, int64_t length, int64_t step) {
  const rill_tensor *t = op_in(c, 0);
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  memcpy(shape, t->shape, sizeof shape);
  memcpy(strides, t->strides, sizeof strides);
  shape[dim] = length;
  if (length > 1) strides[dim] *= step;
  return move_view(c, offset_view(c, shape, strides, t->ndim, start * t->strides[dim]));
}

static rill_status cut_backward(op_grad *g, int dim, int64_t start, int64_t step) {
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(g->input[0].shape, g->input[0].ndim, strides);
  int64_t offset = start * strides[dim];
  if (g->grad[0]->shape[dim] > 1) strides[dim] *= step;
  return place_backward(g, offset, strides);
}

static int64_t clip(int64_t x, int64_t n) {
  if (x < 0) x = x < -n ? 0 : x + n;
  return x < n ? x : n;
}

static rill_status slice_forward(op_call *c) {
  int dim = cut_dim(c);
  if (dim < 0) return rill_error(c->ctx);
  int64_t n = op_in(c, 0)->shape[dim], step = c->args[4].as.i;
  if (step < 1)
    return op_fail(c, RILL_ERROR_ARGUMENT, "step is %lld, not at least 1", (long long)step);
  bool to_end = c->args[3].kind == RILL_VALUE_NONE;
  int64_t start = clip(c->args[2].as.i, n), end = to_end ? n : clip(c->args[3].as.i, n);
  int64_t length = end > start ? (end - start - 1) / step + 1 : 0;
  c->args[1].as.i = dim;
  c->args[2].as.i = start;
  c->args[3] = op_i(end);
  return cut(c, dim, start, length, step);
}

static rill_status slice_backward(op_grad *g) {
  return cut_backward(g, (int)g->args[1].as.i, g->args[2].as.i, g->args[4].as.i);
}

static rill_status narrow_forward(op_call *c) {
  int dim = cut_dim(c);
  if (dim < 0) return rill_error(c->ctx);
  int64_t n = op_in(c, 0)->shape[dim], start = c->args[2].as.i, length = c->args[3].as.i;
  if (start < 0 && start >= -n) start += n;
  if (start < 0 || length < 0 || start > n || length > n - start)
    return op_fail(c, RILL_ERROR_INDEX, "start %lld and length %lld leave dim %d of size %lld",
                   (long long)c->args[2].as.i, (long long)length, dim, (long long)n);
  c->args[1].as.i = dim;
  c->args[2].as.i = start;
  return cut(c, dim, start, length, 1);
}

static rill_status narrow_backward(op_grad *g) {
  return cut_backward(g, (int)g->args[1].as.i, g->args[2].as.i, 1);
}

static rill_status select_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dim = cut_dim(c);
  if (dim < 0) return rill_error(c->ctx);
  int64_t n = t->shape[dim], index = c->args[2].as.i;
  if (index < -n || index >= n)
    return op_fail(c, RILL_ERROR_INDEX, "index %lld is out of range for dim %d of size %lld",
                   (long long)index, dim, (long long)n);
  if (index < 0) index += n;
  c->args[1].as.i = dim;
  c->args[2].as.i = index;
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  int ndim = 0;
  for (int d = 0; d < t->ndim; d++) {
    if (d == dim) continue;
    shape[ndim] = t->shape[d];
    strides[ndim++] = t->strides[d];
  }
  return move_view(c, offset_view(c, shape, strides, ndim, index * t->strides[dim]));
}

static rill_status select_backward(op_grad *g) {
  const edge *e = &g->input[0];
  int dim = (int)g->args[1].as.i;
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(e->shape, e->ndim, strides);
  int64_t offset = g->args[2].as.i * strides[dim];
  for (int d = dim; d + 1 < e->ndim; d++) strides[d] = strides[d + 1];
  return place_backward(g, offset, strides);
}

const rill_op rill_op_slice = {
    .name = "slice",
    .exports = "slice",
    .signature =
        "input: Tensor, dim: int = 0, start: int = 0, end: int? = None, step: int = 1 -> Tensor",
    .doc = "Elements start, start + step, ... below end of a dim, by Python's rules.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = slice_forward,
    .backward = slice_backward,
};

const rill_op rill_op_narrow = {
    .name = "narrow",
    .exports = "narrow",
    .signature = "input: Tensor, dim: int, start: int, length: int -> Tensor",
    .doc = "`length` elements of a dim, from start on.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = narrow_forward,
    .backward = narrow_backward,
};

const rill_op rill_op_select = {
    .name = "select",
    .exports = "select",
    .signature = "input: Tensor, dim: int, index: int -> Tensor",
    .doc = "One element of a dim, which goes away.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = select_forward,
    .backward = select_backward,
};

rill_tensor *rill_slice(rill_context *ctx, const rill_tensor *input, int dim, int64_t start,
                        int64_t end, int64_t step) {
  return op_run1(ctx, &rill_op_slice,
                 (rill_value[]){op_t(input), op_i(dim), op_i(start), op_i(end), op_i(step)}, 5);
}

rill_tensor *rill_narrow(rill_context *ctx, const rill_tensor *input, int dim, int64_t start,
                         int64_t length) {
  return op_run1(ctx, &rill_op_narrow,
                 (rill_value[]){op_t(input), op_i(dim), op_i(start), op_i(length)}, 4);
}

rill_tensor *rill_select(rill_context *ctx, const rill_tensor *input, int dim, int64_t index) {
  return op_run1(ctx, &rill_op_select, (rill_value[]){op_t(input), op_i(dim), op_i(index)}, 3);
}

/* ---- unfold ------------------------------------------------------------------------------------ */

static rill_status unfold_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dim = cut_dim(c);
  if (dim < 0) return rill_error(c->ctx);
  int64_t n = t->shape[dim], size = c->args[2].as.i, step = c->args[3].as.i;
  if (step < 1 || size < 0 || size > n)
    return op_fail(c, RILL_ERROR_ARGUMENT,
                   "no windows of size %lld every %lld in dim %d of size %lld", (long long)size,
                   (long long)step, dim, (long long)n);
  if (t->ndim == RILL_MAX_DIMS)
    return op_fail(c, RILL_ERROR_SHAPE, "the input has %d dims already, the most there are",
                   t->ndim);
  c->args[1].as.i = dim;
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  memcpy(shape, t->shape, sizeof shape);
  memcpy(strides, t->strides, sizeof strides);
  shape[t->ndim] = size;
  strides[t->ndim] = t->strides[dim];
  shape[dim] = (n - size) / step + 1;
  if (shape[dim] > 1) strides[dim] *= step;
  return move_view(c, tensor_view(c->ctx, t, shape, strides, t->ndim + 1, t->data));
}

static rill_status unfold_backward(op_grad *g) {
  const edge *e = &g->input[0];
  const rill_tensor *grad = g->grad[0];
  rill_tensor *t = op_grad_new(g, 0);
  int dim = (int)g->args[1].as.i;
  if (t)
    PURE((rill_dtype)e->dtype, unfold_backward, (const void *)grad->data, (void *)t->data,
         move_outer(e->shape, dim), e->shape[dim], move_inner(e->shape, e->ndim, dim),
         grad->shape[dim], g->args[2].as.i, g->args[3].as.i);
  return move_gradient(g, t);
}

const rill_op rill_op_unfold = {
    .name = "unfold",
    .exports = "Tensor.unfold",
    .signature = "input: Tensor, dim: int, size: int, step: int -> Tensor",
    .doc = "Windows of `size` every `step` along dim, in a new last dim.",
    .pure = MOVE_STRIDED_COPY " rill_unfold_backward_f32 rill_unfold_backward_f64",
    .flags = OP_VIEW,
    .forward = unfold_forward,
    .backward = unfold_backward,
};

rill_tensor *rill_unfold(rill_context *ctx, const rill_tensor *input, int dim, int64_t size,
                         int64_t step) {
  return op_run1(ctx, &rill_op_unfold,
                 (rill_value[]){op_t(input), op_i(dim), op_i(size), op_i(step)}, 4);
}
