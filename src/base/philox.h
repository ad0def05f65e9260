/* Philox 4x32-10 of Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2,
 * 3": 128 random bits as a pure function of a counter and a key, so any stretch of a stream can be
 * made anywhere, in any order. */
#ifndef RILL_SRC_PHILOX_H
#define RILL_SRC_PHILOX_H

#include <stdint.h>

#define PHILOX_BUMP0 UINT32_C(0x9E3779B9) /* added to the key after each round */
#define PHILOX_BUMP1 UINT32_C(0xBB67AE85)

/* One round on the counter c0...c3; a loop of it over counters vectorises. */
static inline __attribute__((always_inline)) void
philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, uint32_t k0, uint32_t k1) {
  uint64_t p0 = (uint64_t)0xD2511F53 * *c0, p1 = (uint64_t)0xCD9E8D57 * *c2;
  *c0 = (uint32_t)(p1 >> 32) ^ *c1 ^ k0;
  *c1 = (uint32_t)p1;
  *c2 = (uint32_t)(p0 >> 32) ^ *c3 ^ k1;
  *c3 = (uint32_t)p0;
}

static inline __attribute__((always_inline)) void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++, k0 += PHILOX_BUMP0, k1 += PHILOX_BUMP1)
    philox_round(c, c + 1, c + 2, c + 3, k0, k1);
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
