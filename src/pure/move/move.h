/* Internal face of moving elements: what the tensor floor splits over its threads. Compiled once, not
 * per instruction set: memory sets the pace here. */
#ifndef RILL_SRC_PURE_MOVE_H
#define RILL_SRC_PURE_MOVE_H

#include "base/base.h"

/* ---- strided.c ---- */

typedef struct copy_axis {
  int64_t size, from, to; /* strides, in bytes */
} copy_axis;

/* A copy between two layouts of one shape, as a grid of two-dimensional blocks. */
typedef struct copy_plan {
  rill_dtype from_type, to_type;
  size_t from_size, to_size;
  const char *from;
  char *to;
  int outer; /* loops around the blocks */
  copy_axis loop[RILL_MAX_DIMS];
  copy_axis row, column; /* of the blocks; the target runs along the columns */
  int64_t rows, columns; /* of one block */
  int64_t row_blocks, column_blocks;
  bool tiled;
  int64_t blocks; /* in all: independent of one another */
  int64_t grain;  /* blocks that are worth a thread's while */
} copy_plan;

/* Plans the copy, converting where the types differ. shape and strides: ndim entries, trusted. */
void copy_make(copy_plan *p, int ndim, const int64_t *shape, rill_dtype from_type, const void *from,
               const int64_t *from_strides, rill_dtype to_type, void *to,
               const int64_t *to_strides);
/* Copies blocks [begin, end). */
void copy_blocks(const copy_plan *p, int64_t begin, int64_t end);

/* ---- convert.c ---- */

/* n contiguous elements converted. Float to integer truncates as a C cast; to bool is != 0. */
void convert(rill_dtype from_type, const void *from, rill_dtype to_type, void *to, int64_t n);

/* ---- arrange.c ---- */

/* Rows [begin, end) of all matrices, counted through: row i of a matrix of `rows` keeps its columns up
 * to i + diagonal (upper: from there on), and is zeros elsewhere. size: bytes of an element. */
void triangle_rows(const char *from, char *to, int64_t begin, int64_t end, int64_t rows,
                   int64_t cols, int64_t diagonal, size_t size, bool upper);

#endif
