/* Analytic gradients against central differences: torch.autograd.gradcheck. */
#include "autograd/autograd.h"
#include "base/number.h"

#include <math.h>
#include <string.h>

void rill_gradcheck_options_init(rill_gradcheck_options *options) {
  if (options) *options = (rill_gradcheck_options)RILL_GRADCHECK_OPTIONS_INIT;
}

typedef struct check {
  rill_context *ctx;
  rill_function function;
  void *user;
  rill_tensor **inputs; /* contiguous f64 copies, leaves */
  int n_inputs;
  double eps, atol, rtol;
} check;

/* Copies of the inputs that may be moved about. */
static bool copy_inputs(check *k, rill_tensor *const *inputs) {
  for (int i = 0; i < k->n_inputs; i++) {
    const rill_tensor *t = inputs[i];
    if (!t || (t->requires_grad && t->dtype != RILL_F64)) {
      error_set(k->ctx, RILL_ERROR_DTYPE, "gradcheck", "input %d %s", i,
                t ? "requires a gradient and is not f64" : "is NULL");
      return false;
    }
    k->inputs[i] = tensor_new(k->ctx, "gradcheck", (rill_dtype)t->dtype, t->shape, t->ndim);
    if (!k->inputs[i]) return false;
    strided_copy(k->ctx, t->ndim, t->shape, (rill_dtype)t->dtype, t->data, t->strides,
                 (rill_dtype)t->dtype, k->inputs[i]->data, k->inputs[i]->strides);
    if (t->requires_grad && rill_set_requires_grad(k->ctx, k->inputs[i], true) != RILL_OK)
      return false;
  }
  return true;
}

/* The function's output as contiguous f64 (scope-owned); *whole where it is wanted for backward. */
static const rill_tensor *evaluate(check *k, rill_tensor **whole) {
  rill_tensor *y = k->function(k->ctx, k->user, k->inputs, k->n_inputs);
  if (!y) {
    error_set(k->ctx, RILL_ERROR_CALLBACK, "gradcheck", "the function returned NULL");
    return NULL;
  }
  if (whole) *whole = y;
  if (y->dtype == RILL_F64) return tensor_contiguous(k->ctx, "gradcheck", y);
  error_set(k->ctx, RILL_ERROR_DTYPE, "gradcheck", "the output is %s, not f64",
            rill_dtype_name((rill_dtype)y->dtype));
  return NULL;
}

/* Column `element` of input i's numerical Jacobian into column[outputs]. */
static bool numerical(check *k, int i, int64_t element, double *column, int64_t outputs) {
  double *x = (double *)k->inputs[i]->data + element, kept = *x;
  bool ok = rill_scope_open(k->ctx) == RILL_OK;
  if (!ok) return false;
  *x = kept + k->eps;
  const rill_tensor *y = evaluate(k, NULL);
  ok = y && y->numel == outputs; /* copied at once: the output may be a view of the input */
  if (ok) memcpy(column, y->data, (size_t)outputs * sizeof(double));
  *x = kept - k->eps;
  y = ok ? evaluate(k, NULL) : NULL;
  ok = y && y->numel == outputs;
  for (int64_t o = 0; ok && o < outputs; o++)
    column[o] = (column[o] - ((const double *)(const void *)y->data)[o]) / (2 * k->eps);
  *x = kept;
  rill_scope_close(k->ctx);
  return ok;
}

static bool close_enough(const check *k, double analytic, double numeric) {
  return fabs(analytic - numeric) <= k->atol + k->rtol * fabs(numeric);
}

static void report(check *k, int i, int64_t element, int64_t output, double analytic,
                   double numeric) {
  char a[NUMBER_SIZE], b[NUMBER_SIZE];
  error_set(k->ctx, RILL_ERROR_GRAPH, "gradcheck",
            "d output[%lld] / d input %d [%lld] is %s by backward, %s by differences",
            (long long)output, i, (long long)element, number_print(a, analytic),
            number_print(b, numeric));
}

