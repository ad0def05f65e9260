/* The adjoint of sliding sums and means. Let g be the gradients of all places, zero where `stride` picks
 * none. The gradient of padded place q is the sum of g over the windows that see it: a sliding sum again, of
 * g, at full length. Samples get what is at their own place and, of an edge that repeats them, what is at
 * the places beyond the ends; units go over those once more, and take what is theirs. */
#include "pure/kernel.h"
#include "pure/window_sum.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

typedef struct adjoint_call {
  window_job w; /* of the forward, with the samples as x */
  window_job adjoint;
  bool mean, numbers;
  bool prepared; /* gradients go through `given` */
  window_sum s, count;
  char *given;
  char *grad_x;
  int64_t o, row, end, column, last; /* the unit: rows and columns of samples */
} adjoint_call;

static int64_t rows_up(const window_job *w, int64_t places) {
  return places / w->dilation + (places % w->dilation != 0);
}

static int64_t padded(const window_job *w) { return w->dense + (w->k - 1) * w->dilation; }

static void adjoint_job(adjoint_call *c, const char *grad) {
  const window_job *w = &c->w;
  window_job *a = &c->adjoint;
  *a = *w;
  a->n = w->dense;
  a->lead = (w->k - 1) * w->dilation;
  a->first = w->lead;
  a->dense = w->lead + w->n; /* of places beyond, none is put */
  a->length = w->n;
  a->stride = 1;
  a->rows = rows_up(w, padded(w));
  a->edge = RILL_WINDOW_IGNORE;
  memcpy(a->x_stride, w->y_stride, sizeof a->x_stride);
  memcpy(a->y_stride, w->x_stride, sizeof a->y_stride);
  a->x_flat = w->y_flat && w->stride == 1;
  a->y_flat = w->x_flat;
  a->in_place = false;
  a->x = grad;
  a->y = c->grad_x;
  c->prepared = w->stride > 1 || (c->mean && (c->numbers || window_sum_cut(w)));
}

static size_t lay(adjoint_call *c, int64_t columns, char *workspace) {
  size_t bytes;
  window_sum_plan(&c->s, &c->adjoint, WINDOW_SUM_SAMPLES, columns);
  bytes = window_sum_lay(&c->s, workspace);
  c->s.divisor = c->mean && !c->numbers && !window_sum_cut(&c->w) ? (double)c->w.k : 1;
  if (!c->prepared) return bytes;
  /* Rows of a unit, or beyond an end, and of the windows that see them. */
  int64_t rows = window_least(c->w.chunk_rows + 2 * c->w.k, c->w.rows);
  c->given = workspace ? workspace + bytes : NULL;
  bytes += (size_t)(rows * columns * c->w.size);
  if (!c->mean || !c->numbers) return bytes;
  bytes = (bytes + WINDOW_VECTOR - 1) / WINDOW_VECTOR * WINDOW_VECTOR;
  window_sum_plan(&c->count, &c->w, WINDOW_SUM_COUNTS, columns);
  return bytes + window_sum_lay(&c->count, workspace ? workspace + bytes : NULL);
}

size_t window_sum_backward_bytes(const window_job *w) {
  adjoint_call c = {.w = *w, .mean = true, .numbers = true};
  adjoint_job(&c, NULL);
  int64_t panel = window_sum_panel(w), sizes[2] = {window_least(w->wide, panel), w->wide % panel};
  size_t most = 0;
  for (int i = 0; i < 2; i++) {
    size_t bytes = sizes[i] ? lay(&c, sizes[i], NULL) : 0;
    if (bytes > most) most = bytes;
  }
  return most;
}

/* ---- gradients of all places ------------------------------------------------------------------ */

/* Of `count` places from place f on, of which `stride` picks some. */
static void spread(const adjoint_call *c, int64_t f, int64_t count, char *to) {
  const window_job *w = &c->w;
  const char *grad = c->s.t.x;
  memset(to, 0, (size_t)(count * w->size));
  for (int64_t m; count > 0; f += m, count -= m, to += m * w->size) {
    int64_t o = f / w->inner, i = f % w->inner;
    m = window_least(count, w->inner - i);
    if (o >= w->dense || o % w->stride) continue;
    int64_t from = o / w->stride * w->y_stride[1] + i * w->y_stride[2];
    for (int64_t j = 0; j < m; j++, from += w->y_stride[2])
      memcpy(to + j * w->size, grad + from * w->size, (size_t)w->size);
  }
}

