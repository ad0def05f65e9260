/* Views of a whole tensor: other shapes and orders of dims over the same storage. Backward is a
 * view of the gradient. */
#include "ops/move.h"

/* Shapes that keep the row-major order: the gradient in the input's shape. */
static rill_status shape_backward(op_grad *g) {
  const edge *e = &g->input[0];
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(e->shape, e->ndim, strides);
  return move_gradient(
      g, tensor_view(g->ctx, g->grad[0], e->shape, strides, e->ndim, g->grad[0]->data));
}

/* ---- reshape, view, flatten -------------------------------------------------------------------- */

/* The shape argument with its -1 filled in. */
static bool resolve_shape(op_call *c, int64_t *shape, int *ndim) {
  const rill_tensor *t = op_in(c, 0);
  const rill_value *v = &c->args[1];
  if (!move_ints(c, 1)) return false;
  char from[SHAPE_TEXT], to[SHAPE_TEXT];
  int open = -1;
  int64_t known = 1;
  for (int d = 0; d < v->count; d++) {
    shape[d] = v->as.ints[d];
    bool good = shape[d] == -1 ? open < 0 : shape[d] >= 0 && checked_mul(known, shape[d], &known);
    if (!good) {
      op_fail(c, RILL_ERROR_SHAPE, "no shape %s: sizes are at least 0, and one of them may be -1",
              shape_text(v->as.ints, v->count, to));
      return false;
    }
    if (shape[d] == -1) open = d;
  }
  if (open >= 0 && known && t->numel % known == 0) {
    shape[open] = t->numel / known;
    known = t->numel;
  }
  if (known != t->numel || (open >= 0 && shape[open] < 0)) {
    op_fail(c, RILL_ERROR_SHAPE, "%lld elements of shape %s do not fit %s", (long long)t->numel,
            shape_text(t->shape, t->ndim, from), shape_text(v->as.ints, v->count, to));
    return false;
  }
  *ndim = v->count;
  return true;
}

/* Strides that give t another shape without a copy; false where there are none. Dims that lie behind
 * one another are merged into runs, and each new dim must lie within a run. */
static bool reshaped_strides(const rill_tensor *t, const int64_t *shape, int ndim,
                             int64_t *strides) {
  shape_strides(shape, ndim, strides);
  if (t->contiguous || !t->numel) return true;
  int64_t size[RILL_MAX_DIMS], stride[RILL_MAX_DIMS];
  int runs = 0;
  for (int d = 0; d < t->ndim; d++) {
    if (t->shape[d] == 1) continue;
    if (runs && stride[runs - 1] == t->shape[d] * t->strides[d]) {
      size[runs - 1] *= t->shape[d];
      stride[runs - 1] = t->strides[d];
    } else {
      size[runs] = t->shape[d];
      stride[runs++] = t->strides[d];
    }
  }
  int run = -1;
  int64_t left = 1;
  for (int d = 0; d < ndim; d++) {
    if (shape[d] == 1) continue;
    if (left == 1) left = size[++run];
    if (left % shape[d]) return false;
    left /= shape[d];
    strides[d] = left * stride[run];
  }
  return true;
}

static rill_status reshape_to(op_call *c, const int64_t *shape, int ndim, bool copy) {
  const rill_tensor *t = op_in(c, 0);
  int64_t strides[RILL_MAX_DIMS];
  if (!reshaped_strides(t, shape, ndim, strides)) {
    char from[SHAPE_TEXT], to[SHAPE_TEXT];
    if (!copy)
      return op_fail(c, RILL_ERROR_SHAPE, "%s has no view as %s with its strides: use reshape",
                     shape_text(t->shape, t->ndim, from), shape_text(shape, ndim, to));
    t = tensor_contiguous(c->ctx, c->op->name, t);
    if (!t) return rill_error(c->ctx);
    shape_strides(shape, ndim, strides);
  }
  return move_view(c, tensor_view(c->ctx, t, shape, strides, ndim, t->data));
}

static rill_status reshape_forward(op_call *c) {
  int64_t shape[RILL_MAX_DIMS];
  int ndim;
  return resolve_shape(c, shape, &ndim) ? reshape_to(c, shape, ndim, true) : rill_error(c->ctx);
}

static rill_status view_forward(op_call *c) {
  int64_t shape[RILL_MAX_DIMS];
  int ndim;
  return resolve_shape(c, shape, &ndim) ? reshape_to(c, shape, ndim, false) : rill_error(c->ctx);
}

static rill_status flatten_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int start = op_dim(c, 1), end = op_dim(c, 2);
  if (start < 0 || end < 0) return rill_error(c->ctx);
  if (start > end)
    return op_fail(c, RILL_ERROR_ARGUMENT, "start_dim %d lies behind end_dim %d", start, end);
  int64_t shape[RILL_MAX_DIMS] = {1};
  int ndim = 0;
  for (int d = 0; d < t->ndim; d++) {
    if (d > start && d <= end)
      shape[ndim - 1] *= t->shape[d];
    else
      shape[ndim++] = t->shape[d];
  }
  return reshape_to(c, shape, ndim ? ndim : 1, true);
}

