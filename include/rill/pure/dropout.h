/* The pure face: random numbers and dropout (src/pure/dropout.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_DROPOUT_H
#define RILL_PURE_DROPOUT_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Random numbers of Philox 4x32-10: element i of a fill depends on seed, offset (the index of its
 * first 128-bit block) and i alone. `begin` is the index of the first element to write, at y[0]: a
 * fill made in pieces, with the same offset, equals the fill made at once. */

/* Uniform in [0, 1), multiples of 2^-24 (f32) or 2^-53 (f64). n elements use n / 4 blocks (f32) or
 * n / 2 (f64), rounded up. */
RILL_API void rill_rand_f32(uint64_t seed, uint64_t offset, int64_t begin, float *y, int64_t n);
RILL_API void rill_rand_f64(uint64_t seed, uint64_t offset, int64_t begin, double *y, int64_t n);

/* Standard normal (Box and Muller 1958). Blocks as for rill_rand. */
RILL_API void rill_randn_f32(uint64_t seed, uint64_t offset, int64_t begin, float *y, int64_t n);
RILL_API void rill_randn_f64(uint64_t seed, uint64_t offset, int64_t begin, double *y, int64_t n);

/* Integers in [low, high), low < high. n / 2 blocks, rounded up. */
RILL_API void rill_randint_i64(uint64_t seed, uint64_t offset, int64_t begin, int64_t low,
                               int64_t high, int64_t *y, int64_t n);

/* torch.nn.functional.dropout in training: each element is zeroed with probability p in [0, 1], the
 * rest is scaled by 1 / (1 - p). The backward is the same call on the gradient. n / 4 blocks,
 * rounded up, for both types, with one and the same mask. mask: [n], 1 where kept, or NULL. y may
 * be x. */
RILL_API void rill_dropout_f32(const float *x, double p, uint64_t seed, uint64_t offset,
                               int64_t begin, float *y, uint8_t *mask, int64_t n);
RILL_API void rill_dropout_f64(const double *x, double p, uint64_t seed, uint64_t offset,
                               int64_t begin, double *y, uint8_t *mask, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
