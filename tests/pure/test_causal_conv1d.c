/* The causal convolution against the plain sum, PyTorch's gradients, central differences, and
 * itself under every cut of time and of units. */
#include "main.h"
#include "base/base.h"
#include "golden/conv_golden.h"
#include "rill/pure.h"

/* What goes in, each with a gradient, and what comes out, each with one given. */
enum { X, WEIGHT, BIAS, TAIL, INPUTS };
enum { Y, TAIL_OUT, OUTPUTS };

enum { LONE = 1, WIDE = 2, IN_PLACE = 4, FLOAT = 8, NO_GRAD = 16 };

/* Absent inputs, and a gradient of tail_out that is not given, are NULL. All of it is malloc'ed. */
typedef struct problem {
  int64_t batch, steps, channels, taps;
  bool silu;
  double *in[INPUTS], *grad_out[OUTPUTS];
} problem;

typedef struct result {
  double *out[OUTPUTS], *grad[INPUTS];
} result;

static int64_t input_size(const problem *p, int i) {
  switch (i) {
  case X: return p->batch * p->steps * p->channels;
  case WEIGHT: return p->channels * p->taps;
  case TAIL: return p->batch * (p->taps - 1) * p->channels;
  default: return p->channels;
  }
}

static int64_t output_size(const problem *p, int i) { return input_size(p, i == Y ? X : TAIL); }

static void *block(int64_t n, size_t size) {
  void *p = malloc((size_t)(n ? n : 1) * size);
  ck_assert_ptr_nonnull(p);
  return p;
}

static double *filled(int64_t n, double value) {
  double *x = block(n, sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = value;
  return x;
}

static double *copied(const double *from, int64_t n) {
  double *x = block(n, sizeof *x);
  memcpy(x, from, sizeof *x * (size_t)n);
  return x;
}

/* Values are rounded to float, so that both types compute the same problem. */
static double *normals(uint64_t *seed, int64_t n) {
  double *x = block(n, sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = (float)test_normal(seed);
  return x;
}

/* `all`: with bias, tail, silu and a gradient of tail_out; otherwise with none. */
static problem make_problem(uint64_t seed, int64_t batch, int64_t steps, int64_t channels,
                            int64_t taps, bool all) {
  problem p = {.batch = batch, .steps = steps, .channels = channels, .taps = taps, .silu = all};
  for (int i = 0; i < INPUTS; i++)
    if (all || i <= WEIGHT) p.in[i] = normals(&seed, input_size(&p, i));
  for (int i = 0; i < OUTPUTS; i++)
    if (all || i == Y) p.grad_out[i] = normals(&seed, output_size(&p, i));
  return p;
}

static void free_problem(problem *p) {
  for (int i = 0; i < INPUTS; i++) free(p->in[i]);
  for (int i = 0; i < OUTPUTS; i++) free(p->grad_out[i]);
}

static void free_result(result *r) {
  for (int i = 0; i < INPUTS; i++) free(r->grad[i]);
  for (int i = 0; i < OUTPUTS; i++) free(r->out[i]);
}

static result make_result(const problem *p, double value) {
  result r = {{0}, {0}};
  for (int i = 0; i < INPUTS; i++) r.grad[i] = filled(input_size(p, i), value);
  for (int i = 0; i < OUTPUTS; i++) r.out[i] = filled(output_size(p, i), value);
  return r;
}

/* ---- the plain sum and its gradient ---- */

/* Where input e of the tail followed by x stands: in x, or in the tail. */
static double *element(const problem *p, double *x, double *tail, int64_t b, int64_t e, int64_t d) {
  int64_t before = p->taps - 1;
  if (e >= before) return x + (b * p->steps + e - before) * p->channels + d;
  return tail ? tail + (b * before + e) * p->channels + d : NULL;
}

static double value(const problem *p, int64_t b, int64_t e, int64_t d) {
  double *x = element(p, p->in[X], p->in[TAIL], b, e, d);
  return x ? *x : 0;
}

static result reference(const problem *p) {
  result r = make_result(p, 0);
  int64_t T = p->steps, D = p->channels, K = p->taps;
  for (int64_t b = 0; b < p->batch; b++) {
    for (int64_t d = 0; d < D; d++) {
      for (int64_t t = 0; t < T; t++) {
        int64_t i = (b * T + t) * D + d;
        double s = p->in[BIAS] ? p->in[BIAS][d] : 0, g = p->grad_out[Y][i];
        for (int64_t k = 0; k < K; k++) s += p->in[WEIGHT][d * K + k] * value(p, b, t + k, d);
        double q = 1 / (1 + exp(-s));
        r.out[Y][i] = p->silu ? s * q : s;
        if (p->silu) g *= q * (1 + s * (1 - q));
        r.grad[BIAS][d] += g;
        for (int64_t k = 0; k < K; k++) {
          r.grad[WEIGHT][d * K + k] += g * value(p, b, t + k, d);
          *element(p, r.grad[X], r.grad[TAIL], b, t + k, d) += g * p->in[WEIGHT][d * K + k];
        }
      }
      for (int64_t j = 0; j < K - 1; j++) {
        int64_t i = (b * (K - 1) + j) * D + d;
        r.out[TAIL_OUT][i] = value(p, b, T + j, d);
        if (p->grad_out[TAIL_OUT])
          *element(p, r.grad[X], r.grad[TAIL], b, T + j, d) += p->grad_out[TAIL_OUT][i];
      }
    }
  }
  return r;
}

/* ---- running the kernels ---- */

/* Doubles to a buffer of the type, its rows `stride` apart with NaN between them, and back. */
static void *pack(const double *x, int64_t rows, int64_t width, int64_t stride, bool single) {
  if (!x) return NULL;
  float *f = block(rows * stride, sizeof(double));
  double *d = (double *)f;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < stride; i++) {
      double v = i < width ? x[r * width + i] : NAN;
      if (single)
        f[r * stride + i] = (float)v;
      else
        d[r * stride + i] = v;
    }
  }
  return f;
}

