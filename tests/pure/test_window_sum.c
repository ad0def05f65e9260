/* Sliding-window sums and means against sums in long double of one window at a time, and their gradients
 * against the adjoint of that: every mode, edge and rule of NaN, whole and cut into units, out of place and
 * in place, and the same bits at every instruction set. */
#ifndef REAL
#include "pure/typed.h"
#include "pure/window_shape.h"

enum { MIXED = PATTERNS };

static const double epsilon_f32 = FLT_EPSILON, epsilon_f64 = DBL_EPSILON;

/* What a window sees: the sum and the magnitudes' sum of samples, how many samples, how many of them count. */
typedef struct seen {
  long double sum, magnitude;
  int64_t seen, numbers;
} seen;

#define TYPED_FILE "pure/test_window_sum.c"
#include "pure/typed_both.h"

/* Levels are gone through inside, since all must give the same bits. */
#define ONE_TEST(name)                                                                             \
  START_TEST(name) {                                                                               \
    name##_f32();                                                                                  \
    if (!UNDER_TSAN) name##_f64();                                                                 \
    cpu_set_level(CPU_LEVELS - 1);                                                                 \
  }                                                                                                \
  END_TEST

ONE_TEST(every_small)
ONE_TEST(every_pattern)
ONE_TEST(every_window)
ONE_TEST(windows_longer_than_rows)
ONE_TEST(many_shapes)
ONE_TEST(long_rows)
ONE_TEST(what_sees_nothing)
ONE_TEST(what_is_not_finite_ends_with_its_window)
ONE_TEST(errors_do_not_pile_up)
ONE_TEST(wrong_calls)

START_TEST(the_moving_average_of_every_textbook) {
  const double x[5] = {1, 2, 6, 4, 8}, want[5] = {1, 1.5, 3, 4, 6};
  double y[5];
  rill_window_params p = params_of(1, 5, 1, 3);
  p.mode = RILL_WINDOW_CAUSAL;
  void *room = malloc(rill_window_sum_workspace_f64(&p));
  ck_assert_int_eq(rill_window_mean_f64(&p, x, y, 0, rill_window_units(&p), room), RILL_OK);
  ck_assert_mem_eq(y, want, sizeof want);
  free(room);
}
END_TEST

static TCase *cases(void) {
  TCase *t = tcase_create("window_sum");
  tcase_add_test(t, the_moving_average_of_every_textbook);
  tcase_add_test(t, every_small);
  tcase_add_test(t, every_pattern);
  tcase_add_test(t, every_window);
  tcase_add_test(t, windows_longer_than_rows);
  tcase_add_test(t, many_shapes);
  tcase_add_test(t, long_rows);
  tcase_add_test(t, what_sees_nothing);
  tcase_add_test(t, what_is_not_finite_ends_with_its_window);
  tcase_add_test(t, errors_do_not_pile_up);
  tcase_add_test(t, wrong_calls);
  return t;
}

TEST_MAIN("pure/window_sum", cases)
#else

static REAL N(sample)(int pattern, int64_t i, int64_t k, bool nan, uint64_t *seed) {
  int64_t v = pattern_value(pattern, i, k, seed);
  double u = test_uniform(seed);
  if (nan && u < 0.2) return (REAL)NAN;
  if (pattern == EXTREME)
    return (REAL)(u < 0.3 ? -INFINITY : u < 0.4 ? INFINITY : u < 0.7 ? -0.0 : 1e-40);
  if (pattern == MIXED) return (REAL)((u - 0.6) * pow(10, 50 * test_uniform(seed) - 25));
  return (REAL)(pattern == RANDOM ? (double)v / 3 - 40 : (double)v);
}

/* The samples of the window of output i, in order; at[j] as beyond() has it, dropped NaN as nothing. */
static void N(window_at)(const rill_window_params *p, const REAL *x, const int64_t xs[3], int64_t o,
                         int64_t i, int64_t c, int64_t *at) {
  int64_t dense, d = p->dilation ? p->dilation : 1;
  int64_t first = i * (p->stride ? p->stride : 1) - lead_of(p, &dense);
  for (int64_t j = 0; j < p->window; j++) {
    at[j] = beyond(p, first + j * d);
    REAL v = at[j] >= 0 ? x[at_of(xs, o, at[j], c)] : (REAL)p->pad;
    if (p->nan == RILL_WINDOW_NAN_IGNORE && isnan(v)) at[j] = -2;
  }
}

