/* States: clone, save, load, reset, detach, what failures leave of them, and refusals. */
#include "sequence/mixers.h"
#include "rationed.h"

#include <unistd.h>

/* ---- gradients -------------------------------------------------------------------------------- */

START_TEST(a_detached_state_cuts_gradients) {
  rill_context *ctx = start();
  for (int i = 0; i < MODULES; i++) {
    if (modules[i] == window_of_one || modules[i] == running_one) continue; /* no memory to cut */
    rill_module *m = make(ctx, i, RILL_F64);
    for (int cut = 0; cut < 2; cut++) {
      rill_tensor *x = input(ctx, RILL_F64), *x1 = part(ctx, x, 0, 9), *x2 = part(ctx, x, 9, 10),
                  *got;
      rill_set_requires_grad(ctx, x1, true);
      rill_set_requires_grad(ctx, x2, true);
      rill_state *s = rill_state_create(ctx, m, BATCH);
      rill_extend(ctx, m, x1, s);
      if (cut) ck_assert_int_eq(rill_state_detach(ctx, s), RILL_OK);
      rill_tensor *y = rill_extend(ctx, m, x2, s);
      rill_tensor *loss = rill_sum(ctx, rill_square(ctx, y), RILL_ALL_DIMS, false);
      rill_grad(ctx, &loss, 1, &x1, 1, NULL, false, true, &got);
      fine(ctx);
      if (cut || modules[i] == small_mamba) {
        ck_assert(cut ? got == NULL : got != NULL);
      } else {
        ck_assert_ptr_nonnull(got);
        ck_assert_double_gt(rill_tensor_item(ctx, rill_norm(ctx, got, 2, RILL_ALL_DIMS, false)),
                            1e-9);
      }
    }
  }
  rill_context_close(ctx);
}
END_TEST

/* What enters a state by rill_state_set_tensor gets a gradient. */
START_TEST(a_state_is_differentiable_at_its_start) {
  rill_context *ctx = start();
  rill_module *m = make(ctx, 5, RILL_F64);
  rill_tensor *x = input(ctx, RILL_F64);
  rill_state *s = rill_state_create(ctx, m, BATCH);
  ck_assert_int_eq(rill_state_tensor_count(s), 2);
  ck_assert_str_eq(rill_state_tensor_name(s, 0), "conv");
  ck_assert_str_eq(rill_state_tensor_name(s, 1), "ssm");
  rill_tensor *h = rill_tensor_retain(rill_clone(ctx, rill_state_tensor(s, 1)));
  rill_set_requires_grad(ctx, h, true);
  ck_assert_int_eq(rill_state_set_tensor(ctx, s, 1, h), RILL_OK);
  rill_tensor *y = rill_extend(ctx, m, x, s);
  rill_backward(ctx, rill_sum(ctx, y, RILL_ALL_DIMS, false), NULL, false);
  fine(ctx);
  ck_assert_ptr_nonnull(rill_tensor_grad(h));
  rill_tensor_release(h);
  ck_assert_int_ne(rill_state_set_tensor(ctx, s, 0, rill_state_tensor(s, 1)) == RILL_OK &&
                       rill_state_set_tensor(ctx, s, 2, rill_state_tensor(s, 1)) == RILL_OK,
                   1);
  rill_context_close(ctx);
}
END_TEST

/* ---- states ----------------------------------------------------------------------------------- */

static char *temporary(void) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/rill-state-%ld.safetensors", (long)getpid());
  return path;
}

START_TEST(clones_go_their_own_ways) {
  uint64_t random = 3;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, RILL_F64);
    rill_set_grad_mode(ctx, RILL_GRAD_OFF);
    rill_tensor *x = input(ctx, RILL_F64), *other = input(ctx, RILL_F64),
                *whole = rill_forward(ctx, m, x);
    rill_state *s = rill_state_create(ctx, m, BATCH);
    extend_all(ctx, m, part(ctx, x, 0, 11), s, 3, &random);
    rill_state *c = rill_state_clone(ctx, s);
    ck_assert_int_eq(rill_state_position(c), 11);
    extend_all(ctx, m, part(ctx, other, 11, STEPS), c, 3, &random);
    c = rill_state_clone(ctx, s);
    near(extend_all(ctx, m, part(ctx, x, 11, STEPS), s, 3, &random), part(ctx, whole, 11, STEPS),
         1e-12, "originals", i);
    near(extend_all(ctx, m, part(ctx, x, 11, STEPS), c, 3, &random), part(ctx, whole, 11, STEPS),
         1e-12, "clones", i);
    rill_context_close(ctx);
  }
}
END_TEST

