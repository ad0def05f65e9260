/* rill's half of each benchmark: bench CASE THREADS [INPUTS.safetensors]
 *
 * bench/run.py starts one such process per case and takes turns with it. After "ready" it
 * reads one command a line:
 *   run N       does N steps and prints the seconds they took
 *   save PATH   does one step and saves its results (and the model's parameters) as safetensors */
#define _POSIX_C_SOURCE 200809L
#include <rill.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { MAX_RESULTS = 128, PATH_SIZE = 256 };

typedef struct bench {
  rill_context *ctx;
  rill_safetensors *file;
  rill_tensor *x[6]; /* the case's inputs */
  rill_tensor *seed; /* of the backward pass */
  rill_module *model;
  rill_optimizer *optimizer;
  float *from, *to;               /* memcpy */
  const char *names[MAX_RESULTS]; /* what the last step gave */
  const rill_tensor *results[MAX_RESULTS];
  int n_results;
} bench;

typedef struct bench_case {
  const char *name;
  void (*prepare)(bench *b);
  void (*step)(bench *b);
} bench_case;

static void die(const char *what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(EXIT_FAILURE);
}

static void check(const bench *b) {
  if (rill_error(b->ctx) != RILL_OK) die(rill_error_message(b->ctx));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A copy in rill's own memory: the mapped file's pages are not measured. */
static rill_tensor *input(bench *b, const char *name) {
  return rill_clone(b->ctx, rill_safetensors_get(b->ctx, b->file, name));
}

static void inputs(bench *b, const char *const *names, int count, bool requires_grad) {
  for (int i = 0; i < count; i++) {
    b->x[i] = input(b, names[i]);
    if (requires_grad) rill_set_requires_grad(b->ctx, b->x[i], true);
  }
}

static void result(bench *b, const char *name, const rill_tensor *value) {
  b->names[b->n_results] = name;
  b->results[b->n_results++] = value;
}

/* ---- the machine's own peaks ---------------------------------------------------------------------- */

#define COPY_BYTES ((size_t)1 << 27)
#define FMA_FLOPS  ((int64_t)1 << 27)
#define FMA_CHAINS 8 /* two units, a latency of four cycles */

static void memcpy_prepare(bench *b) {
  b->from = aligned_alloc(64, COPY_BYTES);
  b->to = aligned_alloc(64, COPY_BYTES);
  if (!b->from || !b->to) die("no memory for the copy");
  memset(b->from, 1, COPY_BYTES);
  memset(b->to, 1, COPY_BYTES);
}

static void memcpy_step(bench *b) { memcpy(b->to, b->from, COPY_BYTES); }

static volatile float fma_sink;
static void no_inputs(bench *b) { (void)b; }

#if defined __x86_64__
__attribute__((target("avx512f"))) static void fma_avx512(void) {
  __m512 sum[FMA_CHAINS], a = _mm512_set1_ps(0.5f), c = _mm512_set1_ps(0.25f);
  for (int j = 0; j < FMA_CHAINS; j++) sum[j] = _mm512_set1_ps((float)j);
  for (int64_t i = 0; i < FMA_FLOPS / (2 * 16 * FMA_CHAINS); i++) {
#pragma GCC unroll 8
    for (int j = 0; j < FMA_CHAINS; j++) sum[j] = _mm512_fmadd_ps(sum[j], a, c);
  }
  for (int j = 1; j < FMA_CHAINS; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
  fma_sink = _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) static void fma_avx2(void) {
  __m256 sum[FMA_CHAINS], a = _mm256_set1_ps(0.5f), c = _mm256_set1_ps(0.25f);
  for (int j = 0; j < FMA_CHAINS; j++) sum[j] = _mm256_set1_ps((float)j);
  for (int64_t i = 0; i < FMA_FLOPS / (2 * 8 * FMA_CHAINS); i++) {
#pragma GCC unroll 8
    for (int j = 0; j < FMA_CHAINS; j++) sum[j] = _mm256_fmadd_ps(sum[j], a, c);
  }
  for (int j = 1; j < FMA_CHAINS; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
  fma_sink = _mm256_cvtss_f32(sum[0]);
}
#endif

/* Four lanes of GCC's vector type: what SSE2 and NEON have. */
static void fma_baseline(void) {
  typedef float lanes __attribute__((vector_size(16)));
  lanes sum[FMA_CHAINS];
  for (int j = 0; j < FMA_CHAINS; j++) sum[j] = (lanes){(float)j, 1, 2, 3};
  for (int64_t i = 0; i < FMA_FLOPS / (2 * 4 * FMA_CHAINS); i++) {
#pragma GCC unroll 8
    for (int j = 0; j < FMA_CHAINS; j++) sum[j] = sum[j] * 0.5f + 0.25f;
  }
  for (int j = 1; j < FMA_CHAINS; j++) sum[0] += sum[j];
  fma_sink = sum[0][0];
}

static void fma_step(bench *b) {
  (void)b;
#if defined __x86_64__
  if (__builtin_cpu_supports("avx512f")) {
    fma_avx512();
    return;
  }
  if (__builtin_cpu_supports("fma")) {
    fma_avx2();
    return;
  }
#endif
  fma_baseline();
}

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

/* ---- the cases, and the loop ----------------------------------------------------------------------- */

static const bench_case cases[] = {
    {"memcpy", memcpy_prepare, memcpy_step},
    {"fma", no_inputs, fma_step},
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
};

/* A scope around each step, as a program would have it. */
static double run(bench *b, const bench_case *c, int64_t steps) {
  double start = seconds();
  for (int64_t i = 0; i < steps; i++) {
    rill_scope_open(b->ctx);
    b->n_results = 0;
    c->step(b);
    rill_scope_close(b->ctx);
  }
  return seconds() - start;
}

static void save(bench *b, const bench_case *c, const char *path) {
  static char paths[MAX_RESULTS][PATH_SIZE];
  rill_scope_open(b->ctx);
  b->n_results = 0;
  c->step(b);
  check(b);
  for (int i = 0; b->optimizer && i < rill_parameter_count(b->model); i++) {
    rill_parameter_path(b->model, i, paths[i], PATH_SIZE);
    result(b, paths[i], rill_parameter(b->model, i));
  }
  rill_safetensors_save(b->ctx, path, b->names, b->results, b->n_results, NULL, NULL, 0);
  rill_scope_close(b->ctx);
}

int main(int argc, char **argv) {
  if (argc < 3) die("usage: bench CASE THREADS [INPUTS]");
  const bench_case *c = NULL;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (!strcmp(argv[1], cases[i].name)) c = &cases[i];
  if (!c) die("no such case");
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.threads = atoi(argv[2]);
  bench b = {.ctx = rill_context_create(&options)};
  if (!b.ctx) die("no context");
  if (argc > 3) b.file = rill_safetensors_open(b.ctx, argv[3]);
  c->prepare(&b);
  check(&b);
  printf("ready\n");
  fflush(stdout);
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "run ", 4))
      printf("%.9f\n", run(&b, c, atoll(line + 4)));
    else if (!strncmp(line, "save ", 5))
      save(&b, c, line + 5), printf("saved\n");
    else
      die("run N, or save PATH");
    check(&b);
    fflush(stdout);
  }
  free(b.from);
  free(b.to);
  rill_context_close(b.ctx);
  return EXIT_SUCCESS;
}