static seen N(brute)(const rill_window_params *p, const REAL *x, const int64_t xs[3], int64_t o,
                     int64_t c, const int64_t *at) {
  seen s = {0, 0, 0, 0};
  for (int64_t j = 0; j < p->window; j++) {
    if (at[j] == -2) continue;
    long double v = at[j] >= 0 ? x[at_of(xs, o, at[j], c)] : (REAL)p->pad;
    s.sum += v;
    s.magnitude += fabsl(v);
    s.seen++;
  }
  return s;
}

/* Is v what `want` is, but for adding `count` numbers one by one? */
static void N(near)(REAL v, long double want, long double magnitude, int64_t count,
                    const char *what) {
  long double most = N(epsilon) / 2 * (long double)count * magnitude + 1e-44L;
  if (!reference_is_finer()) most *= 2;
  bool same = isnan(want) ? isnan(v) : isinf(want) ? v == want : fabsl(v - want) <= most;
  if (!same) ck_abort_msg("%s: %g, not %g", what, (double)v, (double)want);
}

typedef struct N(check) {
  rill_window_params p;
  int64_t length, units, back_units, xs[3], ys[3], x_count, y_count;
  REAL *x, *sum, *mean, *grad, *grad_sum, *grad_mean, *y;
  long double *want[2], *magnitude[2]; /* of gradients, of sums and means */
  int64_t *terms;
  void *room;
} N(check);

/* A NaN is any NaN. */
static void N(one_nan)(REAL *y, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (isnan(y[i])) y[i] = (REAL)NAN;
}

static void N(run_units)(N(check) * c, int which, REAL *to, int64_t begin, int64_t end) {
  rill_status status;
  memset(c->room, 0x77, K(window_sum_workspace)(&c->p));
  switch (which) {
  case 0: status = K(window_sum)(&c->p, c->x, to, begin, end, c->room); break;
  case 1: status = K(window_mean)(&c->p, c->x, to, begin, end, c->room); break;
  case 2: status = K(window_sum_backward)(&c->p, c->grad, c->x, to, begin, end, c->room); break;
  default: status = K(window_mean_backward)(&c->p, c->grad, c->x, to, begin, end, c->room);
  }
  ck_assert_int_eq(status, RILL_OK);
}

/* Whatever the cut and the level, the bits are the same, and nothing beside the results is written. */
static REAL *N(results)(N(check) * c, int which, int64_t count) {
  int64_t units = which < 2 ? c->units : c->back_units;
  size_t bytes = (size_t)count * sizeof(REAL);
  REAL *first = dirty(count, sizeof(REAL));
  cpu_set_level(0);
  N(run_units)(c, which, first, 0, units);
  N(one_nan)(first, count);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int64_t parts = 1; parts <= units; parts = parts == 1                ? 2
                                                    : parts == 2 && units > 2 ? units
                                                                              : units + 1) {
      REAL *y = dirty(count, sizeof(REAL));
      for (int64_t part = parts - 1; part >= 0; part--)
        N(run_units)(c, which, y, units * part / parts, units * (part + 1) / parts);
      N(one_nan)(y, count);
      ck_assert_mem_eq(y, first, bytes);
      free(y);
    }
  }
  REAL *gaps = dirty(count, sizeof(REAL));
  for (int64_t o = 0; o < c->p.outer; o++)
    for (int64_t i = 0; i < (which < 2 ? c->length : c->p.n); i++)
      for (int64_t j = 0; j < c->p.inner; j++) {
        int64_t at = at_of(which < 2 ? c->ys : c->xs, o, i, j);
        gaps[at] = first[at];
      }
  ck_assert_mem_eq(first, gaps, bytes);
  free(gaps);
  return first;
}

static void N(check_window)(N(check) * c, int64_t o, int64_t i, int64_t j, int64_t *at) {
  const rill_window_params *p = &c->p;
  N(window_at)(p, c->x, c->xs, o, i, j, at);
  seen s = N(brute)(p, c->x, c->xs, o, j, at);
  int64_t y = at_of(c->ys, o, i, j);
  long double n = (long double)s.seen;
  N(near)(c->sum[y], s.sum, s.magnitude, s.seen, "sum");
  N(near)(c->mean[y], s.sum / n, s.magnitude / n, s.seen + 1, "mean");
  if (c->sum[y] == 0 && signbit(c->sum[y])) ck_abort_msg("-0");
  for (int64_t w = 0; w < p->window; w++) {
    if (at[w] < 0) continue;
    int64_t to = at_of(c->xs, o, at[w], j);
    long double g = c->grad[y];
    c->want[0][to] += g, c->magnitude[0][to] += fabsl(g);
    c->want[1][to] += g / n, c->magnitude[1][to] += fabsl(g) / n;
    c->terms[to]++;
  }
}