static void unpack(void *from, double *to, int64_t n, bool single) {
  for (int64_t i = 0; i < n; i++) to[i] = single ? ((float *)from)[i] : ((double *)from)[i];
  free(from);
}

static void forward(const rill_causal_conv1d_params *s, void *const *in, void *const *out,
                    int64_t begin, int64_t end, void *workspace, bool single) {
  rill_status status = single
                           ? rill_causal_conv1d_f32(s, in[X], in[WEIGHT], in[BIAS], in[TAIL],
                                                    out[Y], out[TAIL_OUT], begin, end, workspace)
                           : rill_causal_conv1d_f64(s, in[X], in[WEIGHT], in[BIAS], in[TAIL],
                                                    out[Y], out[TAIL_OUT], begin, end, workspace);
  ck_assert_int_eq(status, RILL_OK);
}

static void backward(const rill_causal_conv1d_params *s, void *const *in, void *const *grad_out,
                     void *const *grad, void *partials, int64_t begin, int64_t end, void *workspace,
                     bool single) {
  rill_status status =
      single ? rill_causal_conv1d_backward_f32(s, in[X], in[WEIGHT], in[BIAS], in[TAIL],
                                               grad_out[Y], grad_out[TAIL_OUT], grad[X], grad[TAIL],
                                               partials, begin, end, workspace)
             : rill_causal_conv1d_backward_f64(s, in[X], in[WEIGHT], in[BIAS], in[TAIL],
                                               grad_out[Y], grad_out[TAIL_OUT], grad[X], grad[TAIL],
                                               partials, begin, end, workspace);
  ck_assert_int_eq(status, RILL_OK);
}

