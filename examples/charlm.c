/* charlm: a byte-level language model that trains, evaluates, saves, reloads and streams.
 *
 *   charlm train TEXT --mixer attention|mamba --minutes M --out model.safetensors [--resume]
 *   charlm eval MODEL TEXT
 *   charlm generate MODEL --prompt "In the beginning" --length 400
 *
 * The program knows rill's public header only, and reads from top to bottom: the model, the data, the
 * training loop, evaluation, generation, the command line. */
#include <rill.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- what a run consists of --------------------------------------------------------------------- */

enum { BYTES = 256, WARMUP_STEPS = 100, TIMED_STEPS = 20 };

/* All numbers that shape a run. They travel in the checkpoint, in this order. */
enum {
  MIXER, /* 0: attention, 1: mamba */
  WIDTH, /* of the residual stream */
  LAYERS,
  HEADS,  /* attention only */
  BATCH,  /* sequences a step */
  LENGTH, /* bytes a sequence; also the attention window */
  SEED,
  STEP,         /* updates done */
  TOTAL_STEPS,  /* 0 until the speed is known */
  MILLISECONDS, /* of training so far, over all sittings */
  NUMBERS
};

static const char *const mixer_names[] = {"attention", "mamba"};

static void die(const char *what) {
  fprintf(stderr, "charlm: %s\n", what);
  exit(EXIT_FAILURE);
}

/* rill keeps its first error, so a whole chain of calls is checked by one question. */
static void check(const rill_context *ctx) {
  if (rill_error(ctx) != RILL_OK) die(rill_error_message(ctx));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_megabytes(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

/* ---- the model ---------------------------------------------------------------------------------- */

/* x + layer(norm(x)) */
static rill_module *residual(rill_context *ctx, int64_t width, rill_module *layer) {
  rill_module *parts[] = {rill_nn_rms_norm(ctx, width, 1e-5), layer};
  return rill_nn_residual(ctx, rill_nn_sequential(ctx, parts, 2));
}

static rill_module *mlp(rill_context *ctx, int64_t width) {
  rill_module *parts[] = {rill_nn_linear(ctx, width, 4 * width, true), rill_nn_gelu(ctx, true),
                          rill_nn_linear(ctx, 4 * width, width, true)};
  return rill_nn_sequential(ctx, parts, 3);
}

static rill_module *attention(rill_context *ctx, const int64_t *numbers) {
  rill_attention_module_options options = RILL_ATTENTION_MODULE_OPTIONS_INIT;
  options.window = numbers[LENGTH]; /* streaming then costs the same for ever */
  return rill_nn_attention(ctx, numbers[WIDTH], numbers[HEADS], &options);
}

/* Embedding, layers, norm, one logit a byte. A Mamba layer is its own MLP. */
static rill_module *model_create(rill_context *ctx, const int64_t *numbers) {
  rill_module *parts[64];
  int n = 0;
  int64_t width = numbers[WIDTH];
  parts[n++] = rill_nn_embedding(ctx, BYTES, width, RILL_NO_PADDING);
  for (int64_t i = 0; i < numbers[LAYERS]; i++) {
    if (numbers[MIXER] == 0) {
      parts[n++] = residual(ctx, width, attention(ctx, numbers));
      parts[n++] = residual(ctx, width, mlp(ctx, width));
    } else {
      parts[n++] = residual(ctx, width, rill_nn_mamba(ctx, width, NULL));
    }
  }
  parts[n++] = rill_nn_rms_norm(ctx, width, 1e-5);
  parts[n++] = rill_nn_linear(ctx, width, BYTES, true);
  return rill_nn_sequential(ctx, parts, n);
}

/* ---- the data ----------------------------------------------------------------------------------- */

typedef struct text {
  uint8_t *bytes;
  int64_t size, train; /* the first `train` bytes are for training, the rest is held out */
} text;

static text text_read(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) die(strerror(errno));
  text t = {NULL, 0, 0};
  for (size_t got = 1; got;) {
    t.bytes = realloc(t.bytes, (size_t)t.size + 65536);
    if (!t.bytes) die("no memory for the text");
    got = fread(t.bytes + t.size, 1, 65536, file);
    t.size += (int64_t)got;
  }
  fclose(file);
  t.train = t.size - t.size / 10;
  return t;
}

/* A hash of two numbers: which stretch of text row `row` of a step sees depends on nothing else, so a
 * resumed run sees the same text. (The finaliser of SplitMix64, Steele et al. 2014.) */
static uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t z = a * 0x9e3779b97f4a7c15u + b + 1;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Rows of `length` bytes at the given places, and the byte that follows each. */
static void make_batch(rill_context *ctx, const text *t, const int64_t *places, int64_t rows,
                       int64_t length, rill_tensor **input, rill_tensor **target) {
  int64_t shape[] = {rows, length};
  *input = rill_empty(ctx, RILL_I32, shape, 2);
  *target = rill_empty(ctx, RILL_I32, shape, 2);
  check(ctx);
  int32_t *in = rill_tensor_data(*input), *out = rill_tensor_data(*target);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < length; i++) {
      in[r * length + i] = t->bytes[places[r] + i];
      out[r * length + i] = t->bytes[places[r] + i + 1];
    }
  }
}

