/* The backward engine: nodes run in the reverse of the order that made them, taken from a queue, so
 * neither depth nor width of a graph uses the C stack. A node's saved values go back as soon as it
 * has run. */
#include "autograd/hook.h"
#include "rill/pure.h"

#include <string.h>

/* Where rill_grad wants a gradient left. */
typedef struct capture {
  node *node;
  int output;
  rill_tensor *grad; /* owned; NULL until it comes */
} capture;

typedef struct engine {
  rill_context *ctx;
  const char *op;
  node **queue; /* a binary heap, the newest node first; holds a reference to each */
  int64_t count, capacity;
  bool retain_graph;
  capture *captures; /* NULL: leaves accumulate */
  int capture_count;
  uint64_t floor; /* of rill_grad: no node made before this one leads to a capture */
} engine;

static bool queue_push(engine *e, node *n) {
  if (e->count == e->capacity) {
    int64_t larger = e->capacity ? e->capacity * 2 : 64;
    node **block = context_alloc(e->ctx, e->op, (size_t)larger * sizeof *block);
    if (!block) return false;
    if (e->count) memcpy(block, e->queue, (size_t)e->count * sizeof *block);
    heap_free(e->queue);
    e->queue = block;
    e->capacity = larger;
  }
  int64_t i = e->count++;
  for (; i && e->queue[(i - 1) / 2]->sequence < n->sequence; i = (i - 1) / 2)
    e->queue[i] = e->queue[(i - 1) / 2];
  e->queue[i] = n;
  handle_retain(&n->base);
  n->queued = e;
  return true;
}

/* The newest node, with the queue's reference to it. */
static node *queue_pop(engine *e) {
  node *top = e->queue[0], *last = e->queue[--e->count];
  int64_t i = 0;
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child >= e->count) break;
    if (child + 1 < e->count && e->queue[child + 1]->sequence > e->queue[child]->sequence) child++;
    if (e->queue[child]->sequence <= last->sequence) break;
    e->queue[i] = e->queue[child];
    i = child;
  }
  e->queue[i] = last;
  top->queued = NULL;
  return top;
}

typedef struct accumulate_job {
  rill_dtype dtype;
  char *y;
  const char *x;
} accumulate_job;

static void accumulate_part(void *arg, int64_t begin, int64_t end, int slot) {
  accumulate_job *j = arg;
  (void)slot;
  if (j->dtype == RILL_F32)
    rill_accumulate_f32((float *)j->y + begin, (const float *)j->x + begin, end - begin);
  else
    rill_accumulate_f64((double *)j->y + begin, (const double *)j->x + begin, end - begin);
}

/* y += x, both contiguous, of one shape and dtype. */
static void accumulate(rill_context *ctx, rill_tensor *y, const rill_tensor *x) {
  accumulate_job j = {(rill_dtype)y->dtype, y->data, x->data};
  pool_for(ctx, y->numel, 65536, accumulate_part, &j);
}

static bool sole_owner(const rill_tensor *t) {
  return atomic_load_explicit(&t->base.refs, memory_order_acquire) == 1 &&
         atomic_load_explicit(&t->storage->refs, memory_order_acquire) == 1 && !t->storage->deleter;
}

/* A contiguous copy that nobody else holds; one reference, the caller's. */
static rill_tensor *own_copy(rill_context *ctx, const char *op, const rill_tensor *t) {
  rill_tensor *copy = tensor_new(ctx, op, (rill_dtype)t->dtype, t->shape, t->ndim);
  if (!copy) return NULL;
  memcpy(copy->data, t->data, (size_t)t->numel * rill_dtype_size((rill_dtype)t->dtype));
  handle_retain(&copy->base);
  return copy;
}

/* *slot += grad, taking a share of grad where it is the first. grad: contiguous. */
static bool gather(engine *e, rill_tensor **slot, rill_tensor *grad) {
  if (!*slot) {
    handle_retain(&grad->base);
    *slot = grad;
    return true;
  }
  if (!sole_owner(*slot)) { /* what is shared must not change */
    rill_tensor *copy = own_copy(e->ctx, e->op, *slot);
    if (!copy) return false;
    handle_release(&(*slot)->base);
    *slot = copy;
  }
  accumulate(e->ctx, *slot, grad);
  return true;
}

