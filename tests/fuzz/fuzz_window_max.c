/* Sliding maxima over raw buffers, of any type, shape, layout, mode and edge, in any cut, beside a look at
 * every sample of every window. */
#include "input.h"
#include "base/base.h"
#include "pure/window_shape.h"

#define ONE_OF(c, list) (list)[choose(c, sizeof(list) / sizeof *(list))]

static const int64_t windows[] = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16, 17,
                                  31, 33, 40, 63, 64, 65, 99, 128, 129, 260};
static const int64_t sizes[] = {1, 2, 3, 0, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 127, 200};
static const int64_t inners[] = {1, 2, 3, 0, 4, 5, 8, 15, 16, 17, 33, 63, 64, 65, 70};
static const int64_t hostile[] = {-1, 0, INT64_MIN, INT64_MAX, INT64_MAX / 2, INT64_MAX / 64, 1000};

/* Of floats f, of integers i. */
typedef struct sample {
  double f;
  int64_t i;
} sample;

/* The functions of one type, as if all were the same. */
typedef struct face {
  size_t size;
  bool floats;
  int64_t low, high;
  size_t (*workspace)(const rill_window_params *);
  rill_status (*values)(const rill_window_params *, const void *x, void *low, void *high,
                        int64_t begin, int64_t end, void *room);
  rill_status (*places)(const rill_window_params *, const void *x, int64_t *index, void *y,
                        bool min, int64_t begin, int64_t end, void *room);
  sample (*get)(const void *x, int64_t i);
  void (*put)(void *x, int64_t i, sample s);
} face;

#define FACE(t, T, is_float)                                                                       \
  static rill_status values_##t(const rill_window_params *p, const void *x, void *low, void *high, \
                                int64_t begin, int64_t end, void *room) {                          \
    if (low && high) return rill_window_minmax_##t(p, x, low, high, begin, end, room);             \
    if (low) return rill_window_min_##t(p, x, low, begin, end, room);                              \
    return rill_window_max_##t(p, x, high, begin, end, room);                                      \
  }                                                                                                \
  static rill_status places_##t(const rill_window_params *p, const void *x, int64_t *index,        \
                                void *y, bool min, int64_t begin, int64_t end, void *room) {       \
    return min ? rill_window_argmin_##t(p, x, index, y, begin, end, room)                          \
               : rill_window_argmax_##t(p, x, index, y, begin, end, room);                         \
  }                                                                                                \
  static sample get_##t(const void *x, int64_t i) {                                                \
    T v = ((const T *)x)[i];                                                                       \
    return is_float ? (sample){.f = (double)v} : (sample){.i = (int64_t)v};                        \
  }                                                                                                \
  static void put_##t(void *x, int64_t i, sample s) { ((T *)x)[i] = is_float ? (T)s.f : (T)s.i; }
FACE(f32, float, true)
FACE(f64, double, true)
FACE(i8, int8_t, false)
FACE(u8, uint8_t, false)
FACE(i16, int16_t, false)
FACE(i32, int32_t, false)
FACE(i64, int64_t, false)

