/* Reductions over any dims: sum, mean, var, max, min, logsumexp, norm; over one dim: argmax, argmin,
 * cumsum. A tensor is seen as [outer, n, inner] and reduced over the middle; dims that do not lie
 * side by side are brought to the end first. */
#include "ops/op.h"

#include <math.h>
#include <string.h>

typedef enum reduction { SUM, MEAN, VAR, MAX, MIN, LOGSUMEXP, NORM } reduction;

/* The arguments: input, dims, keepdim and, for var and norm, a number. */
enum { ARG_DIMS = 1, ARG_KEEPDIM = 2, ARG_NUMBER = 3 };

/* How a tensor of some shape is reduced. */
typedef struct plan {
  bool reduced[RILL_MAX_DIMS];
  int order[RILL_MAX_DIMS]; /* the permutation that makes reduced dims neighbours */
  bool permuted;
  int64_t outer, n, inner;
} plan;

/* Which dims; false with the error set for one out of range or named twice. */
static bool mark_dims(rill_context *ctx, const char *op, const rill_value *dims, int ndim,
                      bool *reduced) {
  memset(reduced, dims->count == 0, RILL_MAX_DIMS * sizeof *reduced);
  for (int i = 0; i < dims->count; i++) {
    int d = shape_dim(ctx, op, dims->as.ints[i], ndim);
    if (d < 0) return false;
    if (reduced[d]) {
      error_set(ctx, RILL_ERROR_ARGUMENT, op, "dim %d is named twice", d);
      return false;
    }
    reduced[d] = true;
  }
  return true;
}

static bool plan_make(rill_context *ctx, const char *op, const rill_value *dims,
                      const int64_t *shape, int ndim, plan *p) {
  if (!mark_dims(ctx, op, dims, ndim, p->reduced)) return false;
  int first = -1, last = -1, count = 0, at = 0;
  for (int d = 0; d < ndim; d++) {
    if (!p->reduced[d]) continue;
    if (first < 0) first = d;
    last = d;
    count++;
  }
  p->permuted = count && last - first + 1 != count;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < ndim; d++)
      if (p->reduced[d] == (pass == 1)) p->order[at++] = d;
  p->outer = p->n = p->inner = 1;
  for (int d = 0; d < ndim; d++) {
    if (p->reduced[d])
      p->n *= shape[d];
    else if (p->permuted || (first >= 0 && d < first))
      p->outer *= shape[d];
    else
      p->inner *= shape[d];
  }
  return true;
}

/* The tensor's elements in the plan's order, contiguous. */
static const rill_tensor *planned(rill_context *ctx, const char *op, const plan *p,
                                  const rill_tensor *t) {
  if (!p->permuted) return tensor_contiguous(ctx, op, t);
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  for (int d = 0; d < t->ndim; d++) {
    shape[d] = t->shape[p->order[d]];
    strides[d] = t->strides[p->order[d]];
  }
  rill_tensor *v = tensor_view(ctx, t, shape, strides, t->ndim, t->data);
  return v ? tensor_contiguous(ctx, op, v) : NULL;
}

/* A gradient computed in the plan's order, as a view in the input's. */
static rill_tensor *unplanned(rill_context *ctx, const plan *p, rill_tensor *t, const edge *like) {
  if (!t || !p->permuted) return t;
  int64_t strides[RILL_MAX_DIMS], stride = 1;
  for (int d = like->ndim - 1; d >= 0; d--) {
    strides[p->order[d]] = stride;
    stride *= like->shape[p->order[d]];
  }
  return tensor_view(ctx, t, like->shape, strides, like->ndim, t->data);
}

typedef struct reduce_job {
  reduction kind;
  rill_dtype dtype;
  double number;
  int64_t n, inner;
  const char *x, *y, *g, *mean; /* backward reads g, and x, y, mean where it needs them */
  char *out, *out_mean;
} reduce_job;

static char *at(const char *data, int64_t i, rill_dtype d) {
  return data ? (char *)(uintptr_t)data + i * (int64_t)rill_dtype_size(d) : NULL;
}

