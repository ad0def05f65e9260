/* Reading and writing at the places that an index tensor names. Reads move bytes, whatever the dtype;
 * additions run in the order of the index, so results do not depend on threads. */
#include "ops/move.h"

#include <string.h>

/* Argument i as contiguous int64, each in [0, limit): NULL with the error set where it is not. */
static const rill_tensor *read_index(op_call *c, int i, int64_t limit) {
  const rill_tensor *given = op_in(c, i);
  if (given->dtype != RILL_I32 && given->dtype != RILL_I64) {
    op_fail(c, RILL_ERROR_DTYPE, "the index must be i32 or i64, not %s",
            rill_dtype_name((rill_dtype)given->dtype));
    return NULL;
  }
  const rill_tensor *index = tensor_converted(c->ctx, c->op->name, given, RILL_I64);
  if (index) index = tensor_contiguous(c->ctx, c->op->name, index);
  if (!index) return NULL;
  const int64_t *at = (const int64_t *)index->data;
  for (int64_t j = 0; j < index->numel; j++) {
    if ((uint64_t)at[j] < (uint64_t)limit) continue;
    op_fail(c, RILL_ERROR_INDEX, "index %lld at position %lld is not in [0, %lld)",
            (long long)at[j], (long long)j, (long long)limit);
    return NULL;
  }
  return index;
}

/* The index as backward wants it: c->extra[0] where it is not what was given. */
static const int64_t *saved_index(op_grad *g) { return (const int64_t *)g->extra[0]->data; }

/* Keeps a checked index for backward. It is a copy or an alias outside the graph. */
static bool keep_index(op_call *c, const rill_tensor *index) {
  if (!c->recorded) return true;
  c->extra[0] = tensor_alias(c->ctx, index);
  return c->extra[0] != NULL;
}

/* ---- rows: index_select, embedding ------------------------------------------------------------- */

/* y[o, i, :] = table[o, index[i], :], in bytes. */
typedef struct rows_job {
  const char *table;
  char *y;
  const int64_t *index;
  int64_t count, rows;
  size_t width;
} rows_job;

static void copy_rows(void *arg, int64_t begin, int64_t end, int slot) {
  const rows_job *j = arg;
  (void)slot;
  for (int64_t r = begin; r < end; r++) {
    int64_t row = r / j->count * j->rows + j->index[r % j->count];
    memcpy(j->y + (size_t)r * j->width, j->table + (size_t)row * j->width, j->width);
  }
}

static void gather_rows(rill_context *ctx, const rill_tensor *table, int64_t outer, int64_t rows,
                        int64_t inner, const rill_tensor *index, rill_tensor *y) {
  if (!y->numel) return;
  rows_job j = {table->data,  y->data, (const int64_t *)index->data,
                index->numel, rows,    (size_t)inner * move_size(table)};
  pool_for(ctx, outer * index->numel, op_grain((int64_t)j.width / 8 + 1), copy_rows, &j);
}

/* table[o, index[i], :] += src[o, i, :]. The index has been checked. */
static void scatter_rows(rill_dtype dtype, const rill_tensor *src, int64_t outer, int64_t rows,
                         int64_t inner, const int64_t *index, int64_t n, rill_tensor *table) {
  if (!src->numel) return;
  for (int64_t o = 0; o < outer; o++) {
    if (dtype == RILL_F32)
      rill_scatter_add_rows_f32((const float *)src->data + o * n * inner, index, n, inner, rows,
                                (float *)table->data + o * rows * inner);
    else
      rill_scatter_add_rows_f64((const double *)src->data + o * n * inner, index, n, inner, rows,
                                (double *)table->data + o * rows * inner);
  }
}

static rill_status index_select_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0), *index = op_in(c, 2);
  int dim = op_dim(c, 1);
  if (dim < 0) return rill_error(c->ctx);
  char text[SHAPE_TEXT];
  if (!t->ndim) return op_fail(c, RILL_ERROR_SHAPE, "the input has no dims");
  if (index->ndim > 1)
    return op_fail(c, RILL_ERROR_SHAPE, "the index must have one dim, not the shape %s",
                   shape_text(index->shape, index->ndim, text));
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, t->shape, sizeof shape);
  shape[dim] = index->numel;
  c->args[1].as.i = dim;
  op_out(c, 0, (rill_dtype)t->dtype, shape, t->ndim);
  return RILL_OK;
}

