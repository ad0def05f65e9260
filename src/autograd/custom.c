/* Ops that the host defines by a forward and a backward callback: torch.autograd.Function. */
#include "autograd/autograd.h"

#include <string.h>

/* One table of tensors for both directions: forward fills outputs and saved, backward reads saved and
 * gradients and fills results. */
struct rill_custom_call {
  rill_context *ctx;
  const char *name;
  rill_tensor *const *inputs; /* forward */
  int n_inputs, n_outputs;
  rill_tensor **outputs; /* forward */
  rill_tensor **saved;   /* forward: gathered here, then moved to the node */
  int n_saved, saved_capacity;
  node_call *backward; /* backward */
};

typedef struct custom {
  rill_custom_op op;
  void *user;
} custom;

void rill_custom_op_init(rill_custom_op *op) {
  if (op) *op = (rill_custom_op)RILL_CUSTOM_OP_INIT;
}

static void custom_free(node *n) {
  custom *c = n->payload;
  n->payload = NULL;
  if (c->op.free_user) c->op.free_user(c->user);
  heap_free(c);
}

static rill_status custom_backward(node_call *n) {
  custom *c = n->node->payload;
  if (!c->op.backward) return error_set(n->ctx, RILL_ERROR_GRAPH, n->node->name, "has no backward");
  rill_custom_call call = {.ctx = n->ctx,
                           .name = n->node->name,
                           .n_inputs = n->node->inputs,
                           .n_outputs = n->node->outputs,
                           .n_saved = n->node->saves,
                           .backward = n};
  rill_status s = c->op.backward(n->ctx, &call, c->user);
  if (s != RILL_OK && n->ctx->error == RILL_OK)
    error_set(n->ctx, RILL_ERROR_CALLBACK, n->node->name, "backward returned %s",
              rill_status_name(s));
  return n->ctx->error;
}

/* Runs the callback without recording and checks that it set every output. */
static rill_status custom_forward(rill_custom_call *call, const rill_custom_op *op, void *user) {
  rill_context *ctx = call->ctx;
  grad_mode before = ctx->grad_mode;
  if (before == GRAD_ON) ctx->grad_mode = GRAD_OFF;
  rill_status s = op->forward(ctx, call, user);
  ctx->grad_mode = before;
  if (ctx->error != RILL_OK) return ctx->error;
  if (s != RILL_OK)
    return error_set(ctx, RILL_ERROR_CALLBACK, op->name, "forward returned %s",
                     rill_status_name(s));
  for (int o = 0; o < call->n_outputs; o++) {
    if (!call->outputs[o])
      return error_set(ctx, RILL_ERROR_CALLBACK, op->name, "forward did not set output %d", o);
    /* An alias: it may be an input, or be kept by the callback, and gets a graph place of its own. */
    if (!(call->outputs[o] = tensor_alias(ctx, call->outputs[o]))) return ctx->error;
  }
  return RILL_OK;
}

/* Makes the node. Takes `c` over where it returns RILL_OK. */
static rill_status custom_record(rill_custom_call *call, custom *c) {
  node *n = node_new(call->ctx, c->op.name, call->n_inputs, call->n_outputs, call->n_saved, 0);
  if (!n) return rill_error(call->ctx);
  bool ok = true;
  for (int i = 0; i < call->n_saved; i++) {
    if (!call->saved[i]->inference) continue;
    error_set(call->ctx, RILL_ERROR_GRAPH, c->op.name, "saved tensor %d was made in inference mode",
              i);
    ok = false;
  }
  for (int i = 0; ok && i < call->n_inputs; i++)
    ok = node_connect(call->ctx, n, i, call->inputs[i]);
  if (ok) {
    for (int i = 0; i < call->n_saved; i++) node_save(n, i, call->saved[i]);
    n->backward = custom_backward;
    n->payload = c;
    n->free_payload = custom_free;
    for (int o = 0; o < call->n_outputs; o++)
      if (dtype_is_float((rill_dtype)call->outputs[o]->dtype)) node_output(n, o, call->outputs[o]);
  }
  handle_release(&n->base);
  return call->ctx->error;
}

/* Closes the call's scope, handing the outputs to the one outside. */
static void custom_close(rill_custom_call *call) {
  rill_context *ctx = call->ctx;
  bool ok = ctx->error == RILL_OK;
  for (int o = 0; ok && o < call->n_outputs; o++) handle_retain(&call->outputs[o]->base);
  rill_scope_close(ctx);
  for (int o = 0; ok && o < call->n_outputs; o++)
    call->outputs[o] = scope_own(ctx, call->outputs[o]);
}

