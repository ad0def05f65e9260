/* Rotary position embedding (Su et al. 2021, "RoFormer: enhanced transformer with rotary position
 * embedding", equation 34): pairs of features turn by angles that grow with the position. */
#include "pure/kernel.h"
#include <math.h>

#undef PAIRS
#define PAIRS 64 /* angles at hand at once */

/* Turns the pairs of the first half's and the second half's features; y may be x. */
static void L(turn_halves)(const real *x, real *y, int64_t count, int64_t half, const real *cosine,
                           const real *sine) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    real u = x[i], v = x[i + half];
    y[i] = u * cosine[i] - v * sine[i];
    y[i + half] = u * sine[i] + v * cosine[i];
  }
}

static void L(turn_neighbours)(const real *x, real *y, int64_t count, const real *cosine,
                               const real *sine) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    real u = x[2 * i], v = x[2 * i + 1];
    y[2 * i] = u * cosine[i] - v * sine[i];
    y[2 * i + 1] = u * sine[i] + v * cosine[i];
  }
}

KERNEL(rope, (const rill_rope_params *params, const real *x, real *y), (params, x, y)) {
  const rill_rope_params *p = params;
  int64_t dim = p->rotary_dim ? p->rotary_dim : p->head_dim, pairs = dim / 2;
  double base = p->base == 0 ? 10000 : p->base;
  for (int64_t c = 0; c < pairs; c += PAIRS) {
    int64_t count = pairs - c < PAIRS ? pairs - c : PAIRS;
    double speed[PAIRS];
    real cosine[PAIRS], sine[PAIRS];
    for (int64_t i = 0; i < count; i++)
      speed[i] = pow(base, -2.0 * (double)(c + i) / (double)dim) * (p->inverse ? -1 : 1);
    for (int64_t t = 0; t < p->time; t++) {
      for (int64_t i = 0; i < count; i++) {
        double angle = (double)(p->offset + t) * speed[i];
        cosine[i] = (real)cos(angle);
        sine[i] = (real)sin(angle);
      }
      for (int64_t b = 0; b < p->batch; b++)
        for (int64_t h = 0; h < p->heads; h++) {
          const real *from = x + b * p->x_stride[0] + t * p->x_stride[1] + h * p->x_stride[2];
          real *to = y + b * p->y_stride[0] + t * p->y_stride[1] + h * p->y_stride[2];
          if (p->interleaved)
            L(turn_neighbours)(from + 2 * c, to + 2 * c, count, cosine, sine);
          else
            L(turn_halves)(from + c, to + c, count, pairs, cosine, sine);
        }
    }
  }
  for (int64_t b = 0; b < p->batch && dim < p->head_dim && x != y; b++)
    for (int64_t t = 0; t < p->time; t++)
      for (int64_t h = 0; h < p->heads; h++) {
        const real *from = x + b * p->x_stride[0] + t * p->x_stride[1] + h * p->x_stride[2];
        real *to = y + b * p->y_stride[0] + t * p->y_stride[1] + h * p->y_stride[2];
        for (int64_t i = dim; i < p->head_dim; i++) to[i] = from[i];
      }
}

#if defined KERNEL_BASELINE && defined KERNEL_F32
void rill_rope_params_init(rill_rope_params *p) {
  if (p) *p = (rill_rope_params){.struct_size = sizeof *p};
}

rill_status rill_rope_check(const rill_rope_params *p) {
  if (!p || p->struct_size < sizeof *p) return RILL_ERROR_ARGUMENT;
  if (p->batch < 0 || p->time < 0 || p->heads < 0 || p->head_dim < 0) return RILL_ERROR_SHAPE;
  int64_t dim = p->rotary_dim ? p->rotary_dim : p->head_dim, end;
  if (dim < 0 || dim > p->head_dim || dim % 2) return RILL_ERROR_SHAPE;
  if (!isfinite(p->base) || p->base < 0) return RILL_ERROR_ARGUMENT;
  if (p->offset < 0 || !checked_add(p->offset, p->time, &end)) return RILL_ERROR_ARGUMENT;
  return RILL_OK;
}
#endif

#undef PAIRS
