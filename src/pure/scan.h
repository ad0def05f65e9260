/* How the selective scan lies in memory: the sizes of its buffers, and one unit of work, a batch
 * entry times a block of SCAN_LANES channels, held transposed as [states][SCAN_LANES], with its
 * inputs staged a chunk of time at a time.
 *
 * Part of selective_scan.c, after pure/kernel.h; like that, once per pass and without a guard. */
#include "base/vmath.h"

#include <string.h>

#define SCAN_LANES 128
#define SCAN_CHUNK 16
#define SCAN_WIDTH 16 /* lanes in use are rounded up to this, so that vectors have no tail */

/* ---- sizes ----------------------------------------------------------------------------------- */

static int64_t L(scan_blocks)(const rill_selective_scan_params *p) {
  return p->channels / SCAN_LANES + (p->channels % SCAN_LANES != 0);
}

static int64_t L(scan_chunks)(const rill_selective_scan_params *p) {
  return p->steps / SCAN_CHUNK + (p->steps % SCAN_CHUNK != 0);
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
  if (!checked_add(p->channels, SCAN_LANES, &channels) || !checked_add(p->states, 4, &states) ||
      !checked_add(p->steps, SCAN_CHUNK, &steps) || !checked_mul(p->batch, steps, &all) ||
      !checked_mul(channels, states, &channels))
    return RILL_ERROR_OVERFLOW;
  for (int i = 0; i < 5; i++) {
    if (rows[i].stride && rows[i].stride < rows[i].least) return RILL_ERROR_SHAPE;
    if (!L(scan_fits)(all, rows[i].stride)) return RILL_ERROR_OVERFLOW;
  }
  bool fits = L(scan_fits)(all, channels) && L(scan_fits)(states, SCAN_LANES);
  return fits ? RILL_OK : RILL_ERROR_OVERFLOW;
}

/* ---- one unit -------------------------------------------------------------------------------- */

/* Inputs point at the unit's first element; the rest lies in the workspace, in rows of
 * SCAN_LANES. */
typedef struct L(scan) {
  int64_t steps, channels, states, width, lanes; /* width: channels in use; lanes: rounded up */
  int64_t u_stride, delta_stride, z_stride, B_stride, C_stride;
  bool softplus;
  const real *u, *delta, *B, *C, *z;
  real *skip, *bias; /* [1]: D and delta_bias; skip is NULL without D          */
  real *a, *h;       /* [states]: A transposed; the state, or its gradient     */
  real *da;          /* [states]: gradient of A (backward)                     */
  real *dt, *du, *y; /* [SCAN_CHUNK]: step size, dt * u, C . h + D u                */
  real *dy;          /* [SCAN_CHUNK]: gradient of y (backward)                      */
  real *gb, *gk;     /* [SCAN_CHUNK]: sums over states of G B and of G dh/d(dt A) A */
  real *e, *hs;      /* [SCAN_CHUNK], [SCAN_CHUNK + 1]: one state's decays and values    */
  real *sums;        /* [2]: gradients of D and delta_bias (backward)          */
} L(scan);

/* Rows of the workspace for each state, for each step of a chunk, and single ones. */
#define SCAN_STATE_ROWS  3
#define SCAN_CHUNK_ROWS  8
#define SCAN_SINGLE_ROWS 8

static real *L(scan_take)(real **workspace, int64_t rows) {
  real *r = *workspace;
  *workspace += rows * SCAN_LANES;
  return r;
}

static void L(scan_begin)(L(scan) * s, const rill_selective_scan_params *p, int64_t unit,
                          const real *u, const real *delta, const real *B, const real *C,
                          const real *D, const real *z, const real *delta_bias, real *workspace) {
  int64_t blocks = L(scan_blocks)(p), b = unit / blocks, d = unit % blocks * SCAN_LANES;
  *s = (L(scan)){.steps = p->steps, .channels = p->channels, .states = p->states};
  s->width = p->channels - d < SCAN_LANES ? p->channels - d : SCAN_LANES;
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

  s->hs = L(scan_take)(&workspace, SCAN_CHUNK + 1);
  s->dt = L(scan_take)(&workspace, SCAN_CHUNK);
  s->du = L(scan_take)(&workspace, SCAN_CHUNK);
  s->y = L(scan_take)(&workspace, SCAN_CHUNK);
  s->dy = L(scan_take)(&workspace, SCAN_CHUNK);
  s->gb = L(scan_take)(&workspace, SCAN_CHUNK);
  s->gk = L(scan_take)(&workspace, SCAN_CHUNK);
  s->e = L(scan_take)(&workspace, SCAN_CHUNK);
  s->a = L(scan_take)(&workspace, s->states + 1);
  s->h = L(scan_take)(&workspace, s->states + 1);
  s->da = L(scan_take)(&workspace, s->states + 1);
  s->skip = L(scan_take)(&workspace, 1);
  s->bias = L(scan_take)(&workspace, 1);
  s->sums = L(scan_take)(&workspace, 2);

  memset(s->bias, 0, sizeof(real) * SCAN_LANES);
  if (delta_bias) memcpy(s->bias, delta_bias + d, sizeof(real) * (size_t)s->width);
  if (D) memcpy(s->skip, D + d, sizeof(real) * (size_t)s->width);
  if (!D) s->skip = NULL;
}

/* [width, states] of the caller to [states][SCAN_LANES] and back; NULL reads as zeros. */
static void L(scan_transpose_in)(const L(scan) * s, const real *from, real *to) {
  memset(to, 0, sizeof(real) * SCAN_LANES * (size_t)s->states);
  if (!from) return;
  for (int64_t l = 0; l < s->width; l++)
    for (int64_t n = 0; n < s->states; n++) to[n * SCAN_LANES + l] = from[l * s->states + n];
}

/* Lanes past the width stay at zero input and zero A, hence at state zero. */
static void L(scan_load)(L(scan) * s, const real *A, const real *h) {
  memset(s->dt, 0, sizeof(real) * SCAN_LANES * SCAN_CHUNK * 4); /* dt, du, y, dy */
  L(scan_transpose_in)(s, A, s->a);
  L(scan_transpose_in)(s, h, s->h);
}

static void L(scan_transpose_out)(const L(scan) * s, const real *from, real *to) {
  for (int64_t l = 0; l < s->width; l++)
    for (int64_t n = 0; n < s->states; n++) to[l * s->states + n] = from[n * SCAN_LANES + l];
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
    real *dt = s->dt + j * SCAN_LANES, *du = s->du + j * SCAN_LANES, *y = s->y + j * SCAN_LANES;
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
