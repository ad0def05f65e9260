/* A host's allocator that grants so many allocations and then has none, and counts what is alive; and running
 * something with each allocation failing in turn. */
#ifndef RILL_TESTS_RATIONED_H
#define RILL_TESTS_RATIONED_H

#include "main.h"

#include <rill.h>

typedef struct rationed {
  int64_t left, live;
} rationed;

static inline void *rationed_malloc(void *user, size_t size) {
  rationed *r = user;
  if (!r->left) return NULL;
  r->left--;
  r->live++;
  return malloc(size);
}

static inline void rationed_free(void *user, void *block) {
  if (block) ((rationed *)user)->live--;
  free(block);
}

/* NULL where even the context cannot be had. */
static inline rill_context *rationed_context(rationed *r) {
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.allocator = (rill_allocator){rationed_malloc, NULL, rationed_free, r};
  return rill_context_create(&options);
}

/* Runs `run` in a fresh context with 0, 1, 2... allocations granted, up to `limit`, until it returns true:
 * RILL_ERROR_MEMORY before that, and nothing leaks. */
static inline void rationed_run(bool (*run)(rill_context *poor), int64_t limit) {
  bool done = false;
  for (int64_t grant = 0; !done; grant++) {
    ck_assert_int_lt(grant, limit);
    rationed r = {grant, 0};
    rill_context *poor = rationed_context(&r);
    if (poor) {
      done = run(poor);
      ck_assert_int_eq(rill_error(poor), done ? RILL_OK : RILL_ERROR_MEMORY);
      rill_context_close(poor);
    }
    ck_assert_msg(!r.live, "after %lld allocations: %lld blocks leaked", (long long)grant,
                  (long long)r.live);
  }
}

#endif
