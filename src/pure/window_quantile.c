/* Sliding-window quantiles: every column of places goes by itself through the numbers in order of
 * window_order.c. Their gradients go the same way once more, in units of samples, over all windows that see
 * these. */
#include "pure/kernel.h"
#include "pure/window.h"
#include "pure/window_order.h"

#include <string.h>

#if defined KERNEL_BASELINE

#undef ORDER
#undef TYPE
#define ORDER(name) KERNEL_NAME(window_order, name, KERNEL_TYPE)
#if defined KERNEL_F32
#define TYPE WINDOW_F32
#else
#define TYPE WINDOW_F64
#endif

typedef struct L(quantile_call) {
  window_job w;
  window_order order;
  double q;
  rill_window_quantile_method method;
  int64_t ranked, low, high; /* for so many numbers */
  double weight;
  real pad;
  const real *grad; /* of a backward */
  real *grad_x;
  const real *x; /* of the column */
  int64_t phase;
  int64_t row, end, column, last; /* the unit of a backward: rows and columns of samples */
} L(quantile_call);

/* ---- a window's way down a column -------------------------------------------------------------- */

/* Is there anything at sample p, and what? *at is its number, or -1 of the pad value. */
static bool L(fetch)(const L(quantile_call) * c, int64_t p, real *v, int64_t *at) {
  const window_job *w = &c->w;
  int64_t step, run;
  bool inside = p >= 0 && p < w->n;
  if (!inside && w->edge == RILL_WINDOW_IGNORE) return false;
  *at = inside ? p : window_stretch(w, p, &step, &run);
  *v = *at < 0 ? c->pad : c->x[*at * w->x_stride[1]];
  return true;
}

/* The window goes on by one sample: p comes in and, but for the first window, what came in a window before
 * goes out. */
static void L(advance)(L(quantile_call) * c, int64_t p, bool first) {
  const window_job *w = &c->w;
  int64_t gone = p - w->k * w->dilation, at = 0;
  bool out = !first && (w->edge != RILL_WINDOW_IGNORE || (gone >= 0 && gone < w->n));
  real v = 0;
  if (!L(fetch)(c, p, &v, &at)) {
    if (out) ORDER(pop)(&c->order);
  } else if (out)
    ORDER(roll)(&c->order, v, at);
  else
    ORDER(push)(&c->order, v, at);
}

/* To the window of a row, or rather to all of it but the last sample. */
static void L(first_window)(L(quantile_call) * c, int64_t row) {
  const window_job *w = &c->w;
  int64_t p = row * w->dilation + c->phase - w->lead, at = 0;
  real v = 0;
  window_order_clear(&c->order);
  for (int64_t j = 1; j < w->k; j++, p += w->dilation)
    if (L(fetch)(c, p, &v, &at)) ORDER(push)(&c->order, v, at);
}

/* The ranks for as many numbers as there are. */
static void L(rank)(L(quantile_call) * c) {
  if (c->ranked == c->order.count) return;
  c->ranked = c->order.count;
  window_order_ranks(c->q, c->method, c->ranked, &c->low, &c->high, &c->weight);
}

static real L(quantile)(L(quantile_call) * c, bool ignore) {
  if (c->order.count == 0 || (c->order.nans > 0 && !ignore)) return (real)__builtin_nan("");
  L(rank)(c);
  real low = ORDER(at)(&c->order, c->low);
  if (c->weight == 0) return low;
  return (real)window_order_between(low, ORDER(at)(&c->order, c->high), c->weight);
}

/* Windows of rows `row` ... `end` of column `column`: their places are o, o + d ... */
static void L(column)(L(quantile_call) * c, int64_t o, int64_t column, int64_t row, int64_t end,
                      bool ignore) {
  const window_job *w = &c->w;
  int64_t i = column % w->inner, d = w->dilation;
  c->phase = column / w->inner;
  c->x = (const real *)(const void *)w->x + o * w->x_stride[0] + i * w->x_stride[2];
  real *y = (real *)(void *)w->y + o * w->y_stride[0] + i * w->y_stride[2];
  if (row * d + c->phase >= w->dense) return;
  L(first_window)(c, row);
  for (int64_t r = row, place = r * d + c->phase; r < end && place < w->dense; r++, place += d) {
    L(advance)(c, place - w->lead + (w->k - 1) * d, r == row);
    if (w->stride == 1 || place % w->stride == 0)
      y[place / w->stride * w->y_stride[1]] = L(quantile)(c, ignore);
  }
}

