/* What the ops over sequences share. */
#include "ops/units.h"

#include "base/checked.h"

rill_status units_need(op_call *c, int i, const char *name, rill_dtype dtype, const int64_t *shape,
                       int ndim) {
  if (!op_has(c, i)) return RILL_OK;
  const rill_tensor *t = op_in(c, i);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (t->dtype != dtype)
    return op_fail(c, RILL_ERROR_DTYPE, "%s is %s beside %s", name,
                   rill_dtype_name((rill_dtype)t->dtype), rill_dtype_name(dtype));
  if (!shape_equal(t->shape, t->ndim, shape, ndim))
    return op_fail(c, RILL_ERROR_SHAPE, "%s is %s, not %s", name, shape_text(t->shape, t->ndim, a),
                   shape_text(shape, ndim, b));
  return RILL_OK;
}

const rill_tensor *units_rows(rill_context *ctx, const rill_op *op, const rill_tensor *t,
                              int64_t *stride) {
  int64_t batch = t->shape[0], steps = t->shape[1], width = t->shape[2];
  *stride = width;
  if (t->contiguous || !t->numel) return t;
  int64_t row = steps > 1 ? t->strides[1] : batch > 1 ? t->strides[0] : width;
  bool dense = width == 1 || t->strides[2] == 1, even = batch == 1 || t->strides[0] == steps * row;
  if (!dense || !even || row < width) return tensor_contiguous(ctx, op->name, t);
  *stride = row;
  return t;
}

const rill_tensor *units_last_dense(rill_context *ctx, const rill_op *op, const rill_tensor *t) {
  int last = t->ndim - 1;
  return t->strides[last] == 1 || t->shape[last] == 1 ? t : tensor_contiguous(ctx, op->name, t);
}

rill_tensor *units_bytes(rill_context *ctx, const rill_op *op, size_t size) {
  int64_t count = size > INT64_MAX ? INT64_MAX : (int64_t)size;
  return op_new(ctx, op, RILL_U8, &count, 1);
}

char *units_workspaces(rill_context *ctx, const rill_op *op, size_t size, size_t *each) {
  *each = (size + 63) / 64 * 64;
  rill_tensor *t = units_bytes(ctx, op, *each * (size_t)pool_slots(ctx));
  return t ? t->data : NULL;
}

const void *units_dense(rill_context *ctx, const rill_op *op, const rill_value *v) {
  if (!units_given(v)) return NULL;
  const rill_tensor *t = tensor_contiguous(ctx, op->name, v->as.tensor);
  return t ? t->data : NULL;
}