static rill_status index_select_forward(op_call *c) {
  const rill_tensor *t = tensor_contiguous(c->ctx, c->op->name, op_in(c, 0));
  int dim = (int)c->args[1].as.i;
  const rill_tensor *index = t ? read_index(c, 2, t->shape[dim]) : NULL;
  if (!index || !keep_index(c, index)) return rill_error(c->ctx);
  gather_rows(c->ctx, t, move_outer(t->shape, dim), t->shape[dim],
              move_inner(t->shape, t->ndim, dim), index, c->out[0]);
  return RILL_OK;
}

static rill_status index_select_backward(op_grad *g) {
  const edge *e = &g->input[0];
  int dim = (int)g->args[1].as.i;
  rill_tensor *t = move_grad_zeros(g, 0);
  if (t)
    scatter_rows((rill_dtype)e->dtype, g->grad[0], move_outer(e->shape, dim), e->shape[dim],
                 move_inner(e->shape, e->ndim, dim), saved_index(g), g->extra[0]->numel, t);
  return move_gradient(g, t);
}

int64_t rill_no_padding(void) { return RILL_NO_PADDING; }

static rill_status embedding_infer(op_call *c) {
  const rill_tensor *index = op_in(c, 0), *weight = op_in(c, 1);
  char text[SHAPE_TEXT];
  if (weight->ndim != 2)
    return op_fail(c, RILL_ERROR_SHAPE, "the weight must have two dims, not the shape %s",
                   shape_text(weight->shape, weight->ndim, text));
  if (index->ndim == RILL_MAX_DIMS)
    return op_fail(c, RILL_ERROR_SHAPE, "the index has %d dims, too many for one more",
                   index->ndim);
  int64_t padding = c->args[2].kind == RILL_VALUE_NONE ? RILL_NO_PADDING : c->args[2].as.i;
  int64_t rows = weight->shape[0];
  if (padding != RILL_NO_PADDING && (padding < -rows || padding >= rows))
    return op_fail(c, RILL_ERROR_ARGUMENT, "padding_idx %lld is out of range for %lld rows",
                   (long long)padding, (long long)rows);
  c->args[2] = op_i(padding == RILL_NO_PADDING || padding >= 0 ? padding : padding + rows);
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, index->shape, sizeof shape);
  shape[index->ndim] = weight->shape[1];
  op_out(c, 0, (rill_dtype)weight->dtype, shape, index->ndim + 1);
  return RILL_OK;
}

static rill_status embedding_forward(op_call *c) {
  const rill_tensor *weight = tensor_contiguous(c->ctx, c->op->name, op_in(c, 1));
  const rill_tensor *index = weight ? read_index(c, 0, weight->shape[0]) : NULL;
  if (!index || !keep_index(c, index)) return rill_error(c->ctx);
  gather_rows(c->ctx, weight, 1, weight->shape[0], weight->shape[1], index, c->out[0]);
  return RILL_OK;
}

static rill_status embedding_backward(op_grad *g) {
  const edge *e = &g->input[1];
  int64_t padding = g->args[2].as.i, rows = e->shape[0], width = e->shape[1];
  rill_tensor *t = move_grad_zeros(g, 1);
  g->result[1] = t;
  if (!t) return rill_error(g->ctx);
  scatter_rows((rill_dtype)e->dtype, g->grad[0], 1, rows, width, saved_index(g), g->extra[0]->numel,
               t);
  size_t row = (size_t)width * move_size(t);
  if (padding >= 0 && row) memset(t->data + (size_t)padding * row, 0, row);
  return RILL_OK;
}

const rill_op rill_op_index_select = {
    .name = "index_select",
    .exports = "index_select",
    .signature = "input: Tensor, dim: int, index: Tensor -> Tensor",
    .doc = "The elements of a dim that a list of indices names.",
    .pure = "rill_gather_rows_f32 rill_gather_rows_f64 rill_scatter_add_rows_f32 "
            "rill_scatter_add_rows_f64",
    .infer = index_select_infer,
    .forward = index_select_forward,
    .backward = index_select_backward,
};

