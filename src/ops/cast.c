/* Copies and conversions: contiguous, clone, to. */
#include "ops/move.h"

/* The input itself where nothing is to be done to it, seen by a handle of its own. */
static rill_tensor *fresh(op_call *c, const rill_tensor *t) {
  return t == op_in(c, 0) ? tensor_alias(c->ctx, t) : (rill_tensor *)t;
}

static rill_status contiguous_forward(op_call *c) {
  const rill_tensor *t = tensor_contiguous(c->ctx, c->op->name, op_in(c, 0));
  return t ? move_view(c, fresh(c, t)) : rill_error(c->ctx);
}

static rill_status clone_infer(op_call *c) {
  op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  return RILL_OK;
}

static rill_status clone_forward(op_call *c) {
  move_copy(c->ctx, op_in(c, 0), op_result(c, 0), c->out[0]->strides);
  return RILL_OK;
}

static rill_status same_backward(op_grad *g) {
  return move_gradient(g, tensor_alias(g->ctx, g->grad[0]));
}

static rill_status to_forward(op_call *c) {
  int64_t dtype = c->args[1].as.i;
  if (dtype < RILL_F32 || dtype > RILL_BOOL)
    return op_fail(c, RILL_ERROR_DTYPE, "there is no dtype %lld", (long long)dtype);
  const rill_tensor *t = op_in(c, 0);
  if (t->dtype != dtype) t = tensor_converted(c->ctx, c->op->name, t, (rill_dtype)dtype);
  return t ? move_view(c, fresh(c, t)) : rill_error(c->ctx);
}

static rill_status to_backward(op_grad *g) {
  const rill_tensor *t =
      tensor_converted(g->ctx, g->op->name, g->grad[0], (rill_dtype)g->input[0].dtype);
  if (!t) return rill_error(g->ctx);
  return move_gradient(g, t == g->grad[0] ? tensor_alias(g->ctx, t) : (rill_tensor *)t);
}

const rill_op rill_op_contiguous = {
    .name = "contiguous",
    .exports = "Tensor.contiguous",
    .signature = "input: Tensor -> Tensor",
    .doc = "A row-major copy, or a view of the input where it already is contiguous.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_VIEW | OP_POINTWISE,
    .forward = contiguous_forward,
    .backward = same_backward,
};

const rill_op rill_op_clone = {
    .name = "clone",
    .exports = "clone",
    .signature = "input: Tensor -> Tensor",
    .doc = "A copy with storage of its own.",
    .pure = MOVE_STRIDED_COPY,
    .flags = OP_POINTWISE,
    .infer = clone_infer,
    .forward = clone_forward,
    .backward = same_backward,
};

const rill_op rill_op_to = {
    .name = "to",
    .exports = "Tensor.to",
    .signature = "input: Tensor, dtype: dtype -> Tensor",
    .doc = "Converts to another dtype; a view where it is the same.",
    .pure = "rill_to_f32 rill_to_f64 rill_to_f16 rill_to_bf16 rill_to_i32 rill_to_i64 rill_to_u8 "
            "rill_to_bool",
    .flags = OP_VIEW | OP_POINTWISE,
    .forward = to_forward,
    .backward = to_backward,
};

rill_tensor *rill_contiguous(rill_context *ctx, const rill_tensor *input) {
  return op_run1(ctx, &rill_op_contiguous, (rill_value[]){op_t(input)}, 1);
}

rill_tensor *rill_clone(rill_context *ctx, const rill_tensor *input) {
  return op_run1(ctx, &rill_op_clone, (rill_value[]){op_t(input)}, 1);
}

rill_tensor *rill_to(rill_context *ctx, const rill_tensor *input, rill_dtype dtype) {
  return op_run1(ctx, &rill_op_to, (rill_value[]){op_t(input), op_i(dtype)}, 2);
}
