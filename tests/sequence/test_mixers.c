/* The law of sequence modules: forward equals any split into extends, in values, gradients and states. And
 * what else there is to states: clone, save, load, reset, detach, errors that change nothing. */
#include "main.h"

#include "golden/mamba.h"
#include "rill/autograd.h"
#include "rill/io.h"
#include "rill/sequence.h"

#include <unistd.h>

enum { BATCH = 2, WIDTH = 12, STEPS = 23, MAX_PARAMETERS = 32 };

/* ---- the modules ------------------------------------------------------------------------------ */

static rill_module *attention(rill_context *ctx, rill_attention_module_options o) {
  o.struct_size = sizeof o;
  return rill_nn_attention(ctx, WIDTH, 6, &o);
}

static rill_module *plain(rill_context *ctx) { return rill_nn_attention(ctx, WIDTH, 3, NULL); }
static rill_module *grouped(rill_context *ctx) {
  return attention(
      ctx, (rill_attention_module_options){.kv_heads = 2, .bias = true, .rope_interleaved = true});
}
static rill_module *windowed(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){.kv_heads = 3, .window = 5});
}
static rill_module *window_of_one(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){.window = 1});
}
static rill_module *sloped(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){
                            .no_rope = true, .alibi = true, .softcap = 1.5, .window = 9});
}
static rill_module *mamba(rill_context *ctx) { return rill_nn_mamba(ctx, WIDTH, NULL); }
static rill_module *small_mamba(rill_context *ctx) {
  rill_mamba_options o = RILL_MAMBA_OPTIONS_INIT;
  o.state = 3, o.conv = 1, o.expand = 1, o.dt_rank = 2, o.bias = true, o.no_conv_bias = true;
  return rill_nn_mamba(ctx, WIDTH, &o);
}
static rill_module *stack(rill_context *ctx) {
  rill_module *inner[] = {rill_nn_layer_norm(ctx, WIDTH, 0, true), grouped(ctx)};
  rill_module *all[] = {rill_nn_residual(ctx, rill_nn_sequential(ctx, inner, 2)), mamba(ctx),
                        rill_nn_linear(ctx, WIDTH, WIDTH, true), rill_nn_gelu(ctx, false),
                        windowed(ctx)};
  return rill_nn_sequential(ctx, all, 5);
}

static rill_module *(*const modules[])(rill_context *) = {
    plain, grouped, windowed, window_of_one, sloped, mamba, small_mamba, stack};
enum { MODULES = sizeof modules / sizeof *modules };

/* ---- helpers ---------------------------------------------------------------------------------- */

static rill_context *start(void) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 5;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static void fine(rill_context *ctx) {
  ck_assert_msg(rill_error(ctx) == RILL_OK, "%s: %s", rill_error_op(ctx), rill_error_message(ctx));
}

static void fails(rill_context *ctx, rill_status status, const char *words) {
  ck_assert_msg(rill_error(ctx) == status, "%s: %s", rill_status_name(rill_error(ctx)),
                rill_error_message(ctx));
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "says: %s",
                rill_error_message(ctx));
  rill_error_clear(ctx);
}

/* Module i in f64 or f32, in eval mode, its parameters far enough from their first values. */
static rill_module *make(rill_context *ctx, int i, rill_dtype dtype) {
  rill_module *m = modules[i](ctx);
  rill_module_to(ctx, m, dtype);
  rill_module_train(ctx, m, false);
  fine(ctx);
  return m;
}

static rill_tensor *input(rill_context *ctx, rill_dtype dtype) {
  return rill_randn(ctx, dtype, (int64_t[]){BATCH, STEPS, WIDTH}, 3);
}

static double *values(const rill_tensor *t) {
  double *v = malloc(sizeof(double) * (size_t)(rill_tensor_numel(t) + 1));
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_int_eq(
      rill_tensor_copy_out(ctx, t, RILL_F64, v, sizeof(double) * (size_t)rill_tensor_numel(t)),
      RILL_OK);
  rill_context_close(ctx);
  return v;
}

