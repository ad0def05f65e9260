/* Multi-head self-attention as a module. Its state: the keys (turned by RoPE) and values of the past. */
#include "sequence/state.h"

#include "nn/init.h"

#include <math.h>

enum { QUERY, KEY, VALUE, OUT }; /* children */

typedef struct attention {
  int64_t heads, kv_heads, width; /* width: of a head */
  rill_attention_module_options options;
} attention;

/* Projection `child` of the input, as heads [B,T,heads,width]. */
static rill_tensor *project(rill_context *ctx, rill_module *m, int child, const rill_tensor *x,
                            int64_t heads, int64_t width) {
  rill_tensor *y = rill_forward(ctx, module_child(m, child), x);
  return y ? rill_reshape(ctx, y, (int64_t[]){y->shape[0], y->shape[1], heads, width}, 4) : NULL;
}

static rill_tensor *turn(rill_context *ctx, const attention *a, rill_tensor *x, int64_t position) {
  if (a->options.no_rope) return x;
  return rill_rope(ctx, x, position, a->options.rope_base, a->options.rope_interleaved);
}

/* The steps from `position` on; state NULL: all there are. */
static rill_tensor *run(rill_context *ctx, rill_module *m, const rill_tensor *x, rill_state *state,
                        const attention *a, int64_t position) {
  char text[SHAPE_TEXT];
  if (x->ndim != 3) {
    error_set(ctx, RILL_ERROR_SHAPE, "Attention", "needs an input [batch,time,width], not %s",
              shape_text(x->shape, x->ndim, text));
    return NULL;
  }
  rill_tensor *q = turn(ctx, a, project(ctx, m, QUERY, x, a->heads, a->width), position);
  rill_tensor *k = turn(ctx, a, project(ctx, m, KEY, x, a->kv_heads, a->width), position);
  rill_tensor *v = project(ctx, m, VALUE, x, a->kv_heads, a->width);
  if (!q || !k || !v) return NULL;
  int64_t past = a->options.window ? a->options.window - 1 : -1;
  if (state) {
    k = state_append(ctx, state, m, "k", k, past);
    v = state_append(ctx, state, m, "v", v, past);
  }
  rill_attention_options o = RILL_ATTENTION_OPTIONS_INIT;
  o.causal = a->options.non_causal ? RILL_CAUSAL_NONE : RILL_CAUSAL_BOTTOM_RIGHT;
  o.window = a->options.window;
  o.softcap = a->options.softcap;
  o.dropout = m->training ? a->options.dropout : 0;
  if (a->options.alibi) o.alibi = m->parts[MODULE_BUFFERS].items[0].of.tensor;
  rill_tensor *y = rill_attention(ctx, q, k, v, &o);
  if (y) y = rill_reshape(ctx, y, (int64_t[]){x->shape[0], x->shape[1], a->heads * a->width}, 3);
  return rill_forward(ctx, module_child(m, OUT), y);
}

static rill_tensor *attention_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                      void *user) {
  return run(ctx, m, input, NULL, user, 0);
}

static rill_status refuse(rill_context *ctx) {
  return error_set(ctx, RILL_ERROR_UNSUPPORTED, "Attention",
                   "is not causal: it sees the future, and cannot stream");
}

static rill_status attention_state(rill_context *ctx, rill_module *m, rill_state *state,
                                   int64_t batch, void *user) {
  const attention *a = user;
  if (a->options.non_causal) return refuse(ctx);
  rill_dtype dtype = (rill_dtype)module_own(module_child(m, KEY), 0)->dtype;
  int64_t none[] = {batch, 0, a->kv_heads, a->width};
  rill_status s = rill_state_add(ctx, state, m, "k", rill_zeros(ctx, dtype, none, 4));
  return s == RILL_OK ? rill_state_add(ctx, state, m, "v", rill_zeros(ctx, dtype, none, 4)) : s;
}

