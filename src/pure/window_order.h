/* The numbers of a sliding window in order: what comes in is inserted, what goes out is the oldest, and any
 * order statistic is at hand. Behind the sliding quantiles of short rows, and of use wherever samples come one
 * by one; many that are at hand go faster through window_rank.h.
 *
 * A sorted array, cut into chunks of equal size that are rings, so that a number moves from one chunk to the
 * next by a step of the ring (Goodrich and Kloss 1999, "Tiered vectors: efficient dynamic arrays for
 * rank-based sequences"). Besides the O(log k) searches, going out and coming in move what lies between both:
 * O(sqrt k) numbers, most of them by memmove. Of equal numbers the older comes first, so the oldest of the
 * window is the first of its equals. */
#ifndef RILL_SRC_PURE_WINDOW_ORDER_H
#define RILL_SRC_PURE_WINDOW_ORDER_H

#include "rill/pure.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct window_order {
  int64_t most;         /* numbers that it may hold                          */
  int64_t count, nans;  /* numbers that it holds in order, and NaN besides   */
  int64_t nan_tag;      /* of the NaN that came last                         */
  int64_t bits, mask;   /* of a chunk's size, a power of two                 */
  int64_t begin, held;  /* of the ring of numbers as they came, NaN included */
  double *ring, *value; /* as they came, and in order                        */
  double *front;        /* each chunk's first number                         */
  int64_t *head, *tag;  /* where that lies in the chunk; whatever came with the numbers, or NULL */
} window_order;

/* Bytes of memory, aligned to 8, for `most` >= 1 numbers, with their tags or without. */
size_t window_order_bytes(int64_t most, bool tags);

/* Empty, in that memory; or only: it is there, or a copy of it is. */
void window_order_init(window_order *o, int64_t most, bool tags, void *memory);
void window_order_lay(window_order *o, int64_t most, bool tags, void *memory);
void window_order_clear(window_order *o);

/* In comes v, if there is room; out goes the oldest, if there is one; both at once is cheaper. */
void window_order_push(window_order *o, double v, int64_t tag);
void window_order_pop(window_order *o);
void window_order_roll(window_order *o, double v, int64_t tag);

/* The number of a rank, 0 <= rank < count, and its tag. */
double window_order_at(const window_order *o, int64_t rank);
int64_t window_order_tag(const window_order *o, int64_t rank);

/* Where a rank lies. */
static inline int64_t window_order_place(const window_order *o, int64_t rank) {
  int64_t chunk = rank >> o->bits;
  return (chunk << o->bits) + ((o->head[chunk] + rank) & o->mask);
}

/* Which numbers the q-quantile of `count` >= 1 lies between, and how far from the first to the second. */
void window_order_ranks(double q, rill_window_quantile_method method, int64_t count, int64_t *low,
                        int64_t *high, double *weight);

/* a + weight * (b - a), also where the difference is infinite: then infinities of both signs give NaN. */
double window_order_between(double a, double b, double weight);

#endif