static double distance(const rill_tensor *x, const rill_tensor *reference) {
  ck_assert_ptr_nonnull(x);
  ck_assert_ptr_nonnull(reference);
  ck_assert_int_eq(rill_tensor_numel(x), rill_tensor_numel(reference));
  double *a = values(x), *b = values(reference), d = rms_ratio_f64(a, b, rill_tensor_numel(x));
  free(a);
  free(b);
  return d;
}

static void near(const rill_tensor *x, const rill_tensor *reference, double tolerance,
                 const char *what, int i) {
  double d = distance(x, reference);
  ck_assert_msg(d <= tolerance, "module %d: %s differ by %g", i, what, d);
}

/* Steps [from, to) of x. */
static rill_tensor *part(rill_context *ctx, rill_tensor *x, int64_t from, int64_t to) {
  return rill_narrow(ctx, x, 1, from, to - from);
}

/* x through rill_extend in pieces; most > 0: random sizes up to it. */
static rill_tensor *extend_all(rill_context *ctx, rill_module *m, rill_tensor *x, rill_state *s,
                               int64_t most, uint64_t *random) {
  rill_tensor *ys[256];
  int n = 0;
  int64_t steps = rill_tensor_size(x, 1);
  for (int64_t t = 0; t < steps;) {
    int64_t size = 1 + (int64_t)(test_uniform(random) * (double)most),
            to = t + size < steps ? t + size : steps;
    ys[n++] = rill_extend(ctx, m, part(ctx, x, t, to), s);
    fine(ctx);
    t = to;
  }
  return rill_cat(ctx, (const rill_tensor *const *)ys, n, 1);
}

/* ---- the law ---------------------------------------------------------------------------------- */

static void law(rill_dtype dtype, double tolerance, rill_grad_mode mode) {
  uint64_t random = 99;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, dtype);
    rill_tensor *x = input(ctx, dtype);
    rill_set_grad_mode(ctx, mode);
    rill_tensor *whole = rill_forward(ctx, m, x);
    for (int64_t most = 1; most <= STEPS; most += most < 4 ? 1 : 6) {
      rill_state *s = rill_state_create(ctx, m, BATCH);
      fine(ctx);
      near(extend_all(ctx, m, x, s, most, &random), whole, tolerance, "forward and extends", i);
      ck_assert_int_eq(rill_state_position(s), STEPS);
    }
    rill_context_close(ctx);
  }
}

START_TEST(any_split_gives_the_same_in_f64) { law(RILL_F64, 1e-12, RILL_GRAD_OFF); }
END_TEST
START_TEST(any_split_gives_the_same_in_f32) { law(RILL_F32, 1e-5, RILL_GRAD_INFERENCE); }
END_TEST
START_TEST(any_split_gives_the_same_while_recording) { law(RILL_F64, 1e-12, RILL_GRAD_ON); }
END_TEST

/* Gradients of sum(y w) with respect to the input and all parameters. */
static int gradients(rill_context *ctx, rill_module *m, rill_tensor *x, rill_tensor *y,
                     rill_tensor *w, rill_tensor **out) {
  rill_tensor *inputs[MAX_PARAMETERS] = {x};
  int n = rill_parameter_count(m);
  ck_assert_int_lt(n, MAX_PARAMETERS);
  for (int p = 0; p < n; p++) inputs[p + 1] = rill_parameter(m, p);
  rill_tensor *loss = rill_sum(ctx, rill_mul(ctx, y, w), RILL_ALL_DIMS, false);
  rill_grad(ctx, &loss, 1, inputs, n + 1, NULL, false, false, out);
  fine(ctx);
  return n + 1;
}

START_TEST(gradients_flow_through_splits) {
  uint64_t random = 7;
  for (int i = 0; i < MODULES; i++) {
    rill_context *ctx = start();
    rill_module *m = make(ctx, i, RILL_F64);
    rill_tensor *x = input(ctx, RILL_F64), *w = input(ctx, RILL_F64), *whole[MAX_PARAMETERS],
                *split[MAX_PARAMETERS];
    rill_set_requires_grad(ctx, x, true);
    int n = gradients(ctx, m, x, rill_forward(ctx, m, x), w, whole);
    rill_state *s = rill_state_create(ctx, m, BATCH);
    gradients(ctx, m, x, extend_all(ctx, m, x, s, 6, &random), w, split);
    for (int p = 0; p < n; p++) near(split[p], whole[p], 1e-11, "gradients", i);
    rill_context_close(ctx);
  }
}
END_TEST

