/* Leads the sliding sums through the array, in tiles and blocks as window_run.c does the maxima: panels of
 * columns, every loop across flat memory in vectors of independent columns, sizes of samples as numbers.
 * Nothing is ever subtracted, so that a window's sum is of its own samples and of no others.
 *
 * Doubling: a[i] + a[i + s] + a[i + 2s] + a[i + 3s] makes sums of 4s samples of those of s. A window has as
 * many sums of each such size as the digits of its length say, in base 4, the smallest first. For short
 * windows that is all.
 *
 * The block form, for the others, is van Herk's with sums in place of maxima: window.c's, but for sums
 * windows must be cut into parts that do not overlap. Doubling goes to sums of `group` rows; samples that
 * far apart are columns of a matrix. A window has `block` of its rows and, as above, `rest` samples more.
 * Rows are seen in blocks that begin at multiples of `block`: a window is what is left of one, whose sums
 * from each row to the block's end are at hand (suffix), and the start of the next one (prefix). So three
 * additions a sample do for any window, and since blocks lie where they do whatever part of the outputs is
 * asked for, a sum's order of addition, and with it each bit, depends on sizes alone. */
#include "pure/kernel.h"
#include "pure/window_sum.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Bytes of the samples that are done at once, and of a tile's row: what the nearest cache holds. Groups are
 * chosen by the number of columns alone, so that both types add in the same order. */
#define SUM_CHUNK   8192
#define SUM_PANEL   2048
#define SUM_COLUMNS 16

/* ---- the layout of a tile --------------------------------------------------------------------- */

int64_t window_sum_panel(const window_job *w) { return SUM_PANEL / w->size; }

static void choose_sum_loops(window_sum *s, const window_job *w, window_sum_kind kind) {
  if (w->type == WINDOW_F32)
    rill_window_sum_loops_all_f32(&s->loops);
  else
    rill_window_sum_loops_all_f64(&s->loops);
  s->t.loops.take = kind == WINDOW_SUM_SAMPLES   ? s->loops.take_samples
                    : kind == WINDOW_SUM_NUMBERS ? s->loops.take_numbers
                                                 : s->loops.take_counts;
}

void window_sum_plan(window_sum *s, const window_job *w, window_sum_kind kind, int64_t columns) {
  int64_t group = 1, lanes = WINDOW_VECTOR / w->size;
  *s = (window_sum){.t = {.job = w, .size = w->size, .columns = columns}, .divisor = 1};
  choose_sum_loops(s, w, kind);
  while (group * columns < SUM_COLUMNS) group *= 4;
  /* Blocks of few rows cost more than another doubling does. */
  s->direct = w->k < 4 * group;
  s->group = s->direct ? 1 : group;
  for (int64_t most = s->direct ? w->k : group; most >= 4; most /= 4) s->passes++;
  s->block = s->direct ? 0 : w->k / group;
  s->halo = s->direct ? w->k - 1 : group - 1;
  s->stored = window_least(s->block, w->rows / s->group + 1);
  s->width = s->group * columns;
  s->pitch = (s->width + lanes - 1) / lanes * lanes;
  s->chunk = window_least((s->width > lanes ? 2 : 1) * SUM_CHUNK / (s->width * w->size),
                          w->rows / s->group + 1 + s->block);
  if (s->chunk < 1) s->chunk = 1;
  s->t.tail_row = (w->lead + w->n) / w->dilation;
}

/* Takes n samples and a vector from the workspace (or only counts their bytes). Arrays start at different
 * distances from multiples of 4 kB, since loads wait for stores that seem to be to their address. */
static char *sum_room(char *workspace, size_t *bytes, int64_t size, int64_t n) {
  size_t whole = ((size_t)(n * size) + 2 * WINDOW_VECTOR - 1) / WINDOW_VECTOR * WINDOW_VECTOR;
  char *at = workspace ? workspace + *bytes : NULL;
  *bytes += whole + 5 * WINDOW_VECTOR;
  return at;
}

/* Rows beyond the end that are read. */
static int64_t tail_rows(const window_sum *s) {
  const window_job *w = s->t.job;
  return w->rows + w->k + 3 * s->group - s->t.tail_row;
}

