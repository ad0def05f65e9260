/* The selective scan of Mamba over the pool; its gradients, that of the final state included. */
#include "ops/units.h"

#include <string.h>

enum { U, DELTA, A, B, C, D, Z, BIAS, INITIAL, SOFTPLUS, FINAL };

typedef struct scan_job {
  rill_dtype dtype;
  rill_selective_scan_params params;
  const void *u, *delta, *A, *B, *C, *D, *z, *bias, *h0, *grad_y, *grad_hT;
  void *y, *hT, *checkpoints;
  void *grad_u, *grad_delta, *grad_z, *grad_h0, *grad_A, *grad_B, *grad_C, *grad_D, *grad_bias,
      *partials;
  char *workspace;
  size_t workspace_size; /* of a slot */
} scan_job;

static rill_status scan_infer(op_call *c) {
  rill_status s = op_need_real(c, U);
  if (s != RILL_OK) return s;
  const rill_tensor *u = op_in(c, U), *a = op_in(c, A);
  rill_dtype d = (rill_dtype)u->dtype;
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  if (u->ndim != 3 || a->ndim != 2 || a->shape[0] != u->shape[2])
    return op_fail(c, RILL_ERROR_SHAPE,
                   "needs u [batch,time,channels] and A [channels,states], not %s and %s",
                   shape_text(u->shape, u->ndim, x), shape_text(a->shape, a->ndim, y));
  int64_t batch = u->shape[0], steps = u->shape[1], channels = u->shape[2], states = a->shape[1];
  int64_t rows[] = {batch, steps, states}, state[] = {batch, channels, states};
  if ((s = units_need(c, DELTA, "delta", d, u->shape, 3)) != RILL_OK ||
      (s = units_need(c, A, "A", d, a->shape, 2)) != RILL_OK ||
      (s = units_need(c, B, "B", d, rows, 3)) != RILL_OK ||
      (s = units_need(c, C, "C", d, rows, 3)) != RILL_OK ||
      (s = units_need(c, D, "D", d, &channels, 1)) != RILL_OK ||
      (s = units_need(c, Z, "z", d, u->shape, 3)) != RILL_OK ||
      (s = units_need(c, BIAS, "delta_bias", d, &channels, 1)) != RILL_OK ||
      (s = units_need(c, INITIAL, "initial", d, state, 3)) != RILL_OK)
    return s;
  op_out_like(c, u, d);
  if (!c->args[FINAL].as.i) return RILL_OK;
  c->outputs = 2;
  op_out(c, 1, d, state, 3);
  return RILL_OK;
}

/* What forward and backward read alike; the rest is theirs. */
static rill_status prepare(rill_context *ctx, const rill_op *op, const rill_value *args,
                           scan_job *j) {
  const rill_tensor *u = args[U].as.tensor, *t;
  j->dtype = (rill_dtype)u->dtype;
  rill_selective_scan_params *p = &j->params;
  rill_selective_scan_params_init(p);
  p->batch = u->shape[0];
  p->steps = u->shape[1];
  p->channels = u->shape[2];
  p->states = args[A].as.tensor->shape[1];
  p->delta_softplus = args[SOFTPLUS].as.i;
  j->u = units_data(units_rows(ctx, op, u, &p->u_stride));
  j->delta = units_data(units_rows(ctx, op, args[DELTA].as.tensor, &p->delta_stride));
  j->B = units_data(units_rows(ctx, op, args[B].as.tensor, &p->B_stride));
  j->C = units_data(units_rows(ctx, op, args[C].as.tensor, &p->C_stride));
  t = units_given(&args[Z]) ? units_rows(ctx, op, args[Z].as.tensor, &p->z_stride) : NULL;
  j->z = units_data(t);
  j->A = units_dense(ctx, op, &args[A]);
  j->D = units_dense(ctx, op, &args[D]);
  j->bias = units_dense(ctx, op, &args[BIAS]);
  rill_status s = rill_selective_scan_check(p);
  if (s != RILL_OK) return error_set(ctx, s, op->name, "the sizes do not fit in memory");
  j->workspace =
      units_workspaces(ctx, op, PURE(j->dtype, selective_scan_workspace, p), &j->workspace_size);
  return ctx->error;
}

static void forward_part(void *arg, int64_t begin, int64_t end, int slot) {
  scan_job *j = arg;
  PURE(j->dtype, selective_scan, &j->params, j->u, j->delta, j->A, j->B, j->C, j->D, j->z, j->bias,
       j->h0, j->y, j->hT, j->checkpoints, begin, end,
       j->workspace + (size_t)slot * j->workspace_size);
}

static void backward_part(void *arg, int64_t begin, int64_t end, int slot) {
  scan_job *j = arg;
  PURE(j->dtype, selective_scan_backward, &j->params, j->u, j->delta, j->A, j->B, j->C, j->D, j->z,
       j->bias, j->checkpoints, j->grad_y, j->grad_hT, j->grad_u, j->grad_delta, j->grad_z,
       j->grad_h0, j->partials, begin, end, j->workspace + (size_t)slot * j->workspace_size);
}

