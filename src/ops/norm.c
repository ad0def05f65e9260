/* layer_norm and rms_norm over the last dim. */
#include "ops/op.h"

#include <string.h>

/* Rows whose parameter gradients one call gathers: fixed, so that the sum's order is. */
enum { ROW_BLOCK = 256 };

typedef struct norm_job {
  bool layer; /* else rms */
  rill_dtype dtype;
  int64_t rows, cols;
  double eps;
  const char *x, *weight, *bias, *g;
  char *y, *mean, *rstd; /* y: the result, or in backward the gradient of x (NULL: not wanted) */
  char *gw, *gb;         /* backward: [blocks, cols] partial sums; NULL where not wanted */
} norm_job;

static char *at(const char *data, int64_t i, rill_dtype d) {
  return data ? (char *)(uintptr_t)data + i * (int64_t)rill_dtype_size(d) : NULL;
}

static void forward_part(void *arg, int64_t i, int64_t end, int slot) {
  const norm_job *j = arg;
  rill_dtype d = j->dtype;
  const void *x = at(j->x, i * j->cols, d), *w = j->weight, *b = j->bias;
  void *y = at(j->y, i * j->cols, d), *mean = at(j->mean, i, d), *rstd = at(j->rstd, i, d);
  (void)slot;
  if (j->layer)
    PURE(d, layer_norm, x, w, b, j->eps, y, mean, rstd, end - i, j->cols);
  else
    PURE(d, rms_norm, x, w, j->eps, y, rstd, end - i, j->cols);
}

/* Blocks [begin, end) of ROW_BLOCK rows. */
static void backward_part(void *arg, int64_t begin, int64_t end, int slot) {
  const norm_job *j = arg;
  rill_dtype d = j->dtype;
  (void)slot;
  for (int64_t block = begin; block < end; block++) {
    int64_t i = block * ROW_BLOCK, rows = j->rows - i < ROW_BLOCK ? j->rows - i : ROW_BLOCK;
    const void *g = at(j->g, i * j->cols, d), *x = at(j->x, i * j->cols, d), *w = j->weight;
    const void *mean = at(j->mean, i, d), *rstd = at(j->rstd, i, d);
    void *gx = at(j->y, i * j->cols, d), *gw = at(j->gw, block * j->cols, d),
         *gb = at(j->gb, block * j->cols, d);
    size_t bytes = (size_t)j->cols * rill_dtype_size(d);
    if (gw) memset(gw, 0, bytes);
    if (gb) memset(gb, 0, bytes);
    if (j->layer)
      PURE(d, layer_norm_backward, g, x, w, mean, rstd, gx, gw, gb, rows, j->cols);
    else
      PURE(d, rms_norm_backward, g, x, w, rstd, gx, gw, rows, j->cols);
  }
}

/* Arguments: input, weight?, (layer_norm: bias?,) eps. */
static bool is_layer(const rill_op *op) { return op->data != NULL; }
static double eps_of(const rill_op *op, const rill_value *args) {
  return args[is_layer(op) ? 3 : 2].as.f;
}

static rill_status norm_infer(op_call *c) {
  rill_status s = op_need_real(c, 0);
  if (s != RILL_OK) return s;
  const rill_tensor *x = op_in(c, 0);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (x->ndim < 1) return op_fail(c, RILL_ERROR_SHAPE, "the input needs at least one dim");
  for (int i = 1; i <= (is_layer(c->op) ? 2 : 1); i++) {
    if (!op_has(c, i)) continue;
    const rill_tensor *p = op_in(c, i);
    if (p->ndim != 1 || p->shape[0] != x->shape[x->ndim - 1] || p->dtype != x->dtype)
      return op_fail(c, RILL_ERROR_SHAPE, "the %s is %s %s for an input of %s %s",
                     i == 1 ? "weight" : "bias", rill_dtype_name((rill_dtype)p->dtype),
                     shape_text(p->shape, p->ndim, a), rill_dtype_name((rill_dtype)x->dtype),
                     shape_text(x->shape, x->ndim, b));
  }
  op_out_like(c, x, (rill_dtype)x->dtype);
  return RILL_OK;
}

