/* Internal face of the tensor floor: the tensor's fields, and how the floors above make tensors and
 * look at them. */
#ifndef RILL_SRC_TENSOR_H
#define RILL_SRC_TENSOR_H

#include "base/base.h"
#include "pure/move/move.h"
#include "rill/tensor.h"

/* Memory that tensors share. */
typedef struct storage {
  atomic_int refs;
  atomic_uint version; /* counts in-place changes */
  void *data;          /* inside this block, or the caller's */
  size_t bytes;
  rill_free_callback deleter; /* of the caller's memory; may be NULL */
  void *user;
} storage;

struct rill_tensor {
  handle base;
  storage *storage;
  char *data; /* the first element, within storage */
  struct handle
      *node; /* autograd's: the graph node this is output `output` of; NULL outside graphs */
  int16_t output;
  uint8_t dtype; /* rill_dtype */
  uint8_t ndim;
  bool requires_grad;
  bool contiguous;
  bool inference; /* made in inference mode: may not enter a graph */
  int64_t numel;
  int64_t shape[RILL_MAX_DIMS];
  int64_t strides[RILL_MAX_DIMS]; /* in elements */
};

/* ---- making (tensor.c). All own-to-scope: new, given to the innermost scope; NULL with the error
 * set. `op` names the caller in messages. ---- */

/* Fresh, contiguous, not zeroed. Checks dtype, sizes and overflow. */
rill_tensor *tensor_new(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                        int ndim);
/* Another view of t's storage. Not in any graph: the ops floor records it. The caller vouches for
 * bounds. `data` is the first element. */
rill_tensor *tensor_view(rill_context *ctx, const rill_tensor *t, const int64_t *shape,
                         const int64_t *strides, int ndim, char *data);
/* The same view again, outside any graph: what detach and saved outputs are. */
rill_tensor *tensor_alias(rill_context *ctx, const rill_tensor *t);

/* Over foreign memory: `deleter(user, data)` runs when the last reference goes, and never on failure.
 * `first` is the first element. The caller has checked the arguments. */
rill_tensor *tensor_wrap(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                         const int64_t *strides, int ndim, void *data, size_t bytes, char *first,
                         rill_free_callback deleter, void *user);
/* dtype and sizes as tensor_new demands them: the count of elements into *numel, or false with the
 * error set. */
bool tensor_check(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                  int ndim, int64_t *numel);

/* Elements in row-major order, contiguous, outside any graph: t itself where it already is. */
const rill_tensor *tensor_contiguous(rill_context *ctx, const char *op, const rill_tensor *t);
/* The same converted to dtype (t itself where nothing changes); outside any graph. */
const rill_tensor *tensor_converted(rill_context *ctx, const char *op, const rill_tensor *t,
                                    rill_dtype dtype);

/* ---- copying (copy.c) ---- */

/* Copies element by element between any strides and dtypes of one shape (n-dimensional), splitting
 * over the pool; what is copied and how it is converted: pure/move/move.h. */
void strided_copy(rill_context *ctx, int ndim, const int64_t *shape, rill_dtype from_type,
                  const void *from, const int64_t *from_strides, rill_dtype to_type, void *to,
                  const int64_t *to_strides);

/* ---- shapes (shape.c) ---- */

/* Product of sizes into *numel; false where one is negative or the product overflows. */
bool shape_numel(const int64_t *shape, int ndim, int64_t *numel);
void shape_strides(const int64_t *shape, int ndim, int64_t *strides); /* row-major */
bool shape_equal(const int64_t *a, int na, const int64_t *b, int nb);
/* Broadcast of two shapes by NumPy's rule into out; false where they do not fit. */
bool shape_broadcast(const int64_t *a, int na, const int64_t *b, int nb, int64_t *out, int *ndim);
/* dim in [-ndim, ndim) to [0, ndim); -1 and the error set otherwise. ndim 0 counts as 1. */
int shape_dim(rill_context *ctx, const char *op, int64_t dim, int ndim);
/* "[2,3]" for messages, into a buffer that is cut if it must be; returns it. */
enum { SHAPE_TEXT = 8 * 21 + 3 };
const char *shape_text(const int64_t *shape, int ndim, char out[SHAPE_TEXT]);

#endif