static void reduce(const rill_causal_conv1d_params *s, void *partials, void *const *grad,
                   int64_t begin, int64_t end, bool single) {
  rill_status status =
      single ? rill_causal_conv1d_reduce_f32(s, partials, grad[WEIGHT], grad[BIAS], begin, end)
             : rill_causal_conv1d_reduce_f64(s, partials, grad[WEIGHT], grad[BIAS], begin, end);
  ck_assert_int_eq(status, RILL_OK);
}

/* A block that the kernels must not read before they write: filled with NaN. */
static void *scratch(size_t bytes) {
  void *p = block((int64_t)bytes + 8, 1);
  memset(p, 0xff, bytes + 8);
  return p;
}

/* flags: LONE runs each unit in a call of its own, last to first; WIDE spreads the rows of x;
 * IN_PLACE lets tail_out overwrite the tail (without gradients); FLOAT computes in f32. */
static result run(const problem *p, int flags) {
  bool single = flags & FLOAT;
  rill_causal_conv1d_params s;
  rill_causal_conv1d_params_init(&s);
  s.batch = p->batch, s.steps = p->steps, s.channels = p->channels, s.taps = p->taps;
  s.silu = p->silu;
  if (flags & WIDE) s.x_stride = p->channels + 3;
  result r = make_result(p, NAN);
  void *in[INPUTS], *grad[INPUTS], *out[OUTPUTS], *grad_out[OUTPUTS];
  for (int i = 0; i < INPUTS; i++) {
    int64_t rows = i == X ? p->batch * p->steps : 1;
    int64_t width = i == X ? p->channels : input_size(p, i);
    in[i] = pack(p->in[i], rows, width, i == X && flags & WIDE ? s.x_stride : width, single);
    grad[i] = pack(r.grad[i], 1, input_size(p, i), input_size(p, i), single);
  }
  for (int i = 0; i < OUTPUTS; i++) {
    out[i] = pack(r.out[i], 1, output_size(p, i), output_size(p, i), single);
    grad_out[i] = pack(p->grad_out[i], 1, output_size(p, i), output_size(p, i), single);
  }
  void *tail = in[TAIL];
  if (flags & IN_PLACE) {
    memcpy(out[TAIL_OUT], tail, (size_t)output_size(p, TAIL_OUT) * (single ? 4 : 8));
    in[TAIL] = out[TAIL_OUT];
  }

  void *workspace =
      scratch(single ? rill_causal_conv1d_workspace_f32(&s) : rill_causal_conv1d_workspace_f64(&s));
  void *partials =
      scratch(single ? rill_causal_conv1d_partials_f32(&s) : rill_causal_conv1d_partials_f64(&s));
  int64_t units = rill_causal_conv1d_units(&s), step = flags & LONE || !units ? 1 : units;
  for (int64_t i = units - step; i >= 0; i -= step)
    forward(&s, in, out, i, i + step, workspace, single);
  if (!(flags & NO_GRAD)) {
    for (int64_t i = units - step; i >= 0; i -= step)
      backward(&s, in, grad_out, grad, partials, i, i + step, workspace, single);
    units = rill_causal_conv1d_reduce_units(&s), step = flags & LONE || !units ? 1 : units;
    for (int64_t i = units - step; i >= 0; i -= step)
      reduce(&s, partials, grad, i, i + step, single);
  }

  in[TAIL] = tail;
  for (int i = 0; i < INPUTS; i++) {
    free(in[i]);
    unpack(grad[i], r.grad[i], input_size(p, i), single);
  }
  for (int i = 0; i < OUTPUTS; i++) {
    unpack(out[i], r.out[i], output_size(p, i), single);
    free(grad_out[i]);
  }
  free(workspace);
  free(partials);
  return r;
}