const rill_op rill_op_embedding = {
    .name = "embedding",
    .exports = "nn.functional.embedding",
    .signature = "input: Tensor, weight: Tensor, padding_idx: int? = None -> Tensor",
    .doc = "Rows of weight that the indices name; the row of padding_idx gets no gradient.",
    .module = "rill_nn_embedding",
    .pure = "rill_gather_rows_f32 rill_gather_rows_f64 rill_scatter_add_rows_f32 "
            "rill_scatter_add_rows_f64",
    .infer = embedding_infer,
    .forward = embedding_forward,
    .backward = embedding_backward,
};

rill_tensor *rill_index_select(rill_context *ctx, const rill_tensor *input, int dim,
                               const rill_tensor *index) {
  return op_run1(ctx, &rill_op_index_select, (rill_value[]){op_t(input), op_i(dim), op_t(index)},
                 3);
}

rill_tensor *rill_embedding(rill_context *ctx, const rill_tensor *index, const rill_tensor *weight,
                            int64_t padding_idx) {
  return op_run1(ctx, &rill_op_embedding,
                 (rill_value[]){op_t(index), op_t(weight), op_i(padding_idx)}, 3);
}

/* ---- elements: gather, scatter_add ------------------------------------------------------------- */

/* The part of t that an index of this shape can name: t itself along dim, and elsewhere as many
 * elements as the index has. Contiguous. */
static const rill_tensor *reached(rill_context *ctx, const char *op, const rill_tensor *t, int dim,
                                  const int64_t *index_shape) {
  int64_t shape[RILL_MAX_DIMS];
  for (int d = 0; d < t->ndim; d++) shape[d] = d == dim ? t->shape[d] : index_shape[d];
  if (!shape_equal(shape, t->ndim, t->shape, t->ndim))
    t = tensor_view(ctx, t, shape, t->strides, t->ndim, t->data);
  return t ? tensor_contiguous(ctx, op, t) : NULL;
}

/* The index has the dims of tensor argument i and is no larger, but perhaps along dim. */
static bool index_fits(op_call *c, int i, const rill_tensor *index, int dim) {
  const rill_tensor *t = op_in(c, i);
  bool fits = t->ndim == index->ndim;
  for (int d = 0; fits && d < t->ndim; d++) fits = d == dim || index->shape[d] <= t->shape[d];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!fits)
    op_fail(c, RILL_ERROR_SHAPE, "an index of shape %s does not fit argument %d of shape %s",
            shape_text(index->shape, index->ndim, a), i, shape_text(t->shape, t->ndim, b));
  return fits;
}

/* A view of outer, dim, inner. Without dims: one element. */
typedef struct extent {
  int64_t outer, n, m, inner; /* n along dim of the tensor, m of the index */
} extent;

static extent extent_of(const int64_t *index_shape, int ndim, int dim, int64_t n) {
  extent e = {1, n, 1, 1};
  if (ndim)
    e = (extent){move_outer(index_shape, dim), n, index_shape[dim],
                 move_inner(index_shape, ndim, dim)};
  return e;
}

#define GATHER(type)                                                                               \
  static void gather_##type(const type *x, const int64_t *index, type *y, extent e) {              \
    for (int64_t o = 0; o < e.outer; o++, x += e.n * e.inner)                                      \
      for (int64_t i = 0; i < e.m; i++, index += e.inner, y += e.inner)                            \
        for (int64_t j = 0; j < e.inner; j++) y[j] = x[index[j] * e.inner + j];                    \
  }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)
#undef GATHER

/* y[o, i, j] = x[o, index[o, i, j], j]. */
static void gather(const rill_tensor *x, const int64_t *index, rill_tensor *y, extent e) {
  if (!y->numel) return;
  const void *from = x->data;
  void *to = y->data;
  switch (move_size(x)) {
  case 1: gather_uint8_t(from, index, to, e); return;
  case 2: gather_uint16_t(from, index, to, e); return;
  case 4: gather_uint32_t(from, index, to, e); return;
  default: gather_uint64_t(from, index, to, e); return;
  }
}

/* y[o, index[o, i, j], j] += src[o, i, j]. */
static void scatter_add(const rill_tensor *src, const int64_t *index, rill_tensor *y, extent e) {
  if (!src->numel || !y->numel) return;
  if (y->dtype == RILL_F32)
    rill_scatter_add_f32((const float *)src->data, index, (float *)y->data, e.outer, e.n, e.m,
                         e.inner);
  else
    rill_scatter_add_f64((const double *)src->data, index, (double *)y->data, e.outer, e.n, e.m,
                         e.inner);
}

