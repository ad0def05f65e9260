/* Choosing elements by a mask: where and masked_fill. */
#include "ops/broadcast.h"

typedef struct where_job {
  rill_dtype dtype;
  char *out;
} where_job;

static void where_row(void *arg, const char *const *in, const int64_t *s, int64_t at, int64_t n) {
  const where_job *j = arg;
  const uint8_t *condition = (const uint8_t *)in[0];
  const void *a = in[1], *b = in[2];
  if (j->dtype == RILL_F32)
    rill_where_f32(condition, s[0], a, s[1], b, s[2], (float *)j->out + at, n);
  else
    rill_where_f64(condition, s[0], a, s[1], b, s[2], (double *)j->out + at, n);
}

/* out = condition ? a : b, where a and b have out's dtype or (integers) go through f64. */
static rill_status choose(rill_context *ctx, const rill_op *op, const rill_tensor *condition,
                          const rill_tensor *a, const rill_tensor *b, rill_tensor *out) {
  rill_dtype dtype = dtype_computes((rill_dtype)out->dtype) ? (rill_dtype)out->dtype : RILL_F64;
  rill_tensor *to = dtype == out->dtype ? out : op_new(ctx, op, dtype, out->shape, out->ndim);
  a = tensor_converted(ctx, op->name, a, dtype);
  b = a ? tensor_converted(ctx, op->name, b, dtype) : NULL;
  if (!to || !b) return rill_error(ctx);
  broadcast walk;
  where_job j = {dtype, to->data};
  broadcast_init(&walk, out->shape, out->ndim, (const rill_tensor *const[]){condition, a, b}, 3);
  broadcast_run(ctx, &walk, where_row, &j);
  if (to != out) convert(dtype, to->data, (rill_dtype)out->dtype, out->data, out->numel);
  return RILL_OK;
}

static rill_status where_infer(op_call *c) {
  rill_status s = op_need_dtype(c, 0, RILL_BOOL);
  if (s == RILL_OK) s = op_promote(c, 1, 2, false);
  return s == RILL_OK ? broadcast_infer(c, 0, 3, (rill_dtype)op_in(c, 1)->dtype) : s;
}

static rill_status where_forward(op_call *c) {
  return choose(c->ctx, c->op, op_in(c, 0), op_in(c, 1), op_in(c, 2), c->out[0]);
}

/* The gradient where `keep` equals the condition, zero elsewhere. */
static rill_tensor *masked_grad(op_grad *g, const rill_tensor *condition, bool keep) {
  rill_tensor *grad = g->grad[0],
              *out = op_new(g->ctx, g->op, (rill_dtype)grad->dtype, grad->shape, grad->ndim);
  rill_tensor *zero = rill_scalar(g->ctx, (rill_dtype)grad->dtype, 0);
  if (!out || !zero) return NULL;
  return choose(g->ctx, g->op, condition, keep ? grad : zero, keep ? zero : grad, out) == RILL_OK
             ? out
             : NULL;
}

static rill_status where_backward(op_grad *g) {
  for (int i = 1; i <= 2; i++)
    if (g->need[i] && !(g->result[i] = masked_grad(g, g->args[0].as.tensor, i == 1)))
      return rill_error(g->ctx);
  return RILL_OK;
}

const rill_op rill_op_where = {
    .name = "where",
    .signature = "condition: Tensor, input: Tensor, other: Tensor -> Tensor",
    .doc = "torch.where: input where the condition holds, else other",
    .pure = "rill_where_f32 rill_where_f64",
    .save = OP_SAVE_INPUT(0),
    .flags = OP_POINTWISE,
    .infer = where_infer,
    .forward = where_forward,
    .backward = where_backward,
};

rill_tensor *rill_where(rill_context *ctx, const rill_tensor *condition, const rill_tensor *a,
                        const rill_tensor *b) {
  return op_run1(ctx, &rill_op_where, (rill_value[]){op_t(condition), op_t(a), op_t(b)}, 3);
}

static rill_status fill_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, false);
  if (s == RILL_OK) s = op_need_dtype(c, 1, RILL_BOOL);
  return s == RILL_OK ? broadcast_infer(c, 0, 2, (rill_dtype)op_in(c, 0)->dtype) : s;
}

static rill_status fill_forward(op_call *c) {
  rill_tensor *value = rill_scalar(c->ctx, (rill_dtype)c->out[0]->dtype, c->args[2].as.f);
  return value ? choose(c->ctx, c->op, op_in(c, 1), value, op_in(c, 0), c->out[0])
               : rill_error(c->ctx);
}

static rill_status fill_backward(op_grad *g) {
  g->result[0] = masked_grad(g, g->args[1].as.tensor, false);
  return rill_error(g->ctx);
}

const rill_op rill_op_masked_fill = {
    .name = "masked_fill",
    .signature = "input: Tensor, mask: Tensor, value: float -> Tensor",
    .doc = "torch.masked_fill: value where the mask holds, else input",
    .pure = "rill_where_f32 rill_where_f64 rill_masked_fill_f32 rill_masked_fill_f64",
    .save = OP_SAVE_INPUT(1),
    .flags = OP_POINTWISE,
    .infer = fill_infer,
    .forward = fill_forward,
    .backward = fill_backward,
};

rill_tensor *rill_masked_fill(rill_context *ctx, const rill_tensor *input, const rill_tensor *mask,
                              double value) {
  return op_run1(ctx, &rill_op_masked_fill, (rill_value[]){op_t(input), op_t(mask), op_f(value)},
                 3);
}
