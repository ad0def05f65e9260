/* An optimizer's life, its groups, and the tensors it remembers. */
#include "optim/optim.h"

#include "base/number.h"
#include "nn/module.h"
#include "rill/autograd.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

static void optimizer_destroy(handle *h) {
  rill_optimizer *o = (rill_optimizer *)h;
  for (int i = 0; i < o->parameter_count; i++) {
    optim_parameter *p = &o->parameters[i];
    rill_tensor_release(p->tensor);
    for (int s = 0; s < OPTIM_SLOTS; s++) rill_tensor_release(p->slot[s]);
  }
  heap_free(o->parameters);
  heap_free(o->groups);
  heap_free(o);
}

rill_optimizer *rill_optimizer_create(rill_context *ctx, rill_optimizer_kind kind) {
  static const char op[] = "optimizer_create";
  if (!context_ready(ctx)) return NULL;
  if (kind < RILL_OPTIM_SGD || kind > RILL_OPTIM_ADAMW) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "no kind has the number %d", (int)kind);
    return NULL;
  }
  rill_optimizer *o = context_alloc(ctx, op, sizeof *o);
  if (!o) return NULL;
  memset(o, 0, sizeof *o);
  handle_init(&o->base, optimizer_destroy);
  o->kind = kind;
  return scope_own(ctx, o);
}

rill_optimizer *rill_optimizer_retain(rill_optimizer *optimizer) {
  if (optimizer) handle_retain(&optimizer->base);
  return optimizer;
}

void rill_optimizer_release(rill_optimizer *optimizer) {
  if (optimizer) handle_release(&optimizer->base);
}

bool optimizer_ready(rill_context *ctx, const char *op, const rill_optimizer *o) {
  if (!context_ready(ctx)) return false;
  if (o) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "the optimizer is NULL");
  return false;
}

/* ---- groups ---- */

void rill_optimizer_options_init(rill_optimizer_options *options) {
  if (options) *options = (rill_optimizer_options)RILL_OPTIMIZER_OPTIONS_INIT;
}

static bool in_range(rill_context *ctx, const char *op, const char *name, double value,
                     double end) {
  if (value >= 0 && value < end) return true;
  char a[NUMBER_SIZE], b[NUMBER_SIZE];
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is %s, it must lie in [0, %s)", name,
            number_print(a, value), number_print(b, end));
  return false;
}

/* The caller's options with defaults filled in; false with the error set where they make no sense. */
static bool read_options(rill_context *ctx, const char *op, rill_optimizer_options *into,
                         const rill_optimizer_options *from) {
  options_read(into, sizeof *into, from);
  if (into->lr == 0) into->lr = 1e-3;
  if (into->beta1 == 0) into->beta1 = 0.9;
  if (into->beta2 == 0) into->beta2 = 0.999;
  if (into->eps == 0) into->eps = 1e-8;
  if (!in_range(ctx, op, "lr", into->lr, INFINITY) ||
      !in_range(ctx, op, "weight_decay", into->weight_decay, INFINITY) ||
      !in_range(ctx, op, "momentum", into->momentum, INFINITY) ||
      !in_range(ctx, op, "beta1", into->beta1, 1) || !in_range(ctx, op, "beta2", into->beta2, 1) ||
      !in_range(ctx, op, "eps", into->eps, INFINITY))
    return false;
  if (isfinite(into->dampening) &&
      (!into->nesterov || (into->momentum > 0 && into->dampening == 0)))
    return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s",
            isfinite(into->dampening) ? "nesterov needs a momentum and no dampening"
                                      : "dampening is not finite");
  return false;
}

static int group_of(const rill_optimizer *o, const rill_tensor *t) {
  for (int i = 0; i < o->parameter_count; i++)
    if (o->parameters[i].tensor == t) return o->parameters[i].group;
  return -1;
}

static bool can_optimize(rill_context *ctx, const char *op, const rill_optimizer *o,
                         rill_tensor *const *parameters, int i) {
  const rill_tensor *t = parameters[i];
  if (!t)
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "parameter %d is NULL", i);
  else if (!rill_is_leaf(t))
    error_set(ctx, RILL_ERROR_GRAPH, op, "parameter %d is the result of recorded ops", i);
  else if (!dtype_computes((rill_dtype)t->dtype))
    error_set(ctx, RILL_ERROR_DTYPE, op, "parameter %d must be f32 or f64, not %s", i,
              rill_dtype_name((rill_dtype)t->dtype));
  else if (!t->contiguous)
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "parameter %d is not contiguous", i);
  else if (group_of(o, t) >= 0)
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "parameter %d is in group %d already", i,
              group_of(o, t));
  for (int j = 0; ctx->error == RILL_OK && j < i; j++)
    if (parameters[j] == t)
      error_set(ctx, RILL_ERROR_ARGUMENT, op, "parameters %d and %d are the same", j, i);
  return ctx->error == RILL_OK;
}

