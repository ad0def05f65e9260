/* The tests of test_window.c that exist once for each type. That file includes this one with SUFFIX,
 * SAMPLE and FLOATS defined, and for integers LOW and HIGH. */

static SAMPLE N(sample)(int pattern, int64_t i, int64_t k, bool nan, uint64_t *seed) {
  int64_t v = pattern_value(pattern, i, k, seed);
  double u = test_uniform(seed);
#if FLOATS
  if (nan && u < 0.2) return u < 0.1 ? (SAMPLE)NAN : -(SAMPLE)NAN;
  if (pattern == EXTREME)
    return (SAMPLE)(u < 0.4   ? -INFINITY
                    : u < 0.5 ? INFINITY
                    : u < 0.7 ? -0.0
                    : u < 0.9 ? 0
                              : -1e-40);
  return (SAMPLE)(pattern == RANDOM ? (double)v / 3 - 40 : (double)v);
#else
  (void)nan;
  if (pattern == EXTREME) return u < 0.7 ? LOW : u < 0.9 ? LOW + 1 : u < 0.97 ? HIGH : HIGH - 1;
  return (SAMPLE)v;
#endif
}

#if FLOATS
static bool N(is_nan)(SAMPLE v) { return isnan(v); }
static bool N(negative)(SAMPLE v) { return signbit(v); }
#else
static bool N(is_nan)(SAMPLE v) { return (void)v, false; }
static bool N(negative)(SAMPLE v) { return (void)v, false; }
#endif

/* Does b come before a? zeros: +0 is above -0. */
static bool N(better)(const rill_window_params *p, SAMPLE a, SAMPLE b, bool min, bool zeros) {
  bool nan = p->nan == RILL_WINDOW_NAN_PROPAGATE;
  if (N(is_nan)(a) || N(is_nan)(b)) return nan ? !N(is_nan)(a) : N(is_nan)(a) && !N(is_nan)(b);
  if (a != b) return min ? b < a : b > a;
  return zeros && N(negative)(a) != N(negative)(b) && N(negative)(b) == min;
}

static SAMPLE N(nothing)(bool min) {
#if FLOATS
  return (SAMPLE)(min ? INFINITY : -INFINITY);
#else
  return min ? HIGH : LOW;
#endif
}

/* The maximum and the index of [o, i, c], looking at every sample. */
static SAMPLE N(brute)(const rill_window_params *p, const SAMPLE *x, const int64_t strides[3],
                       int64_t o, int64_t i, int64_t c, bool min, bool zeros, int64_t *index) {
  int64_t dense, d = p->dilation ? p->dilation : 1, lead = lead_of(p, &dense);
  int64_t first = i * (p->stride ? p->stride : 1) - lead;
  SAMPLE best = N(nothing)(min);
  bool any = false;
  *index = -1;
  for (int64_t j = 0; j < p->window; j++) {
    int64_t at = beyond(p, first + j * d);
    if (at == -2) continue;
    SAMPLE v = at >= 0  ? x[at_of(strides, o, at, c)]
               : FLOATS ? (SAMPLE)p->pad
                        : (SAMPLE)p->pad_integer;
    bool wins = !any || N(better)(p, best, v, min, zeros);
    if (!wins && p->last) wins = !N(better)(p, v, best, min, zeros);
    if (wins) best = v, *index = at;
    any = true;
  }
  return best;
}

static bool N(equal)(SAMPLE a, SAMPLE b) {
  if (N(is_nan)(a) || N(is_nan)(b)) return N(is_nan)(a) && N(is_nan)(b);
  return a == b && N(negative)(a) == N(negative)(b);
}

/* An array and what it should give. */
typedef struct N(check) {
  rill_window_params p;
  int64_t length, units, xs[3], ys[3], x_count, y_count;
  SAMPLE *x, *max, *min, *y, *z;
  int64_t *index, *argmax, *argmin;
  void *room;
} N(check);

