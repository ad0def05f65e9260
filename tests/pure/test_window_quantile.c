/* Sliding-window quantiles against sorting one window at a time, and their gradients against what that
 * chooses: every mode, edge, rule of NaN and method, whole and cut into units; and the numbers in order by
 * themselves, in all sizes that make one chunk of them or many. */
#ifndef REAL
#include "pure/typed.h"
#include "pure/window_order.h"
#include "pure/window_shape.h"

/* A number and its place in the window, hence its age, and its sample. */
typedef struct ranked {
  double value;
  int64_t place, at;
} ranked;

static int by_value_then_age(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->value != y->value) return x->value < y->value ? -1 : 1;
  return x->place < y->place ? -1 : 1;
}

/* torch.lerp, but that infinities stay what they are. */
static double between(double a, double b, double part) {
  if (a == b) return a;
  if (!isfinite(b - a)) return (1 - part) * a + part * b;
  return part < 0.5 ? a + part * (b - a) : b - (1 - part) * (b - a);
}

static const double epsilon_f32 = FLT_EPSILON, epsilon_f64 = DBL_EPSILON;

#define TYPED_FILE "pure/test_window_quantile.c"
#include "pure/typed_both.h"

/* All levels run the same code. */
#define ONE_TEST(name)                                                                             \
  START_TEST(name) {                                                                               \
    name##_f32();                                                                                  \
    if (!UNDER_TSAN) name##_f64();                                                                 \
  }                                                                                                \
  END_TEST

ONE_TEST(every_small)
ONE_TEST(every_pattern)
ONE_TEST(every_window)
ONE_TEST(many_shapes)
ONE_TEST(long_rows)
ONE_TEST(sorted_blocks)
ONE_TEST(far_ranks)
ONE_TEST(between_infinities)
ONE_TEST(wrong_calls)

/* The order and its tags against a sorted copy of what it should hold. */
static void order_holds(const window_order *o, const double *x, int64_t from, int64_t to,
                        ranked *all) {
  int64_t n = 0;
  for (int64_t i = from; i < to; i++)
    if (!isnan(x[i])) all[n++] = (ranked){(double)x[i], i, i};
  qsort(all, (size_t)n, sizeof *all, by_value_then_age);
  ck_assert_int_eq(o->count, n);
  ck_assert_int_eq(o->nans, to - from - n);
  for (int64_t i = 0; i < n; i++) {
    double v = window_order_at(o, i);
    if (v != all[i].value || window_order_tag(o, i) != all[i].at)
      ck_abort_msg("rank %lld", (long long)i);
  }
}

START_TEST(numbers_in_order) {
  const int64_t sizes[] = {1, 2, 3, 31, 32, 33, 600, 1024, 1025, 1500, 2100};
  enum { MANY = 7000 };
  double *x = malloc(MANY * sizeof *x);
  ranked *all = malloc(MANY * sizeof *all);
  uint64_t seed = 3;
  for (int s = 0; s < 11; s++)
    for (int pattern = 0; pattern < PATTERNS; pattern += s < 7 ? 1 : 4) {
      window_order o;
      void *memory = malloc(window_order_bytes(sizes[s], true));
      window_order_init(&o, sizes[s], true, memory);
      window_order_pop(&o);
      int64_t from = 0, to = 0, most = sizes[s], check = most < 40 ? 1 : most / 4;
      for (int64_t step = 0; to < MANY && step < 3 * most + 100; step++) {
        x[to] = sample_f64(pattern, to, most, true, &seed);
        double u = test_uniform(&seed);
        bool full = to - from == most, shrink = step > 2 * most && u < 0.6;
        if (shrink) {
          window_order_pop(&o);
          if (from < to) from++;
        } else if (full || (u < 0.1 && from < to)) {
          window_order_roll(&o, x[to], to);
          to++, from++;
        } else {
          window_order_push(&o, x[to], to);
          to++;
        }
        if (step % check == 0) order_holds(&o, x, from, to, all);
      }
      while (to - from < most && to < MANY) x[to] = 1, window_order_push(&o, 1, to), to++;
      if (to - from == most) window_order_push(&o, 5, -9); /* there is no room */
      order_holds(&o, x, from, to, all);
      free(memory);
    }
  free(x), free(all);
}
END_TEST

