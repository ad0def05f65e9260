/* dropout: the mask is drawn again in backward from the same place of the stream. */
#include "ops/op.h"

#include <string.h>

enum { P = 1, SEED = 2, OFFSET = 3 };

typedef struct dropout_job {
  rill_dtype dtype;
  double p;
  uint64_t seed, offset;
  const char *x;
  char *y;
} dropout_job;

static void dropout_part(void *arg, int64_t i, int64_t end, int slot) {
  const dropout_job *j = arg;
  int64_t skip = i * (int64_t)rill_dtype_size(j->dtype);
  const void *x = j->x + skip;
  void *y = j->y + skip;
  (void)slot;
  PURE(j->dtype, dropout, x, j->p, j->seed, j->offset, i, y, NULL, end - i);
}

static void run(rill_context *ctx, const rill_value *args, const void *x, rill_tensor *y) {
  dropout_job j = {(rill_dtype)y->dtype,
                   args[P].as.f,
                   (uint64_t)args[SEED].as.i,
                   (uint64_t)args[OFFSET].as.i,
                   x,
                   y->data};
  pool_for(ctx, y->numel, op_grain(1), dropout_part, &j);
}

/* Without a seed of its own, a call takes the next stretch of the context's stream; both are noted in
 * the arguments, for backward. */
static rill_status dropout_infer(op_call *c) {
  rill_status s = op_need_real(c, 0);
  if (s != RILL_OK) return s;
  double p = c->args[P].as.f;
  if (!(p >= 0 && p <= 1)) return op_fail(c, RILL_ERROR_ARGUMENT, "p must lie in [0, 1]");
  op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  c->nargs = OFFSET + 1;
  c->args[OFFSET] = op_i(0);
  if (c->args[SEED].kind == RILL_VALUE_INT) return RILL_OK;
  c->args[SEED] = op_i((int64_t)c->ctx->random.seed);
  c->args[OFFSET] = op_i((int64_t)random_reserve(c->ctx, ((uint64_t)op_in(c, 0)->numel + 3) / 4));
  return RILL_OK;
}

static rill_status dropout_forward(op_call *c) {
  const void *x = op_data(c, 0);
  if (c->ctx->error == RILL_OK) run(c->ctx, c->args, x, c->out[0]);
  return c->ctx->error;
}

static rill_status dropout_backward(op_grad *g) {
  g->result[0] = op_grad_new(g, 0);
  if (g->result[0]) run(g->ctx, g->args, g->grad[0]->data, g->result[0]);
  return rill_error(g->ctx);
}

const rill_op rill_op_dropout = {
    .name = "dropout",
    .exports = "nn.functional.dropout",
    .signature = "input: Tensor, p: float = 0.5, seed: int? = None -> Tensor",
    .doc = "torch.nn.functional.dropout in training mode; with a seed, a function of its arguments "
           "alone",
    .module = "rill_nn_dropout",
    .pure = "rill_dropout_f32 rill_dropout_f64",
    .flags = OP_RANDOM,
    .infer = dropout_infer,
    .forward = dropout_forward,
    .backward = dropout_backward,
};

rill_tensor *rill_dropout(rill_context *ctx, const rill_tensor *input, double p) {
  return op_run1(ctx, &rill_op_dropout,
                 (rill_value[]){op_t(input), op_f(p), {.kind = RILL_VALUE_NONE}}, 3);
}

rill_tensor *rill_dropout_seeded(rill_context *ctx, const rill_tensor *input, double p,
                                 uint64_t seed) {
  return op_run1(ctx, &rill_op_dropout, (rill_value[]){op_t(input), op_f(p), op_i((int64_t)seed)},
                 3);
}
