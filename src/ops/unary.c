/* Element-wise ops of one tensor: a row of pure/elementwise.h each, and clamp and softplus, whose
 * kernels take two numbers more. */
#include "ops/op.h"
#include "pure/elementwise.h"

/* The pure face of one row, and how to call it: plain kernels ignore the two numbers. */
typedef struct unary_kernel {
  void (*f32)(const float *x, float *y, int64_t n);
  void (*f64)(const double *x, double *y, int64_t n);
  void (*backward_f32)(const float *g, const float *x, const float *y, float *gx, int64_t n);
  void (*backward_f64)(const double *g, const double *x, const double *y, double *gx, int64_t n);
} unary_kernel;

typedef struct unary_job {
  const unary_kernel *k;
  rill_dtype dtype;
  const char *g, *x, *y; /* g is NULL in forward */
  char *out;
} unary_job;

static const void *at(const char *data, int64_t i, size_t size) {
  return data ? data + i * (int64_t)size : NULL;
}

static void unary_part(void *arg, int64_t i, int64_t end, int slot) {
  const unary_job *j = arg;
  size_t size = rill_dtype_size(j->dtype);
  void *out = j->out + i * (int64_t)size;
  const void *g = at(j->g, i, size), *x = at(j->x, i, size), *y = at(j->y, i, size);
  (void)slot;
  if (g)
    j->dtype == RILL_F32 ? j->k->backward_f32(g, x, y, out, end - i)
                         : j->k->backward_f64(g, x, y, out, end - i);
  else
    j->dtype == RILL_F32 ? j->k->f32(x, out, end - i) : j->k->f64(x, out, end - i);
}

static rill_status unary_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, true);
  if (s == RILL_OK) op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  return s;
}

/* For what takes integers to integers: they stay. */
static rill_status whole_infer(op_call *c) {
  rill_dtype d = (rill_dtype)op_in(c, 0)->dtype;
  if (d == RILL_BOOL)
    return op_fail(c, RILL_ERROR_DTYPE, "argument 0 is bool: convert it with rill_to first");
  rill_status s = op_promote(c, 0, 1, false);
  if (s == RILL_OK) op_out_like(c, op_in(c, 0), d);
  return s;
}

static rill_status unary_forward(op_call *c) {
  const rill_tensor *x = op_as_real(c->ctx, c->op, op_in(c, 0));
  rill_tensor *to = x ? op_real_result(c->ctx, c->op, c->out[0]) : NULL;
  if (!to) return rill_error(c->ctx);
  unary_job j = {c->op->data, (rill_dtype)to->dtype, NULL, x->data, NULL, to->data};
  pool_for(c->ctx, to->numel, op_grain(1), unary_part, &j);
  return op_store(c->ctx, c->op, to, c->out[0]);
}

static rill_status unary_backward(op_grad *g) {
  const unary_kernel *k = g->op->data;
  rill_tensor *out = op_grad_new(g, 0);
  const rill_tensor *x = NULL;
  if (out && g->args[0].as.tensor) x = tensor_contiguous(g->ctx, g->op->name, g->args[0].as.tensor);
  if (!out || g->ctx->error != RILL_OK) return rill_error(g->ctx);
  unary_job j = {k,
                 (rill_dtype)out->dtype,
                 g->grad[0]->data,
                 x ? x->data : NULL,
                 g->out[0] ? g->out[0]->data : NULL,
                 out->data};
  pool_for(g->ctx, out->numel, op_grain(1), unary_part, &j);
  g->result[0] = out;
  return RILL_OK;
}

