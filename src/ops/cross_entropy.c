/* Cross entropy of class indices, fused with the log-softmax of the logits. */
#include "ops/op.h"

#include <math.h>
#include <string.h>

enum { LOGITS, TARGET, WEIGHT, IGNORE, SMOOTHING, REDUCTION };

static rill_status cross_entropy_infer(op_call *c) {
  const rill_tensor *target = op_in(c, TARGET), *w = op_has(c, WEIGHT) ? op_in(c, WEIGHT) : NULL;
  rill_status s = op_need_real(c, LOGITS);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, LOGITS);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (target->dtype != RILL_I32 && target->dtype != RILL_I64)
    return op_fail(c, RILL_ERROR_DTYPE, "targets must be i32 or i64, not %s",
                   rill_dtype_name((rill_dtype)target->dtype));
  if (x->ndim < 1 || !shape_equal(x->shape, x->ndim - 1, target->shape, target->ndim))
    return op_fail(c, RILL_ERROR_SHAPE,
                   "needs logits [...,classes] and target [...], not %s and %s",
                   shape_text(x->shape, x->ndim, a), shape_text(target->shape, target->ndim, b));
  int64_t classes = x->shape[x->ndim - 1];
  if (w && (w->ndim != 1 || w->shape[0] != classes || w->dtype != x->dtype))
    return op_fail(c, RILL_ERROR_SHAPE, "the weight is %s %s for %lld classes of %s",
                   rill_dtype_name((rill_dtype)w->dtype), shape_text(w->shape, w->ndim, a),
                   (long long)classes, rill_dtype_name((rill_dtype)x->dtype));
  double smoothing = c->args[SMOOTHING].as.f;
  if (!(smoothing >= 0 && smoothing <= 1))
    return op_fail(c, RILL_ERROR_ARGUMENT, "label_smoothing must lie in [0, 1]");
  int64_t reduction = c->args[REDUCTION].as.i;
  if (reduction < RILL_REDUCE_MEAN || reduction > RILL_REDUCE_NONE)
    return op_fail(c, RILL_ERROR_ARGUMENT, "reduction %lld is none of mean, sum, none",
                   (long long)reduction);
  op_out(c, 0, (rill_dtype)x->dtype, target->shape,
         reduction == RILL_REDUCE_NONE ? target->ndim : 0);
  return RILL_OK;
}

typedef struct loss_job {
  rill_dtype dtype;
  const char *logits, *weight, *grad;
  const int64_t *target;
  int64_t ignore, classes;
  double smoothing;
  char *loss, *lse, *row_weight, *out;
  atomic_int status;
} loss_job;

static char *at(const char *data, int64_t i, rill_dtype d) {
  return data ? (char *)(uintptr_t)data + i * (int64_t)rill_dtype_size(d) : NULL;
}

static void loss_part(void *arg, int64_t i, int64_t end, int slot) {
  loss_job *j = arg;
  rill_dtype d = j->dtype;
  const void *logits = at(j->logits, i * j->classes, d), *w = j->weight, *grad = at(j->grad, i, d);
  void *lse = at(j->lse, i, d), *loss = at(j->loss, i, d), *row = at(j->row_weight, i, d),
       *out = at(j->out, i * j->classes, d);
  (void)slot;
  rill_status s = grad ? PURE(d, cross_entropy_backward, grad, logits, lse, j->target + i, w,
                              j->ignore, j->smoothing, out, end - i, j->classes)
                       : PURE(d, cross_entropy, logits, j->target + i, w, j->ignore, j->smoothing,
                              loss, lse, row, end - i, j->classes);
  if (s != RILL_OK) atomic_store(&j->status, s);
}

/* Names the first target that is out of range. */
static rill_status report_target(op_call *c, const int64_t *target, int64_t rows, int64_t classes) {
  for (int64_t i = 0; i < rows; i++)
    if (target[i] != c->args[IGNORE].as.i && (target[i] < 0 || target[i] >= classes))
      return op_fail(c, RILL_ERROR_INDEX,
                     "target %lld at row %lld is out of range for %lld classes",
                     (long long)target[i], (long long)i, (long long)classes);
  return op_fail(c, RILL_ERROR_INDEX, "a target is out of range");
}

static double total(const rill_tensor *t) {
  double sum = 0;
  for (int64_t i = 0; i < t->numel; i++)
    sum += t->dtype == RILL_F32 ? (double)((const float *)(const void *)t->data)[i]
                                : ((const double *)(const void *)t->data)[i];
  return sum;
}

static void put(rill_tensor *t, double v) {
  if (t->dtype == RILL_F32)
    *(float *)(void *)t->data = (float)v;
  else
    *(double *)(void *)t->data = v;
}

