/* Copying between any two layouts of one shape. The dims are put in the target's order and joined
 * where both sides allow; what is left is a grid of two-dimensional blocks, copied row by row, or
 * tile by tile where source and target run along different dims, so that each cache line is fetched
 * once. */
#include "pure/move/move.h"
#include "rill/pure.h"

#include <string.h>

enum {
  BLOCK = 16384,  /* elements a block may have: also the unit of work */
  CHUNK = 256,    /* elements converted at a time where they must be gathered */
  TILE_ROWS = 16, /* elements along the source's dim: a cache line of f32 */
  TILE_COLUMNS = 32,
};

/* ---- elements ---- */

/* Called with constant sizes only, so that each memcpy is one load or store. */
static inline void elements(char *to, int64_t to_step, const char *from, int64_t from_step,
                            int64_t n, size_t size) {
  for (int64_t i = 0; i < n; i++) memcpy(to + i * to_step, from + i * from_step, size);
}

static void move(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n,
                 size_t size) {
  if (to_step == (int64_t)size && from_step == (int64_t)size) {
    memcpy(to, from, (size_t)n * size);
    return;
  }
  switch (size) {
  case 1: elements(to, to_step, from, from_step, n, 1); break;
  case 2: elements(to, to_step, from, from_step, n, 2); break;
  case 4: elements(to, to_step, from, from_step, n, 4); break;
  default: elements(to, to_step, from, from_step, n, 8); break;
  }
}

static void move_converted(const copy_plan *p, char *to, const char *from, int64_t n) {
  _Alignas(64) char gathered[CHUNK * 8], converted[CHUNK * 8];
  bool gather = p->column.from != (int64_t)p->from_size,
       scatter = p->column.to != (int64_t)p->to_size;
  if (!gather && !scatter) {
    convert(p->from_type, from, p->to_type, to, n);
    return;
  }
  for (int64_t i = 0; i < n; i += CHUNK) {
    int64_t m = n - i < CHUNK ? n - i : CHUNK;
    const char *source = from + i * p->column.from;
    char *target = to + i * p->column.to;
    if (gather) move(gathered, (int64_t)p->from_size, source, p->column.from, m, p->from_size);
    convert(p->from_type, gather ? gathered : source, p->to_type, scatter ? converted : target, m);
    if (scatter) move(target, p->column.to, converted, (int64_t)p->to_size, m, p->to_size);
  }
}

static void copy_rows(const copy_plan *p, char *to, const char *from, int64_t count, int64_t n) {
  for (int64_t r = 0; r < count; r++, to += p->row.to, from += p->row.from) {
    if (p->from_type == p->to_type)
      move(to, p->column.to, from, p->column.from, n, p->to_size);
    else
      move_converted(p, to, from, n);
  }
}

static void block(const copy_plan *p, char *to, const char *from, int64_t count, int64_t n) {
  if (!p->tiled) {
    copy_rows(p, to, from, count, n);
    return;
  }
  for (int64_t r = 0; r < count; r += TILE_ROWS)
    for (int64_t c = 0; c < n; c += TILE_COLUMNS)
      copy_rows(p, to + r * p->row.to + c * p->column.to,
                from + r * p->row.from + c * p->column.from,
                count - r < TILE_ROWS ? count - r : TILE_ROWS,
                n - c < TILE_COLUMNS ? n - c : TILE_COLUMNS);
}

/* ---- the grid ---- */

/* In the order outer loops, block of rows, block of columns. */
void copy_blocks(const copy_plan *p, int64_t begin, int64_t end) {
  if (begin >= end) return;
  int64_t column = begin % p->column_blocks, rest = begin / p->column_blocks;
  int64_t row = rest % p->row_blocks, index[RILL_MAX_DIMS];
  const char *from = p->from;
  char *to = p->to;
  rest /= p->row_blocks;
  for (int d = p->outer - 1; d >= 0; d--) {
    index[d] = rest % p->loop[d].size;
    rest /= p->loop[d].size;
    from += index[d] * p->loop[d].from;
    to += index[d] * p->loop[d].to;
  }
  for (int64_t i = begin; i < end; i++) {
    int64_t r = row * p->rows, c = column * p->columns;
    block(p, to + r * p->row.to + c * p->column.to, from + r * p->row.from + c * p->column.from,
          p->row.size - r < p->rows ? p->row.size - r : p->rows,
          p->column.size - c < p->columns ? p->column.size - c : p->columns);
    if (++column < p->column_blocks) continue;
    column = 0;
    if (++row < p->row_blocks) continue;
    row = 0;
    for (int d = p->outer - 1; d >= 0; d--) {
      from += p->loop[d].from;
      to += p->loop[d].to;
      if (++index[d] < p->loop[d].size) break;
      from -= p->loop[d].size * p->loop[d].from;
      to -= p->loop[d].size * p->loop[d].to;
      index[d] = 0;
    }
  }
}

