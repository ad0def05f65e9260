/* Brings samples of the sliding windows in as keys, and results out: strides, edges, sizes. Whole rows
 * go through loops and memcpy; what is done one by one here is strided, or at the ends. */
#include "pure/kernel.h"
#include "pure/window_tile.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* ---- samples and keys of any size ------------------------------------------------------------- */

/* The integer of `size` bytes at x[i]. */
static int64_t get_integer(int64_t size, const char *x, int64_t i) {
  int8_t a;
  int16_t b;
  int32_t c;
  int64_t d;
  x += i * size;
  switch (size) {
  case 1: return memcpy(&a, x, sizeof a), a;
  case 2: return memcpy(&b, x, sizeof b), b;
  case 4: return memcpy(&c, x, sizeof c), c;
  default: return memcpy(&d, x, sizeof d), d;
  }
}

static void put_integer(int64_t size, char *x, int64_t i, int64_t v) {
  int8_t a = (int8_t)v;
  int16_t b = (int16_t)v;
  int32_t c = (int32_t)v;
  x += i * size;
  switch (size) {
  case 1: memcpy(x, &a, sizeof a); break;
  case 2: memcpy(x, &b, sizeof b); break;
  case 4: memcpy(x, &c, sizeof c); break;
  default: memcpy(x, &v, sizeof v);
  }
}

/* n integers, `step` apart, to others `to_step` apart and of another size. */
static void copy_integers(int64_t size, const char *x, int64_t step, int64_t to_size, char *to,
                          int64_t to_step, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    put_integer(to_size, to, i * to_step, get_integer(size, x, i * step));
}

/* n keys of one value: the first one, and copies of what is there already. */
void window_fill(const window_tile *t, char *to, int64_t value, int64_t n) {
  if (n > 0) put_integer(t->size, to, 0, value);
  for (int64_t done = 1, more; done < n; done += more) {
    more = window_least(done, n - done);
    memcpy(to + done * t->size, to, (size_t)(more * t->size));
  }
}

/* Samples `step` apart, to keys. */
static void take_samples(const window_tile *t, const char *x, int64_t step, int64_t n, char *to) {
  const window_job *w = t->job;
  if (step != 1 || w->size != t->size) {
    copy_integers(w->size, x, step, t->size, to, 1, n);
    for (int64_t i = 0; w->type == WINDOW_U8 && t->size > 1 && i < n; i++)
      put_integer(t->size, to, i, get_integer(t->size, to, i) & UINT8_MAX);
    x = to;
  }
  /* Of a panel the next row comes next; what lies beyond the last does no harm. */
  bool narrow = t->columns != w->wide;
  if (!w->x_keys)
    t->loops.take(&w->keys, x, n, to, narrow ? w->wide * w->size : WINDOW_AHEAD);
  else if (x != to)
    memcpy(to, x, (size_t)(n * w->size));
}

/* ---- in --------------------------------------------------------------------------------------- */

/* Keys of `count` places from place f on of the padded row, [places, inner] as one. */
static void take_places(const window_tile *t, int64_t f, int64_t count, char *to) {
  const window_job *w = t->job;
  int64_t inner = w->inner, m, step, run;
  for (; count > 0; f += m, to += m * t->size, count -= m) {
    int64_t c = f % inner, at = window_stretch(w, f / inner - w->lead, &step, &run);
    bool together = inner == 1 || at < 0 || (w->x_flat && step == 1);
    m = !together ? inner - c : run < count ? run * inner - c : count;
    if (m > count) m = count;
    if (at >= 0) {
      int64_t first = at * w->x_stride[1] + c * w->x_stride[2];
      int64_t stride = inner > 1 ? w->x_stride[2] : step * w->x_stride[1];
      take_samples(t, t->x + first * w->size, stride, m, to);
    } else if (w->edge == RILL_WINDOW_CONSTANT) {
      window_fill(t, to, w->keys.pad, m);
      t->loops.take(&w->keys, to, m, to, 0);
    } else
      window_fill(t, to, window_lowest_key(t), m);
  }
}

/* How many of some rows lie together among all places. */
static int64_t rows_together(const window_tile *t, int64_t rows) {
  return t->columns == t->job->wide ? rows : 1;
}

void window_take_rows(const window_tile *t, int64_t row, int64_t rows, char *to) {
  int64_t u = t->columns, ready = t->tail ? t->tail_row - row : rows;
  ready = ready < 0 ? 0 : window_least(ready, rows);
  int64_t together = rows_together(t, ready);
  for (int64_t r = 0; r < ready; r += together)
    take_places(t, window_row_places(t, row + r), together * u, to + r * u * t->size);
  if (ready < rows)
    memcpy(to + ready * u * t->size, t->tail + (row + ready - t->tail_row) * u * t->size,
           (size_t)((rows - ready) * u * t->size));
}

void window_place_rows(const window_tile *t, int64_t row, int64_t rows, char *at) {
  int64_t u = t->columns;
  for (int64_t r = 0; r < rows; r++) window_fill(t, at + r * u * t->size, row + r, u);
}

/* ---- out -------------------------------------------------------------------------------------- */

/* Outputs that lie in a stretch: the first is [o, c], `skip` places from the stretch's start, the next
 * ones `step` places apart. */
typedef struct window_stretch_out {
  int64_t o, c, skip, step, run;
} window_stretch_out;

/* The next stretch among `count` places from place f on; it keeps to one place along n or, where samples
 * go to a y that lies so, takes all. Returns the places spent. */
