/* Views: other shapes and strides over the same storage. Where the inverse is a view too, backward is
 * that view; else the gradient is put into zeros at the view's place. */
#include "ops/move.h"

#include <string.h>

/* Shapes that keep the row-major order: the gradient in the input's shape. */
static rill_status shape_backward(op_grad *g) {
  const edge *e = &g->input[0];
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(e->shape, e->ndim, strides);
  return move_gradient(
      g, tensor_view(g->ctx, g->grad[0], e->shape, strides, e->ndim, g->grad[0]->data));
}

/* Zeros with the gradient in a strided place of them. */
static rill_status place_backward(op_grad *g, int64_t offset, const int64_t *strides) {
  rill_tensor *t = move_grad_zeros(g, 0);
  if (t) move_copy(g->ctx, g->grad[0], t->data + (size_t)offset * move_size(t), strides);
  return move_gradient(g, t);
}

static rill_tensor *offset_view(op_call *c, const int64_t *shape, const int64_t *strides, int ndim,
                                int64_t offset) {
  const rill_tensor *t = op_in(c, 0);
  int64_t numel;
  bool empty = shape_numel(shape, ndim, &numel) && !numel; /* its first element may not exist */
  return tensor_view(c->ctx, t, shape, strides, ndim,
                     empty ? t->data : t->data + offset * (int64_t)move_size(t));
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

/* ---- slice, narrow, select --------------------------------------------------------------------- */

/* Needs a dim to cut. */
static int cut_dim(op_call *c) {
  if (op_in(c, 0)->ndim) return op_dim(c, 1);
  op_fail(c, RILL_ERROR_SHAPE, "the input has no dims");
  return -1;
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
