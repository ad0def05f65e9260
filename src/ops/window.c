/* Maxima and minima over sliding windows, along any dims: one pass a dim, from the last to the first, so
 * that of equal samples the first in row-major order is chosen, as in PyTorch's pooling. Backward walks
 * the passes again and asks each for its indices. */
#include "ops/units.h"
#include "pure/window.h"

#include <math.h>
#include <string.h>

enum { INPUT, WINDOW, DIMS, STRIDE, DILATION, MODE, EDGE, PAD, NAN_RULE, LAST, ARGUMENTS };

/* What sets the ops apart. */
typedef struct window_row {
  bool min, index;
} window_row;

/* A pass along one dim. */
typedef struct window_pass {
  rill_window_params params;
  window_type type;
  bool min;
  const void *x;
  void *y;
  int64_t *index; /* of argmax and in backward; then y may be NULL */
  const void *grad;
  void *grad_x;
  char *workspace;
  size_t workspace_size; /* of a slot */
} window_pass;

/* Which dims, the last first. */
typedef struct window_dims {
  int dim[RILL_MAX_DIMS];
  int count;
} window_dims;

static window_type type_of(rill_dtype d) {
  switch (d) {
  case RILL_F32: return WINDOW_F32;
  case RILL_F64: return WINDOW_F64;
  case RILL_I32: return WINDOW_I32;
  case RILL_I64: return WINDOW_I64;
  default: return WINDOW_U8;
  }
}

static const window_row *row_of(const rill_op *op) { return op->data; }

/* ---- arguments -------------------------------------------------------------------------------- */

static bool read_dims(rill_context *ctx, const rill_op *op, const rill_value *v, int ndim,
                      window_dims *dims) {
  bool chosen[RILL_MAX_DIMS] = {false};
  int64_t last = -1;
  int named = v->count ? v->count : 1;
  const int64_t *dim = v->count ? v->as.ints : &last;
  for (int i = 0; i < named; i++) {
    int d = shape_dim(ctx, op->name, dim[i], ndim);
    if (d < 0) return false;
    if (chosen[d]) error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "dim %d is named twice", d);
    chosen[d] = true;
  }
  dims->count = 0;
  for (int d = RILL_MAX_DIMS - 1; d >= 0; d--)
    if (chosen[d]) dims->dim[dims->count++] = d;
  if (row_of(op)->index && dims->count > 1)
    error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "indices are along one dim, not %d", dims->count);
  return rill_error(ctx) == RILL_OK;
}

/* What is wrong whatever the shape: says so. */
static rill_status check_arguments(op_call *c) {
  static const struct {
    int argument;
    int64_t low, high;
    const char *fault;
  } limits[] = {
      {WINDOW, 1, INT64_MAX, "window must be at least 1, not"},
      {STRIDE, 1, INT64_MAX, "stride must be at least 1, not"},
      {DILATION, 1, INT64_MAX, "dilation must be at least 1, not"},
      {MODE, 0, RILL_WINDOW_CAUSAL, "there is no mode"},
      {EDGE, 0, RILL_WINDOW_WRAP, "there is no edge"},
      {NAN_RULE, 0, RILL_WINDOW_NAN_IGNORE, "there is no NaN rule"},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    int64_t given = c->args[limits[i].argument].as.i;
    if (given < limits[i].low || given > limits[i].high)
      return op_fail(c, RILL_ERROR_ARGUMENT, "%s %lld", limits[i].fault, (long long)given);
  }
  return RILL_OK;
}

/* Integers are padded with an integer of their own kind. */
static rill_status check_dtype(op_call *c) {
  rill_dtype d = (rill_dtype)op_in(c, INPUT)->dtype;
  double pad = c->args[PAD].as.f;
  double low = d == RILL_U8 ? 0 : d == RILL_I32 ? INT32_MIN : -0x1p63;
  double high = d == RILL_U8 ? UINT8_MAX : d == RILL_I32 ? INT32_MAX : 0x1p63;
  if (d == RILL_BOOL)
    return op_fail(c, RILL_ERROR_DTYPE, "bool has no largest: convert it with rill_to first");
  if (c->args[EDGE].as.i != RILL_WINDOW_CONSTANT || dtype_is_float(d)) return RILL_OK;
  if (!(pad >= low && pad <= high && pad < 0x1p63) || pad != (double)(int64_t)pad)
    return op_fail(c, RILL_ERROR_ARGUMENT, "pad %g is no %s", pad, rill_dtype_name(d));
  return RILL_OK;
}

