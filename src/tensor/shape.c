/* Arithmetic of shapes: counts, strides, broadcasting, dims counted from the end. */
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

/* Empty dims count as one on the way, so that the strides of an empty tensor fit as well. */
bool shape_numel(const int64_t *shape, int ndim, int64_t *numel) {
  int64_t product = 1;
  bool empty = false;
  for (int i = 0; i < ndim; i++) {
    if (shape[i] < 0) return false;
    if (shape[i] == 0)
      empty = true;
    else if (!checked_mul(product, shape[i], &product))
      return false;
  }
  *numel = empty ? 0 : product;
  return true;
}

void shape_strides(const int64_t *shape, int ndim, int64_t *strides) {
  int64_t stride = 1;
  for (int i = ndim - 1; i >= 0; i--) {
    strides[i] = stride;
    if (shape[i] > 1) stride *= shape[i];
  }
}

bool shape_equal(const int64_t *a, int na, const int64_t *b, int nb) {
  if (na != nb) return false;
  for (int i = 0; i < na; i++)
    if (a[i] != b[i]) return false;
  return true;
}

bool shape_broadcast(const int64_t *a, int na, const int64_t *b, int nb, int64_t *out, int *ndim) {
  int n = na > nb ? na : nb;
  for (int i = 1; i <= n; i++) { /* from the last dim */
    int64_t x = i <= na ? a[na - i] : 1, y = i <= nb ? b[nb - i] : 1;
    if (x != y && x != 1 && y != 1) return false;
    out[n - i] = x == 1 ? y : x;
  }
  *ndim = n;
  return true;
}

int shape_dim(rill_context *ctx, const char *op, int64_t dim, int ndim) {
  int n = ndim ? ndim : 1;
  if (dim >= -n && dim < n) return (int)(dim < 0 ? dim + n : dim);
  error_set(ctx, RILL_ERROR_SHAPE, op, "dim %lld is out of range [%d, %d]", (long long)dim, -n,
            n - 1);
  return -1;
}

const char *shape_text(const int64_t *shape, int ndim, char out[SHAPE_TEXT]) {
  int at = 0;
  out[at++] = '[';
  for (int i = 0; i < ndim && at < SHAPE_TEXT - 2; i++) {
    int room = SHAPE_TEXT - 1 - at; /* keeps a byte for the bracket */
    int n = snprintf(out + at, (size_t)room, i ? ",%lld" : "%lld", (long long)shape[i]);
    at += n < room ? n : room - 1;
  }
  out[at++] = ']';
  out[at] = 0;
  return out;
}
