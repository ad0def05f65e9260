/* The dispatcher: checks arguments, runs an op, keeps its results and drops its temporaries. */
#include "ops/op.h"
#include "ops/record.h"

#include <string.h>

/* A required tensor that is NULL, or a list with a NULL in it. */
static rill_status check_args(op_call *c) {
  for (int i = 0; i < c->nargs; i++) {
    const rill_value *v = &c->args[i];
    if (v->kind == RILL_VALUE_TENSOR && !v->as.tensor)
      return op_fail(c, RILL_ERROR_ARGUMENT, "tensor argument %d is NULL", i);
    if (v->kind != RILL_VALUE_TENSORS) continue;
    if (v->count < 0 || (v->count && !v->as.tensors))
      return op_fail(c, RILL_ERROR_ARGUMENT, "argument %d is a list of %d tensors at NULL", i,
                     v->count);
    for (int j = 0; j < v->count; j++)
      if (!v->as.tensors[j])
        return op_fail(c, RILL_ERROR_ARGUMENT, "tensor %d of argument %d is NULL", j, i);
  }
  return RILL_OK;
}

static rill_status make_outputs(op_call *c) {
  if (c->op->flags & (OP_VIEW | OP_INPLACE)) return RILL_OK;
  for (int o = 0; o < c->outputs; o++) {
    const op_spec *s = &c->spec[o];
    c->out[o] = tensor_new(c->ctx, c->op->name, s->dtype, s->shape, s->ndim);
    if (!c->out[o]) return rill_error(c->ctx);
  }
  return RILL_OK;
}

static rill_status compute(op_call *c) {
  const rill_op *op = c->op;
  rill_status s = check_args(c);
  if (s == RILL_OK && op->infer) s = op->infer(c);
  if (s != RILL_OK || (op->flags & OP_COMPOSITE)) return s != RILL_OK ? s : op->forward(c);
  c->recorded = !(op->flags & (OP_NO_GRADIENT | OP_INPLACE)) && record_wanted(c);
  if (c->recorded && !op->backward)
    return op_fail(c, RILL_ERROR_GRAPH, "has no backward, and an input requires a gradient");
  if ((s = make_outputs(c)) != RILL_OK) return s;
  if ((s = op->forward(c)) != RILL_OK) return s;
  if (c->ctx->grad_mode == GRAD_INFERENCE && !(op->flags & (OP_VIEW | OP_INPLACE)))
    for (int o = 0; o < c->outputs; o++) c->out[o]->inference = true;
  return c->recorded ? record(c) : RILL_OK;
}

/* The call's handles lie from `mark` on in the scope's list: outputs move to the front, the rest is
 * dropped. No reference count is touched for what stays. */
static void keep_outputs(op_call *c, int64_t mark) {
  handle **items = c->ctx->scope_items;
  int64_t kept = mark;
  for (int64_t i = mark; i < c->ctx->scope_count; i++) {
    for (int o = 0; o < c->outputs; o++) {
      if (items[i] != &c->out[o]->base) continue;
      handle *h = items[i];
      items[i] = items[kept];
      items[kept++] = h;
      break;
    }
  }
  scope_drop_to(c->ctx, kept);
}

static rill_status run(op_call *c, rill_context *ctx, const rill_op *op, const rill_value *args,
                       int nargs) {
  c->ctx = ctx;
  c->op = op;
  c->nargs = nargs;
  c->outputs = 1;
  c->recorded = false;
  memset(c->out, 0, sizeof c->out);
  memset(c->extra, 0, sizeof c->extra);
  if (nargs) memcpy(c->args, args, (size_t)nargs * sizeof *args);
  int64_t mark = ctx->scope_count;
  rill_status s = compute(c);
  if (s == RILL_OK && ctx->error == RILL_OK) {
    keep_outputs(c, mark);
    return RILL_OK;
  }
  scope_drop_to(ctx, mark);
  return ctx->error != RILL_OK ? ctx->error : op_fail(c, s, "failed");
}

rill_tensor *op_run1(rill_context *ctx, const rill_op *op, const rill_value *args, int nargs) {
  if (!context_ready(ctx)) return NULL;
  op_call c;
  return run(&c, ctx, op, args, nargs) == RILL_OK ? c.out[0] : NULL;
}

rill_status op_run(rill_context *ctx, const rill_op *op, const rill_value *args, int nargs,
                   rill_tensor **out, int capacity, int *count) {
  if (!context_ready(ctx)) return rill_error(ctx);
  op_call c;
  int64_t mark = ctx->scope_count;
  rill_status s = run(&c, ctx, op, args, nargs);
  if (s != RILL_OK) return s;
  if (c.outputs > capacity || (c.outputs && !out)) {
    scope_drop_to(ctx, mark);
    return op_fail(&c, RILL_ERROR_ARGUMENT, "%d outputs do not fit in %d places", c.outputs,
                   capacity);
  }
  for (int o = 0; o < c.outputs; o++) out[o] = c.out[o];
  if (count) *count = c.outputs;
  return RILL_OK;
}

/* ---- for infer ---- */