/* Contiguous [outer, n, inner] around dim d. */
static rill_window_params params_of(const rill_value *v, const int64_t *shape, int ndim, int d) {
  rill_window_params p = {
      .struct_size = sizeof p,
      .outer = 1,
      .n = shape[d],
      .inner = 1,
      .window = v[WINDOW].as.i,
      .stride = v[STRIDE].as.i,
      .dilation = v[DILATION].as.i,
      .mode = (rill_window_mode)v[MODE].as.i,
      .edge = (rill_window_edge)v[EDGE].as.i,
      .pad = v[PAD].as.f,
      .nan = (rill_window_nan)v[NAN_RULE].as.i,
      .last = v[LAST].as.i,
  };
  if (fabs(p.pad) < 0x1p63) p.pad_integer = (int64_t)p.pad;
  for (int i = 0; i < d; i++) p.outer *= shape[i];
  for (int i = d + 1; i < ndim; i++) p.inner *= shape[i];
  return p;
}

static rill_status window_infer(op_call *c) {
  window_dims dims;
  rill_status s = op_promote(c, INPUT, 1, false);
  if (s == RILL_OK) s = check_arguments(c);
  if (s == RILL_OK) s = check_dtype(c);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, INPUT);
  if (x->ndim == 0) return op_fail(c, RILL_ERROR_SHAPE, "needs at least one dim to slide along");
  if (!read_dims(c->ctx, c->op, &c->args[DIMS], x->ndim, &dims)) return rill_error(c->ctx);
  op_out_like(c, x, row_of(c->op)->index ? RILL_I64 : (rill_dtype)x->dtype);
  int64_t *shape = c->spec[0].shape;
  for (int i = 0; i < dims.count; i++) {
    rill_window_params p = params_of(c->args, shape, x->ndim, dims.dim[i]);
    if ((s = rill_window_check(&p)) != RILL_OK)
      return op_fail(c, s, "windows of %lld samples %lld apart do not fit in memory",
                     (long long)p.window, (long long)p.dilation);
    shape[dims.dim[i]] = rill_window_length(&p);
  }
  return RILL_OK;
}

/* ---- passes ----------------------------------------------------------------------------------- */

static void values_part(void *arg, int64_t begin, int64_t end, int slot) {
  const window_pass *p = arg;
  window_values(p->type, &p->params, p->x, p->min ? p->y : NULL, p->min ? NULL : p->y, begin, end,
                p->workspace + (size_t)slot * p->workspace_size);
}

static void indices_part(void *arg, int64_t begin, int64_t end, int slot) {
  const window_pass *p = arg;
  window_indices(p->type, &p->params, p->x, p->index, NULL, p->min, begin, end,
                 p->workspace + (size_t)slot * p->workspace_size);
}

static void scatter_part(void *arg, int64_t begin, int64_t end, int slot) {
  const window_pass *p = arg;
  (void)slot;
  if (p->type == WINDOW_F32)
    rill_window_max_backward_f32(&p->params, p->grad, p->index, p->grad_x, begin, end);
  else
    rill_window_max_backward_f64(&p->params, p->grad, p->index, p->grad_x, begin, end);
}

static rill_status run_pass(rill_context *ctx, const rill_op *op, window_pass *p) {
  p->workspace =
      units_workspaces(ctx, op, window_workspace(p->type, &p->params), &p->workspace_size);
  if (!p->workspace) return rill_error(ctx);
  pool_for(ctx, rill_window_units(&p->params), 1, p->index ? indices_part : values_part, p);
  return RILL_OK;
}

/* The pass of x along dim d. */
static window_pass pass_of(const rill_op *op, const rill_value *args, const rill_tensor *x, int d) {
  return (window_pass){.params = params_of(args, x->shape, x->ndim, d),
                       .type = type_of((rill_dtype)x->dtype),
                       .min = row_of(op)->min,
                       .x = x->data};
}

