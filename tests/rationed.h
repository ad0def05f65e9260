/* A host's allocator that grants so many allocations and then has none, and counts what is alive. */
#ifndef RILL_TESTS_RATIONED_H
#define RILL_TESTS_RATIONED_H

#include <rill.h>

#include <stdlib.h>

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

#endif
