/* Sums and means over sliding windows along any dims, one pass a dim, and quantiles along one. Backward
 * walks the passes again, from the first dim to the last. */
#include "ops/window.h"

#include <string.h>

enum { SLIDE_Q = SLIDE_MORE, SLIDE_METHOD, QUANTILE_ARGUMENTS };

typedef enum slide_kind { SLIDE_SUM, SLIDE_MEAN, SLIDE_QUANTILE } slide_kind;

/* A pass along one dim. */
typedef struct sum_pass {
  rill_window_params params;
  rill_dtype type;
  slide_kind kind;
  double q;
  rill_window_quantile_method method;
  const void *x, *grad;
  void *y; /* or, with grad, that of x */
  char *workspace;
  size_t workspace_size; /* of a slot */
} sum_pass;

static slide_kind kind_of(const rill_op *op) { return *(const slide_kind *)op->data; }

/* ---- passes ----------------------------------------------------------------------------------- */

static void pass_forward(void *arg, int64_t begin, int64_t end, int slot) {
  const sum_pass *p = arg;
  void *room = p->workspace + (size_t)slot * p->workspace_size;
  if (p->kind == SLIDE_QUANTILE)
    PURE(p->type, window_quantile, &p->params, p->q, p->method, p->x, p->y, begin, end, room);
  else if (p->kind == SLIDE_MEAN)
    PURE(p->type, window_mean, &p->params, p->x, p->y, begin, end, room);
  else
    PURE(p->type, window_sum, &p->params, p->x, p->y, begin, end, room);
}

static void pass_backward(void *arg, int64_t begin, int64_t end, int slot) {
  const sum_pass *p = arg;
  void *room = p->workspace + (size_t)slot * p->workspace_size;
  if (p->kind == SLIDE_QUANTILE)
    PURE(p->type, window_quantile_backward, &p->params, p->q, p->method, p->grad, p->x, p->y, begin,
         end, room);
  else if (p->kind == SLIDE_MEAN)
    PURE(p->type, window_mean_backward, &p->params, p->grad, p->x, p->y, begin, end, room);
  else
    PURE(p->type, window_sum_backward, &p->params, p->grad, p->x, p->y, begin, end, room);
}

static rill_status run_sum_pass(rill_context *ctx, const rill_op *op, sum_pass *p) {
  size_t size = p->kind == SLIDE_QUANTILE ? PURE(p->type, window_quantile_workspace, &p->params)
                                          : PURE(p->type, window_sum_workspace, &p->params);
  p->workspace = units_workspaces(ctx, op, size, &p->workspace_size);
  if (!p->workspace) return rill_error(ctx);
  int64_t units = p->grad ? rill_window_backward_units(&p->params) : rill_window_units(&p->params);
  pool_for(ctx, units, slide_grain(ctx, units), p->grad ? pass_backward : pass_forward, p);
  return RILL_OK;
}

/* Pass i of samples of this shape. What the first pass has left out as NaN is out, and where it saw nothing
 * but pad values the sum is that of a window. */
static sum_pass sum_pass_of(const rill_op *op, const rill_value *args, rill_dtype type,
                            const int64_t *shape, int ndim, const slide_dims *dims, int i) {
  sum_pass p = {
      .params = slide_params(args, shape, ndim, dims->dim[i]), .type = type, .kind = kind_of(op)};
  if (p.kind == SLIDE_QUANTILE) {
    p.q = args[SLIDE_Q].as.f;
    p.method = (rill_window_quantile_method)args[SLIDE_METHOD].as.i;
  }
  if (i > 0) p.params.nan = RILL_WINDOW_NAN_PROPAGATE;
  for (int j = 0; j < i && p.kind == SLIDE_SUM; j++) p.params.pad *= (double)p.params.window;
  return p;
}

/* ---- the ops ---------------------------------------------------------------------------------- */

static rill_status sum_infer(op_call *c) {
  slide_dims dims;
  slide_kind kind = kind_of(c->op);
  rill_status s = op_promote(c, SLIDE_INPUT, 1, true);
  if (s == RILL_OK) s = slide_check(c);
  if (s == RILL_OK) s = slide_infer(c, (rill_dtype)op_in(c, SLIDE_INPUT)->dtype, &dims);
  if (s != RILL_OK) return s;
  if (kind == SLIDE_MEAN && dims.count > 1 && c->args[SLIDE_NAN].as.i)
    return op_fail(c, RILL_ERROR_ARGUMENT, "means without NaN are along one dim, not %d",
                   dims.count);
  if (kind != SLIDE_QUANTILE) return RILL_OK;
  double q = c->args[SLIDE_Q].as.f;
  int64_t method = c->args[SLIDE_METHOD].as.i;
  if (dims.count > 1)
    return op_fail(c, RILL_ERROR_ARGUMENT, "quantiles are along one dim, not %d", dims.count);
  if (!(q >= 0 && q <= 1))
    return op_fail(c, RILL_ERROR_ARGUMENT, "q must be from 0 to 1, not %g", q);
  if (method < 0 || method > RILL_WINDOW_QUANTILE_MIDPOINT)
    return op_fail(c, RILL_ERROR_ARGUMENT, "there is no method %lld", (long long)method);
  return RILL_OK;
}