START_TEST(states_survive_files_and_begin_anew) {
  uint64_t random = 4;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, RILL_F64);
    rill_set_grad_mode(ctx, RILL_GRAD_OFF);
    rill_tensor *x = input(ctx, RILL_F64), *whole = rill_forward(ctx, m, x);
    rill_state *s = rill_state_create(ctx, m, BATCH), *loaded = rill_state_create(ctx, m, BATCH);
    extend_all(ctx, m, part(ctx, x, 0, 12), s, 4, &random);
    ck_assert_int_eq(rill_state_save(ctx, s, temporary()), RILL_OK);
    rill_extend(ctx, m, part(ctx, x, 3, 9), loaded); /* what is there does not matter */
    ck_assert_int_eq(rill_state_load(ctx, loaded, temporary()), RILL_OK);
    ck_assert_int_eq(rill_state_position(loaded), 12);
    near(extend_all(ctx, m, part(ctx, x, 12, STEPS), loaded, 2, &random),
         part(ctx, whole, 12, STEPS), 1e-12, "loads", i);
    ck_assert_int_eq(rill_state_reset(ctx, s), RILL_OK);
    ck_assert_int_eq(rill_state_position(s), 0);
    near(extend_all(ctx, m, x, s, 5, &random), whole, 1e-12, "resets", i);

    rill_state *larger = rill_state_create(ctx, m, BATCH + 1);
    ck_assert_int_ne(rill_state_load(ctx, larger, temporary()), RILL_OK);
    fails(ctx, RILL_ERROR_SHAPE, "in the file");
    ck_assert_int_eq(rill_state_position(larger), 0);
    unlink(temporary());
    rill_context_close(ctx);
  }
}
END_TEST

START_TEST(a_failed_extend_changes_nothing) {
  uint64_t random = 6;
  rill_context *ctx = start();
  rill_module *m = stack(ctx), *tail = rill_nn_linear(ctx, WIDTH + 1, 3, true);
  rill_module_to(ctx, m, RILL_F64);
  rill_module_to(ctx, tail, RILL_F64);
  /* all of the stack runs and changes its slots, then the last layer fails */
  rill_module *broken = rill_nn_sequential(ctx, (rill_module *[]){m, tail}, 2);
  rill_module *whole =
      rill_nn_sequential(ctx, (rill_module *[]){m, rill_nn_linear(ctx, WIDTH, WIDTH, true)}, 2);
  rill_module_to(ctx, whole, RILL_F64);
  for (int mode = 0; mode < 2; mode++) {
    rill_set_grad_mode(ctx, mode ? RILL_GRAD_ON : RILL_GRAD_OFF);
    rill_tensor *x = input(ctx, RILL_F64), *y = rill_forward(ctx, whole, x);
    rill_state *s = rill_state_create(ctx, whole, BATCH);
    rill_tensor *y1 = extend_all(ctx, whole, part(ctx, x, 0, 10), s, 4, &random);
    for (int steps = 1; steps < 30; steps += 7) {
      rill_tensor *junk = rill_randn(ctx, RILL_F64, (int64_t[]){BATCH, steps, WIDTH}, 3);
      ck_assert_ptr_null(rill_extend(ctx, broken, junk, s));
      fails(ctx, RILL_ERROR_SHAPE, "");
      ck_assert_int_eq(rill_state_position(s), 10);
    }
    rill_tensor *y2 = extend_all(ctx, whole, part(ctx, x, 10, STEPS), s, 2, &random);
    near(rill_cat(ctx, (const rill_tensor *const[]){y1, y2}, 2, 1), y, 1e-12,
         "after failures: outputs", 0);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_state_fits_modules_of_the_same_structure) {
  uint64_t random = 8;
  rill_context *ctx = start();
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  rill_module *a = make(ctx, 7, RILL_F64), *b = make(ctx, 7, RILL_F64), *c = make(ctx, 5, RILL_F64);
  rill_tensor *x = input(ctx, RILL_F64);
  rill_state *s = rill_state_create(ctx, a, BATCH);
  near(extend_all(ctx, b, x, s, 5, &random), rill_forward(ctx, b, x), 1e-12, "structures", 7);
  ck_assert_ptr_null(rill_extend(ctx, c, x, s));
  fails(ctx, RILL_ERROR_ARGUMENT, "another structure");
  rill_context_close(ctx);
}
END_TEST

/* Sequences of a batch know nothing of each other. */
START_TEST(sequences_of_a_batch_are_independent) {
  uint64_t random = 9;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_set_grad_mode(ctx, RILL_GRAD_OFF);
    rill_module *m = make(ctx, i, RILL_F64);
    rill_tensor *x = input(ctx, RILL_F64),
                *y = extend_all(ctx, m, x, rill_state_create(ctx, m, BATCH), 4, &random);
    rill_tensor *one = rill_narrow(ctx, x, 0, 1, 1);
    rill_tensor *alone = extend_all(ctx, m, one, rill_state_create(ctx, m, 1), 4, &random);
    near(alone, rill_narrow(ctx, y, 0, 1, 1), 1e-12, "sequences", i);
    rill_context_close(ctx);
  }
}
END_TEST

