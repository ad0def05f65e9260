/* Gradient hooks: callbacks of the host kept on a graph node, one list a node. */
#ifndef RILL_SRC_HOOK_H
#define RILL_SRC_HOOK_H

#include "autograd/autograd.h"

typedef struct hook {
  struct hook *next; /* in the order they were added */
  int64_t id;
  int16_t output;
  rill_grad_hook call; /* NULL: rill_retain_grad keeps the gradient in `kept` */
  void *user;
  rill_finalizer free_user;
  rill_tensor *kept;
} hook;

void hooks_free(node *n);
/* Passes a gradient through the hooks of output `output`; returns it or its replacement, borrowed
 * or scope-owned; NULL with the error set. */
rill_tensor *hooks_run(rill_context *ctx, node *n, int output, rill_tensor *grad);
/* The gradient kept for output `output` by rill_retain_grad; NULL where none. */
hook *hook_kept(const node *n, int output);

/* The node of a tensor that requires a gradient, made for a leaf on first use. NULL with the error
 * set. (graph.c) */
node *node_of_leaf(rill_context *ctx, rill_tensor *t);
void node_release_saved(node *n);

#endif
