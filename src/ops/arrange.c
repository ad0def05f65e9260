/* Rearranging into fresh storage: flip, roll, repeat, tril, triu. */
#include "ops/move.h"

#include <string.h>

static rill_status like_input(op_call *c) {
  op_out_like(c, op_in(c, 0), (rill_dtype)op_in(c, 0)->dtype);
  return RILL_OK;
}

/* ---- flip -------------------------------------------------------------------------------------- */

static rill_status flip_infer(op_call *c) {
  int dims[RILL_MAX_DIMS];
  return move_distinct_dims(c, 1, op_in(c, 0)->ndim, dims) ? like_input(c) : rill_error(c->ctx);
}

/* Reads backwards along the dims: from their last elements, with negative strides. */
static void flip(rill_context *ctx, const rill_tensor *t, const rill_value *dims, rill_tensor *y) {
  if (!t->numel) return;
  int64_t strides[RILL_MAX_DIMS], offset = 0;
  memcpy(strides, t->strides, sizeof strides);
  for (int i = 0; i < dims->count && t->ndim; i++) {
    int64_t d = dims->as.ints[i] < 0 ? dims->as.ints[i] + t->ndim : dims->as.ints[i];
    offset += (t->shape[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  strided_copy(ctx, t->ndim, t->shape, (rill_dtype)t->dtype,
               t->data + offset * (int64_t)move_size(t), strides, (rill_dtype)y->dtype, y->data,
               y->strides);
}

static rill_status flip_forward(op_call *c) {
  flip(c->ctx, op_in(c, 0), &c->args[1], c->out[0]);
  return RILL_OK;
}

static rill_status flip_backward(op_grad *g) {
  rill_tensor *t = op_grad_new(g, 0);
  if (t) flip(g->ctx, g->grad[0], &g->args[1], t);
  return move_gradient(g, t);
}

const rill_op rill_op_flip = {
    .name = "flip",
    .exports = "flip",
    .signature = "input: Tensor, dims: int[] -> Tensor",
    .doc = "Reverses the order of the elements along dims.",
    .pure = "rill_flip_f32 rill_flip_f64",
    .infer = flip_infer,
    .forward = flip_forward,
    .backward = flip_backward,
};

rill_tensor *rill_flip(rill_context *ctx, const rill_tensor *input, const int *dims, int ndims) {
  int64_t room[RILL_MAX_DIMS];
  return op_run1(ctx, &rill_op_flip, (rill_value[]){op_t(input), move_dims(dims, ndims, room)}, 2);
}

/* ---- roll -------------------------------------------------------------------------------------- */

static rill_status roll_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dim = op_dim(c, 2);
  if (dim < 0) return rill_error(c->ctx);
  int64_t n = t->ndim ? t->shape[dim] : 1, shift = n ? c->args[1].as.i % n : 0;
  c->args[1].as.i = shift < 0 ? shift + n : shift;
  c->args[2].as.i = dim;
  return like_input(c);
}

/* Element i of t goes to place (i + shift) mod n: in two pieces. */
static void roll(rill_context *ctx, const rill_tensor *t, int64_t shift, int dim, rill_tensor *y) {
  if (!t->ndim || !shift) {
    move_copy(ctx, t, y->data, y->strides);
    return;
  }
  if (!t->numel) return;
  size_t size = move_size(t);
  int64_t shape[RILL_MAX_DIMS], head = t->shape[dim] - shift;
  memcpy(shape, t->shape, sizeof shape);
  rill_dtype d = (rill_dtype)t->dtype;
  shape[dim] = head;
  strided_copy(ctx, t->ndim, shape, d, t->data, t->strides, d,
               y->data + (size_t)(shift * y->strides[dim]) * size, y->strides);
  shape[dim] = shift;
  strided_copy(ctx, t->ndim, shape, d, t->data + head * t->strides[dim] * (int64_t)size, t->strides,
               d, y->data, y->strides);
}

static rill_status roll_forward(op_call *c) {
  roll(c->ctx, op_in(c, 0), c->args[1].as.i, (int)c->args[2].as.i, c->out[0]);
  return RILL_OK;
}

static rill_status roll_backward(op_grad *g) {
  int64_t shift = g->args[1].as.i;
  int dim = (int)g->args[2].as.i;
  rill_tensor *t = op_grad_new(g, 0);
  if (t) roll(g->ctx, g->grad[0], shift ? t->shape[dim] - shift : 0, dim, t);
  return move_gradient(g, t);
}

const rill_op rill_op_roll = {
    .name = "roll",
    .exports = "roll",
    .signature = "input: Tensor, shift: int, dim: int -> Tensor",
    .doc = "Moves elements along dim by shift; those pushed off the end come back at the front.",
    .pure = "rill_roll_f32 rill_roll_f64",
    .infer = roll_infer,
    .forward = roll_forward,
    .backward = roll_backward,
};

rill_tensor *rill_roll(rill_context *ctx, const rill_tensor *input, int64_t shift, int dim) {
  return op_run1(ctx, &rill_op_roll, (rill_value[]){op_t(input), op_i(shift), op_i(dim)}, 3);
}

/* ---- repeat ------------------------------------------------------------------------------------ */

static rill_status repeat_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  const rill_value *v = &c->args[1];
  if (!move_ints(c, 1)) return rill_error(c->ctx);
  int lead = v->count - t->ndim;
  if (lead < 0)
    return op_fail(c, RILL_ERROR_SHAPE, "%d repeats given for a tensor of %d dims", v->count,
                   t->ndim);
  int64_t shape[RILL_MAX_DIMS];
  for (int d = 0; d < v->count; d++) {
    if (v->as.ints[d] < 0)
      return op_fail(c, RILL_ERROR_ARGUMENT, "repeats[%d] is %lld, not at least 0", d,
                     (long long)v->as.ints[d]);
    if (!checked_mul(d < lead ? 1 : t->shape[d - lead], v->as.ints[d], &shape[d]))
      return op_fail(c, RILL_ERROR_OVERFLOW, "repeats[%d] is %lld, too many", d,
                     (long long)v->as.ints[d]);
  }
  op_out(c, 0, (rill_dtype)t->dtype, shape, v->count);
  return RILL_OK;
}

/* The input goes to the corner; then, from the last dim to the first, what is there is copied behind
 * itself, twice as much each time. */
static rill_status repeat_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  rill_tensor *y = c->out[0];
  if (!y->numel) return RILL_OK;
  int lead = y->ndim - t->ndim;
  move_copy(c->ctx, t, y->data, y->strides + lead);
  int64_t shape[RILL_MAX_DIMS];
  for (int d = 0; d < y->ndim; d++) shape[d] = d < lead ? 1 : t->shape[d - lead];
  for (int d = y->ndim - 1; d >= 0; d--) {
    int64_t unit = shape[d] * y->strides[d], all = y->shape[d] * y->strides[d];
    int64_t strides[RILL_MAX_DIMS];
    memcpy(strides, y->strides, sizeof strides);
    strides[d] = 1; /* the dims behind d are whole in y by now: they and d count as one */
    for (int64_t done = unit; done < all; done += shape[d]) {
      shape[d] = done < all - done ? done : all - done;
      strided_copy(c->ctx, d + 1, shape, (rill_dtype)y->dtype, y->data, strides,
                   (rill_dtype)y->dtype, y->data + (size_t)done * move_size(y), strides);
    }
  }
  return RILL_OK;
}

