/* Internal face of optimizers: the struct, and what checkpoints restore. */
#ifndef RILL_SRC_OPTIM_H
#define RILL_SRC_OPTIM_H

#include "rill/optim.h"
#include "tensor/tensor.h"

enum { OPTIM_SLOTS = 2, OPTIM_GRAIN = 16384 };

/* One parameter and what its updates remember: "momentum_buffer", or "exp_avg" and "exp_avg_sq". */
typedef struct optim_parameter {
  rill_tensor *tensor;
  rill_tensor *slot[OPTIM_SLOTS]; /* made at the first update; contiguous, of the tensor's dtype */
  int64_t steps;                  /* updates so far */
  int group;
  int64_t begin; /* during a pass: elements of the active parameters before this one */
} optim_parameter;

struct rill_optimizer {
  handle base;
  rill_optimizer_kind kind;
  int64_t steps;
  rill_optimizer_options *groups; /* with defaults filled in */
  optim_parameter *parameters; /* in the order they were added: their index names their tensors */
  int group_count, parameter_count;
};

/* ---- passes over all gradients (pass.c) ---- */

/* The gradient an update would use: NULL where there is none or the parameter is frozen. */
rill_tensor *optimizer_grad(const optim_parameter *p);

/* Sees elements [from, from + n) of one active parameter; `stretch` numbers the piece of the split that
 * they are in. */
typedef void (*optim_fn)(void *arg, optim_parameter *p, int64_t from, int64_t n, int64_t stretch);
/* All elements of all active parameters, laid end to end and split into stretches of OPTIM_GRAIN over the
 * pool. */
void optimizer_pass(rill_context *ctx, rill_optimizer *o, optim_fn fn, void *arg);
/* Elements of all active parameters. */
int64_t optimizer_active(rill_optimizer *o);

/* ---- checkpoints (optimizer.c) ---- */

/* Puts a copy of `value` in the place of the remembered tensor `name` ("3.exp_avg"). Errors name it. */
rill_status optimizer_restore(rill_context *ctx, rill_optimizer *o, const char *name,
                              const rill_tensor *value);
int optimizer_parameter_count(const rill_optimizer *o);
/* Updates of one parameter so far; -1 where there is none of that index. */
int64_t optimizer_parameter_steps(const rill_optimizer *o, int index);
rill_status optimizer_set_parameter_steps(rill_context *ctx, rill_optimizer *o, int index,
                                          int64_t steps);
/* What rill_optimizer_steps tells. */
rill_status optimizer_set_steps(rill_context *ctx, rill_optimizer *o, int64_t steps);

/* Name of a slot, NULL where the kind has none of that number. */
const char *optimizer_slot_name(rill_optimizer_kind kind, int slot);

/* ctx usable and o there, else false with the error set. */
bool optimizer_ready(rill_context *ctx, const char *op, const rill_optimizer *o);

#endif
