/* Activation checkpointing: trade a second forward pass for the memory of the first one's graph
 * (Chen et al. 2016, "Training deep nets with sublinear memory cost"). */
#include "autograd/autograd.h"

#include <string.h>

typedef struct checkpoint {
  rill_function function;
  void *user;
  rill_random_state random;
} checkpoint;

/* Inputs again, as leaves of a graph of their own. */
static bool fresh_inputs(node_call *c, rill_tensor **inputs) {
  for (int i = 0; i < c->node->inputs; i++) {
    rill_tensor *t = node_saved(c->ctx, c->node, i);
    if (!t || !(inputs[i] = tensor_alias(c->ctx, t))) return false;
    if (c->need[i] && rill_set_requires_grad(c->ctx, inputs[i], true) != RILL_OK) return false;
  }
  return true;
}

static rill_status checkpoint_backward(node_call *c) {
  rill_context *ctx = c->ctx;
  if (c->capturing) /* the inner pass would add to the .grad of parameters within the function */
    return error_set(ctx, RILL_ERROR_GRAPH, "checkpoint",
                     "rill_grad cannot pass through: use rill_backward");
  checkpoint *k = c->node->payload;
  rill_tensor **inputs =
      context_alloc(ctx, "checkpoint", (size_t)(c->node->inputs + 1) * sizeof *inputs);
  if (!inputs) return rill_error(ctx);
  rill_random_state now = ctx->random;
  grad_mode before = ctx->grad_mode;
  if (fresh_inputs(c, inputs)) {
    ctx->random = k->random;
    ctx->grad_mode = GRAD_ON;
    rill_tensor *y = k->function(ctx, k->user, inputs, c->node->inputs);
    if (!y) error_set(ctx, RILL_ERROR_CALLBACK, "checkpoint", "the function returned NULL");
    if (y && y->requires_grad) rill_backward(ctx, y, c->grad[0], false);
    for (int i = 0; i < c->node->inputs; i++)
      if (c->need[i]) c->result[i] = rill_tensor_grad(inputs[i]);
  }
  ctx->grad_mode = before;
  ctx->random = now;
  heap_free(inputs);
  return ctx->error;
}

static rill_status checkpoint_record(rill_context *ctx, const checkpoint *k,
                                     rill_tensor *const *inputs, int n_inputs, rill_tensor *y) {
  node *n = node_new(ctx, "checkpoint", n_inputs, 1, n_inputs, sizeof *k);
  if (!n) return rill_error(ctx);
  memcpy(n->payload, k, sizeof *k);
  n->backward = checkpoint_backward;
  bool ok = true;
  for (int i = 0; ok && i < n_inputs; i++) {
    if (inputs[i]->inference)
      error_set(ctx, RILL_ERROR_GRAPH, "checkpoint",
                "input %d was made in inference mode and cannot be saved for backward", i);
    ok = ctx->error == RILL_OK && node_connect(ctx, n, i, inputs[i]);
    if (ok) node_save(n, i, inputs[i]);
  }
  if (ok) node_output(n, 0, y);
  handle_release(&n->base);
  return ctx->error;
}

rill_tensor *rill_checkpoint(rill_context *ctx, rill_function function, void *user,
                             rill_tensor *const *inputs, int n_inputs) {
  if (!context_ready(ctx)) return NULL;
  if (!function || n_inputs < 0 || (n_inputs && !inputs)) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "checkpoint", "the function or the inputs are NULL");
    return NULL;
  }
  for (int i = 0; i < n_inputs; i++) {
    if (inputs[i]) continue;
    error_set(ctx, RILL_ERROR_ARGUMENT, "checkpoint", "input %d is NULL", i);
    return NULL;
  }
  if (ctx->grad_mode != GRAD_ON) return function(ctx, user, inputs, n_inputs);
  checkpoint k = {function, user, ctx->random};
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  ctx->grad_mode = GRAD_OFF;
  rill_tensor *y = function(ctx, user, inputs, n_inputs);
  ctx->grad_mode = GRAD_ON;
  if (!y) error_set(ctx, RILL_ERROR_CALLBACK, "checkpoint", "the function returned NULL");
  if (y) y = tensor_alias(ctx, y);
  /* Recorded even where no input requires a gradient: parameters inside the function may. */
  if (y && dtype_is_float((rill_dtype)y->dtype) &&
      checkpoint_record(ctx, &k, inputs, n_inputs, y) != RILL_OK)
    y = NULL;
  return scope_close_keep(ctx, y);
}
