/* Optimizers, learning-rate schedules, gradient clipping and weight averaging. Formulas and defaults
 * are PyTorch's. */
#ifndef RILL_OPTIM_H
#define RILL_OPTIM_H

#include "rill/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rill_optimizer rill_optimizer;

typedef enum rill_optimizer_kind {
  RILL_OPTIM_SGD = 0,
  RILL_OPTIM_ADAM = 1, /* weight decay is an L2 term of the gradient */
  RILL_OPTIM_ADAMW = 2 /* decoupled weight decay (Loshchilov and Hutter 2019) */
} rill_optimizer_kind;

typedef struct rill_optimizer_options {
  size_t struct_size;
  double lr;           /* 0: 1e-3 */
  double weight_decay; /* taken as it is: 0 is none, for AdamW too */
  double momentum;     /* SGD */
  double dampening;    /* SGD */
  bool nesterov;       /* SGD */
  double beta1, beta2; /* Adam, AdamW; 0: 0.9 and 0.999 */
  double eps;          /* Adam, AdamW; 0: 1e-8 */
} rill_optimizer_options;
#define RILL_OPTIMIZER_OPTIONS_INIT RILL_STRUCT_INIT(rill_optimizer_options)
RILL_API void rill_optimizer_options_init(rill_optimizer_options *options);

/* A new optimizer, owned by the innermost scope, without parameters. */
RILL_API rill_optimizer *rill_optimizer_create(rill_context *ctx, rill_optimizer_kind kind);
RILL_API rill_optimizer *rill_optimizer_retain(rill_optimizer *optimizer);
RILL_API void rill_optimizer_release(rill_optimizer *optimizer);

/* Adds a group of parameters (retained) with options of its own; its number goes to *group (may be
 * NULL). Parameters are contiguous leaves of f32 or f64, each in one group. */
RILL_API rill_status rill_optimizer_add_group(rill_context *ctx, rill_optimizer *optimizer,
                                              rill_tensor *const *parameters, int count,
                                              const rill_optimizer_options *options, int *group);
/* All parameters of a module as one group. */
RILL_API rill_status rill_optimizer_add_module(rill_context *ctx, rill_optimizer *optimizer,
                                               rill_module *module,
                                               const rill_optimizer_options *options, int *group);

/* One update of every parameter that has a gradient and is not frozen. */
RILL_API rill_status rill_optimizer_step(rill_context *ctx, rill_optimizer *optimizer);
RILL_API rill_status rill_optimizer_zero_grad(rill_context *ctx, rill_optimizer *optimizer);

RILL_API int rill_optimizer_group_count(const rill_optimizer *optimizer);
RILL_API double rill_optimizer_lr(const rill_optimizer *optimizer, int group); /* NaN where none */
RILL_API rill_status rill_optimizer_set_lr(rill_context *ctx, rill_optimizer *optimizer, int group,
                                           double lr);
RILL_API int64_t rill_optimizer_steps(const rill_optimizer *optimizer); /* updates so far */

/* What an update remembers, by name ("0.exp_avg", ...): for checkpoints. */
RILL_API int rill_optimizer_tensor_count(const rill_optimizer *optimizer);
RILL_API rill_tensor *rill_optimizer_tensor(const rill_optimizer *optimizer,
                                            int index); /* borrowed */
RILL_API int64_t rill_optimizer_tensor_name(const rill_optimizer *optimizer, int index, char *out,
                                            size_t size);

/* ---- gradient clipping ------------------------------------------------------------------------- */

/* Scales the gradients of all groups so that their joint 2-norm is at most max_norm; the norm before
 * goes to *norm (may be NULL). torch.nn.utils.clip_grad_norm_ */
RILL_API rill_status rill_clip_grad_norm(rill_context *ctx, rill_optimizer *optimizer,
                                         double max_norm, double *norm);
/* Clamps every gradient element to [-value, value]. torch.nn.utils.clip_grad_value_ */
RILL_API rill_status rill_clip_grad_value(rill_context *ctx, rill_optimizer *optimizer,
                                          double value);

/* ---- schedules: pure functions of the step ------------------------------------------------------ */

typedef enum rill_schedule_kind {
  RILL_SCHEDULE_CONSTANT = 0,
  RILL_SCHEDULE_LINEAR = 1, /* from lr to end_lr over total_steps */
  RILL_SCHEDULE_COSINE = 2, /* half a cosine from lr to end_lr over total_steps */
  RILL_SCHEDULE_STEP = 3    /* lr times gamma every step_size steps */
} rill_schedule_kind;

typedef struct rill_schedule {
  size_t struct_size;
  rill_schedule_kind kind;
  double lr; /* the peak */
  double end_lr;
  int64_t warmup_steps; /* rises linearly from lr / warmup_steps first; counted in total_steps */
  int64_t total_steps;
  int64_t step_size; /* STEP */
  double gamma;      /* STEP */
} rill_schedule;
#define RILL_SCHEDULE_INIT RILL_STRUCT_INIT(rill_schedule)
RILL_API void rill_schedule_init(rill_schedule *schedule);
/* The learning rate for update `step` (0 is the first). NaN where the schedule makes no sense. */
RILL_API double rill_schedule_lr(const rill_schedule *schedule, int64_t step);

/* ---- weight averaging -------------------------------------------------------------------------- */

/* average = decay average + (1 - decay) weights, over all parameters (and a copy of all buffers), by
 * the two modules' equal structure. torch.optim.swa_utils.get_ema_avg_fn */
RILL_API rill_status rill_ema_update(rill_context *ctx, rill_module *average,
                                     const rill_module *weights, double decay);

#ifdef __cplusplus
}
#endif

#endif
