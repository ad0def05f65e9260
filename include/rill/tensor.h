/* Tensors: dtype, shape, strides and storage; making them, reading them, moving them in and out.
 * Views (reshape, permute, slice...) are differentiable ops and live in rill/ops.h. */
#ifndef RILL_TENSOR_H
#define RILL_TENSOR_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A value, atomically reference-counted. Any number of contexts and threads may read a tensor at
 * once; it is written by one thread at a time. */
typedef struct rill_tensor rill_tensor;

/* ---- ownership ------------------------------------------------------------------------------- */

/* Adds a reference of the caller's own; returns its argument. NULL is fine. Any thread. */
RILL_API rill_tensor *rill_tensor_retain(rill_tensor *tensor);

/* Gives a reference of the caller's own back. NULL is fine. Any thread. */
RILL_API void rill_tensor_release(rill_tensor *tensor);

/* ---- factories (each: new tensor, owned by the innermost scope; NULL on error) ----------------- */

/* shape: `ndim` sizes of at least 0, in [0, RILL_MAX_DIMS] dims; may be NULL where ndim is 0. */
RILL_API rill_tensor *rill_empty(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                 int ndim);
RILL_API rill_tensor *rill_zeros(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                 int ndim);
RILL_API rill_tensor *rill_ones(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                int ndim);
/* Every element `value`, converted to dtype as a C cast (bool: value != 0). Here and in all conversions
 * a real beyond an integer dtype's range becomes the nearest integer it has, NaN 0. torch.full */
RILL_API rill_tensor *rill_full(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim,
                                double value);
/* A tensor without dims that holds `value`. */
RILL_API rill_tensor *rill_scalar(rill_context *ctx, rill_dtype dtype, double value);
/* start, start + step, ... up to but without end. torch.arange */
RILL_API rill_tensor *rill_arange(rill_context *ctx, rill_dtype dtype, double start, double end,
                                  double step);
/* `count` values from start to end, both included. torch.linspace */
RILL_API rill_tensor *rill_linspace(rill_context *ctx, rill_dtype dtype, double start, double end,
                                    int64_t count);
/* rows x cols with ones on the diagonal. torch.eye */
RILL_API rill_tensor *rill_eye(rill_context *ctx, rill_dtype dtype, int64_t rows, int64_t cols);
/* Uniform in [0, 1), f32 or f64, from the context's stream. torch.rand */
RILL_API rill_tensor *rill_rand(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                int ndim);
/* Standard normal, f32 or f64, from the context's stream. torch.randn */
RILL_API rill_tensor *rill_randn(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                 int ndim);
/* Uniform integers in [low, high), any dtype but bool, from the context's stream; all of them must be
 * exact in dtype. torch.randint */
RILL_API rill_tensor *rill_randint(rill_context *ctx, rill_dtype dtype, int64_t low, int64_t high,
                                   const int64_t *shape, int ndim);
/* Copies rill_numel(shape) contiguous elements from `data`. */
RILL_API rill_tensor *rill_from_buffer(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                       int ndim, const void *data);
/* A tensor over the caller's memory, not copied. `deleter(user, data)` runs when the last reference
 * goes (NULL: the caller keeps the memory alive); on failure it is not called.
 * strides: in elements, NULL for contiguous; all elements must lie within `bytes` of `data`. */
RILL_API rill_tensor *rill_wrap_buffer(rill_context *ctx, rill_dtype dtype, const int64_t *shape,
                                       int ndim, const int64_t *strides, void *data, size_t bytes,
                                       rill_free_callback deleter, void *user);

/* ---- facts (NULL gives 0, false or NULL) ------------------------------------------------------- */

RILL_API rill_dtype rill_tensor_dtype(const rill_tensor *tensor);
RILL_API int rill_tensor_ndim(const rill_tensor *tensor);
RILL_API int64_t rill_tensor_size(const rill_tensor *tensor,
                                  int dim); /* dim < 0 counts from the end;
                                                                         -1 where out of range */
RILL_API int64_t rill_tensor_stride(const rill_tensor *tensor, int dim); /* in elements; as above,
                                                                          0 where out of range */