static void training_batch(rill_context *ctx, const text *t, const int64_t *numbers,
                           rill_tensor **input, rill_tensor **target) {
  int64_t places[1024], last = t->train - numbers[LENGTH] - 1;
  for (int64_t r = 0; r < numbers[BATCH]; r++)
    places[r] = (int64_t)(mix((uint64_t)numbers[SEED], (uint64_t)(numbers[STEP] * 1024 + r)) %
                          (uint64_t)last);
  make_batch(ctx, t, places, numbers[BATCH], numbers[LENGTH], input, target);
}

/* ---- training ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static void interrupt(int signal) { (void)signal, interrupted = 1; }

typedef struct run {
  rill_context *ctx;
  rill_module *model;
  rill_optimizer *optimizer;
  text data;
  const char *out;
  int64_t numbers[NUMBERS];
} run;

/* Matrices decay, the rest (gains, biases, Mamba's A and D) does not. */
static void add_parameters(run *r) {
  rill_tensor *decayed[512], *others[512];
  int n_decayed = 0, n_others = 0;
  for (int i = 0; i < rill_parameter_count(r->model) && i < 512; i++) {
    rill_tensor *p = rill_parameter(r->model, i);
    char path[256];
    rill_parameter_path(r->model, i, path, sizeof path);
    bool decays = rill_tensor_ndim(p) == 2 && !strstr(path, "A_log");
    *(decays ? &decayed[n_decayed++] : &others[n_others++]) = p;
  }
  rill_optimizer_options options = RILL_OPTIMIZER_OPTIONS_INIT;
  options.beta2 = 0.98;
  options.weight_decay = 0.05;
  rill_optimizer_add_group(r->ctx, r->optimizer, decayed, n_decayed, &options, NULL);
  options.weight_decay = 0;
  rill_optimizer_add_group(r->ctx, r->optimizer, others, n_others, &options, NULL);
  check(r->ctx);
}

/* Rises over the first steps, then falls as half a cosine to nearly nothing at the last. */
static double learning_rate(const run *r) {
  int64_t total = r->numbers[TOTAL_STEPS];
  rill_schedule schedule = RILL_SCHEDULE_INIT;
  schedule.kind = total ? RILL_SCHEDULE_COSINE : RILL_SCHEDULE_CONSTANT;
  schedule.lr = 4e-3;
  schedule.end_lr = 1e-5;
  schedule.warmup_steps = total && total < 2 * WARMUP_STEPS ? total / 2 : WARMUP_STEPS;
  schedule.total_steps = total ? total : WARMUP_STEPS + 1;
  return rill_schedule_lr(&schedule, r->numbers[STEP]);
}

/* One update; returns the loss. A scope holds all that a step makes, and drops it at the end. */
static double train_step(run *r) {
  rill_context *ctx = r->ctx;
  rill_scope_open(ctx);
  rill_tensor *input, *target;
  training_batch(ctx, &r->data, r->numbers, &input, &target);
  rill_tensor *loss = rill_cross_entropy(ctx, rill_forward(ctx, r->model, input), target, NULL);
  double value = rill_tensor_item(ctx, loss);
  rill_backward(ctx, loss, NULL, false);
  rill_clip_grad_norm(ctx, r->optimizer, 1.0, NULL);
  for (int g = 0; g < rill_optimizer_group_count(r->optimizer); g++)
    rill_optimizer_set_lr(ctx, r->optimizer, g, learning_rate(r));
  rill_optimizer_step(ctx, r->optimizer);
  rill_optimizer_zero_grad(ctx, r->optimizer);
  rill_scope_close(ctx);
  check(ctx);
  r->numbers[STEP]++;
  return value;
}

