/* The exponential moving average of a module's weights. */
#include "base/number.h"
#include "nn/module.h"
#include "rill/optim.h"
#include "rill/pure.h"

#include <string.h>

static const char op[] = "ema_update";

/* Are two trees alike: the same names, shapes and dtypes? Sets the error where they are not. */
static bool alike(rill_context *ctx, const rill_module *a, const rill_module *b,
                  const module_place *at) {
  char path[256], x[SHAPE_TEXT], y[SHAPE_TEXT];
  for (int part = 0; part < 3; part++) {
    const module_list *p = &a->parts[part], *q = &b->parts[part];
    for (int i = 0; i < p->count || i < q->count; i++) {
      const module_entry *e = i < p->count ? &p->items[i] : NULL,
                         *f = i < q->count ? &q->items[i] : NULL;
      module_place place = {at, e ? e->name : f->name};
      module_path(&place, path, sizeof path);
      if (!e || !f || strcmp(e->name, f->name)) {
        error_set(ctx, RILL_ERROR_ARGUMENT, op, "only one of the modules has \"%s\"", path);
        return false;
      }
      if (part == MODULE_CHILDREN) {
        if (!alike(ctx, e->of.module, f->of.module, &place)) return false;
        continue;
      }
      const rill_tensor *t = e->of.tensor, *u = f->of.tensor;
      if (!shape_equal(t->shape, t->ndim, u->shape, u->ndim)) {
        error_set(ctx, RILL_ERROR_SHAPE, op, "\"%s\" is %s in the average and %s in the weights",
                  path, shape_text(t->shape, t->ndim, x), shape_text(u->shape, u->ndim, y));
        return false;
      }
      if (t->dtype != u->dtype ||
          (part == MODULE_PARAMETERS && !dtype_computes((rill_dtype)t->dtype))) {
        error_set(ctx, RILL_ERROR_DTYPE, op, "\"%s\" is %s in the average and %s in the weights",
                  path, rill_dtype_name((rill_dtype)t->dtype),
                  rill_dtype_name((rill_dtype)u->dtype));
        return false;
      }
    }
  }
  return true;
}

typedef struct ema_job {
  rill_tensor *average;
  const rill_tensor *weights;
  double decay;
} ema_job;

static void ema_part(void *arg, int64_t i, int64_t end, int slot) {
  const ema_job *j = arg;
  (void)slot;
  if (j->average->dtype == RILL_F32)
    rill_ema_f32((float *)j->average->data + i, (const float *)j->weights->data + i, end - i,
                 j->decay);
  else
    rill_ema_f64((double *)j->average->data + i, (const double *)j->weights->data + i, end - i,
                 j->decay);
}

static void copy_buffers(rill_context *ctx, rill_module *average, const rill_module *weights) {
  for (int i = 0; i < average->parts[MODULE_BUFFERS].count; i++) {
    rill_tensor *to = average->parts[MODULE_BUFFERS].items[i].of.tensor;
    const rill_tensor *t = weights->parts[MODULE_BUFFERS].items[i].of.tensor;
    strided_copy(ctx, t->ndim, t->shape, (rill_dtype)t->dtype, t->data, t->strides,
                 (rill_dtype)to->dtype, to->data, to->strides);
    rill_tensor_touch(to);
  }
  for (int i = 0; i < module_children(average); i++)
    copy_buffers(ctx, module_child(average, i), module_child(weights, i));
}

rill_status rill_ema_update(rill_context *ctx, rill_module *average, const rill_module *weights,
                            double decay) {
  char text[NUMBER_SIZE];
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!average || !weights)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL",
                     average ? "module of weights" : "average");
  if (!(decay >= 0 && decay <= 1))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "decay is %s, it must lie in [0, 1]",
                     number_print(text, decay));
  if (!alike(ctx, average, weights, NULL)) return ctx->error;
  int count, other;
  rill_tensor **to = module_parameters(ctx, op, average, &count);
  rill_tensor **from = module_parameters(ctx, op, weights, &other);
  if (ctx->error == RILL_OK && count != other)
    error_set(ctx, RILL_ERROR_ARGUMENT, op,
              "%d parameters in the average, %d in the weights: not tied alike", count, other);
  for (int i = 0; ctx->error == RILL_OK && i < count; i++) {
    ema_job j = {to[i], from[i], decay};
    pool_for(ctx, to[i]->numel, 16384, ema_part, &j);
    rill_tensor_touch(to[i]);
  }
  if (ctx->error == RILL_OK) copy_buffers(ctx, average, weights);
  heap_free(to);
  heap_free(from);
  return ctx->error;
}
