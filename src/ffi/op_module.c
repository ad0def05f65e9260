/* Modules of ops: rill_nn_op. */
#include "ffi/signature.h"
#include "nn/module.h"

#include <stdio.h>
#include <string.h>

enum {
  MODULE_TENSORS = 64, /* tensors an op module may have among its arguments */
  MODULE_OUTPUTS = 64, /* and outputs its op may give */
};

/* Where a tensor of the call comes from: the module's input, or entry `index` of one of its parts. */
typedef struct source {
  bool input;
  module_part part;
  int index;
} source;

/* The settings of an op module. Tensors among the arguments are the module's parameters and buffers,
 * found through `sources`, in order of the arguments; ints, strings and lists lie in `store`. */
typedef struct op_module {
  const rill_op *op;
  int output, count, tensors;
  int inputs; /* of the tensors so many are the module's input */
  rill_value value[OP_MAX_ARGS];
  source sources[MODULE_TENSORS];
  char *store;
} op_module;

static void op_module_free(void *user) { heap_free(((op_module *)user)->store); }

static int tensors_of(const rill_value *v) {
  return v->kind == RILL_VALUE_TENSORS ? v->count : v->kind == RILL_VALUE_TENSOR;
}

static rill_tensor *op_module_forward(rill_context *ctx, rill_module *self, const rill_tensor *x,
                                      void *user) {
  const op_module *m = user;
  const rill_tensor *room[MODULE_TENSORS];
  rill_value value[OP_MAX_ARGS];
  rill_tensor *outputs[MODULE_OUTPUTS];
  int made, at = 0;
  for (int i = 0; i < m->tensors; i++) {
    const source *s = &m->sources[i];
    room[i] = s->input ? x : self->parts[s->part].items[s->index].of.tensor;
  }
  memcpy(value, m->value, sizeof value);
  for (int i = 0; i < m->count; i++) {
    if (value[i].kind == RILL_VALUE_TENSOR) value[i].as.tensor = room[at];
    if (value[i].kind == RILL_VALUE_TENSORS) value[i].as.tensors = room + at;
    at += tensors_of(&value[i]);
  }
  if (signature_run(ctx, m->op, value, m->count, outputs, MODULE_OUTPUTS, &made) != RILL_OK)
    return NULL;
  if (m->output < made) return outputs[m->output];
  error_set(ctx, RILL_ERROR_INDEX, m->op->name, "there is no output %d of %d", m->output, made);
  return NULL;
}

/* ---- making one ---- */

/* Bytes that the store needs for an argument. */
static size_t stored_bytes(const rill_value *v) {
  if (v->kind == RILL_VALUE_INTS) return (size_t)v->count * sizeof(int64_t);
  return v->kind == RILL_VALUE_STRING ? (strlen(v->as.string) / 8 + 1) * 8 : 0;
}

/* Copies what the arguments point to, tensors aside, and points them there. */
static bool store_values(rill_context *ctx, op_module *m) {
  size_t bytes = 0;
  for (int i = 0; i < m->count; i++) bytes += stored_bytes(&m->value[i]);
  char *at = m->store = context_alloc(ctx, m->op->name, bytes);
  if (!at) return false;
  for (int i = 0; i < m->count; i++) {
    rill_value *v = &m->value[i];
    if (v->kind == RILL_VALUE_STRING) v->as.string = strcpy(at, v->as.string);
    if (v->kind == RILL_VALUE_INTS) {
      if (v->count) memcpy(at, v->as.ints, (size_t)v->count * sizeof(int64_t));
      v->as.ints = (const int64_t *)(void *)at;
    }
    at += stored_bytes(v);
  }
  return true;
}

/* Counts the tensors and looks where the input goes. What is given as NULL in place of a tensor is the
 * input. */
static bool count_tensors(rill_context *ctx, op_module *m) {
  for (int i = 0; i < m->count; i++) {
    const rill_value *v = &m->value[i];
    m->tensors += tensors_of(v);
    m->inputs += v->kind == RILL_VALUE_TENSOR && !v->as.tensor;
    for (int j = 0; v->kind == RILL_VALUE_TENSORS && j < v->count; j++)
      m->inputs += !v->as.tensors[j];
  }
  if (m->tensors > MODULE_TENSORS)
    error_set(ctx, RILL_ERROR_UNSUPPORTED, m->op->name, "a module holds at most %d tensors, not %d",
              MODULE_TENSORS, m->tensors);
  else if (!m->inputs)
    error_set(ctx, RILL_ERROR_ARGUMENT, m->op->name, "no tensor is NULL, to be the module's input");
  return m->inputs && m->tensors <= MODULE_TENSORS;
}

/* A tensor that the module keeps: a parameter if it requires a gradient, else a buffer. item: of a
 * list, -1 elsewhere. */
static bool keep_tensor(rill_context *ctx, rill_module *self, const signature_parameter *p,
                        int item, const rill_tensor *t, source *s) {
  char name[48];
  rill_tensor *own = (rill_tensor *)(uintptr_t)t; /* shared with the caller, as parameters are */
  if (item < 0)
    snprintf(name, sizeof name, "%.*s", p->name_size, p->name);
  else
    snprintf(name, sizeof name, "%.*s%d", p->name_size, p->name, item);
  s->part = t->requires_grad ? MODULE_PARAMETERS : MODULE_BUFFERS;
  s->index = self->parts[s->part].count;
  return (t->requires_grad ? rill_module_add_parameter(ctx, self, name, own)
                           : rill_module_add_buffer(ctx, self, name, own, true)) == RILL_OK;
}

static bool keep_tensors(rill_context *ctx, rill_module *self, op_module *m) {
  const char *at = m->op->signature;
  source *s = m->sources;
  signature_parameter p;
  for (int i = 0; i < m->count && signature_next(&at, &p); i++) {
    const rill_value *v = &m->value[i];
    bool list = v->kind == RILL_VALUE_TENSORS;
    for (int j = 0; j < tensors_of(v); j++, s++) {
      const rill_tensor *t = list ? v->as.tensors[j] : v->as.tensor;
      s->input = !t;
      if (t && !keep_tensor(ctx, self, &p, list ? j : -1, t, s)) return false;
    }
  }
  return true;
}

rill_module *rill_nn_op(rill_context *ctx, const char *name, const rill_value *args, int n_args,
                        int output) {
  if (!context_ready(ctx)) return NULL;
  const rill_op *op = signature_op(ctx, "nn_op", name);
  signature_values v;
  if (!op || signature_read(ctx, op, args, n_args, &v) != RILL_OK) return NULL;
  op_module m = {.op = op, .output = output, .count = v.count};
  memcpy(m.value, v.value, sizeof m.value);
  if (output < 0) {
    error_set(ctx, RILL_ERROR_INDEX, op->name, "there is no output %d", output);
    return NULL;
  }
  if (!count_tensors(ctx, &m) || !store_values(ctx, &m)) return NULL;
  rill_module_class cls = {
      .type = op->name, .forward = op_module_forward, .free_user = op_module_free};
  bool memoryless = m.inputs == m.tensors && (op->flags & OP_POINTWISE);
  rill_module *self = module_new(ctx, &cls, memoryless, &m, sizeof m);
  if (!self) {
    heap_free(m.store);
    return NULL;
  }
  return keep_tensors(ctx, self, self->user) ? self : NULL;
}