static void progress(const run *r, double loss, double rate, double eta, bool terminal) {
  printf("%sstep %lld/%lld  loss %.4f  %.3f bits per byte  %.0f tokens/s  ETA %d:%02d  %s",
         terminal ? "\r" : "", (long long)r->numbers[STEP], (long long)r->numbers[TOTAL_STEPS],
         loss, loss / log(2), rate, (int)eta / 60, (int)eta % 60, terminal ? "" : "\n");
  fflush(stdout);
}

static void save(run *r) {
  rill_checkpoint_save(r->ctx, r->out, r->model, r->optimizer, r->numbers, NUMBERS);
  check(r->ctx);
}

/* The learning rate falls to nothing at the last step, so the number of steps must be known: it is
 * what fits into the time asked for, judged by the first steps, and fixed from then on. */
static void fix_total(run *r, double minutes, double elapsed, int64_t steps) {
  double each = elapsed / (double)steps,
         left = minutes * 60 - (double)r->numbers[MILLISECONDS] / 1000 - elapsed;
  int64_t more = (int64_t)(left / each);
  r->numbers[TOTAL_STEPS] = r->numbers[STEP] + (more > 1 ? more : 1);
}

static void train(run *r, double minutes, int64_t max_steps) {
  bool terminal = isatty(STDOUT_FILENO);
  int64_t first = r->numbers[STEP], before = r->numbers[MILLISECONDS],
          tokens = r->numbers[BATCH] * r->numbers[LENGTH];
  double start = seconds(), shown = start, saved = start, timed = start, mean = 0;
  if (max_steps) r->numbers[TOTAL_STEPS] = max_steps;
  signal(SIGINT, interrupt);
  while (!interrupted && (!r->numbers[TOTAL_STEPS] || r->numbers[STEP] < r->numbers[TOTAL_STEPS])) {
    double loss = train_step(r), now = seconds();
    int64_t steps = r->numbers[STEP] - first;
    mean = mean == 0 ? loss : 0.95 * mean + 0.05 * loss;
    if (steps == 2) timed = now; /* the first steps fill the caches */
    if (!r->numbers[TOTAL_STEPS] && steps == 2 + TIMED_STEPS)
      fix_total(r, minutes, now - timed, TIMED_STEPS);
    r->numbers[MILLISECONDS] = before + (int64_t)(1000 * (now - start));
    double each = (now - start) / (double)steps;
    bool more = r->numbers[STEP] < r->numbers[TOTAL_STEPS]; /* the last line comes at the end */
    if (more && now - shown > (terminal ? 0.2 : 10)) {
      progress(r, mean, (double)tokens / each,
               each * (double)(r->numbers[TOTAL_STEPS] - r->numbers[STEP]), terminal);
      shown = now;
    }
    if (now - saved > 60) {
      save(r);
      saved = now;
    }
  }
  int64_t steps = r->numbers[STEP] - first;
  double each = steps ? (seconds() - start) / (double)steps : 1;
  progress(r, mean, (double)tokens / each, 0, terminal);
  if (terminal) printf("\n");
  save(r);
  printf("saved %s\n", r->out);
  printf("train tokens/s: %.0f\n", (double)tokens / each);
  printf("peak megabytes: %.0f\n", peak_megabytes());
  if (interrupted)
    printf("interrupted: the same command with --resume goes on from step %lld\n",
           (long long)r->numbers[STEP]);
}

/* ---- evaluation --------------------------------------------------------------------------------- */

/* Bits per byte of the held-out text, read as STREAMS long streams: each is fed to rill_extend chunk
 * by chunk, so the state carries all that went before. Every byte counts, each stream's first one
 * with the full 8 bits. */
static double evaluate(rill_context *ctx, rill_module *model, const text *t) {
  enum { STREAMS = 16, CHUNK = 256 };
  int64_t held_out = t->size - t->train, each = held_out / STREAMS, places[STREAMS];
  if (each < 2) die("the held-out text is too short");
  rill_cross_entropy_options sum = RILL_CROSS_ENTROPY_OPTIONS_INIT;
  sum.reduction = RILL_REDUCE_SUM;
  double nats = STREAMS * log(BYTES);
  rill_grad_mode mode = rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
  rill_scope_open(ctx);
  rill_state *state = rill_state_create(ctx, model, STREAMS);
  for (int64_t at = 0; at < each - 1; at += CHUNK) {
    int64_t length = each - 1 - at < CHUNK ? each - 1 - at : CHUNK;
    for (int s = 0; s < STREAMS; s++) places[s] = t->train + s * each + at;
    rill_scope_open(ctx);
    rill_tensor *input, *target;
    make_batch(ctx, t, places, STREAMS, length, &input, &target);
    nats += rill_tensor_item(
        ctx, rill_cross_entropy(ctx, rill_extend(ctx, model, input, state), target, &sum));
    rill_scope_close(ctx);
    check(ctx);
  }
  rill_scope_close(ctx);
  rill_set_grad_mode(ctx, mode);
  return nats / log(2) / (double)(each * STREAMS);
}

