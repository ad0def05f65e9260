/* rill's half of each benchmark: bench CASE THREADS [INPUTS.safetensors]
 *
 * bench/harness.py starts one such process per case and takes turns with it. After "ready" it
 * reads one command a line:
 *   run N       does N steps and prints the seconds they took
 *   window K    sets the length of sliding windows
 *   save PATH   does one step and saves its results (and the model's parameters) as safetensors */
#include "bench.h"

#include <time.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

void die(const char *what) {
  fprintf(stderr, "bench: %s\n", what);
  exit(EXIT_FAILURE);
}

void check(const bench *b) {
  if (rill_error(b->ctx) != RILL_OK) die(rill_error_message(b->ctx));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

rill_tensor *input(bench *b, const char *name) {
  return rill_clone(b->ctx, rill_safetensors_get(b->ctx, b->file, name));
}

void inputs(bench *b, const char *const *names, int count, bool requires_grad) {
  for (int i = 0; i < count; i++) {
    b->x[i] = input(b, names[i]);
    if (requires_grad) rill_set_requires_grad(b->ctx, b->x[i], true);
  }
}

void result(bench *b, const char *name, const rill_tensor *value) {
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

/* ---- the loop ------------------------------------------------------------------------------------- */

static const bench_case peaks[] = {
    {"memcpy", memcpy_prepare, memcpy_step}, {"fma", no_inputs, fma_step}, {NULL, NULL, NULL}};

static const bench_case *find_case(const char *name) {
  const bench_case *const tables[] = {peaks, layer_cases, window_cases};
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (const bench_case *c = tables[t]; c->name; c++)
      if (!strcmp(name, c->name)) return c;
  return NULL;
}

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
  const bench_case *c = find_case(argv[1]);
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
    else if (!strncmp(line, "window ", 7))
      b.window = atoll(line + 7), printf("set\n");
    else if (!strncmp(line, "save ", 5))
      save(&b, c, line + 5), printf("saved\n");
    else
      die("run N, window K, or save PATH");
    check(&b);
    fflush(stdout);
  }
  free(b.from);
  free(b.to);
  rill_context_close(b.ctx);
  return EXIT_SUCCESS;
}
