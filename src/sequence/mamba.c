/* The Mamba block (Gu and Dao 2023). Its state: the tail of the short convolution, and the scan's h. */
#include "sequence/state.h"

#include "nn/init.h"

#include <math.h>

enum { IN_PROJ, CONV1D, X_PROJ, DT_PROJ, OUT_PROJ }; /* children */
enum { A_LOG, SKIP };                                /* parameters */
enum { WEIGHT, BIAS };                               /* of a child */

typedef struct mamba {
  int64_t width, inner, states, taps, rank;
} mamba;

static const rill_tensor *child_own(const rill_module *m, int child, int parameter) {
  const rill_module *c = module_child(m, child);
  return parameter < c->parts[MODULE_PARAMETERS].count ? module_own(c, parameter) : NULL;
}

/* tail and h: the state before, or NULL; the state after goes to *tail_out and *h_out where they are
 * not NULL. */
static rill_tensor *run(rill_context *ctx, rill_module *m, const rill_tensor *input, const mamba *p,
                        const rill_tensor *tail, const rill_tensor *h, rill_tensor **tail_out,
                        rill_tensor **h_out) {
  rill_tensor *both = rill_forward(ctx, module_child(m, IN_PROJ), input);
  rill_tensor *x = rill_narrow(ctx, both, -1, 0, p->inner),
              *z = rill_narrow(ctx, both, -1, p->inner, p->inner);
  rill_tensor *taps =
      rill_reshape(ctx, child_own(m, CONV1D, WEIGHT), (int64_t[]){p->inner, p->taps}, 2);
  x = rill_causal_conv1d(ctx, x, taps, child_own(m, CONV1D, BIAS), tail, true, tail_out);
  rill_tensor *all = rill_forward(ctx, module_child(m, X_PROJ), x);
  rill_tensor *low = rill_narrow(ctx, all, -1, 0, p->rank);
  rill_tensor *b = rill_narrow(ctx, all, -1, p->rank, p->states);
  rill_tensor *c = rill_narrow(ctx, all, -1, p->rank + p->states, p->states);
  rill_tensor *delta = rill_linear(ctx, low, child_own(m, DT_PROJ, WEIGHT), NULL);
  rill_tensor *a = rill_neg(ctx, rill_exp(ctx, module_own(m, A_LOG)));
  rill_selective_scan_options o = RILL_SELECTIVE_SCAN_OPTIONS_INIT;
  o.D = module_own(m, SKIP);
  o.z = z;
  o.delta_bias = child_own(m, DT_PROJ, BIAS);
  o.delta_softplus = true;
  o.initial = h;
  o.final = h_out;
  if (!z) return NULL;
  return rill_forward(ctx, module_child(m, OUT_PROJ),
                      rill_selective_scan(ctx, x, delta, a, b, c, &o));
}

static bool fits(rill_context *ctx, const rill_tensor *x, const mamba *p) {
  char text[SHAPE_TEXT];
  if (x->ndim == 3 && x->shape[2] == p->width) return true;
  error_set(ctx, RILL_ERROR_SHAPE, "Mamba", "needs an input [batch,time,%lld], not %s",
            (long long)p->width, shape_text(x->shape, x->ndim, text));
  return false;
}

static rill_tensor *mamba_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                  void *user) {
  return fits(ctx, input, user) ? run(ctx, m, input, user, NULL, NULL, NULL, NULL) : NULL;
}

static rill_status mamba_state(rill_context *ctx, rill_module *m, rill_state *state, int64_t batch,
                               void *user) {
  const mamba *p = user;
  rill_dtype dtype = (rill_dtype)module_own(m, A_LOG)->dtype;
  rill_tensor *tail = rill_zeros(ctx, dtype, (int64_t[]){batch, p->taps - 1, p->inner}, 3);
  rill_tensor *h = rill_zeros(ctx, dtype, (int64_t[]){batch, p->inner, p->states}, 3);
  rill_status s = rill_state_add(ctx, state, m, "conv", tail);
  return s == RILL_OK ? rill_state_add(ctx, state, m, "ssm", h) : s;
}

static rill_tensor *mamba_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                 rill_state *state, void *user) {
  rill_tensor *tail = rill_state_get(ctx, state, m, "conv"),
              *h = rill_state_get(ctx, state, m, "ssm");
  if (!tail || !h || !fits(ctx, input, user)) return NULL;
  rill_tensor *tail_out, *h_out, *y = run(ctx, m, input, user, tail, h, &tail_out, &h_out);
  if (!y || rill_state_put(ctx, state, m, "conv", tail_out) != RILL_OK) return NULL;
  return rill_state_put(ctx, state, m, "ssm", h_out) == RILL_OK ? y : NULL;
}