static void check_close(const problem *p, const result *r, const result *expected,
                        double tolerance) {
  for (int i = 0; i < OUTPUTS; i++)
    ck_assert_msg(rms_ratio_f64(r->out[i], expected->out[i], output_size(p, i)) <= tolerance,
                  "output %d, steps %d channels %d taps %d", i, (int)p->steps, (int)p->channels,
                  (int)p->taps);
  for (int i = 0; i < INPUTS; i++)
    if (p->in[i])
      ck_assert_msg(rms_ratio_f64(r->grad[i], expected->grad[i], input_size(p, i)) <= tolerance,
                    "gradient %d, steps %d channels %d taps %d", i, (int)p->steps, (int)p->channels,
                    (int)p->taps);
}

static void check_same(const problem *p, const result *r, const result *expected) {
  for (int i = 0; i < OUTPUTS; i++)
    ck_assert_mem_eq(r->out[i], expected->out[i], sizeof(double) * (size_t)output_size(p, i));
  for (int i = 0; i < INPUTS; i++)
    ck_assert_mem_eq(r->grad[i], expected->grad[i], sizeof(double) * (size_t)input_size(p, i));
}

/* ---- tests ---- */

#define GOLDEN(x) copied(x, (int64_t)(sizeof x / sizeof *x))

static void check_golden(problem p, result expected) {
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    result r = run(&p, 0), f = run(&p, FLOAT);
    check_close(&p, &r, &expected, 1e-14);
    check_close(&p, &f, &expected, 1e-6);
    free_result(&r);
    free_result(&f);
  }
  free_problem(&p);
  free_result(&expected);
}

START_TEST(equals_pytorch_in_value_and_gradient) {
  problem p = {2,
               5,
               3,
               4,
               true,
               {GOLDEN(silu_x), GOLDEN(silu_weight), GOLDEN(silu_bias), GOLDEN(silu_tail)},
               {GOLDEN(silu_grad_y), GOLDEN(silu_grad_tail_out)}};
  result r = {{GOLDEN(silu_y), GOLDEN(silu_tail_out)},
              {GOLDEN(silu_grad_x), GOLDEN(silu_grad_weight), GOLDEN(silu_grad_bias),
               GOLDEN(silu_grad_tail)}};
  check_golden(p, r);
}
END_TEST

START_TEST(equals_pytorch_with_fewer_steps_than_the_tail) {
  problem p = {1,
               2,
               3,
               4,
               false,
               {GOLDEN(short_x), GOLDEN(short_weight), NULL, GOLDEN(short_tail)},
               {GOLDEN(short_grad_y), GOLDEN(short_grad_tail_out)}};
  result r = {{GOLDEN(short_y), GOLDEN(short_tail_out)},
              {GOLDEN(short_grad_x), GOLDEN(short_grad_weight), NULL, GOLDEN(short_grad_tail)}};
  check_golden(p, r);
}
END_TEST

START_TEST(equals_the_plain_sum) {
  const int64_t steps[] = {0, 1, 2, 3, 17, 64, 65, 200}, taps[] = {1, 2, 3, 4, 7};
  const int64_t channels[] = {1, 5, 127, 128, 259, 16, 64};
  int count = 0;
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < 5; j++) {
      int64_t width = channels[count % 7];
      problem p = make_problem((uint64_t)count + 1, 2, steps[i], width, taps[j], count % 3 != 0);
      result expected = reference(&p);
      for (int level = 0; level < CPU_LEVELS; level++) {
        cpu_set_level(level);
        int flags = count % 2 ? WIDE : 0;
        result r = run(&p, flags), f = run(&p, flags | FLOAT);
        check_close(&p, &r, &expected, 1e-13);
        check_close(&p, &f, &expected, 1e-5);
        free_result(&r);
        free_result(&f);
      }
      free_result(&expected);
      free_problem(&p);
      count++;
    }
  }
}
END_TEST

static double loss(const problem *p) {
  result r = run(p, NO_GRAD);
  double sum = 0;
  for (int i = 0; i < OUTPUTS; i++)
    for (int64_t k = 0; k < output_size(p, i); k++) sum += r.out[i][k] * p->grad_out[i][k];
  free_result(&r);
  return sum;
}