static rill_status cross_entropy_forward(op_call *c) {
  rill_context *ctx = c->ctx;
  const rill_tensor *x = op_in(c, LOGITS);
  rill_dtype d = (rill_dtype)x->dtype;
  if (c->recorded && op_has(c, WEIGHT) && op_in(c, WEIGHT)->requires_grad) /* as in PyTorch */
    return op_fail(c, RILL_ERROR_UNSUPPORTED, "class weights have no gradient: detach them");
  const void *logits = op_data(c, LOGITS), *w = op_has(c, WEIGHT) ? op_data(c, WEIGHT) : NULL;
  const rill_tensor *target = tensor_converted(ctx, c->op->name, op_in(c, TARGET), RILL_I64);
  if (target) target = tensor_contiguous(ctx, c->op->name, target);
  int64_t rows = op_in(c, TARGET)->numel, classes = x->shape[x->ndim - 1];
  rill_tensor *loss = op_new(ctx, c->op, d, &rows, 1), *lse = op_new(ctx, c->op, d, &rows, 1);
  rill_tensor *row = op_new(ctx, c->op, d, &rows, 1), *scale = op_new(ctx, c->op, d, NULL, 0);
  if (ctx->error != RILL_OK) return ctx->error;
  loss_job j = {.dtype = d,
                .logits = logits,
                .weight = w,
                .target = (const int64_t *)(const void *)target->data,
                .ignore = c->args[IGNORE].as.i,
                .classes = classes,
                .smoothing = c->args[SMOOTHING].as.f,
                .loss = loss->data,
                .lse = lse->data,
                .row_weight = row->data};
  pool_for(ctx, rows, op_grain(classes), loss_part, &j);
  if (j.status != RILL_OK) return report_target(c, j.target, rows, classes);
  int64_t reduction = c->args[REDUCTION].as.i;
  double weights = reduction == RILL_REDUCE_MEAN ? total(row) : 1;
  if (reduction == RILL_REDUCE_NONE)
    memcpy(c->out[0]->data, loss->data, (size_t)rows * rill_dtype_size(d));
  else
    put(c->out[0], total(loss) / weights);
  put(scale, 1 / weights);
  if (c->recorded) {
    c->extra[0] = lse;
    c->extra[1] = (rill_tensor *)target;
    c->extra[2] = scale;
  }
  return RILL_OK;
}

static rill_status cross_entropy_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  const rill_tensor *x = tensor_contiguous(ctx, g->op->name, g->args[LOGITS].as.tensor), *w = NULL;
  rill_tensor *lse = g->extra[0], *target = g->extra[1], *out = op_grad_new(g, LOGITS);
  if (g->args[WEIGHT].kind == RILL_VALUE_TENSOR)
    w = tensor_contiguous(ctx, g->op->name, g->args[WEIGHT].as.tensor);
  rill_tensor *grad = rill_mul(ctx, g->grad[0], g->extra[2]);
  if (grad && grad->ndim == 0) grad = rill_contiguous(ctx, rill_expand(ctx, grad, &lse->numel, 1));
  if (!out || !grad) return rill_error(ctx);
  loss_job j = {.dtype = (rill_dtype)out->dtype,
                .logits = x->data,
                .weight = w ? w->data : NULL,
                .grad = grad->data,
                .target = (const int64_t *)(const void *)target->data,
                .ignore = g->args[IGNORE].as.i,
                .classes = x->shape[x->ndim - 1],
                .smoothing = g->args[SMOOTHING].as.f,
                .lse = lse->data,
                .out = out->data};
  pool_for(ctx, lse->numel, op_grain(j.classes), loss_part, &j);
  g->result[LOGITS] = out;
  return RILL_OK;
}

const rill_op rill_op_cross_entropy = {
    .name = "cross_entropy",
    .exports = "nn.functional.cross_entropy",
    .signature = "input: Tensor, target: Tensor, weight: Tensor? = None, ignore_index: int = -100, "
                 "label_smoothing: float = 0.0, reduction: int = 0 -> Tensor",
    .doc = "torch.nn.functional.cross_entropy with classes in the last dim; reduction 0 mean, 1 "
           "sum, 2 none",
    .pure = "rill_cross_entropy_f32 rill_cross_entropy_f64 rill_cross_entropy_backward_f32 "
            "rill_cross_entropy_backward_f64",
    .save = OP_SAVE_INPUT(LOGITS) | OP_SAVE_INPUT(WEIGHT),
    .infer = cross_entropy_infer,
    .forward = cross_entropy_forward,
    .backward = cross_entropy_backward,
};

void rill_cross_entropy_options_init(rill_cross_entropy_options *options) {
  if (options) *options = (rill_cross_entropy_options)RILL_CROSS_ENTROPY_OPTIONS_INIT;
}

rill_tensor *rill_cross_entropy(rill_context *ctx, const rill_tensor *logits,
                                const rill_tensor *target,
                                const rill_cross_entropy_options *options) {
  rill_cross_entropy_options o;
  options_read(&o, sizeof o, options);
  rill_value args[] = {op_t(logits),
                       op_t(target),
                       op_to(o.weight),
                       op_i(o.use_ignore_index ? o.ignore_index : -100),
                       op_f(o.label_smoothing),
                       op_i(o.reduction)};
  return op_run1(ctx, &rill_op_cross_entropy, args, 6);
}