static void L(quantile_units)(L(quantile_call) * c, int64_t begin, int64_t end, bool ignore) {
  const window_job *w = &c->w;
  for (int64_t units; begin < end; begin += units) {
    int64_t panel = begin / w->chunks, first = begin % w->chunks, left = w->chunks - first;
    units = left < end - begin ? left : end - begin;
    int64_t row = first * w->chunk_rows, stop = (first + units) * w->chunk_rows;
    int64_t column = panel % w->panels * WINDOW_UNIT_COLUMNS, last = column + WINDOW_UNIT_COLUMNS;
    for (; column < last && column < w->wide; column++)
      L(column)(c, panel / w->panels, column, row, stop < w->rows ? stop : w->rows, ignore);
  }
}

/* ---- backward --------------------------------------------------------------------------------- */

/* Of sample `at`, which may be none or another unit's. */
static void L(give)(const L(quantile_call) * c, real *grad_x, int64_t i, int64_t at, real g) {
  const window_job *w = &c->w;
  int64_t d = w->dilation, column = at % d * w->inner + i;
  if (at < 0 || at / d < c->row || at / d >= c->end) return;
  if (column < c->column || column >= c->last) return;
  grad_x[at * w->x_stride[1]] += g;
}

/* A window's gradient. */
static void L(give_window)(L(quantile_call) * c, real *grad_x, int64_t i, real g, bool ignore) {
  if (c->order.nans > 0 && !ignore) {
    L(give)(c, grad_x, i, c->order.nan_tag, g);
    return;
  }
  if (c->order.count == 0) return;
  L(rank)(c);
  double low = 1 - c->weight;
  L(give)(c, grad_x, i, window_order_tag(&c->order, c->low), (real)(low * (double)g));
  if (c->weight == 0) return;
  L(give)(c, grad_x, i, window_order_tag(&c->order, c->high), (real)(c->weight * (double)g));
}

/* The gradients of windows of rows `row` ... `end` of a column. */
static void L(column_back)(L(quantile_call) * c, int64_t o, int64_t column, int64_t row,
                           int64_t end, bool ignore) {
  const window_job *w = &c->w;
  int64_t i = column % w->inner, d = w->dilation, x = o * w->x_stride[0] + i * w->x_stride[2];
  c->phase = column / w->inner;
  c->x = (const real *)(const void *)w->x + x;
  const real *grad = c->grad + o * w->y_stride[0] + i * w->y_stride[2];
  if (row >= end || row * d + c->phase >= w->dense) return;
  L(first_window)(c, row);
  for (int64_t r = row, place = r * d + c->phase; r < end && place < w->dense; r++, place += d) {
    L(advance)(c, place - w->lead + (w->k - 1) * d, r == row);
    if (place % w->stride) continue;
    L(give_window)(c, c->grad_x + x, i, grad[place / w->stride * w->y_stride[1]], ignore);
  }
}

/* All windows of a column that see samples of the unit: those around it and, where an edge repeats samples,
 * those that look beyond an end; in their order, and each once. */
static void L(column_windows)(L(quantile_call) * c, int64_t o, int64_t column, bool ignore) {
  const window_job *w = &c->w;
  int64_t lead = w->lead / w->dilation, done = 0;
  int64_t rows[3][2] = {{0, lead},
                        {c->row + lead - w->k + 1, c->end + lead},
                        {w->n / w->dilation + lead - w->k + 1, w->rows}};
  if (w->edge < RILL_WINDOW_NEAREST) rows[0][1] = 0, rows[2][0] = w->rows;
  bool turned = rows[2][0] < rows[1][0];
  for (int i = 0; i < 3; i++) {
    const int64_t *part = rows[turned && i ? 3 - i : i];
    int64_t row = part[0] < done ? done : part[0], end = part[1] < w->rows ? part[1] : w->rows;
    L(column_back)(c, o, column, row, end, ignore);
    if (end > done) done = end;
  }
}