/* The reduced side of outer row i, and the whole side. */
#define SMALL(p) ((void *)at(j->p, i * j->inner, j->dtype))
#define LARGE(p) ((void *)at(j->p, i * j->n * j->inner, j->dtype))

static void reduce_part(void *arg, int64_t i, int64_t end, int slot) {
  const reduce_job *j = arg;
  int64_t outer = end - i, n = j->n, inner = j->inner;
  rill_dtype d = j->dtype;
  (void)slot;
  switch (j->kind) {
  case SUM: PURE(d, sum, LARGE(x), SMALL(out), outer, n, inner); break;
  case MEAN: PURE(d, mean, LARGE(x), SMALL(out), outer, n, inner); break;
  case VAR: PURE(d, var, LARGE(x), j->number, SMALL(out), SMALL(out_mean), outer, n, inner); break;
  case MAX: PURE(d, max, LARGE(x), SMALL(out), NULL, outer, n, inner); break;
  case MIN: PURE(d, min, LARGE(x), SMALL(out), NULL, outer, n, inner); break;
  case LOGSUMEXP: PURE(d, logsumexp, LARGE(x), SMALL(out), outer, n, inner); break;
  case NORM: PURE(d, norm, LARGE(x), j->number, SMALL(out), outer, n, inner); break;
  }
}

static void slope_part(void *arg, int64_t i, int64_t end, int slot) {
  const reduce_job *j = arg;
  int64_t outer = end - i, n = j->n, inner = j->inner;
  rill_dtype d = j->dtype;
  (void)slot;
  switch (j->kind) {
  case SUM: PURE(d, sum_backward, SMALL(g), LARGE(out), outer, n, inner); break;
  case MEAN: PURE(d, mean_backward, SMALL(g), LARGE(out), outer, n, inner); break;
  case VAR:
    PURE(d, var_backward, SMALL(g), LARGE(x), SMALL(mean), j->number, LARGE(out), outer, n, inner);
    break;
  case LOGSUMEXP:
    PURE(d, logsumexp_backward, SMALL(g), LARGE(x), SMALL(y), LARGE(out), outer, n, inner);
    break;
  case NORM:
    PURE(d, norm_backward, SMALL(g), LARGE(x), SMALL(y), j->number, LARGE(out), outer, n, inner);
    break;
  case MAX:
  case MIN: break; /* extreme_backward */
  }
}

static reduction kind_of(const rill_op *op) { return *(const reduction *)op->data; }

static double number_of(const rill_op *op, const rill_value *args) {
  return kind_of(op) == VAR || kind_of(op) == NORM ? args[ARG_NUMBER].as.f : 0;
}

static rill_status reduce_infer(op_call *c) {
  reduction kind = kind_of(c->op);
  bool keeps_integers = kind == MAX || kind == MIN;
  if (kind == SUM && !dtype_is_float((rill_dtype)op_in(c, 0)->dtype)) keeps_integers = true;
  rill_status s = op_promote(c, 0, 1, !keeps_integers);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, 0);
  plan p;
  if (!plan_make(c->ctx, c->op->name, &c->args[ARG_DIMS], x->shape, x->ndim, &p))
    return rill_error(c->ctx);
  if (keeps_integers && kind != SUM && p.n == 0 && p.outer > 0 && p.inner > 0)
    return op_fail(c, RILL_ERROR_SHAPE, "nothing to choose from: a reduced dim has size 0");
  int64_t shape[RILL_MAX_DIMS];
  int ndim = 0;
  for (int d = 0; d < x->ndim; d++)
    if (!p.reduced[d] || c->args[ARG_KEEPDIM].as.i) shape[ndim++] = p.reduced[d] ? 1 : x->shape[d];
  rill_dtype d = (rill_dtype)x->dtype;
  op_out(c, 0, kind == SUM && !dtype_is_float(d) ? RILL_I64 : d, shape, ndim);
  return RILL_OK;
}

/* Rows an own piece of work should have. */
static int64_t row_grain(const plan *p) { return op_grain(p->n * p->inner); }