/* ---- generation --------------------------------------------------------------------------------- */

typedef struct printer {
  uint8_t *bytes; /* prompt and continuation */
  int64_t count;
} printer;

static bool print_token(void *user, int64_t sequence, int64_t token) {
  printer *p = user;
  (void)sequence;
  p->bytes[p->count++] = (uint8_t)token;
  putchar((int)token);
  fflush(stdout);
  return true;
}

static rill_tensor *ids(rill_context *ctx, const uint8_t *bytes, int64_t count) {
  rill_tensor *t = rill_empty(ctx, RILL_I32, (int64_t[]){1, count}, 2);
  check(ctx);
  int32_t *data = rill_tensor_data(t);
  for (int64_t i = 0; i < count; i++) data[i] = bytes[i];
  return t;
}

/* The proof that streaming is right: logits of one step at a time against one pass over everything. */
static double streaming_difference(rill_context *ctx, rill_module *model, const uint8_t *bytes,
                                   int64_t count) {
  double difference = 0;
  rill_grad_mode mode = rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
  rill_scope_open(ctx);
  const rill_tensor *whole = rill_contiguous(ctx, rill_forward(ctx, model, ids(ctx, bytes, count)));
  rill_state *state = rill_state_create(ctx, model, 1);
  check(ctx);
  const float *expected = rill_tensor_data(whole);
  for (int64_t i = 0; i < count; i++) {
    rill_scope_open(ctx);
    float logits[BYTES];
    rill_tensor *step = rill_extend(ctx, model, ids(ctx, bytes + i, 1), state);
    rill_tensor_copy_out(ctx, step, RILL_F32, logits, sizeof logits);
    check(ctx);
    for (int c = 0; c < BYTES; c++)
      difference = fmax(difference, fabs((double)(logits[c] - expected[i * BYTES + c])));
    rill_scope_close(ctx);
  }
  rill_scope_close(ctx);
  rill_set_grad_mode(ctx, mode);
  return difference;
}

static void generate(rill_context *ctx, rill_module *model, const char *prompt, int64_t length,
                     double temperature, uint64_t seed) {
  int64_t n = (int64_t)strlen(prompt);
  if (n == 0) die("the prompt is empty");
  printer p = {malloc((size_t)(n + length)), n};
  if (!p.bytes) die("no memory for the text");
  memcpy(p.bytes, prompt, (size_t)n);
  rill_generate_options options = RILL_GENERATE_OPTIONS_INIT;
  options.max_tokens = length;
  options.temperature = temperature;
  options.top_p = 0.95;
  options.seed = seed;
  options.on_token = print_token;
  options.user = &p;
  printf("%s", prompt);
  double start = seconds();
  rill_generate(ctx, model, ids(ctx, p.bytes, n), NULL, &options);
  check(ctx);
  double elapsed = seconds() - start;
  printf("\n\ndecode tokens/s: %.0f\n", (double)length / elapsed);
  double difference = streaming_difference(ctx, model, p.bytes, p.count);
  printf("streaming check: logits step by step differ from one parallel pass by at most %.1e: %s\n",
         difference, difference < 1e-3 ? "equal" : "NOT EQUAL");
  free(p.bytes);
  if (difference >= 1e-3) exit(EXIT_FAILURE);
}

/* ---- the command line --------------------------------------------------------------------------- */

static void usage(void) {
  fprintf(stderr, "charlm train TEXT --mixer attention|mamba --minutes M --out MODEL [--resume] "
                  "[--steps N] [--seed N]\n"
                  "charlm eval MODEL TEXT\n"
                  "charlm generate MODEL --prompt TEXT --length N [--temperature T] [--seed N]\n"
                  "any of them: --threads N (the default is all processors)\n");
  exit(2);
}

typedef struct arguments {
  const char *command, *files[2], *mixer, *out, *prompt;
  int n_files;
  double minutes, temperature;
  int64_t length, seed, steps, threads;
  bool resume;
} arguments;