size_t window_sum_lay(window_sum *s, char *workspace) {
  const window_job *w = s->t.job;
  size_t bytes = 0;
  int64_t chunk = s->chunk * s->width, halo = s->halo * s->t.columns, tail = tail_rows(s);
  s->raw = sum_room(workspace, &bytes, w->size, chunk + halo);
  s->halos = sum_room(workspace, &bytes, w->size, halo);
  s->rest = sum_room(workspace, &bytes, w->size, chunk + halo);
  s->out = sum_room(workspace, &bytes, w->size, chunk);
  s->suffix = sum_room(workspace, &bytes, w->size, (s->stored + 1) * s->pitch);
  s->prefix = sum_room(workspace, &bytes, w->size, s->pitch);
  s->zero = sum_room(workspace, &bytes, w->size, s->pitch);
  if (workspace) memset(s->zero, 0, (size_t)(s->pitch * w->size));
  if (w->edge >= RILL_WINDOW_REFLECT && tail > 0) {
    char *kept = sum_room(workspace, &bytes, w->size, tail * s->t.columns);
    if (w->in_place) s->t.tail = kept;
  }
  return bytes;
}

/* ---- a tile's way ----------------------------------------------------------------------------- */

static void take_given(const window_sum *s, int64_t row, int64_t rows, char *to) {
  int64_t bytes = s->t.columns * s->t.size;
  for (int64_t r = row; r < row + rows; r++, to += bytes)
    if (r < s->given_row || r >= s->given_end)
      memset(to, 0, (size_t)bytes);
    else
      memcpy(to, s->given + (r - s->given_row) * bytes, (size_t)bytes);
}

static void take_rows(const window_sum *s, int64_t row, int64_t rows, char *to) {
  if (s->given)
    take_given(s, row, rows, to);
  else
    window_take_rows(&s->t, row, rows, to);
}

/* The pass that makes sums of 4 * step rows, or the last one of a window, of the first n samples. */
static window_sum_doubling doubling(const window_sum *s, int64_t step, int64_t n) {
  int64_t u = s->t.columns, k = s->t.job->k, digit = k / step;
  return (window_sum_doubling){
      .a = s->raw, .rest = s->rest, .n = n, .s = step * u, .off = k % step * u, .digit = digit % 4};
}

/* Puts `rows` more rows into raw, with the halo that was read with the chunk before, makes sums of `group` of
 * them, and in `rest` those of what a window has beyond groups. */
static void sum_stage(window_sum *s, int64_t rows) {
  int64_t u = s->t.columns, n = rows * u, halo = s->halo * u, valid = n + halo, size = s->t.size;
  memcpy(s->raw, s->halos, (size_t)(halo * size));
  take_rows(s, s->next + s->halo, rows, s->raw + halo * size);
  s->next += rows;
  memcpy(s->halos, s->raw + n * size, (size_t)(halo * size));
  memset(s->raw + valid * size, 0, WINDOW_VECTOR);
  if (s->direct || s->t.job->k % s->group) memset(s->rest, 0, (size_t)(n * size + WINDOW_VECTOR));
  for (int64_t pass = 0, step = 1; pass < s->passes; pass++, step *= 4) {
    valid -= 3 * step * u;
    window_sum_doubling d = doubling(s, step, valid);
    s->loops.quad(&d);
  }
}

static void next_direct(window_sum *s, int64_t rows, char *y, double divisor) {
  sum_stage(s, rows);
  window_sum_doubling d = doubling(s, (int64_t)1 << 2 * s->passes, rows * s->t.columns);
  s->loops.quad_out(&d, divisor, y);
}

static void clear_prefix(window_sum *s) { memset(s->prefix, 0, (size_t)(s->pitch * s->t.size)); }

/* `rows` rows of raw from the r-th on, against those of suffix from the s-th on; sums go to y. Columns that a
 * last vector has beyond the width are the first ones of the row below and come out as these do: but for the
 * last row, which is why vectors go from the last to the first. */
