/* Maxima along two dims in one go: in bands of rows, so that what the first pass leaves for the second stays
 * in the cache. Rows that two bands see are kept from one to the next; strips of bands go to the threads. */
#include "ops/window_bands.h"

#include "ops/units.h"

#include <string.h>

enum {
  BAND = 1 << 20, /* bytes between the passes: most of what the second nearest cache holds */
  STRIPS = 4,     /* for each thread */
};

bool window_bands_plan(window_bands *b) {
  const rill_window_params *p = &b->second;
  window_job job;
  if (p->stride != 1 || p->edge > RILL_WINDOW_NEAREST || window_plan(p, &job) != RILL_OK)
    return false;
  b->lead = job.lead;
  b->outputs = job.length;
  b->reach = (p->window - 1) * p->dilation;
  b->x_bytes = b->first.outer * b->first.n * b->first.inner * b->size;
  b->row_bytes = p->inner * b->size;
  if (b->row_bytes == 0 || b->outputs == 0) return false;
  b->rows = BAND / b->row_bytes;
  b->length = b->rows - b->reach;
  return b->rows < p->n && b->reach <= b->rows / 2 && b->length > 0;
}

/* Rows from ... to of a slice, into the band. */
static void run_first(const window_bands *b, const char *slice, int64_t from, int64_t to,
                      char *band, char *workspace) {
  rill_window_params p = b->first;
  p.outer *= to - from;
  window_band_keys(b->type, &p, b->min, slice + from * b->x_bytes, band, workspace);
}

/* Outputs at ... end of slice s. */
static void run_strip(const window_bands *b, int64_t s, int64_t at, int64_t end, char *scratch) {
  const char *x = b->x + s * b->second.n * b->x_bytes;
  char *y = b->y + s * b->outputs * b->row_bytes;
  char *band = scratch + b->first_size + b->second_size;
  int64_t from = 0, to = 0; /* rows in the band */
  for (int64_t last; at < end; at = last) {
    last = end - at < b->length ? end : at + b->length;
    int64_t low = at < b->lead ? 0 : at - b->lead, high = last - b->lead + b->reach;
    if (high > b->second.n) high = b->second.n;
    if (low < to)
      memmove(band, band + (low - from) * b->row_bytes, (size_t)((to - low) * b->row_bytes));
    else
      to = low;
    from = low;
    if (high > to) run_first(b, x, to, high, band + (to - from) * b->row_bytes, scratch);
    if (high > to) to = high;
    window_band_values(b->type, &b->second, b->min, at, last, from, to, band, y + at * b->row_bytes,
                       scratch + b->first_size);
  }
}

static int64_t strips_of(const window_bands *b) { return (b->outputs + b->strip - 1) / b->strip; }

static void strips_part(void *arg, int64_t begin, int64_t end, int slot) {
  const window_bands *b = arg;
  int64_t strips = strips_of(b);
  for (; begin < end; begin++) {
    int64_t at = begin % strips * b->strip, last = at + b->strip;
    run_strip(b, begin / strips, at, last < b->outputs ? last : b->outputs,
              b->scratch + (size_t)slot * b->scratch_size);
  }
}

rill_status window_bands_run(rill_context *ctx, const rill_op *op, window_bands *b) {
  int64_t slots = pool_slots(ctx);
  b->strip = slots > 1 ? b->outputs / (STRIPS * slots) : b->outputs;
  if (b->strip < b->length) b->strip = b->length;
  b->first_size = window_workspace(b->type, &b->first);
  b->second_size = window_workspace(b->type, &b->second);
  size_t band = (size_t)(b->rows * b->row_bytes);
  b->scratch = units_workspaces(ctx, op, b->first_size + b->second_size + band, &b->scratch_size);
  if (!b->scratch) return rill_error(ctx);
  pool_for(ctx, b->slices * strips_of(b), 1, strips_part, b);
  return RILL_OK;
}
