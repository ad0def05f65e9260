/* Sampling from logits and generation. */
#include "main.h"

#include "rill/autograd.h"
#include "rill/sequence.h"

enum { BATCH = 3, CLASSES = 17, WIDTH = 16, PROMPT = 5 };

static rill_context *start(void) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 21;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static void fails(rill_context *ctx, rill_status status, const char *words) {
  ck_assert_msg(rill_error(ctx) == status, "%s: %s", rill_status_name(rill_error(ctx)),
                rill_error_message(ctx));
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "says: %s",
                rill_error_message(ctx));
  rill_error_clear(ctx);
}

static int64_t token(const rill_tensor *t, int64_t i) {
  return ((const int64_t *)rill_tensor_data(t))[i];
}

static rill_tensor *logits_of(rill_context *ctx, const double *row, int64_t classes, int64_t rows) {
  rill_tensor *one = rill_from_buffer(ctx, RILL_F64, (int64_t[]){1, classes}, 2, row);
  return rill_repeat(ctx, one, (int64_t[]){rows, 1}, 2);
}

/* ---- sampling --------------------------------------------------------------------------------- */

START_TEST(without_temperature_the_first_greatest_wins) {
  rill_context *ctx = start();
  double row[] = {-1, 4, NAN, 4, -INFINITY};
  rill_tensor *t = rill_sample(ctx, logits_of(ctx, row, 5, 2), NULL, 0);
  ck_assert_ptr_nonnull(t);
  ck_assert_int_eq(rill_tensor_dtype(t), RILL_I64);
  ck_assert_int_eq(rill_tensor_numel(t), 2);
  ck_assert_int_eq(token(t, 0), 1);
  ck_assert_int_eq(token(t, 1), 1);
  rill_context_close(ctx);
}
END_TEST

enum { DRAWS = 40000 };

/* Share of each class among many draws from one row of logits. */
static void shares(const double *row, int64_t classes, const rill_generate_options *o,
                   double *share) {
  rill_context *ctx = start();
  rill_tensor *t = rill_sample(ctx, logits_of(ctx, row, classes, DRAWS), o, 3);
  ck_assert_msg(t != NULL, "%s", rill_error_message(ctx));
  memset(share, 0, (size_t)classes * sizeof *share);
  for (int64_t i = 0; i < DRAWS; i++) share[token(t, i)]++;
  for (int64_t c = 0; c < classes; c++) share[c] /= DRAWS;
  rill_context_close(ctx);
}

/* Within five standard deviations of `expected`. */
static void like(const double *share, const double *expected, int64_t classes) {
  for (int64_t c = 0; c < classes; c++) {
    double sigma = sqrt(expected[c] * (1 - expected[c]) / DRAWS);
    ck_assert_msg(fabs(share[c] - expected[c]) <= 5 * sigma, "class %d: %g, not %g", (int)c,
                  share[c], expected[c]);
  }
}

START_TEST(draws_follow_the_softmax) {
  double row[] = {log(0.1), log(0.4), log(0.2), -INFINITY, log(0.3)}, share[5];
  double expected[] = {0.1, 0.4, 0.2, 0, 0.3}, z = 0;
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.temperature = 1;
  shares(row, 5, &o, share);
  like(share, expected, 5);
  o.temperature = 0.5; /* squares the probabilities */
  for (int c = 0; c < 5; c++) z += expected[c] * expected[c];
  for (int c = 0; c < 5; c++) expected[c] *= expected[c] / z;
  shares(row, 5, &o, share);
  like(share, expected, 5);
}
END_TEST

