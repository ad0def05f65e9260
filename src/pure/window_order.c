/* The numbers of a sliding window in order: see window_order.h. */
#include "pure/kernel.h"
#include "pure/window_order.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Up to this many numbers make one chunk. */
#define ORDER_SINGLE 1024

static int64_t order_bits(int64_t most) {
  int64_t bits = 0;
  bool single = most <= ORDER_SINGLE;
  /* A number costs about as much in a chunk that moves by memmove as a sixteenth of a step of a ring. */
  while (single ? (INT64_C(1) << bits) < most : (INT64_C(1) << 2 * bits) < 8 * most) bits++;
  return bits;
}

static int64_t order_chunks(int64_t most) {
  int64_t bits = order_bits(most);
  return ((most - 1) >> bits) + 1;
}

size_t window_order_bytes(int64_t most, bool tags) {
  int64_t chunks = order_chunks(most), all = chunks << order_bits(most);
  return (size_t)(most + all + chunks) * sizeof(double) + (size_t)chunks * sizeof(int64_t) +
         (tags ? (size_t)all * sizeof(int64_t) : 0);
}

void window_order_lay(window_order *o, int64_t most, bool tags, void *memory) {
  int64_t bits = order_bits(most), chunks = order_chunks(most);
  o->most = most;
  o->bits = bits;
  o->mask = (INT64_C(1) << bits) - 1;
  o->ring = memory;
  o->value = o->ring + most;
  o->front = o->value + (chunks << bits);
  o->head = (int64_t *)(void *)(o->front + chunks);
  o->tag = tags ? o->head + chunks : NULL;
}

void window_order_init(window_order *o, int64_t most, bool tags, void *memory) {
  *o = (window_order){.most = most};
  window_order_lay(o, most, tags, memory);
  window_order_clear(o);
}

void window_order_clear(window_order *o) {
  memset(o->head, 0, (size_t)order_chunks(o->most) * sizeof(int64_t));
  o->count = o->nans = o->begin = o->held = 0;
}

int64_t window_order_tag(const window_order *o, int64_t rank) {
  return o->tag[window_order_place(o, rank)];
}

void window_order_ranks(double q, rill_window_quantile_method method, int64_t count, int64_t *low,
                        int64_t *high, double *weight) {
  double rank = q * (double)(count - 1);
  int64_t down = (int64_t)rank, up = (double)down < rank ? down + 1 : down;
  double part = rank - (double)down;
  bool near_up = part > 0.5 || (part == 0.5 && down % 2);
  *weight = 0;
  *low = down, *high = up;
  switch (method) {
  case RILL_WINDOW_QUANTILE_LOWER: *high = down; break;
  case RILL_WINDOW_QUANTILE_HIGHER: *low = up; break;
  case RILL_WINDOW_QUANTILE_NEAREST: *low = *high = near_up ? up : down; break;
  case RILL_WINDOW_QUANTILE_MIDPOINT: *weight = up > down ? 0.5 : 0; break;
  default: *weight = part;
  }
}

double window_order_between(double a, double b, double weight) {
  double d = b - a;
  if (a == b || weight == 0) return a;
  if (d - d != 0) return (1 - weight) * a + weight * b;
  return weight < 0.5 ? a + weight * d : b - (1 - weight) * d;
}

/* ---- searches --------------------------------------------------------------------------------- */

/* How many of n numbers in order, the first at `head` of a ring, come before x: are less or, with `equal`,
 * not above. */
static inline int64_t order_before(const double *v, int64_t head, int64_t mask, int64_t n, double x,
                                   const bool equal) {
  int64_t base = 0;
  if (n == 0) return 0;
  for (int64_t half; n > 1; n -= half) {
    half = n / 2;
    double other = v[(head + base + half - 1) & mask];
    base += half & -(int64_t)(equal ? other <= x : other < x); /* no branch, which none foresees */
  }
  double other = v[(head + base) & mask];
  return base + (equal ? other <= x : other < x);
}

static inline int64_t order_rank(const window_order *o, double x, const bool equal) {
  int64_t chunks = (o->count + o->mask) >> o->bits, chunk = 0;
  if (chunks > 1) chunk = order_before(o->front, 0, -1, chunks, x, equal);
  if (chunk > 0) chunk--;
  int64_t first = chunk << o->bits, n = o->count - first;
  if (n > o->mask + 1) n = o->mask + 1;
  return first + order_before(o->value + first, o->head[chunk], o->mask, n, x, equal);
}

/* ---- moves ------------------------------------------------------------------------------------ */

/* Of a ring: items i + 1 ... j go one place down. */
static void ring_down(char *v, size_t size, int64_t mask, int64_t head, int64_t i, int64_t j) {
  size_t a = (size_t)((head + i) & mask) * size, b = (size_t)((head + j) & mask) * size;
  size_t last = (size_t)mask * size;
  memmove(v + a, v + a + size, (a <= b ? b : last) - a);
  if (a <= b) return;
  memcpy(v + last, v, size);
  memmove(v, v + size, b);
}