RILL_API const int64_t *rill_tensor_shape(const rill_tensor *tensor);   /* borrowed, ndim entries */
RILL_API const int64_t *rill_tensor_strides(const rill_tensor *tensor); /* borrowed, ndim entries */
RILL_API int64_t rill_tensor_numel(const rill_tensor *tensor);
RILL_API bool rill_tensor_is_contiguous(const rill_tensor *tensor);
/* Address of the first element; NULL where the tensor is empty. Borrowed; elements lie at the
 * strides. Writing through it counts as an in-place change: call rill_tensor_touch afterwards where
 * a graph may have saved the tensor. */
RILL_API void *rill_tensor_data(const rill_tensor *tensor);
/* Marks the storage as changed, so that a backward which saved its old value refuses. */
RILL_API void rill_tensor_touch(rill_tensor *tensor);

/* ---- values out ------------------------------------------------------------------------------- */

/* Copies all elements, in row-major order, converted to `dtype`, into `bytes` at `out`.
 * Errors: RILL_ERROR_ARGUMENT where they do not fit. */
RILL_API rill_status rill_tensor_copy_out(rill_context *ctx, const rill_tensor *tensor,
                                          rill_dtype dtype, void *out, size_t bytes);
/* Copies row-major elements of `dtype` into the tensor, converting; in-place change. Refuses a
 * tensor that requires a gradient while gradients are recorded, as PyTorch does. */
RILL_API rill_status rill_tensor_copy_in(rill_context *ctx, rill_tensor *tensor, rill_dtype dtype,
                                         const void *data, size_t bytes);
/* The only element, as a double. NaN with an error set where there is not exactly one. Tensor.item */
RILL_API double rill_tensor_item(rill_context *ctx, const rill_tensor *tensor);
/* The only element of an integer or bool tensor, exactly; 0 with an error set otherwise. */
RILL_API int64_t rill_tensor_item_int(rill_context *ctx, const rill_tensor *tensor);

/* Writes the tensor as NumPy prints an array (4 digits, summarised beyond 1000 elements) into `out`,
 * cut to `size` bytes with a final 0. Returns the length the whole text has, -1 on error; so
 * (NULL, 0) asks for the size. */
RILL_API int64_t rill_tensor_print(rill_context *ctx, const rill_tensor *tensor, char *out,
                                   size_t size);

/* ---- DLPack ----------------------------------------------------------------------------------- */

/* Exchange with NumPy, PyTorch, JAX... by dlpack.h version 0.8: `managed` points to that header's
 * DLManagedTensor, which Python hands over in a capsule named "dltensor". Nothing is copied: each side
 * sees what the other writes. What the other side writes counts as an in-place change: call
 * rill_tensor_touch afterwards where a graph may have saved the tensor. */

/* Export. The memory stays until the consumer calls managed->deleter, once, from any thread, be it after
 * the context has closed. NULL on error, among them a tensor that requires a gradient (detach it
 * first, as in PyTorch). NumPy takes it as read-only, as it takes all of version 0.8, and knows no
 * bf16. PyTorch up to 2.13 aborts the process on negative strides, which only imported tensors have:
 * give it their rill_contiguous. */
RILL_API void *rill_to_dlpack(rill_context *ctx, const rill_tensor *tensor);
/* New tensor over the producer's memory, of at most RILL_MAX_DIMS dims and any strides. On success,
 * and only then, takes `managed` over (the capsule's name becomes "used_dltensor"); its deleter runs
 * when the last tensor over the memory goes, on whichever thread that is.
 * Errors: RILL_ERROR_UNSUPPORTED where the data is not on the CPU, and for a DLManagedTensorVersioned of
 * dlpack.h 1.x ("dltensor_versioned"; Python's __dlpack__() without max_version gives none);
 * RILL_ERROR_DTYPE for a dtype that is none of rill_dtype; RILL_ERROR_ARGUMENT for elements not
 * aligned to their size. */
RILL_API rill_tensor *rill_from_dlpack(rill_context *ctx, void *managed);

#ifdef __cplusplus
}
#endif

#endif
