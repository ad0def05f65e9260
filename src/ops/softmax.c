/* softmax and log_softmax over one dim. */
#include "ops/op.h"

typedef struct softmax_job {
  bool log;
  rill_dtype dtype;
  int64_t cols;
  const char *x, *g; /* backward: x is the forward's result, g its gradient; forward: g is NULL */
  char *y;
} softmax_job;

static void softmax_part(void *arg, int64_t begin, int64_t end, int slot) {
  const softmax_job *j = arg;
  int64_t skip = begin * j->cols * (int64_t)rill_dtype_size(j->dtype), rows = end - begin;
  const void *x = j->x + skip, *g = j->g ? j->g + skip : NULL;
  void *y = j->y + skip;
  (void)slot;
  if (g && j->log)
    PURE(j->dtype, log_softmax_backward, g, x, y, rows, j->cols);
  else if (g)
    PURE(j->dtype, softmax_backward, g, x, y, rows, j->cols);
  else if (j->log)
    PURE(j->dtype, log_softmax, x, y, rows, j->cols);
  else
    PURE(j->dtype, softmax, x, y, rows, j->cols);
}

/* Kernels work on the last dim: any other is swapped with it, in and out. */
static rill_tensor *swapped(rill_context *ctx, const rill_tensor *t, int dim) {
  return rill_contiguous(ctx, rill_transpose(ctx, t, dim, -1));
}

static rill_status softmax_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, true);
  if (s == RILL_OK && op_dim(c, 1) < 0) s = rill_error(c->ctx);
  if (s == RILL_OK) op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  return s;
}

/* out = the kernel over x (and g in backward) along dim; all of out's shape. */
static rill_status run(rill_context *ctx, const rill_op *op, const rill_tensor *x,
                       const rill_tensor *g, int dim, rill_tensor *out) {
  bool last = out->ndim == 0 || dim == out->ndim - 1;
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_OFF;
  rill_tensor *to = out;
  x = last ? tensor_contiguous(ctx, op->name, x) : swapped(ctx, x, dim);
  if (g && x) g = last ? tensor_contiguous(ctx, op->name, g) : swapped(ctx, g, dim);
  if (x && !last) to = op_new(ctx, op, (rill_dtype)out->dtype, x->shape, x->ndim);
  if (ctx->error == RILL_OK && out->numel) {
    int64_t cols = to->ndim ? to->shape[to->ndim - 1] : 1;
    softmax_job j = {op->data != NULL, (rill_dtype)to->dtype, cols,
                     x->data,          g ? g->data : NULL,    to->data};
    pool_for(ctx, to->numel / cols, op_grain(cols), softmax_part, &j);
    if (to != out) rill_copy_(ctx, out, rill_transpose(ctx, to, dim, -1));
  }
  ctx->grad_mode = before;
  return ctx->error;
}

static rill_status softmax_forward(op_call *c) {
  return run(c->ctx, c->op, op_in(c, 0), NULL, op_dim(c, 1), c->out[0]);
}

static rill_status softmax_backward(op_grad *g) {
  rill_tensor *out = g->result[0] = op_grad_new(g, 0);
  int dim = shape_dim(g->ctx, g->op->name, g->args[1].as.i, g->input[0].ndim);
  return out ? run(g->ctx, g->op, g->out[0], g->grad[0], dim, out) : rill_error(g->ctx);
}

#define SOFTMAX_OP(op, which, text)                                                                \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .exports = "nn.functional." #op,                                                             \
      .signature = "input: Tensor, dim: int = -1 -> Tensor",                                       \
      .doc = text,                                                                                 \
      .module = "rill_nn_" #op,                                                                    \
      .pure =                                                                                      \
          "rill_" #op "_f32 rill_" #op "_f64 rill_" #op "_backward_f32 rill_" #op "_backward_f64", \
      .save = OP_SAVE_OUTPUT(0),                                                                   \
      .infer = softmax_infer,                                                                      \
      .forward = softmax_forward,                                                                  \
      .backward = softmax_backward,                                                                \
      .data = which,                                                                               \
  };                                                                                               \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *input, int dim) {                   \
    return op_run1(ctx, &rill_op_##op, (rill_value[]){op_t(input), op_i(dim)}, 2);                 \
  }
SOFTMAX_OP(softmax, NULL, "torch.nn.functional.softmax: exp(x) over its sum along a dim")
SOFTMAX_OP(log_softmax, "log", "torch.nn.functional.log_softmax: log of the softmax along a dim")
