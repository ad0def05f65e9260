/* Copies between any strides and dtypes, split over the pool. */
#include "tensor/tensor.h"

static void part(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  copy_blocks(arg, begin, end);
}

void strided_copy(rill_context *ctx, int ndim, const int64_t *shape, rill_dtype from_type,
                  const void *from, const int64_t *from_strides, rill_dtype to_type, void *to,
                  const int64_t *to_strides) {
  copy_plan p;
  copy_make(&p, ndim, shape, from_type, from, from_strides, to_type, to, to_strides);
  pool_for(ctx, p.blocks, p.grain, part, &p);
}
