/* Rotary position embedding, split along time over the pool. */
#include "ops/units.h"

#include <math.h>

enum { X, OFFSET, BASE, INTERLEAVED };

typedef struct rope_job {
  rill_dtype dtype;
  rill_rope_params params;
  const char *x;
  char *y;
} rope_job;

static rill_status rope_infer(op_call *c) {
  rill_status s = op_need_real(c, X);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, X);
  char text[SHAPE_TEXT];
  int64_t offset = c->args[OFFSET].as.i, end;
  double base = c->args[BASE].as.f;
  if (x->ndim != 4 || x->shape[3] % 2)
    return op_fail(c, RILL_ERROR_SHAPE, "needs x [batch,time,heads,width] of even width, not %s",
                   shape_text(x->shape, x->ndim, text));
  if (offset < 0 || !checked_add(offset, x->shape[1], &end))
    return op_fail(c, RILL_ERROR_ARGUMENT, "offset %lld is negative or too large",
                   (long long)offset);
  if (!(base >= 0) || isinf(base))
    return op_fail(c, RILL_ERROR_ARGUMENT, "base is not a number of at least 0");
  op_out_like(c, x, (rill_dtype)x->dtype);
  return RILL_OK;
}

static void part(void *arg, int64_t begin, int64_t end, int slot) {
  const rope_job *j = arg;
  rill_rope_params p = j->params;
  int64_t size = (int64_t)rill_dtype_size(j->dtype);
  const void *x = j->x + begin * p.x_stride[1] * size;
  void *y = j->y + begin * p.y_stride[1] * size;
  (void)slot;
  p.offset += begin;
  p.time = end - begin;
  PURE(j->dtype, rope, &p, x, y);
}

/* Turns x into y, or back. */
static rill_status run(rill_context *ctx, const rill_value *args, const rill_tensor *x,
                       rill_tensor *y, bool inverse) {
  if (!x || !y) return rill_error(ctx);
  rope_job j = {.dtype = (rill_dtype)y->dtype, .x = x->data, .y = y->data};
  rill_rope_params_init(&j.params);
  j.params.batch = y->shape[0];
  j.params.heads = y->shape[2];
  j.params.head_dim = y->shape[3];
  for (int d = 0; d < 3; d++) {
    j.params.x_stride[d] = x->strides[d];
    j.params.y_stride[d] = y->strides[d];
  }
  j.params.offset = args[OFFSET].as.i;
  j.params.base = args[BASE].as.f;
  j.params.interleaved = args[INTERLEAVED].as.i;
  j.params.inverse = inverse;
  int64_t cost =
      y->shape[3] * (16 + y->shape[0] * y->shape[2] / 2); /* of a step, its sines included */
  pool_for(ctx, y->numel ? y->shape[1] : 0, op_grain(cost), part, &j);
  return RILL_OK;
}

static rill_status rope_forward(op_call *c) {
  return run(c->ctx, c->args, units_last_dense(c->ctx, c->op, op_in(c, X)), c->out[0], false);
}

static rill_status rope_backward(op_grad *g) {
  g->result[X] = op_grad_new(g, X);
  return run(g->ctx, g->args, g->grad[0], g->result[X], true);
}

const rill_op rill_op_rope = {
    .name = "rope",
    .exports = "nn.functional.rope",
    .signature =
        "x: Tensor, offset: int = 0, base: float = 0.0, interleaved: bool = False -> Tensor",
    .doc = "rotary position embedding (Su et al. 2021) of [batch,time,heads,width]; base 0: 10000",
    .pure = "rill_rope_f32 rill_rope_f64",
    .infer = rope_infer,
    .forward = rope_forward,
    .backward = rope_backward,
};

rill_tensor *rill_rope(rill_context *ctx, const rill_tensor *x, int64_t offset, double base,
                       bool interleaved) {
  return op_run1(ctx, &rill_op_rope,
                 (rill_value[]){op_t(x), op_i(offset), op_f(base), op_b(interleaved)}, 4);
}
