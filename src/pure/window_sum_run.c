/* What a call of the sliding sums and means checks, and the way of units through panels: window_sum.h. */
#include "pure/kernel.h"
#include "pure/window_sum.h"

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Where rows from `row` on go at once, if they lie in y as in the tile; else NULL. *pitch: from one row of
 * groups to the next. */
static char *sum_target(const window_sum *s, int64_t row, int64_t rows, int64_t *pitch) {
  const window_job *w = s->t.job;
  bool narrow = s->t.columns != w->wide;
  *pitch = narrow ? w->wide : s->width;
  if (!w->y_flat || w->stride != 1 || (row + rows) * w->wide > w->dense * w->inner) return NULL;
  if (s->direct ? narrow : s->width != s->pitch || (narrow && s->group != 1)) return NULL;
  return w->y + (s->t.y + window_row_places(&s->t, row) - w->first * w->inner) * w->size;
}

bool window_sum_cut(const window_job *w) {
  int64_t reach = (w->k - 1) * w->dilation;
  return w->edge == RILL_WINDOW_IGNORE && (w->lead > 0 || w->dense - 1 - w->lead + reach >= w->n);
}

/* Do all windows of these rows see only samples? */
static bool rows_whole(const window_job *w, int64_t row, int64_t rows) {
  int64_t first = row * w->dilation - w->lead, last = (row + rows) * w->dilation - 1 - w->lead;
  return first >= 0 && last + (w->k - 1) * w->dilation < w->n;
}

/* Of `rows` rows of a chunk's results in s->out. */
static void divide_rows(const window_sum *s, int64_t row, int64_t rows) {
  int64_t u = s->t.columns, together = u == s->t.job->wide ? rows : 1;
  for (int64_t r = 0; r < rows; r += together)
    window_sum_divide_cut(s, s->t.job, window_row_places(&s->t, row + r), together * u,
                          s->out + r * u * s->t.size);
}

/* One chunk, from row `at` on, of which outputs are rows `row` ... `end`. */
static void chunk_out(window_sum *s, window_sum *count, int64_t at, int64_t rows, int64_t row,
                      int64_t end) {
  int64_t all = rows * s->group, pitch, u = s->t.columns;
  bool cut = s->cut && !rows_whole(s->t.job, at, all);
  bool plain = !count && !cut && at >= row && at + all <= end;
  char *y = plain ? sum_target(s, at, all, &pitch) : NULL;
  if (!y) pitch = s->width;
  window_sum_next(s, rows, y ? y : s->out, pitch, cut ? 1 : s->divisor);
  if (cut) divide_rows(s, at, all);
  if (count) {
    window_sum_next(count, rows, count->out, count->width, 1);
    s->loops.divide_each(s->out, count->out, all * u);
  }
  int64_t from = at < row ? row : at, to = window_least(at + all, end);
  if (!y) window_put_rows(&s->t, from, to - from, s->out + (from - at) * u * s->t.size);
}

static void take_tail(window_sum *s) {
  char *kept = s->t.tail;
  const window_job *w = s->t.job;
  s->t.tail = NULL;
  if (kept)
    window_take_rows(&s->t, s->t.tail_row, w->rows + w->k + 3 * s->group - s->t.tail_row, kept);
  s->t.tail = kept;
}

void window_sum_rows_out(window_sum *s, window_sum *count, int64_t row, int64_t end) {
  int64_t at = row - row % s->group;
  take_tail(s);
  window_sum_start(s, at, end);
  if (count) {
    take_tail(count);
    window_sum_start(count, at, end);
  }
  for (int64_t rows; at < end; at += rows * s->group) {
    rows = window_least(s->chunk, (end - at + s->group - 1) / s->group);
    chunk_out(s, count, at, rows, row, end);
  }
}

/* ---- units ------------------------------------------------------------------------------------ */

typedef struct sum_call {
  window_job w;
  bool mean, numbers;
  window_sum s, count;
} sum_call;

static size_t begin_panel(sum_call *c, int64_t columns, char *workspace) {
  window_sum_plan(&c->s, &c->w, c->numbers ? WINDOW_SUM_NUMBERS : WINDOW_SUM_SAMPLES, columns);
  size_t bytes = window_sum_lay(&c->s, workspace);
  if (!c->mean) return bytes;
  if (!c->numbers) {
    c->s.divisor = (double)c->w.k;
    c->s.cut = window_sum_cut(&c->w);
    return bytes;
  }
  window_sum_plan(&c->count, &c->w, WINDOW_SUM_COUNTS, columns);
  return bytes + window_sum_lay(&c->count, workspace ? workspace + bytes : NULL);
}

