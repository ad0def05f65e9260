/* The module face beside the functional one: the same values, and the same gradients of the input and
 * of every parameter. */
#ifndef REAL

#include "nn/module.h"
#include "nn/registry.h"
#include "rill/sequence.h"

#include <float.h>

/* X(case, module, op, width, constructor's arguments, functional face): rill_nn_module, the module of
 * op, where it is one op's. The functional face sees ctx, the input x [batch, time, width] (of width
 * 0: ids [batch, time]) and by P(path) the module's parameters. */
#define MODULES(X)                                                                                 \
  X(linear, linear, "linear", 17, (ctx, 17, 33, true),                                             \
    rill_linear(ctx, x, P("weight"), P("bias")))                                                   \
  X(linear_bare, linear, "linear", 17, (ctx, 17, 31, false),                                       \
    rill_linear(ctx, x, P("weight"), NULL))                                                        \
  X(embedding, embedding, "embedding", 0, (ctx, 9, 31, RILL_NO_PADDING),                           \
    rill_embedding(ctx, x, P("weight"), RILL_NO_PADDING))                                          \
  X(embedding_padded, embedding, "embedding", 0, (ctx, 9, 31, -2),                                 \
    rill_embedding(ctx, x, P("weight"), 7))                                                        \
  X(layer_norm, layer_norm, "layer_norm", 17, (ctx, 17, 0, true),                                  \
    rill_layer_norm(ctx, x, P("weight"), P("bias"), 1e-5))                                         \
  X(layer_norm_bare, layer_norm, "layer_norm", 17, (ctx, 17, 0.25, false),                         \
    rill_layer_norm(ctx, x, P("weight"), NULL, 0.25))                                              \
  X(rms_norm, rms_norm, "rms_norm", 17, (ctx, 17, 0),                                              \
    rill_rms_norm(ctx, x, P("weight"), x->dtype == RILL_F64 ? DBL_EPSILON : FLT_EPSILON))          \
  X(rms_norm_eps, rms_norm, "rms_norm", 17, (ctx, 17, 0.25),                                       \
    rill_rms_norm(ctx, x, P("weight"), 0.25))                                                      \
  X(dropout, dropout, "dropout", 17, (ctx, 0.3), rill_dropout(ctx, x, 0.3))                        \
  X(relu, relu, "relu", 17, (ctx), rill_relu(ctx, x))                                              \
  X(gelu, gelu, "gelu", 17, (ctx, false), rill_gelu(ctx, x))                                       \
  X(gelu_tanh, gelu, "gelu_tanh", 17, (ctx, true), rill_gelu_tanh(ctx, x))                         \
  X(silu, silu, "silu", 17, (ctx), rill_silu(ctx, x))                                              \
  X(sigmoid, sigmoid, "sigmoid", 17, (ctx), rill_sigmoid(ctx, x))                                  \
  X(tanh, tanh, "tanh", 17, (ctx), rill_tanh(ctx, x))                                              \
  X(softplus, softplus, "softplus", 17, (ctx, 0, 0), rill_softplus(ctx, x, 1, 20))                 \
  X(softplus_steep, softplus, "softplus", 17, (ctx, 2.3, 0.7), rill_softplus(ctx, x, 2.3, 0.7))    \
  X(softmax, softmax, "softmax", 17, (ctx, -1), rill_softmax(ctx, x, -1))                          \
  X(softmax_of_time, softmax, "softmax", 17, (ctx, 1), rill_softmax(ctx, x, 1))                    \
  X(log_softmax, log_softmax, "log_softmax", 17, (ctx, 0), rill_log_softmax(ctx, x, 0))            \
  X(attention, attention, "attention", 12, (ctx, 12, 3, &attention_options),                       \
    functional_heads(ctx, m, x))                                                                   \
  X(mamba, mamba, NULL, 10, (ctx, 10, &mamba_options), functional_mamba(ctx, m, x))                \
  X(window_max, window_max, "window_max", 17, (ctx, 5, &time_windows),                             \
    rill_window_max(ctx, x, 5, &time_windows))                                                     \
  X(window_min, window_min, "window_min", 17, (ctx, 4, NULL), rill_window_min(ctx, x, 4, NULL))    \
  X(sequential, sequential, NULL, 17,                                                              \
    (ctx, (rill_module *[]){rill_nn_linear(ctx, 17, 31, true), rill_nn_silu(ctx)}, 2),             \
    rill_silu(ctx, rill_linear(ctx, x, P("0.weight"), P("0.bias"))))                               \
  X(residual, residual, NULL, 17, (ctx, rill_nn_rms_norm(ctx, 17, 1)),                             \
    rill_add(ctx, x, rill_rms_norm(ctx, x, P("inner.weight"), 1)))