START_TEST(caches_move_seldom_and_windows_stay_small) {
  for (int i = 0; i < 3; i += 2) { /* plain and windowed */
    rill_context *ctx = start();
    rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
    rill_module *m = make(ctx, i, RILL_F32);
    rill_state *s = rill_state_create(ctx, m, 1);
    const char *last = NULL;
    int moves = 0, steps = 600;
    for (int t = 0; t < steps; t++) {
      rill_scope_open(ctx);
      rill_extend(ctx, m, rill_randn(ctx, RILL_F32, (int64_t[]){1, 1, WIDTH}, 3), s);
      rill_scope_close(ctx);
      fine(ctx);
      const rill_tensor *k = rill_state_tensor(s, 0);
      const char *at = rill_tensor_data(k);
      int64_t row = rill_tensor_stride(k, 1) * 4, full = i ? 4 : steps;
      ck_assert_int_eq(rill_tensor_size(k, 1), t + 1 < full ? t + 1 : full);
      if (at != last && at != last + row) moves++;
      last = at;
    }
    ck_assert_msg(moves <= (i ? steps / 4 : 12), "moved %d times in %d steps", moves, steps);
    rill_context_close(ctx);
  }
}
END_TEST

/* ---- memory that runs out ----------------------------------------------------------------------- */

/* Makes a module and a state, moves it, clones, saves, loads; with a gradient at the end. */
static bool busy(rill_context *ctx) {
  rill_module *inner[] = {grouped(ctx), windowed(ctx), mamba(ctx)};
  rill_module *m = rill_nn_sequential(ctx, inner, 3);
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){1, 6, WIDTH}, 3);
  rill_state *s = rill_state_create(ctx, m, 1);
  for (int mode = 0; mode < 2; mode++) {
    rill_set_grad_mode(ctx, mode ? RILL_GRAD_ON : RILL_GRAD_OFF);
    for (int t = 0; t < 6; t += 2) {
      int64_t before = rill_state_position(s);
      rill_tensor *y = rill_extend(ctx, m, rill_narrow(ctx, x, 1, t, 2), s);
      ck_assert_int_eq(rill_state_position(s), before + (y ? 2 : 0));
      if (!y) return false;
    }
  }
  rill_state *c = rill_state_clone(ctx, s);
  return rill_state_save(ctx, c, temporary()) == RILL_OK &&
         rill_state_load(ctx, s, temporary()) == RILL_OK && rill_state_detach(ctx, c) == RILL_OK &&
         rill_state_reset(ctx, c) == RILL_OK;
}

/* With 0, 1, 2... allocations granted: RILL_ERROR_MEMORY until it works, and nothing leaks. */
START_TEST(each_allocation_may_fail) {
  rationed_run(busy, 2000);
  unlink(temporary());
}
END_TEST

/* ---- refusals --------------------------------------------------------------------------------- */

static rill_tensor *same(rill_context *ctx, rill_module *self, const rill_tensor *x, void *user) {
  (void)self, (void)user;
  return rill_clone(ctx, x);
}