/* Sums x, contiguous, over one dim of its [outer, n, inner] view into a tensor of the given shape. */
static rill_tensor *sum_dim(engine *e, const rill_tensor *x, const int64_t *shape, int ndim,
                            int64_t outer, int64_t n, int64_t inner) {
  rill_tensor *y = tensor_new(e->ctx, e->op, (rill_dtype)x->dtype, shape, ndim);
  if (!y) return NULL;
  if (x->dtype == RILL_F32)
    rill_sum_f32((const float *)x->data, (float *)y->data, outer, n, inner);
  else
    rill_sum_f64((const double *)x->data, (double *)y->data, outer, n, inner);
  return y;
}

/* Sums the dims away that broadcasting of `to` gave. NULL with the error set. */
static rill_tensor *sum_to(engine *e, rill_tensor *grad, const edge *to) {
  int lead = grad->ndim - to->ndim;
  if (lead > 0) {
    int64_t n = 1, inner = 1;
    for (int d = 0; d < lead; d++) n *= grad->shape[d];
    for (int d = lead; d < grad->ndim; d++) inner *= grad->shape[d];
    grad = sum_dim(e, grad, grad->shape + lead, to->ndim, 1, n, inner);
  }
  for (int d = 0; grad && d < to->ndim; d++) {
    if (to->shape[d] != 1 || grad->shape[d] == 1) continue;
    int64_t shape[RILL_MAX_DIMS], outer = 1, inner = 1;
    for (int i = 0; i < to->ndim; i++) {
      shape[i] = i == d ? 1 : grad->shape[i];
      if (i < d) outer *= grad->shape[i];
      if (i > d) inner *= grad->shape[i];
    }
    grad = sum_dim(e, grad, shape, to->ndim, outer, grad->shape[d], inner);
  }
  return grad;
}

/* A pass within a pass (in a hook, or of a checkpoint) may meet nodes of the outer one. It may add to
 * a leaf that waits there, since the outer pass will accumulate it; it may not run a node twice at
 * once, nor give away what the outer pass has gathered. */
static bool may_reach(engine *e, const node *n) {
  if (n->ctx && n->ctx != e->ctx)
    error_set(e->ctx, RILL_ERROR_GRAPH, e->op, "%s belongs to the graph of another context",
              n->name);
  else if (n->running || (n->queued && n->queued != e && (n->backward || e->captures)))
    error_set(e->ctx, RILL_ERROR_GRAPH, e->op,
              "%s is part of a backward pass that is still running", n->name);
  return e->ctx->error == RILL_OK;
}

/* Hands one input's gradient on to where the input came from. */
static bool deliver(engine *e, const node *n, const edge *to, const rill_tensor *result) {
  rill_tensor *grad =
      (rill_tensor *)tensor_converted(e->ctx, n->name, result, (rill_dtype)to->dtype);
  if (grad && !shape_equal(grad->shape, grad->ndim, to->shape, to->ndim)) {
    int64_t joint[RILL_MAX_DIMS];
    int joint_ndim;
    if (!shape_broadcast(grad->shape, grad->ndim, to->shape, to->ndim, joint, &joint_ndim) ||
        !shape_equal(joint, joint_ndim, grad->shape, grad->ndim)) {
      char a[SHAPE_TEXT], b[SHAPE_TEXT];
      error_set(e->ctx, RILL_ERROR_SHAPE, n->name,
                "backward gave a gradient of %s for an input of %s",
                shape_text(grad->shape, grad->ndim, a), shape_text(to->shape, to->ndim, b));
      return false;
    }
    grad = sum_to(e, grad, to);
  }
  if (!grad) return false;
  node *from = to->node;
  return may_reach(e, from) && (from->queued || queue_push(e, from)) &&
         gather(e, &from->pending[to->output], grad);
}