START_TEST(a_detached_state_cuts_gradients) {
  rill_context *ctx = start();
  for (int i = 0; i < MODULES; i++) {
    if (modules[i] == window_of_one) continue; /* has no memory to cut */
    rill_module *m = make(ctx, i, RILL_F64);
    for (int cut = 0; cut < 2; cut++) {
      rill_tensor *x = input(ctx, RILL_F64), *x1 = part(ctx, x, 0, 9), *got;
      rill_set_requires_grad(ctx, x1, true);
      rill_state *s = rill_state_create(ctx, m, BATCH);
      rill_extend(ctx, m, x1, s);
      if (cut) ck_assert_int_eq(rill_state_detach(ctx, s), RILL_OK);
      rill_tensor *y = rill_extend(ctx, m, part(ctx, x, 9, 10), s);
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

/* ---- threads and memory ----------------------------------------------------------------------- */

/* Forward, gradients and decoding of the stack on `threads` threads, gathered in out. */
static int64_t work(int threads, double *out) {
  uint64_t random = 12;
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 5;
  o.threads = threads;
  rill_context *ctx = rill_context_create(&o);
  rill_module *m = make(ctx, 7, RILL_F32);
  rill_tensor *x = rill_randn(ctx, RILL_F32, (int64_t[]){BATCH, 150, WIDTH}, 3),
              *w = rill_mul_scalar(ctx, x, 0.5);
  rill_set_requires_grad(ctx, x, true);
  rill_tensor *results[MAX_PARAMETERS + 1];
  int n = gradients(ctx, m, x, rill_forward(ctx, m, x), w, results);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  results[n++] = extend_all(ctx, m, x, rill_state_create(ctx, m, BATCH), 40, &random);
  int64_t count = 0;
  for (int i = 0; i < n; i++) {
    double *v = values(results[i]);
    memcpy(out + count, v, sizeof(double) * (size_t)rill_tensor_numel(results[i]));
    count += rill_tensor_numel(results[i]);
    free(v);
  }
  rill_context_close(ctx);
  return count;
}

START_TEST(threads_make_no_difference) {
  static double one[20000], many[20000];
  int64_t n = work(1, one);
  ck_assert_int_lt(n, 20000);
  for (int threads = 2; threads <= 5; threads += 3) {
    ck_assert_int_eq(work(threads, many), n);
    ck_assert(!memcmp(one, many, sizeof(double) * (size_t)n));
  }
}
END_TEST

typedef struct rationed {
  int64_t left, live;
} rationed;

static void *rationed_malloc(void *user, size_t size) {
  rationed *r = user;
  if (!r->left) return NULL;
  r->left--;
  r->live++;
  return malloc(size);
}

static void rationed_free(void *user, void *block) {
  if (block) ((rationed *)user)->live--;
  free(block);
}

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
  bool done = false;
  for (int64_t grant = 0; !done; grant++) {
    ck_assert_int_lt(grant, 2000);
    rationed r = {grant, 0};
    rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
    options.allocator = (rill_allocator){rationed_malloc, NULL, rationed_free, &r};
    rill_context *ctx = rill_context_create(&options);
    if (ctx) {
      done = busy(ctx);
      ck_assert_int_eq(rill_error(ctx), done ? RILL_OK : RILL_ERROR_MEMORY);
      rill_context_close(ctx);
    }
    ck_assert_msg(!r.live, "after %lld allocations: %lld blocks leaked", (long long)grant,
                  (long long)r.live);
  }
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

/* ---- Mamba beside PyTorch --------------------------------------------------------------------- */

START_TEST(mamba_is_pytorchs) {
  rill_context *ctx = start();
  rill_mamba_options o = RILL_MAMBA_OPTIONS_INIT;
  o.state = MAMBA_STATE, o.conv = MAMBA_CONV, o.expand = MAMBA_EXPAND, o.dt_rank = MAMBA_RANK;
  rill_module *m = rill_nn_mamba(ctx, MAMBA_WIDTH, &o);
  rill_module_to(ctx, m, RILL_F64);
  int n = sizeof mamba_parameters / sizeof *mamba_parameters;
  ck_assert_int_eq(rill_parameter_count(m), n);
  for (int i = 0; i < n; i++) {
    rill_tensor *p = rill_module_get(m, mamba_parameters[i].path);
    ck_assert_ptr_nonnull(p);
    const int64_t *shape = rill_tensor_shape(p);
    rill_state_dict_load(
        ctx, m, mamba_parameters[i].path,
        rill_from_buffer(ctx, RILL_F64, shape, rill_tensor_ndim(p), mamba_parameters[i].value));
    fine(ctx);
  }
  int64_t shape[] = {MAMBA_BATCH, MAMBA_STEPS, MAMBA_WIDTH};
  rill_tensor *x = rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_x);
  rill_set_requires_grad(ctx, x, true);
  rill_tensor *y = rill_forward(ctx, m, x);
  rill_backward(ctx, y, rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_seed), false);
  fine(ctx);
  near(y, rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_y), 1e-13, "values", 0);
  near(rill_tensor_grad(x), rill_from_buffer(ctx, RILL_F64, shape, 3, mamba_grad_x), 1e-12,
       "input gradients", 0);
  for (int i = 0; i < n; i++) {
    rill_tensor *p = rill_module_get(m, mamba_parameters[i].path);
    near(rill_tensor_grad(p),
         rill_from_buffer(ctx, RILL_F64, rill_tensor_shape(p), rill_tensor_ndim(p),
                          mamba_parameters[i].grad),
         1e-12, mamba_parameters[i].path, i);
  }
  rill_context_close(ctx);
}
END_TEST

