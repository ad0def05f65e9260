/* Depthwise causal convolution along time, as between Mamba's projection and its scan, and its
 * gradient:
 *   s_t = bias + sum_k weight[k] x_{t - (taps - 1) + k},   y_t = s_t or silu(s_t).
 * A unit of work is one batch entry times a block of LANES channels; vectors run over channels. The
 * taps - 1 inputs before the first come from the tail: row e of the tail followed by x is input
 * e - (taps - 1). */
#include "pure/kernel.h"
#include "base/vmath.h"

#include <string.h>

#undef LANES
#define LANES 128

/* ---- sizes ----------------------------------------------------------------------------------- */

static int64_t L(conv_blocks)(const rill_causal_conv1d_params *p) {
  return p->channels / LANES + (p->channels % LANES != 0);
}

static rill_status L(conv_check)(const rill_causal_conv1d_params *p) {
  if (!p || p->struct_size < sizeof *p) return RILL_ERROR_ARGUMENT;
  if (p->batch < 0 || p->steps < 0 || p->channels < 0 || p->taps < 1) return RILL_ERROR_SHAPE;
  if (p->x_stride && p->x_stride < p->channels) return RILL_ERROR_SHAPE;
  /* The largest buffers: x, the partials, the workspace. */
  int64_t row = p->x_stride ? p->x_stride : p->channels, rows, n;
  size_t bytes;
  if (!checked_add(p->steps, p->taps, &rows) || !checked_mul(rows, p->batch, &rows) ||
      !checked_mul(rows, row, &n) || !checked_bytes(n, 2 * sizeof(double), &bytes) ||
      !checked_add(p->taps, 1, &n) || !checked_bytes(n, 4 * sizeof(double) * LANES, &bytes))
    return RILL_ERROR_OVERFLOW;
  return RILL_OK;
}

/* ---- one unit -------------------------------------------------------------------------------- */

/* Pointers are to the unit's first channel; weight, bias and zeros lie in the workspace, in rows of
 * LANES, and so do the sums and the ring of the backward. */
typedef struct L(conv) {
  int64_t steps, channels, taps, width, x_stride;
  bool silu;
  const real *x, *tail;
  real *weight, *bias, *zeros; /* [taps], [1], [1]                                       */
  real *sum_weight, *sum_bias; /* [taps], [1]: gradients                                 */
  real *ring;                  /* [taps]: the latest rows of the gradient of s           */
  real *s;                     /* [1]                                                    */
} L(conv);

static void L(conv_begin)(L(conv) * c, const rill_causal_conv1d_params *p, int64_t unit,
                          const real *x, const real *weight, const real *bias, const real *tail,
                          real *workspace) {
  int64_t blocks = L(conv_blocks)(p), b = unit / blocks, d = unit % blocks * LANES;
  *c = (L(conv)){.steps = p->steps, .channels = p->channels, .taps = p->taps, .silu = p->silu};
  c->width = p->channels - d < LANES ? p->channels - d : LANES;
  c->x_stride = p->x_stride ? p->x_stride : p->channels;
  c->x = x + b * p->steps * c->x_stride + d;
  c->tail = tail ? tail + b * (p->taps - 1) * p->channels + d : NULL;
  c->weight = workspace;
  c->sum_weight = c->weight + p->taps * LANES;
  c->ring = c->sum_weight + p->taps * LANES;
  c->bias = c->ring + p->taps * LANES;
  c->zeros = c->bias + LANES;
  c->sum_bias = c->zeros + LANES;
  c->s = c->sum_bias + LANES;

  for (int64_t l = 0; l < c->width; l++)
    for (int64_t k = 0; k < p->taps; k++) c->weight[k * LANES + l] = weight[(d + l) * p->taps + k];
  memset(c->bias, 0, sizeof(real) * LANES * 2); /* bias and zeros */
  if (bias) memcpy(c->bias, bias + d, sizeof(real) * (size_t)c->width);
}

/* Row e of the tail followed by x, e in [0, taps - 1 + steps). */
static const real *L(conv_input)(const L(conv) * c, int64_t e) {
  int64_t t = e - (c->taps - 1);
  if (t >= 0) return c->x + t * c->x_stride;
  return c->tail ? c->tail + e * c->channels : c->zeros;
}

