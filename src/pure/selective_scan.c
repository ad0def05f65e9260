/* The selective scan of Mamba (Gu and Dao 2023, algorithm 2) and its gradient:
 *   h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t,   y_t = C_t . h_t + D u_t,   out_t = y_t silu(z_t).
 * A unit of work is one batch entry times a block of LANES channels, held transposed as
 * [states][LANES]. Time runs in chunks; within a chunk the loop over states is outside and the one
 * over time inside, so the working set stays in the nearest caches whatever `states` is. The
 * backward starts each chunk from the state that the forward saved there, and recomputes the others.
 * Decays are flushed to 0: subnormals would make the scan several times slower where gates close.
 */
#include "pure/kernel.h"
#include "base/vmath.h"

#include <string.h>

#undef LANES
#define LANES      128
#define CHUNK      16
#define SCAN_WIDTH 16 /* lanes in use are rounded up to this, so that vectors have no tail */

/* ---- sizes ----------------------------------------------------------------------------------- */

static int64_t L(scan_blocks)(const rill_selective_scan_params *p) {
  return p->channels / LANES + (p->channels % LANES != 0);
}

static int64_t L(scan_chunks)(const rill_selective_scan_params *p) {
  return p->steps / CHUNK + (p->steps % CHUNK != 0);
}

/* What units add to together, laid end to end: over the batch for A, D and delta_bias, over the
 * blocks for B and C. */
typedef struct L(scan_partials) {
  real *A;    /* [batch, channels, states]      */
  real *skip; /* [batch, channels]              */
  real *bias; /* [batch, channels]              */
  real *B;    /* [batch, blocks, steps, states] */
  real *C;    /* [batch, blocks, steps, states] */
} L(scan_partials);

static L(scan_partials) L(scan_partials_at)(const rill_selective_scan_params *p, real *base) {
  L(scan_partials) s;
  int64_t rows = p->batch * p->channels;
  s.A = base;
  s.skip = s.A + rows * p->states;
  s.bias = s.skip + rows;
  s.B = s.bias + rows;
  s.C = s.B + p->batch * L(scan_blocks)(p) * p->steps * p->states;
  return s;
}

/* Eight of the largest elements, for the queries that add several such products. */
static bool L(scan_fits)(int64_t a, int64_t b) {
  int64_t n;
  size_t bytes;
  return checked_mul(a, b, &n) && checked_bytes(n, 64, &bytes);
}

static rill_status L(scan_check)(const rill_selective_scan_params *p) {
  if (!p || p->struct_size < sizeof *p) return RILL_ERROR_ARGUMENT;
  if (p->batch < 0 || p->steps < 0 || p->channels < 0 || p->states < 0) return RILL_ERROR_SHAPE;
  const struct {
    int64_t stride, least;
  } rows[] = {{p->u_stride, p->channels},
              {p->delta_stride, p->channels},
              {p->z_stride, p->channels},
              {p->B_stride, p->states},
              {p->C_stride, p->states}};
  int64_t channels, states, steps, all;
  if (!checked_add(p->channels, LANES, &channels) || !checked_add(p->states, 4, &states) ||
      !checked_add(p->steps, CHUNK, &steps) || !checked_mul(p->batch, steps, &all) ||
      !checked_mul(channels, states, &channels))
    return RILL_ERROR_OVERFLOW;
  for (int i = 0; i < 5; i++) {
    if (rows[i].stride && rows[i].stride < rows[i].least) return RILL_ERROR_SHAPE;
    if (!L(scan_fits)(all, rows[i].stride)) return RILL_ERROR_OVERFLOW;
  }
  bool fits = L(scan_fits)(all, channels) && L(scan_fits)(states, LANES);
  return fits ? RILL_OK : RILL_ERROR_OVERFLOW;
}

/* ---- one unit -------------------------------------------------------------------------------- */