#define ENTRY(t, size, floats, low, high)                                                          \
  { size, floats, low, high, rill_window_workspace_##t, values_##t, places_##t, get_##t, put_##t }
static const face faces[] = {
    ENTRY(f32, 4, true, 0, 0),
    ENTRY(f64, 8, true, 0, 0),
    ENTRY(i8, 1, false, INT8_MIN, INT8_MAX),
    ENTRY(u8, 1, false, 0, UINT8_MAX),
    ENTRY(i16, 2, false, INT16_MIN, INT16_MAX),
    ENTRY(i32, 4, false, INT32_MIN, INT32_MAX),
    ENTRY(i64, 8, false, INT64_MIN, INT64_MAX),
};

/* ---- a problem --------------------------------------------------------------------------------- */

typedef struct problem {
  const face *t;
  rill_window_params p;
  int64_t length, units, xs[3], ys[3], x_count, y_count, x_start, y_start;
  void *x;
} problem;

static sample sample_of(choices *c, const face *t) {
  static const double floats[] = {0, -0.0, 1, 2, -1, NAN, (double)INFINITY, -(double)INFINITY};
  int v = choose(c, 8);
  const int64_t integers[] = {0, t->low, 1, 2, 3, t->high, t->high - 1, t->low + 1};
  return (sample){.f = floats[v], .i = integers[v]};
}

/* Neighbours of each dim in any order, with gaps, and backwards along some; *start: of element 0. */
static void layout(choices *c, const int64_t dims[3], int64_t strides[3], int64_t *start) {
  static const int orders[][3] = {{2, 1, 0}, {1, 2, 0}, {0, 1, 2}, {2, 0, 1}, {1, 0, 2}, {0, 2, 1}};
  const int *order = ONE_OF(c, orders);
  int64_t step = 1 + choose(c, 3);
  *start = 0;
  for (int i = 0; i < 3; i++) {
    int d = order[i];
    strides[d] = step;
    step = step * (dims[d] ? dims[d] : 1) + choose(c, 3);
    if (choose(c, 4) < 3 || !dims[d]) continue;
    *start += (dims[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
}

/* Elements of an array from the first to the last one, wherever element 0 lies. */
static int64_t extent(const int64_t dims[3], const int64_t strides[3]) {
  int64_t count = 1;
  for (int d = 0; d < 3; d++) {
    if (!dims[d]) return 0;
    count += (dims[d] - 1) * (strides[d] < 0 ? -strides[d] : strides[d]);
  }
  return count;
}

/* Steps of the brute force, which goes around the ends as often as a window does. */
static int64_t cost(const rill_window_params *p) {
  int64_t reach = p->window * (p->dilation + 1);
  return p->outer * p->inner * (p->n + reach) * p->window * (1 + reach / (p->n + 1));
}

static rill_window_params params(choices *c, const face *t) {
  rill_window_params p = RILL_WINDOW_PARAMS_INIT;
  p.outer = choose(c, 4);
  p.n = choose(c, 4) ? ONE_OF(c, sizes) : choose(c, 256) * 8;
  p.inner = ONE_OF(c, inners);
  p.window = choose(c, 8) ? ONE_OF(c, windows) : 1 + p.n / (1 + choose(c, 4));
  p.stride = choose(c, 6);
  p.dilation = choose(c, 6);
  p.mode = (rill_window_mode)choose(c, 4);
  p.edge = (rill_window_edge)choose(c, 6);
  p.nan = (rill_window_nan)choose(c, 2);
  p.last = choose(c, 2);
  sample pad = sample_of(c, t);
  p.pad = pad.f, p.pad_integer = pad.i;
  while (p.outer > 1 && cost(&p) > 100000) p.outer--;
  while (p.inner > 1 && cost(&p) > 100000) p.inner /= 2;
  while (p.window > 1 && cost(&p) > 400000) p.window = p.window * 2 / 3;
  if (choose(c, 64) == 63) { /* several units: long rows, or many columns */
    p.outer = 1, p.window = 1 + choose(c, 5);
    bool rows = choose(c, 2);
    p.n = rows ? 65536 + 2 * choose(c, 256) : choose(c, 20);
    p.inner = rows ? 1 : 1900 + 2 * choose(c, 256);
  }
  return p;
}

static problem problem_of(choices *c) {
  problem q = {.t = &ONE_OF(c, faces)};
  q.p = params(c, q.t);
  q.length = length_of(&q.p);
  int64_t x_dims[3] = {q.p.outer, q.p.n, q.p.inner}, y_dims[3] = {q.p.outer, q.length, q.p.inner};
  if (choose(c, 2)) layout(c, x_dims, q.p.x_stride, &q.x_start);
  if (choose(c, 2)) layout(c, y_dims, q.p.y_stride, &q.y_start);
  strides_of(q.p.x_stride, q.p.outer, q.p.n, q.p.inner, q.xs);
  strides_of(q.p.y_stride, q.p.outer, q.length, q.p.inner, q.ys);
  q.x_count = extent(x_dims, q.xs), q.y_count = extent(y_dims, q.ys);
  q.x = dirty(q.x_count, q.t->size);
  uint64_t random = 1 + (uint64_t)choose(c, 256);
  int pattern = choose(c, PATTERNS + 1);
  for (int64_t i = 0; i < q.x_count; i++) {
    int64_t v = pattern_value(pattern, i, q.p.window, &random) / 2;
    bool chosen = pattern == PATTERNS || test_uniform(&random) < 0.02;
    q.t->put(q.x, i, chosen ? sample_of(c, q.t) : (sample){(double)v / 3, v});
  }
  must(rill_window_check(&q.p) == RILL_OK, "the params are right");
  must(rill_window_length(&q.p) == q.length, "the length");
  q.units = rill_window_units(&q.p);
  must(q.units > 0 || q.p.outer * q.length * q.p.inner == 0, "units where there is work");
  return q;
}

static void *at(const face *t, void *a, int64_t i) { return (char *)a + i * (int64_t)t->size; }

/* ---- the brute force --------------------------------------------------------------------------- */

/* Is b to be preferred to a? zeros: +0 is above -0. */
static bool preferred(const problem *q, sample a, sample b, bool min, bool zeros) {
  if (!q->t->floats) return min ? b.i < a.i : b.i > a.i;
  if (isnan(a.f) || isnan(b.f))
    return isnan(a.f) != isnan(b.f) && !isnan(b.f) == (q->p.nan == RILL_WINDOW_NAN_IGNORE);
  if (a.f == b.f) return zeros && signbit(a.f) != signbit(b.f) && signbit(b.f) == min;
  return min ? b.f < a.f : b.f > a.f;
}

static sample pad_of(const problem *q) {
  return q->t->floats ? (sample){.f = q->t->size == 4 ? (double)(float)q->p.pad : q->p.pad}
                      : (sample){.i = q->p.pad_integer};
}

/* The place that wins in the window of [o, i, j], and its sample. */
static sample winner(const problem *q, int64_t o, int64_t i, int64_t j, bool min, bool zeros,
                     int64_t *index) {
  const rill_window_params *p = &q->p;
  int64_t dense, d = p->dilation ? p->dilation : 1, lead = lead_of(p, &dense);
  int64_t first = i * (p->stride ? p->stride : 1) - lead;
  double infinity = min ? (double)INFINITY : -(double)INFINITY;
  sample best = {q->t->floats ? infinity : 0, min ? q->t->high : q->t->low};
  bool any = false;
  *index = -1;
  for (int64_t k = 0; k < p->window; k++) {
    int64_t place = beyond(p, first + k * d);
    if (place == -2) continue;
    sample s = place < 0 ? pad_of(q) : q->t->get(q->x, q->x_start + at_of(q->xs, o, place, j));
    bool wins = !any || preferred(q, best, s, min, zeros) ||
                (p->last && !zeros && !preferred(q, s, best, min, zeros));
    if (wins) best = s, *index = place;
    any = true;
  }
  return best;
}

static bool same(const problem *q, sample a, sample b) {
  if (!q->t->floats) return a.i == b.i;
  if (isnan(a.f) || isnan(b.f)) return isnan(a.f) && isnan(b.f);
  return a.f == b.f && signbit(a.f) == signbit(b.f);
}

/* Are these the values, and with an index the places? A NULL is not looked at. */
static void compare(const problem *q, void *y, const int64_t *index, bool min) {
  for (int64_t o = 0; o < q->p.outer; o++)
    for (int64_t i = 0; i < q->length; i++)
      for (int64_t j = 0; j < q->p.inner; j++) {
        int64_t place, to = q->y_start + at_of(q->ys, o, i, j);
        sample want = winner(q, o, i, j, min, !index, &place);
        must(!index || index[to] == place, "the index");
        must(!y || same(q, q->t->get(y, to), want), min ? "the minimum" : "the maximum");
      }
}

/* ---- the calls --------------------------------------------------------------------------------- */

enum { CALLS = 4 };

/* Pieces of the units, the last ones first. */
static void pieces(choices *c, const problem *q, int64_t ends[CALLS + 1]) {
  ends[0] = 0, ends[CALLS] = q->units;
  for (int i = CALLS - 1; i > 0; i--)
    ends[i] = choose(c, 2) ? ends[i + 1] : ends[i + 1] * choose(c, 256) / 256;
}

static void values(choices *c, const problem *q, void *room) {
  int which = choose(c, 3);
  void *low = which != 1 ? dirty(q->y_count, q->t->size) : NULL;
  void *high = which != 0 ? dirty(q->y_count, q->t->size) : NULL;
  int64_t ends[CALLS + 1];
  pieces(c, q, ends);
  for (int i = CALLS - 1; i >= 0; i--)
    must(q->t->values(&q->p, at(q->t, q->x, q->x_start), low ? at(q->t, low, q->y_start) : NULL,
                      high ? at(q->t, high, q->y_start) : NULL, ends[i], ends[i + 1],
                      room) == RILL_OK,
         "values");
  if (low) compare(q, low, NULL, true);
  if (high) compare(q, high, NULL, false);
  free(low), free(high);
}

static void places(choices *c, const problem *q, void *room) {
  bool min = choose(c, 2);
  int64_t *index = dirty(q->y_count, sizeof *index), ends[CALLS + 1];
  void *y = choose(c, 2) ? dirty(q->y_count, q->t->size) : NULL;
  pieces(c, q, ends);
  for (int i = CALLS - 1; i >= 0; i--)
    must(q->t->places(&q->p, at(q->t, q->x, q->x_start), index + q->y_start,
                      y ? at(q->t, y, q->y_start) : NULL, min, ends[i], ends[i + 1],
                      room) == RILL_OK,
         "places");
  compare(q, y, index, min);
  free(index), free(y);
}

/* The results take the place of x, where they may. */
static void in_place(choices *c, const problem *q, void *room) {
  const rill_window_params *p = &q->p;
  bool plain = !p->x_stride[1] && !p->y_stride[1];
  if (!plain || q->length > p->n || p->dilation > 1 || q->units == 0) return;
  bool min = choose(c, 2);
  void *y = malloc((size_t)q->x_count * q->t->size);
  memcpy(y, q->x, (size_t)q->x_count * q->t->size);
  must(q->t->values(p, y, min ? y : NULL, min ? NULL : y, 0, q->units, room) == RILL_OK,
       "in place");
  compare(q, y, NULL, min);
  free(y);
}

/* Params with a field out of bounds: refused by all in the same way, or right after all. */
static void wrong(choices *c, const problem *q) {
  rill_window_params p = q->p;
  int64_t *const fields[] = {&p.outer, &p.n, &p.inner, &p.window, &p.stride, &p.dilation};
  *ONE_OF(c, fields) = ONE_OF(c, hostile);
  if (choose(c, 2)) *ONE_OF(c, fields) = ONE_OF(c, hostile);
  if (choose(c, 4) == 3) p.mode = (rill_window_mode)(choose(c, 9) - 2);
  if (choose(c, 4) == 3) p.edge = (rill_window_edge)(choose(c, 9) - 2);
  rill_status status = rill_window_check(&p);
  int64_t length = rill_window_length(&p), units = rill_window_units(&p);
  must((length >= 0) == (status == RILL_OK), "a length of right params only");
  must(units >= 0 && (status == RILL_OK || units == 0), "units of right params only");
  must(status == RILL_OK || q->t->workspace(&p) == 0, "a workspace of right params only");
  must(q->t->values(&p, NULL, NULL, NULL, 0, 0, NULL) == status, "the same refusal");
  rill_status places = q->t->places(&p, NULL, NULL, NULL, false, 0, 0, NULL);
  must(places == (status == RILL_OK && places == RILL_ERROR_UNSUPPORTED ? places : status),
       "the same refusal of places");
  (void)rill_window_max_backward_units(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  choices c = {data, size};
  cpu_set_level(choose(&c, CPU_LEVELS));
  problem q = problem_of(&c);
  size_t bytes = q.t->workspace(&q.p), shift = (size_t)choose(&c, 64);
  char *room = malloc(bytes + shift);
  memset(room, choose(&c, 2) ? 0x7f : 0x80, bytes + shift);
  values(&c, &q, room + shift);
  places(&c, &q, room + shift);
  in_place(&c, &q, room + shift);
  wrong(&c, &q);
  free(room), free(q.x);
  return 0;
}
