/* matmul with PyTorch's rank rules, and bmm. */
#include "ops/gemm.h"

#include <string.h>

/* An operand as matrices [rows, cols] under batch dims. */
typedef struct matrices {
  const rill_tensor *t;
  int64_t rows, cols, ld;
  bool trans; /* stored transposed, with ld between its columns */
  int batch_ndim;
  int64_t batch_shape[RILL_MAX_DIMS], batch_strides[RILL_MAX_DIMS];
} matrices;

/* Can BLAS read the last two dims as they lie? */
static bool readable(int64_t inner_size, int64_t inner, int64_t outer_size, int64_t outer) {
  return (inner == 1 || inner_size == 1) &&
         (outer_size == 1 || outer >= (inner_size ? inner_size : 1));
}

/* Views t as matrices, a vector as one row (left) or one column; copies it where BLAS could not read
 * it. False with the error set. */
static bool matrices_view(op_call *c, int arg, bool left, matrices *m) {
  const rill_tensor *t = op_in(c, arg);
  for (int pass = 0; pass < 2; pass++) {
    int64_t row_stride, col_stride;
    m->t = t;
    if (t->ndim == 1) {
      m->rows = left ? 1 : t->shape[0];
      m->cols = left ? t->shape[0] : 1;
      row_stride = left ? m->cols : t->strides[0];
      col_stride = left ? t->strides[0] : 1;
    } else {
      m->rows = t->shape[t->ndim - 2];
      m->cols = t->shape[t->ndim - 1];
      row_stride = t->strides[t->ndim - 2];
      col_stride = t->strides[t->ndim - 1];
    }
    m->trans = !readable(m->cols, col_stride, m->rows, row_stride);
    m->ld = m->trans ? col_stride : row_stride;
    int64_t least = m->trans ? m->rows : m->cols;
    if ((m->trans ? m->cols : m->rows) <= 1 || m->ld < 1) m->ld = least > 0 ? least : 1;
    if (!m->trans || readable(m->rows, row_stride, m->cols, col_stride)) break;
    if (!(t = tensor_contiguous(c->ctx, c->op->name, t))) return false;
  }
  m->batch_ndim = t->ndim > 2 ? t->ndim - 2 : 0;
  memcpy(m->batch_shape, t->shape, (size_t)m->batch_ndim * sizeof(int64_t));
  memcpy(m->batch_strides, t->strides, (size_t)m->batch_ndim * sizeof(int64_t));
  return true;
}

static rill_status matmul_infer(op_call *c) {
  rill_status s = op_promote(c, 0, 2, true);
  if (s != RILL_OK) return s;
  const rill_tensor *a = op_in(c, 0), *b = op_in(c, 1);
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  if (!a->ndim || !b->ndim)
    return op_fail(c, RILL_ERROR_SHAPE, "both operands need at least one dim");
  int64_t ka = a->shape[a->ndim - 1], kb = b->shape[b->ndim > 1 ? b->ndim - 2 : 0];
  if (ka != kb)
    return op_fail(c, RILL_ERROR_SHAPE, "inner dimensions differ: %s x %s",
                   shape_text(a->shape, a->ndim, ta), shape_text(b->shape, b->ndim, tb));
  int64_t shape[RILL_MAX_DIMS + 2];
  int ndim;
  if (!shape_broadcast(a->shape, a->ndim > 2 ? a->ndim - 2 : 0, b->shape,
                       b->ndim > 2 ? b->ndim - 2 : 0, shape, &ndim))
    return op_fail(c, RILL_ERROR_SHAPE, "batch dimensions do not broadcast: %s x %s",
                   shape_text(a->shape, a->ndim, ta), shape_text(b->shape, b->ndim, tb));
  if (a->ndim > 1) shape[ndim++] = a->shape[a->ndim - 2];
  if (b->ndim > 1) shape[ndim++] = b->shape[b->ndim - 1];
  op_out(c, 0, (rill_dtype)a->dtype, shape, ndim);
  return RILL_OK;
}

typedef struct batch_job {
  matrices a, b;
  gemm g; /* of the first batch */
  int ndim;
  int64_t shape[RILL_MAX_DIMS];
} batch_job;

/* Elements to skip in an operand for batch i of the result. */
static int64_t batch_offset(const batch_job *j, const matrices *m, int64_t i) {
  int64_t offset = 0;
  for (int d = j->ndim - 1; d >= 0; d--) {
    int own = d - (j->ndim - m->batch_ndim);
    if (own >= 0 && m->batch_shape[own] != 1) offset += i % j->shape[d] * m->batch_strides[own];
    i /= j->shape[d];
  }
  return offset;
}

static gemm batch_gemm(const batch_job *j, int64_t i) {
  gemm g = j->g;
  int64_t size = (int64_t)rill_dtype_size(g.dtype);
  g.a += batch_offset(j, &j->a, i) * size;
  g.b += batch_offset(j, &j->b, i) * size;
  g.c += i * g.m * g.n * size;
  return g;
}

static void batch_part(void *arg, int64_t begin, int64_t end, int slot) {
  const batch_job *j = arg;
  (void)slot;
  for (int64_t i = begin; i < end; i++) {
    gemm g = batch_gemm(j, i);
    gemm_serial(&g);
  }
}

