/* The tensor itself: its life, its storage, its views, and the facts about it. A fresh tensor is
 * one block of memory: storage, handle and data. The block is the storage's: the handle in it holds a
 * reference to the storage like any view, and its memory goes when the last of them does. */
#include "tensor/tensor.h"

#include <string.h>

/* A block is aligned to 64, and so is its data. */
typedef struct fresh {
  storage storage;
  rill_tensor tensor;
  _Alignas(64) char data[];
} fresh;

/* ---- life ---- */

static void storage_release(storage *s) {
  if (atomic_load_explicit(&s->refs, memory_order_acquire) != 1 &&
      atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (s->deleter) s->deleter(s->user, s->data);
  heap_free(s);
}

/* Of a handle that lies in its storage's block. */
static void tensor_destroy(handle *h) {
  rill_tensor *t = (rill_tensor *)h;
  handle_release(t->node);
  storage_release(t->storage);
}

static void view_destroy(handle *h) {
  tensor_destroy(h);
  heap_free(h);
}

rill_tensor *rill_tensor_retain(rill_tensor *tensor) {
  if (tensor) handle_retain(&tensor->base);
  return tensor;
}

void rill_tensor_release(rill_tensor *tensor) {
  if (tensor) handle_release(&tensor->base);
}

static void storage_init(storage *s, void *data, size_t bytes) {
  atomic_init(&s->refs, 1);
  atomic_init(&s->version, 0);
  s->data = data;
  s->bytes = bytes;
  s->deleter = NULL;
  s->user = NULL;
}

/* All but the layout and the inference mark. Takes a reference to `s` over. */
static void tensor_init(rill_tensor *t, void (*destroy)(handle *), storage *s, char *data,
                        rill_dtype dtype, int ndim) {
  handle_init(&t->base, destroy);
  t->storage = s;
  t->data = data;
  t->node = NULL;
  t->output = 0;
  t->dtype = (uint8_t)dtype;
  t->ndim = (uint8_t)ndim;
  t->requires_grad = false;
}

/* ---- making ---- */

bool tensor_check(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                  int ndim, int64_t *numel) {
  char text[SHAPE_TEXT];
  size_t bytes;
  if (!dtype_valid((int)dtype)) {
    error_set(ctx, RILL_ERROR_DTYPE, op, "no dtype has the number %d", (int)dtype);
    return false;
  }
  if (ndim < 0 || ndim > RILL_MAX_DIMS) {
    error_set(ctx, RILL_ERROR_SHAPE, op, "%d dims: there may be 0 to %d", ndim, RILL_MAX_DIMS);
    return false;
  }
  if (ndim && !shape) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "shape is NULL, with %d dims", ndim);
    return false;
  }
  for (int i = 0; i < ndim; i++) {
    if (shape[i] >= 0) continue;
    error_set(ctx, RILL_ERROR_SHAPE, op, "dim %d has negative size %lld", i, (long long)shape[i]);
    return false;
  }
  if (shape_numel(shape, ndim, numel) && checked_bytes(*numel, rill_dtype_size(dtype), &bytes))
    return true;
  error_set(ctx, RILL_ERROR_OVERFLOW, op, "%s has too many elements",
            shape_text(shape, ndim, text));
  return false;
}

rill_tensor *tensor_new(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                        int ndim) {
  int64_t numel;
  if (!context_ready(ctx) || !tensor_check(ctx, op, dtype, shape, ndim, &numel)) return NULL;
  size_t bytes = (size_t)numel * rill_dtype_size(dtype);
  fresh *block = context_alloc(ctx, op, sizeof *block + bytes);
  if (!block) return NULL;
  storage_init(&block->storage, block->data, bytes);
  rill_tensor *t = &block->tensor;
  tensor_init(t, tensor_destroy, &block->storage, block->data, dtype, ndim);
  t->contiguous = true;
  t->inference = ctx->grad_mode == GRAD_INFERENCE;
  t->numel = numel;
  for (int i = 0; i < ndim; i++) t->shape[i] = shape[i];
  shape_strides(shape, ndim, t->strides);
  return scope_own(ctx, t);
}

/* Strides of dims of one element say nothing. */
static bool row_major(const rill_tensor *t) {
  int64_t stride = 1;
  if (!t->numel) return true;
  for (int i = t->ndim - 1; i >= 0; i--) {
    if (t->shape[i] == 1) continue;
    if (t->strides[i] != stride) return false;
    stride *= t->shape[i];
  }
  return true;
}