/* Inputs point at the unit's first element; the rest lies in the workspace, in rows of LANES. */
typedef struct L(scan) {
  int64_t steps, channels, states, width, lanes; /* width: channels in use; lanes: rounded up */
  int64_t u_stride, delta_stride, z_stride, B_stride, C_stride;
  bool softplus;
  const real *u, *delta, *B, *C, *z;
  real *skip, *bias; /* [1]: D and delta_bias; skip is NULL without D          */
  real *a, *h;       /* [states]: A transposed; the state, or its gradient     */
  real *da;          /* [states]: gradient of A (backward)                     */
  real *dt, *du, *y; /* [CHUNK]: step size, dt * u, C . h + D u                */
  real *dy;          /* [CHUNK]: gradient of y (backward)                      */
  real *gb, *gk;     /* [CHUNK]: sums over states of G B and of G dh/d(dt A) A */
  real *e, *hs;      /* [CHUNK], [CHUNK + 1]: one state's decays and values    */
  real *sums;        /* [2]: gradients of D and delta_bias (backward)          */
} L(scan);

/* Rows of the workspace for each state, for each step of a chunk, and single ones. */
#define STATE_ROWS  3
#define CHUNK_ROWS  8
#define SINGLE_ROWS 8

static real *L(scan_take)(real **workspace, int64_t rows) {
  real *r = *workspace;
  *workspace += rows * LANES;
  return r;
}

static void L(scan_begin)(L(scan) * s, const rill_selective_scan_params *p, int64_t unit,
                          const real *u, const real *delta, const real *B, const real *C,
                          const real *D, const real *z, const real *delta_bias, real *workspace) {
  int64_t blocks = L(scan_blocks)(p), b = unit / blocks, d = unit % blocks * LANES;
  *s = (L(scan)){.steps = p->steps, .channels = p->channels, .states = p->states};
  s->width = p->channels - d < LANES ? p->channels - d : LANES;
  s->lanes = (s->width + SCAN_WIDTH - 1) & -SCAN_WIDTH;
  s->u_stride = p->u_stride ? p->u_stride : p->channels;
  s->delta_stride = p->delta_stride ? p->delta_stride : p->channels;
  s->z_stride = p->z_stride ? p->z_stride : p->channels;
  s->B_stride = p->B_stride ? p->B_stride : p->states;
  s->C_stride = p->C_stride ? p->C_stride : p->states;
  s->softplus = p->delta_softplus;
  s->u = u + b * p->steps * s->u_stride + d;
  s->delta = delta + b * p->steps * s->delta_stride + d;
  s->z = z ? z + b * p->steps * s->z_stride + d : NULL;
  s->B = B + b * p->steps * s->B_stride;
  s->C = C + b * p->steps * s->C_stride;

  s->hs = L(scan_take)(&workspace, CHUNK + 1);
  s->dt = L(scan_take)(&workspace, CHUNK);
  s->du = L(scan_take)(&workspace, CHUNK);
  s->y = L(scan_take)(&workspace, CHUNK);
  s->dy = L(scan_take)(&workspace, CHUNK);
  s->gb = L(scan_take)(&workspace, CHUNK);
  s->gk = L(scan_take)(&workspace, CHUNK);
  s->e = L(scan_take)(&workspace, CHUNK);
  s->a = L(scan_take)(&workspace, s->states + 1);
  s->h = L(scan_take)(&workspace, s->states + 1);
  s->da = L(scan_take)(&workspace, s->states + 1);
  s->skip = L(scan_take)(&workspace, 1);
  s->bias = L(scan_take)(&workspace, 1);
  s->sums = L(scan_take)(&workspace, 2);

  memset(s->bias, 0, sizeof(real) * LANES);
  if (delta_bias) memcpy(s->bias, delta_bias + d, sizeof(real) * (size_t)s->width);
  if (D) memcpy(s->skip, D + d, sizeof(real) * (size_t)s->width);
  if (!D) s->skip = NULL;
}

/* [width, states] of the caller to [states][LANES] and back; NULL reads as zeros. */
static void L(scan_transpose_in)(const L(scan) * s, const real *from, real *to) {
  memset(to, 0, sizeof(real) * LANES * (size_t)s->states);
  if (!from) return;
  for (int64_t l = 0; l < s->width; l++)
    for (int64_t n = 0; n < s->states; n++) to[n * LANES + l] = from[l * s->states + n];
}