/* Runs hooks over the gathered gradients and leaves copies where rill_grad asked for them. */
static bool settle_outputs(engine *e, node *n) {
  for (int o = 0; o < n->outputs; o++) {
    rill_tensor *grad = n->pending[o];
    if (!grad) continue;
    if (n->hooks) {
      rill_tensor *other = hooks_run(e->ctx, n, o, grad);
      if (!other) return false;
      handle_retain(&other->base);
      handle_release(&grad->base);
      n->pending[o] = grad = other;
      hook *kept = hook_kept(n, o); /* after every hook, as in PyTorch */
      if (kept && !gather(e, &kept->kept, grad)) return false;
    }
    for (int i = 0; i < e->capture_count; i++) {
      capture *c = &e->captures[i];
      if (c->node != n || c->output != o) continue;
      handle_retain(&grad->base);
      c->grad = grad;
    }
  }
  return true;
}

static void drop_pending(node *n) {
  for (int o = 0; o < n->outputs; o++) {
    if (n->pending[o]) handle_release(&n->pending[o]->base);
    n->pending[o] = NULL;
  }
}

/* A leaf keeps its gradient: the sum over backward passes. A shared one is copied, so that nothing
 * else changes with it later. */
static bool finish_leaf(engine *e, node *n) {
  rill_tensor *grad = n->pending[0];
  if (e->captures || !grad) return true;
  if (n->grad) return gather(e, &n->grad, grad);
  if (sole_owner(grad)) {
    n->grad = grad;
    n->pending[0] = NULL;
    return true;
  }
  return (n->grad = own_copy(e->ctx, e->op, grad)) != NULL;
}

static bool run_backward(engine *e, node *n) {
  if (n->released) return node_saved(e->ctx, n, 0) != NULL;
  rill_tensor *local[16] = {0}, **result = local;
  bool local_need[16], *need = local_need;
  void *block = NULL;
  if (n->inputs > 16) {
    size_t each = sizeof(rill_tensor *) + sizeof(bool);
    block = context_alloc(e->ctx, n->name, (size_t)n->inputs * each);
    if (!block) return false;
    result = block;
    need = (bool *)(result + n->inputs);
    memset(result, 0, (size_t)n->inputs * sizeof *result);
  }
  for (int i = 0; i < n->inputs; i++) need[i] = n->edge[i].node != NULL;
  node_call call = {e->ctx, n, n->pending, result, need, e->captures != NULL};
  bool ok = n->backward(&call) == RILL_OK && e->ctx->error == RILL_OK;
  for (int i = 0; ok && i < n->inputs; i++)
    if (need[i] && result[i]) ok = deliver(e, n, &n->edge[i], result[i]);
  heap_free(block);
  return ok;
}

static bool run_node(engine *e, node *n) {
  if (n->sequence < e->floor) {
    drop_pending(n);
    return true;
  }
  bool last = e->captures && n->sequence == e->floor; /* nothing is wanted of what lies below */
  if (rill_scope_open(e->ctx) != RILL_OK) {
    drop_pending(n);
    return false;
  }
  n->running = true;
  bool ok = settle_outputs(e, n);
  if (ok && !last) ok = n->backward ? run_backward(e, n) : finish_leaf(e, n);
  n->running = false;
  rill_scope_close(e->ctx);
  drop_pending(n);
  if (ok && !last && n->backward && !e->retain_graph) node_release_saved(n);
  return ok;
}

/* Runs until the queue is empty, or an error; nothing stays queued or gathered. */
static rill_status engine_run(engine *e) {
  grad_mode before = e->ctx->grad_mode;
  e->ctx->grad_mode = GRAD_OFF;
  bool ok = e->ctx->error == RILL_OK;
  while (e->count) {
    node *n = queue_pop(e);
    if (ok)
      ok = run_node(e, n);
    else
      drop_pending(n);
    handle_release(&n->base);
  }
  heap_free(e->queue);
  e->queue = NULL;
  e->ctx->grad_mode = before;
  return e->ctx->error;
}

