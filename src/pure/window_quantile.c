/* Sliding-window quantiles: every column of places goes by itself through blocks of sorted samples
 * (window_rank.c) or, where it is short, through numbers kept in order (window_order.c). Both types are
 * doubles on the way. Gradients go the same way once more, in units of samples, over all windows that see
 * these. */
#include "pure/kernel.h"
#include "pure/window.h"
#include "pure/window_order.h"
#include "pure/window_rank.h"

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Fewer samples are not worth a sort's preparations; a block has so many at least, and some windows. */
#define FEW_SAMPLES   512
#define BLOCK_SAMPLES 4096
#define BLOCK_WINDOWS 4
#define MOST_SAMPLES  (INT64_C(1) << 31)

typedef struct quantile_call {
  window_job w;
  window_order order;
  window_rank rank;
  bool blocks;   /* the window is in `rank`, else in `order` */
  int64_t start; /* the block's first sample                 */
  bool plain;    /* all samples of the block are numbers     */
  int64_t count, nans, nan_tag;
  bool ignore; /* NaN */
  double q;
  rill_window_quantile_method method;
  int64_t ranked, low, high; /* for so many numbers */
  double weight, pad;
  bool back; /* a backward: with */
  const char *grad;
  char *grad_x;
  int64_t o, column;                    /* the column's */
  int64_t phase, x, y;                  /* elements from the start of x and y */
  int64_t row, end, first_column, last; /* the unit of a backward: rows and columns of samples */
} quantile_call;

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- samples ---------------------------------------------------------------------------------- */

static double load(const quantile_call *c, const char *x, int64_t i) {
  return c->w.size == 4 ? (double)((const float *)(const void *)x)[i]
                        : ((const double *)(const void *)x)[i];
}

static void store(const quantile_call *c, char *y, int64_t i, double v) {
  if (c->w.size == 4)
    ((float *)(void *)y)[i] = (float)v;
  else
    ((double *)(void *)y)[i] = v;
}

/* Is there anything at sample p, and what? *at is its number, or -1 of the pad value. A zero is +0, so that
 * zeros are equal to both who keep order. */
static bool fetch(const quantile_call *c, int64_t p, double *v, int64_t *at) {
  const window_job *w = &c->w;
  int64_t step, run;
  bool inside = p >= 0 && p < w->n;
  if (!inside && w->edge == RILL_WINDOW_IGNORE) return false;
  *at = inside ? p : window_stretch(w, p, &step, &run);
  *v = (*at < 0 ? c->pad : load(c, w->x, c->x + *at * w->x_stride[1])) + 0.0;
  return true;
}

/* ---- windows ---------------------------------------------------------------------------------- */

/* A rank of the window that is c->low, or c->high, which follows it or is the same. */
static double picked(quantile_call *c, bool high, int64_t *at) {
  int64_t rank = high ? c->high : c->low;
  double v = 0;
  if (!c->blocks) {
    if (c->order.tag) *at = window_order_tag(&c->order, rank);
    return window_order_at(&c->order, rank);
  }
  int64_t sample =
      high && c->high > c->low ? window_rank_next(&c->rank) : window_rank_sample(&c->rank, rank);
  fetch(c, c->start + sample * c->w.dilation, &v, at);
  return v;
}

/* The gradient of sample `at`, which may be none or another unit's. */
static void give(const quantile_call *c, int64_t at, double g) {
  const window_job *w = &c->w;
  int64_t d = w->dilation, column = at % d * w->inner + c->column % w->inner;
  int64_t to = c->x + at * w->x_stride[1];
  if (at < 0 || at / d < c->row || at / d >= c->end) return;
  if (column < c->first_column || column >= c->last) return;
  /* Rounded before it is added, as an addition of floats would be. */
  store(c, c->grad_x, to, load(c, c->grad_x, to) + (w->size == 4 ? (double)(float)g : g));
}

/* The window of place o, whose numbers are at hand: its quantile, or its gradient's way, if `stride` picks
 * the place. Divisions take long, hence not by 1. */
