/* Module files and checkpoints: what is saved comes back, training goes on bit for bit as if never
 * stopped, for any number of threads, and a wrong file changes nothing. */
#include "main.h"
#include "rill.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 16, LENGTH = 12, BATCH = 3, CLASSES = 11 };

static char path[64];

static void setup(void) { snprintf(path, sizeof path, "/tmp/rill-checkpoint-%d", (int)getpid()); }
static void teardown(void) { remove(path); }

typedef struct trainer {
  rill_context *ctx;
  rill_module *model;
  rill_optimizer *optimizer;
} trainer;

static rill_module *residual(rill_context *ctx, rill_module *layer) {
  rill_module *parts[] = {rill_nn_layer_norm(ctx, WIDTH, 0, true), layer};
  return rill_nn_residual(ctx, rill_nn_sequential(ctx, parts, 2));
}

static trainer trainer_create(int threads, uint64_t seed) {
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  options.seed = seed;
  rill_context *ctx = rill_context_create(&options);
  rill_module *parts[] = {
      rill_nn_embedding(ctx, CLASSES, WIDTH, RILL_NO_PADDING),
      residual(ctx, rill_nn_attention(ctx, WIDTH, 2, NULL)),
      residual(ctx, rill_nn_mamba(ctx, WIDTH, NULL)),
      rill_nn_dropout(ctx, 0.1),
      rill_nn_rms_norm(ctx, WIDTH, 0),
      rill_nn_linear(ctx, WIDTH, CLASSES, true),
  };
  trainer t = {ctx, rill_nn_sequential(ctx, parts, 6),
               rill_optimizer_create(ctx, RILL_OPTIM_ADAMW)};
  rill_optimizer_options o = RILL_OPTIMIZER_OPTIONS_INIT;
  o.weight_decay = 0.1;
  rill_optimizer_add_module(ctx, t.optimizer, t.model, &o, NULL);
  ck_assert_str_eq(rill_error_message(ctx), "");
  return t;
}

static void train(const trainer *t, int first, int last) {
  for (int step = first; step < last; step++) {
    rill_scope_open(t->ctx);
    int32_t ids[BATCH * (LENGTH + 1)];
    for (int i = 0; i < BATCH * (LENGTH + 1); i++) ids[i] = (i * i + step * 7) % CLASSES;
    int64_t shape[] = {BATCH, LENGTH};
    rill_tensor *x = rill_from_buffer(t->ctx, RILL_I32, shape, 2, ids);
    rill_tensor *y = rill_from_buffer(t->ctx, RILL_I32, shape, 2, ids + 1);
    rill_tensor *loss = rill_cross_entropy(t->ctx, rill_forward(t->ctx, t->model, x), y, NULL);
    rill_backward(t->ctx, loss, NULL, false);
    rill_clip_grad_norm(t->ctx, t->optimizer, 0.5, NULL);
    rill_optimizer_step(t->ctx, t->optimizer);
    rill_optimizer_zero_grad(t->ctx, t->optimizer);
    rill_scope_close(t->ctx);
  }
  ck_assert_str_eq(rill_error_message(t->ctx), "");
}

static bool same_weights(const trainer *a, const trainer *b) {
  for (int i = 0; i < rill_parameter_count(a->model); i++) {
    const rill_tensor *x = rill_parameter(a->model, i), *y = rill_parameter(b->model, i);
    if (memcmp(rill_tensor_data(x), rill_tensor_data(y),
               (size_t)rill_tensor_numel(x) * sizeof(float)))
      return false;
  }
  return true;
}

START_TEST(training_goes_on_as_if_never_stopped) {
  trainer whole = trainer_create(1, 5), first = trainer_create(1, 5),
          second = trainer_create(2, 99);
  train(&whole, 0, 6);
  train(&first, 0, 3);
  int64_t numbers[] = {3, -7}, back[2] = {0, 0};
  ck_assert_int_eq(rill_checkpoint_save(first.ctx, path, first.model, first.optimizer, numbers, 2),
                   RILL_OK);
  ck_assert_int_eq(rill_checkpoint_load(second.ctx, path, second.model, second.optimizer, back, 2),
                   RILL_OK);
  ck_assert_int_eq(back[0], 3);
  ck_assert_int_eq(back[1], -7);
  ck_assert(same_weights(&first, &second));
  ck_assert(!same_weights(&whole, &second));
  train(&second, 3, 6);
  ck_assert(same_weights(&whole, &second));
  rill_context_close(whole.ctx);
  rill_context_close(first.ctx);
  rill_context_close(second.ctx);
}
END_TEST

START_TEST(threads_change_no_bit) {
  trainer one = trainer_create(1, 3), two = trainer_create(2, 3), four = trainer_create(4, 3);
  train(&one, 0, 4);
  train(&two, 0, 4);
  train(&four, 0, 4);
  ck_assert(same_weights(&one, &two));
  ck_assert(same_weights(&one, &four));
  rill_context_close(one.ctx);
  rill_context_close(two.ctx);
  rill_context_close(four.ctx);
}
END_TEST

START_TEST(numbers_come_without_a_model) {
  trainer t = trainer_create(1, 1);
  int64_t numbers[] = {1, 2, 3}, back[3];
  rill_checkpoint_save(t.ctx, path, t.model, NULL, numbers, 3);
  ck_assert_int_eq(rill_checkpoint_load(t.ctx, path, NULL, NULL, back, 3), RILL_OK);
  ck_assert_int_eq(back[2], 3);
  ck_assert_int_eq(rill_checkpoint_load(t.ctx, path, NULL, NULL, back, 2), RILL_ERROR_FORMAT);
  rill_context_close(t.ctx);
}
END_TEST

