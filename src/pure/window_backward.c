/* The backward of sliding-window maxima and minima: each output's gradient goes to the sample that was
 * chosen. Memory sets the pace, so the baseline's code serves all instruction sets. */
#include "pure/kernel.h"
#include "pure/window.h"

#if defined KERNEL_BASELINE

/* Columns of a unit. */
#undef COLUMNS
#define COLUMNS 256

#if defined KERNEL_F32
int64_t rill_window_max_backward_units(const rill_window_params *p) {
  window_job job;
  if (window_plan(p, &job) != RILL_OK || job.n == 0) return 0;
  return job.outer * ((job.inner + COLUMNS - 1) / COLUMNS);
}
#endif

/* A unit: columns begin ... end of a row of [outer, n, inner]; at first of its outputs. */
typedef struct L(columns) {
  const real *grad;
  const int64_t *index;
  real *grad_x;
  int64_t begin, end;
} L(columns);

static L(columns) L(unit)(const window_job *w, const real *grad, const int64_t *index, real *grad_x,
                          int64_t unit) {
  int64_t panels = (w->inner + COLUMNS - 1) / COLUMNS, o = unit / panels;
  int64_t begin = unit % panels * COLUMNS;
  int64_t end = w->inner - begin < COLUMNS ? w->inner : begin + COLUMNS;
  int64_t at = o * w->y_stride[0];
  return (L(columns)){grad ? grad + at : NULL, index + at, grad_x + o * w->x_stride[0], begin, end};
}

static bool L(indices_fit)(const window_job *w, L(columns) u) {
  bool fit = true;
  for (int64_t i = 0; i < w->length; i++, u.index += w->y_stride[1])
    for (int64_t j = u.begin; j < u.end; j++) {
      int64_t at = u.index[j * w->y_stride[2]];
      fit &= at >= -1 && at < w->n;
    }
  return fit;
}

static void L(scatter)(const window_job *w, L(columns) u) {
  for (int64_t i = 0; i < w->n; i++)
    for (int64_t j = u.begin; j < u.end; j++) u.grad_x[i * w->x_stride[1] + j * w->x_stride[2]] = 0;
  for (int64_t i = 0; i < w->length; i++, u.index += w->y_stride[1], u.grad += w->y_stride[1])
    for (int64_t j = u.begin; j < u.end; j++) {
      int64_t at = u.index[j * w->y_stride[2]];
      if (at >= 0) u.grad_x[at * w->x_stride[1] + j * w->x_stride[2]] += u.grad[j * w->y_stride[2]];
    }
}

rill_status KERNEL_PUBLIC(window_max_backward)(const rill_window_params *p, const real *grad,
                                               const int64_t *index, real *grad_x, int64_t begin,
                                               int64_t end) {
  window_job job;
  rill_status status = window_plan(p, &job);
  if (status != RILL_OK) return status;
  if (begin < 0 || end < begin || end > rill_window_max_backward_units(p))
    return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  if (!grad_x || (job.length > 0 && (!grad || !index))) return RILL_ERROR_ARGUMENT;
  if (job.length > 0 && (window_overlap(&job, false, grad_x, sizeof(real), grad, sizeof(real)) ||
                         window_overlap(&job, false, grad_x, sizeof(real), index, sizeof *index)))
    return RILL_ERROR_ARGUMENT;
  for (int64_t u = begin; u < end; u++)
    if (!L(indices_fit)(&job, L(unit)(&job, grad, index, grad_x, u))) return RILL_ERROR_INDEX;
  for (int64_t u = begin; u < end; u++) L(scatter)(&job, L(unit)(&job, grad, index, grad_x, u));
  return RILL_OK;
}

#undef COLUMNS
#endif