/* Row `output` of each input's analytic Jacobian, by a backward from one output element. */
static bool analytic_row(check *k, int64_t output, double **rows) {
  rill_tensor *y;
  bool ok = rill_scope_open(k->ctx) == RILL_OK;
  if (!ok) return false;
  ok = evaluate(k, &y) != NULL;
  rill_tensor *seed = ok ? rill_zeros(k->ctx, RILL_F64, y->shape, y->ndim) : NULL;
  if (seed) ((double *)seed->data)[output] = 1;
  ok = seed && y->requires_grad && rill_backward(k->ctx, y, seed, false) == RILL_OK;
  for (int i = 0; i < k->n_inputs; i++) {
    rill_tensor *t = k->inputs[i], *g = rill_tensor_grad(t);
    if (!t->requires_grad) continue;
    if (ok && g) memcpy(rows[i], g->data, (size_t)t->numel * sizeof(double));
    if (ok && !g) memset(rows[i], 0, (size_t)t->numel * sizeof(double));
    if (ok) rill_set_grad(k->ctx, t, NULL);
  }
  rill_scope_close(k->ctx);
  return ok;
}

/* jacobian[i]: [outputs, numel of input i]. */
static bool compare(check *k, int64_t outputs, double **jacobian, double *column) {
  for (int i = 0; i < k->n_inputs; i++) {
    rill_tensor *t = k->inputs[i];
    for (int64_t e = 0; t->requires_grad && e < t->numel; e++) {
      if (!numerical(k, i, e, column, outputs)) return false;
      for (int64_t o = 0; o < outputs; o++) {
        double analytic = jacobian[i][o * t->numel + e];
        if (close_enough(k, analytic, column[o])) continue;
        report(k, i, e, o, analytic, column[o]);
        return false;
      }
    }
  }
  return true;
}

static bool run_check(check *k) {
  if (rill_scope_open(k->ctx) != RILL_OK) return false;
  rill_tensor *y = NULL;
  int64_t outputs = evaluate(k, &y) ? y->numel : -1, total = outputs + 1;
  if (outputs >= 0 && !y->requires_grad)
    error_set(k->ctx, RILL_ERROR_GRAPH, "gradcheck",
              "the output does not depend on an input that requires a gradient");
  rill_scope_close(k->ctx);
  if (k->ctx->error != RILL_OK) return false;
  for (int i = 0; i < k->n_inputs; i++) {
    int64_t size = 0;
    if (k->inputs[i]->requires_grad &&
        !(checked_mul(outputs, k->inputs[i]->numel, &size) && checked_add(total, size, &total))) {
      error_set(k->ctx, RILL_ERROR_OVERFLOW, "gradcheck", "the Jacobian does not fit in memory");
      return false;
    }
  }
  size_t bytes;
  if (!checked_bytes(total, sizeof(double), &bytes)) {
    error_set(k->ctx, RILL_ERROR_OVERFLOW, "gradcheck", "the Jacobian does not fit in memory");
    return false;
  }
  double **jacobian =
      context_alloc(k->ctx, "gradcheck", (size_t)(2 * k->n_inputs + 1) * sizeof *jacobian);
  double *memory = jacobian ? context_alloc(k->ctx, "gradcheck", bytes) : NULL;
  double *next = memory;
  bool ok = memory != NULL;
  for (int i = 0; ok && i < k->n_inputs; i++) {
    jacobian[i] = next;
    if (k->inputs[i]->requires_grad) next += outputs * k->inputs[i]->numel;
  }
  for (int64_t o = 0; ok && o < outputs; o++) {
    for (int i = 0; i < k->n_inputs; i++)
      jacobian[k->n_inputs + i] = jacobian[i] + o * k->inputs[i]->numel;
    ok = analytic_row(k, o, jacobian + k->n_inputs);
  }
  ok = ok && compare(k, outputs, jacobian, next);
  heap_free(memory);
  heap_free(jacobian);
  return ok;
}

rill_status rill_gradcheck(rill_context *ctx, rill_function function, void *user,
                           rill_tensor *const *inputs, int n_inputs,
                           const rill_gradcheck_options *options) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!function || !inputs || n_inputs < 1)
    return error_set(ctx, RILL_ERROR_ARGUMENT, "gradcheck", "the function or the inputs are NULL");
  rill_gradcheck_options o;
  options_read(&o, sizeof o, options);
  check k = {ctx,
             function,
             user,
             NULL,
             n_inputs,
             o.eps > 0 ? o.eps : 1e-6,
             o.atol > 0 ? o.atol : 1e-5,
             o.rtol > 0 ? o.rtol : 1e-3};
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_ON;
  k.inputs = context_alloc(ctx, "gradcheck", (size_t)n_inputs * sizeof *k.inputs);
  if (k.inputs && copy_inputs(&k, inputs) && !run_check(&k))
    error_set(ctx, RILL_ERROR_GRAPH, "gradcheck",
              "the output's size or its gradient changed between calls");
  ctx->grad_mode = before;
  heap_free(k.inputs);
  rill_scope_close(ctx);
  return ctx->error;
}
