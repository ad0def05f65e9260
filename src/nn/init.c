/* First values of parameters, as PyTorch's modules choose them. */
#include "nn/init.h"

#include "base/number.h"
#include "rill/pure.h"

#include <math.h>

/* What is made in inference mode could never be trained. */
static grad_mode leave_inference(rill_context *ctx) {
  grad_mode before = ctx->grad_mode;
  if (before == GRAD_INFERENCE) ctx->grad_mode = GRAD_OFF;
  return before;
}

rill_tensor *init_uniform(rill_context *ctx, const int64_t *shape, int ndim, double bound) {
  if (!context_ready(ctx)) return NULL;
  grad_mode before = leave_inference(ctx);
  rill_tensor *t = rill_rand(ctx, RILL_F32, shape, ndim);
  ctx->grad_mode = before;
  if (!t) return NULL;
  float *x = (float *)t->data;
  rill_scale_f32(x, (float)(2 * bound), (float)-bound, x, t->numel);
  return t;
}

rill_tensor *init_normal(rill_context *ctx, const int64_t *shape, int ndim) {
  if (!context_ready(ctx)) return NULL;
  grad_mode before = leave_inference(ctx);
  rill_tensor *t = rill_randn(ctx, RILL_F32, shape, ndim);
  ctx->grad_mode = before;
  return t;
}

rill_tensor *init_full(rill_context *ctx, const int64_t *shape, int ndim, double value) {
  if (!context_ready(ctx)) return NULL;
  grad_mode before = leave_inference(ctx);
  rill_tensor *t = rill_full(ctx, RILL_F32, shape, ndim, value);
  ctx->grad_mode = before;
  return t;
}

double init_bound(int64_t fan_in) { return 1 / sqrt((double)fan_in); }

bool init_size(rill_context *ctx, const char *op, const char *name, int64_t size) {
  if (!context_ready(ctx)) return false;
  if (size >= 1) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is %lld, it must be at least 1", name,
            (long long)size);
  return false;
}

bool init_eps(rill_context *ctx, const char *op, double eps) {
  if (!context_ready(ctx)) return false;
  if (eps >= 0) return true;
  char text[NUMBER_SIZE];
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "eps is %s, it must not be negative",
            number_print(text, eps));
  return false;
}