/* Adds src, at the index, into y, a contiguous tensor that may be larger than what is reached. */
static bool scatter_into(rill_context *ctx, const char *op, const rill_tensor *src,
                         const int64_t *index, const int64_t *index_shape, int dim,
                         rill_tensor *y) {
  rill_tensor *part = (rill_tensor *)reached(ctx, op, y, dim, index_shape);
  if (!part) return false;
  scatter_add(src, index, part, extent_of(index_shape, y->ndim, dim, y->ndim ? y->shape[dim] : 1));
  if (part != y) move_copy(ctx, part, y->data, y->strides);
  return true;
}

static rill_status gather_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0), *index = op_in(c, 2);
  int dim = op_dim(c, 1);
  if (dim < 0 || !index_fits(c, 0, index, dim)) return rill_error(c->ctx);
  c->args[1].as.i = dim;
  op_out(c, 0, (rill_dtype)t->dtype, index->shape, index->ndim);
  return RILL_OK;
}

static rill_status gather_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0), *index = op_in(c, 2);
  int dim = (int)c->args[1].as.i;
  int64_t n = t->ndim ? t->shape[dim] : 1;
  t = reached(c->ctx, c->op->name, t, dim, index->shape);
  index = t ? read_index(c, 2, n) : NULL;
  if (!index || !keep_index(c, index)) return rill_error(c->ctx);
  gather(t, (const int64_t *)index->data, c->out[0], extent_of(index->shape, index->ndim, dim, n));
  return RILL_OK;
}

static rill_status gather_backward(op_grad *g) {
  rill_tensor *t = move_grad_zeros(g, 0);
  if (t && !scatter_into(g->ctx, g->op->name, g->grad[0], saved_index(g), g->extra[0]->shape,
                         (int)g->args[1].as.i, t))
    t = NULL;
  return move_gradient(g, t);
}

static rill_status scatter_add_infer(op_call *c) {
  const rill_tensor *t = op_in(c, 0), *index = op_in(c, 2);
  if (op_need_real(c, 0) != RILL_OK) return rill_error(c->ctx);
  if (op_need_dtype(c, 3, (rill_dtype)t->dtype) != RILL_OK) return rill_error(c->ctx);
  int dim = op_dim(c, 1);
  if (dim < 0 || !index_fits(c, 0, index, dim) || !index_fits(c, 3, index, -1))
    return rill_error(c->ctx);
  c->args[1].as.i = dim;
  op_out_like(c, t, (rill_dtype)t->dtype);
  return RILL_OK;
}

static rill_status scatter_add_forward(op_call *c) {
  const rill_tensor *t = op_in(c, 0);
  int dim = (int)c->args[1].as.i;
  const rill_tensor *index = read_index(c, 2, t->ndim ? t->shape[dim] : 1);
  if (!index || !keep_index(c, index)) return rill_error(c->ctx);
  const rill_tensor *source = reached(c->ctx, c->op->name, op_in(c, 3), -1, index->shape);
  if (!source) return rill_error(c->ctx);
  move_copy(c->ctx, t, op_result(c, 0), c->out[0]->strides);
  return scatter_into(c->ctx, c->op->name, source, (const int64_t *)index->data, index->shape, dim,
                      c->out[0])
             ? RILL_OK
             : rill_error(c->ctx);
}

/* d source = the gradient at the index, zeros where the source was larger. Inputs: 0 input, 1 index,
 * 2 source. */
static rill_status scatter_add_backward(op_grad *g) {
  const rill_tensor *grad = g->grad[0], *index = g->extra[0];
  int dim = (int)g->args[1].as.i;
  if (g->need[0] && move_gradient(g, tensor_alias(g->ctx, grad)) != RILL_OK)
    return rill_error(g->ctx);
  if (!g->need[2]) return RILL_OK;
  rill_tensor *t = move_grad_zeros(g, 2);
  const rill_tensor *from = t ? reached(g->ctx, g->op->name, grad, dim, index->shape) : NULL;
  rill_tensor *part =
      from ? op_new(g->ctx, g->op, (rill_dtype)grad->dtype, index->shape, index->ndim) : NULL;
  if (!part) return rill_error(g->ctx);
  gather(from, saved_index(g), part,
         extent_of(index->shape, index->ndim, dim, grad->ndim ? grad->shape[dim] : 1));
  move_copy(g->ctx, part, t->data, t->strides);
  g->result[2] = t;
  return RILL_OK;
}

