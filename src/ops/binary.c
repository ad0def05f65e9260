/* Element-wise ops of two tensors, broadcasting: a row of pure/elementwise.h each; the same with a
 * number in place of the second; comparisons. Integer tensors are computed in f64, exact to 2^53. */
#include "ops/broadcast.h"
#include "pure/elementwise.h"

typedef void row_f32(const float *a, int64_t sa, const float *b, int64_t sb, float *y, int64_t n);
typedef void row_f64(const double *a, int64_t sa, const double *b, int64_t sb, double *y,
                     int64_t n);
typedef void slope_f32(const float *g, const float *a, int64_t sa, const float *b, int64_t sb,
                       float *ga, float *gb, int64_t n);
typedef void slope_f64(const double *g, const double *a, int64_t sa, const double *b, int64_t sb,
                       double *ga, double *gb, int64_t n);
typedef void test_f32(const float *a, int64_t sa, const float *b, int64_t sb, uint8_t *y,
                      int64_t n);
typedef void test_f64(const double *a, int64_t sa, const double *b, int64_t sb, uint8_t *y,
                      int64_t n);

/* The pure face of one row; a comparison has `test`, an arithmetic op the others. */
typedef struct binary_kernel {
  row_f32 *f32;
  row_f64 *f64;
  slope_f32 *backward_f32;
  slope_f64 *backward_f64;
  test_f32 *test_f32;
  test_f64 *test_f64;
  bool to_float; /* integers give floats */
} binary_kernel;

typedef struct binary_job {
  const binary_kernel *k;
  rill_dtype dtype;
  char *out;     /* forward */
  const char *g; /* backward */
  char *ga, *gb; /* backward; NULL where not wanted */
} binary_job;

static char *shift(const char *data, int64_t i, size_t size) {
  return data ? (char *)(uintptr_t)data + i * (int64_t)size : NULL;
}

static void forward_row(void *arg, const char *const *in, const int64_t *s, int64_t at, int64_t n) {
  const binary_job *j = arg;
  const binary_kernel *k = j->k;
  const void *a = in[0], *b = in[1];
  if (k->test_f32 && j->dtype == RILL_F32)
    k->test_f32(a, s[0], b, s[1], (uint8_t *)j->out + at, n);
  else if (k->test_f32)
    k->test_f64(a, s[0], b, s[1], (uint8_t *)j->out + at, n);
  else if (j->dtype == RILL_F32)
    k->f32(a, s[0], b, s[1], (float *)j->out + at, n);
  else
    k->f64(a, s[0], b, s[1], (double *)j->out + at, n);
}

static void backward_row(void *arg, const char *const *in, const int64_t *s, int64_t at,
                         int64_t n) {
  const binary_job *j = arg;
  size_t size = rill_dtype_size(j->dtype);
  const void *g = shift(j->g, at, size), *a = in[0], *b = in[1];
  void *ga = shift(j->ga, at, size), *gb = shift(j->gb, at, size);
  if (j->dtype == RILL_F32)
    j->k->backward_f32(g, a, s[0], b, s[1], ga, gb, n);
  else
    j->k->backward_f64(g, a, s[0], b, s[1], ga, gb, n);
}

/* The commonest case of little work, where planning a walk would cost more than walking. */
static bool small_and_flat(const rill_tensor *a, const rill_tensor *b, const rill_tensor *out) {
  return a->contiguous && b->contiguous && a->numel == out->numel && b->numel == out->numel &&
         out->numel <= 4096 && dtype_computes((rill_dtype)a->dtype) && a->dtype == b->dtype;
}

