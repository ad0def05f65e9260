/* Leaves, gradients and gradient modes. */
#include "autograd/hook.h"

rill_status rill_set_requires_grad(rill_context *ctx, rill_tensor *tensor, bool on) {
  static const char op[] = "set_requires_grad";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!tensor) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the tensor is NULL");
  if (!rill_is_leaf(tensor))
    return error_set(ctx, RILL_ERROR_GRAPH, op,
                     "the tensor is the result of recorded ops: detach it first");
  if (on && !dtype_computes((rill_dtype)tensor->dtype))
    return error_set(ctx, RILL_ERROR_DTYPE, op,
                     "only f32 and f64 tensors have gradients, this is %s",
                     rill_dtype_name((rill_dtype)tensor->dtype));
  if (on && tensor->inference)
    return error_set(ctx, RILL_ERROR_GRAPH, op,
                     "the tensor was made in inference mode: clone it outside first");
  if (on && !node_of_leaf(ctx, tensor)) return rill_error(ctx);
  tensor->requires_grad = on;
  return RILL_OK;
}

bool rill_requires_grad(const rill_tensor *tensor) { return tensor && tensor->requires_grad; }

bool rill_is_leaf(const rill_tensor *tensor) {
  return tensor && (!tensor->node || !((const node *)tensor->node)->backward);
}

rill_tensor *rill_tensor_grad(const rill_tensor *tensor) {
  if (!tensor || !tensor->node) return NULL;
  const node *n = (const node *)tensor->node;
  if (!n->backward) return n->grad;
  hook *kept = hook_kept(n, tensor->output);
  return kept ? kept->kept : NULL;
}

rill_status rill_set_grad(rill_context *ctx, rill_tensor *tensor, rill_tensor *grad) {
  static const char op[] = "set_grad";
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!tensor) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the tensor is NULL");
  if (!rill_is_leaf(tensor) || (grad && !tensor->requires_grad))
    return error_set(ctx, RILL_ERROR_GRAPH, op, "the tensor is no leaf that requires a gradient");
  if (!tensor->node) return RILL_OK;
  if (grad && (grad->dtype != tensor->dtype ||
               !shape_equal(grad->shape, grad->ndim, tensor->shape, tensor->ndim)))
    return error_set(
        ctx, RILL_ERROR_SHAPE, op, "the gradient is %s %s, the tensor %s %s",
        rill_dtype_name((rill_dtype)grad->dtype), shape_text(grad->shape, grad->ndim, a),
        rill_dtype_name((rill_dtype)tensor->dtype), shape_text(tensor->shape, tensor->ndim, b));
  if (grad && grad->requires_grad && !rill_is_leaf(grad))
    return error_set(ctx, RILL_ERROR_GRAPH, op,
                     "the gradient is itself part of a graph: detach it");
  if (grad) grad = (rill_tensor *)tensor_contiguous(ctx, op, grad);
  if (grad && grad->node) grad = tensor_alias(ctx, grad); /* it may be the tensor itself: no knot */
  if (ctx->error != RILL_OK) return ctx->error;
  node *n = (node *)tensor->node;
  if (grad) handle_retain(&grad->base);
  if (n->grad) handle_release(&n->grad->base);
  n->grad = grad;
  return RILL_OK;
}

rill_grad_mode rill_set_grad_mode(rill_context *ctx, rill_grad_mode mode) {
  if (!ctx) return RILL_GRAD_ON;
  rill_grad_mode before = (rill_grad_mode)ctx->grad_mode;
  if (mode >= RILL_GRAD_ON && mode <= RILL_GRAD_INFERENCE) ctx->grad_mode = (grad_mode)mode;
  return before;
}

rill_grad_mode rill_get_grad_mode(const rill_context *ctx) {
  return ctx ? (rill_grad_mode)ctx->grad_mode : RILL_GRAD_ON;
}

rill_tensor *rill_detach(rill_context *ctx, const rill_tensor *tensor) {
  if (!context_ready(ctx)) return NULL;
  if (!tensor) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "detach", "argument 'input' is NULL");
    return NULL;
  }
  return tensor_alias(ctx, tensor);
}