static arguments parse(int argc, char **argv) {
  arguments a = {.mixer = "attention",
                 .out = "model.safetensors",
                 .prompt = "In the beginning",
                 .minutes = 3,
                 .temperature = 0.8,
                 .length = 400,
                 .threads = sysconf(_SC_NPROCESSORS_ONLN)};
  if (argc < 2) usage();
  a.command = argv[1];
  for (int i = 2; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(name, "--resume")) {
      a.resume = true;
      continue;
    }
    if (strncmp(name, "--", 2)) {
      if (a.n_files == 2) usage();
      a.files[a.n_files++] = name;
      continue;
    }
    if (!value) usage();
    i++;
    if (!strcmp(name, "--mixer"))
      a.mixer = value;
    else if (!strcmp(name, "--minutes"))
      a.minutes = atof(value);
    else if (!strcmp(name, "--out"))
      a.out = value;
    else if (!strcmp(name, "--prompt"))
      a.prompt = value;
    else if (!strcmp(name, "--length"))
      a.length = atoll(value);
    else if (!strcmp(name, "--temperature"))
      a.temperature = atof(value);
    else if (!strcmp(name, "--steps"))
      a.steps = atoll(value);
    else if (!strcmp(name, "--seed"))
      a.seed = atoll(value);
    else if (!strcmp(name, "--threads"))
      a.threads = atoll(value);
    else
      usage();
  }
  return a;
}

static rill_module *model_load(rill_context *ctx, const char *path) {
  int64_t numbers[NUMBERS];
  rill_checkpoint_load(ctx, path, NULL, NULL, numbers, NUMBERS);
  check(ctx);
  rill_module *model = model_create(ctx, numbers);
  rill_checkpoint_load(ctx, path, model, NULL, numbers, NUMBERS);
  rill_module_train(ctx, model, false);
  check(ctx);
  return model;
}

static void command_train(rill_context *ctx, const arguments *a) {
  int mixer = !strcmp(a->mixer, "mamba");
  if (!mixer && strcmp(a->mixer, "attention")) usage();
  run r = {.ctx = ctx, .out = a->out, .data = text_read(a->files[0])};
  const int64_t numbers[NUMBERS] = {mixer, 128, mixer ? 5 : 4, 4, 16, 128, a->seed, 0, 0, 0};
  memcpy(r.numbers, numbers, sizeof numbers);
  if (a->resume) rill_checkpoint_load(ctx, a->out, NULL, NULL, r.numbers, NUMBERS);
  check(ctx);
  if (r.data.train < r.numbers[LENGTH] + 2) die("the text is too short");
  rill_seed(ctx, (uint64_t)r.numbers[SEED]);
  r.model = model_create(ctx, r.numbers);
  r.optimizer = rill_optimizer_create(ctx, RILL_OPTIM_ADAMW);
  check(ctx);
  add_parameters(&r);
  if (a->resume) rill_checkpoint_load(ctx, a->out, r.model, r.optimizer, r.numbers, NUMBERS);
  check(ctx);
  printf("%s, %lld parameters, %lld bytes to learn from, %lld held out\n",
         mixer_names[r.numbers[MIXER]], (long long)rill_parameter_numel(r.model),
         (long long)r.data.train, (long long)(r.data.size - r.data.train));
  train(&r, a->minutes, a->steps);
  free(r.data.bytes);
}

static void command_eval(rill_context *ctx, const arguments *a) {
  text t = text_read(a->files[1]);
  rill_module *model = model_load(ctx, a->files[0]);
  printf("parameters: %lld\n", (long long)rill_parameter_numel(model));
  printf("held-out bits per byte: %.4f\n", evaluate(ctx, model, &t));
  free(t.bytes);
}

int main(int argc, char **argv) {
  arguments a = parse(argc, argv);
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.threads = (int)a.threads;
  rill_context *ctx = rill_context_create(&options);
  if (!ctx) die("no context: out of memory, or a wrong --threads");
  if (!strcmp(a.command, "train") && a.n_files == 1)
    command_train(ctx, &a);
  else if (!strcmp(a.command, "eval") && a.n_files == 2)
    command_eval(ctx, &a);
  else if (!strcmp(a.command, "generate") && a.n_files == 1)
    generate(ctx, model_load(ctx, a.files[0]), a.prompt, a.length, a.temperature, (uint64_t)a.seed);
  else
    usage();
  rill_context_close(ctx);
  return interrupted ? 130 : EXIT_SUCCESS;
}