static rill_status reduce_forward(op_call *c) {
  const rill_tensor *x = op_in(c, 0);
  plan p;
  if (!plan_make(c->ctx, c->op->name, &c->args[ARG_DIMS], x->shape, x->ndim, &p))
    return rill_error(c->ctx);
  rill_tensor *to = op_real_result(c->ctx, c->op, c->out[0]), *mean = NULL;
  if (!dtype_computes((rill_dtype)x->dtype)) x = tensor_converted(c->ctx, c->op->name, x, RILL_F64);
  if (x) x = planned(c->ctx, c->op->name, &p, x);
  if (!x || !to) return rill_error(c->ctx);
  if (kind_of(c->op) == VAR &&
      !(mean = op_new(c->ctx, c->op, (rill_dtype)to->dtype, to->shape, to->ndim)))
    return rill_error(c->ctx);
  reduce_job j = {.kind = kind_of(c->op),
                  .dtype = (rill_dtype)x->dtype,
                  .number = number_of(c->op, c->args),
                  .n = p.n,
                  .inner = p.inner,
                  .x = x->data,
                  .out = to->data,
                  .out_mean = mean ? mean->data : NULL};
  pool_for(c->ctx, p.outer, row_grain(&p), reduce_part, &j);
  if (c->recorded) c->extra[0] = mean;
  return op_store(c->ctx, c->op, to, c->out[0]);
}

static rill_status reduce_backward(op_grad *g) {
  const edge *in = &g->input[0];
  plan p;
  if (!plan_make(g->ctx, g->op->name, &g->args[ARG_DIMS], in->shape, in->ndim, &p))
    return rill_error(g->ctx);
  const rill_tensor *x = g->args[0].as.tensor;
  if (x && !(x = planned(g->ctx, g->op->name, &p, x))) return rill_error(g->ctx);
  rill_tensor *out = op_grad_new(g, 0);
  if (!out) return rill_error(g->ctx);
  reduce_job j = {.kind = kind_of(g->op),
                  .dtype = (rill_dtype)out->dtype,
                  .number = number_of(g->op, g->args),
                  .n = p.n,
                  .inner = p.inner,
                  .x = x ? x->data : NULL,
                  .y = g->out[0] ? g->out[0]->data : NULL,
                  .g = g->grad[0]->data,
                  .mean = g->extra[0] ? g->extra[0]->data : NULL,
                  .out = out->data};
  pool_for(g->ctx, p.outer, row_grain(&p), slope_part, &j);
  g->result[0] = unplanned(g->ctx, &p, out, in);
  return rill_error(g->ctx);
}

/* The result or its gradient with reduced dims of size 1 again. */
static rill_tensor *kept_dims(op_grad *g, const rill_tensor *t, const plan *p) {
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  for (int d = 0; d < g->input[0].ndim; d++) shape[d] = p->reduced[d] ? 1 : g->input[0].shape[d];
  shape_strides(shape, g->input[0].ndim, strides);
  return tensor_view(g->ctx, t, shape, strides, g->input[0].ndim, t->data);
}

/* Elements equal to the extreme share its gradient: torch.amax. */
static rill_status extreme_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  const edge *in = &g->input[0];
  plan p;
  if (!plan_make(ctx, g->op->name, &g->args[ARG_DIMS], in->shape, in->ndim, &p))
    return rill_error(ctx);
  int dims[RILL_MAX_DIMS], count = 0;
  for (int d = 0; d < in->ndim; d++)
    if (p.reduced[d]) dims[count++] = d;
  rill_tensor *y = kept_dims(g, g->out[0], &p), *grad = kept_dims(g, g->grad[0], &p);
  rill_tensor *chosen = rill_to(ctx, rill_eq(ctx, g->args[0].as.tensor, y), (rill_dtype)in->dtype);
  rill_tensor *share = rill_div(ctx, grad, rill_sum(ctx, chosen, dims, count, true));
  g->result[0] = rill_mul(ctx, chosen, share);
  return rill_error(ctx);
}

