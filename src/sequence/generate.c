/* Sampling from logits, and generation. */
#include "sequence/state.h"

#include "base/philox.h"
#include "rill/autograd.h"

#include <math.h>
#include <string.h>

void rill_generate_options_init(rill_generate_options *options) {
  if (options) *options = (rill_generate_options)RILL_GENERATE_OPTIONS_INIT;
}

static rill_status read_options(rill_context *ctx, const char *op, rill_generate_options *o,
                                const rill_generate_options *from) {
  options_read(o, sizeof *o, from);
  const char *fault = NULL;
  if (!o->max_tokens) o->max_tokens = 128;
  if (o->top_p == 0) o->top_p = 1;
  if (o->max_tokens < 0 || o->top_k < 0)
    fault = "max_tokens or top_k is negative";
  else if (!(o->temperature >= 0) || isinf(o->temperature))
    fault = "temperature is not a number of at least 0";
  else if (!(o->top_p > 0 && o->top_p <= 1))
    fault = "top_p must lie in (0, 1]";
  else if (o->stop_count < 0 || (o->stop_count && !o->stop))
    fault = "stop is NULL, or its count negative";
  return fault ? error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s", fault) : RILL_OK;
}

/* ---- one draw ---- */

/* In [0, 1), from seed, step and row alone. */
static double uniform(uint64_t seed, int64_t step, int64_t row) {
  uint32_t c[4] = {(uint32_t)step, (uint32_t)((uint64_t)step >> 32), (uint32_t)row,
                   (uint32_t)((uint64_t)row >> 32)};
  philox(c, (uint32_t)seed, (uint32_t)(seed >> 32));
  return (double)((uint64_t)c[0] << 21 ^ c[1] >> 11) / 9007199254740992.0;
}

/* Does class a come before b? The greater weight first, of equals the lower index. */
static bool before(const double *weight, int64_t a, int64_t b) {
  return weight[a] > weight[b] || (weight[a] == weight[b] && a < b);
}

static void sift(int64_t *order, int64_t n, int64_t i, const double *weight) {
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(weight, order[child + 1], order[child])) child++;
    if (!before(weight, order[child], order[i])) return;
    int64_t t = order[i];
    order[i] = order[child];
    order[child] = t;
  }
}

/* The `most` heaviest classes, as far as their share of the total reaches top_p, move to the end of
 * order[n], the heaviest last; returns their number. */
static int64_t take_heaviest(int64_t *order, int64_t n, int64_t most, double top_p,
                             const double *weight) {
  for (int64_t i = 0; i < n; i++) order[i] = i;
  for (int64_t i = n / 2 - 1; i >= 0; i--) sift(order, n, i, weight);
  double total = 0, sum = 0;
  for (int64_t i = 0; most == n && i < n; i++) total += weight[i];
  int64_t taken = 0;
  for (int64_t left = n; taken < most; taken++) {
    if (most == n && taken && sum >= top_p * total) break;
    int64_t best = order[0];
    order[0] = order[--left];
    order[left] = best;
    sift(order, left, 0, weight);
    sum += weight[best];
  }
  if (most == n) return taken;
  double share = 0;
  int64_t kept = 0;
  while (kept < taken && !(kept && share >= top_p * sum)) share += weight[order[n - ++kept]];
  return kept;
}

/* The class where the running sum of weights passes u times their total. */
static int64_t pick(const double *weight, const int64_t *order, int64_t n, int64_t classes,
                    double u) {
  double total = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) total += weight[order ? order[classes - 1 - i] : i];
  int64_t last = -1;
  for (int64_t i = 0; i < n; i++) {
    int64_t c = order ? order[classes - 1 - i] : i;
    if (!(weight[c] > 0)) continue;
    last = c;
    sum += weight[c];
    if (sum > u * total) return c;
  }
  return last;
}

/* -1 where no logit is finite. NaN and -inf are never drawn; weight[classes] and order are scratch. */
static int64_t draw(const double *logits, int64_t classes, const rill_generate_options *o, double u,
                    double *weight, int64_t *order) {
  int64_t best = -1;
  for (int64_t c = 0; c < classes; c++)
    if (!isnan(logits[c]) && (best < 0 || logits[c] > logits[best])) best = c;
  if (best < 0 || isinf(logits[best])) return -1;
  if (o->temperature == 0) return best;
  for (int64_t c = 0; c < classes; c++)
    weight[c] = isnan(logits[c]) ? 0 : exp((logits[c] - logits[best]) / o->temperature);
  int64_t most = o->top_k && o->top_k < classes ? o->top_k : classes;
  if (most == classes && o->top_p == 1) return pick(weight, NULL, classes, classes, u);
  int64_t n = take_heaviest(order, classes, most, o->top_p, weight);
  return pick(weight, order, n, classes, u);
}

