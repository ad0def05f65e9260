/* What the files of the benchmarks share: bench.c has the loop, layers.c the cases beside PyTorch,
 * windows.c those of sliding windows. */
#ifndef RILL_BENCH_H
#define RILL_BENCH_H

#define _POSIX_C_SOURCE 200809L
#include <rill.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESULTS = 128, PATH_SIZE = 256 };

typedef struct bench {
  rill_context *ctx;
  rill_safetensors *file;
  rill_tensor *x[6]; /* the case's inputs */
  rill_tensor *seed; /* of the backward pass */
  rill_module *model;
  rill_optimizer *optimizer;
  float *from, *to;               /* memcpy */
  int64_t window;                 /* of sliding windows */
  const char *names[MAX_RESULTS]; /* what the last step gave */
  const rill_tensor *results[MAX_RESULTS];
  int n_results;
} bench;

typedef struct bench_case {
  const char *name;
  void (*prepare)(bench *b);
  void (*step)(bench *b);
} bench_case;

/* Each ends with a case without a name. */
extern const bench_case layer_cases[], window_cases[];

void die(const char *what);
void check(const bench *b);

/* A copy in rill's own memory: the mapped file's pages are not measured. */
rill_tensor *input(bench *b, const char *name);
void inputs(bench *b, const char *const *names, int count, bool requires_grad);
void result(bench *b, const char *name, const rill_tensor *value);

#endif