START_TEST(the_running_median_of_every_textbook) {
  const float x[7] = {1, 3, -1, -3, 5, 3, 6}, want[5] = {1, -1, -1, 3, 5};
  float y[5];
  rill_window_params p = params_of(1, 7, 1, 3);
  void *room = malloc(rill_window_quantile_workspace_f32(&p));
  ck_assert_int_eq(rill_window_quantile_f32(&p, 0.5, RILL_WINDOW_QUANTILE_LINEAR, x, y, 0, 1, room),
                   RILL_OK);
  ck_assert_mem_eq(y, want, sizeof want);
  free(room);
}
END_TEST

/* Of 1, 2, 3, 4, as numpy.quantile(method=...) has it. */
START_TEST(every_method) {
  const double x[4] = {3, 1, 4, 2}, q[4] = {0, 0.5, 0.75, 1};
  const double want[5][4] = {
      {1, 2.5, 3.25, 4}, {1, 2, 3, 4}, {1, 3, 4, 4}, {1, 3, 3, 4}, {1, 2.5, 3.5, 4}};
  rill_window_params p = params_of(1, 4, 1, 4);
  void *room = malloc(rill_window_quantile_workspace_f64(&p));
  for (int method = 0; method < 5; method++)
    for (int i = 0; i < 4; i++) {
      double y;
      ck_assert_int_eq(rill_window_quantile_f64(&p, q[i], (rill_window_quantile_method)method, x,
                                                &y, 0, 1, room),
                       RILL_OK);
      ck_assert_double_eq(y, want[method][i]);
    }
  free(room);
}
END_TEST

static TCase *cases(void) {
  TCase *t = tcase_create("window_quantile");
  tcase_add_test(t, the_running_median_of_every_textbook);
  tcase_add_test(t, every_method);
  tcase_add_test(t, every_small);
  tcase_add_test(t, every_pattern);
  tcase_add_test(t, every_window);
  tcase_add_test(t, many_shapes);
  tcase_add_test(t, long_rows);
  tcase_add_test(t, sorted_blocks);
  tcase_add_test(t, far_ranks);
  tcase_add_test(t, between_infinities);
  tcase_add_test(t, wrong_calls);
  tcase_add_test(t, numbers_in_order);
  return t;
}

TEST_MAIN("pure/window_quantile", cases)
#else

static REAL N(sample)(int pattern, int64_t i, int64_t k, bool nan, uint64_t *seed) {
  int64_t v = pattern_value(pattern, i, k, seed);
  double u = test_uniform(seed);
  if (nan && u < 0.2) return (REAL)NAN;
  if (pattern == EXTREME)
    return (REAL)(u < 0.4 ? -INFINITY : u < 0.5 ? INFINITY : u < 0.9 ? 0 : -1e-40);
  return (REAL)(pattern == RANDOM ? (double)v / 3 - 40 : (double)v);
}

typedef struct N(check) {
  rill_window_params p;
  double q;
  rill_window_quantile_method method;
  int64_t length, units, back_units, xs[3], ys[3], x_count, y_count;
  REAL *x, *y, *want, *grad, *grad_x, *want_grad;
  ranked *window;
  void *room;
} N(check);

/* The numbers of the window of output i, and its last NaN, unless that is -2: none, or NaN are ignored. */
static int64_t N(sorted)(N(check) * c, int64_t o, int64_t i, int64_t j, int64_t *nan) {
  const rill_window_params *p = &c->p;
  int64_t dense, d = p->dilation ? p->dilation : 1, n = 0;
  int64_t first = i * (p->stride ? p->stride : 1) - lead_of(p, &dense);
  *nan = -2;
  for (int64_t w = 0; w < p->window; w++) {
    int64_t at = beyond(p, first + w * d);
    if (at == -2) continue;
    REAL v = at >= 0 ? c->x[at_of(c->xs, o, at, j)] : (REAL)p->pad;
    if (isnan(v) && p->nan == RILL_WINDOW_NAN_PROPAGATE) *nan = at;
    if (!isnan(v)) c->window[n++] = (ranked){(double)v, w, at};
  }
  qsort(c->window, (size_t)n, sizeof *c->window, by_value_then_age);
  return n;
}