static rill_status check_apply(rill_context *ctx, const rill_custom_op *op,
                               rill_tensor *const *inputs, int n_inputs, rill_tensor **outputs,
                               int n_outputs) {
  static const char name[] = "custom_apply";
  if (!op || !op->forward || !op->name)
    return error_set(ctx, RILL_ERROR_ARGUMENT, name, "the op, its name or its forward is NULL");
  if (n_inputs < 0 || n_outputs < 1 || !outputs || (n_inputs && !inputs))
    return error_set(ctx, RILL_ERROR_ARGUMENT, name, "%d inputs and %d outputs, or NULL lists",
                     n_inputs, n_outputs);
  for (int i = 0; i < n_inputs; i++)
    if (!inputs[i]) return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "input %d is NULL", i);
  return RILL_OK;
}

rill_status rill_custom_apply(rill_context *ctx, const rill_custom_op *op, void *user,
                              rill_tensor *const *inputs, int n_inputs, rill_tensor **outputs,
                              int n_outputs) {
  rill_custom_op copy;
  options_read(&copy, sizeof copy, op);
  custom *c = NULL;
  rill_custom_call call = {.ctx = ctx,
                           .name = copy.name,
                           .inputs = inputs,
                           .n_inputs = n_inputs,
                           .n_outputs = n_outputs,
                           .outputs = outputs};
  bool wanted = false, recorded = false;
  if (!context_ready(ctx) || check_apply(ctx, op, inputs, n_inputs, outputs, n_outputs) != RILL_OK)
    goto end;
  for (int o = 0; o < n_outputs; o++) outputs[o] = NULL;
  for (int i = 0; i < n_inputs; i++) wanted |= grad_wanted(ctx, inputs[i]);
  if (wanted && !copy.backward) {
    error_set(ctx, RILL_ERROR_GRAPH, copy.name,
              "has no backward, and an input requires a gradient");
    goto end;
  }
  if (!(c = context_alloc(ctx, copy.name, sizeof *c)) || rill_scope_open(ctx) != RILL_OK) goto end;
  *c = (custom){copy, user};
  if (custom_forward(&call, &copy, user) == RILL_OK && wanted)
    recorded = custom_record(&call, c) == RILL_OK;
  custom_close(&call);
end:
  if (!recorded) {
    heap_free(c);
    if (copy.free_user) copy.free_user(user);
  }
  heap_free(call.saved);
  if (rill_error(ctx) != RILL_OK && outputs)
    for (int o = 0; o < n_outputs; o++) outputs[o] = NULL;
  return rill_error(ctx);
}

/* Reports a callback's wrong use of its call. */
static rill_status misuse(const rill_custom_call *call, const char *what, int index) {
  return error_set(call->ctx, RILL_ERROR_CALLBACK, call->name, "%s %d: no such place in this call",
                   what, index);
}

rill_tensor *rill_custom_input(const rill_custom_call *call, int index) {
  if (!call) return NULL;
  if (!call->backward && index >= 0 && index < call->n_inputs) return call->inputs[index];
  misuse(call, "input", index);
  return NULL;
}

rill_status rill_custom_save(rill_custom_call *call, rill_tensor *tensor) {
  if (!call) return RILL_ERROR_ARGUMENT;
  if (call->backward || !tensor) return misuse(call, "save", call->n_saved);
  if (call->n_saved == call->saved_capacity) {
    int larger = call->saved_capacity ? 2 * call->saved_capacity : 8;
    rill_tensor **block = context_alloc(call->ctx, call->name, (size_t)larger * sizeof *block);
    if (!block) return rill_error(call->ctx);
    if (call->n_saved) memcpy(block, call->saved, (size_t)call->n_saved * sizeof *block);
    heap_free(call->saved);
    call->saved = block;
    call->saved_capacity = larger;
  }
  call->saved[call->n_saved++] = tensor;
  return RILL_OK;
}

rill_status rill_custom_set_output(rill_custom_call *call, int index, rill_tensor *output) {
  if (!call) return RILL_ERROR_ARGUMENT;
  if (call->backward || index < 0 || index >= call->n_outputs) return misuse(call, "output", index);
  if (output) call->outputs[index] = output;
  return output ? RILL_OK : rill_error(call->ctx);
}

rill_tensor *rill_custom_saved(const rill_custom_call *call, int index) {
  if (!call) return NULL;
  if (call->backward && index >= 0 && index < call->n_saved)
    return node_saved(call->ctx, call->backward->node, index);
  misuse(call, "saved tensor", index);
  return NULL;
}

rill_tensor *rill_custom_grad(const rill_custom_call *call, int index) {
  if (!call) return NULL;
  if (call->backward && index >= 0 && index < call->n_outputs) return call->backward->grad[index];
  misuse(call, "output gradient", index);
  return NULL;
}

bool rill_custom_needs_grad(const rill_custom_call *call, int index) {
  return call && call->backward && index >= 0 && index < call->n_inputs &&
         call->backward->need[index];
}

rill_status rill_custom_set_grad(rill_custom_call *call, int index, rill_tensor *grad) {
  if (!call) return RILL_ERROR_ARGUMENT;
  if (!call->backward || index < 0 || index >= call->n_inputs)
    return misuse(call, "input gradient", index);
  call->backward->result[index] = grad;
  return rill_error(call->ctx);
}