/* ---- making ---- */

/* A_log = log(1 .. N) for each channel: S4D-Real's eigenvalues. */
static rill_tensor *first_a_log(rill_context *ctx, const mamba *p) {
  rill_tensor *t = rill_empty(ctx, RILL_F32, (int64_t[]){p->inner, p->states}, 2);
  float *a = t ? (void *)t->data : NULL;
  for (int64_t i = 0; t && i < t->numel; i++) a[i] = (float)log((double)(i % p->states + 1));
  return t;
}

/* So that softplus of the bias is uniform in the logarithm over [0.001, 0.1]. */
static rill_tensor *first_dt_bias(rill_context *ctx, const mamba *p) {
  rill_tensor *t = rill_rand(ctx, RILL_F32, &p->inner, 1);
  float *b = t ? (void *)t->data : NULL;
  for (int64_t i = 0; t && i < t->numel; i++) {
    double dt = exp(log(0.001) + (double)b[i] * (log(0.1) - log(0.001)));
    if (dt < 1e-4) dt = 1e-4;
    b[i] = (float)(dt + log(-expm1(-dt)));
  }
  return t;
}

/* Holds parameters under the reference's names; the block runs them itself. */
static rill_module *holder(rill_context *ctx, const char *type, rill_tensor *weight,
                           rill_tensor *bias, bool with_bias) {
  rill_module *m = module_new(ctx, &(rill_module_class){.type = type}, false, NULL, 0);
  bool ok = module_parameter(ctx, m, "weight", weight);
  if (ok && with_bias) ok = module_parameter(ctx, m, "bias", bias);
  return ok ? m : NULL;
}

static bool add(rill_context *ctx, rill_module *m, const char *name, rill_module *child) {
  return child && rill_module_add_child(ctx, m, name, child) == RILL_OK;
}

static bool add_parts(rill_context *ctx, rill_module *m, const mamba *p,
                      const rill_mamba_options *o) {
  int64_t taps[] = {p->inner, 1, p->taps}, dt[] = {p->inner, p->rank};
  double bound = init_bound(p->taps);
  return module_parameter(ctx, m, "A_log", first_a_log(ctx, p)) &&
         module_parameter(ctx, m, "D", init_full(ctx, &p->inner, 1, 1)) &&
         add(ctx, m, "in_proj", rill_nn_linear(ctx, p->width, 2 * p->inner, o->bias)) &&
         add(ctx, m, "conv1d",
             holder(ctx, "Conv1d", init_uniform(ctx, taps, 3, bound),
                    o->no_conv_bias ? NULL : init_uniform(ctx, &p->inner, 1, bound),
                    !o->no_conv_bias)) &&
         add(ctx, m, "x_proj", rill_nn_linear(ctx, p->inner, p->rank + 2 * p->states, false)) &&
         add(ctx, m, "dt_proj",
             holder(ctx, "Linear", init_uniform(ctx, dt, 2, 1 / sqrt((double)p->rank)),
                    first_dt_bias(ctx, p), true)) &&
         add(ctx, m, "out_proj", rill_nn_linear(ctx, p->inner, p->width, o->bias));
}

void rill_mamba_options_init(rill_mamba_options *options) {
  if (options) *options = (rill_mamba_options)RILL_MAMBA_OPTIONS_INIT;
}

rill_module *rill_nn_mamba(rill_context *ctx, int64_t width, const rill_mamba_options *options) {
  static const rill_module_class cls = {
      .type = "Mamba", .forward = mamba_forward, .state = mamba_state, .extend = mamba_extend};
  static const char op[] = "nn_mamba";
  if (!context_ready(ctx)) return NULL;
  rill_mamba_options o;
  options_read(&o, sizeof o, options);
  int64_t expand = o.expand ? o.expand : 2;
  mamba p = {.width = width,
             .states = o.state ? o.state : 16,
             .taps = o.conv ? o.conv : 4,
             .rank = o.dt_rank ? o.dt_rank : width / 16 + (width % 16 != 0)};
  if (!init_size(ctx, op, "width", width) || !init_size(ctx, op, "state", p.states) ||
      !init_size(ctx, op, "conv", p.taps) || !init_size(ctx, op, "expand", expand) ||
      !init_size(ctx, op, "dt_rank", p.rank))
    return NULL;
  if (!checked_mul(width, expand, &p.inner) || p.inner > INT64_MAX / 4 ||
      p.states > INT64_MAX / 4 || p.rank > INT64_MAX / 4) {
    error_set(ctx, RILL_ERROR_OVERFLOW, op, "the sizes do not fit in memory");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, false, &p, sizeof p);
  return scope_close_keep(ctx, m && add_parts(ctx, m, &p, &o) ? m : NULL);
}
