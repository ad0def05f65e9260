/* Softmax attention over the pool. Backward makes the scores again from the saved logarithms of their
 * sums (FlashAttention-2, Dao 2023), and dropout's mask from its place in the random stream. */
#include "ops/units.h"

enum { Q, K, V, MASK, ALIBI, CAUSAL, WINDOW, SCALE, SOFTCAP, DROPOUT, SEED, OFFSET };

typedef struct attention_job {
  rill_dtype dtype;
  rill_attention_params params;
  const void *q, *k, *v, *d_o;
  void *o, *lse, *dq, *dk, *dv, *d_bias, *d_alibi;
  char *workspace;
  size_t workspace_size; /* of a slot */
} attention_job;

/* The sizes, from tensors that have been checked. */
static void read_sizes(rill_attention_params *p, const rill_value *args) {
  const rill_tensor *q = args[Q].as.tensor, *k = args[K].as.tensor, *v = args[V].as.tensor;
  rill_attention_params_init(p);
  p->batch = q->shape[0];
  p->q_len = q->shape[1];
  p->heads = q->shape[2];
  p->head_dim = q->shape[3];
  p->k_len = k->shape[1];
  p->kv_heads = k->shape[2];
  p->value_dim = v->shape[3];
  p->causal = (rill_attention_causal)args[CAUSAL].as.i;
  p->window = args[WINDOW].as.i;
  p->scale = args[SCALE].as.f;
  p->softcap = args[SOFTCAP].as.f;
  p->dropout = args[DROPOUT].as.f;
}

static rill_status check_inputs(op_call *c) {
  const rill_tensor *q = op_in(c, Q), *k = op_in(c, K), *v = op_in(c, V);
  char x[SHAPE_TEXT], y[SHAPE_TEXT], z[SHAPE_TEXT];
  if (k->dtype != q->dtype || v->dtype != q->dtype)
    return op_fail(c, RILL_ERROR_DTYPE, "q, k and v differ: %s, %s, %s",
                   rill_dtype_name((rill_dtype)q->dtype), rill_dtype_name((rill_dtype)k->dtype),
                   rill_dtype_name((rill_dtype)v->dtype));
  bool fits = q->ndim == 4 && k->ndim == 4 && v->ndim == 4;
  fits = fits && q->shape[0] == k->shape[0] && q->shape[3] == k->shape[3] &&
         shape_equal(k->shape, 3, v->shape, 3);
  fits = fits && q->shape[2] > 0 && k->shape[2] > 0 && q->shape[2] % k->shape[2] == 0;
  fits = fits && q->shape[3] > 0 && v->shape[3] > 0;
  if (fits) return RILL_OK;
  return op_fail(
      c, RILL_ERROR_SHAPE,
      "needs q [B,Tq,H,D], k [B,Tk,G,D], v [B,Tk,G,E], H a multiple of G, not %s, %s and %s",
      shape_text(q->shape, q->ndim, x), shape_text(k->shape, k->ndim, y),
      shape_text(v->shape, v->ndim, z));
}

static rill_status check_mask(op_call *c) {
  if (!op_has(c, MASK)) return RILL_OK;
  const rill_tensor *m = op_in(c, MASK), *q = op_in(c, Q);
  int64_t scores[] = {q->shape[0], q->shape[2], q->shape[1], op_in(c, K)->shape[1]},
          all[RILL_MAX_DIMS];
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  int ndim;
  if (m->dtype != RILL_BOOL && m->dtype != q->dtype)
    return op_fail(c, RILL_ERROR_DTYPE, "the mask must be bool or %s, not %s",
                   rill_dtype_name((rill_dtype)q->dtype), rill_dtype_name((rill_dtype)m->dtype));
  if (!shape_broadcast(m->shape, m->ndim, scores, 4, all, &ndim) ||
      !shape_equal(all, ndim, scores, 4))
    return op_fail(c, RILL_ERROR_SHAPE, "a mask %s does not broadcast to %s",
                   shape_text(m->shape, m->ndim, x), shape_text(scores, 4, y));
  return RILL_OK;
}