static rill_status sum_forward(op_call *c) {
  rill_context *ctx = c->ctx;
  slide_dims dims;
  const rill_tensor *x = tensor_contiguous(ctx, c->op->name, op_in(c, SLIDE_INPUT));
  if (!x || !slide_read_dims(ctx, c->op, &c->args[SLIDE_DIMS], x->ndim, &dims))
    return rill_error(ctx);
  for (int i = 0; i < dims.count; i++) {
    rill_dtype type = (rill_dtype)x->dtype;
    sum_pass p = sum_pass_of(c->op, c->args, type, x->shape, x->ndim, &dims, i);
    rill_tensor *y =
        i == dims.count - 1 ? c->out[0] : slide_result(ctx, c->op, &p.params, type, x, dims.dim[i]);
    if (!y) return rill_error(ctx);
    p.x = x->data;
    p.y = y->data;
    if (run_sum_pass(ctx, c->op, &p) != RILL_OK) return rill_error(ctx);
    x = y;
  }
  return RILL_OK;
}

/* The gradient of pass i's samples from that of its results; only the first pass looks at samples. */
static rill_tensor *pass_gradient(op_grad *g, const slide_dims *dims, int i, rill_tensor *grad) {
  const edge *input = &g->input[SLIDE_INPUT];
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, input->shape, (size_t)input->ndim * sizeof *shape);
  for (int j = 0; j < i; j++) {
    int d = dims->dim[j];
    rill_window_params p = slide_params(g->args, shape, input->ndim, d);
    shape[d] = rill_window_length(&p);
  }
  rill_dtype type = (rill_dtype)grad->dtype;
  sum_pass p = sum_pass_of(g->op, g->args, type, shape, input->ndim, dims, i);
  rill_tensor *grad_x = op_new(g->ctx, g->op, type, shape, input->ndim);
  const rill_tensor *x =
      i > 0 ? grad : tensor_contiguous(g->ctx, g->op->name, g->args[SLIDE_INPUT].as.tensor);
  if (!grad_x || !x) return NULL;
  if (i == 0) p.x = x->data;
  p.grad = grad->data;
  p.y = grad_x->data;
  return run_sum_pass(g->ctx, g->op, &p) == RILL_OK ? grad_x : NULL;
}

static rill_status sum_backward(op_grad *g) {
  slide_dims dims;
  rill_tensor *grad = g->grad[0];
  if (!slide_read_dims(g->ctx, g->op, &g->args[SLIDE_DIMS], g->input[SLIDE_INPUT].ndim, &dims))
    return rill_error(g->ctx);
  for (int i = dims.count - 1; i >= 0 && grad; i--) grad = pass_gradient(g, &dims, i, grad);
  g->result[SLIDE_INPUT] = grad;
  return rill_error(g->ctx);
}

/* ---- descriptors and faces -------------------------------------------------------------------- */

#define BOTH(name) "rill_window_" name "_f32 rill_window_" name "_f64"
#define SUM_OP(op, row, more, text)                                                                \
  const rill_op rill_op_window_##op = {                                                            \
      .name = "window_" #op,                                                                       \
      .signature = SLIDE_SIGNATURE more " -> Tensor",                                              \
      .doc = text,                                                                                 \
      .pure = BOTH(#op) " " BOTH(#op "_backward"),                                                 \
      .save = OP_SAVE_INPUT(SLIDE_INPUT),                                                          \
      .infer = sum_infer,                                                                          \
      .forward = sum_forward,                                                                      \
      .backward = sum_backward,                                                                    \
      .data = &(const slide_kind){row},                                                            \
  };
SUM_OP(sum, SLIDE_SUM, "",
       "the sum of each window along dims (none: the last); the arguments are window_max's, and "
       "with nan 1 as torch.nansum")
SUM_OP(mean, SLIDE_MEAN, "",
       "the mean of what each window along dims sees, as torch's avg_pool with "
       "count_include_pad=False; the arguments are window_max's")
SUM_OP(quantile, SLIDE_QUANTILE, ", q: float = 0.5, method: int = 0",
       "a quantile of each window along one dim, the median unless q says otherwise; method 0 "
       "linear, 1 lower, 2 higher, 3 nearest, 4 midpoint; other arguments are window_max's")

#define SUM_FACE(op)                                                                               \
  rill_tensor *rill_window_##op(rill_context *ctx, const rill_tensor *input, int64_t window,       \
                                const rill_window_options *options) {                              \
    rill_window_options o;                                                                         \
    int64_t dims[RILL_MAX_DIMS];                                                                   \
    rill_value args[SLIDE_MORE];                                                                   \
    const rill_op *self = &rill_op_window_##op;                                                    \
    if (slide_arguments(ctx, self, input, window, options, &o, dims, args) != RILL_OK)             \
      return NULL;                                                                                 \
    return op_run1(ctx, self, args, SLIDE_MORE);                                                   \
  }
SUM_FACE(sum)
SUM_FACE(mean)

rill_tensor *rill_window_quantile(rill_context *ctx, const rill_tensor *input, int64_t window,
                                  double q, rill_window_quantile_method method,
                                  const rill_window_options *options) {
  rill_window_options o;
  int64_t dims[RILL_MAX_DIMS];
  rill_value args[QUANTILE_ARGUMENTS];
  const rill_op *self = &rill_op_window_quantile;
  if (slide_arguments(ctx, self, input, window, options, &o, dims, args) != RILL_OK) return NULL;
  args[SLIDE_Q] = op_f(q);
  args[SLIDE_METHOD] = op_i(method);
  return op_run1(ctx, self, args, QUANTILE_ARGUMENTS);
}
