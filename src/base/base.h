/* Internal face of the base floor: what every floor above shares. The context's fields are open to
 * the library's own code; each belongs to the file named beside it. */
#ifndef RILL_SRC_BASE_H
#define RILL_SRC_BASE_H

#include "rill/base.h"

#include <stdatomic.h>

/* ---- checked arithmetic (checked.h) ---- */
#include "base/checked.h"

/* ---- dtype.c --------------------------------------------------------------------------------- */

static inline bool dtype_is_float(rill_dtype d) { return d <= RILL_BF16; }
static inline bool dtype_computes(rill_dtype d) { return d == RILL_F32 || d == RILL_F64; }
static inline bool dtype_valid(int d) { return d >= RILL_F32 && d <= RILL_BOOL; }

/* ---- memory.c: blocks, size classes, the cache ----------------------------------------------- */

/* The memory of one context. It outlives the context while blocks of it are alive. */
typedef struct heap heap;

heap *heap_create(const rill_allocator *allocator, size_t cache_limit);
void heap_close(heap *h); /* the context is going; the heap goes with its last block */
void heap_get_stats(heap *h, rill_memory_stats *stats);
void heap_reset_peak(heap *h);
void heap_trim(heap *h);

/* A block of at least `size` bytes, aligned to 64; NULL where the host has none. Not zeroed. */
void *heap_alloc(heap *h, size_t size);
/* Any thread. NULL is fine. The block knows its heap. */
void heap_free(void *block);
/* The usable bytes of a block. */
size_t heap_block_size(const void *block);

/* ---- handle: what can be retained, released and owned by a scope ------------------------------ */

/* First member of every public handle's struct. */
typedef struct handle {
  atomic_int refs;
  void (*destroy)(struct handle *h); /* called when the last reference goes */
} handle;

static inline void handle_init(handle *h, void (*destroy)(handle *)) {
  atomic_init(&h->refs, 1);
  h->destroy = destroy;
}

static inline void handle_retain(handle *h) {
  atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
}

/* Whoever holds the only reference needs no read-modify-write: nobody else can add one. */
static inline void handle_release(handle *h) {
  if (!h) return;
  if (atomic_load_explicit(&h->refs, memory_order_acquire) == 1 ||
      atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
    h->destroy(h);
}

/* ---- context.c, scope.c, error.c -------------------------------------------------------------- */

typedef enum grad_mode { GRAD_ON = 0, GRAD_OFF = 1, GRAD_INFERENCE = 2 } grad_mode;

typedef struct pool pool;

#define ERROR_MESSAGE_SIZE 512

struct rill_context {
  heap *heap;             /* memory.c  */
  pool *pool;             /* pool.c; NULL with one thread */
  grad_mode grad_mode;    /* autograd/ */
  uint64_t next_sequence; /* autograd/: creation order of graph nodes */
  rill_status error;      /* error.c   */
  char error_op[64];
  char error_message[ERROR_MESSAGE_SIZE];
  handle **scope_items; /* scope.c: handles of all open scopes, innermost last */
  int64_t scope_count, scope_capacity;
  int64_t *scope_marks; /* where each open scope begins in scope_items */
  int64_t scope_depth, scope_marks_capacity;
  rill_random_state random; /* random.c  */
  rill_log_callback log;    /* log.c     */
  void *log_user;
  char *api_json;     /* ffi/: built on first request */
  uint64_t *reported; /* ffi/: deprecated names already reported, a bit each */
};

/* Keeps the first error of the context and returns `code`. `op` is the public name without "rill_".
 * The format knows %s %d %lld %zu %c and, for doubles, %g printed without regard to the locale is
 * NOT available: pass numbers through number_print. ctx may be NULL. */
rill_status error_set(rill_context *ctx, rill_status code, const char *op, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
rill_status error_memory(rill_context *ctx, const char *op, size_t bytes);

/* Gives `h` (one reference) to the innermost scope. On failure the reference is dropped, the error
 * set and NULL returned, so `return scope_own(ctx, h)` is safe. */
void *scope_own(rill_context *ctx, void *h);

/* Drops the scopes' items down to `mark`, newest first. */
void scope_drop_to(rill_context *ctx, int64_t mark);

/* Copies an options struct whose first member is its size_t struct_size: what the caller's older
 * header lacks becomes zero, what it has beyond ours is ignored. `from` may be NULL. */
void options_read(void *into, size_t size, const void *from);

/* Memory of the context, with the error set on failure. */
void *context_alloc(rill_context *ctx, const char *op, size_t size);

/* `ctx` usable for work? NULL or a pending error: no. */
static inline bool context_ready(const rill_context *ctx) { return ctx && ctx->error == RILL_OK; }

/* Like rill_scope_close, but hands `keep` (owned by the closing scope, or NULL) to the scope
 * outside. Returns `keep`, or NULL with the error set. The shape of every composite op:
 * open, compute, return scope_close_keep(ctx, result). */
void *scope_close_keep(rill_context *ctx, void *keep);

void log_message(rill_context *ctx, rill_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- pool.c ----------------------------------------------------------------------------------- */

pool *pool_create(heap *h, const rill_context_options *options);
void pool_close(pool *p);

/* One stretch of a split loop. `slot` in [0, pool_slots): no two stretches that run at the same time
 * have the same slot, so it picks scratch memory. */
typedef void (*pool_fn)(void *arg, int64_t begin, int64_t end, int slot);

/* Splits [0, n) into stretches of `grain` (the last may be shorter) and runs them all. The split
 * depends on n and grain only, never on the number of threads: that is what makes results equal
 * bit for bit. Without a pool, or for one stretch, fn runs here. Not reentrant. */
void pool_for(rill_context *ctx, int64_t n, int64_t grain, pool_fn fn, void *arg);
int pool_slots(const rill_context *ctx);

/* ---- cpu.c ------------------------------------------------------------------------------------ */

enum { CPU_BASELINE = 0, CPU_AVX2 = 1, CPU_AVX512 = 2, CPU_LEVELS = 3 };

/* Index into every kernel's table: the best level this processor and its operating system have. */
int cpu_level(void);
/* For tests: run the kernels of a lower level. Returns the level now in force. */
int cpu_set_level(int level);

/* ---- random.c --------------------------------------------------------------------------------- */

/* Reserves `blocks` 128-bit blocks of the context's stream; returns the first one's index. */
uint64_t random_reserve(rill_context *ctx, uint64_t blocks);

#endif
