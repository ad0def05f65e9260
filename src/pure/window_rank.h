/* The numbers of many windows in order at once: behind the sliding quantiles of rows that are at hand.
 *
 * A block of samples, several windows long, is sorted once. From then on a sample is its rank in the block, and
 * a window a set of bits, of which each step sets one and clears one. The quantile's bit is never far from
 * where it was a step before. So a sample costs a sort's share and a few operations on bits, whatever the
 * window, where windows one by one need searches (Suomela 2014, "Median filtering is equivalent to sorting",
 * has the idea, with linked lists in place of bits). Of equal numbers the earlier sample has the lower rank,
 * as in window_order.h. */
#ifndef RILL_SRC_PURE_WINDOW_RANK_H
#define RILL_SRC_PURE_WINDOW_RANK_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct window_rank {
  bool narrow;              /* numbers are floats in double                           */
  int64_t numbers;          /* of the block, NaN not counted                          */
  int64_t count;            /* of the window                                          */
  int64_t at, below;        /* a rank of the block, and the window's numbers below it */
  uint64_t *key;            /* of each sample                                         */
  uint64_t *bits, *words;   /* the window, and which words of that are not 0          */
  uint32_t *order, *spare;  /* samples by rank                                        */
  uint32_t *rank, *buckets; /* the rank of each sample; of the sort                   */
} window_rank;

/* Bytes of memory, aligned to 8, for blocks of up to `most` samples, below 2^32. */
size_t window_rank_bytes(int64_t most);
void window_rank_init(window_rank *r, int64_t most, bool narrow, void *memory);

/* A new block: begin, put its numbers (sample i is v; NaN and nothing are not put) with i rising, sort. */
void window_rank_begin(window_rank *r);
void window_rank_put(window_rank *r, int64_t i, double v);
void window_rank_sort(window_rank *r);

/* A number that was put comes into the window, or goes out. */
static inline void window_rank_in(window_rank *r, int64_t i) {
  int64_t rank = r->rank[i], word = rank >> 6;
  r->bits[word] |= UINT64_C(1) << (rank & 63);
  r->words[word >> 6] |= UINT64_C(1) << (word & 63);
  r->below += rank < r->at;
  r->count++;
}

static inline void window_rank_out(window_rank *r, int64_t i) {
  int64_t rank = r->rank[i], word = rank >> 6;
  r->bits[word] &= ~(UINT64_C(1) << (rank & 63));
  if (r->bits[word] == 0) r->words[word >> 6] &= ~(UINT64_C(1) << (word & 63));
  r->below -= rank < r->at;
  r->count--;
}

/* The sample of the window's rank, 0 <= rank < count. */
int64_t window_rank_sample(window_rank *r, int64_t rank);
/* The one that follows it in the window. */
int64_t window_rank_next(const window_rank *r);

#endif