static rill_tensor *attention_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                     rill_state *state, void *user) {
  const attention *a = user;
  if (a->options.non_causal) {
    refuse(ctx);
    return NULL;
  }
  return run(ctx, m, input, state, a, rill_state_position(state));
}

/* Press et al. 2021: 2^(-8 i / P) for i = 1 .. P, P the largest power of two in heads; then every
 * second one of 2 P heads' slopes. */
static rill_tensor *alibi_slopes(rill_context *ctx, int64_t heads) {
  int64_t p = 1;
  while (p <= heads / 2) p *= 2;
  rill_tensor *t = rill_empty(ctx, RILL_F32, &heads, 1);
  for (int64_t h = 0; t && h < heads; h++) {
    double power =
        h < p ? 8.0 * (double)(h + 1) / (double)p : 4.0 * (double)(2 * (h - p) + 1) / (double)p;
    ((float *)(void *)t->data)[h] = (float)exp2(-power);
  }
  return t;
}

void rill_attention_module_options_init(rill_attention_module_options *options) {
  if (options) *options = (rill_attention_module_options)RILL_ATTENTION_MODULE_OPTIONS_INIT;
}

static bool check(rill_context *ctx, int64_t width, const attention *a) {
  static const char op[] = "nn_attention";
  const rill_attention_module_options *o = &a->options;
  if (!init_size(ctx, op, "width", width) || !init_size(ctx, op, "heads", a->heads) ||
      !init_size(ctx, op, "kv_heads", a->kv_heads))
    return false;
  const char *fault = NULL;
  if (width % a->heads)
    fault = "the width is no multiple of heads";
  else if (a->heads % a->kv_heads)
    fault = "heads is no multiple of kv_heads";
  else if (!o->no_rope && a->width % 2)
    fault = "RoPE needs heads of even width";
  else if (o->window < 0 || (o->window && o->non_causal))
    fault = "a window is not negative, and causal";
  else if (!(o->rope_base >= 0) || isinf(o->rope_base))
    fault = "rope_base is not a number of at least 0";
  else if (!(o->softcap >= 0) || isinf(o->softcap))
    fault = "softcap is not a number of at least 0";
  else if (!(o->dropout >= 0 && o->dropout < 1))
    fault = "dropout must lie in [0, 1)";
  if (fault) error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s", fault);
  return !fault;
}

static bool add(rill_context *ctx, rill_module *m, const char *name, rill_module *child) {
  return m && child && rill_module_add_child(ctx, m, name, child) == RILL_OK;
}

rill_module *rill_nn_attention(rill_context *ctx, int64_t width, int64_t heads,
                               const rill_attention_module_options *options) {
  static const rill_module_class cls = {.type = "Attention",
                                        .forward = attention_forward,
                                        .state = attention_state,
                                        .extend = attention_extend};
  if (!context_ready(ctx)) return NULL;
  attention a = {.heads = heads};
  options_read(&a.options, sizeof a.options, options);
  a.kv_heads = a.options.kv_heads ? a.options.kv_heads : heads;
  a.width = heads > 0 ? width / heads : 0;
  if (!check(ctx, width, &a) || rill_scope_open(ctx) != RILL_OK) return NULL;
  int64_t narrow = a.kv_heads * a.width;
  rill_module *m = module_new(ctx, &cls, false, &a, sizeof a);
  bool ok = add(ctx, m, "q_proj", rill_nn_linear(ctx, width, width, a.options.bias)) &&
            add(ctx, m, "k_proj", rill_nn_linear(ctx, width, narrow, a.options.bias)) &&
            add(ctx, m, "v_proj", rill_nn_linear(ctx, width, narrow, a.options.bias)) &&
            add(ctx, m, "out_proj", rill_nn_linear(ctx, width, width, a.options.bias));
  if (ok && a.options.alibi) {
    rill_tensor *slopes = alibi_slopes(ctx, heads);
    ok = slopes && rill_module_add_buffer(ctx, m, "alibi_slopes", slopes, false) == RILL_OK;
  }
  return scope_close_keep(ctx, ok ? m : NULL);
}
