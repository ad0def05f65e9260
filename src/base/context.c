/* Creating, configuring and closing a context; its memory queries. */
#include "base/base.h"

#include <string.h>

/* OpenBLAS's own switch; absent from a reference CBLAS. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

void rill_context_options_init(rill_context_options *options) {
  if (options) *options = (rill_context_options)RILL_CONTEXT_OPTIONS_INIT;
}

void options_read(void *into, size_t size, const void *from) {
  size_t given = from ? *(const size_t *)from : 0;
  memset(into, 0, size);
  if (from) memcpy(into, from, given < size ? given : size);
  *(size_t *)into = size;
}

rill_context *rill_context_create(const rill_context_options *options) {
  rill_context_options o;
  options_read(&o, sizeof o, options);
  if (o.threads < 0 || o.threads > 1024 || o.parallel_width < 0) return NULL;
  if (!o.allocator.malloc != !o.allocator.free) return NULL;
  heap *h = heap_create(&o.allocator, o.cache_limit);
  if (!h) return NULL;
  rill_context *ctx = heap_alloc(h, sizeof *ctx);
  if (!ctx) {
    heap_close(h);
    return NULL;
  }
  memset(ctx, 0, sizeof *ctx);
  ctx->heap = h;
  ctx->random.seed = o.seed;
  ctx->log = o.log;
  ctx->log_user = o.log_user;
  ctx->next_sequence = 1;
  if (o.threads > 1 || o.parallel_for) {
    ctx->pool = pool_create(h, &o);
    if (!ctx->pool) {
      rill_context_close(ctx);
      return NULL;
    }
  }
  if (!o.keep_blas_threads && openblas_set_num_threads) openblas_set_num_threads(1);
  return ctx;
}

void rill_context_close(rill_context *ctx) {
  if (!ctx) return;
  scope_drop_to(ctx, 0);
  pool_close(ctx->pool);
  heap *h = ctx->heap;
  heap_free(ctx->scope_items);
  heap_free(ctx->scope_marks);
  heap_free(ctx->api_json);
  heap_free(ctx->reported);
  heap_free(ctx);
  heap_close(h);
}

void *context_alloc(rill_context *ctx, const char *op, size_t size) {
  void *block = heap_alloc(ctx->heap, size);
  if (!block) error_memory(ctx, op, size);
  return block;
}

void rill_memory_stats_init(rill_memory_stats *stats) {
  if (stats) *stats = (rill_memory_stats)RILL_MEMORY_STATS_INIT;
}

rill_status rill_memory_get_stats(const rill_context *ctx, rill_memory_stats *stats) {
  if (!ctx || !stats || stats->struct_size < sizeof(size_t)) return RILL_ERROR_ARGUMENT;
  rill_memory_stats now = RILL_MEMORY_STATS_INIT;
  heap_get_stats(ctx->heap, &now);
  size_t given = stats->struct_size;
  memcpy(stats, &now, given < sizeof now ? given : sizeof now);
  stats->struct_size = given;
  return RILL_OK;
}

rill_status rill_memory_reset_peak(rill_context *ctx) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  heap_reset_peak(ctx->heap);
  return RILL_OK;
}

rill_status rill_memory_trim(rill_context *ctx) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  heap_trim(ctx->heap);
  return RILL_OK;
}
