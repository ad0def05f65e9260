/* Random numbers from Philox blocks: uniform, normal and integer fills, and dropout. Element i comes
 * from block `offset` + i / (elements a block), so any split of a fill gives the same numbers. */
#include "pure/kernel.h"
#include "base/philox.h"
#include "base/vmath.h"

#include <math.h>
#include <string.h>

/* Blocks drawn at once. */
#undef BLOCKS
#define BLOCKS 64

/* words[4 * b + w] = word w of block first + b. The blocks' words are made side by side and then
 * interleaved, which both compilers vectorise. */
static void L(draw)(uint64_t seed, uint64_t first, uint32_t *words) {
  uint32_t side[4][BLOCKS];
#pragma omp simd
  for (int b = 0; b < BLOCKS; b++) {
    side[0][b] = (uint32_t)(first + (uint64_t)b);
    side[1][b] = (uint32_t)((first + (uint64_t)b) >> 32);
    side[2][b] = side[3][b] = 0;
  }
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++, k0 += PHILOX_BUMP0, k1 += PHILOX_BUMP1) {
#pragma omp simd
    for (int b = 0; b < BLOCKS; b++)
      philox_round(&side[0][b], &side[1][b], &side[2][b], &side[3][b], k0, k1);
  }
  for (int b = 0; b < BLOCKS; b++) {
    words[4 * b] = side[0][b];
    words[4 * b + 1] = side[1][b];
    words[4 * b + 2] = side[2][b];
    words[4 * b + 3] = side[3][b];
  }
}

/* Elements begin...begin + n are made in stretches that each lie in one drawing: `at` is the
 * position in the drawing, which starts at block `first`. */
typedef struct L(stretch) {
  int64_t at, count;
  uint64_t first;
} L(stretch);

static L(stretch) L(next_stretch)(uint64_t offset, int64_t begin, int64_t n, int64_t per_block) {
  int64_t size = BLOCKS * per_block, at = begin % size;
  return (L(stretch)){.at = at,
                      .count = n < size - at ? n : size - at,
                      .first = offset + (uint64_t)(begin / size) * BLOCKS};
}

/* ---- uniform and normal ----------------------------------------------------------------------- */

/* Numbers made of one block: f32 takes 32 bits each, f64 takes 64. */
#undef PER_BLOCK
#define PER_BLOCK (16 / (int)sizeof(real))

/* The top 24 or 53 bits of element i's word, scaled to [0, 1). */
static inline real L(unit)(const uint32_t *words, int i) {
#if defined KERNEL_F32
  return (real)(int32_t)(words[i] >> 8) * 0x1p-24f;
#else
  return (real)(int64_t)(((uint64_t)words[2 * i + 1] << 32 | words[2 * i]) >> 11) * 0x1p-53;
#endif
}

KERNEL(rand, (uint64_t seed, uint64_t offset, int64_t begin, real *y, int64_t n),
       (seed, offset, begin, y, n)) {
  uint32_t words[4 * BLOCKS];
  for (int64_t i = 0; i < n;) {
    L(stretch) s = L(next_stretch)(offset, begin + i, n - i, PER_BLOCK);
    L(draw)(seed, s.first, words);
#pragma omp simd
    for (int j = 0; j < (int)s.count; j++) y[i + j] = L(unit)(words, (int)s.at + j);
    i += s.count;
  }
}

/* Box and Muller 1958: elements 2k and 2k + 1 from the uniforms 2k and 2k + 1. */
KERNEL(randn, (uint64_t seed, uint64_t offset, int64_t begin, real *y, int64_t n),
       (seed, offset, begin, y, n)) {
  enum { PAIRS = BLOCKS * PER_BLOCK / 2 };
  uint32_t words[4 * BLOCKS];
  real z[2 * PAIRS];
  for (int64_t i = 0; i < n;) {
    L(stretch) s = L(next_stretch)(offset, begin + i, n - i, PER_BLOCK);
    L(draw)(seed, s.first, words);
#pragma omp simd
    for (int k = 0; k < PAIRS; k++) {
      real square = -2 * L(v_log)(1 - L(unit)(words, 2 * k)); /* 1 - u is never 0 */
      real radius = sizeof(real) == sizeof(float) ? (real)sqrtf((float)square) : (real)sqrt(square);
      real angle = R(6.283185307179586477) * L(unit)(words, 2 * k + 1);
      z[2 * k] = radius * L(v_cos)(angle);
      z[2 * k + 1] = radius * L(v_sin)(angle);
    }
    memcpy(y + i, z + s.at, (size_t)s.count * sizeof *y);
    i += s.count;
  }
}

/* ---- dropout ---------------------------------------------------------------------------------- */

KERNEL(dropout,
       (const real *x, double p, uint64_t seed, uint64_t offset, int64_t begin, real *y,
        uint8_t *mask, int64_t n),
       (x, p, seed, offset, begin, y, mask, n)) {
  /* Kept where the word is at least p * 2^32, an exact integer bound; p = 1 keeps nothing. */
  double bound = p * 4294967296.0;
  bool none = bound > 4294967295.0;
  uint32_t least = none ? UINT32_MAX : (uint32_t)bound;
  real scale = none ? 0 : (real)(1 / (1 - p));
  uint32_t words[4 * BLOCKS];
  for (int64_t i = 0; i < n;) {
    L(stretch) s = L(next_stretch)(offset, begin + i, n - i, 4);
    L(draw)(seed, s.first, words);
    const uint32_t *w = words + s.at;
    int count = (int)s.count;
#pragma omp simd
    for (int j = 0; j < count; j++) y[i + j] = x[i + j] * (w[j] >= least ? scale : 0);
    if (mask)
      for (int j = 0; j < count; j++) mask[i + j] = !none && w[j] >= least;
    i += s.count;
  }
}

/* ---- integers: the same for both real types, so made once -------------------------------------- */

#if defined KERNEL_F64 && defined KERNEL_BASELINE
/* The high half of word * range (Lemire 2019, without rejection: the bias is below range / 2^64). */
void rill_randint_i64(uint64_t seed, uint64_t offset, int64_t begin, int64_t low, int64_t high,
                      int64_t *y, int64_t n) {
  __extension__ typedef unsigned __int128 wide;
  uint64_t range = (uint64_t)high - (uint64_t)low;
  uint32_t words[4 * BLOCKS];
  for (int64_t i = 0; i < n;) {
    L(stretch) s = L(next_stretch)(offset, begin + i, n - i, 2);
    L(draw)(seed, s.first, words);
    for (int64_t j = 0; j < s.count; j++) {
      const uint32_t *w = words + 2 * (s.at + j);
      uint64_t word = (uint64_t)w[1] << 32 | w[0];
      y[i + j] = (int64_t)((uint64_t)low + (uint64_t)((wide)word * range >> 64));
    }
    i += s.count;
  }
}
#endif

#undef BLOCKS
#undef PER_BLOCK