static rill_status norm_forward(op_call *c) {
  rill_tensor *y = c->out[0], *rstd = NULL, *mean = NULL;
  bool layer = is_layer(c->op);
  int64_t cols = y->shape[y->ndim - 1], rows = cols ? y->numel / cols : 0;
  const void *x = op_data(c, 0), *w = op_has(c, 1) ? op_data(c, 1) : NULL;
  const void *b = layer && op_has(c, 2) ? op_data(c, 2) : NULL;
  if (c->recorded) {
    rstd = op_new(c->ctx, c->op, (rill_dtype)y->dtype, &rows, 1);
    if (layer) mean = op_new(c->ctx, c->op, (rill_dtype)y->dtype, &rows, 1);
  }
  if (c->ctx->error != RILL_OK) return c->ctx->error;
  norm_job j = {.layer = layer,
                .dtype = (rill_dtype)y->dtype,
                .rows = rows,
                .cols = cols,
                .eps = eps_of(c->op, c->args),
                .x = x,
                .weight = w,
                .bias = b,
                .y = y->data,
                .mean = mean ? mean->data : NULL,
                .rstd = rstd ? rstd->data : NULL};
  pool_for(c->ctx, rows, op_grain(cols), forward_part, &j);
  c->extra[0] = rstd;
  c->extra[1] = mean;
  return RILL_OK;
}

/* Partial sums [blocks, cols] of a parameter's gradient; the engine adds the blocks up. */
static rill_tensor *partial(op_grad *g, int input, int64_t blocks, int64_t cols) {
  if (g->inputs <= input || !g->need[input]) return NULL;
  return op_new(g->ctx, g->op, (rill_dtype)g->grad[0]->dtype, (int64_t[]){blocks, cols}, 2);
}

static rill_status norm_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  const edge *in = &g->input[0];
  bool layer = is_layer(g->op), has_weight = g->args[1].kind == RILL_VALUE_TENSOR;
  int64_t cols = in->shape[in->ndim - 1], rows = g->extra[0]->numel,
          blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
  const rill_tensor *x = tensor_contiguous(ctx, g->op->name, g->args[0].as.tensor), *w = NULL;
  if (has_weight) w = tensor_contiguous(ctx, g->op->name, g->args[1].as.tensor);
  rill_tensor *gx = g->need[0] ? op_grad_new(g, 0) : NULL, *gw = partial(g, 1, blocks, cols);
  rill_tensor *gb = layer ? partial(g, 2, blocks, cols) : NULL;
  if (ctx->error != RILL_OK) return ctx->error;
  norm_job j = {.layer = layer,
                .dtype = (rill_dtype)x->dtype,
                .rows = rows,
                .cols = cols,
                .x = x->data,
                .weight = w ? w->data : NULL,
                .g = g->grad[0]->data,
                .y = gx ? gx->data : NULL,
                .mean = layer ? g->extra[1]->data : NULL,
                .rstd = g->extra[0]->data,
                .gw = gw ? gw->data : NULL,
                .gb = gb ? gb->data : NULL};
  pool_for(ctx, blocks, 1, backward_part, &j);
  g->result[0] = gx;
  if (gw) g->result[1] = gw;
  if (gb) g->result[2] = gb;
  return RILL_OK;
}

const rill_op rill_op_layer_norm = {
    .name = "layer_norm",
    .exports = "nn.functional.layer_norm",
    .signature =
        "input: Tensor, weight: Tensor? = None, bias: Tensor? = None, eps: float = 1e-05 -> Tensor",
    .doc = "torch.nn.functional.layer_norm over the last dim",
    .module = "rill_nn_layer_norm",
    .pure = "rill_layer_norm_f32 rill_layer_norm_f64 rill_layer_norm_backward_f32 "
            "rill_layer_norm_backward_f64",
    .save = OP_SAVE_INPUT(0) | OP_SAVE_INPUT(1),
    .infer = norm_infer,
    .forward = norm_forward,
    .backward = norm_backward,
    .data = "layer",
};

const rill_op rill_op_rms_norm = {
    .name = "rms_norm",
    .exports = "nn.functional.rms_norm",
    .signature = "input: Tensor, weight: Tensor? = None, eps: float = 1e-06 -> Tensor",
    .doc = "torch.nn.functional.rms_norm over the last dim",
    .module = "rill_nn_rms_norm",
    .pure =
        "rill_rms_norm_f32 rill_rms_norm_f64 rill_rms_norm_backward_f32 rill_rms_norm_backward_f64",
    .save = OP_SAVE_INPUT(0) | OP_SAVE_INPUT(1),
    .infer = norm_infer,
    .forward = norm_forward,
    .backward = norm_backward,
};

rill_tensor *rill_layer_norm(rill_context *ctx, const rill_tensor *input, const rill_tensor *weight,
                             const rill_tensor *bias, double eps) {
  return op_run1(ctx, &rill_op_layer_norm,
                 (rill_value[]){op_t(input), op_to(weight), op_to(bias), op_f(eps)}, 4);
}

rill_tensor *rill_rms_norm(rill_context *ctx, const rill_tensor *input, const rill_tensor *weight,
                           double eps) {
  return op_run1(ctx, &rill_op_rms_norm, (rill_value[]){op_t(input), op_to(weight), op_f(eps)}, 3);
}
