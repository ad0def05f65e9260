/* Maxima and minima over sliding windows, along any dims: one pass a dim, from the last to the first, so
 * that of equal samples the first in row-major order is chosen, as in PyTorch's pooling. Backward walks
 * the passes again and asks each for its indices. */
#include "ops/window.h"

#include "ops/window_bands.h"
#include "pure/window.h"

#include <math.h>
#include <string.h>

enum { SLIDE_LAST = SLIDE_MORE, ARGUMENTS };

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

bool slide_read_dims(rill_context *ctx, const rill_op *op, const rill_value *v, int ndim,
                     slide_dims *dims) {
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
  return rill_error(ctx) == RILL_OK;
}

/* What is wrong whatever the shape: says so. */
rill_status slide_check(op_call *c) {
  static const struct {
    int argument;
    int64_t low, high;
    const char *fault;
  } limits[] = {
      {SLIDE_WINDOW, 1, INT64_MAX, "window must be at least 1, not"},
      {SLIDE_STRIDE, 1, INT64_MAX, "stride must be at least 1, not"},
      {SLIDE_DILATION, 1, INT64_MAX, "dilation must be at least 1, not"},
      {SLIDE_MODE, 0, RILL_WINDOW_CAUSAL, "there is no mode"},
      {SLIDE_EDGE, 0, RILL_WINDOW_WRAP, "there is no edge"},
      {SLIDE_NAN, 0, RILL_WINDOW_NAN_IGNORE, "there is no NaN rule"},
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
  rill_dtype d = (rill_dtype)op_in(c, SLIDE_INPUT)->dtype;
  double pad = c->args[SLIDE_PAD].as.f;
  double low = d == RILL_U8 ? 0 : d == RILL_I32 ? INT32_MIN : -0x1p63;
  double high = d == RILL_U8 ? UINT8_MAX : d == RILL_I32 ? INT32_MAX : 0x1p63;
  if (d == RILL_BOOL)
    return op_fail(c, RILL_ERROR_DTYPE, "bool has no largest: convert it with rill_to first");
  if (c->args[SLIDE_EDGE].as.i != RILL_WINDOW_CONSTANT || dtype_is_float(d)) return RILL_OK;
  if (!(pad >= low && pad <= high && pad < 0x1p63) || pad != (double)(int64_t)pad)
    return op_fail(c, RILL_ERROR_ARGUMENT, "pad %g is no %s", pad, rill_dtype_name(d));
  return RILL_OK;
}

/* Contiguous [outer, n, inner] around dim d. */
rill_window_params slide_params(const rill_value *v, const int64_t *shape, int ndim, int d) {
  rill_window_params p = {
      .struct_size = sizeof p,
      .outer = 1,
      .n = shape[d],
      .inner = 1,
      .window = v[SLIDE_WINDOW].as.i,
      .stride = v[SLIDE_STRIDE].as.i,
      .dilation = v[SLIDE_DILATION].as.i,
      .mode = (rill_window_mode)v[SLIDE_MODE].as.i,
      .edge = (rill_window_edge)v[SLIDE_EDGE].as.i,
      .pad = v[SLIDE_PAD].as.f,
      .nan = (rill_window_nan)v[SLIDE_NAN].as.i,
  };
  if (fabs(p.pad) < 0x1p63) p.pad_integer = (int64_t)p.pad;
  for (int i = 0; i < d; i++) p.outer *= shape[i];
  for (int i = d + 1; i < ndim; i++) p.inner *= shape[i];
  return p;
}

rill_status slide_infer(op_call *c, rill_dtype dtype, slide_dims *dims) {
  const rill_tensor *x = op_in(c, SLIDE_INPUT);
  rill_status s;
  if (x->ndim == 0) return op_fail(c, RILL_ERROR_SHAPE, "needs at least one dim to slide along");
  if (!slide_read_dims(c->ctx, c->op, &c->args[SLIDE_DIMS], x->ndim, dims))
    return rill_error(c->ctx);
  op_out_like(c, x, dtype);
  int64_t *shape = c->spec[0].shape;
  for (int i = 0; i < dims->count; i++) {
    rill_window_params p = slide_params(c->args, shape, x->ndim, dims->dim[i]);
    if ((s = rill_window_check(&p)) != RILL_OK)
      return op_fail(c, s, "windows of %lld samples %lld apart do not fit in memory",
                     (long long)p.window, (long long)p.dilation);
    shape[dims->dim[i]] = rill_window_length(&p);
  }
  return RILL_OK;
}

static rill_status window_infer(op_call *c) {
  slide_dims dims;
  rill_status s = op_promote(c, SLIDE_INPUT, 1, false);
  if (s == RILL_OK) s = slide_check(c);
  if (s == RILL_OK) s = check_dtype(c);
  if (s != RILL_OK) return s;
  bool index = row_of(c->op)->index;
  s = slide_infer(c, index ? RILL_I64 : (rill_dtype)op_in(c, SLIDE_INPUT)->dtype, &dims);
  if (s == RILL_OK && index && dims.count > 1)
    return op_fail(c, RILL_ERROR_ARGUMENT, "indices are along one dim, not %d", dims.count);
  return s;
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

int64_t slide_grain(const rill_context *ctx, int64_t units) {
  enum { STRETCHES = 4 };
  int slots = pool_slots(ctx);
  return slots == 1 ? units : units / (STRETCHES * slots);
}

static rill_status run_pass(rill_context *ctx, const rill_op *op, window_pass *p) {
  p->workspace =
      units_workspaces(ctx, op, window_workspace(p->type, &p->params), &p->workspace_size);
  if (!p->workspace) return rill_error(ctx);
  int64_t units = rill_window_units(&p->params);
  pool_for(ctx, units, slide_grain(ctx, units), p->index ? indices_part : values_part, p);
  return RILL_OK;
}

/* The pass of x along dim d. */
static window_pass pass_of(const rill_op *op, const rill_value *args, const rill_tensor *x, int d) {
  window_pass p = {.params = slide_params(args, x->shape, x->ndim, d),
                   .type = type_of((rill_dtype)x->dtype),
                   .min = row_of(op)->min,
                   .x = x->data};
  p.params.last = args[SLIDE_LAST].as.i;
  return p;
}

/* What slides out of x along dim d. */
static void shape_after(const rill_window_params *p, const rill_tensor *x, int d,
                        int64_t shape[RILL_MAX_DIMS]) {
  memcpy(shape, x->shape, (size_t)x->ndim * sizeof *shape);
  shape[d] = rill_window_length(p);
}

rill_tensor *slide_result(rill_context *ctx, const rill_op *op, const rill_window_params *p,
                          rill_dtype type, const rill_tensor *x, int d) {
  int64_t shape[RILL_MAX_DIMS];
  shape_after(p, x, d, shape);
  return op_new(ctx, op, type, shape, x->ndim);
}

/* Passes of x along dims d and then e, which is further out, as one? */
static bool plan_bands(const rill_op *op, const rill_value *args, const rill_tensor *x, int d,
                       int e, window_bands *b) {
  int64_t shape[RILL_MAX_DIMS];
  window_pass p = pass_of(op, args, x, d);
  shape_after(&p.params, x, d, shape);
  *b = (window_bands){.type = p.type,
                      .size = (int64_t)rill_dtype_size((rill_dtype)x->dtype),
                      .min = p.min,
                      .first = p.params,
                      .second = slide_params(args, shape, x->ndim, e),
                      .x = x->data};
  b->slices = b->second.outer;
  b->second.outer = 1;
  if (x->numel == 0) return false;
  b->first.outer /= b->slices * b->second.n;
  return window_bands_plan(b);
}

/* Maxima of x along the first `passes` of dims; the last pass goes to `out` where that is not NULL. */
static const rill_tensor *slide(rill_context *ctx, const rill_op *op, const rill_value *args,
                                const slide_dims *dims, int passes, rill_tensor *out) {
  const rill_tensor *x = tensor_contiguous(ctx, op->name, args[SLIDE_INPUT].as.tensor);
  for (int i = 0, done; i < passes && x; i += done) {
    window_bands bands;
    int d = dims->dim[i], e = i + 1 < passes ? dims->dim[i + 1] : -1;
    done = e >= 0 && plan_bands(op, args, x, d, e, &bands) ? 2 : 1;
    window_pass p = pass_of(op, args, x, d);
    int64_t shape[RILL_MAX_DIMS];
    shape_after(&p.params, x, d, shape);
    if (done == 2) shape[e] = bands.outputs;
    rill_tensor *y =
        out && i + done == passes ? out : op_new(ctx, op, (rill_dtype)x->dtype, shape, x->ndim);
    if (!y) return NULL;
    p.y = bands.y = y->data;
    if ((done == 2 ? window_bands_run(ctx, op, &bands) : run_pass(ctx, op, &p)) != RILL_OK)
      return NULL;
    x = y;
  }
  return x;
}

static rill_status window_forward(op_call *c) {
  slide_dims dims;
  if (!slide_read_dims(c->ctx, c->op, &c->args[SLIDE_DIMS], op_in(c, SLIDE_INPUT)->ndim, &dims))
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
  slide_dims dims;
  rill_tensor *grad = g->grad[0];
  if (!slide_read_dims(ctx, g->op, &g->args[SLIDE_DIMS], g->input[SLIDE_INPUT].ndim, &dims))
    return rill_error(ctx);
  for (int i = dims.count - 1; i >= 0 && grad; i--) {
    const rill_tensor *x = slide(ctx, g->op, g->args, &dims, i, NULL);
    if (!x) return rill_error(ctx);
    window_pass p = pass_of(g->op, g->args, x, dims.dim[i]);
    rill_tensor *index = slide_result(ctx, g->op, &p.params, RILL_I64, x, dims.dim[i]);
    rill_tensor *grad_x = op_new(ctx, g->op, (rill_dtype)x->dtype, x->shape, x->ndim);
    if (!index || !grad_x) return rill_error(ctx);
    p.index = (int64_t *)(void *)index->data;
    if (run_pass(ctx, g->op, &p) != RILL_OK) return rill_error(ctx);
    p.grad = grad->data;
    p.grad_x = grad_x->data;
    pool_for(ctx, rill_window_max_backward_units(&p.params), 1, scatter_part, &p);
    grad = grad_x;
  }
  g->result[SLIDE_INPUT] = grad;
  return rill_error(ctx);
}

/* ---- descriptors and faces -------------------------------------------------------------------- */

#define TYPES(name)                                                                                \
  "rill_window_" name "_f32 rill_window_" name "_f64 rill_window_" name "_u8 rill_window_" name    \
  "_i32 rill_window_" name "_i64"
#define WINDOW_OP(op, outputs, ...)                                                                \
  const rill_op rill_op_window_##op = {.name = "window_" #op,                                      \
                                       .signature =                                                \
                                           SLIDE_SIGNATURE ", last: bool = False -> " outputs,     \
                                       __VA_ARGS__};

#define EXTREME_OP(op, arg, is_min, text)                                                          \
  WINDOW_OP(op, "Tensor", .doc = text, .module = "rill_nn_window_" #op,                            \
            .pure = TYPES(#op) " rill_window_" arg "_f32 rill_window_" arg                         \
                               "_f64 rill_window_max_backward_f32 rill_window_max_backward_f64",   \
            .save = OP_SAVE_INPUT(SLIDE_INPUT), .infer = window_infer, .forward = window_forward,  \
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

rill_status slide_arguments(rill_context *ctx, const rill_op *op, const rill_tensor *input,
                            int64_t window, const rill_window_options *options,
                            rill_window_options *o, int64_t *dims, rill_value *args) {
  options_read(o, sizeof *o, options);
  bool fit = o->ndims >= 0 && o->ndims <= RILL_MAX_DIMS && (o->dims || !o->ndims);
  if (!fit && context_ready(ctx))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%d dims at %s", o->ndims,
                     o->dims ? "an address" : "NULL");
  if (!fit) o->ndims = 0; /* the op fails for another reason */
  for (int i = 0; i < o->ndims; i++) dims[i] = o->dims[i];
  args[SLIDE_INPUT] = op_t(input);
  args[SLIDE_WINDOW] = op_i(window);
  args[SLIDE_DIMS] = op_is(dims, o->ndims);
  args[SLIDE_STRIDE] = op_i(o->stride ? o->stride : 1);
  args[SLIDE_DILATION] = op_i(o->dilation ? o->dilation : 1);
  args[SLIDE_MODE] = op_i(o->mode);
  args[SLIDE_EDGE] = op_i(o->edge);
  args[SLIDE_PAD] = op_f(o->pad);
  args[SLIDE_NAN] = op_i(o->nan);
  return RILL_OK;
}

static rill_status run(rill_context *ctx, const rill_op *op, const rill_tensor *input,
                       int64_t window, const rill_window_options *options, rill_tensor **out) {
  rill_window_options o;
  int64_t dims[RILL_MAX_DIMS];
  rill_value args[ARGUMENTS];
  rill_status s = slide_arguments(ctx, op, input, window, options, &o, dims, args);
  if (s != RILL_OK) return s;
  args[SLIDE_LAST] = op_b(o.last);
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
