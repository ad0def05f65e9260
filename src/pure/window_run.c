/* Leads the sliding windows through the array, in tiles and blocks. All that takes time is in
 * window_loops.c; here sizes of samples and keys are numbers, so all types share one copy.
 *
 * A tile is a panel of columns that lie side by side in memory, so a row further down is `columns` keys
 * further on, and every loop runs across flat memory in vectors of independent columns. A single row
 * of samples is a panel of one column. Two algorithms:
 *
 * Doubling: m[i] = max(m[i], m[i + s], m[i + 2s], m[i + 3s]) makes windows of 4s samples of those of s,
 * and overlapping windows make those of any size between. For short windows that is all. Where the
 * instruction set shifts lanes, a row's windows of up to a vector come from registers instead.
 *
 * Van Herk's (1992) and Gil and Werman's (1993), for the others. Doubling goes to windows of some
 * `group` rows, as many as make a vector; samples that far apart are then columns of their own, of a
 * matrix whose rows are `width` = group * columns keys. A window of k = block * group + halo + 1 samples
 * takes block + 1 such rows, each entry the maximum of halo + 1 samples. Rows are seen in blocks: a
 * window is what is left of one block, whose maxima from each row to the block's end are at hand
 * (suffix), and the start of the next one (prefix). While the prefix grows, its rows are kept; at the end
 * of the block one pass backwards makes the suffixes of them. So a sample costs the same whatever k, and
 * is read once. */
#include "pure/kernel.h"
#include "pure/window_tile.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Bytes of the keys that are done at once, and of a tile's row: what the nearest cache holds. */
#define CHUNK 8192
#define PANEL 2048

/* Where a tile's rows go. */
typedef struct window_target {
  char *y;
  int64_t pitch; /* keys from one of the tile's rows to the next */
  bool past;     /* y is written past the cache                  */
} window_target;

/* What stays in the tile. */
static window_target at_hand(const window_tile *t, int64_t pitch) {
  return (window_target){.y = t->out, .pitch = pitch};
}

/* Where rows from `row` on go at once if they lie in y, or in the indices, as in the tile; else t->out. */
static window_target target(const window_tile *t, int64_t row, int64_t rows) {
  const window_job *w = t->job;
  bool narrow = t->columns != w->wide, flat = w->arg ? w->listed : w->y_flat && w->stride == 1;
  window_target here = at_hand(t, t->width), there = {.pitch = narrow ? w->wide : t->width};
  if (!flat || w->unseen || (row + rows) * w->wide > w->dense * w->inner) return here;
  if (t->direct ? narrow : t->width != t->pitch || (narrow && t->group != 1)) return here;
  there.y = w->arg ? (char *)w->index : w->y;
  there.y += (t->y + window_row_places(t, row)) * window_result(w);
  int64_t pitch = t->direct ? 0 : there.pitch * window_result(w);
  there.past = w->large && ((uintptr_t)there.y | (size_t)pitch) % WINDOW_VECTOR == 0;
  return there;
}

/* Of the rows that were put there. */
static void finish(window_tile *t, int64_t row, int64_t rows, window_target to) {
  if (to.y == t->out)
    window_put_rows(t, row, rows, t->out);
  else if (t->job->arg)
    window_end_indices(t, row, rows, (int64_t *)(void *)to.y);
}

/* ---- the layout of a tile --------------------------------------------------------------------- */

/* Which algorithm, and in what sizes. */
static void tile_plan(window_tile *t, const window_job *w, int64_t columns) {
  int64_t k = w->k, group = 1;
  t->job = w;
  t->size = w->key_size;
  t->lanes = WINDOW_VECTOR / t->size;
  t->columns = columns;
  while (group * columns < t->lanes) group *= 2;
  /* Blocks of few rows cost more than another doubling does. */
  t->direct = k <= (group > 1 ? 16 * group : 4);
  t->group = t->direct ? 1 : group;
  t->base = t->group;
  while (t->direct && 4 * t->base < k) t->base *= 4;
  t->counted = columns == 1;
  t->halo = t->direct ? k - 1 : group - 1 + k % group;
  t->block = t->direct ? 0 : k / group - 1;
  t->stored = window_least(t->block, w->rows / t->group + 1);
  t->width = t->group * columns;
  t->pitch = (t->width + t->lanes - 1) / t->lanes * t->lanes;
  t->chunk = window_least((t->width > t->lanes ? 2 : 1) * CHUNK / (t->width * t->size),
                          w->rows / t->group + 1 + t->block);
  if (t->chunk < 1) t->chunk = 1;
  t->tail_row = (w->lead + w->n) / w->dilation;
}

/* Takes n keys and a vector from the workspace (or only counts their bytes). Arrays start at different
 * distances from multiples of 4 kB, since loads wait for stores that seem to be to their address. */
