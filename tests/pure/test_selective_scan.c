/* The selective scan against the plain recurrence, PyTorch's gradients, central differences, and
 * itself under every cut of time and of units. */
#include "pure/scan_problem.h"
#include "golden/scan_golden.h"

#define GOLDEN(x) copied(x, (int64_t)(sizeof x / sizeof *x))

static void check_golden(problem p, result expected) {
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    result r = run(&p, 0), f = run(&p, FLOAT);
    check_close(&p, &r, &expected, 1e-13, 1e-13);
    check_close(&p, &f, &expected, 1e-6, 2e-6);
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
               {GOLDEN(full_u), GOLDEN(full_delta), GOLDEN(full_A), GOLDEN(full_B), GOLDEN(full_C),
                GOLDEN(full_D), GOLDEN(full_z), GOLDEN(full_bias), GOLDEN(full_h0)},
               {GOLDEN(full_grad_y), GOLDEN(full_grad_hT)}};
  result r = {{GOLDEN(full_y), GOLDEN(full_hT)},
              {GOLDEN(full_grad_u), GOLDEN(full_grad_delta), GOLDEN(full_grad_A),
               GOLDEN(full_grad_B), GOLDEN(full_grad_C), GOLDEN(full_grad_D), GOLDEN(full_grad_z),
               GOLDEN(full_grad_bias), GOLDEN(full_grad_h0)}};
  check_golden(p, r);
}
END_TEST

START_TEST(equals_pytorch_without_optional_inputs) {
  problem p = {1,
               18,
               2,
               3,
               false,
               {GOLDEN(bare_u), GOLDEN(bare_delta), GOLDEN(bare_A), GOLDEN(bare_B), GOLDEN(bare_C)},
               {GOLDEN(bare_grad_y), GOLDEN(bare_grad_hT)}};
  result r = {{GOLDEN(bare_y), GOLDEN(bare_hT)},
              {GOLDEN(bare_grad_u), GOLDEN(bare_grad_delta), GOLDEN(bare_grad_A),
               GOLDEN(bare_grad_B), GOLDEN(bare_grad_C)}};
  check_golden(p, r);
}
END_TEST

