/* The short convolution of sequence layers over the pool; its gradients, that of the final tail
 * included. */
#include "ops/units.h"

enum { INPUT, WEIGHT, BIAS, INITIAL, SILU, FINAL };

typedef struct conv_job {
  rill_dtype dtype;
  rill_causal_conv1d_params params;
  const void *x, *weight, *bias, *tail, *grad_y, *grad_final;
  void *y, *final, *grad_x, *grad_tail, *grad_weight, *grad_bias, *partials;
  char *workspace;
  size_t workspace_size; /* of a slot */
} conv_job;

static rill_status conv_infer(op_call *c) {
  rill_status s = op_need_real(c, INPUT);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, INPUT), *w = op_in(c, WEIGHT);
  rill_dtype d = (rill_dtype)x->dtype;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (x->ndim != 3 || w->ndim != 2 || w->shape[0] != x->shape[2] || w->shape[1] < 1)
    return op_fail(c, RILL_ERROR_SHAPE,
                   "needs input [batch,time,channels] and weight [channels,taps], not %s and %s",
                   shape_text(x->shape, x->ndim, a), shape_text(w->shape, w->ndim, b));
  int64_t tail[] = {x->shape[0], w->shape[1] - 1, x->shape[2]};
  if ((s = units_need(c, WEIGHT, "weight", d, w->shape, 2)) != RILL_OK ||
      (s = units_need(c, BIAS, "bias", d, &x->shape[2], 1)) != RILL_OK ||
      (s = units_need(c, INITIAL, "initial", d, tail, 3)) != RILL_OK)
    return s;
  op_out_like(c, x, d);
  if (!c->args[FINAL].as.i) return RILL_OK;
  c->outputs = 2;
  op_out(c, 1, d, tail, 3);
  return RILL_OK;
}

static rill_status prepare(rill_context *ctx, const rill_op *op, const rill_value *args,
                           conv_job *j) {
  const rill_tensor *x = args[INPUT].as.tensor;
  j->dtype = (rill_dtype)x->dtype;
  rill_causal_conv1d_params *p = &j->params;
  rill_causal_conv1d_params_init(p);
  p->batch = x->shape[0];
  p->steps = x->shape[1];
  p->channels = x->shape[2];
  p->taps = args[WEIGHT].as.tensor->shape[1];
  p->silu = args[SILU].as.i;
  j->x = units_data(units_rows(ctx, op, x, &p->x_stride));
  j->weight = units_dense(ctx, op, &args[WEIGHT]);
  j->bias = units_dense(ctx, op, &args[BIAS]);
  j->tail = units_dense(ctx, op, &args[INITIAL]);
  rill_status s = rill_causal_conv1d_check(p);
  if (s != RILL_OK) return error_set(ctx, s, op->name, "the sizes do not fit in memory");
  j->workspace =
      units_workspaces(ctx, op, PURE(j->dtype, causal_conv1d_workspace, p), &j->workspace_size);
  return ctx->error;
}

static void forward_part(void *arg, int64_t begin, int64_t end, int slot) {
  conv_job *j = arg;
  PURE(j->dtype, causal_conv1d, &j->params, j->x, j->weight, j->bias, j->tail, j->y, j->final,
       begin, end, j->workspace + (size_t)slot * j->workspace_size);
}

static void backward_part(void *arg, int64_t begin, int64_t end, int slot) {
  conv_job *j = arg;
  PURE(j->dtype, causal_conv1d_backward, &j->params, j->x, j->weight, j->bias, j->tail, j->grad_y,
       j->grad_final, j->grad_x, j->grad_tail, j->partials, begin, end,
       j->workspace + (size_t)slot * j->workspace_size);
}

static void reduce_part(void *arg, int64_t begin, int64_t end, int slot) {
  conv_job *j = arg;
  (void)slot;
  PURE(j->dtype, causal_conv1d_reduce, &j->params, j->partials, j->grad_weight, j->grad_bias, begin,
       end);
}

static int64_t grain(const conv_job *j) {
  return op_grain(j->params.steps * j->params.taps * 16 + 1);
}

static rill_status conv_forward(op_call *c) {
  conv_job j = {.y = c->out[0]->data, .final = units_data(c->out[1])};
  if (prepare(c->ctx, c->op, c->args, &j) != RILL_OK) return c->ctx->error;
  pool_for(c->ctx, rill_causal_conv1d_units(&j.params), grain(&j), forward_part, &j);
  return RILL_OK;
}

static void *wanted(op_grad *g, int i) {
  if (!g->need[i]) return NULL;
  g->result[i] = op_grad_new(g, i);
  return units_data(g->result[i]);
}

static rill_status conv_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  conv_job j = {0};
  if (prepare(ctx, g->op, g->args, &j) != RILL_OK) return ctx->error;
  const edge *x = &g->input[INPUT];
  j.grad_y = units_data(g->grad[0] ? g->grad[0] : rill_zeros(ctx, j.dtype, x->shape, x->ndim));
  if (g->args[FINAL].as.i) j.grad_final = units_data(g->grad[1]);
  j.grad_x = wanted(g, INPUT);
  j.grad_weight = wanted(g, WEIGHT);
  j.grad_bias = wanted(g, BIAS);
  j.grad_tail = wanted(g, INITIAL);
  j.partials =
      units_data(units_bytes(ctx, g->op, PURE(j.dtype, causal_conv1d_partials, &j.params)));
  if (ctx->error != RILL_OK) return ctx->error;
  pool_for(ctx, rill_causal_conv1d_units(&j.params), grain(&j), backward_part, &j);
  if (j.grad_weight || j.grad_bias)
    pool_for(ctx, rill_causal_conv1d_reduce_units(&j.params), 1, reduce_part, &j);
  return RILL_OK;
}

const rill_op rill_op_causal_conv1d = {
    .name = "causal_conv1d",
    .exports = "nn.functional.causal_conv1d",
    .signature = "input: Tensor, weight: Tensor, bias: Tensor? = None, initial: Tensor? = None, "
                 "silu: bool = False, "
                 "final: bool = False -> Tensor, Tensor",
    .doc = "depthwise causal convolution along time; the second output, where final asks for it, "
           "is the last inputs",
    .pure = "rill_causal_conv1d_f32 rill_causal_conv1d_f64 rill_causal_conv1d_backward_f32 "
            "rill_causal_conv1d_backward_f64 rill_causal_conv1d_reduce_f32 "
            "rill_causal_conv1d_reduce_f64",
    .save =
        OP_SAVE_INPUT(INPUT) | OP_SAVE_INPUT(WEIGHT) | OP_SAVE_INPUT(BIAS) | OP_SAVE_INPUT(INITIAL),
    .infer = conv_infer,
    .forward = conv_forward,
    .backward = conv_backward,
};

rill_tensor *rill_causal_conv1d(rill_context *ctx, const rill_tensor *input,
                                const rill_tensor *weight, const rill_tensor *bias,
                                const rill_tensor *initial, bool silu, rill_tensor **final) {
  rill_value args[] = {op_t(input),    op_t(weight), op_to(bias),
                       op_to(initial), op_b(silu),   op_b(final != NULL)};
  rill_tensor *out[2] = {NULL, NULL};
  if (final) *final = NULL;
  if (op_run(ctx, &rill_op_causal_conv1d, args, 6, out, 2, NULL) != RILL_OK) return NULL;
  if (final) *final = out[1];
  return out[0];
}