/* ---- planning ---- */

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/* Is `a` to lie outside of `b`? The target's strides decide, then the source's. */
static bool outside(copy_axis a, copy_axis b) {
  int64_t ta = magnitude(a.to), tb = magnitude(b.to);
  return ta != tb ? ta > tb : magnitude(a.from) > magnitude(b.from);
}

/* Sorts the dims by the target's strides, largest first, drops those of one element and joins
 * neighbours that run on. Returns how many are left. */
static int simplify(copy_axis *a, int n) {
  int kept = 0;
  for (int i = 0; i < n; i++) {
    copy_axis x = a[i];
    if (x.size == 1) continue;
    int at = kept++;
    for (; at > 0 && outside(x, a[at - 1]); at--) a[at] = a[at - 1];
    a[at] = x;
  }
  int joined = 0;
  for (int i = 0; i < kept; i++) {
    copy_axis *last = &a[joined - 1];
    if (joined && last->from == a[i].from * a[i].size && last->to == a[i].to * a[i].size)
      *last = (copy_axis){last->size * a[i].size, a[i].from, a[i].to};
    else
      a[joined++] = a[i];
  }
  return joined;
}

/* The dim along which the source runs, where it is not the target's and long enough to matter. */
static int source_dim(const copy_axis *a, int n) {
  int best = n - 1;
  for (int i = n - 2; i >= 0; i--)
    if (a[i].from && a[i].size >= 4 && magnitude(a[i].from) < magnitude(a[best].from)) best = i;
  return a[n - 1].size >= 4 ? best : n - 1;
}

static int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

static void plan_grid(copy_plan *p, copy_axis *a, int n) {
  copy_axis one = {1, 0, 0};
  p->column = n > 0 ? a[n - 1] : one;
  int dim = n > 1 ? source_dim(a, n) : 0;
  p->tiled = n > 1 && dim != n - 1;
  if (!p->tiled) dim = n - 2;
  p->row = n > 1 ? a[dim] : one;
  for (int i = 0; i < n - 1; i++)
    if (i != dim) p->loop[p->outer++] = a[i];
  int64_t most = p->tiled ? BLOCK / 64 : BLOCK;
  p->columns = p->column.size < most ? p->column.size : most;
  int64_t high = BLOCK / p->columns;
  p->rows = p->row.size < high ? p->row.size : high;
  p->row_blocks = blocks_of(p->row.size, p->rows);
  p->column_blocks = blocks_of(p->column.size, p->columns);
}

void copy_make(copy_plan *p, int ndim, const int64_t *shape, rill_dtype from_type, const void *from,
               const int64_t *from_strides, rill_dtype to_type, void *to,
               const int64_t *to_strides) {
  *p = (copy_plan){.from_type = from_type, .to_type = to_type, .from = from, .to = to};
  p->from_size = rill_dtype_size(from_type);
  p->to_size = rill_dtype_size(to_type);
  copy_axis axes[RILL_MAX_DIMS];
  for (int i = 0; i < ndim; i++) {
    if (shape[i] == 0) return;
    axes[i] = (copy_axis){shape[i], from_strides[i] * (int64_t)p->from_size,
                          to_strides[i] * (int64_t)p->to_size};
  }
  plan_grid(p, axes, simplify(axes, ndim));
  p->blocks = p->row_blocks * p->column_blocks;
  for (int d = 0; d < p->outer; d++) p->blocks *= p->loop[d].size;
  p->grain = blocks_of(2 * BLOCK, p->rows * p->columns);
}

/* ---- the pure face ---- */

static rill_status copied(rill_dtype dtype, const void *x, const int64_t *x_strides, void *y,
                          const int64_t *y_strides, const int64_t *shape, int ndim) {
  if (ndim < 0 || ndim > RILL_MAX_DIMS || (ndim && (!shape || !x_strides || !y_strides)))
    return RILL_ERROR_ARGUMENT;
  int64_t numel = 1;
  for (int i = 0; i < ndim; i++)
    if (shape[i] < 0) return RILL_ERROR_SHAPE;
  for (int i = 0; i < ndim; i++)
    if (!checked_mul(numel, shape[i], &numel)) return RILL_ERROR_OVERFLOW;
  copy_plan p;
  copy_make(&p, ndim, shape, dtype, x, x_strides, dtype, y, y_strides);
  copy_blocks(&p, 0, p.blocks);
  return RILL_OK;
}

rill_status rill_strided_copy_f32(const float *x, const int64_t *x_strides, float *y,
                                  const int64_t *y_strides, const int64_t *shape, int ndim) {
  return copied(RILL_F32, x, x_strides, y, y_strides, shape, ndim);
}

rill_status rill_strided_copy_f64(const double *x, const int64_t *x_strides, double *y,
                                  const int64_t *y_strides, const int64_t *shape, int ndim) {
  return copied(RILL_F64, x, x_strides, y, y_strides, shape, ndim);
}