/* Runs the kernel over a and b, both of one dtype, into contiguous `out`. */
static rill_status run_forward(rill_context *ctx, const rill_op *op, const rill_tensor *a,
                               const rill_tensor *b, rill_tensor *out) {
  const binary_kernel *k = op->data;
  rill_tensor *to = out;
  if (!dtype_computes((rill_dtype)a->dtype)) { /* integers go through f64 */
    a = tensor_converted(ctx, op->name, a, RILL_F64);
    b = a ? tensor_converted(ctx, op->name, b, RILL_F64) : NULL;
    if (b && !k->test_f32) to = tensor_new(ctx, op->name, RILL_F64, out->shape, out->ndim);
    if (!b || !to) return rill_error(ctx);
  }
  binary_job j = {.k = k, .dtype = (rill_dtype)a->dtype, .out = to->data};
  if (to == out && small_and_flat(a, b, out)) {
    int64_t strides[] = {a->ndim > 0, b->ndim > 0}; /* a number's is 0, as the walk has it */
    forward_row(&j, (const char *const[]){a->data, b->data}, strides, 0, out->numel);
    return RILL_OK;
  }
  broadcast walk;
  broadcast_init(&walk, out->shape, out->ndim, (const rill_tensor *const[]){a, b}, 2);
  broadcast_run(ctx, &walk, forward_row, &j);
  return op_store(ctx, op, to, out);
}

static rill_status binary_infer(op_call *c) {
  const binary_kernel *k = c->op->data;
  rill_status s = op_promote(c, 0, 2, k->to_float);
  if (s != RILL_OK) return s;
  return broadcast_infer(c, 0, 2, k->test_f32 ? RILL_BOOL : (rill_dtype)op_in(c, 0)->dtype);
}

static rill_status binary_forward(op_call *c) {
  return run_forward(c->ctx, c->op, op_in(c, 0), op_in(c, 1), c->out[0]);
}

/* Gradients in the result's shape; the engine sums what broadcasting repeated. */
static rill_status run_backward(op_grad *g, const rill_tensor *a, const rill_tensor *b,
                                bool need_b) {
  const binary_kernel *k = g->op->data;
  rill_tensor *grad = g->grad[0], *ga = NULL, *gb = NULL;
  if (g->need[0] && !(ga = op_new(g->ctx, g->op, (rill_dtype)grad->dtype, grad->shape, grad->ndim)))
    return rill_error(g->ctx);
  if (need_b && !(gb = op_new(g->ctx, g->op, (rill_dtype)grad->dtype, grad->shape, grad->ndim)))
    return rill_error(g->ctx);
  if (!a) a = b = grad; /* read by no kernel that saves nothing */
  broadcast walk;
  binary_job j = {.k = k,
                  .dtype = (rill_dtype)grad->dtype,
                  .g = grad->data,
                  .ga = ga ? ga->data : NULL,
                  .gb = gb ? gb->data : NULL};
  broadcast_init(&walk, grad->shape, grad->ndim, (const rill_tensor *const[]){a, b}, 2);
  broadcast_run(g->ctx, &walk, backward_row, &j);
  g->result[0] = ga;
  if (need_b) g->result[1] = gb;
  return RILL_OK;
}

static rill_status binary_backward(op_grad *g) {
  return run_backward(g, g->args[0].as.tensor, g->args[1].as.tensor, g->need[1]);
}

/* Both gradients of a sum are the gradient itself. */
static rill_status add_backward(op_grad *g) {
  for (int i = 0; i < 2; i++)
    if (g->need[i]) g->result[i] = g->grad[0];
  return RILL_OK;
}

