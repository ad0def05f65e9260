/* Recording a call in the graph, and giving backward what it saved. A node keeps a copy of the call's
 * arguments; of its tensors only those that the descriptor says backward reads. */
#include "ops/record.h"

#include <string.h>

/* What a node of an op carries. Followed in its block by the arguments' integers and strings. */
typedef struct payload {
  const rill_op *op;
  int nargs, outputs, inputs;
  rill_value args[]; /* tensors: replaced at backward by what was saved */
} payload;

/* Calls visit(c, input, arg, tensor) for each input in order; absent ones with NULL. */
static int each_input(op_call *c, bool (*visit)(op_call *c, void *to, int input, int arg, const rill_tensor *t),
                      void *to) {
  int input = 0;
  for (int i = 0; i < c->nargs; i++) {
    const rill_value *v = &c->args[i];
    int n = v->kind == RILL_VALUE_TENSORS ? v->count : v->kind == RILL_VALUE_TENSOR || v->kind == RILL_VALUE_NONE;
    for (int j = 0; j < n; j++, input++) {
      const rill_tensor *t = v->kind == RILL_VALUE_TENSORS ? v->as.tensors[j]
                             : v->kind == RILL_VALUE_TENSOR ? v->as.tensor
                                                            : NULL;
      if (!visit(c, to, input, i, t)) return -1;
    }
  }
  return input;
}

static bool see_wanted(op_call *c, void *to, int input, int arg, const rill_tensor *t) {
  (void)input, (void)arg;
  *(bool *)to |= grad_wanted(c->ctx, t);
  return true;
}

bool record_wanted(const op_call *c) {
  bool wanted = false;
  if (c->ctx->grad_mode == GRAD_ON) each_input((op_call *)c, see_wanted, &wanted);
  return wanted;
}

static bool saves_arg(const op_call *c, int arg) { return c->op->save & OP_SAVE_INPUT(arg); }

static bool see_saved(op_call *c, void *to, int input, int arg, const rill_tensor *t) {
  (void)input;
  *(int *)to += t && saves_arg(c, arg);
  return true;
}

typedef struct recorder {
  node *node;
  int saved;
} recorder;

static bool see_connect(op_call *c, void *to, int input, int arg, const rill_tensor *t) {
  recorder *r = to;
  if (!t) {
    r->node->edge[input] = (edge){.node = NULL};
    return true;
  }
  if (!node_connect(c->ctx, r->node, input, t)) return false;
  if (!saves_arg(c, arg)) return true;
  if (t->inference) {
    op_fail(c, RILL_ERROR_GRAPH, "argument %d was made in inference mode and cannot be saved for backward", arg);
    return false;
  }
  node_save(r->node, r->saved++, t);
  return true;
}

static void free_payload(node *n) {
  heap_free(n->payload);
  n->payload = NULL;
}

/* What the copy of an argument needs beside its rill_value. */
static size_t extra_bytes(const rill_value *v) {
  if (v->kind == RILL_VALUE_INTS) return (size_t)v->count * sizeof(int64_t);
  if (v->kind == RILL_VALUE_STRING) return (strlen(v->as.string) / 8 + 1) * 8;
  if (v->kind == RILL_VALUE_TENSORS) return (size_t)v->count * sizeof(rill_tensor *);
  return 0;
}

/* A copy of the arguments that lives as long as the node; tensor pointers are cleared. */
static payload *copy_args(op_call *c) {
  size_t size = sizeof(payload) + (size_t)c->nargs * sizeof(rill_value);
  for (int i = 0; i < c->nargs; i++) size += extra_bytes(&c->args[i]);
  payload *p = context_alloc(c->ctx, c->op->name, size);
  if (!p) return NULL;
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
  return p;
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
  op_grad g = {.ctx = call->ctx, .op = p->op, .args = p->args, .grad = call->grad, .result = call->result,
               .need = call->need, .input = call->node->edge, .inputs = call->node->inputs};
  if (!load_saved(call, p, &g)) return rill_error(call->ctx);
  return p->op->backward(&g);
}

/* Extras are saved up to the last that forward set; those must have no gap. */
static int count_saves(op_call *c) {
  int saves = 0;
  each_input(c, see_saved, &saves);
  for (int o = 0; o < c->outputs; o++) saves += (c->op->save & OP_SAVE_OUTPUT(o)) != 0;
  for (int x = 0; x < OP_MAX_EXTRA && c->extra[x]; x++) saves++;
  return saves;
}

/* An output is saved as an alias outside the graph: saving itself would tie a knot of references. */
static bool save_results(op_call *c, recorder *r) {
  for (int o = 0; o < c->outputs; o++) {
    if (!(c->op->save & OP_SAVE_OUTPUT(o))) continue;
    rill_tensor *alias = tensor_alias(c->ctx, c->out[o]);
    if (!alias) return false;
    node_save(r->node, r->saved++, alias);
  }
  for (int x = 0; x < OP_MAX_EXTRA && c->extra[x]; x++) node_save(r->node, r->saved++, c->extra[x]);
  return true;
}

static bool see_nothing(op_call *c, void *to, int input, int arg, const rill_tensor *t) {
  (void)c, (void)to, (void)input, (void)arg, (void)t;
  return true;
}

rill_status record(op_call *c) {
  int inputs = each_input(c, see_nothing, NULL);
  node *n = node_new(c->ctx, c->op->name, inputs, c->outputs, count_saves(c));
  if (!n) return rill_error(c->ctx);
  recorder r = {n, 0};
  n->backward = backward;
  n->payload = copy_args(c);
  n->free_payload = free_payload;
  if (n->payload && each_input(c, see_connect, &r) >= 0 && save_results(c, &r))
    for (int o = 0; o < c->outputs; o++)
      if (dtype_is_float((rill_dtype)c->out[o]->dtype)) node_output(n, o, c->out[o]);
  handle_release(&n->base);
  return c->ctx->error;
}

rill_tensor *op_grad_new(op_grad *g, int i) {
  const edge *e = &g->input[i];
  return tensor_new(g->ctx, g->op->name, (rill_dtype)e->dtype, e->shape, e->ndim);
}
