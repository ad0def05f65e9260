/* Joining, splitting and rearranging. */
#include "ops/move.h"

#include <string.h>

const rill_op rill_op_split; /* its pieces are what chunk gives, too */

/* ---- cat, stack -------------------------------------------------------------------------------- */

/* PyTorch lets a tensor of shape [0] stand in a cat of any shapes. */
static bool is_nothing(const rill_tensor *t) { return t->ndim == 1 && t->shape[0] == 0; }

/* The first tensor of the list that has a say in the shape. */
static const rill_tensor *list_model(const rill_value *v, bool skip_nothing) {
  for (int i = 0; skip_nothing && i < v->count; i++)
    if (!is_nothing(v->as.tensors[i])) return v->as.tensors[i];
  return v->as.tensors[0];
}

/* Tensor i fits beside `model` if all sizes but that of `dim` are equal. */
static bool list_fits(op_call *c, int i, const rill_tensor *model, int dim) {
  const rill_tensor *t = c->args[0].as.tensors[i];
  if (t->dtype != model->dtype) {
    op_fail(c, RILL_ERROR_DTYPE, "tensor %d is %s and others %s: convert it with rill_to", i,
            rill_dtype_name((rill_dtype)t->dtype), rill_dtype_name((rill_dtype)model->dtype));
    return false;
  }
  bool fits = t->ndim == model->ndim;
  for (int d = 0; fits && d < t->ndim; d++) fits = d == dim || t->shape[d] == model->shape[d];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!fits)
    op_fail(c, RILL_ERROR_SHAPE, "tensor %d of shape %s does not fit beside %s", i,
            shape_text(t->shape, t->ndim, a), shape_text(model->shape, model->ndim, b));
  return fits;
}

static rill_status cat_infer(op_call *c) {
  const rill_value *v = &c->args[0];
  if (!v->count) return op_fail(c, RILL_ERROR_ARGUMENT, "the list of tensors is empty");
  const rill_tensor *model = list_model(v, true);
  if (!model->ndim) return op_fail(c, RILL_ERROR_SHAPE, "tensors without dims: use stack");
  int dim = shape_dim(c->ctx, c->op->name, c->args[1].as.i, model->ndim);
  if (dim < 0) return rill_error(c->ctx);
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, model->shape, sizeof shape);
  shape[dim] = 0;
  for (int i = 0; i < v->count; i++) {
    const rill_tensor *t = v->as.tensors[i];
    if (is_nothing(t) && t->dtype == model->dtype) continue;
    if (!list_fits(c, i, model, dim)) return rill_error(c->ctx);
    if (!checked_add(shape[dim], t->shape[dim], &shape[dim]))
      return op_fail(c, RILL_ERROR_OVERFLOW, "the sizes of dim %d add up to too much", dim);
  }
  c->args[1].as.i = dim;
  op_out(c, 0, (rill_dtype)model->dtype, shape, model->ndim);
  return RILL_OK;
}

static rill_status cat_forward(op_call *c) {
  rill_tensor *y = c->out[0];
  int dim = (int)c->args[1].as.i;
  char *to = y->data;
  for (int i = 0; i < c->args[0].count; i++) {
    const rill_tensor *t = c->args[0].as.tensors[i];
    if (!t->numel) continue;
    move_copy(c->ctx, t, to, y->strides);
    to += (size_t)(t->shape[dim] * y->strides[dim]) * move_size(y);
  }
  return RILL_OK;
}

static rill_status cat_backward(op_grad *g) {
  const rill_tensor *grad = g->grad[0];
  int dim = (int)g->args[1].as.i;
  int64_t start = 0;
  for (int i = 0; i < g->inputs; i++) {
    const edge *e = &g->input[i];
    bool part = e->ndim == grad->ndim; /* else [0] among tensors of more dims */
    if (g->need[i]) {
      char *from = grad->data;
      if (part && e->shape[dim]) from += (size_t)(start * grad->strides[dim]) * move_size(grad);
      g->result[i] = part ? tensor_view(g->ctx, grad, e->shape, grad->strides, e->ndim, from)
                          : op_grad_new(g, i);
      if (!g->result[i]) return rill_error(g->ctx);
    }
    if (part) start += e->shape[dim];
  }
  return RILL_OK;
}

