/* Modules of sliding-window maxima and minima. Causal ones stream along time: what they remember is the
 * samples that windows to come reach back to. */
#include "sequence/state.h"

#include <string.h>

typedef rill_tensor *window_op(rill_context *, const rill_tensor *, int64_t,
                               const rill_window_options *);

typedef struct window_module {
  window_op *op;
  int64_t window;
  rill_window_options options; /* but for the dims, which are these: */
  int dims[RILL_MAX_DIMS];
} window_module;

static rill_tensor *slide(rill_context *ctx, const window_module *w, const rill_tensor *x,
                          rill_window_mode mode) {
  rill_window_options o = w->options;
  o.dims = w->dims;
  o.mode = mode;
  return w->op(ctx, x, w->window, &o);
}

static rill_tensor *window_forward(rill_context *ctx, rill_module *m, const rill_tensor *x,
                                   void *user) {
  const window_module *w = user;
  (void)m;
  return slide(ctx, w, x, w->options.mode);
}

/* ---- streaming -------------------------------------------------------------------------------- */

/* Do windows slide along time, dim 1 of so many? */
static bool along_time(const window_module *w, int ndim) {
  for (int i = 0; i < w->options.ndims; i++)
    if (w->dims[i] == 1 || w->dims[i] == 1 - ndim) return true;
  return w->options.ndims == 0 && ndim == 2;
}

/* Along time a window may see neither the future nor more than is kept of the past. */
static bool can_stream(rill_context *ctx, const rill_module *m, const window_module *w, int ndim) {
  const rill_window_options *o = &w->options;
  const char *fault = o->ndims > 1                     ? "slides along more than time"
                      : o->mode != RILL_WINDOW_CAUSAL  ? "is not causal"
                      : o->stride > 1                  ? "has a stride"
                      : o->edge > RILL_WINDOW_CONSTANT ? "repeats samples beyond the edge"
                                                       : NULL;
  if (!fault || !along_time(w, ndim)) return true;
  error_set(ctx, RILL_ERROR_UNSUPPORTED, m->cls.type, "%s, and cannot stream", fault);
  return false;
}

static rill_status window_state(rill_context *ctx, rill_module *m, rill_state *state, int64_t batch,
                                void *user) {
  if (!can_stream(ctx, m, user, 3)) return rill_error(ctx);
  return rill_state_add(ctx, state, m, "x", rill_zeros(ctx, RILL_F32, (int64_t[]){batch, 0}, 2));
}

static rill_tensor *window_extend(rill_context *ctx, rill_module *m, const rill_tensor *x,
                                  rill_state *state, void *user) {
  const window_module *w = user;
  if (!along_time(w, x->ndim)) return window_forward(ctx, m, x, user);
  if (!can_stream(ctx, m, w, x->ndim)) return NULL;
  int64_t dilation = w->options.dilation ? w->options.dilation : 1;
  int64_t reach = (w->window - 1) * dilation, steps = x->shape[1];
  rill_tensor *all = state_append(ctx, state, m, "x", x, reach);
  if (!all) return NULL;
  if (all->shape[1] == reach + steps) return slide(ctx, w, all, RILL_WINDOW_VALID);
  return rill_narrow(ctx, slide(ctx, w, all, RILL_WINDOW_CAUSAL), 1, all->shape[1] - steps, steps);
}

/* ---- making ----------------------------------------------------------------------------------- */

static bool check(rill_context *ctx, const char *name, const window_module *w) {
  const rill_window_options *o = &w->options;
  rill_window_params p = {.struct_size = sizeof p,
                          .outer = 1,
                          .n = 1,
                          .inner = 1,
                          .window = w->window,
                          .stride = o->stride,
                          .dilation = o->dilation,
                          .mode = o->mode,
                          .edge = o->edge,
                          .nan = o->nan};
  rill_status s = rill_window_check(&p);
  if (s != RILL_OK)
    error_set(ctx, s, name,
              "there are no windows of %lld, stride %lld, dilation %lld, mode %d, edge %d, nan %d",
              (long long)w->window, (long long)o->stride, (long long)o->dilation, (int)o->mode,
              (int)o->edge, (int)o->nan);
  else if (o->ndims < 0 || o->ndims > RILL_MAX_DIMS || (o->ndims && !o->dims))
    error_set(ctx, RILL_ERROR_ARGUMENT, name, "%d dims at %s", o->ndims,
              o->dims ? "an address" : "NULL");
  return rill_error(ctx) == RILL_OK;
}

static rill_module *make(rill_context *ctx, const char *type, window_op *op, int64_t window,
                         const rill_window_options *options) {
  rill_module_class cls = {
      .type = type, .forward = window_forward, .state = window_state, .extend = window_extend};
  window_module w = {.op = op, .window = window};
  if (!context_ready(ctx)) return NULL;
  options_read(&w.options, sizeof w.options, options);
  if (!check(ctx, type, &w)) return NULL;
  for (int i = 0; i < w.options.ndims; i++) w.dims[i] = w.options.dims[i];
  return module_new(ctx, &cls, false, &w, sizeof w);
}

rill_module *rill_nn_window_max(rill_context *ctx, int64_t window,
                                const rill_window_options *options) {
  return make(ctx, "WindowMax", rill_window_max, window, options);
}

rill_module *rill_nn_window_min(rill_context *ctx, int64_t window,
                                const rill_window_options *options) {
  return make(ctx, "WindowMin", rill_window_min, window, options);
}