/* By the numbers that the windows of rows `row` ... `end` see. */
static void divide_counted(adjoint_call *c, int64_t row, int64_t end, char *to) {
  window_sum *count = &c->count;
  int64_t u = count->t.columns, size = c->w.size, at = row - row % count->group;
  window_sum_start(count, at, end);
  for (int64_t rows; at < end; at += rows * count->group) {
    rows = window_least(count->chunk, (end - at + count->group - 1) / count->group);
    window_sum_next(count, rows, count->out, count->width, 1);
    int64_t from = at < row ? row : at, to_row = window_least(at + rows * count->group, end);
    for (int64_t r = from; r < to_row; r++) {
      int64_t valid = c->w.dense * c->w.inner - window_row_places(&count->t, r);
      c->s.loops.divide_each(to + (r - row) * u * size, count->out + (r - at) * u * size,
                             window_least(valid, u));
    }
  }
}

/* Puts the gradients that rows `row` ... `end` of the adjoint need into `given`. */
static void prepare(adjoint_call *c, int64_t row, int64_t end) {
  const window_job *w = &c->w;
  int64_t shift = w->k - 1, u = c->s.t.columns, together = u == w->wide ? end : 1;
  if (!c->prepared) return;
  row = row < shift ? 0 : row - shift;
  end = end < w->rows ? end : w->rows;
  c->s.given = NULL;
  if (w->stride == 1 && row < end) window_take_rows(&c->s.t, row + shift, end - row, c->given);
  for (int64_t r = row, rows; r < end; r += rows) {
    rows = window_least(together, end - r);
    int64_t f = window_row_places(&c->s.t, r), valid = w->dense * w->inner - f;
    char *to = c->given + (r - row) * u * w->size;
    if (w->stride > 1) spread(c, f, rows * u, to);
    if (c->mean && !c->numbers && window_sum_cut(w))
      window_sum_divide_cut(&c->s, w, f, window_least(valid, rows * u), to);
  }
  if (c->mean && c->numbers && row < end) divide_counted(c, row, end, c->given);
  c->s.given = c->given;
  c->s.given_row = row + shift;
  c->s.given_end = end + shift;
}

/* ---- beyond the ends -------------------------------------------------------------------------- */

/* Adds n gradients of place q and inner places from i on to the sample that the place repeats, if that
 * is the unit's. */
static void fold_place(const adjoint_call *c, int64_t q, int64_t i, int64_t n, const char *from) {
  const window_job *w = &c->w;
  int64_t step, run, at = q - w->lead;
  if (q >= padded(w) || (at >= 0 && at < w->n)) return;
  at = window_stretch(w, at, &step, &run);
  if (at < 0 || at / w->dilation < c->row || at / w->dilation >= c->end) return;
  int64_t column = at % w->dilation * w->inner + i, skip = c->column - column;
  if (skip < 0) skip = 0;
  n = window_least(n, c->last - column) - skip;
  if (n <= 0) return;
  int64_t to = c->o * w->x_stride[0] + at * w->x_stride[1] + (i + skip) * w->x_stride[2];
  c->s.loops.add(c->grad_x + to * w->size, w->x_stride[2], from + skip * w->size, n);
}

/* Rows from ... end of those that `out` begins with, the first of which is `at`. */
static void fold_rows(adjoint_call *c, int64_t at, int64_t from_row, int64_t end) {
  const window_job *w = &c->w;
  const char *from = c->s.out + (from_row - at) * c->s.t.columns * w->size;
  for (int64_t r = from_row, m; r < end; r++)
    for (int64_t j = 0; j < c->s.t.columns; j += m, from += m * w->size) {
      int64_t f = window_row_places(&c->s.t, r) + j, i = f % w->inner;
      m = window_least(w->inner - i, c->s.t.columns - j);
      fold_place(c, f / w->inner, i, m, from);
    }
}

/* Rows `row` ... `end` of the adjoint, of which only places beyond the ends count. */
static void fold(adjoint_call *c, int64_t row, int64_t end) {
  window_sum *s = &c->s;
  int64_t at = row - row % s->group;
  if (row >= end) return;
  prepare(c, at, end);
  window_sum_start(s, at, end);
  for (int64_t rows; at < end; at += rows * s->group) {
    rows = window_least(s->chunk, (end - at + s->group - 1) / s->group);
    window_sum_next(s, rows, s->out, s->width, s->divisor);
    /* What a group has before and behind may belong to the other end, which counts it, too. */
    fold_rows(c, at, at < row ? row : at, window_least(at + rows * s->group, end));
  }
}

/* ---- units ------------------------------------------------------------------------------------ */

/* Goes to a panel of at most `last` columns; returns how many it has. */
static int64_t open_panel(adjoint_call *c, int64_t column, int64_t last, char *workspace) {
  int64_t columns = window_least(window_sum_panel(&c->w), last - column);
  if (columns != c->s.t.columns) lay(c, columns, workspace);
  c->s.t.x = c->adjoint.x + c->o * c->w.y_stride[0] * c->w.size;
  c->s.t.y = c->o * c->w.x_stride[0];
  c->count.t.x = c->w.x + c->o * c->w.x_stride[0] * c->w.size;
  c->s.t.column = c->count.t.column = column;
  return columns;
}