START_TEST(gradients_equal_central_differences) {
  for (int64_t steps = 1; steps < 8; steps += 3) {
    problem p = make_problem(3, 2, steps, 3, 4, true);
    result r = run(&p, 0);
    for (int i = 0; i < INPUTS; i++) {
      for (int64_t k = 0; k < input_size(&p, i); k++) {
        double x = p.in[i][k], h = 1e-5;
        p.in[i][k] = x + h;
        double above = loss(&p);
        p.in[i][k] = x - h;
        double below = loss(&p);
        p.in[i][k] = x;
        ck_assert_double_eq_tol(r.grad[i][k], (above - below) / (2 * h), 1e-8);
      }
    }
    free_result(&r);
    free_problem(&p);
  }
}
END_TEST

/* Steps [from, to) of p, with a tail before them and the gradient of the tail after them. */
static problem slice(const problem *p, int64_t from, int64_t to, const double *tail,
                     const double *grad_tail_out) {
  problem s = *p;
  s.steps = to - from;
  s.in[WEIGHT] = copied(p->in[WEIGHT], input_size(p, WEIGHT));
  s.in[BIAS] = copied(p->in[BIAS], input_size(p, BIAS));
  s.in[TAIL] = copied(tail, input_size(p, TAIL));
  s.in[X] = block(input_size(&s, X), sizeof(double));
  s.grad_out[Y] = block(input_size(&s, X), sizeof(double));
  s.grad_out[TAIL_OUT] = copied(grad_tail_out, input_size(p, TAIL));
  for (int64_t b = 0; b < p->batch; b++) {
    int64_t of = (b * p->steps + from) * p->channels, at = b * s.steps * p->channels;
    size_t bytes = sizeof(double) * (size_t)(s.steps * p->channels);
    memcpy(s.in[X] + at, p->in[X] + of, bytes);
    memcpy(s.grad_out[Y] + at, p->grad_out[Y] + of, bytes);
  }
  return s;
}

/* Puts what belongs to the slice's steps in its place, and adds up the rest. */
static void join(const problem *p, const problem *s, int64_t from, const result *part,
                 result *all) {
  for (int64_t b = 0; b < p->batch; b++) {
    int64_t to = (b * p->steps + from) * p->channels, at = b * s->steps * p->channels;
    size_t bytes = sizeof(double) * (size_t)(s->steps * p->channels);
    memcpy(all->out[Y] + to, part->out[Y] + at, bytes);
    memcpy(all->grad[X] + to, part->grad[X] + at, bytes);
  }
  for (int i = WEIGHT; i <= BIAS; i++)
    for (int64_t k = 0; k < input_size(p, i); k++) all->grad[i][k] += part->grad[i][k];
}

static void check_cut(const problem *p, int64_t cut, int flags, const result *whole,
                      double tolerance) {
  result all = make_result(p, 0);
  problem head = slice(p, 0, cut, p->in[TAIL], p->grad_out[TAIL_OUT]);
  result before = run(&head, flags);
  problem rest = slice(p, cut, p->steps, before.out[TAIL_OUT], p->grad_out[TAIL_OUT]);
  result after = run(&rest, flags);
  memcpy(head.grad_out[TAIL_OUT], after.grad[TAIL], sizeof(double) * (size_t)input_size(p, TAIL));
  free_result(&before);
  before = run(&head, flags);
  join(p, &head, 0, &before, &all);
  join(p, &rest, cut, &after, &all);
  memcpy(all.out[TAIL_OUT], after.out[TAIL_OUT], sizeof(double) * (size_t)input_size(p, TAIL));
  memcpy(all.grad[TAIL], before.grad[TAIL], sizeof(double) * (size_t)input_size(p, TAIL));
  check_close(p, &all, whole, tolerance);
  free_result(&all);
  free_result(&before);
  free_result(&after);
  free_problem(&head);
  free_problem(&rest);
}

