/* The cases that bench/layers.py has for tensors, layers and models. */
#include "bench.h"

/* ---- single ops ----------------------------------------------------------------------------------- */

static void one_prepare(bench *b) { inputs(b, (const char *[]){"a"}, 1, false); }
static void two_prepare(bench *b) { inputs(b, (const char *[]){"a", "b"}, 2, false); }

static void recorded_prepare(bench *b) {
  two_prepare(b);
  rill_set_requires_grad(b->ctx, b->x[0], true);
}

static void norm_prepare(bench *b) { inputs(b, (const char *[]){"a", "weight", "bias"}, 3, false); }

static void add_step(bench *b) { result(b, "y", rill_add(b->ctx, b->x[0], b->x[1])); }
static void exp_step(bench *b) { result(b, "y", rill_exp(b->ctx, b->x[0])); }
static void gelu_step(bench *b) { result(b, "y", rill_gelu(b->ctx, b->x[0])); }
static void softmax_step(bench *b) { result(b, "y", rill_softmax(b->ctx, b->x[0], -1)); }
static void norm_step(bench *b) {
  result(b, "y", rill_layer_norm(b->ctx, b->x[0], b->x[1], b->x[2], 1e-5));
}

/* ---- sequence kernels, forward and backward -------------------------------------------------------- */

static void attention_prepare(bench *b) {
  inputs(b, (const char *[]){"q", "k", "v"}, 3, true);
  b->seed = input(b, "seed");
}

static void scan_prepare(bench *b) {
  inputs(b, (const char *[]){"u", "delta", "A", "B", "C"}, 5, true);
  b->seed = input(b, "seed");
}

static void backward(bench *b, rill_tensor *y, const char *const *names, int count) {
  for (int i = 0; i < count; i++) rill_set_grad(b->ctx, b->x[i], NULL);
  rill_backward(b->ctx, y, b->seed, false);
  result(b, "y", y);
  for (int i = 0; i < count; i++) result(b, names[i], rill_tensor_grad(b->x[i]));
}

static void attention_step(bench *b) {
  rill_attention_options options = RILL_ATTENTION_OPTIONS_INIT;
  options.causal = RILL_CAUSAL_TOP_LEFT;
  rill_tensor *y = rill_attention(b->ctx, b->x[0], b->x[1], b->x[2], &options);
  backward(b, y, (const char *[]){"grad.q", "grad.k", "grad.v"}, 3);
}

static void scan_step(bench *b) {
  rill_tensor *y = rill_selective_scan(b->ctx, b->x[0], b->x[1], b->x[2], b->x[3], b->x[4], NULL);
  backward(b, y, (const char *[]){"grad.u", "grad.delta", "grad.A", "grad.B", "grad.C"}, 5);
}

/* ---- models --------------------------------------------------------------------------------------- */

/* Every parameter from the file, by its path. */
static void load_model(bench *b) {
  char path[PATH_SIZE];
  for (int i = 0; i < rill_state_dict_count(b->model); i++) {
    rill_state_dict_path(b->model, i, path, sizeof path);
    rill_state_dict_load(b->ctx, b->model, path, rill_safetensors_get(b->ctx, b->file, path));
  }
}

static void load_optimizer(bench *b) {
  rill_optimizer_options options = RILL_OPTIMIZER_OPTIONS_INIT;
  options.weight_decay = 0.01;
  b->optimizer = rill_optimizer_create(b->ctx, RILL_OPTIM_ADAMW);
  rill_optimizer_add_module(b->ctx, b->optimizer, b->model, &options, NULL);
}

static void mlp_prepare(bench *b) {
  rill_module *parts[] = {rill_nn_linear(b->ctx, 64, 64, true), rill_nn_relu(b->ctx),
                          rill_nn_linear(b->ctx, 64, 10, true)};
  b->model = rill_nn_sequential(b->ctx, parts, 3);
  load_model(b);
  load_optimizer(b);
  inputs(b, (const char *[]){"input", "target"}, 2, false);
}