const rill_op rill_op_reshape = {
    .name = "reshape",
    .exports = "reshape",
    .signature = "input: Tensor, shape: int[] -> Tensor",
    .doc = "Another shape for the same elements: a view where strides allow it, else a copy.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = reshape_forward,
    .backward = shape_backward,
};

const rill_op rill_op_view = {
    .name = "view",
    .exports = "Tensor.view",
    .signature = "input: Tensor, shape: int[] -> Tensor",
    .doc = "Another shape for the same elements; an error where that needs a copy.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = view_forward,
    .backward = shape_backward,
};

const rill_op rill_op_flatten = {
    .name = "flatten",
    .exports = "flatten",
    .signature = "input: Tensor, start_dim: int = 0, end_dim: int = -1 -> Tensor",
    .doc = "Makes one dim of those from start_dim to end_dim.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = flatten_forward,
    .backward = shape_backward,
};

rill_tensor *rill_reshape(rill_context *ctx, const rill_tensor *input, const int64_t *shape,
                          int ndim) {
  return op_run1(ctx, &rill_op_reshape, (rill_value[]){op_t(input), op_is(shape, ndim)}, 2);
}

rill_tensor *rill_view(rill_context *ctx, const rill_tensor *input, const int64_t *shape,
                       int ndim) {
  return op_run1(ctx, &rill_op_view, (rill_value[]){op_t(input), op_is(shape, ndim)}, 2);
}

rill_tensor *rill_flatten(rill_context *ctx, const rill_tensor *input, int start_dim, int end_dim) {
  return op_run1(ctx, &rill_op_flatten, (rill_value[]){op_t(input), op_i(start_dim), op_i(end_dim)},
                 3);
}

/* ---- squeeze, unsqueeze ------------------------------------------------------------------------ */

static rill_status squeeze_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dim = op_dim(c, 1);
  if (dim < 0) return rill_error(c->ctx);
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  int ndim = 0;
  for (int d = 0; d < t->ndim; d++) {
    if (d == dim && t->shape[d] == 1) continue;
    shape[ndim] = t->shape[d];
    strides[ndim++] = t->strides[d];
  }
  return move_view(c, tensor_view(c->ctx, t, shape, strides, ndim, t->data));
}

static rill_status unsqueeze_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  if (t->ndim == RILL_MAX_DIMS)
    return op_fail(c, RILL_ERROR_SHAPE, "the input has %d dims already, the most there are",
                   t->ndim);
  int dim = shape_dim(c->ctx, c->op->name, c->args[1].as.i, t->ndim + 1);
  if (dim < 0) return rill_error(c->ctx);
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  for (int d = 0; d < t->ndim; d++) {
    shape[d + (d >= dim)] = t->shape[d];
    strides[d + (d >= dim)] = t->strides[d];
  }
  shape[dim] = 1;
  strides[dim] = dim < t->ndim ? t->shape[dim] * t->strides[dim] : 1;
  return move_view(c, tensor_view(c->ctx, t, shape, strides, t->ndim + 1, t->data));
}

const rill_op rill_op_squeeze = {
    .name = "squeeze",
    .exports = "squeeze",
    .signature = "input: Tensor, dim: int -> Tensor",
    .doc = "Removes dim where its size is 1.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = squeeze_forward,
    .backward = shape_backward,
};

const rill_op rill_op_unsqueeze = {
    .name = "unsqueeze",
    .exports = "unsqueeze",
    .signature = "input: Tensor, dim: int -> Tensor",
    .doc = "Puts a new dim of size 1 at dim.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = unsqueeze_forward,
    .backward = shape_backward,
};

rill_tensor *rill_squeeze(rill_context *ctx, const rill_tensor *input, int dim) {
  return op_run1(ctx, &rill_op_squeeze, (rill_value[]){op_t(input), op_i(dim)}, 2);
}

rill_tensor *rill_unsqueeze(rill_context *ctx, const rill_tensor *input, int dim) {
  return op_run1(ctx, &rill_op_unsqueeze, (rill_value[]){op_t(input), op_i(dim)}, 2);
}

/* ---- permute, transpose ------------------------------------------------------------------------ */

static rill_tensor *permuted(rill_context *ctx, const rill_tensor *t, const int *dims) {
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  for (int d = 0; d < t->ndim; d++) {
    shape[d] = t->shape[dims[d]];
    strides[d] = t->strides[dims[d]];
  }
  return tensor_view(ctx, t, shape, strides, t->ndim, t->data);
}

