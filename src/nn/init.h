/* First values of parameters: new f32 tensors, scope-owned, fit for training whatever the gradient mode;
 * NULL with the error set. */
#ifndef RILL_SRC_INIT_H
#define RILL_SRC_INIT_H

#include "tensor/tensor.h"

/* Uniform in [-bound, bound). */
rill_tensor *init_uniform(rill_context *ctx, const int64_t *shape, int ndim, double bound);
rill_tensor *init_normal(rill_context *ctx, const int64_t *shape, int ndim);
rill_tensor *init_full(rill_context *ctx, const int64_t *shape, int ndim, double value);

/* PyTorch's bound of Linear's weight and bias: kaiming_uniform_(a = sqrt 5) comes to 1/sqrt(fan_in). */
double init_bound(int64_t fan_in);

/* A size argument of a constructor: at least 1, else false with the error set. */
bool init_size(rill_context *ctx, const char *op, const char *name, int64_t size);
/* eps, where 0 means the default: not negative, not NaN. */
bool init_eps(rill_context *ctx, const char *op, double eps);

#endif
