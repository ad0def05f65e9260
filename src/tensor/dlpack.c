/* Exchange of tensors with NumPy, PyTorch, JAX... without copying, by the C structures that
 * dlpack.h 0.8 lays out. */
#include "tensor/tensor.h"

#include <string.h>

/* ---- the ABI ---- */

enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_BOOL = 6 }; /* type codes */
enum { DL_CPU = 1 };                                                        /* a device type */

typedef struct dl_tensor {
  void *data;
  struct {
    int32_t type, id;
  } device;
  int32_t ndim;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides; /* in elements; strides may be NULL: row-major */
  uint64_t byte_offset;     /* from data to the first element */
} dl_tensor;

typedef struct dl_managed {
  dl_tensor tensor;
  void *manager;
  void (*deleter)(struct dl_managed *self);
} dl_managed;

static const struct {
  uint8_t code, bits;
} dl_types[] = {
    [RILL_F32] = {DL_FLOAT, 32},   [RILL_F64] = {DL_FLOAT, 64}, [RILL_F16] = {DL_FLOAT, 16},
    [RILL_BF16] = {DL_BFLOAT, 16}, [RILL_I32] = {DL_INT, 32},   [RILL_I64] = {DL_INT, 64},
    [RILL_U8] = {DL_UINT, 8},      [RILL_BOOL] = {DL_BOOL, 8},
};

/* ---- out ---- */

/* What an exported tensor's consumer holds: its shape has a life of its own. */
typedef struct export {
  dl_managed managed;
  rill_tensor *view;
}
export;

static void export_delete(dl_managed *self) {
  export *e = (export *)self;
  rill_tensor_release(e->view);
  heap_free(e);
}

/* The open scope, its caller's, owns what is made on the way. */
static export *export_new(rill_context *ctx, const rill_tensor *tensor) {
  rill_tensor *view = tensor_alias(ctx, tensor); /* nobody can change its shape or its graph */
  export *e = view ? context_alloc(ctx, "to_dlpack", sizeof *e) : NULL;
  if (!e) return NULL;
  e->view = rill_tensor_retain(view);
  dl_tensor *d = &e->managed.tensor;
  memset(d, 0, sizeof *d);
  d->data = rill_tensor_data(view);
  d->device.type = DL_CPU;
  d->ndim = view->ndim;
  d->dtype.code = dl_types[view->dtype].code;
  d->dtype.bits = dl_types[view->dtype].bits;
  d->dtype.lanes = 1;
  d->shape = view->shape;
  d->strides = view->strides;
  e->managed.manager = e;
  e->managed.deleter = export_delete;
  return e;
}

void *rill_to_dlpack(rill_context *ctx, const rill_tensor *tensor) {
  if (!context_ready(ctx)) return NULL;
  if (!tensor) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "to_dlpack", "tensor is NULL");
    return NULL;
  }
  if (tensor->requires_grad) { /* the consumer could change it behind the graph's back */
    error_set(ctx, RILL_ERROR_GRAPH, "to_dlpack",
              "the tensor requires a gradient: export its detached alias");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  export *e = export_new(ctx, tensor);
  rill_scope_close(ctx); /* the consumer alone decides how long the memory is held */
  return e ? &e->managed : NULL;
}

/* ---- in ---- */

static void import_delete(void *user, void *data) {
  (void)data;
  dl_managed *m = user;
  if (m->deleter) m->deleter(m);
}

static bool import_dtype(const dl_tensor *d, rill_dtype *dtype) {
  for (int i = RILL_F32; i <= RILL_BOOL; i++) {
    if (d->dtype.code != dl_types[i].code || d->dtype.bits != dl_types[i].bits) continue;
    *dtype = (rill_dtype)i;
    return d->dtype.lanes == 1;
  }
  return false;
}

/* dlpack.h 1.x begins with its major version, where 0.8 has a pointer. One of these never passes for a
 * tensor on the CPU, since half a pointer lies where the device would. */
static bool is_versioned(const dl_tensor *d) {
  uint32_t major;
  memcpy(&major, &d->data, sizeof major);
  return major == 1;
}

static rill_status refuse_device(rill_context *ctx, const dl_tensor *d) {
  if (is_versioned(d))
    return error_set(ctx, RILL_ERROR_UNSUPPORTED, "from_dlpack",
                     "managed is a DLManagedTensorVersioned, as in dlpack.h 1.x: ask the producer "
                     "for the DLManagedTensor of 0.8");
  return error_set(ctx, RILL_ERROR_UNSUPPORTED, "from_dlpack",
                   "the data lies on a device of type %d, not on the CPU", (int)d->device.type);
}

static rill_status refuse_dtype(rill_context *ctx, const dl_tensor *d) {
  return error_set(ctx, RILL_ERROR_DTYPE, "from_dlpack",
                   "no dtype here is DLPack's code %d with %d bits and %d lanes", d->dtype.code,
                   d->dtype.bits, d->dtype.lanes);
}

rill_tensor *rill_from_dlpack(rill_context *ctx, void *managed) {
  const char *op = "from_dlpack";
  if (!context_ready(ctx)) return NULL;
  if (!managed) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "managed is NULL");
    return NULL;
  }
  const dl_tensor *d = &((dl_managed *)managed)->tensor;
  int64_t numel, strides[RILL_MAX_DIMS];
  rill_dtype dtype;
  if (d->device.type != DL_CPU) {
    refuse_device(ctx, d);
    return NULL;
  }
  if (!import_dtype(d, &dtype)) {
    refuse_dtype(ctx, d);
    return NULL;
  }
  if (!tensor_check(ctx, op, dtype, d->shape, d->ndim, &numel)) return NULL;
  if (d->strides && d->ndim)
    memcpy(strides, d->strides, (size_t)d->ndim * sizeof *strides);
  else
    shape_strides(d->shape, d->ndim, strides);
  char *first = d->data ? (char *)d->data + d->byte_offset : NULL;
  size_t size = rill_dtype_size(dtype);
  if (numel && (!first || (uintptr_t)first % size)) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "data is NULL or not aligned to the %zu bytes of %s",
              size, rill_dtype_name(dtype));
    return NULL;
  }
  return tensor_wrap(ctx, op, dtype, d->shape, strides, d->ndim, d->data, (size_t)numel * size,
                     first, import_delete, managed);
}
