/* einsum over one or two operands, as one batched product: indices of both operands that the result
 * keeps are batch dims, those it drops are contracted, the rest are rows of one or columns of the
 * other. */
#include "ops/op.h"

#include <string.h>

enum { LETTERS = 26, EINSUM_MAX = 2 };

/* An equation taken apart: for each operand and the result the letters of its dims, in order. */
typedef struct einsum {
  int operands;
  int ndim[EINSUM_MAX + 1]; /* the result's last */
  char letter[EINSUM_MAX + 1][RILL_MAX_DIMS + 1];
  int64_t size[LETTERS]; /* of each index; 0 where not seen */
  bool seen[EINSUM_MAX + 1][LETTERS];
} einsum;

static rill_status bad(op_call *c, const char *why) {
  return op_fail(c, RILL_ERROR_ARGUMENT, "equation \"%s\": %s", c->args[0].as.string, why);
}

/* Reads "ij,jk->ik". Without "->" the result has the letters that come once, in alphabetical order. */
static rill_status parse(op_call *c, einsum *e, int operands) {
  memset(e, 0, sizeof *e);
  int part = 0, result = operands;
  bool arrow = false;
  for (const char *s = c->args[0].as.string; *s; s++) {
    if (*s == ' ') continue;
    if (*s == ',' && !arrow) {
      if (++part >= operands) return bad(c, "more operands than tensors");
    } else if (*s == '-' && s[1] == '>' && !arrow) {
      arrow = true;
      if (part != operands - 1) return bad(c, "fewer operands than tensors");
      part = result;
      s++;
    } else if (*s >= 'a' && *s <= 'z') {
      if (e->seen[part][*s - 'a']) return bad(c, "an index comes twice in one place");
      if (e->ndim[part] == RILL_MAX_DIMS) return bad(c, "too many dims");
      e->seen[part][*s - 'a'] = true;
      e->letter[part][e->ndim[part]++] = *s;
    } else {
      return bad(c, "only letters a to z, commas and \"->\" are understood");
    }
  }
  if (!arrow && part != operands - 1) return bad(c, "fewer operands than tensors");
  for (int l = 0; l < LETTERS; l++) {
    int times = e->seen[0][l] + (operands > 1 && e->seen[1][l]);
    if (!arrow && times == 1 && e->ndim[result] < RILL_MAX_DIMS) {
      e->seen[result][l] = true;
      e->letter[result][e->ndim[result]++] = (char)('a' + l);
    }
    if (e->seen[result][l] && !times) return bad(c, "the result has an index that no operand has");
  }
  e->operands = operands;
  return RILL_OK;
}

static rill_status measure(op_call *c, einsum *e, const rill_tensor *const *t) {
  char shape[SHAPE_TEXT];
  for (int o = 0; o < e->operands; o++) {
    if (t[o]->ndim != e->ndim[o])
      return op_fail(c, RILL_ERROR_SHAPE, "equation \"%s\": operand %d has shape %s",
                     c->args[0].as.string, o, shape_text(t[o]->shape, t[o]->ndim, shape));
    for (int d = 0; d < t[o]->ndim; d++) {
      int l = e->letter[o][d] - 'a';
      if (o && e->seen[0][l] && e->size[l] != t[o]->shape[d])
        return op_fail(c, RILL_ERROR_SHAPE,
                       "equation \"%s\": index %c is %lld in one operand and %lld in the other",
                       c->args[0].as.string, 'a' + l, (long long)e->size[l],
                       (long long)t[o]->shape[d]);
      e->size[l] = t[o]->shape[d];
    }
  }
  return RILL_OK;
}

/* Sums away what only operand o has and the result does not. */
static const rill_tensor *sum_alone(op_call *c, einsum *e, int o, const rill_tensor *t) {
  int dims[RILL_MAX_DIMS], n = 0, kept = 0;
  for (int d = 0; d < e->ndim[o]; d++) {
    char letter = e->letter[o][d];
    int l = letter - 'a';
    bool alone = !e->seen[e->operands][l] && !(e->operands > 1 && e->seen[1 - o][l]);
    if (alone) {
      dims[n++] = d;
      e->seen[o][l] = false;
    } else {
      e->letter[o][kept++] = letter;
    }
  }
  e->ndim[o] = kept;
  return n ? rill_sum(c->ctx, t, dims, n, false) : t;
}