static int64_t next_outputs(const window_job *w, int64_t f, int64_t count, window_stretch_out *s) {
  int64_t place = f / w->inner, spent = w->inner - f % w->inner;
  *s = (window_stretch_out){.c = f % w->inner, .step = 1};
  if (place >= w->dense) return count;
  if (w->inner == 1) {
    spent = w->dense - place;
    s->step = w->stride;
  } else if (w->y_flat && w->stride == 1 && !w->arg)
    spent = (w->dense - place) * w->inner - s->c;
  if (spent > count) spent = count;
  int64_t past = (place - w->first) % w->stride; /* places since an output; `first` may lie ahead */
  if (past < 0) past += w->stride;
  if (past) s->skip = w->inner == 1 ? w->stride - past : spent;
  if (s->skip < spent) s->run = (spent - s->skip - 1) / s->step + 1;
  s->o = (place + (w->inner == 1 ? s->skip : 0) - w->first) / w->stride;
  return spent;
}

static void put_places(const window_tile *t, int64_t f, int64_t count, const char *from) {
  const window_job *w = t->job;
  window_stretch_out s;
  for (int64_t m; count > 0; f += m, from += m * t->size, count -= m) {
    m = next_outputs(w, f, count, &s);
    if (s.run == 0) continue;
    int64_t stride = w->y_stride[w->inner == 1 ? 1 : 2];
    char *y = w->y + (t->y + s.o * w->y_stride[1] + s.c * w->y_stride[2]) * t->size;
    const char *first = from + s.skip * t->size;
    if (stride == 1 && s.step == 1)
      memcpy(y, first, (size_t)(s.run * t->size));
    else
      copy_integers(t->size, first, s.step, t->size, y, stride, s.run);
  }
}

/* The index that sample p, beyond the ends, has for the window of output place o. Where it is nothing,
 * the window's samples are all as low as can be: its first one, if it has any. */
static int64_t sample_of(const window_job *w, int64_t o, int64_t p) {
  int64_t step, run, at = window_stretch(w, p, &step, &run);
  if (at < 0 && w->edge == RILL_WINDOW_IGNORE) {
    int64_t first = o - w->lead, last = first + (w->k - 1) * w->dilation;
    if (first < 0) first += (-first + w->dilation - 1) / w->dilation * w->dilation;
    at = first <= last && first < w->n ? first : -1;
  }
  return at;
}

/* The samples at the indices of a stretch; from there they have their zeros' signs. */
static void put_sample(const window_tile *t, int64_t at, int64_t c, int64_t result) {
  const window_job *w = t->job;
  int64_t from = at * w->x_stride[1] + c * w->x_stride[2];
  int64_t beyond = w->edge == RILL_WINDOW_CONSTANT ? w->keys.pad : w->keys.lowest;
  put_integer(w->size, w->y, result, at < 0 ? beyond : get_integer(w->size, t->x, from));
}

static void put_indices(const window_tile *t, int64_t place, const window_stretch_out *s,
                        const int64_t *at) {
  const window_job *w = t->job;
  bool along = w->inner == 1; /* n, or else the inner dim */
  int64_t first = t->y + s->o * w->y_stride[1] + s->c * w->y_stride[2];
  for (int64_t i = 0; i < s->run; i++) {
    int64_t o = place + (along ? s->skip + i * s->step : 0);
    int64_t sample = at[s->skip + i * s->step];
    if (w->dilation > 1) sample = sample * w->dilation + o % w->dilation - w->lead;
    int64_t result = first + i * w->y_stride[along ? 1 : 2];
    if (sample < 0 || sample >= w->n) sample = sample_of(w, o, sample);
    w->index[result] = w->backwards && sample >= 0 ? w->n - 1 - sample : sample;
    if (w->y) put_sample(t, sample, along ? 0 : s->c + i, result);
  }
}

/* Indices of n windows from a place on, of a row of which nothing else is wanted. */
static void end_indices(const window_job *w, int64_t place, int64_t n, int64_t *index) {
  if (place >= w->lead && place + n + w->k - 1 <= w->lead + w->n) return;
  for (int64_t i = 0; i < n; i++)
    if (index[i] < 0 || index[i] >= w->n) index[i] = sample_of(w, place + i, index[i]);
}

void window_end_indices(const window_tile *t, int64_t row, int64_t rows, int64_t *index) {
  end_indices(t->job, window_row_places(t, row), rows, index);
}

static void put_index_places(const window_tile *t, int64_t f, int64_t count, const int64_t *at) {
  const window_job *w = t->job;
  window_stretch_out s;
  for (int64_t m; count > 0; f += m, at += m, count -= m) {
    m = next_outputs(w, f, count, &s);
    int64_t place = f / w->inner, *index = w->index + t->y + s.o;
    if (!w->listed) {
      put_indices(t, place, &s, at);
      continue;
    }
    memcpy(index, at, (size_t)s.run * sizeof *index);
    end_indices(w, place, s.run, index);
  }
}

/* Where NaN are ignored the lowest key is no sample's, and comes out as bits that are no sample's. */
static void put_lowest(const window_tile *t, char *y, int64_t n) {
  const window_keys *k = &t->job->keys;
  int64_t none = window_key_bits(k, window_lowest_key(t), t->size);
  for (int64_t i = 0; i < n; i++)
    if (get_integer(t->size, y, i) == none) put_integer(t->size, y, i, k->lowest);
}

void window_put_rows(const window_tile *t, int64_t row, int64_t rows, char *from) {
  const window_job *w = t->job;
  if (w->unseen) put_lowest(t, from, rows * t->columns);
  int64_t together = rows_together(t, rows), u = together * t->columns;
  for (int64_t r = 0; r < rows; r += together, from += u * window_result(w)) {
    int64_t f = window_row_places(t, row + r);
    if (w->arg)
      put_index_places(t, f, u, (const int64_t *)(const void *)from);
    else
      put_places(t, f, u, from);
  }
}

#endif