const rill_op rill_op_gather = {
    .name = "gather",
    .exports = "gather",
    .signature = "input: Tensor, dim: int, index: Tensor -> Tensor",
    .doc = "Along dim, the element that each entry of the index names.",
    .pure = "rill_gather_f32 rill_gather_f64 rill_scatter_add_f32 rill_scatter_add_f64",
    .infer = gather_infer,
    .forward = gather_forward,
    .backward = gather_backward,
};

const rill_op rill_op_scatter_add = {
    .name = "scatter_add",
    .exports = "scatter_add",
    .signature = "input: Tensor, dim: int, index: Tensor, source: Tensor -> Tensor",
    .doc = "Adds each element of source to the place along dim that the index names.",
    .pure = "rill_scatter_add_f32 rill_scatter_add_f64 rill_gather_f32 rill_gather_f64",
    .infer = scatter_add_infer,
    .forward = scatter_add_forward,
    .backward = scatter_add_backward,
};

rill_tensor *rill_gather(rill_context *ctx, const rill_tensor *input, int dim,
                         const rill_tensor *index) {
  return op_run1(ctx, &rill_op_gather, (rill_value[]){op_t(input), op_i(dim), op_t(index)}, 3);
}

rill_tensor *rill_scatter_add(rill_context *ctx, const rill_tensor *input, int dim,
                              const rill_tensor *index, const rill_tensor *source) {
  return op_run1(ctx, &rill_op_scatter_add,
                 (rill_value[]){op_t(input), op_i(dim), op_t(index), op_t(source)}, 4);
}

/* ---- one_hot ----------------------------------------------------------------------------------- */

/* One more than the largest index: what -1 classes stand for. */
static int64_t largest_class(const rill_tensor *index) {
  const int64_t *at = (const int64_t *)index->data;
  int64_t most = 0;
  for (int64_t i = 0; i < index->numel; i++)
    if (at[i] >= most) most = at[i] + 1;
  return most;
}

static rill_status one_hot_infer(op_call *c) {
  const rill_tensor *index = op_in(c, 0);
  int64_t classes = c->args[1].as.i;
  if (index->ndim == RILL_MAX_DIMS)
    return op_fail(c, RILL_ERROR_SHAPE, "the index has %d dims, too many for one more",
                   index->ndim);
  if (classes < -1 || (!classes && index->numel))
    return op_fail(c, RILL_ERROR_ARGUMENT, "classes is %lld", (long long)classes);
  if (classes == -1) {
    if (!(index = read_index(c, 0, INT64_MAX))) return rill_error(c->ctx);
    classes = largest_class(index);
  }
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, index->shape, sizeof shape);
  shape[index->ndim] = classes;
  c->args[1].as.i = classes;
  op_out(c, 0, RILL_I64, shape, index->ndim + 1);
  return RILL_OK;
}

static rill_status one_hot_forward(op_call *c) {
  int64_t classes = c->args[1].as.i, *y = op_result(c, 0);
  const rill_tensor *index = read_index(c, 0, classes);
  if (!index) return rill_error(c->ctx);
  return rill_one_hot_i64((const int64_t *)index->data, y, index->numel, classes);
}

const rill_op rill_op_one_hot = {
    .name = "one_hot",
    .exports = "nn.functional.one_hot",
    .signature = "input: Tensor, classes: int = -1 -> Tensor",
    .doc = "Ones at the indices, zeros elsewhere; -1 classes: one more than the largest index.",
    .pure = "rill_one_hot_i64",
    .flags = OP_NO_GRADIENT,
    .infer = one_hot_infer,
    .forward = one_hot_forward,
};

rill_tensor *rill_one_hot(rill_context *ctx, const rill_tensor *index, int64_t classes) {
  return op_run1(ctx, &rill_op_one_hot, (rill_value[]){op_t(index), op_i(classes)}, 2);
}