static void N(give)(N(check) * c, int64_t o, int64_t j, int64_t at, double g) {
  if (at >= 0) c->want_grad[at_of(c->xs, o, at, j)] += (REAL)g;
}

static void N(want_window)(N(check) * c, int64_t o, int64_t i, int64_t j) {
  int64_t nan, n = N(sorted)(c, o, i, j, &nan), y = at_of(c->ys, o, i, j);
  double g = (double)c->grad[y], rank = c->q * (double)(n - 1), low = floor(rank),
         high = ceil(rank);
  double part = rank - low;
  c->want[y] = (REAL)NAN;
  if (nan >= -1) N(give)(c, o, j, nan, g);
  if (nan >= -1 || n == 0) return;
  if (c->method == RILL_WINDOW_QUANTILE_NEAREST) low = high = nearbyint(rank);
  if (c->method == RILL_WINDOW_QUANTILE_LOWER) high = low;
  if (c->method == RILL_WINDOW_QUANTILE_HIGHER) low = high;
  if (c->method == RILL_WINDOW_QUANTILE_MIDPOINT) part = 0.5;
  ranked a = c->window[(int64_t)low], b = c->window[(int64_t)high];
  if (low == high) {
    c->want[y] = (REAL)a.value;
    N(give)(c, o, j, a.at, g);
    return;
  }
  c->want[y] = (REAL)between(a.value, b.value, part);
  N(give)(c, o, j, a.at, g * (1 - part));
  N(give)(c, o, j, b.at, g * part);
}

/* Quantiles are exact; gradients, which are all positive, are but for the order of addition. */
static void N(near)(const REAL *a, const REAL *b, int64_t n, double most, const char *what) {
  for (int64_t i = 0; i < n; i++) {
    double x = (double)a[i], y = (double)b[i];
    bool same = isnan(y) ? isnan(x) : x == y || fabs(x - y) <= most * fabs(y);
    if (!same) ck_abort_msg("%s[%lld]: %g, not %g", what, (long long)i, x, y);
  }
}

/* A NaN is any NaN. */
static void N(one_nan)(REAL *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (isnan(y[i])) y[i] = (REAL)NAN;
}

static REAL *N(in_parts)(const N(check) * c, bool back, int64_t parts, int64_t count) {
  int64_t units = back ? c->back_units : c->units;
  REAL *y = dirty(count, sizeof(REAL));
  for (int64_t part = parts - 1; part >= 0; part--) {
    int64_t begin = units * part / parts, end = units * (part + 1) / parts;
    memset(c->room, 0x77, K(window_quantile_workspace)(&c->p));
    rill_status status =
        back ? K(window_quantile_backward)(&c->p, c->q, c->method, c->grad, c->x, y, begin, end,
                                           c->room)
             : K(window_quantile)(&c->p, c->q, c->method, c->x, y, begin, end, c->room);
    ck_assert_int_eq(status, RILL_OK);
  }
  N(one_nan)(y, count);
  return y;
}

/* Whatever the cut, the bits are the same, and nothing beside the results is written. */
static void N(compare)(const N(check) * c, bool back, const REAL *want, int64_t count) {
  int64_t units = back ? c->back_units : c->units;
  REAL *whole = N(in_parts)(c, back, 1, count),
       *parts = N(in_parts)(c, back, units ? units : 1, count);
  REAL *two = N(in_parts)(c, back, 2, count);
  N(near)(whole, want, count, back ? 16 * N(epsilon) : 0, back ? "gradient" : "quantile");
  ck_assert_mem_eq(whole, parts, (size_t)count * sizeof(REAL));
  ck_assert_mem_eq(whole, two, (size_t)count * sizeof(REAL));
  free(whole), free(parts), free(two);
}