static void reduce_part(void *arg, int64_t begin, int64_t end, int slot) {
  scan_job *j = arg;
  (void)slot;
  PURE(j->dtype, selective_scan_reduce, &j->params, j->partials, j->grad_A, j->grad_B, j->grad_C,
       j->grad_D, j->grad_bias, begin, end);
}

static int64_t grain(const scan_job *j) {
  return op_grain(j->params.steps * j->params.states * 32 + 1);
}

static rill_status scan_forward(op_call *c) {
  rill_context *ctx = c->ctx;
  scan_job j = {.y = c->out[0]->data, .hT = units_data(c->out[1])};
  if (prepare(ctx, c->op, c->args, &j) != RILL_OK) return ctx->error;
  j.h0 = units_dense(ctx, c->op, &c->args[INITIAL]);
  if (c->recorded) {
    c->extra[0] = units_bytes(ctx, c->op, PURE(j.dtype, selective_scan_checkpoints, &j.params));
    j.checkpoints = units_data(c->extra[0]);
  }
  if (ctx->error != RILL_OK) return ctx->error;
  pool_for(ctx, rill_selective_scan_units(&j.params), grain(&j), forward_part, &j);
  return RILL_OK;
}

static void *wanted(op_grad *g, int i) {
  if (!g->need[i]) return NULL;
  g->result[i] = op_grad_new(g, i);
  return units_data(g->result[i]);
}

static rill_status scan_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  scan_job j = {.checkpoints = g->extra[0]->data};
  if (prepare(ctx, g->op, g->args, &j) != RILL_OK) return ctx->error;
  const edge *u = &g->input[U];
  j.grad_y = units_data(g->grad[0] ? g->grad[0] : rill_zeros(ctx, j.dtype, u->shape, u->ndim));
  if (g->args[FINAL].as.i) j.grad_hT = units_data(g->grad[1]);
  j.grad_u = wanted(g, U);
  j.grad_delta = wanted(g, DELTA);
  j.grad_A = wanted(g, A);
  j.grad_B = wanted(g, B);
  j.grad_C = wanted(g, C);
  j.grad_D = wanted(g, D);
  j.grad_z = wanted(g, Z);
  j.grad_bias = wanted(g, BIAS);
  j.grad_h0 = wanted(g, INITIAL);
  j.partials =
      units_data(units_bytes(ctx, g->op, PURE(j.dtype, selective_scan_partials, &j.params)));
  if (ctx->error != RILL_OK) return ctx->error;
  pool_for(ctx, rill_selective_scan_units(&j.params), grain(&j), backward_part, &j);
  pool_for(ctx, rill_selective_scan_reduce_units(&j.params), 1, reduce_part, &j);
  return RILL_OK;
}

const rill_op rill_op_selective_scan = {
    .name = "selective_scan",
    .exports = "nn.functional.selective_scan",
    .signature =
        "u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor? = None, z: Tensor? "
        "= None, "
        "delta_bias: Tensor? = None, initial: Tensor? = None, delta_softplus: bool = False, "
        "final: bool = False -> Tensor, Tensor",
    .doc = "the scan of Mamba (Gu and Dao 2023); the second output, where final asks for it, is "
           "the state at the end",
    .pure = "rill_selective_scan_f32 rill_selective_scan_f64 rill_selective_scan_backward_f32 "
            "rill_selective_scan_backward_f64 rill_selective_scan_reduce_f32 "
            "rill_selective_scan_reduce_f64",
    .save = OP_SAVE_INPUT(U) | OP_SAVE_INPUT(DELTA) | OP_SAVE_INPUT(A) | OP_SAVE_INPUT(B) |
            OP_SAVE_INPUT(C) | OP_SAVE_INPUT(D) | OP_SAVE_INPUT(Z) | OP_SAVE_INPUT(BIAS),
    .infer = scan_infer,
    .forward = scan_forward,
    .backward = scan_backward,
};

void rill_selective_scan_options_init(rill_selective_scan_options *options) {
  if (options) *options = (rill_selective_scan_options)RILL_SELECTIVE_SCAN_OPTIONS_INIT;
}

rill_tensor *rill_selective_scan(rill_context *ctx, const rill_tensor *u, const rill_tensor *delta,
                                 const rill_tensor *a, const rill_tensor *b, const rill_tensor *c,
                                 const rill_selective_scan_options *options) {
  rill_selective_scan_options o;
  options_read(&o, sizeof o, options);
  rill_value args[] = {op_t(u),
                       op_t(delta),
                       op_t(a),
                       op_t(b),
                       op_t(c),
                       op_to(o.D),
                       op_to(o.z),
                       op_to(o.delta_bias),
                       op_to(o.initial),
                       op_b(o.delta_softplus),
                       op_b(o.final != NULL)};
  rill_tensor *out[2] = {NULL, NULL};
  if (o.final) *o.final = NULL;
  if (op_run(ctx, &rill_op_selective_scan, args, 11, out, 2, NULL) != RILL_OK) return NULL;
  if (o.final) *o.final = out[1];
  return out[0];
}