START_TEST(what_cannot_stream_says_so) {
  rill_context *ctx = start();
  rill_attention_module_options o = RILL_ATTENTION_MODULE_OPTIONS_INIT;
  o.non_causal = true;
  rill_module *m = rill_nn_attention(ctx, WIDTH, 3, &o);
  rill_tensor *x = input(ctx, RILL_F32);
  ck_assert_ptr_nonnull(rill_forward(ctx, m, x));
  ck_assert_ptr_null(rill_state_create(ctx, m, BATCH));
  fails(ctx, RILL_ERROR_UNSUPPORTED, "not causal");
  rill_state *s = rill_state_create(ctx, plain(ctx), BATCH);
  ck_assert_ptr_null(rill_extend(ctx, m, x, s));
  fails(ctx, RILL_ERROR_UNSUPPORTED, "not causal");

  rill_module_class cls = RILL_MODULE_CLASS_INIT;
  cls.type = "Mine";
  cls.forward = same;
  rill_module *mine = rill_module_create(ctx, &cls, NULL);
  rill_module *all = rill_nn_sequential(ctx, (rill_module *[]){mamba(ctx), mine}, 2);
  ck_assert_ptr_null(rill_state_create(ctx, all, BATCH));
  fails(ctx, RILL_ERROR_UNSUPPORTED, "Mine \"1\" cannot stream");
  rill_module *twice = mamba(ctx);
  ck_assert_ptr_null(
      rill_state_create(ctx, rill_nn_sequential(ctx, (rill_module *[]){twice, twice}, 2), BATCH));
  fails(ctx, RILL_ERROR_UNSUPPORTED, "twice");
  rill_context_close(ctx);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
  rill_context *ctx = start();
  rill_module *m = plain(ctx);
  rill_tensor *x = input(ctx, RILL_F32);
  rill_state *s = rill_state_create(ctx, m, BATCH);
  ck_assert_ptr_null(rill_state_create(ctx, NULL, 1));
  fails(ctx, RILL_ERROR_ARGUMENT, "NULL");
  ck_assert_ptr_null(rill_state_create(ctx, m, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "batch");
  ck_assert_ptr_null(rill_extend(ctx, m, NULL, s));
  fails(ctx, RILL_ERROR_ARGUMENT, "input is NULL");
  ck_assert_ptr_null(rill_extend(ctx, m, x, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "state is NULL");
  ck_assert_ptr_null(rill_extend(ctx, m, part(ctx, x, 0, 0), s));
  fails(ctx, RILL_ERROR_SHAPE, "at least one step");
  ck_assert_ptr_null(rill_extend(ctx, m, rill_narrow(ctx, x, 0, 0, 1), s));
  fails(ctx, RILL_ERROR_SHAPE, "[2,steps,...]");
  ck_assert_int_ne(rill_state_put(ctx, s, m, "no", x), RILL_OK);
  fails(ctx, RILL_ERROR_NOT_FOUND, "\"no\"");
  ck_assert_int_ne(rill_state_add(ctx, s, m, "late", x), RILL_OK);
  fails(ctx, RILL_ERROR_STATE, "callback");
  ck_assert_int_ne(rill_state_set_tensor(ctx, s, 0, x), RILL_OK);
  fails(ctx, RILL_ERROR_SHAPE, "\"k\"");
  ck_assert_ptr_null(rill_nn_attention(ctx, 10, 3, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "multiple");
  ck_assert_ptr_null(rill_nn_attention(ctx, 9, 3, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "even");
  ck_assert_ptr_null(rill_nn_mamba(ctx, 0, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "width");
  ck_assert_ptr_null(rill_forward(ctx, mamba(ctx), rill_narrow(ctx, x, 2, 0, 5)));
  fails(ctx, RILL_ERROR_SHAPE, "[batch,time,12]");
  ck_assert_int_eq(rill_state_batch(NULL), 0);
  ck_assert_int_eq(rill_state_position(NULL), 0);
  ck_assert_int_eq(rill_state_tensor_count(NULL), 0);
  ck_assert_ptr_null(rill_state_tensor(s, 2));
  ck_assert_ptr_null(rill_state_tensor_name(s, -1));
  rill_state_release(NULL);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("state");
  tcase_set_timeout(c, 120);
  tcase_add_test(c, a_detached_state_cuts_gradients);
  tcase_add_test(c, a_state_is_differentiable_at_its_start);
  tcase_add_test(c, clones_go_their_own_ways);
  tcase_add_test(c, states_survive_files_and_begin_anew);
  tcase_add_test(c, a_failed_extend_changes_nothing);
  tcase_add_test(c, a_state_fits_modules_of_the_same_structure);
  tcase_add_test(c, sequences_of_a_batch_are_independent);
  tcase_add_test(c, caches_move_seldom_and_windows_stay_small);
  tcase_add_test(c, each_allocation_may_fail);
  tcase_add_test(c, what_cannot_stream_says_so);
  tcase_add_test(c, bad_arguments_are_refused);
  return c;
}

TEST_MAIN("state", tcase)
