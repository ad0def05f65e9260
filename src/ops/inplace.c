/* In-place changes of a tensor outside the graph: fill_, copy_, add_, mul_scalar_. */
#include "ops/op.h"

/* The target may be changed: not NULL, not recorded. Bumps its version. */
static bool writable(rill_context *ctx, const char *op, rill_tensor *target) {
  if (!context_ready(ctx)) return false;
  if (target) return inplace_allowed(ctx, op, target);
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "the target is NULL");
  return false;
}

/* Writes source, broadcast and converted, into target. */
static rill_status assign(rill_context *ctx, const char *op, rill_tensor *target,
                          const rill_tensor *source) {
  int64_t shape[RILL_MAX_DIMS], strides[RILL_MAX_DIMS];
  int ndim;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!shape_broadcast(target->shape, target->ndim, source->shape, source->ndim, shape, &ndim) ||
      !shape_equal(shape, ndim, target->shape, target->ndim))
    return error_set(ctx, RILL_ERROR_SHAPE, op, "a source of %s does not fit a target of %s",
                     shape_text(source->shape, source->ndim, a),
                     shape_text(target->shape, target->ndim, b));
  for (int d = 0; d < ndim; d++) {
    int own = d - (ndim - source->ndim);
    strides[d] = own < 0 || source->shape[own] == 1 ? 0 : source->strides[own];
  }
  strided_copy(ctx, ndim, shape, (rill_dtype)source->dtype, source->data, strides,
               (rill_dtype)target->dtype, target->data, target->strides);
  return RILL_OK;
}

/* assign from a value computed with recording off; `value` owned by the open scope. */
static rill_status assign_computed(rill_context *ctx, const char *op, rill_tensor *target,
                                   const rill_tensor *value) {
  if (value) assign(ctx, op, target, value);
  return ctx->error;
}

rill_status rill_fill_(rill_context *ctx, rill_tensor *target, double value) {
  if (!writable(ctx, "fill_", target)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  assign_computed(ctx, "fill_", target, rill_scalar(ctx, (rill_dtype)target->dtype, value));
  rill_scope_close(ctx);
  return ctx->error;
}

rill_status rill_copy_(rill_context *ctx, rill_tensor *target, const rill_tensor *source) {
  if (!writable(ctx, "copy_", target)) return rill_error(ctx);
  if (!source) return error_set(ctx, RILL_ERROR_ARGUMENT, "copy_", "the source is NULL");
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  if (source->storage == target->storage) source = rill_clone(ctx, source); /* they may overlap */
  assign_computed(ctx, "copy_", target, source);
  rill_scope_close(ctx);
  return ctx->error;
}

rill_status rill_add_(rill_context *ctx, rill_tensor *target, const rill_tensor *other,
                      double alpha) {
  if (!writable(ctx, "add_", target)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_OFF;
  const rill_tensor *term = alpha == 1 ? other : rill_mul_scalar(ctx, other, alpha);
  assign_computed(ctx, "add_", target, rill_add(ctx, target, term));
  ctx->grad_mode = before;
  rill_scope_close(ctx);
  return ctx->error;
}

rill_status rill_mul_scalar_(rill_context *ctx, rill_tensor *target, double value) {
  if (!writable(ctx, "mul_scalar_", target)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_OFF;
  assign_computed(ctx, "mul_scalar_", target, rill_mul_scalar(ctx, target, value));
  ctx->grad_mode = before;
  rill_scope_close(ctx);
  return ctx->error;
}