static rill_status permute_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dims[RILL_MAX_DIMS];
  if (!move_distinct_dims(c, 1, t->ndim, dims)) return rill_error(c->ctx);
  if (c->args[1].count != t->ndim)
    return op_fail(c, RILL_ERROR_ARGUMENT, "%d dims given for a tensor of %d", c->args[1].count,
                   t->ndim);
  return move_view(c, permuted(c->ctx, t, dims));
}

static rill_status permute_backward(op_grad *g) {
  int inverse[RILL_MAX_DIMS], ndim = g->args[1].count;
  for (int d = 0; d < ndim; d++) {
    int64_t from = g->args[1].as.ints[d];
    inverse[from < 0 ? from + ndim : from] = d;
  }
  return move_gradient(g, permuted(g->ctx, g->grad[0], inverse));
}

static rill_tensor *transposed(rill_context *ctx, const rill_tensor *t, int64_t a, int64_t b) {
  int dims[RILL_MAX_DIMS];
  for (int d = 0; d < t->ndim; d++) dims[d] = d == a ? (int)b : d == b ? (int)a : d;
  return permuted(ctx, t, dims);
}

static rill_status transpose_forward(op_call *c) {
  int a = op_dim(c, 1), b = op_dim(c, 2);
  if (a < 0 || b < 0) return rill_error(c->ctx);
  c->args[1].as.i = a;
  c->args[2].as.i = b;
  return move_view(c, transposed(c->ctx, op_in(c, 0), a, b));
}

static rill_status transpose_backward(op_grad *g) {
  return move_gradient(g, transposed(g->ctx, g->grad[0], g->args[1].as.i, g->args[2].as.i));
}

const rill_op rill_op_permute = {
    .name = "permute",
    .exports = "permute",
    .signature = "input: Tensor, dims: int[] -> Tensor",
    .doc = "Dim d of the result is dim dims[d] of the input.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = permute_forward,
    .backward = permute_backward,
};

const rill_op rill_op_transpose = {
    .name = "transpose",
    .exports = "transpose",
    .aliases = "swapaxes swapdims",
    .signature = "input: Tensor, dim0: int, dim1: int -> Tensor",
    .doc = "Exchanges two dims.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW,
    .forward = transpose_forward,
    .backward = transpose_backward,
};

rill_tensor *rill_permute(rill_context *ctx, const rill_tensor *input, const int *dims, int ndims) {
  int64_t room[RILL_MAX_DIMS];
  return op_run1(ctx, &rill_op_permute, (rill_value[]){op_t(input), move_dims(dims, ndims, room)},
                 2);
}

rill_tensor *rill_transpose(rill_context *ctx, const rill_tensor *input, int dim0, int dim1) {
  return op_run1(ctx, &rill_op_transpose, (rill_value[]){op_t(input), op_i(dim0), op_i(dim1)}, 3);
}

/* ---- expand ------------------------------------------------------------------------------------ */

static rill_status expand_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  if (!move_ints(c, 1)) return rill_error(c->ctx);
  const int64_t *want = c->args[1].as.ints;
  int ndim = c->args[1].count, lead = ndim - t->ndim;
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  bool fits = lead >= 0;
  for (int d = 0; fits && d < ndim; d++) {
    int64_t had = d < lead ? 1 : t->shape[d - lead];
    shape[d] = want[d] == -1 && d >= lead ? had : want[d];
    strides[d] = d < lead || (had == 1 && shape[d] != 1) ? 0 : t->strides[d - lead];
    fits = shape[d] >= 0 && (shape[d] == had || had == 1);
  }
  int64_t numel;
  char from[SHAPE_TEXT], to[SHAPE_TEXT];
  if (!fits)
    return op_fail(c, RILL_ERROR_SHAPE, "%s does not stretch to %s",
                   shape_text(t->shape, t->ndim, from), shape_text(want, ndim, to));
  if (!shape_numel(shape, ndim, &numel))
    return op_fail(c, RILL_ERROR_OVERFLOW, "%s has too many elements", shape_text(want, ndim, to));
  return move_view(c, tensor_view(c->ctx, t, shape, strides, ndim, t->data));
}

/* The engine sums over what was stretched. */
static rill_status expand_backward(op_grad *g) {
  return move_gradient(g, tensor_alias(g->ctx, g->grad[0]));
}

const rill_op rill_op_expand = {
    .name = "expand",
    .exports = "Tensor.expand",
    .aliases = "broadcast_to",
    .signature = "input: Tensor, shape: int[] -> Tensor",
    .doc = "Stretches sizes of 1 to those given; -1 keeps a size.",
    .pure = MOVE_STRIDED_COPY " rill_sum_f32 rill_sum_f64",
    .flags = OP_VIEW,
    .forward = expand_forward,
    .backward = expand_backward,
};

rill_tensor *rill_expand(rill_context *ctx, const rill_tensor *input, const int64_t *shape,
                         int ndim) {
  return op_run1(ctx, &rill_op_expand, (rill_value[]){op_t(input), op_is(shape, ndim)}, 2);
}