START_TEST(equals_the_plain_recurrence) {
  const int64_t steps[] = {1, 2, 3, 17, 64, 65, 200}, states[] = {1, 4, 16, 17};
  const int64_t channels[] = {1, 5, 127, 128, 259};
  int count = 0;
  for (size_t i = 0; i < 7; i++) {
    for (size_t j = 0; j < 4; j++) {
      int64_t width = channels[count % 5];
      problem p = make_problem((uint64_t)count + 1, 2, steps[i], width, states[j], count % 3 != 0);
      result expected = reference(&p);
      for (int level = 0; level < CPU_LEVELS; level++) {
        cpu_set_level(level);
        int flags = count % 2 ? WIDE : 0;
        result r = run(&p, flags), f = run(&p, flags | FLOAT);
        check_close(&p, &r, &expected, 1e-12, 1e-12);
        check_close(&p, &f, &expected, 1e-5, 5e-5);
        free_result(&r);
        free_result(&f);
        result alone = run(&p, flags | NO_GRAD);
        for (int k = 0; k < OUTPUTS; k++)
          ck_assert_double_le(rms_ratio_f64(alone.out[k], expected.out[k], output_size(&p, k)),
                              1e-12);
        free_result(&alone);
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

/* The central difference of fourth order. */
static double slope(problem *p, double *x) {
  double middle = *x, h = 2e-4, sum = 0;
  const double at_steps[] = {-2, -1, 1, 2}, weights[] = {1, -8, 8, -1};
  for (int i = 0; i < 4; i++) {
    *x = middle + at_steps[i] * h;
    sum += weights[i] * loss(p);
  }
  *x = middle;
  return sum / (12 * h);
}

START_TEST(gradients_equal_central_differences) {
  for (int64_t steps = 1; steps <= 18; steps += 17) {
    problem p = make_problem(3, 2, steps, 2, 3, true);
    result r = run(&p, 0);
    for (int i = 0; i < INPUTS; i++)
      for (int64_t k = 0; k < input_size(&p, i); k++)
        ck_assert_double_eq_tol(slope(&p, p.in[i] + k), r.grad[i][k],
                                1e-8 * (1 + fabs(r.grad[i][k])));
    free_result(&r);
    free_problem(&p);
  }
}
END_TEST

/* Steps [from, to) of p, starting at h0. */
static problem slice(const problem *p, int64_t from, int64_t to, const double *h0,
                     const double *grad_hT) {
  problem s = *p;
  s.steps = to - from;
  for (int i = 0; i < INPUTS; i++) s.in[i] = copied(p->in[i], input_size(p, i));
  for (int64_t b = 0; b < p->batch; b++) {
    int64_t of = b * p->steps + from, at_row = b * s.steps;
    for (int i = 0; i < INPUTS; i++) {
      int64_t width = i == U || i == DELTA || i == Z ? p->channels
                      : i == B || i == C             ? p->states
                                                     : 0;
      memcpy(s.in[i] + at_row * width, p->in[i] + of * width,
             sizeof(double) * (size_t)(s.steps * width));
    }
  }
  s.grad_out[Y] = reals(output_size(&s, Y));
  for (int64_t b = 0; b < p->batch; b++)
    memcpy(s.grad_out[Y] + b * s.steps * p->channels,
           p->grad_out[Y] + (b * p->steps + from) * p->channels,
           sizeof(double) * (size_t)(s.steps * p->channels));
  s.grad_out[HT] = copied(grad_hT, output_size(p, HT));
  memcpy(s.in[H0], h0, sizeof(double) * (size_t)input_size(p, H0));
  return s;
}

/* Puts what belongs to steps [from, from + s->steps) in its place, and adds up the rest. */
static void join(const problem *p, const problem *s, int64_t from, const result *part,
                 result *all) {
  for (int64_t b = 0; b < p->batch; b++) {
    int64_t to = (b * p->steps + from), of = b * s->steps;
    size_t channels = sizeof(double) * (size_t)(s->steps * p->channels);
    size_t states = sizeof(double) * (size_t)(s->steps * p->states);
    memcpy(all->out[Y] + to * p->channels, part->out[Y] + of * p->channels, channels);
    const int channel_rows[] = {U, DELTA, Z}, state_rows[] = {B, C};
    for (int i = 0; i < 3; i++)
      memcpy(all->grad[channel_rows[i]] + to * p->channels,
             part->grad[channel_rows[i]] + of * p->channels, channels);
    for (int i = 0; i < 2; i++)
      memcpy(all->grad[state_rows[i]] + to * p->states, part->grad[state_rows[i]] + of * p->states,
             states);
  }
  const int sums[] = {A, SKIP, BIAS};
  for (int i = 0; i < 3; i++)
    for (int64_t k = 0; k < input_size(p, sums[i]); k++)
      all->grad[sums[i]][k] += part->grad[sums[i]][k];
}

static void check_cut(const problem *p, int64_t cut, int flags, const result *whole,
                      double tolerance) {
  result all = make_result(p);
  for (int i = 0; i < INPUTS; i++)
    memset(all.grad[i], 0, sizeof(double) * (size_t)input_size(p, i));
  problem head = slice(p, 0, cut, p->in[H0], p->grad_out[HT]);
  result before = run(&head, flags);
  problem tail = slice(p, cut, p->steps, before.out[HT], p->grad_out[HT]);
  result after = run(&tail, flags);
  memcpy(head.grad_out[HT], after.grad[H0], sizeof(double) * (size_t)input_size(p, H0));
  free_result(&before);
  before = run(&head, flags);
  join(p, &head, 0, &before, &all);
  join(p, &tail, cut, &after, &all);
  memcpy(all.out[HT], after.out[HT], sizeof(double) * (size_t)output_size(p, HT));
  memcpy(all.grad[H0], before.grad[H0], sizeof(double) * (size_t)input_size(p, H0));
  check_close(p, &all, whole, tolerance, tolerance);
  free_result(&all);
  free_result(&before);
  free_result(&after);
  free_problem(&head);
  free_problem(&tail);
}

START_TEST(any_split_of_time_equals_the_whole) {
  problem p = make_problem(5, 2, 35, 7, 5, true);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    result whole = run(&p, 0), single = run(&p, FLOAT);
    for (int64_t cut = 0; cut <= p.steps; cut++) {
      check_cut(&p, cut, 0, &whole, 1e-12);
      check_cut(&p, cut, FLOAT, &single, 1e-5);
    }
    free_result(&whole);
    free_result(&single);
  }
  free_problem(&p);
}
END_TEST

START_TEST(single_steps_in_place_equal_the_whole) {
  problem p = make_problem(6, 2, 20, 131, 17, true);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int type = 0; type <= FLOAT; type += FLOAT) {
      result whole = run(&p, type);
      double *h = copied(p.in[H0], input_size(&p, H0));
      for (int64_t t = 0; t < p.steps; t++) {
        problem one = slice(&p, t, t + 1, h, p.grad_out[HT]);
        result r = run(&one, NO_GRAD | IN_PLACE | type);
        memcpy(h, r.out[HT], sizeof(double) * (size_t)input_size(&p, H0));
        for (int64_t b = 0; b < p.batch; b++) {
          double *y = copied(whole.out[Y] + (b * p.steps + t) * p.channels, p.channels);
          ck_assert_double_le(rms_ratio_f64(r.out[Y] + b * p.channels, y, p.channels),
                              type ? 1e-5 : 1e-12);
          free(y);
        }
        free_result(&r);
        free_problem(&one);
      }
      ck_assert_double_le(rms_ratio_f64(h, whole.out[HT], input_size(&p, H0)), type ? 1e-5 : 1e-12);
      free(h);
      free_result(&whole);
    }
  }
  free_problem(&p);
}
END_TEST

START_TEST(final_state_may_overwrite_the_initial) {
  problem p = make_problem(7, 2, 19, 140, 4, true);
  for (int type = 0; type <= FLOAT; type += FLOAT) {
    result apart = run(&p, type), over = run(&p, type | IN_PLACE);
    check_same(&p, &over, &apart);
    free_result(&apart);
    free_result(&over);
  }
  free_problem(&p);
}
END_TEST

START_TEST(any_split_of_units_gives_the_same_bits) {
  problem p = make_problem(8, 3, 37, 300, 6, true);
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

START_TEST(a_step_changes_nothing_before_it) {
  problem p = make_problem(9, 1, 40, 5, 3, true);
  result r = run(&p, NO_GRAD);
  for (int64_t t = 0; t < p.steps; t++) {
    const int rows[] = {U, DELTA, B, C, Z};
    for (int i = 0; i < 5; i++) {
      double *x = p.in[rows[i]], *old = copied(x, input_size(&p, rows[i]));
      int64_t width = rows[i] == B || rows[i] == C ? p.states : p.channels;
      for (int64_t k = 0; k < width; k++) x[t * width + k] += 1;
      result changed = run(&p, NO_GRAD);
      ck_assert_mem_eq(changed.out[Y], r.out[Y], sizeof(double) * (size_t)(t * p.channels));
      ck_assert_double_ne(changed.out[Y][t * p.channels], r.out[Y][t * p.channels]);
      memcpy(x, old, sizeof(double) * (size_t)input_size(&p, rows[i]));
      free(old);
      free_result(&changed);
    }
  }
  free_result(&r);
  free_problem(&p);
}
END_TEST

START_TEST(nan_stays_in_its_channel) {
  problem p = make_problem(10, 1, 20, 5, 3, true);
  p.in[U][7 * 5 + 2] = NAN;
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    result r = run(&p, NO_GRAD);
    for (int64_t t = 0; t < 20; t++)
      for (int64_t d = 0; d < 5; d++)
        ck_assert_int_eq(isnan(r.out[Y][t * 5 + d]) != 0, d == 2 && t >= 7);
    free_result(&r);
  }
  free_problem(&p);
}
END_TEST

/* Steps so long that the state is forgotten, so short that nothing happens, and in between those
 * whose decay would be subnormal. */
START_TEST(extreme_steps_stay_finite) {
  const double delta[] = {0, 1e-30, 1e-3, 60, 88, 95, 104, 1e4, 1e15, -50, -104, -1e15};
  for (int softplus = 0; softplus < 2; softplus++) {
    problem p = make_problem(11, 1, 24, 12, 3, true);
    p.softplus = softplus;
    for (int64_t i = 0; i < input_size(&p, DELTA); i++) {
      double x = delta[(i / 12 + i) % 12];
      p.in[DELTA][i] = (float)(softplus ? x : fabs(x));
    }
    for (int64_t i = 0; i < 12; i++) p.in[BIAS][i] = 0;
    for (int64_t i = 0; i < input_size(&p, A); i++) p.in[A][i] = -1 - (double)(i % 3) / 2;
    result expected = reference(&p);
    for (int level = 0; level < CPU_LEVELS; level++) {
      cpu_set_level(level);
      for (int type = 0; type <= FLOAT; type += FLOAT) {
        result r = run(&p, type);
        for (int i = 0; i < INPUTS; i++)
          for (int64_t k = 0; k < input_size(&p, i); k++) ck_assert(isfinite(r.grad[i][k]));
        for (int i = 0; i < OUTPUTS; i++)
          for (int64_t k = 0; k < output_size(&p, i); k++) ck_assert(isfinite(r.out[i][k]));
        check_close(&p, &r, &expected, type ? 1e-5 : 1e-12, type ? 5e-5 : 1e-12);
        free_result(&r);
      }
    }
    free_result(&expected);
    free_problem(&p);
  }
}
END_TEST

/* A < 0 and dt < 0 (no softplus) grow; the largest growth that fits is computed, more is inf. */
START_TEST(decay_underflows_to_zero_and_growth_to_infinity) {
  rill_selective_scan_params s;
  rill_selective_scan_params_init(&s);
  s.batch = 1, s.steps = 2, s.channels = 1, s.states = 1;
  const double steps[][2] = {{800, 1}, {-709, 1}, {-1000, 1}};
  const double u[] = {0, 0}, one[] = {1, 1}, a = -1, h0 = 1;
  const double expected[] = {0, exp(709), INFINITY};
  double y[2], hT, *workspace = block((int64_t)rill_selective_scan_workspace_f64(&s), 1);
  for (int level = 0; level < CPU_LEVELS; level++) {
    cpu_set_level(level);
    for (int i = 0; i < 3; i++) {
      ck_assert_int_eq(rill_selective_scan_f64(&s, u, steps[i], &a, one, one, NULL, NULL, NULL, &h0,
                                               y, &hT, NULL, 0, 1, workspace),
                       RILL_OK);
      if (i == 1)
        ck_assert_double_le(rms_ratio_f64(y, expected + i, 1), 1e-12);
      else
        ck_assert(y[0] == expected[i]);
    }
  }
  free(workspace);
}
END_TEST

START_TEST(empty_problems_do_nothing) {
  problem none = make_problem(12, 0, 5, 3, 2, true), still = make_problem(12, 2, 0, 3, 2, true);
  problem stateless = make_problem(12, 1, 3, 2, 0, true);
  result r = run(&none, 0);
  for (int64_t i = 0; i < input_size(&none, A); i++) ck_assert(r.grad[A][i] == 0);
  free_result(&r);
  r = run(&still, 0);
  ck_assert_mem_eq(r.out[HT], still.in[H0], sizeof(double) * 12);
  ck_assert_mem_eq(r.grad[H0], still.grad_out[HT], sizeof(double) * 12);
  free_result(&r);
  r = run(&stateless, 0);
  result expected = reference(&stateless);
  check_close(&stateless, &r, &expected, 1e-13, 1e-13);
  free_result(&r);
  free_result(&expected);
  free_problem(&none);
  free_problem(&still);
  free_problem(&stateless);
}
END_TEST

START_TEST(wrong_params_are_refused) {
  rill_selective_scan_params good, s;
  rill_selective_scan_params_init(&good);
  rill_selective_scan_params_init(NULL);
  good.batch = 2, good.steps = 3, good.channels = 4, good.states = 5;
  ck_assert_int_eq(rill_selective_scan_check(&good), RILL_OK);
  ck_assert_int_eq(rill_selective_scan_check(NULL), RILL_ERROR_ARGUMENT);
  s = good, s.struct_size = 0;
  ck_assert_int_eq(rill_selective_scan_check(&s), RILL_ERROR_ARGUMENT);
  for (int i = 0; i < 4; i++) {
    s = good;
    (&s.batch)[0] = i == 0 ? -1 : s.batch;
    s.steps = i == 1 ? -1 : s.steps;
    s.channels = i == 2 ? -1 : s.channels;
    s.states = i == 3 ? -1 : s.states;
    ck_assert_int_eq(rill_selective_scan_check(&s), RILL_ERROR_SHAPE);
  }
  for (int i = 0; i < 5; i++) {
    s = good;
    if (i == 0) s.u_stride = 3;
    if (i == 1) s.delta_stride = 3;
    if (i == 2) s.z_stride = -4;
    if (i == 3) s.B_stride = 4;
    if (i == 4) s.C_stride = 4;
    ck_assert_int_eq(rill_selective_scan_check(&s), RILL_ERROR_SHAPE);
  }
  for (int i = 0; i < 6; i++) {
    s = good;
    if (i == 0) s.batch = INT64_MAX;
    if (i == 1) s.steps = INT64_MAX;
    if (i == 2) s.channels = INT64_MAX;
    if (i == 3) s.states = INT64_MAX;
    if (i == 4) s.u_stride = INT64_MAX;
    if (i == 5) s.batch = 0, s.states = INT64_MAX / 100;
    ck_assert_int_eq(rill_selective_scan_check(&s), RILL_ERROR_OVERFLOW);
    ck_assert_uint_eq(rill_selective_scan_workspace_f32(&s), 0);
    ck_assert_uint_eq(rill_selective_scan_checkpoints_f64(&s), 0);
    ck_assert_uint_eq(rill_selective_scan_partials_f64(&s), 0);
    ck_assert_int_eq(rill_selective_scan_units(&s), 0);
    ck_assert_int_eq(rill_selective_scan_reduce_units(&s), 0);
  }
}
END_TEST

START_TEST(wrong_calls_write_nothing) {
  rill_selective_scan_params s;
  rill_selective_scan_params_init(&s);
  s.batch = s.steps = s.channels = s.states = 1;
  float x = 0, y = 42, *w = block((int64_t)rill_selective_scan_workspace_f32(&s), 1), part[8];
#define FORWARD(p, u, y, begin, end, w)                                                            \
  rill_selective_scan_f32(p, u, &x, &x, &x, &x, NULL, NULL, NULL, NULL, y, NULL, NULL, begin, end, \
                          w)
#define BACKWARD(saved, gy, part, begin, end)                                                      \
  rill_selective_scan_backward_f32(&s, &x, &x, &x, &x, &x, NULL, NULL, NULL, saved, gy, NULL, &y,  \
                                   NULL, NULL, NULL, part, begin, end, w)
  ck_assert_int_eq(FORWARD(NULL, &x, &y, 0, 1, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, NULL, &y, 0, 1, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, &x, NULL, 0, 1, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, &x, &y, 0, 1, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, &x, &y, -1, 1, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, &x, &y, 1, 0, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, &x, &y, 0, 2, w), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(FORWARD(&s, NULL, NULL, 1, 1, NULL), RILL_OK);
  ck_assert_int_eq(BACKWARD(NULL, &x, part, 0, 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(BACKWARD(&x, NULL, part, 0, 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(BACKWARD(&x, &x, NULL, 0, 1), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(BACKWARD(&x, &x, part, 0, 2), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_selective_scan_reduce_f32(&s, NULL, &y, NULL, NULL, NULL, NULL, 0, 1),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_selective_scan_reduce_f32(&s, part, &y, NULL, NULL, NULL, NULL, 0, 3),
                   RILL_ERROR_ARGUMENT);
  ck_assert(y == 42);
  s.states = -1;
  ck_assert_int_eq(FORWARD(&s, &x, &y, 0, 1, w), RILL_ERROR_SHAPE);
#undef FORWARD
#undef BACKWARD
  free(w);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("selective_scan");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, equals_pytorch_in_value_and_gradient);
  tcase_add_test(c, equals_pytorch_without_optional_inputs);
  tcase_add_test(c, equals_the_plain_recurrence);
  tcase_add_test(c, gradients_equal_central_differences);
  tcase_add_test(c, any_split_of_time_equals_the_whole);
  tcase_add_test(c, single_steps_in_place_equal_the_whole);
  tcase_add_test(c, final_state_may_overwrite_the_initial);
  tcase_add_test(c, any_split_of_units_gives_the_same_bits);
  tcase_add_test(c, a_step_changes_nothing_before_it);
  tcase_add_test(c, nan_stays_in_its_channel);
  tcase_add_test(c, extreme_steps_stay_finite);
  tcase_add_test(c, decay_underflows_to_zero_and_growth_to_infinity);
  tcase_add_test(c, empty_problems_do_nothing);
  tcase_add_test(c, wrong_params_are_refused);
  tcase_add_test(c, wrong_calls_write_nothing);
  return c;
}

TEST_MAIN("selective_scan", tcase)
