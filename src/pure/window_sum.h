/* What the files of the sliding sums and means share: window_sum.c leads the way through the array,
 * window_sum_backward.c has the adjoint, window_sum_loops.c and window_sum_ends.c the loops that do the
 * work. Geometry, samples in
 * and results out are those of the maxima: window.h, window_tile.h. */
#ifndef RILL_SRC_PURE_WINDOW_SUM_H
#define RILL_SRC_PURE_WINDOW_SUM_H

#include "pure/window_tile.h"

/* ---- loops, for one type ---------------------------------------------------------------------- */

/* Some rows on their way down, as in window_rows. */
typedef struct window_sum_rows {
  const void *group, *rest; /* sums of a row, and of what a window has beyond whole rows */
  int64_t width, rest_width;
  void *suffix;
  int64_t pitch;
  void *prefix;
  void *y;
  int64_t y_pitch;
  int64_t rows, vectors;
  double divisor;
} window_sum_rows;

/* Sums of some size, s apart, of which a window has `digit` from off on. */
typedef struct window_sum_doubling {
  void *a, *rest;
  int64_t n, s, off, digit;
} window_sum_doubling;

/* Like those of the maxima they go by whole vectors, and may read and write as much beyond the end. */
typedef struct window_sum_loops {
  /* rest[i] += a[i + off] + a[i + off + s] ..., `digit` of them; then
   * a[i] = the sum of a[i], a[i + s], a[i + 2s], a[i + 3s] */
  void (*quad)(const window_sum_doubling *d);
  /* y[i] = (rest[i] + a[i + off] + a[i + off + s] ...) / divisor; writes n of them */
  void (*quad_out)(const window_sum_doubling *d, double divisor, void *y);
  /* In each row: y = (suffix + (prefix + rest)) / divisor; then prefix += group, suffix = group. The last
   * vector goes first. */
  void (*down)(const window_sum_rows *rows);
  /* A vector of columns, `rows` rows up: suffix[r] += suffix[r + 1] ... and start. */
  void (*up)(void *suffix, int64_t pitch, int64_t rows, const void *start);

  /* What window_move.c takes: to[i] = x[i]; or that, or 1, and 0 where it is NaN. In place, too. These and
   * those below keep to n numbers, and are compiled for the baseline alone. */
  void (*take_samples)(const window_keys *keys, const void *x, int64_t n, void *to,
                       int64_t x_ahead);
  void (*take_numbers)(const window_keys *keys, const void *x, int64_t n, void *to,
                       int64_t x_ahead);
  void (*take_counts)(const window_keys *keys, const void *x, int64_t n, void *to, int64_t x_ahead);
  void (*divide)(void *y, double divisor, int64_t n);
  void (*divide_each)(void *y, const void *divisors, int64_t n);
  void (*add)(void *y, int64_t step, const void *x, int64_t n);
  void (*mask)(void *y, int64_t y_step, const void *x, int64_t x_step, int64_t n); /* 0 where NaN */
} window_sum_loops;

/* The first four, and all of them. */
void rill_window_sum_loops_f32(window_sum_loops *loops);
void rill_window_sum_loops_f64(window_sum_loops *loops);
void rill_window_sum_loops_all_f32(window_sum_loops *loops);
void rill_window_sum_loops_all_f64(window_sum_loops *loops);

/* ---- a panel of columns on its way ------------------------------------------------------------- */

/* What is summed. */
typedef enum window_sum_kind {
  WINDOW_SUM_SAMPLES, /* samples                  */
  WINDOW_SUM_NUMBERS, /* those that are not NaN   */
  WINDOW_SUM_COUNTS,  /* 1 for each of these      */
} window_sum_kind;

typedef struct window_sum {
  window_tile t; /* of which window_move.c looks at job, loops.take, x, y, size, columns and tail */
  window_sum_loops loops;
  bool direct;    /* by doubling alone                             */
  int64_t group;  /* rows that make a row of the block form; or 1  */
  int64_t width;  /* columns * group                               */
  int64_t pitch;  /* width, in whole vectors                       */
  int64_t halo;   /* rows that the next chunk begins with, too     */
  int64_t passes; /* of doubling                                   */
  int64_t block;  /* rows of groups in a window, and in a block    */
  int64_t stored; /* of these, rows that are kept                  */
  int64_t chunk;  /* rows of groups done at once                   */
  int64_t at;     /* the place in the block of the next output     */
  int64_t next;   /* the row of the next group to read             */
  int64_t left;   /* rows of groups of outputs to come             */
  double divisor; /* of outputs                                    */
  bool cut;       /* but where windows are cut, what they see      */
  char *raw, *halos, *rest, *out, *suffix, *prefix, *zero;
  const char *
      given; /* unless NULL, rows given_row ... given_end are taken from here, others are nothing */
  int64_t given_row, given_end;
} window_sum;

/* Sizes of a panel of so many columns, and its arrays in the workspace; returns their bytes. NULL: only
 * these. */
void window_sum_plan(window_sum *s, const window_job *w, window_sum_kind kind, int64_t columns);
size_t window_sum_lay(window_sum *s, char *workspace);

/* From row `row` on, a multiple of the group, outputs come up to row `end`: so many rows of groups at a time
 * as `rows` says (at most `chunk`), `pitch` apart; y may be `out` with a pitch of the width. */
void window_sum_start(window_sum *s, int64_t row, int64_t end);
void window_sum_next(window_sum *s, int64_t rows, char *y, int64_t pitch, double divisor);

/* Divides results of `count` places from place f on by what the windows of w see. */
void window_sum_divide_cut(const window_sum *s, const window_job *w, int64_t f, int64_t count,
                           char *y);

/* Do some windows see less than others? */
bool window_sum_cut(const window_job *w);

/* Columns of a panel. */
int64_t window_sum_panel(const window_job *w);

/* Outputs of rows `row` ... `end` of a panel; divided by those of `count`, unless that is NULL. */
void window_sum_rows_out(window_sum *s, window_sum *count, int64_t row, int64_t end);

/* What the backward needs of the workspace. */
size_t window_sum_backward_bytes(const window_job *w);

#endif