static void emit(quantile_call *c, int64_t o) {
  int64_t low_at = -1, high_at = -1, stride = c->w.stride, output = stride > 1 ? o / stride : o;
  if (output * stride != o) return;
  int64_t y = c->y + output * c->w.y_stride[1];
  double g = c->back ? load(c, c->grad, y) : 0, v = __builtin_nan("");
  bool any = c->count > 0 && (c->ignore || c->nans == 0);
  if (any && c->ranked != c->count) {
    c->ranked = c->count;
    window_order_ranks(c->q, c->method, c->count, &c->low, &c->high, &c->weight);
  }
  if (any) v = picked(c, false, &low_at);
  if (any && c->weight > 0) v = window_order_between(v, picked(c, true, &high_at), c->weight);
  if (!c->back)
    store(c, c->w.y, y, v);
  else if (any) {
    give(c, low_at, (1 - c->weight) * g);
    give(c, high_at, c->weight * g);
  } else if (c->nans > 0 && !c->ignore)
    give(c, c->nan_tag, g);
}

/* ---- a column --------------------------------------------------------------------------------- */

/* Sample i of the block comes into the window, or goes out. */
static void block_in(quantile_call *c, int64_t i) {
  double v = 0;
  int64_t at = -1;
  if (!c->plain && !fetch(c, c->start + i * c->w.dilation, &v, &at)) return;
  if (v == v)
    window_rank_in(&c->rank, i);
  else
    c->nans++, c->nan_tag = at;
}

static void block_out(quantile_call *c, int64_t i) {
  double v = 0;
  int64_t at = -1;
  if (!c->plain && !fetch(c, c->start + i * c->w.dilation, &v, &at)) return;
  if (v == v)
    window_rank_out(&c->rank, i);
  else
    c->nans--;
}

/* `windows` windows from place o on, through one block. */
static void one_block(quantile_call *c, int64_t o, int64_t windows) {
  const window_job *w = &c->w;
  double v;
  int64_t at, samples = windows + w->k - 1;
  c->start = o - w->lead;
  c->nans = 0;
  window_rank_begin(&c->rank);
  for (int64_t i = 0; i < samples; i++)
    if (fetch(c, c->start + i * w->dilation, &v, &at) && v == v) window_rank_put(&c->rank, i, v);
  window_rank_sort(&c->rank);
  c->plain = c->rank.numbers == samples;
  for (int64_t i = 0; i < w->k - 1; i++) block_in(c, i);
  for (int64_t i = 0; i < windows; i++, o += w->dilation) {
    block_in(c, i + w->k - 1);
    c->count = c->rank.count;
    emit(c, o);
    block_out(c, i);
  }
}

/* The window goes on by one sample: p comes in and, but for the first windows, what came in a window before
 * goes out. */
static void order_on(quantile_call *c, int64_t p, bool out) {
  const window_job *w = &c->w;
  int64_t gone = p - w->k * w->dilation, at = 0;
  double v = 0;
  out = out && (w->edge != RILL_WINDOW_IGNORE || (gone >= 0 && gone < w->n));
  if (!fetch(c, p, &v, &at)) {
    if (out) window_order_pop(&c->order);
  } else if (out)
    window_order_roll(&c->order, v, at);
  else
    window_order_push(&c->order, v, at);
}

static void one_by_one(quantile_call *c, int64_t o, int64_t windows) {
  const window_job *w = &c->w;
  int64_t p = o - w->lead;
  window_order_clear(&c->order);
  for (int64_t i = 1 - w->k; i < windows; i++, p += w->dilation) {
    order_on(c, p, i > 0);
    if (i < 0) continue;
    c->count = c->order.count;
    c->nans = c->order.nans;
    c->nan_tag = c->order.nan_tag;
    emit(c, o + i * w->dilation);
  }
}

/* Windows of a block at most. */
static int64_t block_windows(const window_job *w) {
  int64_t most = BLOCK_SAMPLES - w->k + 1, few = (BLOCK_WINDOWS - 1) * w->k;
  return most > few ? most : few;
}

/* Is it sorted in blocks? */
static bool in_blocks(const window_job *w, int64_t windows) {
  return windows + w->k > FEW_SAMPLES && block_windows(w) + w->k < MOST_SAMPLES;
}

