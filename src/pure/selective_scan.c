/* The selective scan of Mamba (Gu and Dao 2023, algorithm 2) and its gradient:
 *   h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t,   y_t = C_t . h_t + D u_t,   out_t = y_t silu(z_t).
 * Time runs in chunks; within a chunk the loop over states is outside and the one over time inside,
 * so the working set stays in the nearest caches whatever `states` is. The backward starts each
 * chunk from the state that the forward saved there, and recomputes the others. Decays are flushed
 * to 0: subnormals would make the scan several times slower where gates close. */
#include "pure/kernel.h"
#include "pure/scan.h"

/* ---- forward of one unit --------------------------------------------------------------------- */

/* Writes m rows of y from step t on, through the gate. `out` is the unit's first element. */
static void L(scan_write)(const L(scan) * s, int64_t t, int64_t m, real *out) {
  for (int64_t j = 0; j < m; j++) {
    const real *y = s->y + j * SCAN_LANES;
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
  for (int64_t t = 0; t < s->steps; t += SCAN_CHUNK) {
    int64_t m = s->steps - t < SCAN_CHUNK ? s->steps - t : SCAN_CHUNK, lanes = s->lanes;
    if (checkpoints) {
      memcpy(checkpoints, s->h, sizeof(real) * SCAN_LANES * (size_t)s->states);
      checkpoints += SCAN_LANES * s->states;
    }
    L(scan_stage)(s, t, m, SCAN_CHUNK);
    for (int64_t n = 0; n < s->states; n++) {
      const real *a = s->a + n * SCAN_LANES, *B = s->B + t * s->B_stride + n;
      const real *C = s->C + t * s->C_stride + n;
      real *h = s->h + n * SCAN_LANES;
      for (int64_t j = 0; j < m; j++) {
        const real *dt = s->dt + j * SCAN_LANES, *du = s->du + j * SCAN_LANES;
        real *yj = s->y + j * SCAN_LANES, b = B[j * s->B_stride], c = C[j * s->C_stride];
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
  L(scan_stage)(s, 0, 1, SCAN_CHUNK);
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
  const real *a = s->a + n * SCAN_LANES, *B = s->B + t * s->B_stride + n;
  const real *C = s->C + t * s->C_stride + n;
  real *g = s->h + n * SCAN_LANES, *da = s->da + n * SCAN_LANES;
  memcpy(s->hs, checkpoint, sizeof(real) * SCAN_LANES);
  for (int64_t j = 0; j < m; j++) {
    const real *dt = s->dt + j * SCAN_LANES, *du = s->du + j * SCAN_LANES,
               *h = s->hs + j * SCAN_LANES;
    real *e = s->e + j * SCAN_LANES, *next = s->hs + (j + 1) * SCAN_LANES, b = B[j * s->B_stride];
#pragma omp simd
    for (int64_t l = 0; l < lanes; l++) {
      e[l] = L(v_exp_flush_any)(dt[l] * a[l]);
      next[l] = e[l] * h[l] + du[l] * b;
    }
  }
  if (s->z) {
    for (int64_t j = 0; j < m; j++) {
      const real *h = s->hs + (j + 1) * SCAN_LANES;
      real *y = s->y + j * SCAN_LANES, c = C[j * s->C_stride];
#pragma omp simd
      for (int64_t l = 0; l < lanes; l++) y[l] += c * h[l];
    }
  }
  for (int64_t j = m - 1; j >= 0; j--) {
    const real *dt = s->dt + j * SCAN_LANES, *du = s->du + j * SCAN_LANES,
               *dy = s->dy + j * SCAN_LANES;
    const real *e = s->e + j * SCAN_LANES, *h = s->hs + j * SCAN_LANES,
               *next = s->hs + (j + 1) * SCAN_LANES;
    real *gb = s->gb + j * SCAN_LANES, *gk = s->gk + j * SCAN_LANES;
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
    real *dy = s->dy + j * SCAN_LANES;
    L(scan_prefetch)(s, grad_y, s->channels, t + j - SCAN_CHUNK);
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
  real *sum_skip = s->sums, *sum_bias = s->sums + SCAN_LANES;
  for (int64_t j = m - 1; j >= 0; j--) {
    const real *u = s->u + (t + j) * s->u_stride, *dt = s->dt + j * SCAN_LANES;
    const real *delta = s->delta + (t + j) * s->delta_stride;
    const real *gb = s->gb + j * SCAN_LANES, *dy = s->dy + j * SCAN_LANES;
    real *gk = s->gk + j * SCAN_LANES;
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
      const real *z = s->z + (t + j) * s->z_stride, *gy = grad_y + row, *y = s->y + j * SCAN_LANES;
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
  memset(s->da, 0, sizeof(real) * SCAN_LANES * (size_t)s->states);
  memset(s->sums, 0, sizeof(real) * SCAN_LANES * 2);
  for (int64_t t = (s->steps - 1) / SCAN_CHUNK * SCAN_CHUNK; t >= 0 && s->steps; t -= SCAN_CHUNK) {
    int64_t m = s->steps - t < SCAN_CHUNK ? s->steps - t : SCAN_CHUNK;
    L(scan_stage)(s, t, m, -SCAN_CHUNK);
    L(scan_stage_grad)(s, t, m, grad_y);
    memset(s->gb, 0, sizeof(real) * SCAN_LANES * SCAN_CHUNK * 2); /* gb and gk */
    for (int64_t n = 0; n < s->states; n++) L(scan_backward_state)
    (s, t, m, n, checkpoints + (t / SCAN_CHUNK * s->states + n) * SCAN_LANES, grad_B, grad_C);
    L(scan_write_grad)(s, t, m, grad_y, grad_u, grad_delta, grad_z);
  }
}

/* ---- public ---------------------------------------------------------------------------------- */

#if defined KERNEL_BASELINE
size_t KERNEL_PUBLIC(selective_scan_workspace)(const rill_selective_scan_params *p) {
  if (L(scan_check)(p) != RILL_OK) return 0;
  int64_t rows = SCAN_STATE_ROWS * p->states + SCAN_CHUNK_ROWS * SCAN_CHUNK + SCAN_SINGLE_ROWS;
  return sizeof(real) * SCAN_LANES * (size_t)rows;
}

size_t KERNEL_PUBLIC(selective_scan_checkpoints)(const rill_selective_scan_params *p) {
  if (L(scan_check)(p) != RILL_OK) return 0;
  int64_t rows = p->batch * L(scan_blocks)(p) * L(scan_chunks)(p) * p->states;
  return sizeof(real) * SCAN_LANES * (size_t)rows;
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
    int64_t b = unit / blocks, d = unit % blocks * SCAN_LANES, channel = b * p->channels + d;
    real *out = y + b * p->steps * p->channels + d;
    const real *from = h0 ? h0 + channel * p->states : NULL;
    real *to = hT ? hT + channel * p->states : NULL;
    if (p->steps == 1 && !checkpoints) {
      L(scan_one_step)(&s, A + d * p->states, from, to, out);
      continue;
    }
    L(scan_load)(&s, A + d * p->states, from);
    int64_t saved = unit * L(scan_chunks)(p) * p->states * SCAN_LANES;
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
    int64_t b = unit / blocks, d = unit % blocks * SCAN_LANES, channel = b * p->channels + d;
    int64_t first = b * p->steps * p->channels + d;
    L(scan_load)(&s, A + d * states, grad_hT ? grad_hT + channel * states : NULL);
    L(scan_backward_unit)
    (&s, checkpoints + unit * chunks * states * SCAN_LANES, grad_y + first,
     grad_u ? grad_u + first : NULL, grad_delta ? grad_delta + first : NULL,
     grad_z ? grad_z + first : NULL, sums.B + unit * p->steps * states,
     sums.C + unit * p->steps * states);
    if (grad_h0) L(scan_transpose_out)(&s, s.h, grad_h0 + channel * states);
    L(scan_transpose_out)(&s, s.da, sums.A + channel * states);
    memcpy(sums.skip + channel, s.sums, sizeof(real) * (size_t)s.width);
    memcpy(sums.bias + channel, s.sums + SCAN_LANES, sizeof(real) * (size_t)s.width);
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
    int64_t d = (unit - p->batch) * SCAN_LANES,
            n = p->channels - d < SCAN_LANES ? p->channels - d : SCAN_LANES;
    int64_t all = p->channels, at = d * p->states;
    L(scan_sum)(grad_A ? grad_A + at : NULL, sums.A + at, p->batch, all * p->states, n * p->states);
    L(scan_sum)(grad_D ? grad_D + d : NULL, sums.skip + d, p->batch, all, n);
    L(scan_sum)(grad_delta_bias ? grad_delta_bias + d : NULL, sums.bias + d, p->batch, all, n);
  }
  return RILL_OK;
}