/* All but the results keep the pattern that dirty() left, also between them. */
static void N(want)(N(check) * c) {
  rill_window_params values = c->p;
  int64_t at, none;
  values.last = false;
  c->max = dirty(c->y_count, sizeof(SAMPLE)), c->min = dirty(c->y_count, sizeof(SAMPLE));
  c->argmax = dirty(c->y_count, 8), c->argmin = dirty(c->y_count, 8);
  for (int64_t o = 0; o < c->p.outer; o++)
    for (int64_t i = 0; i < c->length; i++)
      for (int64_t j = 0; j < c->p.inner; j++) {
        at = at_of(c->ys, o, i, j);
        c->max[at] = N(brute)(&values, c->x, c->xs, o, i, j, false, true, &none);
        c->min[at] = N(brute)(&values, c->x, c->xs, o, i, j, true, true, &none);
        N(brute)(&c->p, c->x, c->xs, o, i, j, false, false, c->argmax + at);
        N(brute)(&c->p, c->x, c->xs, o, i, j, true, false, c->argmin + at);
      }
}

/* Check takes a system call for each assertion, hence one for all. */
static void N(same)(const SAMPLE *a, const SAMPLE *b, int64_t n, const char *what) {
  int64_t i = 0;
  while (i < n && N(equal)(a[i], b[i])) i++;
  if (i < n) ck_abort_msg("%s[%lld]: %g, not %g", what, (long long)i, (double)a[i], (double)b[i]);
}

/* y where the index says; what has none is the pad value or nothing. */
static void N(samples)(const N(check) * c, const int64_t *index, bool min) {
  for (int64_t o = 0; o < c->p.outer; o++)
    for (int64_t i = 0; i < c->length; i++)
      for (int64_t j = 0; j < c->p.inner; j++) {
        int64_t at = at_of(c->ys, o, i, j);
        SAMPLE want = c->p.edge == RILL_WINDOW_CONSTANT
                          ? (FLOATS ? (SAMPLE)c->p.pad : (SAMPLE)c->p.pad_integer)
                          : N(nothing)(min);
        if (index[at] >= 0) want = c->x[at_of(c->xs, o, index[at], j)];
        if (!N(equal)(c->y[at], want)) ck_abort_msg("the sample at an index");
      }
}

/* Every function, in `parts` calls, the last ones first. */
static void N(all)(N(check) * c, int64_t parts) {
  size_t bytes = K(workspace)(&c->p);
  for (int64_t part = parts - 1; part >= 0; part--) {
    int64_t begin = c->units * part / parts, end = c->units * (part + 1) / parts;
    memset(c->room, 0x77, bytes);
    ck_assert_int_eq(K(max)(&c->p, c->x, c->y, begin, end, c->room), RILL_OK);
    ck_assert_int_eq(K(min)(&c->p, c->x, c->z, begin, end, c->room), RILL_OK);
  }
  N(same)(c->y, c->max, c->y_count, "max");
  N(same)(c->z, c->min, c->y_count, "min");
  memset(c->y, 0x5a, (size_t)c->y_count * sizeof(SAMPLE));
  memset(c->z, 0x5a, (size_t)c->y_count * sizeof(SAMPLE));
  for (int64_t part = parts - 1; part >= 0; part--) {
    int64_t begin = c->units * part / parts, end = c->units * (part + 1) / parts;
    ck_assert_int_eq(K(minmax)(&c->p, c->x, c->z, c->y, begin, end, c->room), RILL_OK);
    ck_assert_int_eq(K(argmax)(&c->p, c->x, c->index, NULL, begin, end, c->room), RILL_OK);
  }
  N(same)(c->y, c->max, c->y_count, "minmax");
  N(same)(c->z, c->min, c->y_count, "minmax");
  ck_assert_mem_eq(c->index, c->argmax, (size_t)c->y_count * 8);
  ck_assert_int_eq(K(argmax)(&c->p, c->x, c->index, c->y, 0, c->units, c->room), RILL_OK);
  ck_assert_mem_eq(c->index, c->argmax, (size_t)c->y_count * 8);
  N(samples)(c, c->index, false);
  ck_assert_int_eq(K(argmin)(&c->p, c->x, c->index, c->y, 0, c->units, c->room), RILL_OK);
  ck_assert_mem_eq(c->index, c->argmin, (size_t)c->y_count * 8);
  N(samples)(c, c->index, true);
}