/* Windows of rows `row` ... `end` of a column. */
static void run_column(quantile_call *c, int64_t column, int64_t row, int64_t end) {
  const window_job *w = &c->w;
  int64_t i = column % w->inner, o = row * w->dilation + column / w->inner;
  c->column = column;
  c->x = c->o * w->x_stride[0] + i * w->x_stride[2];
  c->y = c->o * w->y_stride[0] + i * w->y_stride[2];
  if (row >= end || o >= w->dense) return;
  int64_t windows = lesser(end - row, (w->dense - 1 - o) / w->dilation + 1);
  c->blocks = in_blocks(w, windows);
  if (!c->blocks) {
    one_by_one(c, o, windows);
    return;
  }
  /* All blocks of one size, for a small last one would cost as much. */
  int64_t most = block_windows(w), parts = (windows - 1) / most + 1,
          part = (windows - 1) / parts + 1;
  for (; windows > 0; windows -= part, o += part * w->dilation)
    one_block(c, o, lesser(part, windows));
}

/* ---- units ------------------------------------------------------------------------------------ */

static void quantile_units(quantile_call *c, int64_t begin, int64_t end) {
  const window_job *w = &c->w;
  for (int64_t units; begin < end; begin += units) {
    int64_t panel = begin / w->chunks, first = begin % w->chunks;
    units = lesser(w->chunks - first, end - begin);
    int64_t row = first * w->chunk_rows, stop = (first + units) * w->chunk_rows;
    int64_t column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    int64_t last = lesser(column + WINDOW_UNIT_COLUMNS, w->wide);
    c->o = panel / w->panels;
    for (; column < last; column++) run_column(c, column, row, lesser(stop, w->rows));
  }
}

/* All windows of a column that see samples of the unit: those around it and, where an edge repeats samples,
 * those that look beyond an end; in their order, and each once. */
static void column_windows(quantile_call *c, int64_t column) {
  const window_job *w = &c->w;
  int64_t lead = w->lead / w->dilation, done = 0;
  int64_t rows[3][2] = {{0, lead},
                        {c->row + lead - w->k + 1, c->end + lead},
                        {w->n / w->dilation + lead - w->k + 1, w->rows}};
  if (w->edge < RILL_WINDOW_NEAREST) rows[0][1] = 0, rows[2][0] = w->rows;
  bool turned = rows[2][0] < rows[1][0];
  for (int i = 0; i < 3; i++) {
    const int64_t *part = rows[turned && i ? 3 - i : i];
    int64_t end = lesser(part[1], w->rows);
    run_column(c, column, part[0] < done ? done : part[0], end);
    if (end > done) done = end;
  }
}

static void clear_unit(const quantile_call *c) {
  const window_job *w = &c->w;
  for (int64_t row = c->row; row < c->end; row++)
    for (int64_t column = c->first_column; column < c->last; column++) {
      int64_t place = row * w->dilation + column / w->inner, i = column % w->inner;
      int64_t to = c->o * w->x_stride[0] + place * w->x_stride[1] + i * w->x_stride[2];
      if (place < w->n) store(c, c->grad_x, to, 0);
    }
}

static void quantile_back_units(quantile_call *c, int64_t begin, int64_t end) {
  const window_job *w = &c->w;
  int64_t chunks = window_backward_chunks(w), samples = (w->n - 1) / w->dilation + 1;
  /* With a dilation a sample's repetitions lie in any columns. */
  bool all = w->edge >= RILL_WINDOW_NEAREST && w->dilation > 1;
  for (; begin < end; begin++) {
    int64_t panel = begin / chunks;
    c->o = panel / w->panels;
    c->row = begin % chunks * w->chunk_rows;
    c->end = lesser(c->row + w->chunk_rows, samples);
    c->first_column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    c->last = lesser(c->first_column + WINDOW_UNIT_COLUMNS, w->wide);
    clear_unit(c);
    int64_t column = all ? 0 : c->first_column, last = all ? w->wide : c->last;
    for (; column < last; column++) column_windows(c, column);
  }
}

/* ---- calls ------------------------------------------------------------------------------------ */

/* A column is short or not as a whole or in units, hence room for both. */
static size_t quantile_lay(quantile_call *c, char *memory) {
  const window_job *w = &c->w;
  bool tags = c->back || !memory;
  int64_t most = lesser(block_windows(w), w->rows) + w->k;
  size_t blocks = in_blocks(w, w->rows) ? window_rank_bytes(most) : 0;
  size_t order = w->k <= FEW_SAMPLES || !blocks ? window_order_bytes(w->k, tags) : 0;
  if (memory && order) window_order_init(&c->order, w->k, tags, memory);
  if (memory && blocks) window_rank_init(&c->rank, most, w->size == 4, memory);
  return blocks > order ? blocks : order;
}