static void N(fill)(N(check) * c, int pattern) {
  const rill_window_params *p = &c->p;
  uint64_t seed = 1 + (uint64_t)p->n * 77 + (uint64_t)p->window * 13 + (uint64_t)p->inner;
  c->x = dirty(c->x_count, sizeof(REAL)), c->grad = dirty(c->y_count, sizeof(REAL));
  c->want = dirty(c->y_count, sizeof(REAL)), c->want_grad = dirty(c->x_count, sizeof(REAL));
  for (int64_t o = 0; o < p->outer; o++)
    for (int64_t j = 0; j < p->inner; j++) {
      for (int64_t i = 0; i < p->n; i++) {
        c->x[at_of(c->xs, o, i, j)] = N(sample)(pattern, i + j, p->window, p->n % 3 == 0, &seed);
        c->want_grad[at_of(c->xs, o, i, j)] = 0;
      }
      for (int64_t i = 0; i < c->length; i++)
        c->grad[at_of(c->ys, o, i, j)] = (REAL)(1 + (int64_t)(test_uniform(&seed) * 50));
    }
}

static void N(run)(const rill_window_params *p, int pattern, double q, int method) {
  N(check)
  c = {.p = *p, .q = q, .method = (rill_window_quantile_method)method, .length = length_of(p)};
  c.units = rill_window_units(p), c.back_units = rill_window_backward_units(p);
  c.x_count = strides_of(p->x_stride, p->outer, p->n, p->inner, c.xs);
  c.y_count = strides_of(p->y_stride, p->outer, c.length, p->inner, c.ys);
  N(fill)(&c, pattern);
  c.room = malloc(K(window_quantile_workspace)(p));
  c.window = malloc((size_t)p->window * sizeof *c.window);
  for (int64_t o = 0; o < p->outer; o++)
    for (int64_t j = 0; j < p->inner; j++)
      for (int64_t i = 0; i < c.length; i++) N(want_window)(&c, o, i, j);
  N(one_nan)(c.want, c.y_count);
  N(compare)(&c, false, c.want, c.y_count);
  N(compare)(&c, true, c.want_grad, c.x_count);
  free(c.x), free(c.grad), free(c.want), free(c.want_grad), free(c.room), free(c.window);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void N(every_small)(void) {
  const double qs[] = {0, 0.25, 0.5, 0.7, 1};
  for (int64_t n = 0; n < 7; n++)
    for (int64_t k = 1; k <= n + 1; k++)
      for (int mode = 0; mode < 4; mode++)
        for (int edge = 0; edge < 6; edge++)
          for (int rest = 0; rest < 4; rest++) {
            rill_window_params p = params_of(1 + n % 2, n, 1 + k % 2, k);
            p.mode = (rill_window_mode)mode, p.edge = (rill_window_edge)edge;
            p.nan = (rill_window_nan)(rest & 1);
            p.dilation = rest == 3 ? 3 : 0, p.stride = rest == 2 ? 2 : 0;
            N(run)
            (&p,
             rest == 0   ? EXTREME
             : rest == 1 ? RANDOM
                         : TIES,
             qs[(k + rest) % 5], (edge + rest) % 5);
          }
}

static void N(every_pattern)(void) {
  const int64_t sizes[] = {2, 3, 5, 8, 16, 33, 65, 66, 130, 259};
  for (int pattern = 0; pattern < PATTERNS; pattern++)
    for (int i = 0; i < 10; i++) {
      rill_window_params p = params_of(1, 300, 1, sizes[i]);
      p.mode = (rill_window_mode)(i % 4), p.edge = (rill_window_edge)((i + pattern) % 6);
      p.nan = (rill_window_nan)(pattern & 1);
      N(run)
      (&p, pattern, i % 3 ? 0.5 : 0.9,
       i % 2 ? RILL_WINDOW_QUANTILE_LINEAR : RILL_WINDOW_QUANTILE_LOWER);
    }
}

static void N(every_window)(void) {
  for (int64_t k = 1; k <= 302; k += UNDER_TSAN ? 10 : 1) {
    rill_window_params p = params_of(1, 301, 1, k);
    p.mode = k % 2 ? RILL_WINDOW_SAME : RILL_WINDOW_VALID;
    p.edge = k % 3 ? RILL_WINDOW_IGNORE : RILL_WINDOW_MIRROR;
    N(run)(&p, k % 2 ? RANDOM : TIES, 0.5, RILL_WINDOW_QUANTILE_LINEAR);
  }
}

/* Inner dims, dilations and strides of all kinds; x and y with gaps, and with dims the other way. */
static void N(many_shapes)(void) {
  const int64_t inners[] = {1, 2, 3, 5, 16, 17, 64, 65, 130, 530};
  uint64_t seed = 5;
  for (int i = 0; i < 70; i++) {
    int64_t inner = inners[i % 10], n = 1 + (int64_t)(test_uniform(&seed) * 60);
    int64_t k = 1 + (int64_t)(test_uniform(&seed) * (double)(n + 1));
    if (i % 3 == 0) n *= 4;
    if (n * inner > 4000) n = 1 + 4000 / inner;
    rill_window_params p = params_of(1 + i % 2, n, inner, k);
    p.mode = (rill_window_mode)(i % 4), p.edge = (rill_window_edge)(i / 7 % 6);
    p.dilation = i / 4 % 4 == 1 ? 2 : i / 4 % 4 == 2 ? 1 + (int64_t)(test_uniform(&seed) * 40) : 0;
    p.stride = i % 5 == 1 ? 2 : i % 5 == 2 ? 7 : 0;
    p.nan = (rill_window_nan)(i / 2 % 2);
    N(run)(&p, RANDOM, 0.5, i % 5);
    int64_t length = length_of(&p);
    if (i % 2) {
      p.x_stride[0] = n * inner * 2 + 3, p.x_stride[1] = inner * 2, p.x_stride[2] = 2;
      p.y_stride[0] = length * (inner + 1), p.y_stride[1] = inner + 1, p.y_stride[2] = 1;
    } else {
      p.x_stride[0] = n * inner, p.x_stride[1] = 1, p.x_stride[2] = n;
      p.y_stride[0] = length * inner + 1, p.y_stride[1] = 1, p.y_stride[2] = length;
    }
    N(run)(&p, TIES, 0.3, 0);
  }
  /* More columns than a unit has, of samples that reflect into each other's. */
  for (int i = 0; i < 6; i++) {
    rill_window_params p = params_of(1, 9, i < 3 ? 700 : 2100, 1 + i % 3 * 3);
    p.mode = (rill_window_mode)(1 + i % 3), p.edge = (rill_window_edge)(i + 1 - i / 5);
    p.dilation = i < 3 ? 4 : 1;
    N(run)(&p, RANDOM, 0.5, 0);
  }
}

/* Rows of several units, of numbers from 0 to 63, whose quantiles come of counting. */
static void N(long_rows)(void) {
  enum { LONG = 150000 };
  const int64_t sizes[] = {7, 1000, 70000, LONG + 1};
  REAL *x = dirty(LONG, sizeof(REAL)), *y = dirty(LONG, sizeof(REAL));
  uint64_t seed = 9;
  int64_t wrong = 0;
  for (int64_t i = 0; i < LONG; i++) x[i] = (REAL)(int64_t)(test_uniform(&seed) * 64);
  for (int i = 0; i < 4; i++) {
    rill_window_params p = params_of(1, LONG, 1, sizes[i]);
    p.mode = RILL_WINDOW_CAUSAL;
    int64_t units = rill_window_units(&p), count[64] = {0};
    void *room = malloc(K(window_quantile_workspace)(&p));
    for (int64_t unit = units - 1; unit >= 0; unit--)
      ck_assert_int_eq(
          K(window_quantile)(&p, 0.5, RILL_WINDOW_QUANTILE_LOWER, x, y, unit, unit + 1, room),
          RILL_OK);
    for (int64_t j = 0; j < LONG; j++) {
      count[(int64_t)x[j]]++;
      if (j >= sizes[i]) count[(int64_t)x[j - sizes[i]]]--;
      int64_t rank = ((j < sizes[i] ? j + 1 : sizes[i]) - 1) / 2, v = 0;
      while (rank >= count[v]) rank -= count[v++];
      wrong += y[j] != (REAL)v;
    }
    free(room);
  }
  ck_assert_int_eq(wrong, 0);
  free(x), free(y);
}

/* Columns long enough to be sorted in blocks, of which the last ones have several. */
static void N(sorted_blocks)(void) {
  const int64_t sizes[] = {1, 2, 3, 63, 64, 65, 300, 511, 699, 700, 1300};
  const double qs[] = {0.5, 0, 0.97, 1};
  for (int i = 0; i < (UNDER_TSAN ? 11 : 44); i++) {
    rill_window_params p = params_of(1, 700 + i % 3, 1 + i % 2, sizes[i % 11]);
    p.mode = (rill_window_mode)(i / 2 % 4), p.edge = (rill_window_edge)(i % 6);
    p.nan = (rill_window_nan)(i / 3 % 2), p.stride = sizes[i % 11] > 64 ? 5 : 0;
    if (i % 5 == 4) p.dilation = 2, p.n *= 2;
    N(run)(&p, i % PATTERNS, qs[i % 4], i / 4 % 5);
  }
  for (int i = 0; i < 4; i++) {
    rill_window_params p = params_of(1, 9001, 1, i % 2 ? 1100 : 6);
    p.mode = RILL_WINDOW_SAME, p.edge = (rill_window_edge)i, p.stride = i % 2 ? 37 : 1;
    N(run)(&p, i < 2 ? RANDOM : EXTREME, 0.5, 0);
  }
}

/* The median goes from one end of the numbers to the other and back with each step, over many that other
 * windows have. */
static void N(far_ranks)(void) {
  enum { MANY = 40000, WINDOW = 10000, LAST = MANY - WINDOW };
  REAL *x = malloc(MANY * sizeof(REAL)), *y = malloc((LAST + 1) * sizeof(REAL));
  uint64_t seed = 2;
  for (int i = 0; i < MANY; i++)
    x[i] = (REAL)(i < LAST - 50 ? test_uniform(&seed) : i / 2 % 2 ? 5 : -5);
  rill_window_params p = params_of(1, MANY, 1, WINDOW);
  void *room = malloc(K(window_quantile_workspace)(&p));
  ck_assert_int_eq(K(window_quantile)(&p, 0.5, RILL_WINDOW_QUANTILE_LOWER, x, y, 0, 1, room),
                   RILL_OK);
  for (int i = LAST - 50; i <= LAST; i++) {
    int64_t high = 0;
    for (int j = 0; j < WINDOW; j++) high += x[i + j] > 0;
    ck_assert(y[i] == (REAL)(2 * high > WINDOW ? 5 : -5));
  }
  free(x), free(y), free(room);
}

static void N(between_infinities)(void) {
  const REAL inf = (REAL)INFINITY, large = sizeof(REAL) == 4 ? (REAL)3e38 : (REAL)1.5e308;
  const REAL x[6] = {-inf, -inf, 2, inf, -large, large};
  REAL y[3];
  rill_window_params p = params_of(1, 6, 1, 2);
  p.stride = 2;
  void *room = malloc(K(window_quantile_workspace)(&p));
  ck_assert_int_eq(K(window_quantile)(&p, 0.25, 0, x, y, 0, 1, room), RILL_OK);
  ck_assert(y[0] == -inf && y[1] == inf);
  ck_assert_double_eq_tol((double)y[2], -(double)large / 2, 1e-6 * (double)large);
  p.stride = 1;
  const REAL both[2] = {-inf, inf};
  p.n = 2;
  ck_assert_int_eq(K(window_quantile)(&p, 0.5, 0, both, y, 0, 1, room), RILL_OK);
  ck_assert(isnan(y[0]));
  free(room);
}

static void N(wrong_calls)(void) {
  rill_window_params p = params_of(1, 40, 1, 4), bad = p;
  REAL x[120], before[120], y[40];
  void *room = malloc(K(window_quantile_workspace)(&p));
  int64_t units = rill_window_units(&p);
  for (int i = 0; i < 120; i++) before[i] = x[i] = (REAL)i;
  bad.window = 0;
  ck_assert_uint_eq(K(window_quantile_workspace)(NULL), 0);
  ck_assert_uint_eq(K(window_quantile_workspace)(&bad), 0);
#define REFUSED(params, q, method, x, y, begin, end, room)                                         \
  ck_assert_int_eq(K(window_quantile)(params, q, (rill_window_quantile_method)(method), x, y,      \
                                      begin, end, room),                                           \
                   RILL_ERROR_ARGUMENT)
#define BACK_REFUSED(params, q, method, grad, x, y, begin, end, room)                              \
  ck_assert_int_eq(K(window_quantile_backward)(params, q, (rill_window_quantile_method)(method),   \
                                               grad, x, y, begin, end, room),                      \
                   RILL_ERROR_ARGUMENT)
  REFUSED(NULL, 0.5, 0, x, y, 0, units, room);
  REFUSED(&bad, 0.5, 0, x, y, 0, units, room);
  REFUSED(&p, -0.1, 0, x, y, 0, units, room);
  REFUSED(&p, 1.1, 0, x, y, 0, units, room);
  REFUSED(&p, (double)NAN, 0, x, y, 0, units, room);
  REFUSED(&p, 0.5, 5, x, y, 0, units, room);
  REFUSED(&p, 0.5, -1, x, y, 0, units, room);
  REFUSED(&p, 0.5, 0, x, x, 0, units, room);
  REFUSED(&p, 0.5, 0, x, x + 39, 0, units, room);
  REFUSED(&p, 0.5, 0, x + 36, x, 0, units, room);
  REFUSED(&p, 0.5, 0, NULL, y, 0, units, room);
  REFUSED(&p, 0.5, 0, x, NULL, 0, units, room);
  REFUSED(&p, 0.5, 0, x, y, 0, units, NULL);
  REFUSED(&p, 0.5, 0, x, y, 0, units + 1, room);
  REFUSED(&p, 0.5, 0, x, y, -1, units, room);
  REFUSED(&p, 0.5, 0, x, y, 1, 0, room);
  BACK_REFUSED(&bad, 0.5, 0, y, x, x + 40, 0, units, room);
  BACK_REFUSED(&p, 2.0, 0, y, x, x + 40, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, y, x, x + 39, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, x + 50, x, x + 80, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, NULL, x, x + 80, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, y, NULL, x + 80, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, y, x, NULL, 0, units, room);
  BACK_REFUSED(&p, 0.5, 0, y, x, x + 80, 0, units, NULL);
  BACK_REFUSED(&p, 0.5, 0, y, x, x + 80, 0, units + 1, room);
#undef REFUSED
#undef BACK_REFUSED
  ck_assert_int_eq(K(window_quantile)(&p, 0.5, 0, NULL, NULL, 0, 0, NULL), RILL_OK);
  ck_assert_int_eq(K(window_quantile_backward)(&p, 0.5, 0, NULL, NULL, NULL, 0, 0, NULL), RILL_OK);
  ck_assert_mem_eq(x, before, sizeof x);
  free(room);
  /* No window at all: gradients of zero. */
  p = params_of(1, 4, 1, 5);
  room = malloc(K(window_quantile_workspace)(&p));
  ck_assert_int_eq(K(window_quantile_backward)(&p, 0.5, 0, NULL, x, y, 0, 1, room), RILL_OK);
  for (int i = 0; i < 4; i++) ck_assert(y[i] == 0);
  free(room);
}

#endif