START_TEST(top_k_and_top_p_cut_the_tail) {
  double row[] = {log(0.1), log(0.4), log(0.2), -INFINITY, log(0.3)}, share[5];
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.temperature = 1;
  o.top_k = 2;
  shares(row, 5, &o, share);
  like(share, (double[]){0, 4.0 / 7, 0, 0, 3.0 / 7}, 5);
  o.top_k = 0;
  o.top_p = 0.75; /* 0.4 + 0.3 fall short of it, so 0.2 is in */
  shares(row, 5, &o, share);
  like(share, (double[]){0, 4.0 / 9, 2.0 / 9, 0, 3.0 / 9}, 5);
  o.top_k = 3;
  o.top_p = 0.75; /* of the three, 0.4 + 0.3 are 7/9 */
  shares(row, 5, &o, share);
  like(share, (double[]){0, 4.0 / 7, 0, 0, 3.0 / 7}, 5);
  o.top_p = 1e-9;
  shares(row, 5, &o, share);
  like(share, (double[]){0, 1, 0, 0, 0}, 5);
  o.top_k = 50;
  o.top_p = 0;
  shares(row, 5, &o, share);
  like(share, (double[]){0.1, 0.4, 0.2, 0, 0.3}, 5);
}
END_TEST

START_TEST(a_draw_depends_on_seed_step_and_row_alone) {
  rill_context *ctx = start();
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.temperature = 1;
  o.seed = 77;
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){64, 100}, 2),
              *first = rill_sample(ctx, x, &o, 4);
  rill_randn(ctx, RILL_F32, (int64_t[]){64, 100}, 2); /* the context's stream has no part in it */
  rill_tensor *again = rill_sample(ctx, x, &o, 4),
              *head = rill_sample(ctx, rill_narrow(ctx, x, 0, 0, 10), &o, 4);
  int same_step = 0, same_seed = 0;
  rill_tensor *next = rill_sample(ctx, x, &o, 5);
  o.seed = 78;
  rill_tensor *other = rill_sample(ctx, x, &o, 4);
  for (int i = 0; i < 64; i++) {
    ck_assert_int_eq(token(first, i), token(again, i));
    if (i < 10) ck_assert_int_eq(token(first, i), token(head, i));
    same_step += token(first, i) == token(next, i);
    same_seed += token(first, i) == token(other, i);
  }
  ck_assert_int_lt(same_step, 16);
  ck_assert_int_lt(same_seed, 16);
  rill_context_close(ctx);
}
END_TEST