#define BINARY_OP(op, uses, value, grad_a, grad_b, text)                                           \
  static const binary_kernel kernel_##op = {.f32 = rill_##op##_f32,                                \
                                            .f64 = rill_##op##_f64,                                \
                                            .backward_f32 = rill_##op##_backward_f32,              \
                                            .backward_f64 = rill_##op##_backward_f64,              \
                                            .to_float = IS_DIV(op)};                               \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .signature = "input: Tensor, other: Tensor -> Tensor",                                       \
      .doc = text,                                                                                 \
      .pure =                                                                                      \
          "rill_" #op "_f32 rill_" #op "_f64 rill_" #op "_backward_f32 rill_" #op "_backward_f64", \
      .save = (uses) == USES_INPUTS ? OP_SAVE_INPUT(0) | OP_SAVE_INPUT(1) : 0,                     \
      .flags = OP_POINTWISE,                                                                       \
      .infer = binary_infer,                                                                       \
      .forward = binary_forward,                                                                   \
      .backward = (uses) == USES_INPUTS || IS_SUB(op) ? binary_backward : add_backward,            \
      .data = &kernel_##op,                                                                        \
  };                                                                                               \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *a, const rill_tensor *b) {          \
    return op_run1(ctx, &rill_op_##op, (rill_value[]){op_t(a), op_t(b)}, 2);                       \
  }

/* What differs between rows beyond their kernels. */
#define IS_DIV(op) (sizeof #op == sizeof "div" && #op[0] == 'd' && #op[1] == 'i')
#define IS_SUB(op) (sizeof #op == sizeof "sub" && #op[0] == 's' && #op[1] == 'u')

ELEMENTWISE_BINARY(BINARY_OP)

#define COMPARE_OP(op, condition, text)                                                            \
  static const binary_kernel kernel_##op = {.test_f32 = rill_##op##_f32,                           \
                                            .test_f64 = rill_##op##_f64};                          \
  const rill_op rill_op_##op = {                                                                   \
      .name = #op,                                                                                 \
      .signature = "input: Tensor, other: Tensor -> Tensor",                                       \
      .doc = text,                                                                                 \
      .pure = "rill_" #op "_f32 rill_" #op "_f64",                                                 \
      .flags = OP_NO_GRADIENT | OP_POINTWISE,                                                      \
      .infer = binary_infer,                                                                       \
      .forward = binary_forward,                                                                   \
      .data = &kernel_##op,                                                                        \
  };                                                                                               \
  rill_tensor *rill_##op(rill_context *ctx, const rill_tensor *a, const rill_tensor *b) {          \
    return op_run1(ctx, &rill_op_##op, (rill_value[]){op_t(a), op_t(b)}, 2);                       \
  }

ELEMENTWISE_COMPARE(COMPARE_OP)

/* ---- with a number ---- */

static rill_status scalar_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 1, c->op->data == &kernel_pow);
  if (s == RILL_OK) op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  return s;
}

static rill_status scalar_forward(op_call *c) {
  const rill_tensor *a = op_in(c, 0);
  rill_tensor *b =
      rill_scalar(c->ctx, dtype_computes((rill_dtype)a->dtype) ? (rill_dtype)a->dtype : RILL_F64,
                  c->args[1].as.f);
  return b ? run_forward(c->ctx, c->op, a, b, c->out[0]) : rill_error(c->ctx);
}

static rill_status scalar_backward(op_grad *g) {
  const rill_tensor *a = g->args[0].as.tensor;
  rill_tensor *b = rill_scalar(g->ctx, (rill_dtype)g->grad[0]->dtype, g->args[1].as.f);
  return b ? run_backward(g, a ? a : g->grad[0], b, false) : rill_error(g->ctx);
}

static rill_status add_scalar_backward(op_grad *g) {
  g->result[0] = g->grad[0];
  return RILL_OK;
}

#define SCALAR_OP(op, saves, slope, text)                                                          \
  const rill_op rill_op_##op##_scalar = {                                                          \
      .name = #op "_scalar",                                                                       \
      .signature = "input: Tensor, other: float -> Tensor",                                        \
      .doc = text,                                                                                 \
      .pure =                                                                                      \
          "rill_" #op "_f32 rill_" #op "_f64 rill_" #op "_backward_f32 rill_" #op "_backward_f64", \
      .save = saves,                                                                               \
      .flags = OP_POINTWISE,                                                                       \
      .infer = scalar_infer,                                                                       \
      .forward = scalar_forward,                                                                   \
      .backward = slope,                                                                           \
      .data = &kernel_##op,                                                                        \
  };                                                                                               \
  rill_tensor *rill_##op##_scalar(rill_context *ctx, const rill_tensor *a, double b) {             \
    return op_run1(ctx, &rill_op_##op##_scalar, (rill_value[]){op_t(a), op_f(b)}, 2);              \
  }

SCALAR_OP(add, 0, add_scalar_backward, "torch.add with a number: input + other")
SCALAR_OP(mul, 0, scalar_backward, "torch.mul with a number: input other")
SCALAR_OP(pow, OP_SAVE_INPUT(0), scalar_backward, "torch.pow with a number: input^other")
