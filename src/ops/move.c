/* What the ops that move data share. */
#include "ops/move.h"

#include <string.h>

bool move_ints(op_call *c, int i) {
  const rill_value *v = &c->args[i];
  if (v->count >= 0 && v->count <= RILL_MAX_DIMS && (v->as.ints || !v->count)) return true;
  if (v->count >= 0 && v->count <= RILL_MAX_DIMS)
    op_fail(c, RILL_ERROR_ARGUMENT, "argument %d is a list of %d integers at NULL", i, v->count);
  else
    op_fail(c, RILL_ERROR_SHAPE, "argument %d has %d entries, at most %d dims are possible", i,
            v->count, RILL_MAX_DIMS);
  return false;
}

rill_value move_dims(const int *dims, int n, int64_t room[RILL_MAX_DIMS]) {
  for (int d = 0; dims && d < n && d < RILL_MAX_DIMS; d++) room[d] = dims[d];
  return op_is(dims ? room : NULL, n);
}

bool move_distinct_dims(op_call *c, int i, int ndim, int *dims) {
  if (!move_ints(c, i)) return false;
  unsigned seen = 0;
  for (int d = 0; d < c->args[i].count; d++) {
    dims[d] = shape_dim(c->ctx, c->op->name, c->args[i].as.ints[d], ndim);
    if (dims[d] < 0) return false;
    if (seen & 1u << dims[d]) {
      op_fail(c, RILL_ERROR_ARGUMENT, "dim %d comes twice", dims[d]);
      return false;
    }
    seen |= 1u << dims[d];
  }
  return true;
}

rill_tensor *move_grad_zeros(op_grad *g, int i) {
  rill_tensor *t = op_grad_new(g, i);
  if (t && t->numel) memset(t->data, 0, (size_t)t->numel * move_size(t));
  return t;
}

void move_copy(rill_context *ctx, const rill_tensor *from, void *to, const int64_t *to_strides) {
  if (from->numel)
    strided_copy(ctx, from->ndim, from->shape, (rill_dtype)from->dtype, from->data, from->strides,
                 (rill_dtype)from->dtype, to, to_strides);
}

int64_t move_outer(const int64_t *shape, int dim) {
  int64_t outer = 1;
  for (int d = 0; d < dim; d++) outer *= shape[d];
  return outer;
}

int64_t move_inner(const int64_t *shape, int ndim, int dim) {
  int64_t inner = 1;
  for (int d = dim + 1; d < ndim; d++) inner *= shape[d];
  return inner;
}
