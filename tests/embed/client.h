/* What every embedding client does: makes a context with a worker thread, computes, checks. */
#ifndef RILL_TESTS_EMBED_CLIENT_H
#define RILL_TESTS_EMBED_CLIENT_H

#include <math.h>
#include <stdio.h>
#include <string.h>

/* 0 where rill works here. */
static int client_run(void) {
  if (strcmp(rill_version(), RILL_VERSION_STRING) != 0) return 1;
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.threads = 2;
  rill_context *ctx = rill_context_create(&options);
  if (!ctx) return 2;
  int workers = rill_thread_count(ctx);
  const float x[3] = {0, 1, 2};
  const double expected[3] = {0.09003057317038046, 0.24472847105479764, 0.6652409557748219};
  float y[3];
  rill_softmax_f32(x, y, 1, 3);
  int wrong = 0;
  for (int i = 0; i < 3; i++) wrong += !(fabs(y[i] - expected[i]) < 1e-6);
  rill_context_close(ctx);
  return wrong ? 3 : workers != 1 ? 4 : 0;
}

#endif