#define P(path) rill_module_get(m, path)

static const rill_attention_module_options attention_options = {.struct_size =
                                                                    sizeof attention_options,
                                                                .kv_heads = 1,
                                                                .window = 40,
                                                                .bias = true,
                                                                .rope_base = 500,
                                                                .alibi = true,
                                                                .softcap = 5,
                                                                .dropout = 0.2};
static const rill_window_options time_windows = {.struct_size = sizeof time_windows,
                                                 .dims = (const int[]){1},
                                                 .ndims = 1,
                                                 .stride = 2,
                                                 .mode = RILL_WINDOW_SAME};
static const rill_mamba_options mamba_options = {
    .struct_size = sizeof mamba_options, .state = 5, .conv = 3, .dt_rank = 2, .bias = true};

static rill_tensor *heads_of(rill_context *ctx, rill_tensor *x, int64_t heads) {
  return rill_reshape(ctx, x, (int64_t[]){x->shape[0], x->shape[1], heads, 4}, 4);
}

static rill_tensor *functional_heads(rill_context *ctx, rill_module *m, const rill_tensor *x) {
  rill_tensor *q = rill_linear(ctx, x, P("q_proj.weight"), P("q_proj.bias"));
  rill_tensor *k = rill_linear(ctx, x, P("k_proj.weight"), P("k_proj.bias"));
  rill_tensor *v = rill_linear(ctx, x, P("v_proj.weight"), P("v_proj.bias"));
  rill_attention_options o = {.struct_size = sizeof o,
                              .causal = RILL_CAUSAL_BOTTOM_RIGHT,
                              .window = 40,
                              .softcap = 5,
                              .dropout = 0.2,
                              .alibi = P("alibi_slopes")};
  q = rill_rope(ctx, heads_of(ctx, q, 3), 0, 500, false);
  k = rill_rope(ctx, heads_of(ctx, k, 1), 0, 500, false);
  rill_tensor *y = rill_attention(ctx, q, k, heads_of(ctx, v, 1), &o);
  y = rill_reshape(ctx, y, x->shape, 3);
  return rill_linear(ctx, y, P("out_proj.weight"), P("out_proj.bias"));
}

static rill_tensor *functional_mamba(rill_context *ctx, rill_module *m, const rill_tensor *x) {
  rill_tensor *both = rill_linear(ctx, x, P("in_proj.weight"), P("in_proj.bias"));
  rill_tensor *taps = rill_reshape(ctx, P("conv1d.weight"), (int64_t[]){20, 3}, 2);
  rill_tensor *u = rill_causal_conv1d(ctx, rill_narrow(ctx, both, 2, 0, 20), taps, P("conv1d.bias"),
                                      NULL, true, NULL);
  rill_tensor *all = rill_linear(ctx, u, P("x_proj.weight"), NULL);
  rill_tensor *low = rill_narrow(ctx, all, 2, 0, 2);
  rill_tensor *delta = rill_linear(ctx, low, P("dt_proj.weight"), NULL);
  rill_selective_scan_options o = {.struct_size = sizeof o,
                                   .D = P("D"),
                                   .z = rill_narrow(ctx, both, 2, 20, 20),
                                   .delta_bias = P("dt_proj.bias"),
                                   .delta_softplus = true};
  rill_tensor *a = rill_neg(ctx, rill_exp(ctx, P("A_log")));
  rill_tensor *y = rill_selective_scan(ctx, u, delta, a, rill_narrow(ctx, all, 2, 2, 5),
                                       rill_narrow(ctx, all, 2, 7, 5), &o);
  return rill_linear(ctx, y, P("out_proj.weight"), P("out_proj.bias"));
}