/* Results take the place of x, of which there is nothing but x_count samples. */
static void N(in_place)(N(check) * c) {
  size_t bytes = (size_t)c->x_count * sizeof(SAMPLE);
  SAMPLE *x = malloc(bytes + 1);
  memcpy(x, c->x, bytes);
  ck_assert_int_eq(K(max)(&c->p, x, x, 0, c->units, c->room), RILL_OK);
  N(same)(x, c->max, c->y_count, "max in place");
  memcpy(x, c->x, bytes);
  ck_assert_int_eq(K(minmax)(&c->p, x, x, c->y, 0, c->units, c->room), RILL_OK);
  N(same)(x, c->min, c->y_count, "min in place");
  N(same)(c->y, c->max, c->y_count, "max beside");
  memcpy(x, c->x, bytes);
  ck_assert_int_eq(K(minmax)(&c->p, x, c->z, x, 0, c->units, c->room), RILL_OK);
  N(same)(c->z, c->min, c->y_count, "min beside");
  N(same)(x, c->max, c->y_count, "max in place");
  free(x);
}

static void N(run)(const rill_window_params *p, int pattern) {
  N(check) c = {.p = *p, .length = length_of(p), .units = rill_window_units(p)};
  uint64_t seed = 1 + (uint64_t)p->n * 77 + (uint64_t)p->window * 13 + (uint64_t)p->inner;
  ck_assert_int_eq(rill_window_check(p), RILL_OK);
  ck_assert_int_eq(rill_window_length(p), c.length);
  c.x_count = strides_of(p->x_stride, p->outer, p->n, p->inner, c.xs);
  c.y_count = strides_of(p->y_stride, p->outer, c.length, p->inner, c.ys);
  c.x = dirty(c.x_count, sizeof(SAMPLE));
  for (int64_t o = 0; o < p->outer; o++)
    for (int64_t i = 0; i < p->n; i++)
      for (int64_t j = 0; j < p->inner; j++)
        c.x[at_of(c.xs, o, i, j)] = N(sample)(pattern, i + j, p->window, p->n % 3 == 0, &seed);
  N(want)(&c);
  c.y = dirty(c.y_count, sizeof(SAMPLE)), c.z = dirty(c.y_count, sizeof(SAMPLE));
  c.index = dirty(c.y_count, 8);
  c.room = malloc(K(workspace)(p));
  N(all)(&c, 1);
  if (c.units > 1) N(all)(&c, c.units);
  if (c.units > 2) N(all)(&c, 2);
  if (c.length <= p->n && c.x_count == p->outer * p->n * p->inner && !p->x_stride[0] &&
      !p->y_stride[0] && c.y_count && p->dilation < 2)
    N(in_place)(&c);
  free(c.x), free(c.max), free(c.min), free(c.y), free(c.z), free(c.room);
  free(c.index), free(c.argmax), free(c.argmin);
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
            p.nan = (rill_window_nan)(rest & 1), p.last = rest & 2;
            p.dilation = rest == 3 ? 3 : 0, p.stride = rest == 2 ? 2 : 0;
            N(run)(&p, rest == 0 ? EXTREME : rest == 1 ? RANDOM : TIES);
          }
}

static void N(every_pattern)(void) {
  const int64_t sizes[] = {2, 3, 5, 8, 16, 33, 65, 66, 130, 259};
  for (int pattern = 0; pattern < PATTERNS; pattern++)
    for (int i = 0; i < 10; i++) {
      rill_window_params p = params_of(1, 300, 1, sizes[i]);
      p.mode = (rill_window_mode)(i % 4), p.edge = (rill_window_edge)((i + pattern) % 6);
      p.last = i & 1, p.nan = (rill_window_nan)(pattern & 1);
      N(run)(&p, pattern);
    }
}

/* Every k to n + 1, and some where chunks of 8 kB begin. */
static void N(borders)(void) {
  for (int64_t k = 1; k <= 302; k++) {
    rill_window_params p = params_of(1, 301, 1, k);
    p.mode = k % 2 ? RILL_WINDOW_SAME : RILL_WINDOW_VALID;
    N(run)(&p, RANDOM);
  }
  int64_t chunk = 8192 / (int64_t)sizeof(SAMPLE);
  for (int64_t n = chunk - 1; n <= chunk + 1; n++)
    for (int64_t k = 3; k < 300; k += 59) {
      rill_window_params p = params_of(1, n, 1, k);
      p.mode = RILL_WINDOW_SAME, p.edge = RILL_WINDOW_REFLECT;
      N(run)(&p, RANDOM);
    }
}