static char *room(char *workspace, size_t *bytes, int64_t size, int64_t n) {
  size_t whole = ((size_t)(n * size) + 2 * WINDOW_VECTOR - 1) / WINDOW_VECTOR * WINDOW_VECTOR;
  char *at = workspace ? workspace + *bytes : NULL;
  *bytes += whole + 5 * WINDOW_VECTOR;
  return at;
}

static size_t tile_lay(window_tile *t, char *workspace) {
  size_t bytes = 0;
  int64_t chunk = t->chunk * t->width, halo = t->halo * t->columns;
  int64_t suffix = (t->stored + 1) * t->pitch;
  int64_t tail = t->job->rows + t->group + t->job->k - t->tail_row;
  t->raw = room(workspace, &bytes, t->size, chunk + halo);
  t->halos = room(workspace, &bytes, t->size, halo);
  t->out = room(workspace, &bytes, window_result(t->job), chunk);
  t->suffix = room(workspace, &bytes, t->size, suffix);
  t->prefix = room(workspace, &bytes, t->size, t->pitch);
  t->lowest = room(workspace, &bytes, t->size, t->pitch);
  t->tail = NULL;
  if (t->job->arg) {
    t->raw_at = room(workspace, &bytes, t->size, chunk + halo);
    t->suffix_at = room(workspace, &bytes, t->size, suffix);
    t->prefix_at = room(workspace, &bytes, t->size, t->pitch);
  } else if (t->job->edge >= RILL_WINDOW_REFLECT && tail > 0) {
    char *kept = room(workspace, &bytes, t->size, tail * t->columns);
    if (t->job->in_place) t->tail = kept;
  }
  return bytes;
}

size_t window_bytes(const window_job *w) {
  window_tile t;
  size_t most = 0;
  int64_t panel = PANEL / w->key_size, sizes[2] = {window_least(w->wide, panel), w->wide % panel};
  for (int i = 0; i < 2; i++) {
    if (sizes[i] == 0) continue;
    tile_plan(&t, w, sizes[i]);
    size_t bytes = tile_lay(&t, NULL);
    if (bytes > most) most = bytes;
  }
  return most + WINDOW_VECTOR;
}

/* ---- a tile's way ----------------------------------------------------------------------------- */

/* Puts the keys of rows row ... row + rows + halo into raw. The first `halo` rows were mostly read with the
 * chunk before. */
static void gather(window_tile *t, int64_t row, int64_t rows) {
  int64_t u = t->columns, n = rows * u * t->size, halo = t->halo * u * t->size;
  if (t->halo_row != row) window_take_rows(t, row, t->halo, t->halos);
  memcpy(t->raw, t->halos, (size_t)halo);
  window_take_rows(t, row + t->halo, rows, t->raw + halo);
  memcpy(t->halos, t->raw + n, (size_t)halo);
  t->halo_row = row + rows;
  memset(t->raw + n + halo, 0, WINDOW_VECTOR);
  if (t->job->arg && !t->counted) window_place_rows(t, row, rows + t->halo, t->raw_at);
}

/* How many rows can come straight from x: all that they see, and the vectors that loops read beyond it, are
 * samples. */
static int64_t rows_inside(const window_tile *t, int64_t row) {
  const window_job *w = t->job;
  if (!t->lined || row < w->lead) return 0;
  return w->n + w->lead - row - t->halo - (WINDOW_LANES_AHEAD + 1) * t->lanes;
}

/* How many of the rows of groups from `row` on to do at once, of those left: if that leaves more for
 * rows_inside, only those that begin before the first sample, or those before the last ones. */
static int64_t chunk_of(const window_tile *t, int64_t row, int64_t left) {
  int64_t rows = window_least(t->chunk, left), least = t->lanes / t->group;
  if (!t->lined) return rows;
  int64_t before = (t->job->lead - row + t->lanes - 1) / t->lanes * least;
  if (before > 0) return window_least(before, rows);
  int64_t inside = rows_inside(t, row) / t->lanes * least;
  return inside >= 4 * least ? window_least(inside, rows) : rows;
}

/* Where rows lie in x as they would in raw, or NULL. */
static const char *bare_rows(const window_tile *t, int64_t row, int64_t rows) {
  const window_job *w = t->job;
  int64_t from = window_row_places(t, row) - w->lead * w->inner;
  int64_t end = from + (rows - 1) * w->wide + t->columns;
  return t->bare && from >= 0 && end <= w->n * w->inner ? t->x + from * t->size : NULL;
}