/* Lanes past the width stay at zero input and zero A, hence at state zero. */
static void L(scan_load)(L(scan) * s, const real *A, const real *h) {
  memset(s->dt, 0, sizeof(real) * LANES * CHUNK * 4); /* dt, du, y, dy */
  L(scan_transpose_in)(s, A, s->a);
  L(scan_transpose_in)(s, h, s->h);
}

static void L(scan_transpose_out)(const L(scan) * s, const real *from, real *to) {
  for (int64_t l = 0; l < s->width; l++)
    for (int64_t n = 0; n < s->states; n++) to[l * s->states + n] = from[n * LANES + l];
}

/* Rows lie far apart, so the processor does not foresee them: asks for row t. */
static inline void L(scan_prefetch)(const L(scan) * s, const real *x, int64_t stride, int64_t t) {
  if (t < 0 || t >= s->steps) return;
  const char *row = (const char *)(x + t * stride);
  for (size_t i = 0; i < (size_t)s->width * sizeof(real); i += 64) __builtin_prefetch(row + i);
}

/* dt, dt * u and the start of y for steps t .. t + m. The next chunk lies `ahead` steps on. */
static void L(scan_stage)(L(scan) * s, int64_t t, int64_t m, int64_t ahead) {
  for (int64_t j = 0; j < m; j++) {
    const real *u = s->u + (t + j) * s->u_stride, *delta = s->delta + (t + j) * s->delta_stride;
    real *dt = s->dt + j * LANES, *du = s->du + j * LANES, *y = s->y + j * LANES;
    L(scan_prefetch)(s, s->u, s->u_stride, t + j + ahead);
    L(scan_prefetch)(s, s->delta, s->delta_stride, t + j + ahead);
    for (int64_t l = 0; l < s->width; l++) dt[l] = delta[l] + s->bias[l];
    if (s->softplus) {
#pragma omp simd
      for (int64_t l = 0; l < s->width; l++) dt[l] = L(v_softplus)(dt[l]);
    }
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) {
      du[l] = dt[l] * u[l];
      y[l] = 0;
    }
    if (!s->skip) continue;
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) y[l] = s->skip[l] * u[l];
  }
}

/* Writes m rows of y from step t on, through the gate. `out` is the unit's first element. */
static void L(scan_write)(const L(scan) * s, int64_t t, int64_t m, real *out) {
  for (int64_t j = 0; j < m; j++) {
    const real *y = s->y + j * LANES;
    real *o = out + (t + j) * s->channels;
    if (!s->z) {
      memcpy(o, y, sizeof(real) * (size_t)s->width);
      continue;
    }
    const real *z = s->z + (t + j) * s->z_stride;
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) o[l] = y[l] * (z[l] * L(v_sigmoid)(z[l]));
  }
}

static void L(scan_forward_unit)(L(scan) * s, real *y, real *checkpoints) {
  for (int64_t t = 0; t < s->steps; t += CHUNK) {
    int64_t m = s->steps - t < CHUNK ? s->steps - t : CHUNK, lanes = s->lanes;
    if (checkpoints) {
      memcpy(checkpoints, s->h, sizeof(real) * LANES * (size_t)s->states);
      checkpoints += LANES * s->states;
    }
    L(scan_stage)(s, t, m, CHUNK);
    for (int64_t n = 0; n < s->states; n++) {
      const real *a = s->a + n * LANES, *B = s->B + t * s->B_stride + n;
      const real *C = s->C + t * s->C_stride + n;
      real *h = s->h + n * LANES;
      for (int64_t j = 0; j < m; j++) {
        const real *dt = s->dt + j * LANES, *du = s->du + j * LANES;
        real *yj = s->y + j * LANES, b = B[j * s->B_stride], c = C[j * s->C_stride];
#pragma omp simd
        for (int64_t l = 0; l < lanes; l++) {
          real v = L(v_exp_flush_any)(dt[l] * a[l]) * h[l] + du[l] * b;
          h[l] = v;
          yj[l] += c * v;
        }
      }
    }
    L(scan_write)(s, t, m, y);
  }
}