/* Sums over the repeats, one dim after the other: what is [outer, repeats, block] becomes
 * [outer, block]. */
static rill_status repeat_backward(op_grad *g) {
  const edge *e = &g->input[0];
  const rill_tensor *from = g->grad[0];
  const rill_value *v = &g->args[1];
  int ndim = v->count, lead = ndim - e->ndim;
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, from->shape, sizeof shape);
  for (int d = 0; d < ndim; d++) {
    int64_t repeats = v->as.ints[d];
    if (repeats == 1) continue;
    int64_t outer = move_outer(shape, d), inner = move_inner(shape, ndim, d);
    shape[d] = d < lead ? 1 : e->shape[d - lead];
    rill_tensor *to = op_new(g->ctx, g->op, (rill_dtype)e->dtype, shape, ndim);
    if (!to) return rill_error(g->ctx);
    if (e->dtype == RILL_F32)
      rill_sum_f32((const float *)from->data, (float *)to->data, outer, repeats, shape[d] * inner);
    else
      rill_sum_f64((const double *)from->data, (double *)to->data, outer, repeats,
                   shape[d] * inner);
    from = to;
  }
  int64_t strides[RILL_MAX_DIMS];
  shape_strides(e->shape, e->ndim, strides);
  return move_gradient(g, tensor_view(g->ctx, from, e->shape, strides, e->ndim, from->data));
}

