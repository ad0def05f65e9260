/* The activations, one row each. */
#include "nn/module.h"

typedef struct settings {
  int dim;
  bool approximate;
  double beta, threshold;
} settings;

/* Softmax over dim 1 of [batch, time, width] needs all of the time at once. */
static bool within_step(int dim) { return dim == -1 || dim == 2; }

/* Name, type, the constructor's parameters, the settings made of them, whether each time step is
 * treated by itself, and the value at x. */
#define ACTIVATIONS(A)                                                                             \
  A(relu, "ReLU", (rill_context * ctx), (0), true, rill_relu(ctx, x))                              \
  A(gelu, "GELU", (rill_context * ctx, bool approximate), (.approximate = approximate), true,      \
    s->approximate ? rill_gelu_tanh(ctx, x) : rill_gelu(ctx, x))                                   \
  A(silu, "SiLU", (rill_context * ctx), (0), true, rill_silu(ctx, x))                              \
  A(sigmoid, "Sigmoid", (rill_context * ctx), (0), true, rill_sigmoid(ctx, x))                     \
  A(tanh, "Tanh", (rill_context * ctx), (0), true, rill_tanh(ctx, x))                              \
  A(softplus, "Softplus", (rill_context * ctx, double beta, double threshold),                     \
    (.beta = beta == 0 ? 1 : beta, .threshold = threshold == 0 ? 20 : threshold), true,            \
    rill_softplus(ctx, x, s->beta, s->threshold))                                                  \
  A(softmax, "Softmax", (rill_context * ctx, int dim), (.dim = dim), within_step(dim),             \
    rill_softmax(ctx, x, s->dim))                                                                  \
  A(log_softmax, "LogSoftmax", (rill_context * ctx, int dim), (.dim = dim), within_step(dim),      \
    rill_log_softmax(ctx, x, s->dim))

#define BRACED(...)                                                                                \
  { __VA_ARGS__ }

#define DEFINE(name, type_name, parameters, made, streams, value)                                  \
  static rill_tensor *apply_##name(rill_context *ctx, rill_module *m, const rill_tensor *x,        \
                                   void *user) {                                                   \
    const settings *s = user;                                                                      \
    (void)m, (void)s;                                                                              \
    return value;                                                                                  \
  }                                                                                                \
  rill_module *rill_nn_##name parameters {                                                         \
    static const rill_module_class cls = {.type = type_name, .forward = apply_##name};             \
    return module_new(ctx, &cls, streams, &(settings)BRACED made, sizeof(settings));               \
  }

ACTIVATIONS(DEFINE)
