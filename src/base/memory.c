/* The memory of one context: aligned blocks from the host's allocator, kept in size classes for
 * reuse, since a page fault costs more than most kernels. A block may be freed by any thread and
 * after its context has closed; the heap goes with its last block. */
#include "base/base.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
  ALIGNMENT = 64,
  CLASSES = 256,
  SMALL_LIMIT = 1024, /* classes of 64 bytes up to here, then eight a doubling */
};

/* Sits in the 64 bytes in front of every block. */
typedef struct block_header {
  heap *owner;
  void *raw;   /* what the host's allocator returned */
  size_t size; /* usable bytes: the class's size */
  int class;
  struct block_header *next; /* in the free list */
} block_header;

_Static_assert(sizeof(block_header) <= ALIGNMENT, "the header fits in front of a block");

struct heap {
  rill_allocator host;
  atomic_flag locked;
  bool closed;
  size_t live; /* blocks handed out */
  size_t cache_limit;
  rill_memory_stats stats;
  block_header *free[CLASSES];
};

/* Held for a few dozen instructions; contended only when another thread releases a tensor. */
static void heap_lock(heap *h) {
  while (atomic_flag_test_and_set_explicit(&h->locked, memory_order_acquire)) sched_yield();
}

static void heap_unlock(heap *h) { atomic_flag_clear_explicit(&h->locked, memory_order_release); }

static void *host_malloc(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static void host_free(void *user, void *block) {
  (void)user;
  free(block);
}

heap *heap_create(const rill_allocator *allocator, size_t cache_limit) {
  rill_allocator host =
      allocator->malloc ? *allocator : (rill_allocator){host_malloc, NULL, host_free, NULL};
  heap *h = host.malloc(host.user, sizeof *h);
  if (!h) return NULL;
  memset(h, 0, sizeof *h);
  h->host = host;
  h->cache_limit = cache_limit;
  atomic_flag_clear(&h->locked);
  return h;
}

/* The class of a size and the class's own size. false: too large to be a size at all. */
static bool size_class(size_t size, int *class, size_t *rounded) {
  if (size > PTRDIFF_MAX / 2) return false;
  if (size <= SMALL_LIMIT) {
    int c = size ? (int)((size - 1) / 64) : 0;
    *class = c;
    *rounded = (size_t)(c + 1) * 64;
    return true;
  }
  int bits = 63 - __builtin_clzll((unsigned long long)(size - 1)); /* 2^bits <= size - 1 */
  size_t step = (size_t)1 << (bits - 3);
  size_t steps = (size - 1 - ((size_t)1 << bits)) / step; /* 0..7 */
  *class = SMALL_LIMIT / 64 + (bits - 10) * 8 + (int)steps;
  *rounded = ((size_t)1 << bits) + (steps + 1) * step;
  return *class < CLASSES;
}

static void give_back(heap *h, block_header *b) { h->host.free(h->host.user, b->raw); }

/* Takes every free list and returns them joined; the caller gives the blocks back unlocked. */
static block_header *take_cached(heap *h) {
  block_header *all = NULL;
  for (int c = 0; c < CLASSES; c++) {
    while (h->free[c]) {
      block_header *b = h->free[c];
      h->free[c] = b->next;
      b->next = all;
      all = b;
    }
  }
  h->stats.cached = 0;
  return all;
}

void heap_trim(heap *h) {
  heap_lock(h);
  block_header *b = take_cached(h);
  heap_unlock(h);
  while (b) {
    block_header *next = b->next;
    give_back(h, b);
    b = next;
  }
}

static void heap_destroy(heap *h) {
  heap_trim(h);
  h->host.free(h->host.user, h);
}

void heap_close(heap *h) {
  if (!h) return;
  heap_lock(h);
  h->closed = true;
  bool last = h->live == 0;
  heap_unlock(h);
  if (last)
    heap_destroy(h);
  else
    heap_trim(h);
}

static void count_out(heap *h, size_t size, bool reused) {
  h->live++;
  h->stats.allocated++;
  h->stats.reused += reused;
  h->stats.current += size;
  if (h->stats.current > h->stats.peak) h->stats.peak = h->stats.current;
}

static block_header *fresh_block(heap *h, int class, size_t rounded) {
  size_t bytes = rounded + 2 * ALIGNMENT;
  void *raw = h->host.malloc(h->host.user, bytes);
  if (!raw) { /* what is cached may be just what the host lacks */
    heap_trim(h);
    raw = h->host.malloc(h->host.user, bytes);
    if (!raw) return NULL;
  }
  uintptr_t data = ((uintptr_t)raw + 2 * ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  block_header *b = (block_header *)(data - ALIGNMENT);
  *b = (block_header){.owner = h, .raw = raw, .size = rounded, .class = class};
  return b;
}

void *heap_alloc(heap *h, size_t size) {
  int class;
  size_t rounded;
  if (!size_class(size, &class, &rounded)) return NULL;
  heap_lock(h);
  block_header *b = h->free[class];
  if (b) {
    h->free[class] = b->next;
    h->stats.cached -= b->size;
    count_out(h, b->size, true);
    heap_unlock(h);
    return (char *)b + ALIGNMENT;
  }
  heap_unlock(h);
  b = fresh_block(h, class, rounded);
  if (!b) return NULL;
  heap_lock(h);
  count_out(h, b->size, false);
  heap_unlock(h);
  return (char *)b + ALIGNMENT;
}

void heap_free(void *block) {
  if (!block) return;
  block_header *b = (block_header *)((char *)block - ALIGNMENT);
  heap *h = b->owner;
  heap_lock(h);
  h->live--;
  h->stats.current -= b->size;
  bool keep = !h->closed && (!h->cache_limit || h->stats.cached + b->size <= h->cache_limit);
  if (keep) {
    b->next = h->free[b->class];
    h->free[b->class] = b;
    h->stats.cached += b->size;
  }
  bool last = h->closed && h->live == 0;
  heap_unlock(h);
  if (!keep) give_back(h, b);
  if (last) heap_destroy(h);
}

size_t heap_block_size(const void *block) {
  return ((const block_header *)((const char *)block - ALIGNMENT))->size;
}

void heap_get_stats(heap *h, rill_memory_stats *stats) {
  heap_lock(h);
  size_t size = stats->struct_size;
  *stats = h->stats;
  stats->struct_size = size;
  heap_unlock(h);
}

void heap_reset_peak(heap *h) {
  heap_lock(h);
  h->stats.peak = h->stats.current;
  heap_unlock(h);
}
