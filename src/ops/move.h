/* What the ops that move data share. */
#ifndef RILL_SRC_MOVE_H
#define RILL_SRC_MOVE_H

#include "ops/op.h"

/* The pure face of what is a view, and its backward. */
#define MOVE_STRIDED_COPY "rill_strided_copy_f32 rill_strided_copy_f64"

/* Is argument i a list of at most RILL_MAX_DIMS integers? The error set otherwise. */
bool move_ints(op_call *c, int i);

/* A face's dims as an argument. room: where they stay during the call. */
rill_value move_dims(const int *dims, int n, int64_t room[RILL_MAX_DIMS]);

/* Argument i, a list of dims, to [0, ndim) into dims; refuses one that comes twice. */
bool move_distinct_dims(op_call *c, int i, int ndim, int *dims);

/* Zeros in the shape and dtype of input i. */
rill_tensor *move_grad_zeros(op_grad *g, int i);

/* Copies all elements of `from` to the place that `to` and its strides describe, of the same shape
 * and dtype. */
void move_copy(rill_context *ctx, const rill_tensor *from, void *to, const int64_t *to_strides);

/* The product of the sizes before dim, and of those behind it. */
int64_t move_outer(const int64_t *shape, int dim);
int64_t move_inner(const int64_t *shape, int ndim, int dim);

static inline size_t move_size(const rill_tensor *t) {
  return rill_dtype_size((rill_dtype)t->dtype);
}

/* Output 0 of a view is t. */
static inline rill_status move_view(op_call *c, rill_tensor *t) {
  c->out[0] = t;
  return t ? RILL_OK : rill_error(c->ctx);
}

/* The gradient of input 0 is t. */
static inline rill_status move_gradient(op_grad *g, rill_tensor *t) {
  g->result[0] = t;
  return t ? RILL_OK : rill_error(g->ctx);
}

#endif