static void L(clear_unit)(const L(quantile_call) * c, int64_t o) {
  const window_job *w = &c->w;
  for (int64_t row = c->row; row < c->end; row++)
    for (int64_t column = c->column; column < c->last; column++) {
      int64_t place = row * w->dilation + column / w->inner, i = column % w->inner;
      if (place < w->n)
        c->grad_x[o * w->x_stride[0] + place * w->x_stride[1] + i * w->x_stride[2]] = 0;
    }
}

static void L(back_units)(L(quantile_call) * c, int64_t begin, int64_t end, bool ignore) {
  const window_job *w = &c->w;
  int64_t chunks = window_backward_chunks(w), samples = (w->n - 1) / w->dilation + 1;
  /* With a dilation a sample's repetitions lie in any columns. */
  bool all = w->edge >= RILL_WINDOW_NEAREST && w->dilation > 1;
  for (; begin < end; begin++) {
    int64_t panel = begin / chunks, o = panel / w->panels;
    c->row = begin % chunks * w->chunk_rows;
    c->end = c->row + w->chunk_rows < samples ? c->row + w->chunk_rows : samples;
    c->column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    c->last = c->column + WINDOW_UNIT_COLUMNS;
    if (c->last > w->wide) c->last = w->wide;
    L(clear_unit)(c, o);
    int64_t column = all ? 0 : c->column, last = all ? w->wide : c->last;
    for (; column < last; column++) L(column_windows)(c, o, column, ignore);
  }
}

/* ---- calls ------------------------------------------------------------------------------------ */

size_t KERNEL_PUBLIC(window_quantile_workspace)(const rill_window_params *p) {
  window_job w;
  if (window_float_job(TYPE, p, NULL, &w) != RILL_OK) return 0;
  return window_order_bytes(sizeof(real), w.k, true) + 8;
}

static rill_status L(quantile_plan)(L(quantile_call) * c, const rill_window_params *p, double q,
                                    rill_window_quantile_method method, const real *x) {
  rill_status status = window_float_job(TYPE, p, x, &c->w);
  if (status != RILL_OK) return status;
  if (!(q >= 0 && q <= 1) || method < RILL_WINDOW_QUANTILE_LINEAR ||
      method > RILL_WINDOW_QUANTILE_MIDPOINT)
    return RILL_ERROR_ARGUMENT;
  c->q = q;
  c->method = method;
  c->pad = (real)p->pad;
  return RILL_OK;
}

static void L(order_start)(L(quantile_call) * c, bool tags, void *workspace) {
  char *memory = (char *)workspace + (-(uintptr_t)workspace & 7);
  window_order_init(&c->order, sizeof(real), c->w.k, tags, memory);
}

rill_status KERNEL_PUBLIC(window_quantile)(const rill_window_params *p, double q,
                                           rill_window_quantile_method method, const real *x,
                                           real *y, int64_t begin, int64_t end, void *workspace) {
  L(quantile_call) c = {.ranked = 0};
  window_job *w = &c.w;
  rill_status status = L(quantile_plan)(&c, p, q, method, x);
  if (status != RILL_OK) return status;
  if (begin < 0 || end < begin || end > w->outer * w->panels * w->chunks)
    return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  if (!x || !y || !workspace || window_overlap(w, false, x, w->size, y, w->size))
    return RILL_ERROR_ARGUMENT;
  w->y = (char *)y;
  L(order_start)(&c, false, workspace);
  L(quantile_units)(&c, begin, end, p->nan == RILL_WINDOW_NAN_IGNORE);
  return RILL_OK;
}

rill_status KERNEL_PUBLIC(window_quantile_backward)(const rill_window_params *p, double q,
                                                    rill_window_quantile_method method,
                                                    const real *grad, const real *x, real *grad_x,
                                                    int64_t begin, int64_t end, void *workspace) {
  L(quantile_call) c = {.grad = grad, .grad_x = grad_x};
  window_job *w = &c.w;
  rill_status status = L(quantile_plan)(&c, p, q, method, x);
  if (status != RILL_OK) return status;
  if (begin < 0 || end < begin || end > w->outer * w->panels * window_backward_chunks(w))
    return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  if ((!grad && w->length) || !x || !grad_x || !workspace || window_shared(w, grad, x, grad_x))
    return RILL_ERROR_ARGUMENT;
  L(order_start)(&c, true, workspace);
  L(back_units)(&c, begin, end, p->nan == RILL_WINDOW_NAN_IGNORE);
  return RILL_OK;
}

#undef ORDER
#undef TYPE
#endif