static rill_status stack_infer(op_call *c) {
  const rill_value *v = &c->args[0];
  if (!v->count) return op_fail(c, RILL_ERROR_ARGUMENT, "the list of tensors is empty");
  const rill_tensor *model = list_model(v, false);
  if (model->ndim == RILL_MAX_DIMS)
    return op_fail(c, RILL_ERROR_SHAPE, "the tensors have %d dims already, the most there are",
                   model->ndim);
  int dim = shape_dim(c->ctx, c->op->name, c->args[1].as.i, model->ndim + 1);
  if (dim < 0) return rill_error(c->ctx);
  for (int i = 0; i < v->count; i++)
    if (!list_fits(c, i, model, -1)) return rill_error(c->ctx);
  int64_t shape[RILL_MAX_DIMS];
  for (int d = 0; d < model->ndim; d++) shape[d + (d >= dim)] = model->shape[d];
  shape[dim] = v->count;
  c->args[1].as.i = dim;
  op_out(c, 0, (rill_dtype)model->dtype, shape, model->ndim + 1);
  return RILL_OK;
}

/* The strides of y without dim. */
static void other_strides(const rill_tensor *y, int dim, int64_t *strides) {
  for (int d = 0, n = 0; d < y->ndim; d++)
    if (d != dim) strides[n++] = y->strides[d];
}

static rill_status stack_forward(op_call *c) {
  rill_tensor *y = c->out[0];
  if (!y->numel) return RILL_OK;
  int dim = (int)c->args[1].as.i;
  int64_t strides[RILL_MAX_DIMS];
  other_strides(y, dim, strides);
  for (int i = 0; i < c->args[0].count; i++)
    move_copy(c->ctx, c->args[0].as.tensors[i],
              y->data + (size_t)(i * y->strides[dim]) * move_size(y), strides);
  return RILL_OK;
}

static rill_status stack_backward(op_grad *g) {
  const rill_tensor *grad = g->grad[0];
  int dim = (int)g->args[1].as.i;
  int64_t strides[RILL_MAX_DIMS];
  other_strides(grad, dim, strides);
  for (int i = 0; i < g->inputs; i++) {
    const edge *e = &g->input[i];
    if (!g->need[i]) continue;
    size_t offset = grad->numel ? (size_t)(i * grad->strides[dim]) * move_size(grad) : 0;
    g->result[i] = tensor_view(g->ctx, grad, e->shape, strides, e->ndim, grad->data + offset);
    if (!g->result[i]) return rill_error(g->ctx);
  }
  return RILL_OK;
}

const rill_op rill_op_cat = {
    .name = "cat",
    .exports = "cat",
    .aliases = "concat concatenate",
    .signature = "tensors: Tensor[], dim: int = 0 -> Tensor",
    .doc = "Puts tensors behind one another along a dim.",
    .pure = "rill_cat_f32 rill_cat_f64 rill_split_f32 rill_split_f64",
    .infer = cat_infer,
    .forward = cat_forward,
    .backward = cat_backward,
};

const rill_op rill_op_stack = {
    .name = "stack",
    .exports = "stack",
    .signature = "tensors: Tensor[], dim: int = 0 -> Tensor",
    .doc = "Puts tensors of one shape side by side along a new dim.",
    .pure = "rill_cat_f32 rill_cat_f64 rill_split_f32 rill_split_f64",
    .infer = stack_infer,
    .forward = stack_forward,
    .backward = stack_backward,
};

rill_tensor *rill_cat(rill_context *ctx, const rill_tensor *const *tensors, int count, int dim) {
  return op_run1(ctx, &rill_op_cat, (rill_value[]){op_ts(tensors, count), op_i(dim)}, 2);
}

rill_tensor *rill_stack(rill_context *ctx, const rill_tensor *const *tensors, int count, int dim) {
  return op_run1(ctx, &rill_op_stack, (rill_value[]){op_ts(tensors, count), op_i(dim)}, 2);
}

/* ---- split, chunk ------------------------------------------------------------------------------ */

static int64_t count_pieces(int64_t n, int64_t size) { return n ? (n - 1) / size + 1 : 1; }

static int64_t piece(int64_t n, int64_t size, int64_t i) {
  return n - i * size < size ? n - i * size : size;
}

/* For as many pieces as a call has room for: one node, whose backward joins their gradients. dim is
 * checked already. */
static rill_status split_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int64_t size = c->args[1].as.i, shape[RILL_MAX_DIMS];
  int dim = (int)c->args[2].as.i;
  memcpy(shape, t->shape, sizeof shape);
  c->outputs = (int)count_pieces(t->shape[dim], size);
  for (int o = 0; o < c->outputs; o++) {
    int64_t offset = t->numel ? o * size * t->strides[dim] * (int64_t)move_size(t) : 0;
    shape[dim] = piece(t->shape[dim], size, o);
    c->out[o] = tensor_view(c->ctx, t, shape, t->strides, t->ndim, t->data + offset);
    if (!c->out[o]) return rill_error(c->ctx);
  }
  return RILL_OK;
}

