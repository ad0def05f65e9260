/* Recording a call in the graph, and giving backward what it saved. A node keeps a copy of the call's
 * arguments; of its tensors only those that the descriptor says backward reads. */
#include "ops/record.h"

#include <string.h>

/* What a node of an op carries. Followed in its block by the arguments' integers and strings. */
typedef struct payload {
  const rill_op *op;
  int nargs, outputs;
  rill_value args[]; /* tensors: replaced at backward by what was saved */
} payload;

/* Goes through the inputs in order: all tensors, those in lists too, and absent ones as NULL. */
typedef struct walk {
  const op_call *c;
  int arg, item; /* of the input just returned */
  int input;     /* inputs returned so far */
} walk;

static inline bool walk_next(walk *w, const rill_tensor **t) {
  for (; w->arg < w->c->nargs; w->arg++, w->item = -1) {
    const rill_value *v = &w->c->args[w->arg];
    w->item++;
    if (v->kind == RILL_VALUE_TENSORS) {
      if (w->item == v->count) continue;
      *t = v->as.tensors[w->item];
    } else {
      if (w->item == 1 || (v->kind != RILL_VALUE_TENSOR && v->kind != RILL_VALUE_NONE)) continue;
      *t = v->kind == RILL_VALUE_TENSOR ? v->as.tensor : NULL;
    }
    w->input++;
    return true;
  }
  return false;
}

static inline walk walk_start(const op_call *c) { return (walk){c, 0, -1, 0}; }

bool record_wanted(const op_call *c) {
  if (c->ctx->grad_mode != GRAD_ON) return false;
  const rill_tensor *t;
  for (walk w = walk_start(c); walk_next(&w, &t);)
    if (t && t->requires_grad) return true;
  return false;
}

static bool saves_arg(const op_call *c, int arg) { return c->op->save & OP_SAVE_INPUT(arg); }

/* Ties the node's edges to the inputs and saves those that backward reads. */
static bool connect_inputs(op_call *c, node *n, int *next) {
  const rill_tensor *t;
  for (walk w = walk_start(c); walk_next(&w, &t);) {
    if (!t) continue;
    if (!node_connect(c->ctx, n, w.input - 1, t)) return false;
    if (!saves_arg(c, w.arg)) continue;
    if (t->inference) {
      op_fail(c, RILL_ERROR_GRAPH,
              "argument %d was made in inference mode and cannot be saved for backward", w.arg);
      return false;
    }
    node_save(n, (*next)++, t);
  }
  return true;
}

/* What the copy of an argument needs beside its rill_value. */
static size_t extra_bytes(const rill_value *v) {
  if (v->kind == RILL_VALUE_INTS) return (size_t)v->count * sizeof(int64_t);
  if (v->kind == RILL_VALUE_STRING) return (strlen(v->as.string) / 8 + 1) * 8;
  if (v->kind == RILL_VALUE_TENSORS) return (size_t)v->count * sizeof(rill_tensor *);
  return 0;
}

static size_t payload_bytes(const op_call *c) {
  size_t size = sizeof(payload) + (size_t)c->nargs * sizeof(rill_value);
  for (int i = 0; i < c->nargs; i++) size += extra_bytes(&c->args[i]);
  return size;
}

/* A copy of the arguments that lives as long as the node; tensor pointers are cleared. */
static void copy_args(const op_call *c, payload *p) {
  p->op = c->op;
  p->nargs = c->nargs;
  p->outputs = c->outputs;
  char *rest = (char *)(p->args + c->nargs);
  for (int i = 0; i < c->nargs; i++) {
    rill_value v = c->args[i];
    size_t bytes = extra_bytes(&v);
    if (v.kind == RILL_VALUE_TENSORS) {
      memset(rest, 0, bytes);
      v.as.tensors = (const rill_tensor *const *)rest;
    } else if (v.kind == RILL_VALUE_STRING) {
      memcpy(rest, v.as.string, strlen(v.as.string) + 1);
      v.as.string = rest;
    } else if (v.kind == RILL_VALUE_INTS) {
      if (bytes) memcpy(rest, v.as.ints, bytes);
      v.as.ints = (const int64_t *)rest;
    } else if (v.kind == RILL_VALUE_TENSOR) {
      v.as.tensor = NULL;
    }
    p->args[i] = v;
    rest += bytes;
  }
}

