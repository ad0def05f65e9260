/* One update of every parameter. */
#include "optim/optim.h"

#include "rill/autograd.h"
#include "rill/pure.h"

#define PURE(dtype, name, ...)                                                                     \
  ((dtype) == RILL_F32 ? rill_##name##_f32(__VA_ARGS__) : rill_##name##_f64(__VA_ARGS__))

/* Zeros to remember into the slots a parameter needs and has not. */
static bool make_slots(rill_context *ctx, rill_optimizer *o, optim_parameter *p) {
  if (o->kind == RILL_OPTIM_SGD && o->groups[p->group].momentum == 0) return true;
  const rill_tensor *t = p->tensor;
  for (int s = 0; s < OPTIM_SLOTS; s++) {
    if (p->slot[s] || !optimizer_slot_name(o->kind, s)) continue;
    p->slot[s] = rill_tensor_retain(rill_zeros(ctx, (rill_dtype)t->dtype, t->shape, t->ndim));
    if (!p->slot[s]) return false;
  }
  return true;
}

static void *from(const rill_tensor *t, int64_t i) {
  return t ? t->data + i * (int64_t)rill_dtype_size((rill_dtype)t->dtype) : NULL;
}

static void step_part(void *arg, optim_parameter *p, int64_t i, int64_t n, int64_t stretch) {
  const rill_optimizer *o = arg;
  const rill_optimizer_options *g = &o->groups[p->group];
  rill_dtype d = (rill_dtype)p->tensor->dtype;
  void *x = from(p->tensor, i), *a = from(p->slot[0], i), *b = from(p->slot[1], i);
  const void *grad = from(optimizer_grad(p), i);
  (void)stretch;
  switch (o->kind) {
  case RILL_OPTIM_SGD:
    PURE(d, sgd, x, grad, a, n, g->lr, g->momentum, g->dampening, g->nesterov, g->weight_decay,
         p->steps == 0);
    break;
  case RILL_OPTIM_ADAM:
    PURE(d, adam, x, grad, a, b, NULL, n, g->lr, g->beta1, g->beta2, g->eps, g->weight_decay,
         p->steps + 1);
    break;
  case RILL_OPTIM_ADAMW:
    PURE(d, adamw, x, grad, a, b, NULL, n, g->lr, g->beta1, g->beta2, g->eps, g->weight_decay,
         p->steps + 1);
    break;
  }
}

rill_status rill_optimizer_step(rill_context *ctx, rill_optimizer *optimizer) {
  if (!optimizer_ready(ctx, "optimizer_step", optimizer)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  rill_optimizer *o = optimizer;
  bool ok = true;
  for (int i = 0; ok && i < o->parameter_count; i++)
    if (optimizer_grad(&o->parameters[i])) ok = make_slots(ctx, o, &o->parameters[i]);
  if (ok) {
    optimizer_pass(ctx, o, step_part, o);
    for (int i = 0; i < o->parameter_count; i++) {
      if (!optimizer_grad(&o->parameters[i])) continue;
      o->parameters[i].steps++;
      rill_tensor_touch(o->parameters[i].tensor);
    }
    o->steps++;
  }
  rill_scope_close(ctx);
  return ctx->error;
}