/* Dropout's place in the stream is noted in the arguments, for backward, as in dropout.c. */
static rill_status attention_infer(op_call *c) {
  rill_status s = op_need_real(c, Q);
  if (s != RILL_OK || (s = check_inputs(c)) != RILL_OK || (s = check_mask(c)) != RILL_OK) return s;
  const rill_tensor *q = op_in(c, Q), *v = op_in(c, V);
  if ((s = units_need(c, ALIBI, "alibi", (rill_dtype)q->dtype, &q->shape[2], 1)) != RILL_OK)
    return s;
  if (c->args[WINDOW].as.i && !c->args[CAUSAL].as.i)
    return op_fail(c, RILL_ERROR_ARGUMENT, "a window needs causal attention");
  rill_attention_params p;
  read_sizes(&p, c->args);
  if ((s = rill_attention_check(&p)) != RILL_OK)
    return op_fail(c, s,
                   s == RILL_ERROR_ARGUMENT
                       ? "causal, window, scale, softcap or dropout is out of range"
                   : s == RILL_ERROR_UNSUPPORTED ? "heads are too wide"
                                                 : "there are too many scores to count");
  int64_t shape[] = {p.batch, p.q_len, p.heads, v->shape[3]};
  op_out(c, 0, (rill_dtype)q->dtype, shape, 4);
  c->nargs = OFFSET + 1;
  c->args[OFFSET] = op_i(0);
  if (c->args[SEED].kind == RILL_VALUE_INT) return RILL_OK;
  c->args[SEED] = op_i((int64_t)c->ctx->random.seed);
  c->args[OFFSET] = op_i((int64_t)random_reserve(c->ctx, rill_attention_dropout_blocks(&p)));
  return RILL_OK;
}

/* q, k or v as the kernel reads it. */
static const void *operand(rill_context *ctx, const rill_op *op, const rill_value *v,
                           int64_t strides[3]) {
  const rill_tensor *t = units_last_dense(ctx, op, v->as.tensor);
  if (!t) return NULL;
  for (int d = 0; d < 3; d++) strides[d] = t->strides[d];
  return t->data;
}

static void read_mask(rill_attention_params *p, const rill_tensor *m) {
  bool keep = m->dtype == RILL_BOOL;
  int64_t *strides = keep ? p->keep_stride : p->bias_stride;
  for (int d = 0; d < m->ndim; d++) strides[4 - m->ndim + d] = m->shape[d] == 1 ? 0 : m->strides[d];
  if (keep)
    p->keep = (const uint8_t *)m->data;
  else
    p->bias = m->data;
}

static rill_status prepare(rill_context *ctx, const rill_op *op, const rill_value *args,
                           attention_job *j) {
  rill_attention_params *p = &j->params;
  j->dtype = (rill_dtype)args[Q].as.tensor->dtype;
  read_sizes(p, args);
  j->q = operand(ctx, op, &args[Q], p->q_stride);
  j->k = operand(ctx, op, &args[K], p->k_stride);
  j->v = operand(ctx, op, &args[V], p->v_stride);
  int64_t o[] = {p->batch, p->q_len, p->heads, p->value_dim}, strides[4];
  shape_strides(o, 4, strides);
  for (int d = 0; d < 3; d++) p->o_stride[d] = strides[d];
  if (units_given(&args[MASK])) read_mask(p, args[MASK].as.tensor);
  p->alibi = units_dense(ctx, op, &args[ALIBI]);
  p->seed = (uint64_t)args[SEED].as.i;
  p->offset = (uint64_t)args[OFFSET].as.i;
  j->workspace =
      units_workspaces(ctx, op, PURE(j->dtype, attention_workspace, p), &j->workspace_size);
  return ctx->error;
}

static void forward_part(void *arg, int64_t begin, int64_t end, int slot) {
  attention_job *j = arg;
  PURE(j->dtype, attention, &j->params, j->q, j->k, j->v, j->o, j->lse, begin, end,
       j->workspace + (size_t)slot * j->workspace_size);
}

static void backward_part(void *arg, int64_t begin, int64_t end, int slot) {
  attention_job *j = arg;
  PURE(j->dtype, attention_backward, &j->params, j->q, j->k, j->v, j->o, j->lse, j->d_o, j->dq,
       j->dk, j->dv, begin, end, j->workspace + (size_t)slot * j->workspace_size);
}

static void bias_part(void *arg, int64_t begin, int64_t end, int slot) {
  attention_job *j = arg;
  PURE(j->dtype, attention_backward_bias, &j->params, j->q, j->k, j->v, j->o, j->lse, j->d_o,
       j->d_bias, begin, end, j->workspace + (size_t)slot * j->workspace_size);
}

static void alibi_part(void *arg, int64_t begin, int64_t end, int slot) {
  attention_job *j = arg;
  PURE(j->dtype, attention_backward_alibi, &j->params, j->q, j->k, j->v, j->o, j->lse, j->d_o,
       j->d_alibi, begin, end, j->workspace + (size_t)slot * j->workspace_size);
}

static rill_status attention_forward(op_call *c) {
  rill_context *ctx = c->ctx;
  attention_job j = {.o = c->out[0]->data};
  if (prepare(ctx, c->op, c->args, &j) != RILL_OK) return ctx->error;
  int64_t rows[] = {j.params.batch, j.params.heads, j.params.q_len};
  rill_tensor *lse = op_new(ctx, c->op, j.dtype, rows, 3);
  if (!lse) return ctx->error;
  j.lse = lse->data;
  int64_t units = rill_attention_units(&j.params);
  int64_t queries = units ? j.params.q_len * rows[0] * rows[1] / units + 1 : 0; /* of a unit */
  int64_t cost =
      j.params.k_len * (j.params.head_dim + j.params.value_dim) / 16 + 1; /* of a query */
  pool_for(ctx, units, op_grain(queries * cost), forward_part, &j);
  if (c->recorded) c->extra[0] = lse;
  return RILL_OK;
}