/* Puts saved tensors where the op's backward looks for them. */
static bool load_saved(node_call *call, payload *p, op_grad *g) {
  node *n = call->node;
  int next = 0, input = 0;
  for (int i = 0; i < p->nargs; i++) {
    rill_value *v = &p->args[i];
    bool list = v->kind == RILL_VALUE_TENSORS;
    int count = list ? v->count : v->kind == RILL_VALUE_TENSOR || v->kind == RILL_VALUE_NONE;
    for (int j = 0; j < count; j++, input++) {
      if (v->kind == RILL_VALUE_NONE || !(p->op->save & OP_SAVE_INPUT(i))) continue;
      rill_tensor *t = node_saved(call->ctx, n, next++);
      if (!t) return false;
      if (list)
        ((const rill_tensor **)(uintptr_t)v->as.tensors)[j] = t;
      else
        v->as.tensor = t;
    }
  }
  for (int o = 0; o < p->outputs; o++) {
    if (!(p->op->save & OP_SAVE_OUTPUT(o))) continue;
    if (!(g->out[o] = node_saved(call->ctx, n, next++))) return false;
  }
  for (int x = 0; next < n->saves; x++)
    if (!(g->extra[x] = node_saved(call->ctx, n, next++))) return false;
  return true;
}

static rill_status backward(node_call *call) {
  payload *p = call->node->payload;
  op_grad g = {.ctx = call->ctx,
               .op = p->op,
               .args = p->args,
               .grad = call->grad,
               .result = call->result,
               .need = call->need,
               .input = call->node->edge,
               .inputs = call->node->inputs};
  if (!load_saved(call, p, &g)) return rill_error(call->ctx);
  return p->op->backward(&g);
}

/* How many inputs a call has, and how many values its node saves. Extras are saved up to the last that
 * forward set; those must have no gap. */
static void count(const op_call *c, int *inputs, int *saves) {
  const rill_tensor *t;
  *saves = 0;
  walk w = walk_start(c);
  while (walk_next(&w, &t)) *saves += t && saves_arg(c, w.arg);
  *inputs = w.input;
  for (int o = 0; o < c->outputs; o++) *saves += (c->op->save & OP_SAVE_OUTPUT(o)) != 0;
  for (int x = 0; x < OP_MAX_EXTRA && c->extra[x]; x++) ++*saves;
}

/* An output is saved as an alias outside the graph: saving itself would tie a knot of references. */
static bool save_results(op_call *c, node *n, int *next) {
  for (int o = 0; o < c->outputs; o++) {
    if (!(c->op->save & OP_SAVE_OUTPUT(o))) continue;
    rill_tensor *alias = tensor_alias(c->ctx, c->out[o]);
    if (!alias) return false;
    node_save(n, (*next)++, alias);
  }
  for (int x = 0; x < OP_MAX_EXTRA && c->extra[x]; x++) node_save(n, (*next)++, c->extra[x]);
  return true;
}

rill_status record(op_call *c) {
  int inputs, saves, next = 0;
  count(c, &inputs, &saves);
  node *n = node_new(c->ctx, c->op->name, inputs, c->outputs, saves, payload_bytes(c));
  if (!n) return rill_error(c->ctx);
  n->backward = backward;
  copy_args(c, n->payload);
  if (connect_inputs(c, n, &next) && save_results(c, n, &next))
    for (int o = 0; o < c->outputs; o++)
      if (dtype_is_float((rill_dtype)c->out[o]->dtype)) node_output(n, o, c->out[o]);
  handle_release(&n->base);
  return c->ctx->error;
}

rill_tensor *op_grad_new(op_grad *g, int i) {
  const edge *e = &g->input[i];
  return tensor_new(g->ctx, g->op->name, (rill_dtype)e->dtype, e->shape, e->ndim);
}
