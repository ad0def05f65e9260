/* Checkpoints: model, optimizer, random state and the caller's numbers in one safetensors file. */
#include "io/tensors.h"
#include "optim/optim.h"

#include <string.h>

static const char model_prefix[] = "model.", optimizer_prefix[] = "optimizer.";
static const char random_name[] = "rill.random", numbers_name[] = "rill.numbers",
                  steps_name[] = "rill.steps";

/* An i64 tensor of n numbers. */
static rill_tensor *integers(rill_context *ctx, const int64_t *values, int64_t n) {
  return rill_from_buffer(ctx, RILL_I64, &n, 1, values);
}

static bool add_optimizer(rill_context *ctx, const char *op, tensor_list *l,
                          const rill_optimizer *o) {
  for (int i = 0; i < rill_optimizer_tensor_count(o); i++) {
    char name[64];
    rill_optimizer_tensor_name(o, i, name, sizeof name);
    if (!list_add(ctx, op, l, optimizer_prefix, name, rill_optimizer_tensor(o, i))) return false;
  }
  int n = optimizer_parameter_count(o);
  rill_tensor *steps = rill_empty(ctx, RILL_I64, (int64_t[]){n + 1}, 1);
  if (!steps) return false;
  int64_t *s = (int64_t *)(void *)steps->data;
  s[n] = rill_optimizer_steps(o);
  for (int i = 0; i < n; i++) s[i] = optimizer_parameter_steps(o, i);
  return list_add(ctx, op, l, steps_name, "", steps);
}

rill_status rill_checkpoint_save(rill_context *ctx, const char *path, const rill_module *module,
                                 const rill_optimizer *optimizer, const int64_t *numbers, int n) {
  static const char op[] = "checkpoint_save";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!path || !module || n < 0 || (n && !numbers))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the path, the module or the numbers are NULL");
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  tensor_list l;
  list_init(&l, ctx);
  int64_t random[2] = {(int64_t)ctx->random.seed, (int64_t)ctx->random.offset};
  rill_tensor *r = integers(ctx, random, 2), *k = integers(ctx, numbers, n);
  if (k && list_add(ctx, op, &l, random_name, "", r) &&
      list_add(ctx, op, &l, numbers_name, "", k) &&
      list_add_module(ctx, op, &l, model_prefix, module) &&
      (!optimizer || add_optimizer(ctx, op, &l, optimizer)))
    tensors_save(ctx, op, path, (const char *const *)l.names, (const rill_tensor *const *)l.tensors,
                 l.count, NULL, NULL, 0);
  list_free(&l);
  rill_scope_close(ctx);
  return ctx->error;
}

/* The i64 tensor `name` of n numbers; NULL with the error set. */
static const int64_t *get_integers(rill_context *ctx, const char *op, rill_safetensors *file,
                                   const char *name, int64_t n) {
  const rill_tensor *t = rill_safetensors_get(ctx, file, name);
  if (!t) return NULL;
  if (t->dtype == RILL_I64 && t->ndim == 1 && t->numel == n)
    return (const int64_t *)(const void *)t->data;
  char shape[SHAPE_TEXT];
  error_set(ctx, RILL_ERROR_FORMAT, op, "\"%s\" is %s %s, not %lld of i64", name,
            rill_dtype_name((rill_dtype)t->dtype), shape_text(t->shape, t->ndim, shape),
            (long long)n);
  return NULL;
}

static bool is_optimizer(const char *name) {
  return !strncmp(name, optimizer_prefix, strlen(optimizer_prefix));
}

/* Does "3.exp_avg" have a place in this optimizer, and does the value fit it? */
static bool fits(const rill_optimizer *o, const char *name, const rill_tensor *value) {
  int64_t index = 0;
  const char *at = name;
  for (; *at >= '0' && *at <= '9' && index <= INT32_MAX; at++) index = index * 10 + (*at - '0');
  if (at == name || *at != '.' || index >= optimizer_parameter_count(o)) return false;
  const rill_tensor *p = o->parameters[index].tensor;
  if (!shape_equal(p->shape, p->ndim, value->shape, value->ndim)) return false;
  for (int s = 0; s < OPTIM_SLOTS; s++)
    if (optimizer_slot_name(o->kind, s) && !strcmp(optimizer_slot_name(o->kind, s), at + 1))
      return true;
  return false;
}

/* Checks (apply false) or restores all that the file has of the optimizer. */
static rill_status optimizer_load(rill_context *ctx, const char *op, rill_safetensors *file,
                                  rill_optimizer *o, bool apply) {
  int n = optimizer_parameter_count(o);
  const int64_t *steps = get_integers(ctx, op, file, steps_name, n + 1);
  for (int i = 0; steps && i < rill_safetensors_count(file); i++) {
    const char *name = rill_safetensors_name(file, i);
    if (!is_optimizer(name)) continue;
    const rill_tensor *value = rill_safetensors_get(ctx, file, name);
    if (!value) break;
    name += strlen(optimizer_prefix);
    if (apply)
      optimizer_restore(ctx, o, name, value);
    else if (!fits(o, name, value))
      error_set(ctx, RILL_ERROR_SHAPE, op, "the optimizer has no place for \"%s\" of the file",
                name);
  }
  for (int i = 0; apply && steps && i < n; i++) optimizer_set_parameter_steps(ctx, o, i, steps[i]);
  if (apply && steps) optimizer_set_steps(ctx, o, steps[n]);
  return ctx->error;
}

static rill_status load(rill_context *ctx, const char *op, rill_safetensors *file, tensor_list *l,
                        rill_module *module, rill_optimizer *optimizer, int64_t *numbers, int n) {
  const int64_t *random = get_integers(ctx, op, file, random_name, 2);
  const int64_t *k = random ? get_integers(ctx, op, file, numbers_name, n) : NULL;
  if (!k && n) return rill_error(ctx);
  if (optimizer && optimizer_load(ctx, op, file, optimizer, false) != RILL_OK) return ctx->error;
  if (module && (!list_add_module(ctx, op, l, model_prefix, module) ||
                 list_load(ctx, op, l, file, model_prefix, true) != RILL_OK))
    return rill_error(ctx);
  if (optimizer && optimizer_load(ctx, op, file, optimizer, true) != RILL_OK) return ctx->error;
  if (module) ctx->random = (rill_random_state){(uint64_t)random[0], (uint64_t)random[1]};
  if (n) memcpy(numbers, k, (size_t)n * sizeof *numbers);
  return ctx->error;
}

rill_status rill_checkpoint_load(rill_context *ctx, const char *path, rill_module *module,
                                 rill_optimizer *optimizer, int64_t *numbers, int n) {
  static const char op[] = "checkpoint_load";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!path || n < 0 || (n && !numbers) || (optimizer && !module))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op,
                     "the path or the numbers are NULL, or an optimizer comes without a module");
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  tensor_list l;
  list_init(&l, ctx);
  rill_safetensors *file = rill_safetensors_open(ctx, path);
  if (file) load(ctx, op, file, &l, module, optimizer, numbers, n);
  list_free(&l);
  rill_scope_close(ctx);
  return ctx->error;
}