/* One product instead of many where b is shared and a's batches lie one after the other. */
static bool foldable(const matrices *a, const matrices *b) {
  return b->batch_ndim == 0 && a->batch_ndim > 0 && !a->trans && a->t->contiguous;
}

static rill_status matmul_forward(op_call *c) {
  batch_job j = {.ndim = 0};
  if (!matrices_view(c, 0, true, &j.a) || !matrices_view(c, 1, false, &j.b))
    return rill_error(c->ctx);
  rill_tensor *y = c->out[0];
  j.g = (gemm){.dtype = (rill_dtype)y->dtype,
               .trans_a = j.a.trans,
               .trans_b = j.b.trans,
               .m = j.a.rows,
               .n = j.b.cols,
               .k = j.a.cols,
               .a = j.a.t->data,
               .lda = j.a.ld,
               .b = j.b.t->data,
               .ldb = j.b.ld,
               .c = y->data,
               .ldc = j.b.cols > 0 ? j.b.cols : 1};
  if (y->numel == 0) return RILL_OK;
  int64_t batches = y->numel / (j.g.m * j.g.n);
  if (foldable(&j.a, &j.b)) {
    j.g.m *= batches;
    j.g.lda = j.g.k > 0 ? j.g.k : 1;
    batches = 1;
  }
  int mats = (op_in(c, 0)->ndim > 1) + (op_in(c, 1)->ndim > 1);
  j.ndim = batches > 1 ? y->ndim - mats : 0;
  memcpy(j.shape, y->shape, (size_t)j.ndim * sizeof(int64_t));
  if (batches == 1)
    gemm_run(c->ctx, &j.g);
  else
    pool_for(c->ctx, batches, op_grain(j.g.m * j.g.n * j.g.k / 32 + 1), batch_part, &j);
  return RILL_OK;
}

/* [..., m, k] to [rows, k], for the gradient of a shared second operand. */
static rill_tensor *fold(rill_context *ctx, const rill_tensor *t, int64_t rows) {
  return rill_reshape(ctx, t, (int64_t[]){rows, t->shape[t->ndim - 1]}, 2);
}

/* dA = G Bt, dB = At G, vectors as the rows and columns they stand for. */
static rill_status matmul_backward(op_grad *g) {
  rill_context *ctx = g->ctx;
  const rill_tensor *a = g->args[0].as.tensor, *b = g->args[1].as.tensor, *grad = g->grad[0];
  bool row = a->ndim == 1, column = b->ndim == 1;
  if (row) a = rill_unsqueeze(ctx, a, 0);
  if (column) b = rill_unsqueeze(ctx, b, 1);
  if (column) grad = rill_unsqueeze(ctx, grad, -1);
  if (row) grad = rill_unsqueeze(ctx, grad, -2);
  if (g->need[0]) {
    rill_tensor *ga = rill_matmul(ctx, grad, rill_transpose(ctx, b, -2, -1));
    g->result[0] = row ? rill_squeeze(ctx, ga, -2) : ga;
  }
  if (g->need[1] && ctx->error == RILL_OK) {
    if (b->ndim == 2 && a->ndim > 2 && grad->numel) {
      int64_t rows = grad->numel / grad->shape[grad->ndim - 1]; /* a may have no columns */
      a = fold(ctx, a, rows);
      grad = fold(ctx, grad, rows);
    }
    rill_tensor *gb = rill_matmul(ctx, rill_transpose(ctx, a, -2, -1), grad);
    g->result[1] = column ? rill_squeeze(ctx, gb, -1) : gb;
  }
  return rill_error(ctx);
}

const rill_op rill_op_matmul = {
    .name = "matmul",
    .aliases = "mm",
    .signature = "input: Tensor, other: Tensor -> Tensor",
    .doc = "torch.matmul: vectors, matrices and broadcast batches of them",
    .pure = "rill_gemm_f32 rill_gemm_f64",
    .save = OP_SAVE_INPUT(0) | OP_SAVE_INPUT(1),
    .infer = matmul_infer,
    .forward = matmul_forward,
    .backward = matmul_backward,
};

rill_tensor *rill_matmul(rill_context *ctx, const rill_tensor *a, const rill_tensor *b) {
  return op_run1(ctx, &rill_op_matmul, (rill_value[]){op_t(a), op_t(b)}, 2);
}

static rill_status bmm_forward(op_call *c) {
  const rill_tensor *a = op_in(c, 0), *b = op_in(c, 1);
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  if (a->ndim != 3 || b->ndim != 3 || a->shape[0] != b->shape[0])
    return op_fail(c, RILL_ERROR_SHAPE, "needs [b,n,k] x [b,k,m], not %s x %s",
                   shape_text(a->shape, a->ndim, ta), shape_text(b->shape, b->ndim, tb));
  c->out[0] = rill_matmul(c->ctx, a, b);
  return rill_error(c->ctx);
}

const rill_op rill_op_bmm = {
    .name = "bmm",
    .signature = "input: Tensor, mat2: Tensor -> Tensor",
    .doc = "torch.bmm: products of two equal batches of matrices",
    .pure = "rill_gemm_f32 rill_gemm_f64",
    .flags = OP_COMPOSITE,
    .forward = bmm_forward,
};

rill_tensor *rill_bmm(rill_context *ctx, const rill_tensor *a, const rill_tensor *b) {
  return op_run1(ctx, &rill_op_bmm, (rill_value[]){op_t(a), op_t(b)}, 2);
}