/* One step: vectors run over the states of a channel, as the caller holds them, so nothing is
 * transposed. from and to may be the same. */
static void L(scan_one_step)(L(scan) * s, const real *A, const real *from, real *to, real *y) {
  int64_t states = s->states;
  const real *B = s->B, *C = s->C;
  L(scan_stage)(s, 0, 1, CHUNK);
  if (!from) memset(s->h, 0, sizeof(real) * (size_t)states);
  for (int64_t d = 0; d < s->width; d++) {
    const real *a = A + d * states, *h0 = from ? from + d * states : s->h;
    real *h = to ? to + d * states : s->da, dt = s->dt[d], du = s->du[d], sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t n = 0; n < states; n++) {
      real v = L(v_exp_flush_any)(dt * a[n]) * h0[n] + du * B[n];
      h[n] = v;
      sum += C[n] * v;
    }
    s->y[d] += sum;
  }
  L(scan_write)(s, 0, 1, y);
}

/* ---- backward of one unit -------------------------------------------------------------------- */

/* Steps t .. t + m for state n, from its value in the checkpoint. With G the gradient of h_t, and
 * k = G exp(dt A) h_{t-1}:
 *   dC = sum_d h dy,  dB = sum_d G dt u,  du += dt G B,  d dt += k A + u G B,  dA += k dt. */
static void L(scan_backward_state)(L(scan) * s, int64_t t, int64_t m, int64_t n,
                                   const real *checkpoint, real *grad_B, real *grad_C) {
  int64_t lanes = s->lanes;
  const real *a = s->a + n * LANES, *B = s->B + t * s->B_stride + n;
  const real *C = s->C + t * s->C_stride + n;
  real *g = s->h + n * LANES, *da = s->da + n * LANES;
  memcpy(s->hs, checkpoint, sizeof(real) * LANES);
  for (int64_t j = 0; j < m; j++) {
    const real *dt = s->dt + j * LANES, *du = s->du + j * LANES, *h = s->hs + j * LANES;
    real *e = s->e + j * LANES, *next = s->hs + (j + 1) * LANES, b = B[j * s->B_stride];
#pragma omp simd
    for (int64_t l = 0; l < lanes; l++) {
      e[l] = L(v_exp_flush_any)(dt[l] * a[l]);
      next[l] = e[l] * h[l] + du[l] * b;
    }
  }
  if (s->z) {
    for (int64_t j = 0; j < m; j++) {
      const real *h = s->hs + (j + 1) * LANES;
      real *y = s->y + j * LANES, c = C[j * s->C_stride];
#pragma omp simd
      for (int64_t l = 0; l < lanes; l++) y[l] += c * h[l];
    }
  }
  for (int64_t j = m - 1; j >= 0; j--) {
    const real *dt = s->dt + j * LANES, *du = s->du + j * LANES, *dy = s->dy + j * LANES;
    const real *e = s->e + j * LANES, *h = s->hs + j * LANES, *next = s->hs + (j + 1) * LANES;
    real *gb = s->gb + j * LANES, *gk = s->gk + j * LANES;
    real b = B[j * s->B_stride], c = C[j * s->C_stride], sum_b = 0, sum_c = 0;
#pragma omp simd reduction(+ : sum_b, sum_c)
    for (int64_t l = 0; l < lanes; l++) {
      real G = g[l] + c * dy[l], Ge = G * e[l], k = Ge * h[l];
      sum_c += next[l] * dy[l];
      sum_b += G * du[l];
      gb[l] += G * b;
      gk[l] += k * a[l];
      da[l] += k * dt[l];
      g[l] = Ge;
    }
    grad_B[(t + j) * s->states + n] = sum_b;
    grad_C[(t + j) * s->states + n] = sum_c;
  }
}