/* Queues the first gradient: `seed`, or one for a single element. */
static bool engine_seed(engine *e, const rill_tensor *output, const rill_tensor *seed) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  rill_context *ctx = e->ctx;
  if (!output->requires_grad) {
    error_set(ctx, RILL_ERROR_GRAPH, e->op, "the output requires no gradient");
    return false;
  }
  if (!seed && output->numel != 1) {
    error_set(
        ctx, RILL_ERROR_SHAPE, e->op,
        "an output of %s needs a gradient to start from: only a single element has one by itself",
        shape_text(output->shape, output->ndim, a));
    return false;
  }
  if (seed && !shape_equal(seed->shape, seed->ndim, output->shape, output->ndim)) {
    error_set(ctx, RILL_ERROR_SHAPE, e->op, "the gradient has shape %s, the output %s",
              shape_text(seed->shape, seed->ndim, a), shape_text(output->shape, output->ndim, b));
    return false;
  }
  edge to = {.node = (node *)output->node,
             .output = output->output,
             .dtype = output->dtype,
             .ndim = output->ndim};
  memcpy(to.shape, output->shape, sizeof to.shape);
  if (rill_scope_open(ctx) != RILL_OK) return false;
  if (!seed) seed = rill_full(ctx, (rill_dtype)output->dtype, output->shape, output->ndim, 1);
  bool ok = seed && deliver(e, to.node, &to, seed);
  rill_scope_close(ctx);
  return ok;
}

rill_status rill_backward(rill_context *ctx, rill_tensor *output, const rill_tensor *grad,
                          bool retain_graph) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!output) return error_set(ctx, RILL_ERROR_ARGUMENT, "backward", "the output is NULL");
  engine e = {.ctx = ctx, .op = "backward", .retain_graph = retain_graph};
  engine_seed(&e, output, grad);
  return engine_run(&e);
}

/* Moves the captured gradients to the caller, in its scope. */
static void hand_out(engine *e, bool allow_unused, rill_tensor **results) {
  for (int i = 0; i < e->capture_count; i++) {
    results[i] = NULL;
    rill_tensor *grad = e->captures[i].grad;
    if (!grad && !allow_unused)
      error_set(e->ctx, RILL_ERROR_GRAPH, e->op, "input %d had no part in the outputs", i);
    if (grad && e->ctx->error != RILL_OK)
      handle_release(&grad->base);
    else if (grad)
      results[i] = scope_own(e->ctx, grad);
  }
  if (e->ctx->error != RILL_OK)
    for (int i = 0; i < e->capture_count; i++) results[i] = NULL;
}

rill_status rill_grad(rill_context *ctx, rill_tensor *const *outputs, int n_outputs,
                      rill_tensor *const *inputs, int n_inputs, const rill_tensor *const *grads,
                      bool retain_graph, bool allow_unused, rill_tensor **results) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!outputs || n_outputs < 1 || !inputs || n_inputs < 1 || !results)
    return error_set(ctx, RILL_ERROR_ARGUMENT, "grad",
                     "outputs, inputs and results must not be NULL or empty");
  for (int i = 0; i < n_inputs; i++) results[i] = NULL;
  for (int i = 0; i < n_inputs; i++) {
    if (!inputs[i]) return error_set(ctx, RILL_ERROR_ARGUMENT, "grad", "input %d is NULL", i);
    if (!inputs[i]->requires_grad)
      return error_set(ctx, RILL_ERROR_GRAPH, "grad", "input %d requires no gradient", i);
  }
  engine e = {.ctx = ctx, .op = "grad", .retain_graph = retain_graph, .capture_count = n_inputs};
  e.captures = context_alloc(ctx, "grad", (size_t)n_inputs * sizeof(capture));
  if (!e.captures) return rill_error(ctx);
  e.floor = UINT64_MAX;
  for (int i = 0; i < n_inputs; i++) {
    e.captures[i] = (capture){(node *)inputs[i]->node, inputs[i]->output, NULL};
    if (e.captures[i].node->sequence < e.floor) e.floor = e.captures[i].node->sequence;
  }
  bool ok = true;
  for (int i = 0; ok && i < n_outputs; i++) {
    if (!outputs[i]) error_set(ctx, RILL_ERROR_ARGUMENT, "grad", "output %d is NULL", i);
    ok = outputs[i] && engine_seed(&e, outputs[i], grads ? grads[i] : NULL);
  }
  engine_run(&e);
  hand_out(&e, allow_unused, results);
  heap_free(e.captures);
  return ctx->error;
}