/* s at step t: the usual four taps in one pass over the row, any number in several. */
static void L(conv_row)(const L(conv) * c, int64_t t, real *s) {
  const real *w = c->weight, *bias = c->bias;
  if (c->taps == 4) {
    const real *w1 = w + LANES, *w2 = w1 + LANES, *w3 = w2 + LANES;
    const real *x0 = L(conv_input)(c, t), *x1 = L(conv_input)(c, t + 1);
    const real *x2 = L(conv_input)(c, t + 2), *x3 = L(conv_input)(c, t + 3);
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++)
      s[l] = bias[l] + w[l] * x0[l] + w1[l] * x1[l] + w2[l] * x2[l] + w3[l] * x3[l];
    return;
  }
  memcpy(s, bias, sizeof(real) * (size_t)c->width);
  for (int64_t k = 0; k < c->taps; k++) {
    const real *wk = w + k * LANES, *xk = L(conv_input)(c, t + k);
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++) s[l] += wk[l] * xk[l];
  }
}

/* The tail for the steps that follow. Rows are read before they are overwritten where tail_out is
 * the tail. */
static void L(conv_tail)(const L(conv) * c, real *tail_out) {
  for (int64_t j = 0; j < c->taps - 1; j++) {
    const real *from = L(conv_input)(c, c->steps + j);
    if (from != tail_out + j * c->channels)
      memcpy(tail_out + j * c->channels, from, sizeof(real) * (size_t)c->width);
  }
}

static void L(conv_forward_unit)(const L(conv) * c, real *y, real *tail_out) {
  for (int64_t t = 0; t < c->steps; t++) {
    real *row = y + t * c->channels;
    L(conv_row)(c, t, row);
    if (!c->silu) continue;
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++) row[l] *= L(v_sigmoid)(row[l]);
  }
  if (tail_out) L(conv_tail)(c, tail_out);
}

/* The gradient of s at step t into its row of the ring, and what it adds to weight's and bias's. */
static void L(conv_backward_row)(L(conv) * c, int64_t t, const real *grad_y) {
  real *g = c->ring + t % c->taps * LANES, *s = c->s;
  memcpy(g, grad_y + t * c->channels, sizeof(real) * (size_t)c->width);
  if (c->silu) {
    L(conv_row)(c, t, s);
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++) {
      real q = L(v_sigmoid)(s[l]);
      g[l] *= q * (1 + s[l] * (1 - q));
    }
  }
  for (int64_t k = 0; k < c->taps; k++) {
    const real *x = L(conv_input)(c, t + k);
    real *sum = c->sum_weight + k * LANES;
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++) sum[l] += g[l] * x[l];
  }
#pragma omp simd
  for (int64_t l = 0; l < c->width; l++) c->sum_bias[l] += g[l];
}

/* The gradient of input row e, whose users are steps e - taps + 1 .. e: the whole ring. */
static void L(conv_grad_input)(const L(conv) * c, int64_t e, const real *grad_tail_out, real *to) {
  int64_t from_tail = e - c->steps; /* row of the tail out that this input is */
  if (grad_tail_out && from_tail >= 0)
    memcpy(to, grad_tail_out + from_tail * c->channels, sizeof(real) * (size_t)c->width);
  else
    memset(to, 0, sizeof(real) * (size_t)c->width);
  for (int64_t k = 0; k < c->taps; k++) {
    int64_t t = e - k;
    if (t < 0 || t >= c->steps) continue;
    const real *w = c->weight + k * LANES, *g = c->ring + t % c->taps * LANES;
#pragma omp simd
    for (int64_t l = 0; l < c->width; l++) to[l] += w[l] * g[l];
  }
}

static void L(conv_backward_unit)(L(conv) * c, const real *grad_y, const real *grad_tail_out,
                                  real *grad_x, real *grad_tail) {
  memset(c->sum_weight, 0, sizeof(real) * LANES * (size_t)c->taps);
  memset(c->sum_bias, 0, sizeof(real) * LANES);
  for (int64_t e = 0; e < c->steps + c->taps - 1; e++) {
    int64_t t = e - (c->taps - 1);
    if (e < c->steps) L(conv_backward_row)(c, e, grad_y);
    real *to = t >= 0 ? grad_x : grad_tail;
    if (to) L(conv_grad_input)(c, e, grad_tail_out, to + (t >= 0 ? t : e) * c->channels);
  }
}

/* ---- public ---------------------------------------------------------------------------------- */

#if defined KERNEL_BASELINE
size_t KERNEL_PUBLIC(causal_conv1d_workspace)(const rill_causal_conv1d_params *p) {
  if (L(conv_check)(p) != RILL_OK) return 0;
  return sizeof(real) * LANES * (size_t)(3 * p->taps + 4);
}

size_t KERNEL_PUBLIC(causal_conv1d_partials)(const rill_causal_conv1d_params *p) {
  if (L(conv_check)(p) != RILL_OK) return 0;
  return sizeof(real) * (size_t)(p->batch * p->channels * (p->taps + 1));
}
#endif

