/* The geometry of sliding windows: lengths, units, what lies beyond the ends, who overlaps whom. */
#include "pure/kernel.h"
#include "base/checked.h"
#include "pure/window.h"

#if defined KERNEL_BASELINE && defined KERNEL_F32

void rill_window_params_init(rill_window_params *p) {
  if (p) *p = (rill_window_params){.struct_size = sizeof *p};
}

static int64_t window_divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0); }

static rill_status window_options(const rill_window_params *p) {
  if (!p || p->struct_size < sizeof *p) return RILL_ERROR_ARGUMENT;
  if (p->window < 1 || p->stride < 0 || p->dilation < 0) return RILL_ERROR_ARGUMENT;
  if (p->mode < RILL_WINDOW_VALID || p->mode > RILL_WINDOW_CAUSAL) return RILL_ERROR_ARGUMENT;
  if (p->edge < RILL_WINDOW_IGNORE || p->edge > RILL_WINDOW_WRAP) return RILL_ERROR_ARGUMENT;
  if (p->nan < RILL_WINDOW_NAN_PROPAGATE || p->nan > RILL_WINDOW_NAN_IGNORE)
    return RILL_ERROR_ARGUMENT;
  if (p->outer < 0 || p->n < 0 || p->inner < 0) return RILL_ERROR_SHAPE;
  return RILL_OK;
}

/* Where the windows lie. */
static rill_status window_places(const rill_window_params *p, window_job *job) {
  int64_t reach, padded; /* from a window's first sample to its last; x with what lies beyond */
  job->stride = p->stride ? p->stride : 1;
  job->dilation = p->dilation ? p->dilation : 1;
  if (!checked_mul(p->window - 1, job->dilation, &reach) || !checked_add(p->n, reach, &padded) ||
      !checked_add(padded, reach, &padded) || padded > INT64_MAX / 4)
    return RILL_ERROR_OVERFLOW;
  job->lead = p->mode == RILL_WINDOW_VALID  ? 0
              : p->mode == RILL_WINDOW_SAME ? p->window / 2 * job->dilation
                                            : reach;
  job->dense = p->mode == RILL_WINDOW_VALID  ? p->n - reach
               : p->mode == RILL_WINDOW_FULL ? p->n + reach
                                             : p->n;
  if (p->n == 0 || job->dense < 0) job->dense = 0;
  job->length = window_divide_up(job->dense, job->stride);
  return RILL_OK;
}

/* All bytes of x, y and the indices must be countable. */
static rill_status window_sizes(const window_job *job) {
  int64_t count, wide;
  size_t bytes;
  int64_t most = job->n > job->length ? job->n : job->length;
  if (!checked_mul(job->inner, job->dilation, &wide) || wide > INT64_MAX / 64 ||
      !checked_mul(job->outer, job->inner, &count) || !checked_mul(count, most, &count) ||
      !checked_bytes(count, sizeof(int64_t), &bytes))
    return RILL_ERROR_OVERFLOW;
  /* Rows of the columns, with room for a group more than the window takes. */
  int64_t rows = (job->n + 2 * (job->k - 1) * job->dilation) / job->dilation;
  if (!checked_add(rows, 1024, &rows) || !checked_mul(rows, wide, &count) ||
      !checked_bytes(count, 4 * sizeof(int64_t), &bytes))
    return RILL_ERROR_OVERFLOW;
  return RILL_OK;
}

static void window_strides(const int64_t given[3], int64_t n, int64_t inner, int64_t strides[3]) {
  bool contiguous = given[0] == 0 && given[1] == 0 && given[2] == 0;
  strides[0] = contiguous ? n * inner : given[0];
  strides[1] = contiguous ? inner : given[1];
  strides[2] = contiguous ? 1 : given[2];
}

static bool window_flat(const int64_t strides[3], int64_t inner) {
  return inner == 1 ? strides[1] == 1 : strides[2] == 1 && strides[1] == inner;
}

/* What follows from the number of outputs. */
static void window_cut_up(window_job *job) {
  job->rows = window_divide_up(job->dense, job->dilation);
  job->panels = window_divide_up(job->wide, WINDOW_UNIT_COLUMNS);
  int64_t columns = job->wide < WINDOW_UNIT_COLUMNS ? job->wide : WINDOW_UNIT_COLUMNS;
  job->chunk_rows = window_divide_up(WINDOW_UNIT_OUTPUTS, columns > 0 ? columns : 1);
  if (job->chunk_rows < job->k) job->chunk_rows = job->k;
  job->chunks = window_divide_up(job->rows, job->chunk_rows);
}

void window_band(window_job *job, int64_t first, int64_t end, int64_t from, int64_t to) {
  job->lead += from - first;
  job->n = to - from;
  job->dense = job->length = end - first;
  window_cut_up(job);
}