static void N(check_all)(N(check) * c) {
  int64_t *at = malloc((size_t)c->p.window * sizeof *at);
  for (int64_t o = 0; o < c->p.outer; o++)
    for (int64_t j = 0; j < c->p.inner; j++) {
      for (int64_t i = 0; i < c->length; i++) N(check_window)(c, o, i, j, at);
      for (int64_t i = 0; i < c->p.n; i++) {
        int64_t x = at_of(c->xs, o, i, j);
        N(near)(c->grad_sum[x], c->want[0][x], c->magnitude[0][x], c->terms[x], "grad of sum");
        N(near)
        (c->grad_mean[x], c->want[1][x], c->magnitude[1][x], c->terms[x] + 2, "grad of mean");
      }
    }
  free(at);
}

/* Results take the place of x, of which there is nothing but x_count samples. */
static void N(in_place)(const N(check) * c) {
  size_t bytes = (size_t)c->x_count * sizeof(REAL), results = (size_t)c->y_count * sizeof(REAL);
  REAL *x = malloc(bytes);
  memcpy(x, c->x, bytes);
  ck_assert_int_eq(K(window_sum)(&c->p, x, x, 0, c->units, c->room), RILL_OK);
  N(one_nan)(x, c->y_count);
  ck_assert_mem_eq(x, c->sum, results);
  memcpy(x, c->x, bytes);
  ck_assert_int_eq(K(window_mean)(&c->p, x, x, 0, c->units, c->room), RILL_OK);
  N(one_nan)(x, c->y_count);
  ck_assert_mem_eq(x, c->mean, results);
  free(x);
}

static void N(fill)(N(check) * c, int pattern) {
  const rill_window_params *p = &c->p;
  uint64_t seed = 1 + (uint64_t)p->n * 77 + (uint64_t)p->window * 13 + (uint64_t)p->inner;
  c->x = dirty(c->x_count, sizeof(REAL)), c->grad = dirty(c->y_count, sizeof(REAL));
  for (int64_t o = 0; o < p->outer; o++)
    for (int64_t j = 0; j < p->inner; j++) {
      for (int64_t i = 0; i < p->n; i++)
        c->x[at_of(c->xs, o, i, j)] = N(sample)(pattern, i + j, p->window, p->n % 3 == 0, &seed);
      for (int64_t i = 0; i < c->length; i++)
        c->grad[at_of(c->ys, o, i, j)] = (REAL)test_normal(&seed);
    }
}