/* Inner dims, dilations and strides of all kinds; x and y with gaps, and with dims the other way. */
static void N(many_shapes)(void) {
  const int64_t inners[] = {1, 2, 3, 16, 17, 63, 64, 65, 130, 530};
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
    p.last = i & 1, p.nan = (rill_window_nan)(i / 2 % 2);
    N(run)(&p, i % 3 ? RANDOM : TIES);
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
}

/* Rows of several units, against the deque of indices that every textbook has. */
static void N(long_rows)(void) {
  const int64_t n = 150000, sizes[] = {7, 1000, 70000, 150001};
  SAMPLE *x = dirty(n, sizeof(SAMPLE)), *y = dirty(n, sizeof(SAMPLE));
  int64_t *index = dirty(n, 8), *deque = dirty(n, 8);
  uint64_t seed = 9;
  for (int64_t i = 0; i < n; i++) x[i] = N(sample)(RANDOM, i, 1, false, &seed);
  for (int i = 0; i < 4; i++) {
    rill_window_params p = params_of(1, n, 1, sizes[i]);
    p.mode = RILL_WINDOW_CAUSAL;
    int64_t units = rill_window_units(&p);
    void *room = malloc(K(workspace)(&p));
    ck_assert_int_eq(units, sizes[i] <= 65536 ? 3 : divide_up(n, sizes[i]));
    for (int64_t unit = units - 1; unit >= 0; unit--) {
      ck_assert_int_eq(K(max)(&p, x, y, unit, unit + 1, room), RILL_OK);
      ck_assert_int_eq(K(argmax)(&p, x, index, NULL, unit, unit + 1, room), RILL_OK);
    }
    int64_t wrong = 0;
    for (int64_t j = 0, head = 0, end = 0; j < n; j++) {
      while (end > head && x[deque[end - 1]] < x[j]) end--;
      deque[end++] = j;
      if (deque[head] <= j - sizes[i]) head++;
      wrong += index[j] != deque[head] || y[j] != x[deque[head]];
    }
    ck_assert_int_eq(wrong, 0);
    free(room);
  }
  free(x), free(y), free(index), free(deque);
}

static void N(overlaps)(void) {
  rill_window_params p = params_of(1, 40, 1, 4);
  SAMPLE x[120], before[120];
  int64_t index[40];
  uint64_t seed = 3;
  void *room = malloc(K(workspace)(&p));
  int64_t units = rill_window_units(&p);
  for (int i = 0; i < 120; i++) before[i] = x[i] = N(sample)(RANDOM, i, 4, false, &seed);
  ck_assert_int_eq(K(max)(&p, x, x + 1, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x + 36, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(min)(&p, x, x + 39, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, x, 0, units - 1, room), RILL_OK); /* no unit */
  ck_assert_int_eq(K(minmax)(&p, x, x + 50, x + 60, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(minmax)(&p, x, x + 50, NULL, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(minmax)(&p, x, NULL, x + 50, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(argmax)(&p, x, index, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(argmax)(&p, x, (int64_t *)(void *)before, (SAMPLE *)before, 0, units, room),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(argmax)(&p, x, NULL, x + 50, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, NULL, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, NULL, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, x + 50, 0, units, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, x + 50, 0, units + 1, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, x + 50, -1, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(K(max)(&p, x, x + 50, 1, 0, room), RILL_ERROR_ARGUMENT);
  p.mode = RILL_WINDOW_FULL; /* longer than x */
  ck_assert_int_eq(K(max)(&p, x, x, 0, rill_window_units(&p), room), RILL_ERROR_ARGUMENT);
  p.mode = RILL_WINDOW_VALID;
  p.dilation = 2;
  ck_assert_int_eq(K(max)(&p, x, x, 0, units, room), RILL_ERROR_ARGUMENT);
  p.dilation = 1;
  p.x_stride[0] = 80, p.x_stride[1] = 2, p.x_stride[2] = 1;
  ck_assert_int_eq(K(max)(&p, x, x, 0, units, room), RILL_ERROR_ARGUMENT);
  ck_assert_mem_eq(x, before, sizeof x);
  free(room);
}

#undef SUFFIX
#undef SAMPLE
#undef FLOATS
#undef LOW
#undef HIGH