static rill_status split_backward(op_grad *g) {
  const edge *e = &g->input[0];
  int64_t size = g->args[1].as.i;
  int dim = (int)g->args[2].as.i;
  int outputs = (int)count_pieces(e->shape[dim], size);
  bool all = true;
  for (int o = 0; o < outputs; o++) all &= g->grad[o] != NULL;
  rill_tensor *t = all ? op_grad_new(g, 0) : move_grad_zeros(g, 0);
  for (int o = 0; t && t->numel && o < outputs; o++)
    if (g->grad[o])
      move_copy(g->ctx, g->grad[o], t->data + (size_t)(o * size * t->strides[dim]) * move_size(t),
                t->strides);
  return move_gradient(g, t);
}

/* More pieces than a call has room for are a narrow each. All or nothing: on failure none stays. */
static rill_status split(rill_context *ctx, const rill_op *op, const rill_tensor *t, int64_t size,
                         int dim, rill_tensor **outputs, int capacity, int *count) {
  int64_t n = t->shape[dim], pieces = count_pieces(n, size);
  if (pieces > capacity || !outputs)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%lld outputs do not fit in %d places",
                     (long long)pieces, outputs ? capacity : 0);
  if (pieces <= OP_MAX_OUTPUTS)
    return op_run(ctx, &rill_op_split, (rill_value[]){op_t(t), op_i(size), op_i(dim)}, 3, outputs,
                  capacity, count);
  int64_t mark = ctx->scope_count;
  for (int64_t i = 0; i < pieces; i++) {
    outputs[i] = rill_narrow(ctx, t, dim, i * size, piece(n, size, i));
    if (outputs[i]) continue;
    scope_drop_to(ctx, mark);
    return ctx->error;
  }
  if (count) *count = (int)pieces;
  return RILL_OK;
}

/* The dim to split along; -1 with the error set where the arguments are wrong. */
static int split_dim(rill_context *ctx, const rill_op *op, const rill_value *args,
                     const char *what) {
  const rill_tensor *t = args[0].as.tensor;
  if (!context_ready(ctx)) return -1;
  if (!t)
    error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "tensor argument 0 is NULL");
  else if (!t->ndim)
    error_set(ctx, RILL_ERROR_SHAPE, op->name, "the input has no dims");
  else if (args[1].as.i < 1)
    error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%s is %lld, not at least 1", what,
              (long long)args[1].as.i);
  else
    return shape_dim(ctx, op->name, args[2].as.i, t->ndim);
  return -1;
}

static rill_status split_call(rill_context *ctx, const rill_op *op, const rill_value *args,
                              rill_tensor **outputs, int capacity, int *count) {
  int dim = split_dim(ctx, op, args, "size");
  if (dim < 0) return rill_error(ctx);
  return split(ctx, op, args[0].as.tensor, args[1].as.i, dim, outputs, capacity, count);
}

static rill_status chunk_call(rill_context *ctx, const rill_op *op, const rill_value *args,
                              rill_tensor **outputs, int capacity, int *count) {
  int dim = split_dim(ctx, op, args, "chunks");
  if (dim < 0) return rill_error(ctx);
  int64_t n = args[0].as.tensor->shape[dim], size = n ? (n - 1) / args[1].as.i + 1 : 1;
  return split(ctx, op, args[0].as.tensor, size, dim, outputs, capacity, count);
}

const rill_op rill_op_split = {
    .name = "split",
    .exports = "split",
    .signature = "input: Tensor, size: int, dim: int = 0 -> Tensor[]",
    .doc = "Views of `size` along dim; the last may be shorter.",
    .pure = "rill_split_f32 rill_split_f64 rill_cat_f32 rill_cat_f64",
    .flags = OP_VIEW,
    .forward = split_forward,
    .backward = split_backward,
    .call = split_call,
};

const rill_op rill_op_chunk = {
    .name = "chunk",
    .exports = "chunk",
    .signature = "input: Tensor, chunks: int, dim: int = 0 -> Tensor[]",
    .doc = "At most `chunks` views of equal size along dim; the last may be shorter.",
    .pure = "rill_split_f32 rill_split_f64 rill_cat_f32 rill_cat_f64",
    .flags = OP_COMPOSITE,
    .call = chunk_call,
};

rill_status rill_split(rill_context *ctx, const rill_tensor *input, int64_t size, int dim,
                       rill_tensor **outputs, int capacity, int *count) {
  return split_call(ctx, &rill_op_split, (rill_value[]){op_t(input), op_i(size), op_i(dim)},
                    outputs, capacity, count);
}

rill_status rill_chunk(rill_context *ctx, const rill_tensor *input, int chunks, int dim,
                       rill_tensor **outputs, int capacity, int *count) {
  return chunk_call(ctx, &rill_op_chunk, (rill_value[]){op_t(input), op_i(chunks), op_i(dim)},
                    outputs, capacity, count);
}