static bool needs(const op_grad *g, int i) { return i < g->inputs && g->need[i]; }

/* Room for the gradient of input i where it is needed; true where it is and there is room. */
static bool make_result(op_grad *g, int i, void **data) {
  if (!needs(g, i) || !(g->result[i] = op_grad_new(g, i))) return false;
  *data = g->result[i]->data;
  return true;
}

/* The gradients of q, k and v come together. */
static rill_status backward_products(op_grad *g, attention_job *j) {
  rill_tensor *grads[3];
  if (!needs(g, Q) && !needs(g, K) && !needs(g, V)) return RILL_OK;
  for (int i = Q; i <= V; i++)
    if (!(grads[i] = op_grad_new(g, i))) return g->ctx->error;
  j->dq = grads[Q]->data;
  j->dk = grads[K]->data;
  j->dv = grads[V]->data;
  pool_for(g->ctx, rill_attention_backward_units(&j->params), 1, backward_part, j);
  for (int i = Q; i <= V; i++)
    if (g->need[i]) g->result[i] = grads[i];
  return RILL_OK;
}

/* The kernels write a gradient in its input's layout, which may repeat memory or have holes: they read
 * contiguous inputs here. */
static rill_status attention_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  rill_value args[OFFSET + 1];
  for (int i = 0; i <= OFFSET; i++) args[i] = g->args[i];
  for (int i = Q; i <= MASK; i++) {
    if (!units_given(&args[i])) continue;
    args[i].as.tensor = tensor_contiguous(ctx, g->op->name, args[i].as.tensor);
    if (!args[i].as.tensor) return ctx->error;
  }
  attention_job j = {.o = g->out[0]->data, .lse = g->extra[0]->data, .d_o = g->grad[0]->data};
  if (prepare(ctx, g->op, args, &j) != RILL_OK) return ctx->error;
  if (backward_products(g, &j) != RILL_OK) return ctx->error;
  if (make_result(g, MASK, &j.d_bias))
    pool_for(ctx, rill_attention_backward_bias_units(&j.params), 1, bias_part, &j);
  if (make_result(g, ALIBI, &j.d_alibi))
    pool_for(ctx, rill_attention_backward_alibi_units(&j.params), 1, alibi_part, &j);
  return ctx->error;
}

const rill_op rill_op_attention = {
    .name = "attention",
    .exports = "nn.functional.scaled_dot_product_attention",
    .signature = "q: Tensor, k: Tensor, v: Tensor, mask: Tensor? = None, alibi: Tensor? = None, "
                 "causal: int = 0, "
                 "window: int = 0, scale: float = 0.0, softcap: float = 0.0, dropout: float = 0.0, "
                 "seed: int? = None -> Tensor",
    .doc = "softmax attention of [batch,time,heads,width]; causal 0 none, 1 bottom right, 2 top "
           "left; scale 0: "
           "1/sqrt(width)",
    .module = "rill_nn_attention",
    .pure = "rill_attention_f32 rill_attention_f64 rill_attention_backward_f32 "
            "rill_attention_backward_f64 rill_attention_backward_bias_f32 "
            "rill_attention_backward_bias_f64 rill_attention_backward_alibi_f32 "
            "rill_attention_backward_alibi_f64",
    .flags = OP_RANDOM,
    .save = OP_SAVE_INPUT(Q) | OP_SAVE_INPUT(K) | OP_SAVE_INPUT(V) | OP_SAVE_INPUT(MASK) |
            OP_SAVE_INPUT(ALIBI) | OP_SAVE_OUTPUT(0),
    .infer = attention_infer,
    .forward = attention_forward,
    .backward = attention_backward,
};

void rill_attention_options_init(rill_attention_options *options) {
  if (options) *options = (rill_attention_options)RILL_ATTENTION_OPTIONS_INIT;
}

rill_tensor *rill_attention(rill_context *ctx, const rill_tensor *q, const rill_tensor *k,
                            const rill_tensor *v, const rill_attention_options *options) {
  rill_attention_options o;
  options_read(&o, sizeof o, options);
  rill_value args[] = {op_t(q),
                       op_t(k),
                       op_t(v),
                       op_to(o.mask),
                       op_to(o.alibi),
                       op_i(o.causal),
                       op_i(o.window),
                       op_f(o.scale),
                       op_f(o.softcap),
                       op_f(o.dropout),
                       {.kind = RILL_VALUE_NONE}};
  return op_run1(ctx, &rill_op_attention, args, 11);
}
