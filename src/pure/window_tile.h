/* A tile of the sliding windows: what window_run.c, which leads it through the array, shares with
 * window_move.c, which brings samples in and results out. */
#ifndef RILL_SRC_PURE_WINDOW_TILE_H
#define RILL_SRC_PURE_WINDOW_TILE_H

#include "pure/window.h"

/* A panel of columns on its way; sizes are counts of keys or rows, arrays hold keys or positions. */
typedef struct window_tile {
  const window_job *job;
  window_loops loops;
  const char *x; /* the row of x */
  int64_t y;     /* the row of y and the indices: elements from their start */
  int64_t size;  /* of a key, in bytes */
  int64_t lanes; /* of a vector        */
  int64_t column, columns;
  bool lined;       /* neighbouring samples are neighbouring keys, and x is not written        */
  bool direct;      /* by doubling alone                                                       */
  int64_t base;     /* doubling goes to windows of `base` samples                              */
  int64_t group;    /* rows that make a row of the second algorithm; 1 for the first           */
  int64_t width;    /* columns * group                                                         */
  int64_t pitch;    /* width, in whole vectors                                                 */
  int64_t halo;     /* rows that the next chunk begins with, too                               */
  int64_t block;    /* rows of groups in a block                                               */
  int64_t stored;   /* of these, rows that are kept: no more than there are outputs            */
  int64_t chunk;    /* rows of groups done at once                                             */
  int64_t tail_row; /* rows from here on hold places beyond the end                            */
  int64_t halo_row; /* halos holds the rows from here on                                       */
  bool bare;        /* rows of x are as those of raw would be                                  */
  const char *m;    /* the maxima of a chunk: raw or, of keys as they are, x                   */
  int64_t m_width;  /* keys from one of its rows to the next                                   */
  char *raw, *halos, *out, *suffix, *prefix;
  char *lowest; /* what a prefix begins with */
  char *tail;   /* rows from tail_row on, if results could replace what they repeat; else NULL    */
  char *raw_at, *suffix_at, *prefix_at;
  bool counted; /* positions of raw follow each other */
} window_tile;

static inline int64_t window_least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Where the tile's row begins among all places. */
static inline int64_t window_row_places(const window_tile *t, int64_t row) {
  return row * t->job->wide + t->column;
}

static inline int64_t window_lowest_key(const window_tile *t) {
  return INT64_MIN >> (64 - 8 * t->size);
}

/* n keys of one value. */
void window_fill(const window_tile *t, char *to, int64_t value, int64_t n);

/* Keys of rows. */
void window_take_rows(const window_tile *t, int64_t row, int64_t rows, char *to);

/* Positions of keys: the rows' numbers. */
void window_place_rows(const window_tile *t, int64_t row, int64_t rows, char *at);

/* An index is a position less this; with a dilation it is more than that, see put_indices. */
static inline int64_t window_less(const window_job *w) { return w->dilation > 1 ? 0 : w->lead; }

/* Puts the rows' results, samples or indices, where they belong. */
void window_put_rows(const window_tile *t, int64_t row, int64_t rows, char *from);

/* Of the rows' indices that are where they belong, sets right those beyond the ends. */
void window_end_indices(const window_tile *t, int64_t row, int64_t rows, int64_t *index);

#endif
