/* The pure face: moving elements (src/pure/move/), by the rules of rill/pure.h. */
#ifndef RILL_PURE_MOVE_H
#define RILL_PURE_MOVE_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[i] = x[i] for every index i below `shape`, each side with its own strides in elements, of any sign
 * or 0: what contiguous, clone, expand, permute, transpose, slice, narrow, select, unfold (whose windows
 * overlap in x), reshape and the other views are made of, and their backward, which copies a gradient
 * into its place among zeros. x and y are where index 0 lies. Strides are trusted; y's must not repeat
 * memory. RILL_ERROR_ARGUMENT unless 0 <= ndim <= RILL_MAX_DIMS. torch.Tensor.copy_ */
RILL_API rill_status rill_strided_copy_f32(const float *x, const int64_t *x_strides, float *y,
                                           const int64_t *y_strides, const int64_t *shape,
                                           int ndim);
RILL_API rill_status rill_strided_copy_f64(const double *x, const int64_t *x_strides, double *y,
                                           const int64_t *y_strides, const int64_t *shape,
                                           int ndim);

/* y[i] = x[i] converted from dtype `from` (and how rill/tensor.h converts: rounded once, to nearest
 * even; into integers towards zero, beyond their range to the nearest they have, NaN to 0). f16 and
 * bf16 as bits, bool as bytes. RILL_ERROR_DTYPE where there is no such dtype. torch.Tensor.to */
RILL_API rill_status rill_to_f32(const void *x, rill_dtype from, float *y, int64_t n);
RILL_API rill_status rill_to_f64(const void *x, rill_dtype from, double *y, int64_t n);
RILL_API rill_status rill_to_f16(const void *x, rill_dtype from, uint16_t *y, int64_t n);
RILL_API rill_status rill_to_bf16(const void *x, rill_dtype from, uint16_t *y, int64_t n);
RILL_API rill_status rill_to_i32(const void *x, rill_dtype from, int32_t *y, int64_t n);
RILL_API rill_status rill_to_i64(const void *x, rill_dtype from, int64_t *y, int64_t n);
RILL_API rill_status rill_to_u8(const void *x, rill_dtype from, uint8_t *y, int64_t n);
RILL_API rill_status rill_to_bool(const void *x, rill_dtype from, uint8_t *y, int64_t n);

/* Side by side along a dim: x[i] is [outer, n[i], inner], y is [outer, sum of n, inner]. An x[i] of NULL
 * stands for zeros. torch.cat; torch.stack with each n 1; the backward of split. */
RILL_API void rill_cat_f32(const float *const *x, const int64_t *n, int count, float *y,
                           int64_t outer, int64_t inner);
RILL_API void rill_cat_f64(const double *const *x, const int64_t *n, int count, double *y,
                           int64_t outer, int64_t inner);

/* The other way: y[i] is [outer, n[i], inner], or NULL where it is not wanted. torch.split, torch.chunk;
 * the backward of cat and stack. */
RILL_API void rill_split_f32(const float *x, float *const *y, const int64_t *n, int count,
                             int64_t outer, int64_t inner);
RILL_API void rill_split_f64(const double *x, double *const *y, const int64_t *n, int count,
                             int64_t outer, int64_t inner);

/* y[o, i, j] = x[o, n - 1 - i, j]. torch.flip along one dim; its own backward. */
RILL_API void rill_flip_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_flip_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);

/* y[o, (i + shift) mod n, j] = x[o, i, j], shift of any sign. torch.roll; the backward is that of
 * -shift. */
RILL_API void rill_roll_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner,
                            int64_t shift);
RILL_API void rill_roll_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner,
                            int64_t shift);

/* y [outer, repeats, n, inner] = x [outer, n, inner], `repeats` times over. torch.Tensor.repeat along
 * one dim; the backward is rill_sum over the repeats. */
RILL_API void rill_repeat_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner,
                              int64_t repeats);
RILL_API void rill_repeat_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner,
                              int64_t repeats);

/* Of each matrix [rows, cols] what lies on and below (triu: above) the diagonal, which is the main one
 * where `diagonal` is 0 and lies right of it where positive; zeros elsewhere. y may be x. torch.tril,
 * torch.triu; each its own backward. */
RILL_API void rill_tril_f32(const float *x, float *y, int64_t matrices, int64_t rows, int64_t cols,
                            int64_t diagonal);
RILL_API void rill_tril_f64(const double *x, double *y, int64_t matrices, int64_t rows,
                            int64_t cols, int64_t diagonal);
RILL_API void rill_triu_f32(const float *x, float *y, int64_t matrices, int64_t rows, int64_t cols,
                            int64_t diagonal);
RILL_API void rill_triu_f64(const double *x, double *y, int64_t matrices, int64_t rows,
                            int64_t cols, int64_t diagonal);

/* y [n, classes]: 1 at each index, 0 elsewhere. RILL_ERROR_INDEX, with nothing written, where an index
 * is negative or too large. torch.nn.functional.one_hot */
RILL_API rill_status rill_one_hot_i64(const int64_t *index, int64_t *y, int64_t n, int64_t classes);

#ifdef __cplusplus
}
#endif

#endif