/* The reference's first values: A_log = log(1..N), D = 1, softplus(dt bias) in [0.001, 0.1]. */
START_TEST(mamba_begins_as_the_reference) {
  rill_context *ctx = start();
  rill_module *m = mamba(ctx);
  double *a = values(rill_module_get(m, "A_log")), *d = values(rill_module_get(m, "D"));
  double *b = values(rill_module_get(m, "dt_proj.bias")), low = 1, high = 0;
  for (int i = 0; i < 16; i++) ck_assert_double_eq_tol(exp(a[16 + i]), i + 1, 1e-5);
  for (int i = 0; i < 2 * WIDTH; i++) {
    double dt = log1p(exp(b[i]));
    low = dt < low ? dt : low;
    high = dt > high ? dt : high;
    ck_assert_double_eq(d[i], 1);
  }
  ck_assert_double_ge(low, 0.00099);
  ck_assert_double_le(high, 0.101);
  ck_assert_double_gt(high / low, 5);
  ck_assert_int_eq(rill_tensor_size(rill_module_get(m, "x_proj.weight"), 0), 1 + 2 * 16);
  free(a);
  free(d);
  free(b);
  rill_context_close(ctx);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("mixers");
  tcase_set_timeout(c, 120);
  tcase_add_test(c, any_split_gives_the_same_in_f64);
  tcase_add_test(c, any_split_gives_the_same_in_f32);
  tcase_add_test(c, any_split_gives_the_same_while_recording);
  tcase_add_test(c, gradients_flow_through_splits);
  tcase_add_test(c, a_detached_state_cuts_gradients);
  tcase_add_test(c, a_state_is_differentiable_at_its_start);
  tcase_add_test(c, clones_go_their_own_ways);
  tcase_add_test(c, states_survive_files_and_begin_anew);
  tcase_add_test(c, a_failed_extend_changes_nothing);
  tcase_add_test(c, a_state_fits_modules_of_the_same_structure);
  tcase_add_test(c, sequences_of_a_batch_are_independent);
  tcase_add_test(c, caches_move_seldom_and_windows_stay_small);
  tcase_add_test(c, threads_make_no_difference);
  tcase_add_test(c, each_allocation_may_fail);
  tcase_add_test(c, what_cannot_stream_says_so);
  tcase_add_test(c, bad_arguments_are_refused);
  tcase_add_test(c, mamba_is_pytorchs);
  tcase_add_test(c, mamba_begins_as_the_reference);
  return c;
}

TEST_MAIN("mixers", tcase)