static void sum_columns_down(window_sum *s, int64_t r, int64_t slot, int64_t rows, int64_t pitch,
                             char *y, int64_t y_pitch, double divisor) {
  int64_t size = s->t.size, first = r * s->width * size;
  bool rest = s->t.job->k % s->group != 0;
  window_sum_rows w = {
      .group = s->raw + first,
      .rest = rest ? s->rest + first : s->zero,
      .width = s->width,
      .rest_width = rest ? s->width : 0,
      .suffix = s->suffix + slot * s->pitch * size,
      .pitch = pitch,
      .prefix = s->prefix,
      .y = y,
      .y_pitch = y_pitch,
      .rows = rows,
      .vectors = s->pitch * size / WINDOW_VECTOR,
      .divisor = divisor,
  };
  s->loops.down(&w);
}

static void sum_columns_up(window_sum *s, int64_t slot, int64_t rows, const char *start) {
  for (int64_t b = 0; b < s->pitch * s->t.size; b += WINDOW_VECTOR)
    s->loops.up(s->suffix + slot * s->pitch * s->t.size + b, s->pitch, rows, start + b);
}

/* Reads rows into the suffix's slots from `slot` to `end`; their sum goes to prefix. */
static void sum_load(window_sum *s, int64_t slot, int64_t end, int64_t pitch) {
  for (int64_t rows; slot < end; slot += rows) {
    rows = window_least(s->chunk, end - slot);
    sum_stage(s, rows * s->group);
    sum_columns_down(s, 0, pitch ? slot : s->stored, rows, pitch, s->out, 0, 1);
  }
}

/* The suffixes of the block in which outputs begin, and its next block's prefix up to there. Where a block
 * has more rows than there are outputs, the others count in every window, and only their sum is kept. */
static void sum_first_block(window_sum *s) {
  sum_load(s, s->at, s->stored, s->pitch);
  clear_prefix(s);
  sum_load(s, s->stored, s->block, 0);
  sum_columns_up(s, s->at, s->stored - s->at, s->prefix);
  clear_prefix(s);
  sum_load(s, 0, s->at, s->pitch);
}

void window_sum_start(window_sum *s, int64_t row, int64_t end) {
  s->next = row;
  s->left = (end - row + s->group - 1) / s->group;
  take_rows(s, row, s->halo, s->halos);
  if (s->direct) return;
  s->at = row / s->group % s->block;
  clear_prefix(s);
  sum_first_block(s);
}

static void next_of_blocks(window_sum *s, int64_t rows, char *y, int64_t pitch, double divisor) {
  sum_stage(s, rows * s->group);
  s->left -= rows;
  for (int64_t r = 0, part; r < rows; r += part) {
    part = window_least(rows - r, s->block - s->at);
    sum_columns_down(s, r, s->at, part, s->pitch, y + r * pitch * s->t.size, pitch, divisor);
    s->at += part;
    if (s->at < s->block || s->left + rows - r - part == 0) continue;
    sum_columns_up(s, 0, s->block, s->zero);
    clear_prefix(s);
    s->at = 0;
  }
}

void window_sum_next(window_sum *s, int64_t rows, char *y, int64_t pitch, double divisor) {
  if (s->direct)
    next_direct(s, rows, y, divisor);
  else
    next_of_blocks(s, rows, y, pitch, divisor);
}

/* ---- means ------------------------------------------------------------------------------------ */

/* How many samples the window of place o sees, of those of a cut row. */
static int64_t seen(const window_job *w, int64_t o) {
  int64_t d = w->dilation, first = o - w->lead, last = w->n - 1 - first;
  int64_t j = first < 0 ? (-first + d - 1) / d : 0, end = last < 0 ? 0 : last / d + 1;
  end = window_least(end, w->k);
  return end > j ? end - j : 0;
}

void window_sum_divide_cut(const window_sum *s, const window_job *w, int64_t f, int64_t count,
                           char *y) {
  int64_t whole = w->n - (w->k - 1) * w->dilation + w->lead; /* where they end */
  for (int64_t m; count > 0; f += m, count -= m, y += m * w->size) {
    int64_t o = f / w->inner, places = o >= w->lead && o < whole ? whole - o : 1;
    m = window_least(count, places * w->inner - f % w->inner);
    s->loops.divide(y, (double)seen(w, o), m);
  }
}

#undef SUM_CHUNK
#undef SUM_PANEL
#undef SUM_COLUMNS
#endif
