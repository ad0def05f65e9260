/* Modules made of modules: Sequential, Residual, ModuleList. They stream where their children do, and have
 * no state of their own. */
#include "nn/module.h"

/* Adds modules as children "0", "1", ... */
static bool adopt(rill_context *ctx, const char *op, rill_module *m, rill_module *const *modules,
                  int count) {
  for (int i = 0; i < count; i++) {
    char name[12], *at = name + sizeof name - 1;
    *at = 0;
    for (int rest = i; rest || !*at; rest /= 10) *--at = (char)('0' + rest % 10);
    if (!modules[i]) error_set(ctx, RILL_ERROR_ARGUMENT, op, "module %d is NULL", i);
    if (ctx->error != RILL_OK || rill_module_add_child(ctx, m, at, modules[i]) != RILL_OK)
      return false;
  }
  return true;
}

static rill_module *container(rill_context *ctx, const char *op, const rill_module_class *cls,
                              rill_module *const *modules, int count) {
  if (!context_ready(ctx)) return NULL;
  if (count < 0 || (count && !modules)) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "%d modules at %s", count,
              modules ? "an address" : "NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, cls, false, NULL, 0);
  return scope_close_keep(ctx, m && adopt(ctx, op, m, modules, count) ? m : NULL);
}

/* A child's forward or extend. */
static rill_tensor *run_child(rill_context *ctx, rill_module *child, const rill_tensor *x,
                              rill_state *state) {
  return state ? module_extend(ctx, child, x, state) : rill_forward(ctx, child, x);
}

/* ---- Sequential ---- */

static rill_tensor *sequential_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                      rill_state *state, void *user) {
  (void)user;
  const rill_tensor *x = input;
  int64_t mark = ctx->scope_count;
  for (int i = 0; i < module_children(m); i++) {
    rill_tensor *y = rill_tensor_retain(run_child(ctx, module_child(m, i), x, state));
    if (!y) return NULL;
    scope_drop_to(ctx, mark); /* of the values between the children only the newest is kept */
    if (!(x = scope_own(ctx, y))) return NULL;
  }
  return (rill_tensor *)x;
}

static rill_tensor *sequential_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                       void *user) {
  return sequential_extend(ctx, m, input, NULL, user);
}

rill_module *rill_nn_sequential(rill_context *ctx, rill_module *const *modules, int count) {
  static const rill_module_class cls = {
      .type = "Sequential", .forward = sequential_forward, .extend = sequential_extend};
  return container(ctx, "nn_sequential", &cls, modules, count);
}

/* ---- Residual ---- */

static rill_tensor *residual_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                    rill_state *state, void *user) {
  (void)user;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  const rill_tensor *y = run_child(ctx, module_child(m, 0), input, state);
  if (y && !shape_equal(y->shape, y->ndim, input->shape, input->ndim)) {
    error_set(ctx, RILL_ERROR_SHAPE, "nn_residual", "inner made %s of %s",
              shape_text(y->shape, y->ndim, a), shape_text(input->shape, input->ndim, b));
    return NULL;
  }
  return y ? rill_add(ctx, input, y) : NULL;
}

static rill_tensor *residual_forward(rill_context *ctx, rill_module *m, const rill_tensor *input,
                                     void *user) {
  return residual_extend(ctx, m, input, NULL, user);
}

rill_module *rill_nn_residual(rill_context *ctx, rill_module *inner) {
  static const rill_module_class cls = {
      .type = "Residual", .forward = residual_forward, .extend = residual_extend};
  if (!context_ready(ctx)) return NULL;
  if (!inner) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "nn_residual", "inner is NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_module *m = module_new(ctx, &cls, false, NULL, 0);
  return scope_close_keep(ctx,
                          m && rill_module_add_child(ctx, m, "inner", inner) == RILL_OK ? m : NULL);
}

/* ---- ModuleList ---- */

rill_module *rill_nn_module_list(rill_context *ctx, rill_module *const *modules, int count) {
  static const rill_module_class cls = {.type = "ModuleList"};
  return container(ctx, "nn_module_list", &cls, modules, count);
}