START_TEST(any_split_of_time_equals_the_whole) {
  problem p = make_problem(5, 2, 13, 7, 4, true);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    result whole = run(&p, 0), single = run(&p, FLOAT);
    for (int64_t cut = 0; cut <= p.steps; cut++) {
      check_cut(&p, cut, 0, &whole, 1e-13);
      check_cut(&p, cut, FLOAT, &single, 1e-6);
    }
    free_result(&whole);
    free_result(&single);
  }
  free_problem(&p);
}
END_TEST

START_TEST(new_tail_may_overwrite_the_old) {
  for (int64_t steps = 0; steps < 9; steps++) {
    problem p = make_problem(6, 2, steps, 133, 5, true);
    for (int type = 0; type <= FLOAT; type += FLOAT) {
      result apart = run(&p, type | NO_GRAD), over = run(&p, type | NO_GRAD | IN_PLACE | LONE);
      for (int i = 0; i < OUTPUTS; i++)
        ck_assert_mem_eq(over.out[i], apart.out[i], sizeof(double) * (size_t)output_size(&p, i));
      free_result(&apart);
      free_result(&over);
    }
    free_problem(&p);
  }
}
END_TEST

START_TEST(any_split_of_units_gives_the_same_bits) {
  problem p = make_problem(8, 3, 21, 300, 4, true);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int type = 0; type <= FLOAT; type += FLOAT) {
      result together = run(&p, type), alone = run(&p, type | LONE), wide = run(&p, type | WIDE);
      check_same(&p, &alone, &together);
      check_same(&p, &wide, &together);
      free_result(&together);
      free_result(&alone);
      free_result(&wide);
    }
  }
  free_problem(&p);
}
END_TEST

/* A NaN reaches the outputs that use it, and no others: those of its channel, from its own step on,
 * for `taps` steps. */
START_TEST(an_input_reaches_its_channel_for_taps_steps) {
  for (int64_t taps = 1; taps < 7; taps++) {
    problem p = make_problem(9, 1, 20, 5, taps, true);
    p.in[X][7 * 5 + 2] = NAN;
    for (int level = 0; level < CPU_LEVELS; level++) {
      cpu_set_level(level);
      result r = run(&p, NO_GRAD);
      for (int64_t t = 0; t < 20; t++)
        for (int64_t d = 0; d < 5; d++)
          ck_assert_int_eq(isnan(r.out[Y][t * 5 + d]) != 0, d == 2 && t >= 7 && t < 7 + taps);
      free_result(&r);
    }
    free_problem(&p);
  }
}
END_TEST

START_TEST(empty_batch_leaves_zero_gradients) {
  problem p = make_problem(10, 0, 5, 3, 4, true);
  result r = run(&p, 0);
  for (int64_t i = 0; i < 12; i++) ck_assert(r.grad[WEIGHT][i] == 0);
  for (int64_t i = 0; i < 3; i++) ck_assert(r.grad[BIAS][i] == 0);
  free_result(&r);
  free_problem(&p);
}
END_TEST

START_TEST(wrong_params_are_refused) {
  rill_causal_conv1d_params good, s;
  rill_causal_conv1d_params_init(&good);
  rill_causal_conv1d_params_init(NULL);
  good.batch = 2, good.steps = 3, good.channels = 4, good.taps = 4;
  ck_assert_int_eq(rill_causal_conv1d_check(&good), RILL_OK);
  ck_assert_int_eq(rill_causal_conv1d_check(NULL), RILL_ERROR_ARGUMENT);
  s = good, s.struct_size = 0;
  ck_assert_int_eq(rill_causal_conv1d_check(&s), RILL_ERROR_ARGUMENT);
  for (int i = 0; i < 6; i++) {
    s = good;
    if (i == 0) s.batch = -1;
    if (i == 1) s.steps = -1;
    if (i == 2) s.channels = -1;
    if (i == 3) s.taps = 0;
    if (i == 4) s.x_stride = 3;
    if (i == 5) s.x_stride = -4;
    ck_assert_int_eq(rill_causal_conv1d_check(&s), RILL_ERROR_SHAPE);
  }
  for (int i = 0; i < 5; i++) {
    s = good;
    if (i == 0) s.batch = INT64_MAX;
    if (i == 1) s.steps = INT64_MAX;
    if (i == 2) s.channels = INT64_MAX;
    if (i == 3) s.taps = INT64_MAX;
    if (i == 4) s.x_stride = INT64_MAX;
    ck_assert_int_eq(rill_causal_conv1d_check(&s), RILL_ERROR_OVERFLOW);
    ck_assert_uint_eq(rill_causal_conv1d_workspace_f32(&s), 0);
    ck_assert_uint_eq(rill_causal_conv1d_partials_f64(&s), 0);
    ck_assert_int_eq(rill_causal_conv1d_units(&s), 0);
    ck_assert_int_eq(rill_causal_conv1d_reduce_units(&s), 0);
  }
}
END_TEST

