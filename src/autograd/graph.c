/* Graph nodes: making, connecting and letting go of them; which tensors are recorded. */
#include "autograd/autograd.h"
#include "autograd/hook.h"

#include <string.h>

/* Lets go of what backward needed. The tensors kept may be the last holders of other nodes: those
 * are unlinked here and handed to the caller through `dead`, so that no chain of destructors
 * recurses however deep the graph is. */
static void drop_saved(node *n, node **dead) {
  for (int i = 0; i < n->saves; i++) {
    rill_tensor *t = n->saved[i].tensor;
    n->saved[i].tensor = NULL;
    if (!t) continue;
    if (dead && t->node && atomic_load_explicit(&t->base.refs, memory_order_acquire) == 1) {
      node *held = (node *)t->node;
      t->node = NULL;
      if (atomic_fetch_sub_explicit(&held->base.refs, 1, memory_order_acq_rel) == 1) {
        held->next = *dead;
        *dead = held;
      }
    }
    handle_release(&t->base);
  }
  if (n->free_payload) {
    n->free_payload(n);
    n->free_payload = NULL;
  }
  n->released = true;
}

void node_release_saved(node *n) {
  if (n->saves) drop_saved(n, NULL); /* what saves nothing may run again, as in PyTorch */
}

static void node_free(node *n, node **dead) {
  drop_saved(n, dead);
  for (int i = 0; i < n->inputs; i++) {
    node *from = n->edge[i].node;
    if (from && atomic_fetch_sub_explicit(&from->base.refs, 1, memory_order_acq_rel) == 1) {
      from->next = *dead;
      *dead = from;
    }
  }
  if (n->pending)
    for (int o = 0; o < n->outputs; o++)
      if (n->pending[o]) handle_release(&n->pending[o]->base);
  if (n->grad) handle_release(&n->grad->base);
  hooks_free(n);
  heap_free(n);
}

static void node_destroy(handle *h) {
  node *dead = (node *)h;
  dead->next = NULL;
  while (dead) {
    node *n = dead;
    dead = n->next;
    node_free(n, &dead);
  }
}

node *node_new(rill_context *ctx, const char *name, int inputs, int outputs, int saves,
               size_t payload) {
  size_t size = sizeof(node) + (size_t)inputs * sizeof(edge) + (size_t)saves * sizeof(saved) +
                (size_t)outputs * sizeof(rill_tensor *) + payload;
  node *n = context_alloc(ctx, name, size);
  if (!n) return NULL;
  memset(n, 0, sizeof *n);
  handle_init(&n->base, node_destroy);
  n->ctx = ctx;
  n->sequence = ctx->next_sequence++;
  n->name = name;
  n->inputs = inputs;
  n->outputs = outputs;
  n->saves = saves;
  n->edge = (edge *)(n + 1);
  n->saved = (saved *)(n->edge + inputs);
  n->pending = (rill_tensor **)(n->saved + saves);
  n->payload = payload ? n->pending + outputs : NULL;
  for (int i = 0; i < inputs; i++) n->edge[i].node = NULL;
  if (saves) memset(n->saved, 0, (size_t)saves * sizeof(saved));
  memset(n->pending, 0, (size_t)outputs * sizeof(rill_tensor *));
  return n;
}

node *node_of_leaf(rill_context *ctx, rill_tensor *t) {
  if (t->node) return (node *)t->node;
  node *n = node_new(ctx, "leaf", 0, 1, 0, 0);
  if (!n) return NULL;
  n->ctx = NULL;
  n->sequence = 0;
  t->node = &n->base;
  t->output = 0;
  return n;
}

bool node_connect(rill_context *ctx, node *n, int i, const rill_tensor *t) {
  edge *e = &n->edge[i];
  e->dtype = t->dtype;
  e->ndim = t->ndim;
  memcpy(e->shape, t->shape, sizeof e->shape);
  e->node = NULL;
  if (!t->requires_grad) return true;
  node *from = (node *)t->node;
  if (from->ctx && from->ctx != ctx) {
    error_set(ctx, RILL_ERROR_GRAPH, n->name, "input %d belongs to the graph of another context",
              i);
    return false;
  }
  handle_retain(&from->base);
  e->node = from;
  e->output = t->output;
  return true;
}

void node_save(node *n, int i, const rill_tensor *t) {
  n->saved[i].tensor = (rill_tensor *)t;
  handle_retain((handle *)t);
  n->saved[i].version = atomic_load_explicit(&t->storage->version, memory_order_relaxed);
}

rill_tensor *node_saved(rill_context *ctx, const node *n, int i) {
  if (n->released) {
    error_set(ctx, RILL_ERROR_GRAPH, n->name,
              "its saved values are gone: backward ran already, without retain_graph");
    return NULL;
  }
  const saved *s = &n->saved[i];
  unsigned now = atomic_load_explicit(&s->tensor->storage->version, memory_order_relaxed);
  if (now != s->version) {
    char shape[SHAPE_TEXT];
    error_set(ctx, RILL_ERROR_GRAPH, n->name,
              "a tensor of shape %s that backward needs was changed in place: saved at version %u, "
              "now %u",
              shape_text(s->tensor->shape, s->tensor->ndim, shape), s->version, now);
    return NULL;
  }
  return s->tensor;
}

void node_output(node *n, int o, rill_tensor *t) {
  handle_retain(&n->base);
  t->node = &n->base;
  t->output = (int16_t)o;
  t->requires_grad = true;
}

bool grad_wanted(const rill_context *ctx, const rill_tensor *t) {
  return ctx->grad_mode == GRAD_ON && t && t->requires_grad;
}

bool inplace_allowed(rill_context *ctx, const char *op, rill_tensor *t) {
  if (grad_wanted(ctx, t)) {
    error_set(ctx, RILL_ERROR_GRAPH, op,
              "the target requires a gradient: in-place changes are not recorded; "
              "turn gradients off around it");
    return false;
  }
  atomic_fetch_add_explicit(&t->storage->version, 1, memory_order_relaxed);
  return true;
}