/* dy from the gradient of the gated output. */
static void L(scan_stage_grad)(L(scan) * s, int64_t t, int64_t m, const real *grad_y) {
  for (int64_t j = 0; j < m; j++) {
    const real *gy = grad_y + (t + j) * s->channels;
    real *dy = s->dy + j * LANES;
    L(scan_prefetch)(s, grad_y, s->channels, t + j - CHUNK);
    if (!s->z) {
      memcpy(dy, gy, sizeof(real) * (size_t)s->width);
      continue;
    }
    const real *z = s->z + (t + j) * s->z_stride;
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) dy[l] = gy[l] * (z[l] * L(v_sigmoid)(z[l]));
  }
}

/* Gradients of u, delta and z at steps t .. t + m, and what they add to those of D and delta_bias.
 * The pointers are to the unit's first element, or NULL. */
static void L(scan_write_grad)(L(scan) * s, int64_t t, int64_t m, const real *grad_y, real *grad_u,
                               real *grad_delta, real *grad_z) {
  real *sum_skip = s->sums, *sum_bias = s->sums + LANES;
  for (int64_t j = m - 1; j >= 0; j--) {
    const real *u = s->u + (t + j) * s->u_stride, *dt = s->dt + j * LANES;
    const real *delta = s->delta + (t + j) * s->delta_stride;
    const real *gb = s->gb + j * LANES, *dy = s->dy + j * LANES;
    real *gk = s->gk + j * LANES;
    int64_t row = (t + j) * s->channels;
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) gk[l] += gb[l] * u[l];
    if (s->softplus) {
#pragma omp simd
      for (int64_t l = 0; l < s->width; l++) gk[l] *= L(v_sigmoid)(delta[l] + s->bias[l]);
    }
#pragma omp simd
    for (int64_t l = 0; l < s->width; l++) {
      sum_bias[l] += gk[l];
      sum_skip[l] += dy[l] * u[l];
    }
    if (grad_delta) memcpy(grad_delta + row, gk, sizeof(real) * (size_t)s->width);
    if (grad_u) {
#pragma omp simd
      for (int64_t l = 0; l < s->width; l++) grad_u[row + l] = gb[l] * dt[l];
    }
    if (grad_u && s->skip) {
#pragma omp simd
      for (int64_t l = 0; l < s->width; l++) grad_u[row + l] += s->skip[l] * dy[l];
    }
    if (grad_z && s->z) {
      const real *z = s->z + (t + j) * s->z_stride, *gy = grad_y + row, *y = s->y + j * LANES;
      real *gz = grad_z + row;
#pragma omp simd
      for (int64_t l = 0; l < s->width; l++) {
        real q = L(v_sigmoid)(z[l]);
        gz[l] = gy[l] * y[l] * (q * (1 + z[l] * (1 - q)));
      }
    }
  }
}

static void L(scan_backward_unit)(L(scan) * s, const real *checkpoints, const real *grad_y,
                                  real *grad_u, real *grad_delta, real *grad_z, real *grad_B,
                                  real *grad_C) {
  memset(s->da, 0, sizeof(real) * LANES * (size_t)s->states);
  memset(s->sums, 0, sizeof(real) * LANES * 2);
  for (int64_t t = (s->steps - 1) / CHUNK * CHUNK; t >= 0 && s->steps; t -= CHUNK) {
    int64_t m = s->steps - t < CHUNK ? s->steps - t : CHUNK;
    L(scan_stage)(s, t, m, -CHUNK);
    L(scan_stage_grad)(s, t, m, grad_y);
    memset(s->gb, 0, sizeof(real) * LANES * CHUNK * 2); /* gb and gk */
    for (int64_t n = 0; n < s->states; n++) L(scan_backward_state)
    (s, t, m, n, checkpoints + (t / CHUNK * s->states + n) * LANES, grad_B, grad_C);
    L(scan_write_grad)(s, t, m, grad_y, grad_u, grad_delta, grad_z);
  }
}

/* ---- public ---------------------------------------------------------------------------------- */

#if defined KERNEL_BASELINE
size_t KERNEL_PUBLIC(selective_scan_workspace)(const rill_selective_scan_params *p) {
  if (L(scan_check)(p) != RILL_OK) return 0;
  int64_t rows = STATE_ROWS * p->states + CHUNK_ROWS * CHUNK + SINGLE_ROWS;
  return sizeof(real) * LANES * (size_t)rows;
}

