/* Optimizer steps, each one pass over raw buffers. The order of operations is PyTorch's; the scalars
 * of a step are computed in double and then rounded once. */
#include "pure/kernel.h"

#include <math.h>
#include <string.h>

static inline real L(root)(real x) {
  return sizeof(real) == sizeof(float) ? (real)sqrtf((float)x) : (real)sqrt(x);
}

KERNEL(sgd,
       (real * param, const real *grad, real *momentum_buffer, int64_t n, double lr,
        double momentum, double dampening, bool nesterov, double weight_decay, bool first),
       (param, grad, momentum_buffer, n, lr, momentum, dampening, nesterov, weight_decay, first)) {
  real rate = (real)lr, decay = (real)weight_decay, keep = (real)momentum;
  if (momentum == 0 || !momentum_buffer) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) param[i] -= rate * (grad[i] + decay * param[i]);
    return;
  }
  /* The first step takes the gradient whole, whatever the dampening. */
  real take = (real)(first ? 1 : 1 - dampening), past = first ? 0 : keep;
  if (first) memset(momentum_buffer, 0, (size_t)n * sizeof *momentum_buffer);
  real ahead = nesterov ? 1 : 0, behind = nesterov ? keep : 1;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    real g = grad[i] + decay * param[i];
    real b = past * momentum_buffer[i] + take * g;
    momentum_buffer[i] = b;
    param[i] -= rate * (ahead * g + behind * b);
  }
}

/* Adam (Kingma and Ba 2015, algorithm 1) with the weight decay added to the gradient, and AdamW
 * (Loshchilov and Hutter 2019, algorithm 2) with it taken off the parameter. */
static inline void L(adam_step)(real *param, const real *grad, real *m, real *v, real *v_max,
                                int64_t n, double lr, double beta1, double beta2, double eps,
                                double weight_decay, int64_t step, bool decoupled) {
  real size = (real)(lr / (1 - pow(beta1, (double)step)));
  real root_correction = (real)sqrt(1 - pow(beta2, (double)step));
  real shrink = (real)(decoupled ? 1 - lr * weight_decay : 1);
  real decay = (real)(decoupled ? 0 : weight_decay);
  real take1 = (real)(1 - beta1), keep2 = (real)beta2, take2 = (real)(1 - beta2), e = (real)eps;
  if (v_max) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
      real p = param[i] * shrink, g = grad[i] + decay * p;
      m[i] += take1 * (g - m[i]);
      v[i] = keep2 * v[i] + take2 * g * g;
      real top = ((v[i] > v_max[i]) | (v[i] != v[i])) ? v[i] : v_max[i];
      v_max[i] = top;
      param[i] = p - size * m[i] / (L(root)(top) / root_correction + e);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
      real p = param[i] * shrink, g = grad[i] + decay * p;
      m[i] += take1 * (g - m[i]);
      v[i] = keep2 * v[i] + take2 * g * g;
      param[i] = p - size * m[i] / (L(root)(v[i]) / root_correction + e);
    }
  }
}

KERNEL(adam,
       (real * param, const real *grad, real *m, real *v, real *v_max, int64_t n, double lr,
        double beta1, double beta2, double eps, double weight_decay, int64_t step),
       (param, grad, m, v, v_max, n, lr, beta1, beta2, eps, weight_decay, step)) {
  L(adam_step)(param, grad, m, v, v_max, n, lr, beta1, beta2, eps, weight_decay, step, false);
}

KERNEL(adamw,
       (real * param, const real *grad, real *m, real *v, real *v_max, int64_t n, double lr,
        double beta1, double beta2, double eps, double weight_decay, int64_t step),
       (param, grad, m, v, v_max, n, lr, beta1, beta2, eps, weight_decay, step)) {
  L(adam_step)(param, grad, m, v, v_max, n, lr, beta1, beta2, eps, weight_decay, step, true);
}

KERNEL(ema, (real * average, const real *param, int64_t n, double decay),
       (average, param, n, decay)) {
  real take = (real)(1 - decay);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) average[i] += take * (param[i] - average[i]);
}

/* In double: exact enough for any n, and no square overflows. */
KERNEL(sum_squares, (const real *x, int64_t n, double *sum), (x, n, sum)) {
  double total = 0;
  for (int64_t b = 0; b < n; b += 4096) {
    int64_t end = n - b < 4096 ? n : b + 4096;
    double s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = b; i < end; i++) s += (double)x[i] * (double)x[i];
    total += s;
  }
  *sum = total;
}
