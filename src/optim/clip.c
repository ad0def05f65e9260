/* Gradient clipping, in place. */
#include "optim/optim.h"

#include "base/number.h"
#include "rill/pure.h"

#include <math.h>
#include <string.h>

static void *grad_from(const optim_parameter *p, int64_t i) {
  const rill_tensor *g = optimizer_grad(p);
  return g->data + i * (int64_t)rill_dtype_size((rill_dtype)g->dtype);
}

static void touch_all(rill_optimizer *o) {
  for (int i = 0; i < o->parameter_count; i++) rill_tensor_touch(optimizer_grad(&o->parameters[i]));
}

/* The limit is a number, not negative; infinity limits nothing. */
static bool limit_ok(rill_context *ctx, const char *op, const char *name, double limit) {
  if (limit >= 0) return true;
  char text[NUMBER_SIZE];
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is %s, it must not be negative", name,
            number_print(text, limit));
  return false;
}

/* ---- by norm: each stretch of the split has its own sum, so the norm does not depend on threads ---- */

static void square_part(void *arg, optim_parameter *p, int64_t i, int64_t n, int64_t stretch) {
  double *sums = arg, sum;
  if (p->tensor->dtype == RILL_F32)
    rill_sum_squares_f32(grad_from(p, i), n, &sum);
  else
    rill_sum_squares_f64(grad_from(p, i), n, &sum);
  sums[stretch] += sum;
}

static void scale_part(void *arg, optim_parameter *p, int64_t i, int64_t n, int64_t stretch) {
  double by = *(const double *)arg;
  void *g = grad_from(p, i);
  (void)stretch;
  if (p->tensor->dtype == RILL_F32)
    rill_scale_f32(g, (float)by, 0, g, n);
  else
    rill_scale_f64(g, by, 0, g, n);
}

rill_status rill_clip_grad_norm(rill_context *ctx, rill_optimizer *optimizer, double max_norm,
                                double *norm) {
  static const char op[] = "clip_grad_norm";
  if (!optimizer_ready(ctx, op, optimizer) || !limit_ok(ctx, op, "max_norm", max_norm))
    return rill_error(ctx);
  size_t stretches = (size_t)(optimizer_active(optimizer) / OPTIM_GRAIN) + 1;
  double total = 0, *sums = context_alloc(ctx, op, stretches * sizeof *sums);
  if (!sums) return ctx->error;
  memset(sums, 0, stretches * sizeof *sums);
  optimizer_pass(ctx, optimizer, square_part, sums);
  for (size_t i = 0; i < stretches; i++) total += sums[i];
  heap_free(sums);
  double length = sqrt(total), by = max_norm / (length + 1e-6);
  if (norm) *norm = length;
  if (by >= 1) return RILL_OK; /* NaN goes on, into every gradient, as in PyTorch */
  optimizer_pass(ctx, optimizer, scale_part, &by);
  touch_all(optimizer);
  return RILL_OK;
}

/* ---- by value ---- */

static void clamp_part(void *arg, optim_parameter *p, int64_t i, int64_t n, int64_t stretch) {
  double limit = *(const double *)arg;
  void *g = grad_from(p, i);
  (void)stretch;
  if (p->tensor->dtype == RILL_F32)
    rill_clamp_f32(g, g, n, (float)-limit, (float)limit);
  else
    rill_clamp_f64(g, g, n, -limit, limit);
}

rill_status rill_clip_grad_value(rill_context *ctx, rill_optimizer *optimizer, double value) {
  static const char op[] = "clip_grad_value";
  if (!optimizer_ready(ctx, op, optimizer) || !limit_ok(ctx, op, "value", value))
    return rill_error(ctx);
  optimizer_pass(ctx, optimizer, clamp_part, &value);
  touch_all(optimizer);
  return RILL_OK;
}