size_t KERNEL_PUBLIC(selective_scan_checkpoints)(const rill_selective_scan_params *p) {
  if (L(scan_check)(p) != RILL_OK) return 0;
  int64_t rows = p->batch * L(scan_blocks)(p) * L(scan_chunks)(p) * p->states;
  return sizeof(real) * LANES * (size_t)rows;
}

size_t KERNEL_PUBLIC(selective_scan_partials)(const rill_selective_scan_params *p) {
  if (L(scan_check)(p) != RILL_OK) return 0;
  int64_t rows = p->batch * L(scan_blocks)(p) * p->steps;
  return sizeof(real) * (size_t)(p->batch * p->channels * (p->states + 2) + 2 * rows * p->states);
}
#endif

#if defined KERNEL_BASELINE && defined KERNEL_F32
void rill_selective_scan_params_init(rill_selective_scan_params *params) {
  if (!params) return;
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

rill_status rill_selective_scan_check(const rill_selective_scan_params *params) {
  return L(scan_check)(params);
}

int64_t rill_selective_scan_units(const rill_selective_scan_params *p) {
  return L(scan_check)(p) == RILL_OK ? p->batch * L(scan_blocks)(p) : 0;
}

int64_t rill_selective_scan_reduce_units(const rill_selective_scan_params *p) {
  return L(scan_check)(p) == RILL_OK ? p->batch + L(scan_blocks)(p) : 0;
}
#endif

KERNEL_STATUS(selective_scan,
              (const rill_selective_scan_params *p, const real *u, const real *delta, const real *A,
               const real *B, const real *C, const real *D, const real *z, const real *delta_bias,
               const real *h0, real *y, real *hT, real *checkpoints, int64_t unit_begin,
               int64_t unit_end, void *workspace),
              (p, u, delta, A, B, C, D, z, delta_bias, h0, y, hT, checkpoints, unit_begin, unit_end,
               workspace)) {
  rill_status status = L(scan_check)(p);
  if (status != RILL_OK) return status;
  int64_t blocks = L(scan_blocks)(p);
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > p->batch * blocks)
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!u || !delta || !A || !B || !C || !y || !workspace) return RILL_ERROR_ARGUMENT;
  for (int64_t unit = unit_begin; unit < unit_end; unit++) {
    L(scan) s;
    L(scan_begin)(&s, p, unit, u, delta, B, C, D, z, delta_bias, workspace);
    int64_t b = unit / blocks, d = unit % blocks * LANES, channel = b * p->channels + d;
    real *out = y + b * p->steps * p->channels + d;
    const real *from = h0 ? h0 + channel * p->states : NULL;
    real *to = hT ? hT + channel * p->states : NULL;
    if (p->steps == 1 && !checkpoints) {
      L(scan_one_step)(&s, A + d * p->states, from, to, out);
      continue;
    }
    L(scan_load)(&s, A + d * p->states, from);
    int64_t saved = unit * L(scan_chunks)(p) * p->states * LANES;
    L(scan_forward_unit)(&s, out, checkpoints ? checkpoints + saved : NULL);
    if (to) L(scan_transpose_out)(&s, s.h, to);
  }
  return RILL_OK;
}

