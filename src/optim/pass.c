/* Passes over the elements of all parameters that have a gradient. */
#include "optim/optim.h"

#include "rill/autograd.h"

rill_tensor *optimizer_grad(const optim_parameter *p) {
  return p->tensor->requires_grad ? rill_tensor_grad(p->tensor) : NULL;
}

int64_t optimizer_active(rill_optimizer *o) {
  int64_t total = 0;
  for (int i = 0; i < o->parameter_count; i++) {
    o->parameters[i].begin = total;
    if (optimizer_grad(&o->parameters[i])) total += o->parameters[i].tensor->numel;
  }
  return total;
}

typedef struct pass_job {
  rill_optimizer *o;
  optim_fn fn;
  void *arg;
  int64_t total;
} pass_job;

static void pass_part(void *arg, int64_t at, int64_t end, int slot) {
  const pass_job *j = arg;
  optim_parameter *all = j->o->parameters;
  (void)slot;
  int64_t stretch = at / OPTIM_GRAIN;
  int low = 0, high = j->o->parameter_count; /* the last parameter that begins at or before `at` */
  while (high - low > 1) {
    int middle = low + (high - low) / 2;
    if (all[middle].begin <= at)
      low = middle;
    else
      high = middle;
  }
  for (int i = low; at < end; i++) {
    int64_t next = i + 1 < j->o->parameter_count ? all[i + 1].begin : j->total;
    int64_t stop = next < end ? next : end;
    if (stop > at) j->fn(j->arg, &all[i], at - all[i].begin, stop - at, stretch);
    at = stop > at ? stop : at;
  }
}

void optimizer_pass(rill_context *ctx, rill_optimizer *o, optim_fn fn, void *arg) {
  pass_job j = {o, fn, arg, optimizer_active(o)};
  pool_for(ctx, j.total, OPTIM_GRAIN, pass_part, &j);
}