/* A larger copy of an array of `count` items; NULL with the error set. */
static void *extended(rill_context *ctx, const char *op, const void *items, int count, int more,
                      size_t size) {
  void *block = context_alloc(ctx, op, ((size_t)count + (size_t)more) * size);
  if (block && count) memcpy(block, items, (size_t)count * size);
  return block;
}

rill_status rill_optimizer_add_group(rill_context *ctx, rill_optimizer *optimizer,
                                     rill_tensor *const *parameters, int count,
                                     const rill_optimizer_options *options, int *group) {
  static const char op[] = "optimizer_add_group";
  rill_optimizer *o = optimizer;
  rill_optimizer_options read;
  if (!optimizer_ready(ctx, op, o)) return rill_error(ctx);
  if (count < 0 || (count && !parameters))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%d parameters at %s", count,
                     parameters ? "an address" : "NULL");
  if (!read_options(ctx, op, &read, options)) return ctx->error;
  for (int i = 0; i < count; i++)
    if (!can_optimize(ctx, op, o, parameters, i)) return ctx->error;

  rill_optimizer_options *groups = extended(ctx, op, o->groups, o->group_count, 1, sizeof *groups);
  optim_parameter *all =
      groups ? extended(ctx, op, o->parameters, o->parameter_count, count, sizeof *all) : NULL;
  if (!all) {
    heap_free(groups);
    return ctx->error;
  }
  for (int i = 0; i < count; i++)
    all[o->parameter_count + i] =
        (optim_parameter){.tensor = rill_tensor_retain(parameters[i]), .group = o->group_count};
  groups[o->group_count] = read;
  heap_free(o->groups);
  heap_free(o->parameters);
  o->groups = groups;
  o->parameters = all;
  o->parameter_count += count;
  if (group) *group = o->group_count;
  o->group_count++;
  return RILL_OK;
}

rill_status rill_optimizer_add_module(rill_context *ctx, rill_optimizer *optimizer,
                                      rill_module *module, const rill_optimizer_options *options,
                                      int *group) {
  static const char op[] = "optimizer_add_module";
  if (!optimizer_ready(ctx, op, optimizer)) return rill_error(ctx);
  if (!module) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the module is NULL");
  int count;
  rill_tensor **parameters = module_parameters(ctx, op, module, &count);
  if (ctx->error == RILL_OK)
    rill_optimizer_add_group(ctx, optimizer, parameters, count, options, group);
  heap_free(parameters);
  return ctx->error;
}

int rill_optimizer_group_count(const rill_optimizer *optimizer) {
  return optimizer ? optimizer->group_count : 0;
}

double rill_optimizer_lr(const rill_optimizer *optimizer, int group) {
  return optimizer && group >= 0 && group < optimizer->group_count ? optimizer->groups[group].lr
                                                                   : NAN;
}

rill_status rill_optimizer_set_lr(rill_context *ctx, rill_optimizer *optimizer, int group,
                                  double lr) {
  static const char op[] = "optimizer_set_lr";
  if (!optimizer_ready(ctx, op, optimizer)) return rill_error(ctx);
  if (group < 0 || group >= optimizer->group_count)
    return error_set(ctx, RILL_ERROR_INDEX, op, "group %d is out of range for %d groups", group,
                     optimizer->group_count);
  if (!in_range(ctx, op, "lr", lr, INFINITY)) return ctx->error;
  optimizer->groups[group].lr = lr;
  return RILL_OK;
}

rill_status rill_optimizer_zero_grad(rill_context *ctx, rill_optimizer *optimizer) {
  if (!optimizer_ready(ctx, "optimizer_zero_grad", optimizer)) return rill_error(ctx);
  for (int i = 0; i < optimizer->parameter_count; i++)
    if (rill_set_grad(ctx, optimizer->parameters[i].tensor, NULL) != RILL_OK) break;
  return ctx->error;
}

int64_t rill_optimizer_steps(const rill_optimizer *optimizer) {
  return optimizer ? optimizer->steps : 0;
}

/* ---- what is remembered ---- */

const char *optimizer_slot_name(rill_optimizer_kind kind, int slot) {
  static const char *const names[][OPTIM_SLOTS] = {
      [RILL_OPTIM_SGD] = {"momentum_buffer", NULL},
      [RILL_OPTIM_ADAM] = {"exp_avg", "exp_avg_sq"},
      [RILL_OPTIM_ADAMW] = {"exp_avg", "exp_avg_sq"},
  };
  return names[kind][slot];
}

/* Remembered tensor `wanted` (its number, or -1 for none): its parameter and slot; returns how many come
 * before it, which is the count of all where there is none. */
