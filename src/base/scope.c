/* Scopes: who owns the handles that functions return. */
#include "base/base.h"

#include <string.h>

/* Room for one more item of `size` bytes in an array of the context. */
static bool grow(rill_context *ctx, void **items, int64_t count, int64_t *capacity, size_t size) {
  if (count < *capacity) return true;
  int64_t larger = *capacity ? *capacity * 2 : 64;
  void *block = heap_alloc(ctx->heap, (size_t)larger * size);
  if (!block) return false;
  if (count) memcpy(block, *items, (size_t)count * size);
  heap_free(*items);
  *items = block;
  *capacity = larger;
  return true;
}

void *scope_own(rill_context *ctx, void *h) {
  if (!h) return NULL;
  if (!grow(ctx, (void **)&ctx->scope_items, ctx->scope_count, &ctx->scope_capacity,
            sizeof(handle *))) {
    handle_release(h);
    error_memory(ctx, "scope", sizeof(handle *));
    return NULL;
  }
  ctx->scope_items[ctx->scope_count++] = h;
  return h;
}

rill_status rill_scope_open(rill_context *ctx) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  if (!grow(ctx, (void **)&ctx->scope_marks, ctx->scope_depth, &ctx->scope_marks_capacity,
            sizeof(int64_t)))
    return error_memory(ctx, "scope_open", sizeof(int64_t));
  ctx->scope_marks[ctx->scope_depth++] = ctx->scope_count;
  return RILL_OK;
}

void scope_drop_to(rill_context *ctx, int64_t mark) {
  /* A destructor may run callbacks of the host, so the list is consistent at every step. */
  while (ctx->scope_count > mark) handle_release(ctx->scope_items[--ctx->scope_count]);
}

rill_status rill_scope_close(rill_context *ctx) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  if (!ctx->scope_depth) return error_set(ctx, RILL_ERROR_STATE, "scope_close", "no scope is open");
  scope_drop_to(ctx, ctx->scope_marks[--ctx->scope_depth]);
  return RILL_OK;
}

void *scope_close_keep(rill_context *ctx, void *keep) {
  if (keep) handle_retain(keep);
  scope_drop_to(ctx, ctx->scope_marks[--ctx->scope_depth]);
  if (!keep) return NULL;
  if (ctx->error != RILL_OK) {
    handle_release(keep);
    return NULL;
  }
  return scope_own(ctx, keep);
}
