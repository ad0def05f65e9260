/* Walks up to three tensors, broadcast to one shape, row by row, for kernels that take a stride an
 * operand. Dims that lie flat for all operands are merged first, so most walks are one row. */
#ifndef RILL_SRC_BROADCAST_H
#define RILL_SRC_BROADCAST_H

#include "ops/op.h"

enum { BROADCAST_MAX = 3 };

typedef struct broadcast {
  int operands, ndim;
  int64_t shape[RILL_MAX_DIMS]; /* merged; at least one dim */
  int64_t strides[BROADCAST_MAX][RILL_MAX_DIMS];
  const char *data[BROADCAST_MAX];
  size_t size[BROADCAST_MAX]; /* bytes an element */
  int64_t rows;               /* of the last dim */
} broadcast;

/* in[k] and stride[k] (elements): operand k's part of the row; the row's results belong at element
 * `at` of contiguous outputs. */
typedef void (*broadcast_row)(void *arg, const char *const *in, const int64_t *stride, int64_t at,
                              int64_t n);

/* The operands' common shape as output 0, of `dtype`; the error where they do not fit. */
rill_status broadcast_infer(op_call *c, int first, int n, rill_dtype dtype);
/* Operands [0, n) at the strides that stretch them to `shape`, which they are known to fit. */
void broadcast_init(broadcast *b, const int64_t *shape, int ndim, const rill_tensor *const *tensors,
                    int n);
void broadcast_run(rill_context *ctx, const broadcast *b, broadcast_row row, void *arg);

#endif
