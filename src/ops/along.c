/* Ops along one dim that are no plain reductions: argmax, argmin, cumsum. */
#include "ops/op.h"

#include <string.h>

/* A contiguous shape seen as [outer, n, inner] around dim d. */
typedef struct around {
  int64_t outer, n, inner;
} around;

static around around_dim(const int64_t *shape, int ndim, int d) {
  around a = {1, ndim ? shape[d] : 1, 1};
  for (int i = 0; i < d; i++) a.outer *= shape[i];
  for (int i = d + 1; i < ndim; i++) a.inner *= shape[i];
  return a;
}

typedef struct along_job {
  rill_dtype dtype;
  around a;
  const char *x;
  char *y;
  bool flag; /* argmin, or cumsum's backward */
} along_job;

/* ---- argmax, argmin ---- */

static rill_status arg_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, false);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, 0);
  int d = op_dim(c, 1), ndim = 0;
  if (d < 0) return rill_error(c->ctx);
  if (x->ndim && x->shape[d] == 0)
    return op_fail(c, RILL_ERROR_SHAPE, "nothing to choose from: dim %d has size 0", d);
  int64_t shape[RILL_MAX_DIMS];
  for (int i = 0; i < x->ndim; i++)
    if (i != d || c->args[2].as.i) shape[ndim++] = i == d ? 1 : x->shape[i];
  op_out(c, 0, RILL_I64, shape, ndim);
  return RILL_OK;
}

static void arg_part(void *arg, int64_t i, int64_t end, int slot) {
  const along_job *j = arg;
  const void *x = j->x + i * j->a.n * j->a.inner * (int64_t)rill_dtype_size(j->dtype);
  int64_t *y = (int64_t *)(void *)j->y + i * j->a.inner;
  (void)slot;
  if (j->flag)
    PURE(j->dtype, min, x, NULL, y, end - i, j->a.n, j->a.inner);
  else
    PURE(j->dtype, max, x, NULL, y, end - i, j->a.n, j->a.inner);
}

static rill_status arg_forward(op_call *c) {
  const rill_tensor *x = op_as_real(c->ctx, c->op, op_in(c, 0));
  if (!x) return rill_error(c->ctx);
  along_job j = {(rill_dtype)x->dtype, around_dim(x->shape, x->ndim, op_dim(c, 1)), x->data,
                 op_result(c, 0), c->op->data != NULL};
  pool_for(c->ctx, j.a.outer, op_grain(j.a.n * j.a.inner), arg_part, &j);
  return RILL_OK;
}

#define ARG_OP(op, kernel, which, text)                                                            \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .signature = "input: Tensor, dim: int = -1, keepdim: bool = False -> Tensor",                \
      .doc = text,                                                                                 \
      .pure = "rill_" #kernel "_f32 rill_" #kernel "_f64",                                         \
      .flags = OP_NO_GRADIENT,                                                                     \
      .infer = arg_infer,                                                                          \
      .forward = arg_forward,                                                                      \
      .data = which,                                                                               \
  };                                                                                               \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *input, int dim, bool keepdim) {     \
    return op_run1(ctx, &rill_op_##op, (rill_value[]){op_t(input), op_i(dim), op_b(keepdim)}, 3);  \
  }
ARG_OP(argmax, max, NULL, "torch.argmax: index of the first largest along a dim")
ARG_OP(argmin, min, "argmin", "torch.argmin: index of the first smallest along a dim")

/* ---- cumsum ---- */

static rill_status cumsum_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, false);
  if (s == RILL_OK && op_dim(c, 1) < 0) s = rill_error(c->ctx);
  if (s != RILL_OK) return s;
  rill_dtype d = (rill_dtype)op_in(c, 0)->dtype;
  op_out_like(c, op_in(c, 0), dtype_is_float(d) ? d : RILL_I64); /* as PyTorch */
  return RILL_OK;
}

static void cumsum_part(void *arg, int64_t i, int64_t end, int slot) {
  const along_job *j = arg;
  int64_t skip = i * j->a.n * j->a.inner * (int64_t)rill_dtype_size(j->dtype);
  const void *x = j->x + skip;
  void *y = j->y + skip;
  (void)slot;
  if (j->flag)
    PURE(j->dtype, cumsum_backward, x, y, end - i, j->a.n, j->a.inner);
  else
    PURE(j->dtype, cumsum, x, y, end - i, j->a.n, j->a.inner);
}

static rill_status cumsum_forward(op_call *c) {
  const rill_tensor *x = op_as_real(c->ctx, c->op, op_in(c, 0));
  rill_tensor *to = x ? op_real_result(c->ctx, c->op, c->out[0]) : NULL;
  if (!to) return rill_error(c->ctx);
  along_job j = {(rill_dtype)x->dtype, around_dim(x->shape, x->ndim, op_dim(c, 1)), x->data,
                 to->data, false};
  pool_for(c->ctx, j.a.outer, op_grain(j.a.n * j.a.inner), cumsum_part, &j);
  return op_store(c->ctx, c->op, to, c->out[0]);
}

static rill_status cumsum_backward(op_grad *g) {
  const edge *in = &g->input[0];
  int d = shape_dim(g->ctx, g->op->name, g->args[1].as.i, in->ndim);
  rill_tensor *out = op_grad_new(g, 0);
  if (!out || d < 0) return rill_error(g->ctx);
  along_job j = {(rill_dtype)in->dtype, around_dim(in->shape, in->ndim, d), g->grad[0]->data,
                 out->data, true};
  pool_for(g->ctx, j.a.outer, op_grain(j.a.n * j.a.inner), cumsum_part, &j);
  g->result[0] = out;
  return RILL_OK;
}

const rill_op rill_op_cumsum = {
    .name = "cumsum",
    .signature = "input: Tensor, dim: int -> Tensor",
    .doc = "torch.cumsum: running sums along a dim",
    .pure = "rill_cumsum_f32 rill_cumsum_f64 rill_cumsum_backward_f32 rill_cumsum_backward_f64",
    .infer = cumsum_infer,
    .forward = cumsum_forward,
    .backward = cumsum_backward,
};

rill_tensor *rill_cumsum(rill_context *ctx, const rill_tensor *input, int dim) {
  return op_run1(ctx, &rill_op_cumsum, (rill_value[]){op_t(input), op_i(dim)}, 2);
}