static rill_module *residual(rill_context *ctx, rill_module *layer) {
  rill_module *parts[] = {rill_nn_rms_norm(ctx, 128, 1e-5), layer};
  return rill_nn_residual(ctx, rill_nn_sequential(ctx, parts, 2));
}

/* The demo's attention model (examples/charlm.c). */
static void transformer_create(bench *b) {
  enum { LAYERS = 4, WIDTH = 128, HEADS = 4, CLASSES = 256 };
  rill_context *ctx = b->ctx;
  rill_attention_module_options options = RILL_ATTENTION_MODULE_OPTIONS_INIT;
  options.window = 128;
  rill_module *parts[2 * LAYERS + 3];
  int n = 0;
  parts[n++] = rill_nn_embedding(ctx, CLASSES, WIDTH, RILL_NO_PADDING);
  for (int i = 0; i < LAYERS; i++) {
    rill_module *mlp[] = {rill_nn_linear(ctx, WIDTH, 4 * WIDTH, true), rill_nn_gelu(ctx, true),
                          rill_nn_linear(ctx, 4 * WIDTH, WIDTH, true)};
    parts[n++] = residual(ctx, rill_nn_attention(ctx, WIDTH, HEADS, &options));
    parts[n++] = residual(ctx, rill_nn_sequential(ctx, mlp, 3));
  }
  parts[n++] = rill_nn_rms_norm(ctx, WIDTH, 1e-5);
  parts[n++] = rill_nn_linear(ctx, WIDTH, CLASSES, true);
  b->model = rill_nn_sequential(ctx, parts, n);
  load_model(b);
}

static void transformer_prepare(bench *b) {
  transformer_create(b);
  load_optimizer(b);
  inputs(b, (const char *[]){"input", "target"}, 2, false);
}

static void train(bench *b, double max_norm) {
  rill_tensor *logits = rill_forward(b->ctx, b->model, b->x[0]);
  rill_tensor *loss = rill_cross_entropy(b->ctx, logits, b->x[1], NULL);
  rill_backward(b->ctx, loss, NULL, false);
  if (max_norm > 0) rill_clip_grad_norm(b->ctx, b->optimizer, max_norm, NULL);
  rill_optimizer_step(b->ctx, b->optimizer);
  rill_optimizer_zero_grad(b->ctx, b->optimizer);
  result(b, "loss", loss);
}

static void mlp_step(bench *b) { train(b, 0); }
static void transformer_step(bench *b) { train(b, 1); }

static void decode_prepare(bench *b) {
  transformer_create(b);
  rill_module_train(b->ctx, b->model, false);
  inputs(b, (const char *[]){"prompt"}, 1, false);
}

/* Greedy, 112 tokens after a prompt of 16. */
static void decode_step(bench *b) {
  rill_generate_options options = RILL_GENERATE_OPTIONS_INIT;
  options.max_tokens = 112;
  result(b, "tokens", rill_generate(b->ctx, b->model, b->x[0], NULL, &options));
}

/* ---- the cases ------------------------------------------------------------------------------------ */

const bench_case layer_cases[] = {
    {"add10", two_prepare, add_step},
    {"add10_recorded", recorded_prepare, add_step},
    {"add", two_prepare, add_step},
    {"exp", one_prepare, exp_step},
    {"gelu", one_prepare, gelu_step},
    {"softmax", one_prepare, softmax_step},
    {"layer_norm", norm_prepare, norm_step},
    {"attention_fwd_bwd", attention_prepare, attention_step},
    {"selective_scan_fwd_bwd", scan_prepare, scan_step},
    {"mlp_step", mlp_prepare, mlp_step},
    {"transformer_step", transformer_prepare, transformer_step},
    {"charlm_decode", decode_prepare, decode_step},
    {NULL, NULL, NULL},
};
