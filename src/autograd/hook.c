/* Gradient hooks and retained gradients of non-leaf tensors. */
#include "autograd/hook.h"

static void hook_free(hook *h) {
  if (h->free_user) h->free_user(h->user);
  if (h->kept) handle_release(&h->kept->base);
  heap_free(h);
}

void hooks_free(node *n) {
  while (n->hooks) {
    hook *h = n->hooks;
    n->hooks = h->next;
    hook_free(h);
  }
}

hook *hook_kept(const node *n, int output) {
  for (hook *h = n->hooks; h; h = h->next)
    if (!h->call && h->output == output) return h;
  return NULL;
}

/* Returns what takes the gradient's place, or NULL with the error set. */
static rill_tensor *hook_call(rill_context *ctx, node *n, hook *h, rill_tensor *grad) {
  rill_tensor *other = h->call(ctx, h->user, grad);
  if (ctx->error != RILL_OK) return NULL;
  if (!other) return grad;
  if (other->dtype == grad->dtype &&
      shape_equal(other->shape, other->ndim, grad->shape, grad->ndim))
    return (rill_tensor *)tensor_contiguous(ctx, n->name, other);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  error_set(ctx, RILL_ERROR_SHAPE, n->name,
            "a gradient hook returned %s %s for a gradient of %s %s",
            rill_dtype_name((rill_dtype)other->dtype), shape_text(other->shape, other->ndim, a),
            rill_dtype_name((rill_dtype)grad->dtype), shape_text(grad->shape, grad->ndim, b));
  return NULL;
}

/* The first hook of `output` after `id` and no later than `last`. Looked for anew each time, since a
 * hook may add and remove hooks. */
static hook *hook_after(const node *n, int output, int64_t id, int64_t last) {
  for (hook *h = n->hooks; h && h->id <= last; h = h->next)
    if (h->id > id && h->output == output && h->call) return h;
  return NULL;
}

rill_tensor *hooks_run(rill_context *ctx, node *n, int output, rill_tensor *grad) {
  int64_t id = 0, last = 0;
  for (const hook *h = n->hooks; h; h = h->next) last = h->id;
  for (hook *h; grad && (h = hook_after(n, output, id, last));) {
    id = h->id;
    grad = hook_call(ctx, n, h, grad);
  }
  return grad;
}

/* Appends a hook to the tensor's node; NULL with the error set. */
static hook *hook_add(rill_context *ctx, const char *op, rill_tensor *t) {
  if (!context_ready(ctx)) return NULL;
  if (!t || !t->requires_grad) {
    error_set(ctx, t ? RILL_ERROR_GRAPH : RILL_ERROR_ARGUMENT, op, "the tensor %s",
              t ? "requires no gradient" : "is NULL");
    return NULL;
  }
  hook *h = context_alloc(ctx, op, sizeof *h);
  if (!h) return NULL;
  node *n = (node *)t->node;
  hook **end = &n->hooks;
  int64_t id = 1;
  for (; *end; end = &(*end)->next) id = (*end)->id + 1;
  *h = (hook){.id = id, .output = t->output};
  *end = h;
  return h;
}

int64_t rill_add_grad_hook(rill_context *ctx, rill_tensor *tensor, rill_grad_hook call, void *user,
                           rill_finalizer free_user) {
  if (!call) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "add_grad_hook", "the hook is NULL");
    return 0;
  }
  hook *h = hook_add(ctx, "add_grad_hook", tensor);
  if (!h) return 0;
  h->call = call;
  h->user = user;
  h->free_user = free_user;
  return h->id;
}

rill_status rill_remove_grad_hook(rill_context *ctx, rill_tensor *tensor, int64_t id) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!tensor) return error_set(ctx, RILL_ERROR_ARGUMENT, "remove_grad_hook", "the tensor is NULL");
  node *n = (node *)tensor->node;
  for (hook **at = n ? &n->hooks : NULL; at && *at; at = &(*at)->next) {
    if ((*at)->id != id || !(*at)->call || (*at)->output != tensor->output) continue;
    hook *h = *at;
    *at = h->next;
    hook_free(h);
    return RILL_OK;
  }
  return error_set(ctx, RILL_ERROR_NOT_FOUND, "remove_grad_hook", "the tensor has no hook %lld",
                   (long long)id);
}

rill_status rill_retain_grad(rill_context *ctx, rill_tensor *tensor) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (tensor && tensor->requires_grad &&
      (rill_is_leaf(tensor) || hook_kept((node *)tensor->node, tensor->output)))
    return RILL_OK;
  return hook_add(ctx, "retain_grad", tensor) ? RILL_OK : rill_error(ctx);
}