static void run_sum_panel(sum_call *c, int64_t o, int64_t column, int64_t row, int64_t end) {
  window_sum *both[2] = {&c->s, c->mean && c->numbers ? &c->count : NULL};
  for (int i = 0; i < 2 && both[i]; i++) {
    both[i]->t.x = c->w.x + o * c->w.x_stride[0] * c->w.size;
    both[i]->t.y = o * c->w.y_stride[0];
    both[i]->t.column = column;
  }
  window_sum_rows_out(both[0], both[1], row, end);
}

/* Units that follow each other down a panel are done in one go. */
static void run_sums(sum_call *c, int64_t begin, int64_t end, char *workspace) {
  const window_job *w = &c->w;
  for (int64_t units; begin < end; begin += units) {
    int64_t panel = begin / w->chunks, first = begin % w->chunks, columns;
    units = window_least(w->chunks - first, end - begin);
    int64_t row = first * w->chunk_rows, stop = (first + units) * w->chunk_rows;
    int64_t column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    int64_t last = window_least(w->wide, column + WINDOW_UNIT_COLUMNS);
    for (; column < last; column += columns) {
      columns = window_least(window_sum_panel(w), last - column);
      if (columns != c->s.t.columns) begin_panel(c, columns, workspace);
      run_sum_panel(c, panel / w->panels, column, row, window_least(w->rows, stop));
    }
  }
}

/* ---- faces ------------------------------------------------------------------------------------ */

static size_t sum_workspace(window_type type, const rill_window_params *p) {
  sum_call c = {.mean = true, .numbers = true};
  if (window_float_job(type, p, NULL, &c.w) != RILL_OK) return 0;
  int64_t panel = window_sum_panel(&c.w);
  int64_t sizes[2] = {window_least(c.w.wide, panel), c.w.wide % panel};
  size_t most = window_sum_backward_bytes(&c.w);
  for (int i = 0; i < 2; i++) {
    size_t bytes = sizes[i] ? begin_panel(&c, sizes[i], NULL) : 0;
    if (bytes > most) most = bytes;
  }
  return most + WINDOW_VECTOR;
}

static rill_status sums(window_type type, const rill_window_params *p, const void *x, void *y,
                        bool mean, int64_t begin, int64_t end, void *workspace) {
  sum_call c = {.mean = mean};
  window_job *w = &c.w;
  rill_status status = window_float_job(type, p, x, w);
  if (status != RILL_OK) return status;
  if (begin < 0 || end < begin || end > w->outer * w->panels * w->chunks)
    return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  if (!x || !y || !workspace) return RILL_ERROR_ARGUMENT;
  w->in_place = window_same(w, x, y, begin, end);
  if (!w->in_place && window_overlap(w, false, x, w->size, y, w->size)) return RILL_ERROR_ARGUMENT;
  c.numbers = p->nan == RILL_WINDOW_NAN_IGNORE;
  w->y = y;
  run_sums(&c, begin, end, (char *)workspace + (-(uintptr_t)workspace & (WINDOW_VECTOR - 1)));
  return RILL_OK;
}

size_t rill_window_sum_workspace_f32(const rill_window_params *p) {
  return sum_workspace(WINDOW_F32, p);
}

size_t rill_window_sum_workspace_f64(const rill_window_params *p) {
  return sum_workspace(WINDOW_F64, p);
}

rill_status rill_window_sum_f32(const rill_window_params *p, const float *x, float *y,
                                int64_t begin, int64_t end, void *workspace) {
  return sums(WINDOW_F32, p, x, y, false, begin, end, workspace);
}

rill_status rill_window_sum_f64(const rill_window_params *p, const double *x, double *y,
                                int64_t begin, int64_t end, void *workspace) {
  return sums(WINDOW_F64, p, x, y, false, begin, end, workspace);
}

rill_status rill_window_mean_f32(const rill_window_params *p, const float *x, float *y,
                                 int64_t begin, int64_t end, void *workspace) {
  return sums(WINDOW_F32, p, x, y, true, begin, end, workspace);
}

rill_status rill_window_mean_f64(const rill_window_params *p, const double *x, double *y,
                                 int64_t begin, int64_t end, void *workspace) {
  return sums(WINDOW_F64, p, x, y, true, begin, end, workspace);
}

#endif
