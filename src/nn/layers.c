/* Layers with settings or parameters of their own: Linear, Embedding, LayerNorm, RMSNorm, Dropout. */
#include "nn/init.h"
#include "nn/module.h"

#include "base/number.h"

#include <float.h>
#include <string.h>

/* The shape of each constructor: open a scope, make the module and what it holds, and pass the module on.
 * Ends it: the module where `ok`. */
static rill_module *built(rill_context *ctx, rill_module *m, bool ok) {
  return scope_close_keep(ctx, ok ? m : NULL);
}

/* Parameter 0 is the weight and 1, where there is one, the bias. */
static const rill_tensor *weight_of(const rill_module *m) { return module_own(m, 0); }
static const rill_tensor *bias_of(const rill_module *m) {
  return m->parts[MODULE_PARAMETERS].count > 1 ? module_own(m, 1) : NULL;
}

/* ---- Linear ---- */

static rill_tensor *linear_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                   void *user) {
  (void)user;
  return rill_linear(ctx, input, weight_of(m), bias_of(m));
}

rill_module *rill_nn_linear(rill_context *ctx, int64_t in, int64_t out, bool bias) {
  static const rill_module_class cls = {.type = "Linear", .forward = linear_forward};
  if (!init_size(ctx, "nn_linear", "in", in) || !init_size(ctx, "nn_linear", "out", out))
    return NULL;
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, true, NULL, 0);
  bool ok = module_parameter(ctx, m, "weight",
                             init_uniform(ctx, (int64_t[]){out, in}, 2, init_bound(in)));
  if (ok && bias) ok = module_parameter(ctx, m, "bias", init_uniform(ctx, &out, 1, init_bound(in)));
  return built(ctx, m, ok);
}

/* ---- Embedding ---- */

typedef struct embedding {
  int64_t padding_idx;
} embedding;

static rill_tensor *embedding_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                      void *user) {
  return rill_embedding(ctx, input, weight_of(m), ((const embedding *)user)->padding_idx);
}

rill_module *rill_nn_embedding(rill_context *ctx, int64_t count, int64_t width,
                               int64_t padding_idx) {
  static const rill_module_class cls = {.type = "Embedding", .forward = embedding_forward};
  static const char op[] = "nn_embedding";
  if (!init_size(ctx, op, "count", count) || !init_size(ctx, op, "width", width)) return NULL;
  bool padded = padding_idx != RILL_NO_PADDING;
  if (padded && (padding_idx < -count || padding_idx >= count)) {
    error_set(ctx, RILL_ERROR_INDEX, op, "padding_idx %lld is out of range for %lld rows",
              (long long)padding_idx, (long long)count);
    return NULL;
  }
  if (padded && padding_idx < 0) padding_idx += count;
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, true, &(embedding){padding_idx}, sizeof(embedding));
  rill_tensor *weight = init_normal(ctx, (int64_t[]){count, width}, 2);
  if (weight && padded)
    memset((float *)weight->data + padding_idx * width, 0, (size_t)width * sizeof(float));
  return built(ctx, m, module_parameter(ctx, m, "weight", weight));
}

/* ---- LayerNorm, RMSNorm ---- */

typedef struct norm {
  double eps;
} norm;

static rill_tensor *layer_norm_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                       void *user) {
  return rill_layer_norm(ctx, input, weight_of(m), bias_of(m), ((const norm *)user)->eps);
}

rill_module *rill_nn_layer_norm(rill_context *ctx, int64_t width, double eps, bool bias) {
  static const rill_module_class cls = {.type = "LayerNorm", .forward = layer_norm_forward};
  if (!init_size(ctx, "nn_layer_norm", "width", width) || !init_eps(ctx, "nn_layer_norm", eps))
    return NULL;
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, true, &(norm){eps == 0 ? 1e-5 : eps}, sizeof(norm));
  bool ok = module_parameter(ctx, m, "weight", init_full(ctx, &width, 1, 1));
  if (ok && bias) ok = module_parameter(ctx, m, "bias", init_full(ctx, &width, 1, 0));
  return built(ctx, m, ok);
}

static rill_tensor *rms_norm_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                     void *user) {
  double eps = ((const norm *)user)->eps;
  if (eps == 0) eps = input->dtype == RILL_F64 ? DBL_EPSILON : FLT_EPSILON;
  return rill_rms_norm(ctx, input, weight_of(m), eps);
}

rill_module *rill_nn_rms_norm(rill_context *ctx, int64_t width, double eps) {
  static const rill_module_class cls = {.type = "RMSNorm", .forward = rms_norm_forward};
  if (!init_size(ctx, "nn_rms_norm", "width", width) || !init_eps(ctx, "nn_rms_norm", eps))
    return NULL;
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, true, &(norm){eps}, sizeof(norm));
  return built(ctx, m, module_parameter(ctx, m, "weight", init_full(ctx, &width, 1, 1)));
}

/* ---- Dropout ---- */

typedef struct dropout {
  double p;
} dropout;

static rill_tensor *dropout_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                    void *user) {
  double p = ((const dropout *)user)->p;
  return m->training && p > 0 ? rill_dropout(ctx, input, p) : (rill_tensor *)input;
}

rill_module *rill_nn_dropout(rill_context *ctx, double p) {
  static const rill_module_class cls = {.type = "Dropout", .forward = dropout_forward};
  if (!context_ready(ctx)) return NULL;
  if (!(p >= 0 && p <= 1)) {
    char text[NUMBER_SIZE];
    error_set(ctx, RILL_ERROR_ARGUMENT, "nn_dropout", "p is %s, it must lie in [0, 1]",
              number_print(text, p));
    return NULL;
  }
  return module_new(ctx, &cls, true, &(dropout){p}, sizeof(dropout));
}