static void set_layout(rill_tensor *t, const int64_t *shape, const int64_t *strides) {
  t->numel = 1;
  for (int i = 0; i < t->ndim; i++) {
    t->shape[i] = shape[i];
    t->strides[i] = strides[i];
    t->numel *= shape[i];
  }
  t->contiguous = row_major(t);
}

rill_tensor *tensor_view(rill_context *ctx, const rill_tensor *t, const int64_t *shape,
                         const int64_t *strides, int ndim, char *data) {
  if (!context_ready(ctx)) return NULL;
  rill_tensor *v = context_alloc(ctx, "view", sizeof *v);
  if (!v) return NULL;
  tensor_init(v, view_destroy, t->storage, data, (rill_dtype)t->dtype, ndim);
  atomic_fetch_add_explicit(&t->storage->refs, 1, memory_order_relaxed);
  set_layout(v, shape, strides);
  v->inference = t->inference;
  return scope_own(ctx, v);
}

rill_tensor *tensor_alias(rill_context *ctx, const rill_tensor *t) {
  return tensor_view(ctx, t, t->shape, t->strides, t->ndim, t->data);
}

rill_tensor *tensor_wrap(rill_context *ctx, const char *op, rill_dtype dtype, const int64_t *shape,
                         const int64_t *strides, int ndim, void *data, size_t bytes, char *first,
                         rill_free_callback deleter, void *user) {
  fresh *block = context_alloc(ctx, op, sizeof *block);
  if (!block) return NULL;
  storage *s = &block->storage;
  rill_tensor *t = &block->tensor;
  storage_init(s, data, bytes);
  tensor_init(t, tensor_destroy, s, first, dtype, ndim);
  set_layout(t, shape, strides);
  t->inference = ctx->grad_mode == GRAD_INFERENCE;
  if (!scope_own(ctx, t)) return NULL;
  s->deleter = deleter; /* only now: it is not called on failure */
  s->user = user;
  return t;
}

static const rill_tensor *tensor_copied(rill_context *ctx, const char *op, const rill_tensor *t,
                                        rill_dtype dtype) {
  rill_tensor *copy = tensor_new(ctx, op, dtype, t->shape, t->ndim);
  if (!copy) return NULL;
  strided_copy(ctx, t->ndim, t->shape, (rill_dtype)t->dtype, t->data, t->strides, dtype, copy->data,
               copy->strides);
  return copy;
}

const rill_tensor *tensor_contiguous(rill_context *ctx, const char *op, const rill_tensor *t) {
  if (!t) return NULL;
  return t->contiguous ? t : tensor_copied(ctx, op, t, (rill_dtype)t->dtype);
}

const rill_tensor *tensor_converted(rill_context *ctx, const char *op, const rill_tensor *t,
                                    rill_dtype dtype) {
  if (!t) return NULL;
  return t->contiguous && t->dtype == dtype ? t : tensor_copied(ctx, op, t, dtype);
}

/* ---- facts ---- */

/* dim counted from the front; -1 where out of range. */
static int front_dim(const rill_tensor *t, int dim) {
  if (!t || dim < -t->ndim || dim >= t->ndim) return -1;
  return dim < 0 ? dim + t->ndim : dim;
}

rill_dtype rill_tensor_dtype(const rill_tensor *tensor) {
  return tensor ? (rill_dtype)tensor->dtype : RILL_F32;
}

int rill_tensor_ndim(const rill_tensor *tensor) { return tensor ? tensor->ndim : 0; }

int64_t rill_tensor_size(const rill_tensor *tensor, int dim) {
  if (!tensor) return 0;
  int d = front_dim(tensor, dim);
  return d < 0 ? -1 : tensor->shape[d];
}

int64_t rill_tensor_stride(const rill_tensor *tensor, int dim) {
  int d = front_dim(tensor, dim);
  return d < 0 ? 0 : tensor->strides[d];
}

const int64_t *rill_tensor_shape(const rill_tensor *tensor) {
  return tensor ? tensor->shape : NULL;
}

const int64_t *rill_tensor_strides(const rill_tensor *tensor) {
  return tensor ? tensor->strides : NULL;
}

int64_t rill_tensor_numel(const rill_tensor *tensor) { return tensor ? tensor->numel : 0; }

bool rill_tensor_is_contiguous(const rill_tensor *tensor) { return tensor && tensor->contiguous; }

void *rill_tensor_data(const rill_tensor *tensor) {
  return tensor && tensor->numel ? tensor->data : NULL;
}

void rill_tensor_touch(rill_tensor *tensor) {
  if (tensor) atomic_fetch_add_explicit(&tensor->storage->version, 1, memory_order_relaxed);
}
