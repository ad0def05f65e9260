/* What the tests of sequence modules share: one module of each kind, and ways to run them. */
#ifndef RILL_TESTS_MIXERS_H
#define RILL_TESTS_MIXERS_H

#include "main.h"

#include "rill/autograd.h"
#include "rill/io.h"
#include "rill/sequence.h"

enum { BATCH = 2, WIDTH = 12, STEPS = 23, MAX_PARAMETERS = 32 };

/* ---- the modules ------------------------------------------------------------------------------ */

static inline rill_module *attention(rill_context *ctx, rill_attention_module_options o) {
  o.struct_size = sizeof o;
  return rill_nn_attention(ctx, WIDTH, 6, &o);
}

static inline rill_module *plain(rill_context *ctx) {
  return rill_nn_attention(ctx, WIDTH, 3, NULL);
}
static inline rill_module *grouped(rill_context *ctx) {
  return attention(
      ctx, (rill_attention_module_options){.kv_heads = 2, .bias = true, .rope_interleaved = true});
}
static inline rill_module *windowed(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){.kv_heads = 3, .window = 5});
}
static inline rill_module *window_of_one(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){.window = 1});
}
static inline rill_module *sloped(rill_context *ctx) {
  return attention(ctx, (rill_attention_module_options){
                            .no_rope = true, .alibi = true, .softcap = 1.5, .window = 9});
}
static inline rill_module *mamba(rill_context *ctx) { return rill_nn_mamba(ctx, WIDTH, NULL); }
static inline rill_module *small_mamba(rill_context *ctx) {
  rill_mamba_options o = RILL_MAMBA_OPTIONS_INIT;
  o.state = 3, o.conv = 1, o.expand = 1, o.dt_rank = 2, o.bias = true, o.no_conv_bias = true;
  return rill_nn_mamba(ctx, WIDTH, &o);
}
static inline rill_module *stack(rill_context *ctx) {
  rill_module *inner[] = {rill_nn_layer_norm(ctx, WIDTH, 0, true), grouped(ctx)};
  rill_module *all[] = {rill_nn_residual(ctx, rill_nn_sequential(ctx, inner, 2)), mamba(ctx),
                        rill_nn_linear(ctx, WIDTH, WIDTH, true), rill_nn_gelu(ctx, false),
                        windowed(ctx)};
  return rill_nn_sequential(ctx, all, 5);
}
static inline rill_module *running(rill_context *ctx, int64_t window, int64_t dilation, bool min) {
  rill_window_options o = RILL_WINDOW_OPTIONS_INIT;
  o.dims = (int[]){1}, o.ndims = 1, o.mode = RILL_WINDOW_CAUSAL, o.dilation = dilation;
  return min ? rill_nn_window_min(ctx, window, &o) : rill_nn_window_max(ctx, window, &o);
}
static inline rill_module *running_max(rill_context *ctx) { return running(ctx, 7, 1, false); }
static inline rill_module *running_min(rill_context *ctx) { return running(ctx, 3, 4, true); }
static inline rill_module *running_all(rill_context *ctx) { return running(ctx, 1000, 1, false); }
static inline rill_module *running_one(rill_context *ctx) { return running(ctx, 1, 1, false); }

static rill_module *(*const modules[])(rill_context *) = {
    plain,       grouped, windowed,    window_of_one, sloped,      mamba,
    small_mamba, stack,   running_max, running_min,   running_all, running_one};
enum { MODULES = sizeof modules / sizeof *modules };

/* ---- helpers ---------------------------------------------------------------------------------- */

static inline rill_context *start(void) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.seed = 5;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static inline void fine(rill_context *ctx) {
  ck_assert_msg(rill_error(ctx) == RILL_OK, "%s: %s", rill_error_op(ctx), rill_error_message(ctx));
}

static inline void fails(rill_context *ctx, rill_status status, const char *words) {
  ck_assert_msg(rill_error(ctx) == status, "%s: %s", rill_status_name(rill_error(ctx)),
                rill_error_message(ctx));
  ck_assert_msg(strstr(rill_error_message(ctx), words) != NULL, "says: %s",
                rill_error_message(ctx));
  rill_error_clear(ctx);
}

/* Module i in f64 or f32, in eval mode, its parameters far enough from their first values. */
static inline rill_module *make(rill_context *ctx, int i, rill_dtype dtype) {
  rill_module *m = modules[i](ctx);
  rill_module_to(ctx, m, dtype);
  rill_module_train(ctx, m, false);
  fine(ctx);
  return m;
}

static inline rill_tensor *input(rill_context *ctx, rill_dtype dtype) {
  return rill_randn(ctx, dtype, (int64_t[]){BATCH, STEPS, WIDTH}, 3);
}

static inline double *values(const rill_tensor *t) {
  double *v = malloc(sizeof(double) * (size_t)(rill_tensor_numel(t) + 1));
  rill_context *ctx = rill_context_create(NULL);
  ck_assert_int_eq(
      rill_tensor_copy_out(ctx, t, RILL_F64, v, sizeof(double) * (size_t)rill_tensor_numel(t)),
      RILL_OK);
  rill_context_close(ctx);
  return v;
}

static inline double distance(const rill_tensor *x, const rill_tensor *reference) {
  ck_assert_ptr_nonnull(x);
  ck_assert_ptr_nonnull(reference);
  ck_assert_int_eq(rill_tensor_numel(x), rill_tensor_numel(reference));
  double *a = values(x), *b = values(reference), d = rms_ratio_f64(a, b, rill_tensor_numel(x));
  free(a);
  free(b);
  return d;
}

static inline void near(const rill_tensor *x, const rill_tensor *reference, double tolerance,
                        const char *what, int i) {
  double d = distance(x, reference);
  ck_assert_msg(d <= tolerance, "module %d: %s differ by %g", i, what, d);
}

/* Steps [from, to) of x. */
static inline rill_tensor *part(rill_context *ctx, rill_tensor *x, int64_t from, int64_t to) {
  return rill_narrow(ctx, x, 1, from, to - from);
}

/* x through rill_extend in pieces; most > 0: random sizes up to it. */
static inline rill_tensor *extend_all(rill_context *ctx, rill_module *m, rill_tensor *x,
                                      rill_state *s, int64_t most, uint64_t *random) {
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

#endif