/* A tensor for what slides out of x along dim d. */
static rill_tensor *slid(rill_context *ctx, const rill_op *op, const window_pass *p,
                         rill_dtype type, const rill_tensor *x, int d) {
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, x->shape, (size_t)x->ndim * sizeof *shape);
  shape[d] = rill_window_length(&p->params);
  return op_new(ctx, op, type, shape, x->ndim);
}

/* Maxima of x along the first `passes` of dims; the last pass goes to `out` where that is not NULL. */
static const rill_tensor *slide(rill_context *ctx, const rill_op *op, const rill_value *args,
                                const window_dims *dims, int passes, rill_tensor *out) {
  const rill_tensor *x = tensor_contiguous(ctx, op->name, args[INPUT].as.tensor);
  for (int i = 0; i < passes && x; i++) {
    window_pass p = pass_of(op, args, x, dims->dim[i]);
    rill_tensor *y =
        out && i == passes - 1 ? out : slid(ctx, op, &p, (rill_dtype)x->dtype, x, dims->dim[i]);
    if (!y) return NULL;
    p.y = y->data;
    if (run_pass(ctx, op, &p) != RILL_OK) return NULL;
    x = y;
  }
  return x;
}

static rill_status window_forward(op_call *c) {
  window_dims dims;
  if (!read_dims(c->ctx, c->op, &c->args[DIMS], op_in(c, INPUT)->ndim, &dims))
    return rill_error(c->ctx);
  if (!row_of(c->op)->index) {
    slide(c->ctx, c->op, c->args, &dims, dims.count, c->out[0]);
    return rill_error(c->ctx);
  }
  const rill_tensor *x = slide(c->ctx, c->op, c->args, &dims, 0, NULL);
  if (!x) return rill_error(c->ctx);
  window_pass p = pass_of(c->op, c->args, x, dims.dim[0]);
  p.index = op_result(c, 0);
  return run_pass(c->ctx, c->op, &p);
}

static rill_status window_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  window_dims dims;
  rill_tensor *grad = g->grad[0];
  if (!read_dims(ctx, g->op, &g->args[DIMS], g->input[INPUT].ndim, &dims)) return rill_error(ctx);
  for (int i = dims.count - 1; i >= 0 && grad; i--) {
    const rill_tensor *x = slide(ctx, g->op, g->args, &dims, i, NULL);
    if (!x) return rill_error(ctx);
    window_pass p = pass_of(g->op, g->args, x, dims.dim[i]);
    rill_tensor *index = slid(ctx, g->op, &p, RILL_I64, x, dims.dim[i]);
    rill_tensor *grad_x = op_new(ctx, g->op, (rill_dtype)x->dtype, x->shape, x->ndim);
    if (!index || !grad_x) return rill_error(ctx);
    p.index = (int64_t *)(void *)index->data;
    if (run_pass(ctx, g->op, &p) != RILL_OK) return rill_error(ctx);
    p.grad = grad->data;
    p.grad_x = grad_x->data;
    pool_for(ctx, rill_window_max_backward_units(&p.params), 1, scatter_part, &p);
    grad = grad_x;
  }
  g->result[INPUT] = grad;
  return rill_error(ctx);
}

/* ---- descriptors and faces -------------------------------------------------------------------- */

#define TYPES(name)                                                                                \
  "rill_window_" name "_f32 rill_window_" name "_f64 rill_window_" name "_u8 rill_window_" name    \
  "_i32 rill_window_" name "_i64"
#define WINDOW_OP(op, outputs, ...)                                                                \
  const rill_op rill_op_window_##op = {                                                            \
      .name = "window_" #op,                                                                       \
      .signature = "input: Tensor, window: int, dim: int[] = [], stride: int = 1, dilation: int "  \
                   "= 1, mode: int = 0, edge: int = 0, pad: float = 0.0, nan: int = 0, last: "     \
                   "bool = False -> " outputs,                                                     \
      __VA_ARGS__};

