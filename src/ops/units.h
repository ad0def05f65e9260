/* For ops over sequences whose kernel is cut into units of work: tensors as rows at one distance,
 * a workspace for each thread, and checks of arguments. */
#ifndef RILL_SRC_UNITS_H
#define RILL_SRC_UNITS_H

#include "ops/op.h"

/* Argument i, called `name`, has this shape and dtype, or is absent; else the error. */
rill_status units_need(op_call *c, int i, const char *name, rill_dtype dtype, const int64_t *shape,
                       int ndim);

/* t [batch, steps, width] as batch * steps rows of which each lies *stride elements after the one
 * before: t itself where it does (a slice of a wider tensor does), else a contiguous copy. */
const rill_tensor *units_rows(rill_context *ctx, const rill_op *op, const rill_tensor *t,
                              int64_t *stride);

/* t itself where its last dim is contiguous, else a contiguous copy. */
const rill_tensor *units_last_dense(rill_context *ctx, const rill_op *op, const rill_tensor *t);

/* Scratch: `size` bytes for each slot of the pool, *each apart. NULL with the error set. */
char *units_workspaces(rill_context *ctx, const rill_op *op, size_t size, size_t *each);

/* Scratch or saved values of `size` bytes, any alignment up to 64. */
rill_tensor *units_bytes(rill_context *ctx, const rill_op *op, size_t size);

/* The elements of an absent, or a contiguous or copied, tensor. */
const void *units_dense(rill_context *ctx, const rill_op *op, const rill_value *v);

static inline bool units_given(const rill_value *v) { return v->kind == RILL_VALUE_TENSOR; }
static inline void *units_data(const rill_tensor *t) { return t ? t->data : NULL; }

#endif