KERNEL_STATUS(selective_scan_backward,
              (const rill_selective_scan_params *p, const real *u, const real *delta, const real *A,
               const real *B, const real *C, const real *D, const real *z, const real *delta_bias,
               const real *checkpoints, const real *grad_y, const real *grad_hT, real *grad_u,
               real *grad_delta, real *grad_z, real *grad_h0, real *partials, int64_t unit_begin,
               int64_t unit_end, void *workspace),
              (p, u, delta, A, B, C, D, z, delta_bias, checkpoints, grad_y, grad_hT, grad_u,
               grad_delta, grad_z, grad_h0, partials, unit_begin, unit_end, workspace)) {
  rill_status status = L(scan_check)(p);
  if (status != RILL_OK) return status;
  int64_t blocks = L(scan_blocks)(p), chunks = L(scan_chunks)(p), states = p->states;
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > p->batch * blocks)
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!u || !delta || !A || !B || !C || !checkpoints || !grad_y || !partials || !workspace)
    return RILL_ERROR_ARGUMENT;
  L(scan_partials) sums = L(scan_partials_at)(p, partials);
  for (int64_t unit = unit_begin; unit < unit_end; unit++) {
    L(scan) s;
    L(scan_begin)(&s, p, unit, u, delta, B, C, D, z, delta_bias, workspace);
    int64_t b = unit / blocks, d = unit % blocks * LANES, channel = b * p->channels + d;
    int64_t first = b * p->steps * p->channels + d;
    L(scan_load)(&s, A + d * states, grad_hT ? grad_hT + channel * states : NULL);
    L(scan_backward_unit)
    (&s, checkpoints + unit * chunks * states * LANES, grad_y + first,
     grad_u ? grad_u + first : NULL, grad_delta ? grad_delta + first : NULL,
     grad_z ? grad_z + first : NULL, sums.B + unit * p->steps * states,
     sums.C + unit * p->steps * states);
    if (grad_h0) L(scan_transpose_out)(&s, s.h, grad_h0 + channel * states);
    L(scan_transpose_out)(&s, s.da, sums.A + channel * states);
    memcpy(sums.skip + channel, s.sums, sizeof(real) * (size_t)s.width);
    memcpy(sums.bias + channel, s.sums + LANES, sizeof(real) * (size_t)s.width);
  }
  return RILL_OK;
}

/* to[i] = sum over k of from[k * stride + i], in the order of k. */
static void L(scan_sum)(real *to, const real *from, int64_t count, int64_t stride, int64_t n) {
  if (!to) return;
  memset(to, 0, sizeof(real) * (size_t)n);
  for (int64_t k = 0; k < count; k++) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) to[i] += from[k * stride + i];
  }
}

KERNEL_STATUS(selective_scan_reduce,
              (const rill_selective_scan_params *p, const real *partials, real *grad_A,
               real *grad_B, real *grad_C, real *grad_D, real *grad_delta_bias, int64_t unit_begin,
               int64_t unit_end),
              (p, partials, grad_A, grad_B, grad_C, grad_D, grad_delta_bias, unit_begin,
               unit_end)) {
  rill_status status = L(scan_check)(p);
  if (status != RILL_OK) return status;
  int64_t blocks = L(scan_blocks)(p), rows = p->steps * p->states;
  if (unit_begin < 0 || unit_end < unit_begin || unit_end > p->batch + blocks)
    return RILL_ERROR_ARGUMENT;
  if (unit_begin == unit_end) return RILL_OK;
  if (!partials) return RILL_ERROR_ARGUMENT;
  L(scan_partials) sums = L(scan_partials_at)(p, (real *)partials);
  for (int64_t unit = unit_begin; unit < unit_end; unit++) {
    if (unit < p->batch) {
      int64_t from = unit * blocks * rows, to = unit * rows;
      L(scan_sum)(grad_B ? grad_B + to : NULL, sums.B + from, blocks, rows, rows);
      L(scan_sum)(grad_C ? grad_C + to : NULL, sums.C + from, blocks, rows, rows);
      continue;
    }
    int64_t d = (unit - p->batch) * LANES, n = p->channels - d < LANES ? p->channels - d : LANES;
    int64_t all = p->channels, at = d * p->states;
    L(scan_sum)(grad_A ? grad_A + at : NULL, sums.A + at, p->batch, all * p->states, n * p->states);
    L(scan_sum)(grad_D ? grad_D + d : NULL, sums.skip + d, p->batch, all, n);
    L(scan_sum)(grad_delta_bias ? grad_delta_bias + d : NULL, sums.bias + d, p->batch, all, n);
  }
  return RILL_OK;
}

#undef LANES
#undef CHUNK
#undef SCAN_WIDTH
#undef STATE_ROWS
#undef CHUNK_ROWS
#undef SINGLE_ROWS
