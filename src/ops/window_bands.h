/* Maxima along two dims in one go. */
#ifndef RILL_SRC_WINDOW_BANDS_H
#define RILL_SRC_WINDOW_BANDS_H

#include "ops/op.h"
#include "pure/window.h"

/* A pass of x [slices, n, ...] along a dim further in, and then one of what comes of it along n. */
typedef struct window_bands {
  window_type type;
  int64_t size; /* bytes of a sample */
  bool min;
  rill_window_params first, second; /* the passes; `first` of one row of n, `second` of one slice */
  int64_t slices;
  const char *x;
  char *y;

  int64_t lead, reach, outputs; /* along n: see window_job; rows of a window less one */
  int64_t x_bytes, row_bytes;   /* of a row before the first pass, and after it */
  int64_t rows, length, strip;  /* rows and outputs of a band, outputs of a strip */
  size_t first_size, second_size, scratch_size;
  char *scratch;
} window_bands;

/* Is that what pays? Then the rest of *b is set. */
bool window_bands_plan(window_bands *b);
rill_status window_bands_run(rill_context *ctx, const rill_op *op, window_bands *b);

#endif
