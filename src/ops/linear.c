/* linear: input times weight transposed plus bias, in one product. */
#include "ops/gemm.h"

#include <string.h>

static rill_status linear_infer(op_call *c) {
  bool bias = op_has(c, 2);
  rill_status s = op_promote(c, 0, bias ? 3 : 2, true);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, 0), *w = op_in(c, 1);
  char tx[SHAPE_TEXT], tw[SHAPE_TEXT];
  if (x->ndim < 1 || w->ndim != 2 || x->shape[x->ndim - 1] != w->shape[1])
    return op_fail(c, RILL_ERROR_SHAPE, "needs input [...,in] and weight [out,in], not %s and %s",
                   shape_text(x->shape, x->ndim, tx), shape_text(w->shape, w->ndim, tw));
  if (bias && (op_in(c, 2)->ndim != 1 || op_in(c, 2)->shape[0] != w->shape[0]))
    return op_fail(c, RILL_ERROR_SHAPE, "the bias is %s for weight %s",
                   shape_text(op_in(c, 2)->shape, op_in(c, 2)->ndim, tx),
                   shape_text(w->shape, w->ndim, tw));
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, x->shape, sizeof shape);
  shape[x->ndim - 1] = w->shape[0];
  op_out(c, 0, (rill_dtype)x->dtype, shape, x->ndim);
  return RILL_OK;
}

static int64_t at_least_one(int64_t n) { return n > 0 ? n : 1; }

static rill_status linear_forward(op_call *c) {
  const void *x = op_data(c, 0), *w = op_data(c, 1), *bias = op_has(c, 2) ? op_data(c, 2) : NULL;
  rill_tensor *y = c->out[0];
  if (c->ctx->error != RILL_OK || !y->numel) return c->ctx->error;
  int64_t out = op_in(c, 1)->shape[0], in = op_in(c, 1)->shape[1];
  gemm g = {.dtype = (rill_dtype)y->dtype,
            .trans_b = true,
            .m = y->numel / out,
            .n = out,
            .k = in,
            .a = x,
            .lda = at_least_one(in),
            .b = w,
            .ldb = at_least_one(in),
            .bias = bias,
            .c = y->data,
            .ldc = out};
  gemm_run(c->ctx, &g);
  return RILL_OK;
}

/* dX = G W, dW = Gt X, dbias = the sum of G's rows (left to the engine, which sums [rows,out] to
 * [out]). */
static rill_status linear_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  const rill_tensor *grad = g->grad[0], *x = g->args[0].as.tensor, *w = g->args[1].as.tensor;
  int64_t out = g->input[1].shape[0], in = g->input[1].shape[1],
          rows = grad->numel / at_least_one(out);
  rill_dtype d = (rill_dtype)grad->dtype;
  if (g->need[0]) {
    rill_tensor *gx = op_grad_new(g, 0);
    w = tensor_contiguous(ctx, g->op->name, w);
    if (!gx || !w) return rill_error(ctx);
    gemm p = {.dtype = d,
              .m = rows,
              .n = in,
              .k = out,
              .a = grad->data,
              .lda = at_least_one(out),
              .b = w->data,
              .ldb = at_least_one(in),
              .c = gx->data,
              .ldc = at_least_one(in)};
    if (gx->numel) gemm_run(ctx, &p);
    g->result[0] = gx;
  }
  if (g->need[1]) {
    rill_tensor *gw = op_grad_new(g, 1);
    x = tensor_contiguous(ctx, g->op->name, x);
    if (!gw || !x) return rill_error(ctx);
    gemm p = {.dtype = d,
              .trans_a = true,
              .m = out,
              .n = in,
              .k = rows,
              .a = grad->data,
              .lda = at_least_one(out),
              .b = x->data,
              .ldb = at_least_one(in),
              .c = gw->data,
              .ldc = at_least_one(in)};
    if (gw->numel) gemm_run(ctx, &p);
    g->result[1] = gw;
  }
  if (g->inputs > 2 && g->need[2])
    g->result[2] = rill_reshape(ctx, grad, (int64_t[]){rows, out}, 2);
  return rill_error(ctx);
}

const rill_op rill_op_linear = {
    .name = "linear",
    .exports = "nn.functional.linear",
    .signature = "input: Tensor, weight: Tensor, bias: Tensor? = None -> Tensor",
    .doc = "torch.nn.functional.linear: input times weight transposed, plus bias",
    .module = "rill_nn_linear",
    .pure = "rill_gemm_f32 rill_gemm_f64",
    .save = OP_SAVE_INPUT(0) | OP_SAVE_INPUT(1),
    .infer = linear_infer,
    .forward = linear_forward,
    .backward = linear_backward,
};

rill_tensor *rill_linear(rill_context *ctx, const rill_tensor *input, const rill_tensor *weight,
                         const rill_tensor *bias) {
  return op_run1(ctx, &rill_op_linear, (rill_value[]){op_t(input), op_t(weight), op_to(bias)}, 3);
}