static size_t quantile_workspace(window_type type, const rill_window_params *p) {
  quantile_call c = {.ranked = 0};
  if (window_float_job(type, p, NULL, &c.w) != RILL_OK) return 0;
  return quantile_lay(&c, NULL) + 8;
}

/* y is that of a forward. */
static rill_status quantile(quantile_call *c, window_type type, const rill_window_params *p,
                            const void *x, void *y, int64_t begin, int64_t end, void *workspace) {
  window_job *w = &c->w;
  rill_status status = window_float_job(type, p, x, w);
  if (status != RILL_OK) return status;
  if (!(c->q >= 0 && c->q <= 1) || c->method < RILL_WINDOW_QUANTILE_LINEAR ||
      c->method > RILL_WINDOW_QUANTILE_MIDPOINT)
    return RILL_ERROR_ARGUMENT;
  int64_t chunks = c->back ? window_backward_chunks(w) : w->chunks;
  if (begin < 0 || end < begin || end > w->outer * w->panels * chunks) return RILL_ERROR_ARGUMENT;
  if (begin == end) return RILL_OK;
  bool nothing = c->back ? !c->grad_x || (!c->grad && w->length) : !y;
  if (nothing || !x || !workspace) return RILL_ERROR_ARGUMENT;
  if (c->back ? window_shared(w, c->grad, x, c->grad_x)
              : window_overlap(w, false, x, w->size, y, w->size))
    return RILL_ERROR_ARGUMENT;
  w->y = y;
  c->pad = type == WINDOW_F32 ? (double)(float)p->pad : p->pad;
  c->ignore = p->nan == RILL_WINDOW_NAN_IGNORE;
  quantile_lay(c, (char *)workspace + (-(uintptr_t)workspace & 7));
  (c->back ? quantile_back_units : quantile_units)(c, begin, end);
  return RILL_OK;
}

size_t rill_window_quantile_workspace_f32(const rill_window_params *p) {
  return quantile_workspace(WINDOW_F32, p);
}

rill_status rill_window_quantile_f32(const rill_window_params *p, double q,
                                     rill_window_quantile_method method, const float *x, float *y,
                                     int64_t begin, int64_t end, void *workspace) {
  quantile_call c = {.q = q, .method = method};
  return quantile(&c, WINDOW_F32, p, x, y, begin, end, workspace);
}

rill_status rill_window_quantile_backward_f32(const rill_window_params *p, double q,
                                              rill_window_quantile_method method, const float *grad,
                                              const float *x, float *grad_x, int64_t begin,
                                              int64_t end, void *workspace) {
  quantile_call c = {
      .q = q, .method = method, .back = true, .grad = (const char *)grad, .grad_x = (char *)grad_x};
  return quantile(&c, WINDOW_F32, p, x, NULL, begin, end, workspace);
}

size_t rill_window_quantile_workspace_f64(const rill_window_params *p) {
  return quantile_workspace(WINDOW_F64, p);
}

rill_status rill_window_quantile_f64(const rill_window_params *p, double q,
                                     rill_window_quantile_method method, const double *x, double *y,
                                     int64_t begin, int64_t end, void *workspace) {
  quantile_call c = {.q = q, .method = method};
  return quantile(&c, WINDOW_F64, p, x, y, begin, end, workspace);
}

rill_status rill_window_quantile_backward_f64(const rill_window_params *p, double q,
                                              rill_window_quantile_method method,
                                              const double *grad, const double *x, double *grad_x,
                                              int64_t begin, int64_t end, void *workspace) {
  quantile_call c = {
      .q = q, .method = method, .back = true, .grad = (const char *)grad, .grad_x = (char *)grad_x};
  return quantile(&c, WINDOW_F64, p, x, NULL, begin, end, workspace);
}

#undef FEW_SAMPLES
#undef BLOCK_SAMPLES
#undef BLOCK_WINDOWS
#undef MOST_SAMPLES
#endif