rill_tensor *rill_sample(rill_context *ctx, const rill_tensor *logits,
                         const rill_generate_options *options, int64_t step) {
  static const char op[] = "sample";
  rill_generate_options o;
  char text[SHAPE_TEXT];
  if (!context_ready(ctx) || read_options(ctx, op, &o, options) != RILL_OK) return NULL;
  if (!logits || logits->ndim != 2 || logits->shape[1] < 1 ||
      !dtype_is_float((rill_dtype)logits->dtype)) {
    error_set(ctx, RILL_ERROR_SHAPE, op, "needs logits [rows,classes] of a float dtype, not %s",
              logits ? shape_text(logits->shape, logits->ndim, text) : "NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  int64_t rows = logits->shape[0], classes = logits->shape[1];
  const rill_tensor *values = tensor_converted(ctx, op, logits, RILL_F64);
  if (values) values = tensor_contiguous(ctx, op, values);
  rill_tensor *out = tensor_new(ctx, op, RILL_I64, &rows, 1);
  rill_tensor *weight = tensor_new(ctx, op, RILL_F64, &classes, 1),
              *order = tensor_new(ctx, op, RILL_I64, &classes, 1);
  for (int64_t r = 0; ctx->error == RILL_OK && r < rows; r++) {
    int64_t c = draw((const double *)(const void *)values->data + r * classes, classes, &o,
                     uniform(o.seed, step, r), (double *)(void *)weight->data,
                     (int64_t *)(void *)order->data);
    ((int64_t *)(void *)out->data)[r] = c;
    if (c < 0)
      error_set(ctx, RILL_ERROR_ARGUMENT, op, "the greatest logit of row %lld is not finite",
                (long long)r);
  }
  return scope_close_keep(ctx, ctx->error == RILL_OK ? out : NULL);
}

/* ---- generation ---- */

static bool stops(const rill_generate_options *o, int64_t token) {
  for (int i = 0; i < o->stop_count; i++)
    if (o->stop[i] == token) return true;
  return false;
}

/* Draws the tokens of one step, from the last of the logits [batch,time,classes]. A sequence that has
 * ended repeats its stop token, which lies before in tokens. */
static bool next_tokens(rill_context *ctx, const rill_tensor *logits,
                        const rill_generate_options *o, int64_t step, int64_t *tokens, bool *more) {
  if (logits && logits->ndim != 3) {
    error_set(ctx, RILL_ERROR_SHAPE, "generate",
              "the module gives %d dims, not logits [batch,time,classes]", logits->ndim);
    return false;
  }
  rill_tensor *last = rill_select(ctx, logits, 1, -1), *drawn = rill_sample(ctx, last, o, step);
  if (!drawn) return false;
  int64_t batch = drawn->numel, ended = 0;
  for (int64_t b = 0; b < batch; b++) {
    int64_t *row = tokens + b * o->max_tokens;
    bool over = step && stops(o, row[step - 1]);
    row[step] = over ? row[step - 1] : ((const int64_t *)(const void *)drawn->data)[b];
    ended += over || stops(o, row[step]);
    if (!over && *more && o->on_token) *more = o->on_token(o->user, b, row[step]);
  }
  if (ended == batch) *more = false;
  return true;
}

/* Runs to the end; the number of steps into *steps. */
static bool generate(rill_context *ctx, rill_module *module, const rill_tensor *prompt,
                     rill_state *state, const rill_generate_options *o, int64_t *tokens,
                     int64_t *steps) {
  int64_t batch = prompt->shape[0];
  bool more = true, good = true;
  for (*steps = 0; good && more && *steps < o->max_tokens; ++*steps) {
    if (rill_scope_open(ctx) != RILL_OK) return false;
    const rill_tensor *input = prompt;
    if (*steps) {
      rill_tensor *t = tensor_new(ctx, "generate", RILL_I64, (int64_t[]){batch, 1}, 2);
      for (int64_t b = 0; t && b < batch; b++)
        ((int64_t *)(void *)t->data)[b] = tokens[b * o->max_tokens + *steps - 1];
      input = t;
    }
    rill_tensor *logits = input ? rill_extend(ctx, module, input, state) : NULL;
    good = logits && next_tokens(ctx, logits, o, *steps, tokens, &more);
    rill_scope_close(ctx);
  }
  return good;
}

static rill_tensor *generate_all(rill_context *ctx, rill_module *module, const rill_tensor *prompt,
                                 rill_state *state, const rill_generate_options *o) {
  int64_t batch = prompt->shape[0], steps;
  if (!state) state = rill_state_create(ctx, module, batch);
  rill_tensor *tokens =
      state ? tensor_new(ctx, "generate", RILL_I64, (int64_t[]){batch, o->max_tokens}, 2) : NULL;
  if (!tokens) return NULL;
  if (!generate(ctx, module, prompt, state, o, (int64_t *)(void *)tokens->data, &steps))
    return NULL;
  return rill_clone(ctx, rill_narrow(ctx, tokens, 1, 0, steps));
}

rill_tensor *rill_generate(rill_context *ctx, rill_module *module, const rill_tensor *prompt,
                           rill_state *state, const rill_generate_options *options) {
  static const char op[] = "generate";
  rill_generate_options o;
  if (!context_ready(ctx) || read_options(ctx, op, &o, options) != RILL_OK) return NULL;
  if (!module || !prompt || prompt->ndim != 2 || prompt->shape[0] < 1) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s",
              module ? "needs a prompt [batch,time]" : "the module is NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_grad_mode mode = rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
  rill_tensor *tokens = generate_all(ctx, module, prompt, state, &o);
  rill_set_grad_mode(ctx, mode);
  return scope_close_keep(ctx, tokens);
}
