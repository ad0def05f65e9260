/* Philox 4x32-10 of Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2,
 * 3": 128 random bits as a pure function of a counter and a key, so any stretch of a stream can be
 * made anywhere, in any order. */
#ifndef RILL_SRC_PHILOX_H
#define RILL_SRC_PHILOX_H

#include <stdint.h>

/* Inlined into the kernels' loops, where it vectorises over counters. */
static inline __attribute__((always_inline)) void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
    uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];
    c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
    c[3] = (uint32_t)p0;
  }
}

/* Block `index` of the stream of `seed`: what every random op of the library draws from. */
static inline __attribute__((always_inline)) void philox_block(uint64_t seed, uint64_t index,
                                                               uint32_t out[4]) {
  out[0] = (uint32_t)index;
  out[1] = (uint32_t)(index >> 32);
  out[2] = out[3] = 0;
  philox(out, (uint32_t)seed, (uint32_t)(seed >> 32));
}

#endif
