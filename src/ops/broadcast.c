/* Broadcasting walks: see broadcast.h. */
#include "ops/broadcast.h"

#include <string.h>

rill_status broadcast_infer(op_call *c, int first, int n, rill_dtype dtype) {
  const rill_tensor *one = op_in(c, first), *last = op_in(c, first + n - 1);
  if (n == 2 && shape_equal(one->shape, one->ndim, last->shape, last->ndim)) {
    op_out_like(c, one, dtype);
    return RILL_OK;
  }
  int64_t shape[RILL_MAX_DIMS];
  int ndim = 0;
  for (int i = first; i < first + n; i++) {
    const rill_tensor *t = op_in(c, i);
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (!shape_broadcast(shape, ndim, t->shape, t->ndim, shape, &ndim))
      return op_fail(c, RILL_ERROR_SHAPE, "shapes do not broadcast: %s and %s",
                     shape_text(shape, ndim, a), shape_text(t->shape, t->ndim, b));
  }
  op_out(c, 0, dtype, shape, ndim);
  return RILL_OK;
}

static void operand_init(broadcast *b, int k, const int64_t *shape, int ndim,
                         const rill_tensor *t) {
  b->data[k] = t->data;
  b->size[k] = rill_dtype_size((rill_dtype)t->dtype);
  for (int d = 0; d < ndim; d++) {
    int own = d - (ndim - t->ndim);
    b->strides[k][d] = own < 0 || (t->shape[own] == 1 && shape[d] != 1) ? 0 : t->strides[own];
  }
}

/* Does stepping dim d once equal walking all of the merged dim behind it, for every operand? */
static bool mergeable(const broadcast *b, int d, int last) {
  for (int k = 0; k < b->operands; k++)
    if (b->strides[k][d] != b->strides[k][last] * b->shape[last]) return false;
  return true;
}

/* Merges dims from the last to the first, in place: merged dims gather at the end of the arrays. */
static void merge(broadcast *b, int ndim) {
  int at = ndim - 1;
  for (int d = ndim - 2; d >= 0; d--) {
    if (b->shape[d] == 1) continue;
    if (b->shape[at] == 1 || mergeable(b, d, at)) {
      bool replace = b->shape[at] == 1;
      b->shape[at] *= b->shape[d];
      for (int k = 0; replace && k < b->operands; k++) b->strides[k][at] = b->strides[k][d];
      continue;
    }
    at--;
    b->shape[at] = b->shape[d];
    for (int k = 0; k < b->operands; k++) b->strides[k][at] = b->strides[k][d];
  }
  b->ndim = ndim - at;
  memmove(b->shape, b->shape + at, (size_t)b->ndim * sizeof(int64_t));
  for (int k = 0; k < b->operands; k++)
    memmove(b->strides[k], b->strides[k] + at, (size_t)b->ndim * sizeof(int64_t));
}

void broadcast_init(broadcast *b, const int64_t *shape, int ndim, const rill_tensor *const *tensors,
                    int n) {
  b->operands = n;
  b->shape[0] = 1;
  for (int k = 0; k < n; k++) b->strides[k][0] = 0;
  if (ndim) memcpy(b->shape, shape, (size_t)ndim * sizeof *shape);
  for (int k = 0; k < n; k++) operand_init(b, k, shape, ndim, tensors[k]);
  merge(b, ndim ? ndim : 1);
  b->rows = 1;
  for (int d = 0; d < b->ndim - 1; d++) b->rows *= b->shape[d];
}

typedef struct walk {
  const broadcast *b;
  broadcast_row row;
  void *arg;
} walk;

/* One long row, split along itself. */
static void walk_flat(void *arg, int64_t begin, int64_t end, int slot) {
  const walk *w = arg;
  const broadcast *b = w->b;
  (void)slot;
  const char *in[BROADCAST_MAX];
  int64_t stride[BROADCAST_MAX];
  for (int k = 0; k < b->operands; k++) {
    stride[k] = b->strides[k][0];
    in[k] = b->data[k] + begin * stride[k] * (int64_t)b->size[k];
  }
  w->row(w->arg, in, stride, begin, end - begin);
}

/* Rows [begin, end) in row-major order. */
static void walk_rows(void *arg, int64_t begin, int64_t end, int slot) {
  const walk *w = arg;
  const broadcast *b = w->b;
  (void)slot;
  int last = b->ndim - 1;
  int64_t n = b->shape[last], index[RILL_MAX_DIMS], rest = begin;
  for (int d = last - 1; d >= 0; d--) {
    index[d] = rest % b->shape[d];
    rest /= b->shape[d];
  }
  const char *in[BROADCAST_MAX];
  int64_t stride[BROADCAST_MAX];
  for (int k = 0; k < b->operands; k++) {
    int64_t offset = 0;
    for (int d = 0; d < last; d++) offset += index[d] * b->strides[k][d];
    stride[k] = b->strides[k][last];
    in[k] = b->data[k] + offset * (int64_t)b->size[k];
  }
  for (int64_t r = begin; r < end; r++) {
    w->row(w->arg, in, stride, r * n, n);
    for (int d = last - 1; d >= 0; d--) {
      bool carry = ++index[d] == b->shape[d];
      if (carry) index[d] = 0;
      for (int k = 0; k < b->operands; k++)
        in[k] += b->strides[k][d] * (int64_t)b->size[k] * (carry ? 1 - b->shape[d] : 1);
      if (!carry) break;
    }
  }
}

void broadcast_run(rill_context *ctx, const broadcast *b, broadcast_row row, void *arg) {
  walk w = {b, row, arg};
  int64_t n = b->shape[b->ndim - 1];
  if (n == 0 || b->rows == 0) return;
  if (b->ndim == 1)
    pool_for(ctx, n, op_grain(1), walk_flat, &w);
  else
    pool_for(ctx, b->rows, op_grain(n), walk_rows, &w);
}