const rill_op rill_op_repeat = {
    .name = "repeat",
    .exports = "Tensor.repeat",
    .aliases = "tile",
    .signature = "input: Tensor, repeats: int[] -> Tensor",
    .doc = "Tiles the tensor repeats[i] times along dim i.",
    .pure = "rill_repeat_f32 rill_repeat_f64 rill_sum_f32 rill_sum_f64",
    .infer = repeat_infer,
    .forward = repeat_forward,
    .backward = repeat_backward,
};

rill_tensor *rill_repeat(rill_context *ctx, const rill_tensor *input, const int64_t *repeats,
                         int count) {
  return op_run1(ctx, &rill_op_repeat, (rill_value[]){op_t(input), op_is(repeats, count)}, 2);
}

/* ---- tril, triu -------------------------------------------------------------------------------- */

static rill_status triangle_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  char shape[SHAPE_TEXT];
  if (t->ndim < 2)
    return op_fail(c, RILL_ERROR_SHAPE, "needs matrices, not %s",
                   shape_text(t->shape, t->ndim, shape));
  return like_input(c);
}

typedef struct triangle {
  const char *from;
  char *to;
  int64_t rows, cols, diagonal;
  size_t size;
  bool upper;
} triangle;

/* Rows of all matrices, counted through. */
static void triangle_part(void *arg, int64_t begin, int64_t end, int slot) {
  const triangle *t = arg;
  (void)slot;
  triangle_rows(t->from, t->to, begin, end, t->rows, t->cols, t->diagonal, t->size, t->upper);
}

static rill_status cut_triangle(rill_context *ctx, const rill_tensor *x, int64_t diagonal,
                                bool upper, rill_tensor *y) {
  if (!y->numel) return RILL_OK;
  int64_t rows = y->shape[y->ndim - 2], cols = y->shape[y->ndim - 1];
  triangle t = {x->data, y->data, rows, cols, diagonal, move_size(y), upper};
  pool_for(ctx, y->numel / cols, op_grain(cols / 4), triangle_part, &t);
  return RILL_OK;
}

static rill_status triangle_forward(op_call *c) {
  const rill_tensor *x = tensor_contiguous(c->ctx, c->op->name, op_in(c, 0));
  return x ? cut_triangle(c->ctx, x, c->args[1].as.i, c->op->data != NULL, c->out[0])
           : rill_error(c->ctx);
}

static rill_status triangle_backward(op_grad *g) {
  rill_tensor *t = op_grad_new(g, 0);
  if (t) cut_triangle(g->ctx, g->grad[0], g->args[1].as.i, g->op->data != NULL, t);
  return move_gradient(g, t);
}

const rill_op rill_op_tril = {
    .name = "tril",
    .exports = "tril",
    .signature = "input: Tensor, diagonal: int = 0 -> Tensor",
    .doc = "Keeps what lies on and below a diagonal of each matrix, zeros the rest.",
    .pure = "rill_tril_f32 rill_tril_f64",
    .infer = triangle_infer,
    .forward = triangle_forward,
    .backward = triangle_backward,
};

const rill_op rill_op_triu = {
    .name = "triu",
    .exports = "triu",
    .signature = "input: Tensor, diagonal: int = 0 -> Tensor",
    .doc = "Keeps what lies on and above a diagonal of each matrix, zeros the rest.",
    .pure = "rill_triu_f32 rill_triu_f64",
    .infer = triangle_infer,
    .forward = triangle_forward,
    .backward = triangle_backward,
    .data = "upper",
};

rill_tensor *rill_tril(rill_context *ctx, const rill_tensor *input, int64_t diagonal) {
  return op_run1(ctx, &rill_op_tril, (rill_value[]){op_t(input), op_i(diagonal)}, 2);
}

rill_tensor *rill_triu(rill_context *ctx, const rill_tensor *input, int64_t diagonal) {
  return op_run1(ctx, &rill_op_triu, (rill_value[]){op_t(input), op_i(diagonal)}, 2);
}