void op_out(op_call *c, int i, rill_dtype dtype, const int64_t *shape, int ndim) {
  op_spec *s = &c->spec[i];
  s->dtype = dtype;
  s->ndim = ndim;
  if (ndim) memcpy(s->shape, shape, (size_t)ndim * sizeof *shape);
}

void op_out_like(op_call *c, const rill_tensor *t, rill_dtype dtype) {
  op_spec *s = &c->spec[0];
  s->dtype = dtype;
  s->ndim = t->ndim;
  memcpy(s->shape, t->shape, sizeof s->shape); /* a fixed size is copied fastest */
}

/* Bool < integers < floats; a tensor without dims decides only against its own kind. */
static int category(rill_dtype d) { return d == RILL_BOOL ? 0 : dtype_is_float(d) ? 2 : 1; }

static rill_dtype wider(rill_dtype a, rill_dtype b) {
  if (a == b) return a;
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if (category(a) == 2) return a == RILL_F64 || b == RILL_F64 ? RILL_F64 : RILL_F32;
  return a == RILL_I64 || b == RILL_I64 ? RILL_I64 : RILL_I32;
}

/* torch.result_type of the arguments. */
static rill_dtype result_type(const op_call *c, int first, int n) {
  int with_dims = -1, without = -1;
  for (int i = first; i < first + n; i++) {
    int *best = op_in(c, i)->ndim ? &with_dims : &without;
    rill_dtype d = (rill_dtype)op_in(c, i)->dtype;
    *best = *best < 0 ? (int)d : (int)wider((rill_dtype)*best, d);
  }
  if (with_dims < 0) return (rill_dtype)without;
  if (without < 0 || category((rill_dtype)without) <= category((rill_dtype)with_dims))
    return (rill_dtype)with_dims;
  return (rill_dtype)without;
}

rill_status op_promote(op_call *c, int first, int n, bool to_float) {
  for (int i = first; i < first + n; i++) {
    rill_dtype d = (rill_dtype)op_in(c, i)->dtype;
    if (d == RILL_F16 || d == RILL_BF16)
      return op_fail(c, RILL_ERROR_DTYPE,
                     "argument %d is %s, which does not compute: convert it with rill_to first", i,
                     rill_dtype_name(d));
  }
  rill_dtype to = (rill_dtype)op_in(c, first)->dtype;
  bool alike = true;
  for (int i = first + 1; i < first + n; i++) alike &= op_in(c, i)->dtype == op_in(c, first)->dtype;
  if (alike && (dtype_is_float(to) || !to_float)) return RILL_OK;
  if (!alike) to = result_type(c, first, n);
  if (to_float && !dtype_is_float(to)) to = RILL_F32;
  for (int i = first; i < first + n; i++) {
    if (op_in(c, i)->dtype == to) continue;
    rill_tensor *t = rill_to(c->ctx, op_in(c, i), to);
    if (!t) return rill_error(c->ctx);
    c->args[i].as.tensor = t;
  }
  return RILL_OK;
}

rill_status op_need_real(op_call *c, int i) {
  rill_dtype d = (rill_dtype)op_in(c, i)->dtype;
  return dtype_computes(d) ? RILL_OK
                           : op_fail(c, RILL_ERROR_DTYPE, "argument %d must be f32 or f64, not %s",
                                     i, rill_dtype_name(d));
}

rill_status op_need_dtype(op_call *c, int i, rill_dtype dtype) {
  rill_dtype d = (rill_dtype)op_in(c, i)->dtype;
  return d == dtype ? RILL_OK
                    : op_fail(c, RILL_ERROR_DTYPE, "argument %d must be %s, not %s", i,
                              rill_dtype_name(dtype), rill_dtype_name(d));
}

int op_dim(op_call *c, int i) {
  return shape_dim(c->ctx, c->op->name, c->args[i].as.i, op_in(c, 0)->ndim);
}

const void *op_data(op_call *c, int i) {
  const rill_tensor *t = tensor_contiguous(c->ctx, c->op->name, op_in(c, i));
  return t ? t->data : NULL;
}

const rill_tensor *op_as_real(rill_context *ctx, const rill_op *op, const rill_tensor *t) {
  return dtype_computes((rill_dtype)t->dtype) ? tensor_contiguous(ctx, op->name, t)
                                              : tensor_converted(ctx, op->name, t, RILL_F64);
}

rill_tensor *op_real_result(rill_context *ctx, const rill_op *op, rill_tensor *out) {
  return dtype_computes((rill_dtype)out->dtype)
             ? out
             : tensor_new(ctx, op->name, RILL_F64, out->shape, out->ndim);
}

/* By way of i64, as C converts integers. */
rill_status op_store(rill_context *ctx, const rill_op *op, const rill_tensor *real,
                     rill_tensor *out) {
  if (real == out) return RILL_OK;
  const rill_tensor *wide = tensor_converted(ctx, op->name, real, RILL_I64);
  if (wide) convert(RILL_I64, wide->data, (rill_dtype)out->dtype, out->data, out->numel);
  return rill_error(ctx);
}