#if defined KERNEL_BASELINE && defined KERNEL_F32
void rill_causal_conv1d_params_init(rill_causal_conv1d_params *params) {
  if (!params) return;
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

rill_status rill_causal_conv1d_check(const rill_causal_conv1d_params *params) {
  return L(conv_check)(params);
}

int64_t rill_causal_conv1d_units(const rill_causal_conv1d_params *p) {
  return L(conv_check)(p) == RILL_OK ? p->batch * L(conv_blocks)(p) : 0;
}

int64_t rill_causal_conv1d_reduce_units(const rill_causal_conv1d_params *p) {
  return L(conv_check)(p) == RILL_OK ? L(conv_blocks)(p) : 0;
}
#endif

KERNEL_STATUS(causal_conv1d,
              (const rill_causal_conv1d_params *p, const real *x, const real *weight,
               const real *bias, const real *tail, real *y, real *tail_out, int64_t unit_begin,
               int64_t unit_end, void *workspace),
              (p, x, weight, bias, tail, y, tail_out, unit_begin, unit_end, workspace)) {
  rill_status status = L(conv_check)(p);
  if (status != RILL_OK) return status;
  int64_t blocks = L(conv_blocks)(p);
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > p->batch * blocks)
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!x || !weight || !y || !workspace) return RILL_ERROR_ARGUMENT;
  for (int64_t unit = unit_begin; unit < unit_end; unit++) {
    L(conv) c;
    L(conv_begin)(&c, p, unit, x, weight, bias, tail, workspace);
    int64_t b = unit / blocks, d = unit % blocks * LANES;
    L(conv_forward_unit)
    (&c, y + b * p->steps * p->channels + d,
     tail_out ? tail_out + b * (p->taps - 1) * p->channels + d : NULL);
  }
  return RILL_OK;
}

/* Partials: the gradients of weight [batch, taps, channels] and of bias [batch, channels]. */
KERNEL_STATUS(causal_conv1d_backward,
              (const rill_causal_conv1d_params *p, const real *x, const real *weight,
               const real *bias, const real *tail, const real *grad_y, const real *grad_tail_out,
               real *grad_x, real *grad_tail, real *partials, int64_t unit_begin, int64_t unit_end,
               void *workspace),
              (p, x, weight, bias, tail, grad_y, grad_tail_out, grad_x, grad_tail, partials,
               unit_begin, unit_end, workspace)) {
  rill_status status = L(conv_check)(p);
  if (status != RILL_OK) return status;
  int64_t blocks = L(conv_blocks)(p), taps = p->taps, channels = p->channels;
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > p->batch * blocks)
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!x || !weight || !grad_y || !partials || !workspace) return RILL_ERROR_ARGUMENT;
  real *biases = partials + p->batch * taps * channels;
  for (int64_t unit = unit_begin; unit < unit_end; unit++) {
    L(conv) c;
    L(conv_begin)(&c, p, unit, x, weight, bias, tail, workspace);
    int64_t b = unit / blocks, d = unit % blocks * LANES;
    int64_t first = b * p->steps * channels + d, before = b * (taps - 1) * channels + d;
    L(conv_backward_unit)
    (&c, grad_y + first, grad_tail_out ? grad_tail_out + before : NULL,
     grad_x ? grad_x + first : NULL, grad_tail ? grad_tail + before : NULL);
    for (int64_t k = 0; k < taps; k++)
      memcpy(partials + (b * taps + k) * channels + d, c.sum_weight + k * LANES,
             sizeof(real) * (size_t)c.width);
    memcpy(biases + b * channels + d, c.sum_bias, sizeof(real) * (size_t)c.width);
  }
  return RILL_OK;
}

KERNEL_STATUS(causal_conv1d_reduce,
              (const rill_causal_conv1d_params *p, const real *partials, real *grad_weight,
               real *grad_bias, int64_t unit_begin, int64_t unit_end),
              (p, partials, grad_weight, grad_bias, unit_begin, unit_end)) {
  rill_status status = L(conv_check)(p);
  if (status != RILL_OK) return status;
  int64_t taps = p->taps, channels = p->channels;
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > L(conv_blocks)(p))
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!partials) return RILL_ERROR_ARGUMENT;
  const real *biases = partials + p->batch * taps * channels;
  int64_t end = unit_end * LANES < channels ? unit_end * LANES : channels;
  for (int64_t d = unit_begin * LANES; d < end; d++) {
    for (int64_t k = 0; k < taps && grad_weight; k++) {
      real sum = 0;
      for (int64_t b = 0; b < p->batch; b++) sum += partials[(b * taps + k) * channels + d];
      grad_weight[d * taps + k] = sum;
    }
    real sum = 0;
    for (int64_t b = 0; b < p->batch; b++) sum += biases[b * channels + d];
    if (grad_bias) grad_bias[d] = sum;
  }
  return RILL_OK;
}

#undef LANES