#define UNARY_OP(how, op, uses, value, gradient, constructor, text)                                \
  static const unary_kernel kernel_##op = {rill_##op##_f32, rill_##op##_f64,                       \
                                           rill_##op##_backward_f32, rill_##op##_backward_f64};    \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .signature = "input: Tensor -> Tensor",                                                      \
      .doc = text,                                                                                 \
      .module = constructor,                                                                       \
      .pure =                                                                                      \
          "rill_" #op "_f32 rill_" #op "_f64 rill_" #op "_backward_f32 rill_" #op "_backward_f64", \
      .save = (uses) == USES_X   ? OP_SAVE_INPUT(0)                                                \
              : (uses) == USES_Y ? OP_SAVE_OUTPUT(0)                                               \
                                 : 0,                                                              \
      .flags = OP_POINTWISE,                                                                       \
      .infer = how,                                                                                \
      .forward = unary_forward,                                                                    \
      .backward = unary_backward,                                                                  \
      .data = &kernel_##op,                                                                        \
  };                                                                                               \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *input) {                            \
    return op_run1(ctx, &rill_op_##op, (rill_value[]){op_t(input)}, 1);                            \
  }

#define WHOLE_OP(...)  UNARY_OP(whole_infer, __VA_ARGS__)
#define SMOOTH_OP(...) UNARY_OP(unary_infer, __VA_ARGS__)
ELEMENTWISE_WHOLE(WHOLE_OP)
ELEMENTWISE_SMOOTH(SMOOTH_OP)
ELEMENTWISE_PERIODIC(SMOOTH_OP)

/* ---- clamp and softplus: two numbers more ---- */

typedef struct pair_job {
  bool softplus; /* else clamp */
  rill_dtype dtype;
  const char *g, *x;
  char *out;
  double a, b;
} pair_job;

static void pair_part(void *arg, int64_t i, int64_t end, int slot) {
  const pair_job *j = arg;
  size_t size = rill_dtype_size(j->dtype);
  void *out = j->out + i * (int64_t)size;
  const void *g = at(j->g, i, size), *x = at(j->x, i, size);
  int64_t n = end - i;
  (void)slot;
  if (j->dtype == RILL_F32) {
    float a = (float)j->a, b = (float)j->b;
    if (j->softplus)
      g ? rill_softplus_backward_f32(g, x, NULL, out, n, a, b) : rill_softplus_f32(x, out, n, a, b);
    else
      g ? rill_clamp_backward_f32(g, x, NULL, out, n, a, b) : rill_clamp_f32(x, out, n, a, b);
  } else {
    if (j->softplus)
      g ? rill_softplus_backward_f64(g, x, NULL, out, n, j->a, j->b)
        : rill_softplus_f64(x, out, n, j->a, j->b);
    else
      g ? rill_clamp_backward_f64(g, x, NULL, out, n, j->a, j->b)
        : rill_clamp_f64(x, out, n, j->a, j->b);
  }
}

static rill_status pair_run(rill_context *ctx, const rill_op *op, const rill_value *args,
                            const rill_tensor *x, const rill_tensor *g, rill_tensor *out) {
  x = tensor_contiguous(ctx, op->name, x);
  if (!x) return rill_error(ctx);
  pair_job j = {op->data != NULL, (rill_dtype)out->dtype, g ? g->data : NULL, x->data,
                out->data,        args[1].as.f,           args[2].as.f};
  pool_for(ctx, out->numel, op_grain(1), pair_part, &j);
  return RILL_OK;
}

static rill_status pair_forward(op_call *c) {
  return pair_run(c->ctx, c->op, c->args, op_in(c, 0), NULL, c->out[0]);
}

static rill_status pair_backward(op_grad *g) {
  g->result[0] = op_grad_new(g, 0);
  return g->result[0]
             ? pair_run(g->ctx, g->op, g->args, g->args[0].as.tensor, g->grad[0], g->result[0])
             : rill_error(g->ctx);
}

const rill_op rill_op_clamp = {
    .name = "clamp",
    .aliases = "clip",
    .signature = "input: Tensor, min: float = -inf, max: float = inf -> Tensor",
    .doc = "torch.clamp: min(max(x, min), max)",
    .pure = "rill_clamp_f32 rill_clamp_f64 rill_clamp_backward_f32 rill_clamp_backward_f64",
    .save = OP_SAVE_INPUT(0),
    .flags = OP_POINTWISE,
    .infer = unary_infer,
    .forward = pair_forward,
    .backward = pair_backward,
};

const rill_op rill_op_softplus = {
    .name = "softplus",
    .exports = "nn.functional.softplus",
    .signature = "input: Tensor, beta: float = 1.0, threshold: float = 20.0 -> Tensor",
    .doc = "torch.nn.functional.softplus: log(1 + exp(beta x)) / beta",
    .module = "rill_nn_softplus",
    .pure =
        "rill_softplus_f32 rill_softplus_f64 rill_softplus_backward_f32 rill_softplus_backward_f64",
    .save = OP_SAVE_INPUT(0),
    .flags = OP_POINTWISE,
    .infer = unary_infer,
    .forward = pair_forward,
    .backward = pair_backward,
    .data = "softplus",
};

rill_tensor *rill_clamp(rill_context *ctx, const rill_tensor *input, double min, double max) {
  return op_run1(ctx, &rill_op_clamp, (rill_value[]){op_t(input), op_f(min), op_f(max)}, 3);
}

rill_tensor *rill_softplus(rill_context *ctx, const rill_tensor *input, double beta,
                           double threshold) {
  return op_run1(ctx, &rill_op_softplus, (rill_value[]){op_t(input), op_f(beta), op_f(threshold)},
                 3);
}