static void N(run)(const rill_window_params *p, int pattern) {
  N(check) c = {.p = *p, .length = length_of(p), .units = rill_window_units(p)};
  c.back_units = rill_window_backward_units(p);
  c.x_count = strides_of(p->x_stride, p->outer, p->n, p->inner, c.xs);
  c.y_count = strides_of(p->y_stride, p->outer, c.length, p->inner, c.ys);
  N(fill)(&c, pattern);
  c.room = malloc(K(window_sum_workspace)(p));
  c.sum = N(results)(&c, 0, c.y_count), c.mean = N(results)(&c, 1, c.y_count);
  c.grad_sum = N(results)(&c, 2, c.x_count), c.grad_mean = N(results)(&c, 3, c.x_count);
  for (int i = 0; i < 2; i++) {
    c.want[i] = calloc((size_t)c.x_count + 1, sizeof(long double));
    c.magnitude[i] = calloc((size_t)c.x_count + 1, sizeof(long double));
  }
  c.terms = calloc((size_t)c.x_count + 1, sizeof *c.terms);
  N(check_all)(&c);
  if (c.length <= p->n && c.x_count == p->outer * p->n * p->inner && !p->x_stride[0] &&
      !p->y_stride[0] && c.y_count && p->dilation < 2)
    N(in_place)(&c);
  for (int i = 0; i < 2; i++) free(c.want[i]), free(c.magnitude[i]);
  free(c.x), free(c.grad), free(c.sum), free(c.mean), free(c.grad_sum), free(c.grad_mean);
  free(c.room), free(c.terms);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void N(every_small)(void) {
  for (int64_t n = 0; n < 7; n++)
    for (int64_t k = 1; k <= n + 1; k++)
      for (int mode = 0; mode < 4; mode++)
        for (int edge = 0; edge < 6; edge++)
          for (int rest = 0; rest < 4; rest++) {
            rill_window_params p = params_of(1 + n % 2, n, 1 + k % 2, k);
            p.mode = (rill_window_mode)mode, p.edge = (rill_window_edge)edge;
            p.nan = (rill_window_nan)(rest & 1);
            p.dilation = rest == 3 ? 3 : 0, p.stride = rest == 2 ? 2 : 0;
            N(run)(&p, rest == 0 ? EXTREME : rest == 1 ? RANDOM : MIXED);
          }
}

static void N(every_pattern)(void) {
  const int64_t sizes[] = {2, 3, 5, 8, 16, 33, 64, 66, 130, 259};
  for (int pattern = 0; pattern <= MIXED; pattern++)
    for (int i = 0; i < 10; i++) {
      rill_window_params p = params_of(1, 300, 1, sizes[i]);
      p.mode = (rill_window_mode)(i % 4), p.edge = (rill_window_edge)((i + pattern) % 6);
      p.nan = (rill_window_nan)(pattern & 1);
      N(run)(&p, pattern);
    }
}

static void N(every_window)(void) {
  for (int64_t k = 1; k <= 302; k += UNDER_TSAN ? 10 : 1) {
    rill_window_params p = params_of(1, 301, 1, k);
    p.mode = k % 2 ? RILL_WINDOW_SAME : RILL_WINDOW_VALID;
    p.edge = k % 3 ? RILL_WINDOW_IGNORE : RILL_WINDOW_MIRROR;
    N(run)(&p, k % 2 ? RANDOM : MIXED);
  }
}

/* Places beyond one end lie close to those beyond the other, and repeat the same samples many times. */
static void N(windows_longer_than_rows)(void) {
  const int64_t windows[] = {15, 16, 17, 63, 64, 66, 100, 131};
  for (int64_t n = 1; n < 6; n++)
    for (int i = 0; i < 8 * 3 * 4; i += UNDER_TSAN ? 5 : 1) {
      rill_window_params p = params_of(1, n, 1 + i / 8 % 2, windows[i % 8]);
      p.mode = (rill_window_mode)(1 + i / 8 % 3), p.edge = (rill_window_edge)(2 + i / 24);
      p.dilation = 1 + (i + n) % 3;
      N(run)(&p, MIXED);
    }
}

/* Inner dims, dilations and strides of all kinds; x and y with gaps, and with dims the other way. */
static void N(many_shapes)(void) {
  const int64_t inners[] = {1, 2, 3, 5, 16, 17, 64, 65, 130, 530};
  uint64_t seed = 5;
  for (int i = 0; i < 140; i++) {
    int64_t inner = inners[i % 10], n = 1 + (int64_t)(test_uniform(&seed) * 60);
    int64_t k = 1 + (int64_t)(test_uniform(&seed) * (double)(n + 1));
    if (i % 3 == 0) n *= 4;
    if (n * inner > 4000) n = 1 + 4000 / inner;
    rill_window_params p = params_of(1 + i % 2, n, inner, k);
    p.mode = (rill_window_mode)(i % 4), p.edge = (rill_window_edge)(i / 7 % 6);
    p.dilation = i / 4 % 4 == 1 ? 2 : i / 4 % 4 == 2 ? 1 + (int64_t)(test_uniform(&seed) * 40) : 0;
    p.stride = i % 5 == 1 ? 2 : i % 5 == 2 ? 7 : 0;
    p.nan = (rill_window_nan)(i / 2 % 2);
    N(run)(&p, RANDOM);
    int64_t length = length_of(&p);
    if (i % 2) {
      p.x_stride[0] = n * inner * 2 + 3, p.x_stride[1] = inner * 2, p.x_stride[2] = 2;
      p.y_stride[0] = length * (inner + 1), p.y_stride[1] = inner + 1, p.y_stride[2] = 1;
    } else {
      p.x_stride[0] = n * inner, p.x_stride[1] = 1, p.x_stride[2] = n;
      p.y_stride[0] = length * inner + 1, p.y_stride[1] = 1, p.y_stride[2] = length;
    }
    N(run)(&p, RANDOM);
  }
  /* More columns than a unit has, of samples that reflect into each other's. */
  for (int i = 0; i < 6; i++) {
    rill_window_params p = params_of(1, 9, i < 3 ? 700 : 2100, 1 + i % 3 * 3);
    p.mode = (rill_window_mode)(1 + i % 3), p.edge = (rill_window_edge)(i + 1 - i / 5);
    p.dilation = i < 3 ? 4 : 1;
    N(run)(&p, RANDOM);
  }
}

/* Rows of several units. Whole numbers, whose sums are exact, from a running sum of integers. */
static void N(long_rows)(void) {
  enum { LONG = 150000 };
  const int64_t sizes[] = {7, 1000, 70000, LONG + 1};
  REAL *x = dirty(LONG, sizeof(REAL)), *y = dirty(LONG, sizeof(REAL));
  int64_t *sums = dirty(LONG + 1, 8), wrong = 0;
  uint64_t seed = 9;
  sums[0] = 0;
  for (int64_t i = 0; i < LONG; i++) {
    int64_t v = (int64_t)(test_uniform(&seed) * 41) - 20;
    x[i] = (REAL)v;
    sums[i + 1] = sums[i] + v;
  }
  for (int i = 0; i < 4; i++)
    for (int backward = 0; backward < 2; backward++) {
      rill_window_params p = params_of(1, LONG, 1, sizes[i]);
      p.mode = RILL_WINDOW_CAUSAL;
      int64_t units = backward ? rill_window_backward_units(&p) : rill_window_units(&p);
      void *room = malloc(K(window_sum_workspace)(&p));
      ck_assert_int_eq(units, sizes[i] <= 65536 ? 3 : divide_up(LONG, sizes[i]));
      for (int64_t unit = units - 1; unit >= 0; unit--)
        ck_assert_int_eq(backward ? K(window_sum_backward)(&p, x, NULL, y, unit, unit + 1, room)
                                  : K(window_sum)(&p, x, y, unit, unit + 1, room),
                         RILL_OK);
      for (int64_t j = 0; j < LONG; j++) {
        int64_t low = backward ? j : j < sizes[i] ? 0 : j + 1 - sizes[i];
        int64_t high = !backward ? j + 1 : j + sizes[i] < LONG ? j + sizes[i] : LONG;
        wrong += y[j] != (REAL)(sums[high] - sums[low]);
      }
      free(room);
    }
  ck_assert_int_eq(wrong, 0);
  free(x), free(y), free(sums);
}

static void N(what_sees_nothing)(void) {
  REAL x[4] = {(REAL)NAN, (REAL)NAN, (REAL)NAN, 5}, y[8], grad[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  rill_window_params p = params_of(1, 4, 1, 2);
  p.mode = RILL_WINDOW_FULL, p.nan = RILL_WINDOW_NAN_IGNORE, p.dilation = 4;
  void *room = malloc(K(window_sum_workspace)(&p));
  ck_assert_int_eq(rill_window_length(&p), 8);
  ck_assert_int_eq(K(window_sum)(&p, x, y, 0, rill_window_units(&p), room), RILL_OK);
  for (int i = 0; i < 8; i++) ck_assert(y[i] == (i % 4 == 3 ? 5 : 0) && !signbit(y[i]));
  ck_assert_int_eq(K(window_mean)(&p, x, y, 0, rill_window_units(&p), room), RILL_OK);
  for (int i = 0; i < 8; i++) ck_assert(i % 4 == 3 ? y[i] == 5 : isnan(y[i]));
  ck_assert_int_eq(K(window_mean_backward)(&p, grad, x, y, 0, 1, room), RILL_OK);
  for (int i = 0; i < 4; i++) ck_assert(y[i] == (i == 3 ? 2 : 0));
  free(room);
  /* No window at all: gradients of zero. */
  p = params_of(1, 4, 1, 5);
  room = malloc(K(window_sum_workspace)(&p));
  ck_assert_int_eq(rill_window_units(&p), 0);
  ck_assert_int_eq(rill_window_backward_units(&p), 1);
  ck_assert_int_eq(K(window_sum_backward)(&p, NULL, NULL, y, 0, 1, room), RILL_OK);
  for (int i = 0; i < 4; i++) ck_assert(y[i] == 0);
  free(room);
}

static void N(what_is_not_finite_ends_with_its_window)(void) {
  enum { MANY = 1000 };
  REAL x[MANY], y[MANY];
  for (int64_t k = 1; k <= MANY; k = k * 3 + 1) {
    rill_window_params p = params_of(1, MANY, 1, k);
    void *room = malloc(K(window_sum_workspace)(&p));
    int64_t n = rill_window_length(&p);
    for (int i = 0; i < MANY; i++) x[i] = 1;
    x[500] = (REAL)NAN, x[700] = (REAL)INFINITY;
    ck_assert_int_eq(K(window_mean)(&p, x, y, 0, 1, room), RILL_OK);
    for (int64_t i = 0; i < n; i++) {
      bool nan = i <= 500 && i + k > 500, infinite = i <= 700 && i + k > 700;
      if (nan ? !isnan(y[i]) : infinite ? y[i] != (REAL)INFINITY : y[i] != 1)
        ck_abort_msg("%lld of %lld", (long long)i, (long long)k);
    }
    free(room);
  }
}

/* After a million large numbers the sums of small ones are as good as before. */
static void N(errors_do_not_pile_up)(void) {
  enum { MANY = 200000, WINDOW = 1000 };
  REAL *x = malloc(MANY * sizeof(REAL)), *y = malloc(MANY * sizeof(REAL));
  double *want = calloc(MANY, sizeof *want);
  uint64_t seed = 4;
  for (int i = 0; i < MANY; i++) x[i] = (REAL)(test_normal(&seed) * (i < MANY / 2 ? 1e9 : 1));
  rill_window_params p = params_of(1, MANY, 1, WINDOW);
  void *room = malloc(K(window_sum_workspace)(&p));
  ck_assert_int_eq(K(window_sum)(&p, x, y, 0, rill_window_units(&p), room), RILL_OK);
  enum { FIRST = MANY - 5000, LAST = MANY - WINDOW };
  for (int i = FIRST; i < LAST; i++) {
    long double sum = 0;
    for (int j = 0; j < WINDOW; j++) sum += x[i + j];
    want[i] = (double)sum;
  }
  double ratio = N(typed_ratio)(y + FIRST, want + FIRST, LAST - FIRST);
  ck_assert_double_le(ratio, 4 * N(epsilon));
  free(x), free(y), free(want), free(room);
}

static void N(wrong_calls)(void) {
  rill_window_params p = params_of(1, 40, 1, 4), bad = p;
  REAL x[120], before[120], y[40];
  void *room = malloc(K(window_sum_workspace)(&p));
  int64_t units = rill_window_units(&p);
  for (int i = 0; i < 120; i++) before[i] = x[i] = (REAL)i;
  bad.window = 0;
  ck_assert_uint_eq(K(window_sum_workspace)(NULL), 0);
  ck_assert_uint_eq(K(window_sum_workspace)(&bad), 0);
  ck_assert_int_eq(rill_window_backward_units(NULL), 0);
  ck_assert_int_eq(rill_window_backward_units(&bad), 0);
  ck_assert_int_eq(K(window_sum)(NULL, x, x + 50, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_mean)(&bad, x, x + 50, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum_backward)(&bad, x, x, y, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, x + 1, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_mean)(&p, x + 36, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, NULL, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, NULL, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, x + 50, 0, units, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, x + 50, 0, units + 1, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, x + 50, -1, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, x, x + 50, 1, 0, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum)(&p, NULL, NULL, 0, 0, NULL), RILL_OK);
  ck_assert_int_eq(K(window_sum_backward)(&p, x, NULL, x + 36, 0, units, room),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum_backward)(&p, x, NULL, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum_backward)(&p, NULL, NULL, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum_backward)(&p, x, NULL, NULL, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_mean_backward)(&p, x, NULL, y, 0, units, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_mean_backward)(&p, x, NULL, y, 0, units + 1, room),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_sum_backward)(&p, NULL, NULL, NULL, 0, 0, NULL), RILL_OK);
  p.nan = RILL_WINDOW_NAN_IGNORE;
  ck_assert_int_eq(K(window_sum_backward)(&p, y, NULL, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(window_mean_backward)(&p, y, x + 39, x, 0, units, room), RILL_ERROR_ARGUMENT);
  p.nan = RILL_WINDOW_NAN_PROPAGATE;
  p.mode = RILL_WINDOW_FULL; /* longer than x */
  ck_assert_int_eq(K(window_sum)(&p, x, x, 0, rill_window_units(&p), room), RILL_ERROR_ARGUMENT);
  ck_assert_mem_eq(x, before, sizeof x);
  free(room);
}

#endif