/* Operand o with its dims in the order of `want`; a letter it lacks is skipped. */
static rill_tensor *ordered(op_call *c, const einsum *e, int o, const rill_tensor *t,
                            const char *want) {
  int dims[RILL_MAX_DIMS], n = 0;
  for (; *want; want++)
    for (int d = 0; d < e->ndim[o]; d++)
      if (e->letter[o][d] == *want) dims[n++] = d;
  return rill_permute(c->ctx, t, dims, n);
}

/* Letters for which keep holds: in [operand 0], [operand 1], [result] or not, as the flags say. */
static int64_t group(const einsum *e, bool in0, bool in1, bool in_result, char *letters) {
  int64_t size = 1;
  int n = 0;
  for (int l = 0; l < LETTERS; l++) {
    if (e->seen[0][l] != in0 || e->seen[1][l] != in1 || e->seen[2][l] != in_result) continue;
    letters[n++] = (char)('a' + l);
    size *= e->size[l];
  }
  letters[n] = 0;
  return size;
}

static rill_tensor *product(op_call *c, einsum *e, const rill_tensor *a, const rill_tensor *b) {
  char batch[LETTERS + 1], inner[LETTERS + 1], rows[LETTERS + 1], cols[LETTERS + 1],
      order[4 * LETTERS + 1];
  int64_t nb = group(e, true, true, true, batch), nk = group(e, true, true, false, inner);
  int64_t nr = group(e, true, false, true, rows), nc = group(e, false, true, true, cols);
  strcat(strcat(strcpy(order, batch), rows), inner);
  rill_tensor *pa = rill_reshape(c->ctx, ordered(c, e, 0, a, order), (int64_t[]){nb, nr, nk}, 3);
  strcat(strcat(strcpy(order, batch), inner), cols);
  rill_tensor *pb = rill_reshape(c->ctx, ordered(c, e, 1, b, order), (int64_t[]){nb, nk, nc}, 3);
  rill_tensor *y = rill_matmul(c->ctx, pa, pb);
  strcat(strcat(strcpy(order, batch), rows), cols);
  int64_t shape[RILL_MAX_DIMS];
  int dims[RILL_MAX_DIMS];
  for (int d = 0; order[d]; d++) shape[d] = e->size[order[d] - 'a'];
  for (int d = 0; d < e->ndim[2]; d++) dims[d] = (int)(strchr(order, e->letter[2][d]) - order);
  return rill_permute(c->ctx, rill_reshape(c->ctx, y, shape, e->ndim[2]), dims, e->ndim[2]);
}

static rill_status einsum_forward(op_call *c) {
  const rill_value *v = &c->args[1];
  einsum e;
  if (v->count < 1 || v->count > EINSUM_MAX)
    return op_fail(c, RILL_ERROR_UNSUPPORTED, "takes one or two operands, not %d", v->count);
  rill_status s = parse(c, &e, v->count);
  if (s == RILL_OK) s = measure(c, &e, v->as.tensors);
  if (s != RILL_OK) return s;
  const rill_tensor *a = sum_alone(c, &e, 0, v->as.tensors[0]);
  const rill_tensor *b = e.operands > 1 ? sum_alone(c, &e, 1, v->as.tensors[1]) : NULL;
  c->out[0] = e.operands > 1 ? product(c, &e, a, b) : ordered(c, &e, 0, a, e.letter[1]);
  return rill_error(c->ctx);
}

const rill_op rill_op_einsum = {
    .name = "einsum",
    .signature = "equation: str, operands: Tensor[] -> Tensor",
    .doc = "torch.einsum over one or two operands",
    .pure = "rill_gemm_f32 rill_gemm_f64",
    .flags = OP_COMPOSITE,
    .forward = einsum_forward,
};

rill_tensor *rill_einsum(rill_context *ctx, const char *equation,
                         const rill_tensor *const *operands, int count) {
  if (context_ready(ctx) && !equation) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "einsum", "the equation is NULL");
    return NULL;
  }
  return op_run1(ctx, &rill_op_einsum, (rill_value[]){op_s(equation), op_ts(operands, count)}, 2);
}