#define EXTREME_OP(op, arg, is_min, text)                                                          \
  WINDOW_OP(op, "Tensor", .doc = text, .module = "rill_nn_window_" #op,                            \
            .pure = TYPES(#op) " rill_window_" arg "_f32 rill_window_" arg                         \
                               "_f64 rill_window_max_backward_f32 rill_window_max_backward_f64",   \
            .save = OP_SAVE_INPUT(INPUT), .infer = window_infer, .forward = window_forward,        \
            .backward = window_backward, .data = &(const window_row){.min = is_min})
EXTREME_OP(
    max, "argmax", false,
    "the largest of each window along dims (none: the last), as torch's max_pool; mode 0 valid, 1 "
    "same, 2 full, 3 causal; edge 0 ignore, 1 constant, 2 nearest, 3 reflect, 4 mirror, 5 "
    "wrap; nan 0 propagate, 1 ignore; of equal samples the first, or last, has the gradient")
EXTREME_OP(min, "argmin", true, "the smallest of each window; the arguments are window_max's")

#define INDEX_OP(op, is_min, text)                                                                 \
  WINDOW_OP(op, "Tensor", .doc = text, .pure = TYPES(#op), .flags = OP_NO_GRADIENT,                \
            .infer = window_infer, .forward = window_forward,                                      \
            .data = &(const window_row){.min = is_min, .index = true})
INDEX_OP(argmax, false,
         "where along one dim each window's largest is, -1 beyond the ends; the arguments are "
         "window_max's")
INDEX_OP(argmin, true, "where each window's smallest is; the arguments are window_argmax's")

static rill_status minmax_forward(op_call *c) {
  for (int i = 0; i < 2; i++)
    c->out[i] = op_run1(c->ctx, i ? &rill_op_window_max : &rill_op_window_min, c->args, c->nargs);
  c->outputs = 2;
  return rill_error(c->ctx);
}

WINDOW_OP(minmax, "Tensor, Tensor", .doc = "window_min and window_max; the arguments are theirs",
          .pure = TYPES("minmax"), .flags = OP_COMPOSITE, .forward = minmax_forward)

void rill_window_options_init(rill_window_options *options) {
  if (options) *options = (rill_window_options)RILL_WINDOW_OPTIONS_INIT;
}

/* Runs the op by the C face's arguments: an option of 0 is the default. */
static rill_status run(rill_context *ctx, const rill_op *op, const rill_tensor *input,
                       int64_t window, const rill_window_options *options, rill_tensor **out) {
  rill_window_options o;
  int64_t dims[RILL_MAX_DIMS] = {0};
  options_read(&o, sizeof o, options);
  if (context_ready(ctx) && (o.ndims < 0 || o.ndims > RILL_MAX_DIMS || (o.ndims && !o.dims)))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%d dims at %s", o.ndims,
                     o.dims ? "an address" : "NULL");
  for (int i = 0; i < o.ndims; i++) dims[i] = o.dims[i];
  rill_value args[ARGUMENTS] = {op_t(input),
                                op_i(window),
                                op_is(dims, o.ndims),
                                op_i(o.stride ? o.stride : 1),
                                op_i(o.dilation ? o.dilation : 1),
                                op_i(o.mode),
                                op_i(o.edge),
                                op_f(o.pad),
                                op_i(o.nan),
                                op_b(o.last)};
  return op_run(ctx, op, args, ARGUMENTS, out, 2, NULL);
}

#define WINDOW_FACE(op)                                                                            \
  rill_tensor *rill_window_##op(rill_context *ctx, const rill_tensor *input, int64_t window,       \
                                const rill_window_options *options) {                              \
    rill_tensor *out[2] = {NULL, NULL};                                                            \
    return run(ctx, &rill_op_window_##op, input, window, options, out) == RILL_OK ? out[0] : NULL; \
  }
WINDOW_FACE(max)
WINDOW_FACE(min)
WINDOW_FACE(argmax)
WINDOW_FACE(argmin)

rill_tensor *rill_window_minmax(rill_context *ctx, const rill_tensor *input, int64_t window,
                                const rill_window_options *options, rill_tensor **max) {
  rill_tensor *out[2] = {NULL, NULL};
  rill_status s = run(ctx, &rill_op_window_minmax, input, window, options, out);
  if (max) *max = out[1];
  return s == RILL_OK ? out[0] : NULL;
}