static rill_tensor *run(rill_context *ctx, const rill_op *op, const rill_tensor *x, const int *dims,
                        int ndims, bool keepdim, double number) {
  int64_t wide[RILL_MAX_DIMS] = {0};
  if (context_ready(ctx) && (ndims < 0 || ndims > RILL_MAX_DIMS || (ndims && !dims))) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%d dims at %s", ndims,
              dims ? "an address" : "NULL");
    return NULL;
  }
  for (int i = 0; i < ndims; i++) wide[i] = dims[i];
  rill_value args[] = {op_t(x), op_is(wide, ndims), op_b(keepdim), op_f(number)};
  return op_run1(ctx, op, args, kind_of(op) == VAR || kind_of(op) == NORM ? 4 : 3);
}

#define PURE_NAMES(op)                                                                             \
  "rill_" #op "_f32 rill_" #op "_f64 rill_" #op "_backward_f32 rill_" #op "_backward_f64"
#define REDUCE_OP(op, kind, canonical, other, more, saves, slope, text)                            \
  static const reduction kind_##op = kind;                                                         \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .exports = canonical,                                                                        \
      .aliases = other,                                                                            \
      .signature = "input: Tensor, dim: int[] = [], keepdim: bool = False" more " -> Tensor",      \
      .doc = text,                                                                                 \
      .pure = PURE_NAMES(op),                                                                      \
      .save = saves,                                                                               \
      .infer = reduce_infer,                                                                       \
      .forward = reduce_forward,                                                                   \
      .backward = slope,                                                                           \
      .data = &kind_##op,                                                                          \
  };

REDUCE_OP(sum, SUM, "sum", NULL, "", 0, reduce_backward, "torch.sum over dims (none: all)")
REDUCE_OP(mean, MEAN, "mean", NULL, "", 0, reduce_backward, "torch.mean over dims (none: all)")
REDUCE_OP(var, VAR, "var", NULL, ", correction: float = 1.0", OP_SAVE_INPUT(0), reduce_backward,
          "torch.var: squared deviations over n - correction")
REDUCE_OP(logsumexp, LOGSUMEXP, "logsumexp", NULL, "", OP_SAVE_INPUT(0) | OP_SAVE_OUTPUT(0),
          reduce_backward, "torch.logsumexp: log of the sum of exponentials")
REDUCE_OP(norm, NORM, "linalg.vector_norm", NULL, ", ord: float = 2.0",
          OP_SAVE_INPUT(0) | OP_SAVE_OUTPUT(0), reduce_backward,
          "torch.linalg.vector_norm: (sum |x|^p)^(1/p)")
#undef PURE_NAMES
#define PURE_NAMES(op) "rill_" #op "_f32 rill_" #op "_f64"
REDUCE_OP(max, MAX, "amax", NULL, "", OP_SAVE_INPUT(0) | OP_SAVE_OUTPUT(0), extreme_backward,
          "torch.amax: the largest; ties share the gradient")
REDUCE_OP(min, MIN, "amin", NULL, "", OP_SAVE_INPUT(0) | OP_SAVE_OUTPUT(0), extreme_backward,
          "torch.amin: the smallest; ties share the gradient")

#define REDUCE_FACE(op)                                                                            \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *input, const int *dims, int ndims,  \
                         bool keepdim) {                                                           \
    return run(ctx, &rill_op_##op, input, dims, ndims, keepdim, 0);                                \
  }
REDUCE_FACE(sum)
REDUCE_FACE(mean)
REDUCE_FACE(max)
REDUCE_FACE(min)
REDUCE_FACE(logsumexp)

rill_tensor *rill_var(rill_context *ctx, const rill_tensor *input, const int *dims, int ndims,
                      double correction, bool keepdim) {
  return run(ctx, &rill_op_var, input, dims, ndims, keepdim, correction);
}

rill_tensor *rill_norm(rill_context *ctx, const rill_tensor *input, double p, const int *dims,
                       int ndims, bool keepdim) {
  return run(ctx, &rill_op_norm, input, dims, ndims, keepdim, p);
}