/* NaN are not summed, and have no gradient. */
static void mask_unit(const adjoint_call *c) {
  const window_job *w = &c->w;
  for (int64_t r = c->row, m; r < c->end; r++)
    for (int64_t column = c->column; column < c->last; column += m) {
      int64_t place = r * w->dilation + column / w->inner, i = column % w->inner;
      m = window_least(w->inner - i, c->last - column);
      int64_t at = (c->o * w->x_stride[0] + place * w->x_stride[1] + i * w->x_stride[2]) * w->size;
      if (place < w->n)
        c->s.loops.mask(c->grad_x + at, w->x_stride[2], w->x + at, w->x_stride[2], m);
    }
}

static void run_unit(adjoint_call *c, char *workspace) {
  const window_job *w = &c->w;
  int64_t lead = w->lead / w->dilation, columns;
  for (int64_t column = c->column; column < c->last; column += columns) {
    columns = open_panel(c, column, c->last, workspace);
    prepare(c, lead + c->row, lead + c->end);
    window_sum_rows_out(&c->s, NULL, lead + c->row, lead + c->end);
  }
  if (w->edge >= RILL_WINDOW_NEAREST) {
    /* With a dilation a sample's repetitions lie in any columns. */
    bool all = w->dilation > 1;
    int64_t last = all ? w->wide : c->last;
    for (int64_t column = all ? 0 : c->column; column < last; column += columns) {
      columns = open_panel(c, column, last, workspace);
      fold(c, 0, lead);
      fold(c, (w->lead + w->n) / w->dilation, c->adjoint.rows);
    }
  }
  if (c->numbers) mask_unit(c);
}

static void run_units(adjoint_call *c, int64_t begin, int64_t end, char *workspace) {
  const window_job *w = &c->w;
  int64_t chunks = window_backward_chunks(w);
  for (; begin < end; begin++) {
    int64_t panel = begin / chunks, chunk = begin % chunks;
    c->o = panel / w->panels;
    c->row = chunk * w->chunk_rows;
    c->end = window_least(rows_up(w, w->n), c->row + w->chunk_rows);
    c->column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    c->last = window_least(w->wide, c->column + WINDOW_UNIT_COLUMNS);
    run_unit(c, workspace);
  }
}

static rill_status sums_backward(window_type type, const rill_window_params *p, const void *grad,
                                 const void *x, void *grad_x, bool mean, int64_t begin, int64_t end,
                                 void *workspace) {
  adjoint_call c = {.mean = mean};
  window_job *w = &c.w;
  rill_status status = window_float_job(type, p, x, w);
  if (status != RILL_OK) return status;
  c.numbers = p->nan == RILL_WINDOW_NAN_IGNORE;
  if (begin < 0 || end < begin || end > w->outer * w->panels * window_backward_chunks(w))
    return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  if ((!grad && w->length) || (!x && c.numbers) || !grad_x || !workspace)
    return RILL_ERROR_ARGUMENT;
  if (window_shared(w, grad, c.numbers ? x : NULL, grad_x)) return RILL_ERROR_ARGUMENT;
  c.grad_x = grad_x;
  adjoint_job(&c, grad);
  run_units(&c, begin, end, (char *)workspace + (-(uintptr_t)workspace & (WINDOW_VECTOR - 1)));
  return RILL_OK;
}

rill_status rill_window_sum_backward_f32(const rill_window_params *p, const float *grad,
                                         const float *x, float *grad_x, int64_t begin, int64_t end,
                                         void *workspace) {
  return sums_backward(WINDOW_F32, p, grad, x, grad_x, false, begin, end, workspace);
}

rill_status rill_window_sum_backward_f64(const rill_window_params *p, const double *grad,
                                         const double *x, double *grad_x, int64_t begin,
                                         int64_t end, void *workspace) {
  return sums_backward(WINDOW_F64, p, grad, x, grad_x, false, begin, end, workspace);
}

rill_status rill_window_mean_backward_f32(const rill_window_params *p, const float *grad,
                                          const float *x, float *grad_x, int64_t begin, int64_t end,
                                          void *workspace) {
  return sums_backward(WINDOW_F32, p, grad, x, grad_x, true, begin, end, workspace);
}

rill_status rill_window_mean_backward_f64(const rill_window_params *p, const double *grad,
                                          const double *x, double *grad_x, int64_t begin,
                                          int64_t end, void *workspace) {
  return sums_backward(WINDOW_F64, p, grad, x, grad_x, true, begin, end, workspace);
}

#endif