rill_status window_plan(const rill_window_params *p, window_job *job) {
  rill_status status = window_options(p);
  if (status != RILL_OK) return status;
  *job = (window_job){.outer = p->outer, .n = p->n, .inner = p->inner, .k = p->window};
  if ((status = window_places(p, job)) != RILL_OK) return status;
  if ((status = window_sizes(job)) != RILL_OK) return status;
  window_strides(p->x_stride, p->n, p->inner, job->x_stride);
  window_strides(p->y_stride, job->length, p->inner, job->y_stride);
  job->x_flat = window_flat(job->x_stride, p->inner);
  job->y_flat = window_flat(job->y_stride, p->inner);
  job->edge = p->edge;
  job->wide = job->inner * job->dilation;
  window_cut_up(job);
  return RILL_OK;
}

rill_status rill_window_check(const rill_window_params *p) {
  window_job job;
  return window_plan(p, &job);
}

int64_t rill_window_length(const rill_window_params *p) {
  window_job job;
  return window_plan(p, &job) == RILL_OK ? job.length : -1;
}

int64_t rill_window_units(const rill_window_params *p) {
  window_job job;
  return window_plan(p, &job) == RILL_OK ? job.outer * job.panels * job.chunks : 0;
}

int64_t window_backward_chunks(const window_job *job) {
  return window_divide_up(window_divide_up(job->n, job->dilation), job->chunk_rows);
}

int64_t rill_window_backward_units(const rill_window_params *p) {
  window_job job;
  if (window_plan(p, &job) != RILL_OK) return 0;
  return job.outer * job.panels * window_backward_chunks(&job);
}

void window_turn(window_job *job) {
  int64_t padded = job->dense + (job->k - 1) * job->dilation;
  int64_t last = (job->length - 1) * job->y_stride[1];
  job->x += (job->n - 1) * job->x_stride[1] * job->size;
  if (job->y) job->y += last * job->size;
  job->index += last;
  job->x_stride[1] = -job->x_stride[1];
  job->y_stride[1] = -job->y_stride[1];
  job->x_flat = job->y_flat = false;
  job->lead = padded - job->n - job->lead;
  job->first = job->dense - 1 - (job->length - 1) * job->stride;
  job->backwards = true;
}

int64_t window_stretch(const window_job *job, int64_t p, int64_t *step, int64_t *run) {
  int64_t n = job->n, period, at;
  *step = 1;
  if (p >= 0 && p < n) return *run = n - p, p;
  switch (job->edge) {
  case RILL_WINDOW_WRAP: period = n; break;
  case RILL_WINDOW_REFLECT: period = 2 * n; break;
  case RILL_WINDOW_MIRROR: period = n > 1 ? 2 * n - 2 : 1; break;
  default:
    *step = 0;
    *run = p < 0 ? -p : INT64_MAX;
    return job->edge != RILL_WINDOW_NEAREST ? -1 : p < 0 ? 0 : n - 1;
  }
  at = p % period < 0 ? p % period + period : p % period;
  if (at < n) return *run = n - at, at;
  *step = -1;
  *run = period - at;
  return job->edge == RILL_WINDOW_REFLECT ? period - 1 - at : period - at;
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* The first byte of [outer, n, inner] and the first behind it. */
static void window_extent(const void *x, const int64_t sizes[3], const int64_t strides[3],
                          int64_t size, uintptr_t *low, uintptr_t *high) {
  int64_t down = 0, up = 0;
  for (int i = 0; i < 3; i++) {
    int64_t far = (sizes[i] - 1) * strides[i];
    if (far < 0) down += far;
    if (far > 0) up += far;
  }
  *low = (uintptr_t)x + (uintptr_t)(down * size);
  *high = (uintptr_t)x + (uintptr_t)((up + 1) * size);
}

bool window_overlap(const window_job *job, bool outputs, const void *x, int64_t x_size,
                    const void *y, int64_t y_size) {
  uintptr_t x_low, x_high, y_low, y_high;
  int64_t sizes[3] = {job->outer, job->length, job->inner};
  window_extent(y, sizes, job->y_stride, y_size, &y_low, &y_high);
  if (!outputs) sizes[1] = job->n;
  window_extent(x, sizes, outputs ? job->y_stride : job->x_stride, x_size, &x_low, &x_high);
  return x_low < y_high && y_low < x_high;
}

bool window_shared(const window_job *job, const void *grad, const void *x, const void *grad_x) {
  window_job samples = *job;
  for (int i = 0; i < 3; i++) samples.y_stride[i] = job->x_stride[i];
  samples.length = job->n;
  return (job->length && window_overlap(job, false, grad_x, job->size, grad, job->size)) ||
         (x && window_overlap(&samples, false, x, job->size, grad_x, job->size));
}

/* Panels of columns are done one after the other. With a dilation they are of different samples, of
 * which edges and strides would mix those done with those to do. */
bool window_same(const window_job *job, const void *x, const void *y, int64_t begin, int64_t end) {
  if (job->dilation > 1) return false;
  if (x != y || !job->x_flat || !job->y_flat || job->length > job->n) return false;
  if (job->outer > 1 &&
      (job->x_stride[0] != job->n * job->inner || job->y_stride[0] != job->length * job->inner))
    return false;
  return begin == 0 && end == job->outer * job->panels * job->chunks;
}

#endif
