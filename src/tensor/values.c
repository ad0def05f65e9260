/* Values out of tensors and into them. */
#include "tensor/tensor.h"

#include <math.h>

/* The tensor and the dtype and size of the caller's memory: are they in order? */
static rill_status check(rill_context *ctx, const char *op, const rill_tensor *t, rill_dtype dtype,
                         const void *memory, size_t bytes, size_t *need) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  if (ctx->error != RILL_OK) return ctx->error;
  if (!t) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "tensor is NULL");
  if (!dtype_valid((int)dtype))
    return error_set(ctx, RILL_ERROR_DTYPE, op, "no dtype has the number %d", (int)dtype);
  char shape[SHAPE_TEXT];
  shape_text(t->shape, t->ndim, shape);
  if (!checked_bytes(t->numel, rill_dtype_size(dtype), need))
    return error_set(ctx, RILL_ERROR_OVERFLOW, op, "%s of %s has too many bytes", shape,
                     rill_dtype_name(dtype));
  if (*need > bytes)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s of %s takes %zu bytes, but there are %zu",
                     shape, rill_dtype_name(dtype), *need, bytes);
  if (*need && !memory)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the caller's memory is NULL");
  return RILL_OK;
}

rill_status rill_tensor_copy_out(rill_context *ctx, const rill_tensor *tensor, rill_dtype dtype,
                                 void *out, size_t bytes) {
  size_t need;
  rill_status status = check(ctx, "tensor_copy_out", tensor, dtype, out, bytes, &need);
  if (status != RILL_OK) return status;
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(tensor->shape, tensor->ndim, strides);
  strided_copy(ctx, tensor->ndim, tensor->shape, (rill_dtype)tensor->dtype, tensor->data,
               tensor->strides, dtype, out, strides);
  return RILL_OK;
}

rill_status rill_tensor_copy_in(rill_context *ctx, rill_tensor *tensor, rill_dtype dtype,
                                const void *data, size_t bytes) {
  size_t need;
  rill_status status = check(ctx, "tensor_copy_in", tensor, dtype, data, bytes, &need);
  if (status != RILL_OK) return status;
  if (tensor->requires_grad && ctx->grad_mode == GRAD_ON)
    return error_set(ctx, RILL_ERROR_GRAPH, "tensor_copy_in",
                     "the target requires a gradient: in-place changes are not recorded; turn "
                     "gradients off around it");
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(tensor->shape, tensor->ndim, strides);
  /* Read as u8, any byte of a bool but 0 becomes 1. */
  bool mask = dtype == RILL_BOOL && tensor->dtype == RILL_BOOL;
  strided_copy(ctx, tensor->ndim, tensor->shape, mask ? RILL_U8 : dtype, data, strides,
               (rill_dtype)tensor->dtype, tensor->data, tensor->strides);
  rill_tensor_touch(tensor);
  return RILL_OK;
}

static bool single(rill_context *ctx, const char *op, const rill_tensor *t) {
  if (!context_ready(ctx)) return false;
  if (!t) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "tensor is NULL");
    return false;
  }
  if (t->numel == 1) return true;
  char shape[SHAPE_TEXT];
  error_set(ctx, RILL_ERROR_SHAPE, op, "a tensor of shape %s has %lld elements, not one",
            shape_text(t->shape, t->ndim, shape), (long long)t->numel);
  return false;
}

double rill_tensor_item(rill_context *ctx, const rill_tensor *tensor) {
  double value;
  if (!single(ctx, "tensor_item", tensor)) return NAN;
  convert((rill_dtype)tensor->dtype, tensor->data, RILL_F64, &value, 1);
  return value;
}

int64_t rill_tensor_item_int(rill_context *ctx, const rill_tensor *tensor) {
  int64_t value;
  if (!single(ctx, "tensor_item_int", tensor)) return 0;
  if (dtype_is_float((rill_dtype)tensor->dtype)) {
    error_set(ctx, RILL_ERROR_DTYPE, "tensor_item_int", "%s is not an integer dtype",
              rill_dtype_name((rill_dtype)tensor->dtype));
    return 0;
  }
  convert((rill_dtype)tensor->dtype, tensor->data, RILL_I64, &value, 1);
  return value;
}