/* What a failed load leaves: the weights and the optimizer as they were. */
static void refuse(const trainer *t, const trainer *twin, rill_status expected) {
  int64_t number;
  rill_error_clear(t->ctx);
  ck_assert_int_eq(rill_checkpoint_load(t->ctx, path, t->model, t->optimizer, &number, 1),
                   expected);
  ck_assert(rill_error_op(t->ctx)[0] && rill_error_message(t->ctx)[0]);
  rill_error_clear(t->ctx);
  ck_assert(same_weights(t, twin));
}

START_TEST(a_wrong_file_changes_nothing) {
  trainer t = trainer_create(1, 1), twin = trainer_create(1, 1);
  train(&t, 0, 2);
  train(&twin, 0, 2);
  int64_t number = 1;
  refuse(&t, &twin, RILL_ERROR_NOT_FOUND); /* no file */
  rill_nn_linear(twin.ctx, 2, 3, true);    /* draws from the stream as the other does */
  rill_checkpoint_save(t.ctx, path, rill_nn_linear(t.ctx, 2, 3, true), t.optimizer, &number, 1);
  refuse(&t, &twin, RILL_ERROR_NOT_FOUND); /* another model */
  rill_checkpoint_save(t.ctx, path, t.model, NULL, &number, 1);
  refuse(&t, &twin, RILL_ERROR_NOT_FOUND); /* no optimizer */
  rill_optimizer *other = rill_optimizer_create(t.ctx, RILL_OPTIM_SGD);
  rill_checkpoint_save(t.ctx, path, t.model, other, &number, 1);
  refuse(&t, &twin, RILL_ERROR_FORMAT); /* an optimizer of other parameters */
  train(&t, 2, 4);
  train(&twin, 2, 4);
  ck_assert(same_weights(&t, &twin));
  rill_context_close(t.ctx);
  rill_context_close(twin.ctx);
}
END_TEST

START_TEST(a_cut_file_is_refused) {
  trainer t = trainer_create(1, 1), twin = trainer_create(1, 1);
  int64_t number = 1;
  rill_checkpoint_save(t.ctx, path, t.model, t.optimizer, &number, 1);
  FILE *f = fopen(path, "rb");
  fseek(f, 0, SEEK_END);
  long size = ftell(f);
  fclose(f);
  for (long cut = size - 1; cut > 0; cut = cut * 3 / 4) {
    ck_assert_int_eq(truncate(path, cut), 0);
    refuse(&t, &twin, RILL_ERROR_FORMAT);
  }
  rill_context_close(t.ctx);
  rill_context_close(twin.ctx);
}
END_TEST

/* Killed at any moment, a save leaves the old checkpoint or the new one. */
START_TEST(a_kill_leaves_a_whole_file) {
  trainer t = trainer_create(1, 1);
  int64_t number = 0, back = -1;
  ck_assert_int_eq(rill_checkpoint_save(t.ctx, path, t.model, t.optimizer, &number, 1), RILL_OK);
  for (int round = 0; round < 20; round++) {
    pid_t child = fork();
    if (child == 0)
      for (number = 1;; number++)
        rill_checkpoint_save(t.ctx, path, t.model, t.optimizer, &number, 1);
    usleep((useconds_t)(500 + 700 * round));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_int_eq(rill_checkpoint_load(t.ctx, path, t.model, t.optimizer, &back, 1), RILL_OK);
    ck_assert_int_ge(back, 0);
  }
  rill_context_close(t.ctx);
  char command[256];
  snprintf(command, sizeof command, "rm -f %s.*.tmp %s.*", path, path);
  ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(a_module_file_loads_strictly_or_not) {
  trainer t = trainer_create(1, 1);
  rill_module *a = rill_nn_linear(t.ctx, 3, 2, true), *b = rill_nn_linear(t.ctx, 3, 2, false);
  ck_assert_int_eq(rill_module_save(t.ctx, a, path), RILL_OK);
  ck_assert_int_eq(rill_module_load(t.ctx, b, path, true), RILL_ERROR_NOT_FOUND);
  ck_assert_ptr_nonnull(strstr(rill_error_message(t.ctx), "bias"));
  rill_error_clear(t.ctx);
  ck_assert_int_eq(rill_module_load(t.ctx, b, path, false), RILL_OK);
  ck_assert(!memcmp(rill_tensor_data(rill_parameter(a, 0)), rill_tensor_data(rill_parameter(b, 0)),
                    6 * sizeof(float)));
  ck_assert_int_eq(rill_module_load(t.ctx, rill_nn_linear(t.ctx, 2, 2, true), path, true),
                   RILL_ERROR_SHAPE);
  rill_error_clear(t.ctx);
  ck_assert_int_eq(rill_module_save(t.ctx, NULL, path), RILL_ERROR_ARGUMENT);
  rill_error_clear(t.ctx);
  ck_assert_int_eq(rill_checkpoint_save(t.ctx, NULL, a, NULL, NULL, 0), RILL_ERROR_ARGUMENT);
  rill_error_clear(t.ctx);
  ck_assert_int_eq(rill_checkpoint_save(NULL, path, a, NULL, NULL, 0), RILL_ERROR_ARGUMENT);
  rill_context_close(t.ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("checkpoint");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, training_goes_on_as_if_never_stopped);
  tcase_add_test(c, threads_change_no_bit);
  tcase_add_test(c, numbers_come_without_a_model);
  tcase_add_test(c, a_wrong_file_changes_nothing);
  tcase_add_test(c, a_cut_file_is_refused);
  tcase_add_test(c, a_kill_leaves_a_whole_file);
  tcase_add_test(c, a_module_file_loads_strictly_or_not);
  return c;
}

TEST_MAIN("checkpoint", tcase)
