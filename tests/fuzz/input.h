/* What a fuzz program makes of its bytes: a file, or a few choices after each other. */
#ifndef RILL_TESTS_FUZZ_INPUT_H
#define RILL_TESTS_FUZZ_INPUT_H

#include <rill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A failure that no sanitizer sees: libFuzzer keeps the input of a program that aborts. */
static inline void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

/* The bytes as a file; a path to it, the same one at each call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
  static char path[64];
  if (!*path) snprintf(path, sizeof path, "/tmp/rill-fuzz-%ld", (long)getpid());
  FILE *f = fopen(path, "wb");
  must(f && fwrite(data, 1, size, f) == size && !fclose(f), "the fuzzer's own file");
  return path;
}

typedef struct choices {
  const uint8_t *data;
  size_t size;
} choices;

/* One of n, 0 when the bytes are used up. */
static inline int choose(choices *c, int n) {
  if (!c->size) return 0;
  c->size--;
  return *c->data++ % n;
}

#endif