START_TEST(wrong_calls_write_nothing) {
  rill_causal_conv1d_params s;
  rill_causal_conv1d_params_init(&s);
  s.batch = s.steps = s.channels = s.taps = 1;
  float x = 0, y = 42, part[2] = {0}, *w = block((int64_t)rill_causal_conv1d_workspace_f32(&s), 1);
  const int bad = RILL_ERROR_ARGUMENT;
  ck_assert_int_eq(rill_causal_conv1d_f32(NULL, &x, &x, NULL, NULL, &y, NULL, 0, 1, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, NULL, &x, NULL, NULL, &y, NULL, 0, 1, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, NULL, NULL, NULL, &y, NULL, 0, 1, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, NULL, NULL, 0, 1, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, &y, NULL, 0, 1, NULL), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, &y, NULL, -1, 1, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, &y, NULL, 1, 0, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, &y, NULL, 0, 2, w), bad);
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, NULL, NULL, NULL, NULL, NULL, NULL, 1, 1, NULL), 0);
  ck_assert_int_eq(
      rill_causal_conv1d_backward_f32(&s, &x, &x, NULL, NULL, NULL, NULL, &y, NULL, part, 0, 1, w),
      bad);
  ck_assert_int_eq(
      rill_causal_conv1d_backward_f32(&s, &x, &x, NULL, NULL, &x, NULL, &y, NULL, NULL, 0, 1, w),
      bad);
  ck_assert_int_eq(
      rill_causal_conv1d_backward_f32(&s, &x, &x, NULL, NULL, &x, NULL, &y, NULL, part, 0, 2, w),
      bad);
  ck_assert_int_eq(rill_causal_conv1d_reduce_f32(&s, NULL, &y, NULL, 0, 1), bad);
  ck_assert_int_eq(rill_causal_conv1d_reduce_f32(&s, part, &y, NULL, 0, 2), bad);
  ck_assert(y == 42);
  s.taps = 0;
  ck_assert_int_eq(rill_causal_conv1d_f32(&s, &x, &x, NULL, NULL, &y, NULL, 0, 1, w),
                   RILL_ERROR_SHAPE);
  free(w);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("causal_conv1d");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, equals_pytorch_in_value_and_gradient);
  tcase_add_test(c, equals_pytorch_with_fewer_steps_than_the_tail);
  tcase_add_test(c, equals_the_plain_sum);
  tcase_add_test(c, gradients_equal_central_differences);
  tcase_add_test(c, any_split_of_time_equals_the_whole);
  tcase_add_test(c, new_tail_may_overwrite_the_old);
  tcase_add_test(c, any_split_of_units_gives_the_same_bits);
  tcase_add_test(c, an_input_reaches_its_channel_for_taps_steps);
  tcase_add_test(c, empty_batch_leaves_zero_gradients);
  tcase_add_test(c, wrong_params_are_refused);
  tcase_add_test(c, wrong_calls_write_nothing);
  return c;
}

TEST_MAIN("causal_conv1d", tcase)