typedef struct module_row_case {
  const char *constructor, *op; /* op NULL: made of several */
  int64_t width;                /* 0: takes ids */
  rill_module *(*make)(rill_context *ctx);
  rill_tensor *(*functional)(rill_context *ctx, rill_module *m, const rill_tensor *x);
} module_row_case;

#define MODULE_FACES(id, name, op, width, arguments, functional)                                   \
  static rill_module *make_##id(rill_context *ctx) { return rill_nn_##name arguments; }            \
  static rill_tensor *functional_of_##id(rill_context *ctx, rill_module *m,                        \
                                         const rill_tensor *x) {                                   \
    (void)m;                                                                                       \
    return functional;                                                                             \
  }                                                                                                \
  static const module_row_case module_##id = {"rill_nn_" #name, op, width, make_##id,              \
                                              functional_of_##id};
MODULES(MODULE_FACES)
#undef P

#define FACE_FAMILY "ops/test_faces_modules.h"
#include "ops/test_faces_types.h"

/* batch, time. */
static const face_sizes module_sizes = {3, 4, {{1, 1}, {0, 5}, {3, 17}, {41, 61}}};

#define MODULE_CASE(id, ...) {#id, module_f32, module_f64, &module_sizes, &module_##id, false},
static const face_case modules_cases[] = {MODULES(MODULE_CASE)};

#else

/* In this type, each parameter with values of its own. */
static rill_module *N(made)(rill_context *ctx, const module_row_case *r) {
  rill_module *m = r->make(ctx);
  if (!m || rill_module_to(ctx, m, DTYPE) != RILL_OK) return NULL;
  for (int i = 0; i < rill_parameter_count(m); i++) {
    rill_tensor *p = rill_parameter(m, i);
    char path[64];
    rill_parameter_path(m, i, path, sizeof path);
    rill_state_dict_load(ctx, m, path, N(tensor)(ctx, N(values)(p->numel), p->shape, p->ndim));
  }
  return m;
}

static void N(module)(rill_context *ctx, const face_case *c, const int64_t *size) {
  const module_row_case *r = c->row;
  rill_module *m = N(made)(ctx, r);
  int64_t shape[] = {size[0], size[1], r->width}, n = size[0] * size[1];
  rill_tensor *x = r->width ? N(leaf)(ctx, N(values)(n * r->width), shape, 3)
                            : rill_from_buffer(ctx, RILL_I64, shape, 2, face_indices(n, 9));
  if (!m || !x) return; /* with the error set */
  face_grad grad[12];
  rill_tensor *leaf[12], *result[12];
  int leaves = 0;
  if (r->width) leaf[leaves++] = x;
  for (int i = 0; i < rill_parameter_count(m); i++) leaf[leaves++] = rill_parameter(m, i);
  rill_seed(ctx, 3);
  rill_tensor *y = r->functional(ctx, m, x);
  if (!y) return;
  REAL *g = N(values)(y->numel);
  const rill_tensor *seed = N(tensor)(ctx, g, y->shape, y->ndim);
  if (rill_grad(ctx, &y, 1, leaf, leaves, &seed, false, false, result) != RILL_OK) return;
  for (int i = 0; i < leaves; i++)
    grad[i] = (face_grad){"a gradient", leaf[i], rill_contiguous(ctx, result[i])->data};
  rill_seed(ctx, 3);
  face_agree(ctx, DTYPE,
             &(face_value){rill_forward(ctx, m, x), rill_contiguous(ctx, y)->data, y->numel, g}, 1,
             grad, leaves);
}

#endif