/* Of rows row ... row + rows + halo, puts windows of `base` rows into m. */
static void stage(window_tile *t, int64_t row, int64_t rows) {
  const window_job *w = t->job;
  int64_t u = t->columns, valid = (rows + t->halo) * u, s = 1;
  t->m = bare_rows(t, row, rows);
  t->m_width = t->m ? w->wide : t->width;
  if (t->m) return;
  t->m = t->raw;
  if (t->base > 1 && rows_inside(t, row) >= rows) {
    const char *x = t->x + (row - w->lead) * t->size;
    s = window_least(t->base, t->lanes);
    valid -= s - 1;
    if (w->arg)
      t->loops.take_lanes_at(&w->keys, x, valid, s, t->raw, t->raw_at, row);
    else
      t->loops.take_lanes(&w->keys, x, valid, s, t->raw);
  } else
    gather(t, row, rows);
  for (int64_t by; s < t->base; s *= by) {
    by = 4 * s <= t->base ? 4 : 2;
    int64_t d = s * u, rows_on[3] = {1, by == 4 ? 2 : 1, by == 4 ? 3 : 1};
    int64_t steps[3] = {d, rows_on[1] * d, rows_on[2] * d};
    valid -= (by - 1) * d;
    if (!w->arg)
      t->loops.quad(t->raw, valid, steps);
    else if (s == 1)
      t->loops.near_at(t->raw, t->raw_at, valid, steps, rows_on, t->counted ? row : -1);
    else
      t->loops.quad_at(t->raw, t->raw_at, valid, steps);
  }
}

/* Indices of rows from `row` on, of windows of `base` rows. */
static void direct_indices(window_tile *t, int64_t row, int64_t rows, const int64_t rows_on[3],
                           window_target to) {
  int64_t u = t->columns, steps[3] = {rows_on[0] * u, rows_on[1] * u, rows_on[2] * u};
  if (t->base == 1) { /* positions are not there yet; then only to put them out is left */
    t->loops.near_at(t->raw, t->raw_at, rows * u, steps, rows_on, t->counted ? row : -1);
    memset(steps, 0, sizeof steps);
  }
  t->loops.quad_index(t->raw, t->raw_at, rows * u, steps, window_less(t->job),
                      (int64_t *)(void *)to.y, to.past);
}

static void run_direct(window_tile *t, int64_t row, int64_t end) {
  const window_job *w = t->job;
  int64_t b = t->base, u = t->columns, rest = w->k - b;
  int64_t rows_on[3] = {window_least(b, rest), window_least(2 * b, rest), rest};
  int64_t steps[3] = {rows_on[0] * u, rows_on[1] * u, rows_on[2] * u};
  for (int64_t rows; row < end; row += rows) {
    rows = chunk_of(t, row, end - row);
    stage(t, row, rows);
    window_target to = target(t, row, rows);
    if (w->arg)
      direct_indices(t, row, rows, rows_on, to);
    else
      t->loops.quad_out(&w->out, t->raw, rows * u, steps, to.y, to.past);
    finish(t, row, rows, to);
  }
}

static void reset_prefix(window_tile *t) {
  memcpy(t->prefix, t->lowest, (size_t)(t->pitch * t->size));
  if (t->job->arg) memset(t->prefix_at, 0, (size_t)(t->pitch * t->size));
}

/* `rows` rows of raw from the r-th on, against those of suffix from the s-th on; results go to
 * `to`. Columns that a last vector has beyond the width are the first ones of the row below and come out as
 * these do: but for the last row, which is why vectors go from the last to the first. */
static void columns_down(window_tile *t, int64_t r, int64_t s, int64_t rows, int64_t pitch,
                         window_target to) {
  int64_t m = r * t->width * t->size, kept = s * t->pitch * t->size;
  bool arg = t->job->arg;
  window_rows w = {
      .keys = &t->job->out,
      .m = t->m + r * t->m_width * t->size,
      .m_at = arg ? t->raw_at + m : NULL,
      .width = t->m_width,
      .d = (t->halo - t->group + 1) * t->columns,
      .suffix = t->suffix + kept,
      .suffix_at = arg ? t->suffix_at + kept : NULL,
      .pitch = pitch,
      .prefix = t->prefix,
      .prefix_at = arg ? t->prefix_at : NULL,
      .y = to.y,
      .y_pitch = to.pitch,
      .past = to.past,
      .less = window_less(t->job),
      .rows = rows,
      .vectors = t->pitch / t->lanes,
  };
  (arg ? t->loops.down_at : t->loops.down)(&w);
}

/* Suffixes of `rows` rows, with what is in prefix to follow them. */
static void columns_up(window_tile *t, int64_t rows) {
  int64_t vectors = t->pitch / t->lanes;
  if (t->job->arg)
    t->loops.up_at(t->suffix, t->suffix_at, t->pitch, rows, vectors, t->prefix, t->prefix_at);
  else
    t->loops.up(t->suffix, t->pitch, rows, vectors, t->prefix);
}

/* The suffixes of the first block. Where it has more rows than there are outputs, the others count in
 * every window, and only their maximum is kept. */