static int find_tensor(const rill_optimizer *o, int wanted, int *parameter, int *slot) {
  int met = 0;
  for (*parameter = 0; *parameter < o->parameter_count; ++*parameter)
    for (*slot = 0; *slot < OPTIM_SLOTS; ++*slot)
      if (o->parameters[*parameter].slot[*slot] && met++ == wanted) return wanted;
  return met;
}

int rill_optimizer_tensor_count(const rill_optimizer *optimizer) {
  int parameter, slot;
  return optimizer ? find_tensor(optimizer, -1, &parameter, &slot) : 0;
}

rill_tensor *rill_optimizer_tensor(const rill_optimizer *optimizer, int index) {
  int parameter, slot;
  if (!optimizer || index < 0 || find_tensor(optimizer, index, &parameter, &slot) != index ||
      parameter == optimizer->parameter_count)
    return NULL;
  return optimizer->parameters[parameter].slot[slot];
}

int64_t rill_optimizer_tensor_name(const rill_optimizer *optimizer, int index, char *out,
                                   size_t size) {
  int parameter, slot;
  if ((size && !out) || !rill_optimizer_tensor(optimizer, index)) return -1;
  find_tensor(optimizer, index, &parameter, &slot);
  char number[NUMBER_SIZE];
  const char *name = optimizer_slot_name(optimizer->kind, slot);
  number_print(number, parameter);
  size_t digits = strlen(number), letters = strlen(name), at = 0;
  for (size_t i = 0; i < digits + 1 + letters && at + 1 < size; i++)
    out[at++] = i < digits ? number[i] : i == digits ? '.' : name[i - digits - 1];
  if (size) out[at] = 0;
  return (int64_t)(digits + 1 + letters);
}

/* "12.exp_avg" to a place of the optimizer's. */
static bool read_name(const rill_optimizer *o, const char *name, int *parameter, int *slot) {
  int64_t index = 0;
  const char *c = name;
  for (; *c >= '0' && *c <= '9' && index <= o->parameter_count; c++)
    index = index * 10 + (*c - '0');
  if (c == name || *c != '.' || index >= o->parameter_count) return false;
  *parameter = (int)index;
  for (*slot = 0; *slot < OPTIM_SLOTS; ++*slot) {
    const char *known = optimizer_slot_name(o->kind, *slot);
    if (known && !strcmp(known, c + 1)) return true;
  }
  return false;
}

rill_status optimizer_restore(rill_context *ctx, rill_optimizer *o, const char *name,
                              const rill_tensor *value) {
  static const char op[] = "optimizer_restore";
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  int parameter, slot;
  if (!optimizer_ready(ctx, op, o)) return rill_error(ctx);
  if (!name || !value)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is NULL", name ? "the value" : "the name");
  if (!read_name(o, name, &parameter, &slot))
    return error_set(ctx, RILL_ERROR_NOT_FOUND, op, "the optimizer remembers no \"%s\"", name);
  optim_parameter *p = &o->parameters[parameter];
  if (!shape_equal(value->shape, value->ndim, p->tensor->shape, p->tensor->ndim))
    return error_set(ctx, RILL_ERROR_SHAPE, op, "\"%s\" is %s, its parameter %s", name,
                     shape_text(value->shape, value->ndim, a),
                     shape_text(p->tensor->shape, p->tensor->ndim, b));
  rill_tensor *copy = tensor_new(ctx, op, (rill_dtype)p->tensor->dtype, value->shape, value->ndim);
  if (!copy) return ctx->error;
  strided_copy(ctx, value->ndim, value->shape, (rill_dtype)value->dtype, value->data,
               value->strides, (rill_dtype)copy->dtype, copy->data, copy->strides);
  handle_retain(&copy->base);
  rill_tensor_release(p->slot[slot]);
  p->slot[slot] = copy;
  return RILL_OK;
}

int optimizer_parameter_count(const rill_optimizer *o) { return o ? o->parameter_count : 0; }

int64_t optimizer_parameter_steps(const rill_optimizer *o, int index) {
  return o && index >= 0 && index < o->parameter_count ? o->parameters[index].steps : -1;
}

rill_status optimizer_set_parameter_steps(rill_context *ctx, rill_optimizer *o, int index,
                                          int64_t steps) {
  static const char op[] = "optimizer_set_parameter_steps";
  if (!optimizer_ready(ctx, op, o)) return rill_error(ctx);
  if (index < 0 || index >= o->parameter_count || steps < 0)
    return error_set(ctx, RILL_ERROR_INDEX, op, "%lld steps of parameter %d of %d",
                     (long long)steps, index, o->parameter_count);
  o->parameters[index].steps = steps;
  return RILL_OK;
}

rill_status optimizer_set_steps(rill_context *ctx, rill_optimizer *o, int64_t steps) {
  static const char op[] = "optimizer_set_steps";
  if (!optimizer_ready(ctx, op, o)) return rill_error(ctx);
  if (steps < 0) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%lld steps", (long long)steps);
  o->steps = steps;
  return RILL_OK;
}