START_TEST(bad_samples_are_refused) {
  rill_context *ctx = start();
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){2, 5}, 2);
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  double none[] = {NAN, -INFINITY}, infinite[] = {1, INFINITY};
  ck_assert_ptr_null(rill_sample(ctx, logits_of(ctx, none, 2, 1), NULL, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "row 0");
  ck_assert_ptr_null(rill_sample(ctx, logits_of(ctx, infinite, 2, 1), NULL, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "row 0");
  ck_assert_ptr_null(rill_sample(ctx, rill_select(ctx, x, 0, 0), NULL, 0));
  fails(ctx, RILL_ERROR_SHAPE, "[5]");
  ck_assert_ptr_null(rill_sample(ctx, NULL, NULL, 0));
  fails(ctx, RILL_ERROR_SHAPE, "NULL");
  ck_assert_ptr_null(rill_sample(ctx, rill_narrow(ctx, x, 1, 0, 0), NULL, 0));
  fails(ctx, RILL_ERROR_SHAPE, "[2,0]");
  o.temperature = -1;
  ck_assert_ptr_null(rill_sample(ctx, x, &o, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "temperature");
  o.temperature = 1, o.top_p = 1.5;
  ck_assert_ptr_null(rill_sample(ctx, x, &o, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "top_p");
  o.top_p = 0, o.top_k = -1;
  ck_assert_ptr_null(rill_sample(ctx, x, &o, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "top_k");
  o.top_k = 0, o.stop_count = 1;
  ck_assert_ptr_null(rill_sample(ctx, x, &o, 0));
  fails(ctx, RILL_ERROR_ARGUMENT, "stop");
  rill_context_close(ctx);
}
END_TEST

/* ---- generation ------------------------------------------------------------------------------- */

/* A language model of one attention and one Mamba layer, in eval mode. */
static rill_module *model(rill_context *ctx) {
  rill_module *layers[] = {rill_nn_embedding(ctx, CLASSES, WIDTH, RILL_NO_PADDING),
                           rill_nn_residual(ctx, rill_nn_attention(ctx, WIDTH, 4, NULL)),
                           rill_nn_residual(ctx, rill_nn_mamba(ctx, WIDTH, NULL)),
                           rill_nn_linear(ctx, WIDTH, CLASSES, true)};
  rill_module *m = rill_nn_sequential(ctx, layers, 4);
  rill_module_to(ctx, m, RILL_F64);
  rill_module_train(ctx, m, false);
  return m;
}

static rill_tensor *prompt_of(rill_context *ctx) {
  return rill_randint(ctx, RILL_I64, 0, CLASSES, (int64_t[]){BATCH, PROMPT}, 2);
}

/* The same by forward over the whole sequence, again for each token. */
START_TEST(generation_is_forward_again_and_again) {
  for (int greedy = 0; greedy < 2; greedy++) {
    rill_context *ctx = start();
    rill_module *m = model(ctx);
    rill_tensor *prompt = prompt_of(ctx), *all = prompt;
    rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
    o.max_tokens = 12;
    o.temperature = greedy ? 0 : 0.9;
    o.top_k = 6;
    o.seed = 3;
    rill_tensor *tokens = rill_generate(ctx, m, prompt, NULL, &o);
    ck_assert_msg(tokens != NULL, "%s", rill_error_message(ctx));
    ck_assert_int_eq(rill_tensor_size(tokens, 0), BATCH);
    ck_assert_int_eq(rill_tensor_size(tokens, 1), 12);
    ck_assert_int_eq(rill_get_grad_mode(ctx), RILL_GRAD_ON);
    for (int step = 0; step < 12; step++) {
      rill_tensor *next =
          rill_sample(ctx, rill_select(ctx, rill_forward(ctx, m, all), 1, -1), &o, step);
      ck_assert_ptr_nonnull(next);
      for (int b = 0; b < BATCH; b++)
        ck_assert_int_eq(token(tokens, b * 12 + step), token(next, b));
      all = rill_cat(ctx, (const rill_tensor *const[]){all, rill_unsqueeze(ctx, next, 1)}, 2, 1);
    }
    rill_context_close(ctx);
  }
}
END_TEST

/* Seven tokens, then five more on the same state, are twelve. */
START_TEST(a_state_carries_generation_on) {
  rill_context *ctx = start();
  rill_module *m = model(ctx);
  rill_tensor *prompt = prompt_of(ctx);
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.max_tokens = 12;
  rill_tensor *whole = rill_generate(ctx, m, prompt, NULL, &o);
  rill_state *s = rill_state_create(ctx, m, BATCH);
  o.max_tokens = 7;
  rill_tensor *first = rill_generate(ctx, m, prompt, s, &o);
  ck_assert_int_eq(rill_state_position(s), PROMPT + 6);
  o.max_tokens = 5;
  rill_tensor *second = rill_generate(ctx, m, rill_narrow(ctx, first, 1, 6, 1), s, &o);
  ck_assert_msg(second != NULL, "%s", rill_error_message(ctx));
  ck_assert_int_eq(rill_state_position(s), PROMPT + 11);
  for (int b = 0; b < BATCH; b++)
    for (int t = 0; t < 12; t++)
      ck_assert_int_eq(token(whole, b * 12 + t),
                       t < 7 ? token(first, b * 7 + t) : token(second, b * 5 + t - 7));
  rill_context_close(ctx);
}
END_TEST

typedef struct heard {
  int64_t count, per_sequence[BATCH], last[BATCH], most;
} heard;

static bool hear(void *user, int64_t sequence, int64_t t) {
  heard *h = user;
  h->per_sequence[sequence]++;
  h->last[sequence] = t;
  return ++h->count < h->most;
}

START_TEST(stop_tokens_end_sequences) {
  rill_context *ctx = start();
  rill_module *m = model(ctx);
  rill_tensor *prompt = prompt_of(ctx);
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.max_tokens = 40;
  o.temperature = 1.5;
  o.seed = 9;
  rill_tensor *free_run = rill_generate(ctx, m, prompt, NULL, &o);
  int64_t stop[] = {token(free_run, 4), token(free_run, 40 + 2), token(free_run, 80 + 6)},
          longest = 0;
  heard h = {.most = 1000};
  o.stop = stop, o.stop_count = 3, o.on_token = hear, o.user = &h;
  rill_tensor *tokens = rill_generate(ctx, m, prompt, NULL, &o);
  ck_assert_ptr_nonnull(tokens);
  int64_t steps = rill_tensor_size(tokens, 1);
  for (int b = 0; b < BATCH; b++) {
    int64_t length = 0, t = -1;
    bool over = false;
    while (!over) {
      t = token(free_run, b * 40 + length++);
      over = t == stop[0] || t == stop[1] || t == stop[2];
    }
    for (int64_t i = 0; i < steps; i++)
      ck_assert_int_eq(token(tokens, b * steps + i), i < length ? token(free_run, b * 40 + i) : t);
    ck_assert_int_eq(h.per_sequence[b], length);
    ck_assert_int_eq(h.last[b], t);
    longest = length > longest ? length : longest;
  }
  ck_assert_int_eq(steps, longest);
  rill_context_close(ctx);
}
END_TEST

START_TEST(the_host_can_end_it) {
  rill_context *ctx = start();
  rill_module *m = model(ctx);
  heard h = {.most = 4};
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.on_token = hear, o.user = &h;
  rill_tensor *tokens = rill_generate(ctx, m, prompt_of(ctx), NULL, &o);
  ck_assert_ptr_nonnull(tokens);
  ck_assert_int_eq(h.count, 4);
  ck_assert_int_eq(rill_tensor_size(tokens, 1), 2);
  rill_context_close(ctx);
}
END_TEST

START_TEST(bad_generations_are_refused) {
  rill_context *ctx = start();
  rill_module *m = model(ctx);
  rill_tensor *prompt = prompt_of(ctx);
  ck_assert_ptr_null(rill_generate(ctx, NULL, prompt, NULL, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "module is NULL");
  ck_assert_ptr_null(rill_generate(ctx, m, NULL, NULL, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "prompt");
  ck_assert_ptr_null(rill_generate(ctx, m, rill_select(ctx, prompt, 0, 0), NULL, NULL));
  fails(ctx, RILL_ERROR_ARGUMENT, "prompt");
  ck_assert_ptr_null(rill_generate(ctx, m, rill_narrow(ctx, prompt, 1, 0, 0), NULL, NULL));
  fails(ctx, RILL_ERROR_SHAPE, "at least one step");
  rill_generate_options o = RILL_GENERATE_OPTIONS_INIT;
  o.max_tokens = -1;
  ck_assert_ptr_null(rill_generate(ctx, m, prompt, NULL, &o));
  fails(ctx, RILL_ERROR_ARGUMENT, "max_tokens");
  rill_module *narrow = rill_nn_embedding(ctx, CLASSES, WIDTH, RILL_NO_PADDING);
  rill_tensor *tokens = rill_generate(
      ctx, narrow, rill_full(ctx, RILL_I64, (int64_t[]){1, 1}, 2, CLASSES), NULL, NULL);
  ck_assert_ptr_null(tokens);
  fails(ctx, RILL_ERROR_INDEX, "");
  ck_assert_int_eq(rill_get_grad_mode(ctx), RILL_GRAD_ON);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("generate");
  tcase_add_test(c, without_temperature_the_first_greatest_wins);
  tcase_add_test(c, draws_follow_the_softmax);
  tcase_add_test(c, top_k_and_top_p_cut_the_tail);
  tcase_add_test(c, a_draw_depends_on_seed_step_and_row_alone);
  tcase_add_test(c, bad_samples_are_refused);
  tcase_add_test(c, generation_is_forward_again_and_again);
  tcase_add_test(c, a_state_carries_generation_on);
  tcase_add_test(c, stop_tokens_end_sequences);
  tcase_add_test(c, the_host_can_end_it);
  tcase_add_test(c, bad_generations_are_refused);
  return c;
}

TEST_MAIN("generate", tcase)