static void first_block(window_tile *t, int64_t row, int64_t stored) {
  for (int64_t done = 0, rows; done < t->block; done += rows) {
    bool kept = done < stored;
    int64_t next = row + done * t->group;
    rows = chunk_of(t, next, (kept ? stored : t->block) - done);
    stage(t, next, rows * t->group);
    columns_down(t, 0, kept ? done : t->stored, rows, kept ? t->pitch : 0, at_hand(t, 0));
    if (done + rows == stored) reset_prefix(t);
  }
  columns_up(t, stored);
  reset_prefix(t);
}

/* Outputs of `rows` rows of groups, of which `raw` holds the maxima; *at is the place in the block. */
static void next_blocks(window_tile *t, int64_t rows, int64_t *at, window_target to, bool more) {
  for (int64_t r = 0, part; r < rows; r += part) {
    part = window_least(rows - r, t->block - *at);
    columns_down(t, r, *at, part, t->pitch, to);
    to.y += part * to.pitch * window_result(t->job);
    *at += part;
    if (*at < t->block || !(more || r + part < rows)) continue;
    reset_prefix(t);
    columns_up(t, t->block);
    *at = 0;
  }
}

static void run_blocks(window_tile *t, int64_t row, int64_t end) {
  int64_t group = t->group, left = (end - row + group - 1) / group, at = 0;
  first_block(t, row, window_least(t->block, left));
  for (int64_t rows; left > 0; left -= rows, row += rows * group) {
    int64_t next = row + t->block * group;
    rows = chunk_of(t, next, left);
    int64_t good = window_least(rows * group, end - row);
    stage(t, next, rows * group);
    window_target to = at_hand(t, t->width);
    if (good == rows * group) to = target(t, row, good);
    next_blocks(t, rows, &at, to, rows < left);
    finish(t, row, good, to);
  }
}

/* Outputs of rows `row` ... `end` of a panel. */
static void run_panel(window_tile *t, int64_t row, int64_t end) {
  const window_job *w = t->job;
  char *kept = t->tail;
  t->tail = NULL;
  if (kept) window_take_rows(t, t->tail_row, w->rows + t->group + w->k - t->tail_row, kept);
  t->tail = kept;
  t->halo_row = row - 1;
  reset_prefix(t);
  (t->direct ? run_direct : run_blocks)(t, row, end);
}

static void choose_loops(window_loops *loops, int64_t key_size) {
  switch (key_size) {
  case 1: rill_window_loops_i8(loops); break;
  case 2: rill_window_loops_i16(loops); break;
  case 4: rill_window_loops_i32(loops); break;
  default: rill_window_loops_i64(loops);
  }
}

/* Lanes double at little cost, and joining two windows takes less than joining four. */
static void choose_base(window_tile *t, int64_t k) {
  t->base = 1;
  while (t->base < t->lanes && 2 * t->base < k) t->base *= 2;
  while (4 * t->base < k) t->base *= 4;
}

static void tile_begin(window_tile *t, const window_job *w, int64_t columns, char *workspace) {
  tile_plan(t, w, columns);
  tile_lay(t, workspace);
  t->lined = t->loops.take_lanes && w->size == t->size && w->wide == 1 && w->x_flat &&
             !w->in_place && !w->x_keys;
  t->bare = w->x_keys && w->x_flat && !t->direct && t->halo == 0 && t->width == t->pitch;
  if (t->lined && t->direct) choose_base(t, w->k);
  window_fill(t, t->lowest, window_lowest_key(t), t->pitch);
}

/* Units that follow each other down a panel are done in one go. */
void window_run(const window_job *w, int64_t begin, int64_t end, void *workspace) {
  window_tile t = {.columns = 0};
  char *start = (char *)workspace + (-(uintptr_t)workspace & (WINDOW_VECTOR - 1));
  choose_loops(&t.loops, w->key_size);
  for (int64_t units; begin < end; begin += units) {
    int64_t panel = begin / w->chunks, first = begin % w->chunks, o = panel / w->panels;
    units = window_least(w->chunks - first, end - begin);
    int64_t row = first * w->chunk_rows,
            stop = window_least(w->rows, (first + units) * w->chunk_rows);
    int64_t column = panel % w->panels * WINDOW_UNIT_COLUMNS;
    int64_t last = window_least(w->wide, column + WINDOW_UNIT_COLUMNS);
    t.x = w->x + o * w->x_stride[0] * w->size;
    t.y = o * w->y_stride[0];
    for (; column < last; column += PANEL / w->key_size) {
      int64_t columns = window_least(PANEL / w->key_size, last - column);
      if (columns != t.columns) tile_begin(&t, w, columns, start);
      t.column = column;
      run_panel(&t, row, stop);
    }
  }
  if (w->large) t.loops.fence();
}

#undef CHUNK
#undef PANEL
#endif