/* Items i ... j - 1 go one place up. */
static void ring_up(char *v, size_t size, int64_t mask, int64_t head, int64_t i, int64_t j) {
  size_t a = (size_t)((head + i) & mask) * size, b = (size_t)((head + j) & mask) * size;
  size_t last = (size_t)mask * size;
  if (a > b) {
    memmove(v + size, v, b);
    memcpy(v, v + last, size);
    b = last;
  }
  memmove(v + a + size, v + a, b - a);
}

static void chunk_down(window_order *o, int64_t chunk, int64_t i, int64_t j) {
  int64_t first = chunk << o->bits;
  ring_down((char *)(o->value + first), sizeof(double), o->mask, o->head[chunk], i, j);
  if (o->tag) ring_down((char *)(o->tag + first), 8, o->mask, o->head[chunk], i, j);
}

static void chunk_up(window_order *o, int64_t chunk, int64_t i, int64_t j) {
  int64_t first = chunk << o->bits;
  ring_up((char *)(o->value + first), sizeof(double), o->mask, o->head[chunk], i, j);
  if (o->tag) ring_up((char *)(o->tag + first), 8, o->mask, o->head[chunk], i, j);
}

static void copy_rank(window_order *o, int64_t to, int64_t from) {
  double *v = o->value;
  to = window_order_place(o, to), from = window_order_place(o, from);
  v[to] = v[from];
  if (o->tag) o->tag[to] = o->tag[from];
}

static void set_front(window_order *o, int64_t chunk) {
  o->front[chunk] = o->value[(chunk << o->bits) + o->head[chunk]];
}

/* Ranks from + 1 ... to go one down. */
static void order_down(window_order *o, int64_t from, int64_t to) {
  int64_t c = from >> o->bits, end = to >> o->bits, mask = o->mask;
  if (c == end) {
    chunk_down(o, c, from & mask, to & mask);
    return;
  }
  chunk_down(o, c, from & mask, mask);
  copy_rank(o, (c << o->bits) + mask, (c + 1) << o->bits);
  set_front(o, c);
  for (c++; c < end; c++) {
    /* The first one's place becomes the last one's. */
    o->head[c] = (o->head[c] + 1) & mask;
    copy_rank(o, (c << o->bits) + mask, (c + 1) << o->bits);
    set_front(o, c);
  }
  chunk_down(o, c, 0, to & mask);
}

/* Ranks from ... to - 1 go one up. */
static void order_up(window_order *o, int64_t from, int64_t to) {
  int64_t c = to >> o->bits, end = from >> o->bits, mask = o->mask;
  if (c == end) {
    chunk_up(o, c, from & mask, to & mask);
    return;
  }
  chunk_up(o, c, 0, to & mask);
  copy_rank(o, c << o->bits, (c << o->bits) - 1);
  set_front(o, c);
  for (c--; c > end; c--) {
    o->head[c] = (o->head[c] - 1) & mask;
    copy_rank(o, c << o->bits, (c << o->bits) - 1);
    set_front(o, c);
  }
  chunk_up(o, c, from & mask, mask);
}

/* Takes out the number of one rank and puts in another, which then has rank `to`. */
static void order_move(window_order *o, int64_t from, int64_t to, double v, int64_t tag) {
  if (from < to)
    order_down(o, from, to);
  else
    order_up(o, to, from);
  int64_t place = window_order_place(o, to);
  o->value[place] = v;
  if (o->tag) o->tag[place] = tag;
  set_front(o, from >> o->bits);
  set_front(o, to >> o->bits);
}

/* ---- in and out ------------------------------------------------------------------------------- */

static void order_in(window_order *o, double v, int64_t tag) {
  int64_t at = o->begin + o->held++;
  o->ring[at < o->most ? at : at - o->most] = v;
  if (v != v) o->nans++, o->nan_tag = tag;
}

static double order_out(window_order *o) {
  double v = o->ring[o->begin++];
  if (o->begin == o->most) o->begin = 0;
  o->held--;
  if (v != v) o->nans--;
  return v;
}

static void order_insert(window_order *o, double v, int64_t tag) {
  int64_t to = order_rank(o, v, true);
  o->count++;
  order_move(o, o->count - 1, to, v, tag);
}

static void order_remove(window_order *o, double v) {
  int64_t from = order_rank(o, v, false), last = o->count - 1;
  order_down(o, from, last);
  set_front(o, from >> o->bits);
  set_front(o, last >> o->bits);
  o->count = last;
}

void window_order_push(window_order *o, double v, int64_t tag) {
  if (o->held == o->most) return;
  order_in(o, v, tag);
  if (v == v) order_insert(o, v, tag);
}

void window_order_pop(window_order *o) {
  if (o->held == 0) return;
  double v = order_out(o);
  if (v == v) order_remove(o, v);
}

void window_order_roll(window_order *o, double v, int64_t tag) {
  if (o->held == 0) {
    window_order_push(o, v, tag);
    return;
  }
  double old = order_out(o);
  order_in(o, v, tag);
  if (v != v || old != old) {
    if (old == old) order_remove(o, old);
    if (v == v) order_insert(o, v, tag);
    return;
  }
  int64_t from = order_rank(o, old, false), to = order_rank(o, v, true);
  order_move(o, from, to > from ? to - 1 : to, v, tag);
}

double window_order_at(const window_order *o, int64_t rank) {
  return o->value[window_order_place(o, rank)];
}

#undef ORDER_SINGLE
#endif
