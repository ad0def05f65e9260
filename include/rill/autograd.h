/* Automatic differentiation: a graph recorded as ops run, and the backward pass over it.
 * The rules of leaves, .grad and in-place changes are PyTorch's. */
#ifndef RILL_AUTOGRAD_H
#define RILL_AUTOGRAD_H

#include "rill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Marks a leaf tensor of f32 or f64 as wanting a gradient (or not). RILL_ERROR_GRAPH for a result of
 * recorded ops, RILL_ERROR_DTYPE for other dtypes. */
RILL_API rill_status rill_set_requires_grad(rill_context *ctx, rill_tensor *tensor, bool on);
RILL_API bool rill_requires_grad(const rill_tensor *tensor);
/* Not the result of a recorded op. Tensor.is_leaf */
RILL_API bool rill_is_leaf(const rill_tensor *tensor);

/* The gradient that backward passes accumulated in a leaf (or a tensor under rill_retain_grad), or
 * NULL where there is none. Borrowed from the tensor until the next backward or
 * rill_zero_grad. */
RILL_API rill_tensor *rill_tensor_grad(const rill_tensor *tensor);
/* Replaces the gradient; NULL drops it. Shape and dtype must be the tensor's. */
RILL_API rill_status rill_set_grad(rill_context *ctx, rill_tensor *tensor, rill_tensor *grad);
/* Keeps the gradient of a non-leaf too. Tensor.retain_grad */
RILL_API rill_status rill_retain_grad(rill_context *ctx, rill_tensor *tensor);

typedef enum rill_grad_mode {
  RILL_GRAD_ON = 0,       /* ops on tensors that require a gradient are recorded              */
  RILL_GRAD_OFF = 1,      /* torch.no_grad: results require none                              */
  RILL_GRAD_INFERENCE = 2 /* torch.inference_mode: as OFF, and results may never be recorded  */
} rill_grad_mode;

/* Sets the mode and returns the one before, to be set back afterwards. */
RILL_API rill_grad_mode rill_set_grad_mode(rill_context *ctx, rill_grad_mode mode);
RILL_API rill_grad_mode rill_get_grad_mode(const rill_context *ctx);

/* Accumulates d output / d leaf into every leaf's gradient. grad: the seed, of output's shape; NULL
 * means 1 and needs a single-element output. The graph's saved values are given back as the pass
 * proceeds unless retain_graph. Tensor.backward */
RILL_API rill_status rill_backward(rill_context *ctx, rill_tensor *output, const rill_tensor *grad,
                                   bool retain_graph);

/* Gradients of `outputs` with respect to `inputs` (leaves or not), leaving every .grad alone:
 * writes new tensors into results[n_inputs], NULL where an input had no part if allow_unused, an
 * error otherwise. grads: seeds as in rill_backward, or NULL. torch.autograd.grad */
RILL_API rill_status rill_grad(rill_context *ctx, rill_tensor *const *outputs, int n_outputs,
                               rill_tensor *const *inputs, int n_inputs,
                               const rill_tensor *const *grads, bool retain_graph,
                               bool allow_unused, rill_tensor **results);

/* The same values outside any graph, sharing storage (new). Tensor.detach */
RILL_API rill_tensor *rill_detach(rill_context *ctx, const rill_tensor *tensor);

/* Called with the gradient of `tensor` when a backward pass has it; may return another of the same
 * shape and dtype to take its place, or NULL to leave it. Runs without recording. */
typedef rill_tensor *(*rill_grad_hook)(rill_context *ctx, void *user, const rill_tensor *grad);
/* Adds a hook; the id removes it. 0 on error, and `user` then stays the caller's.
 * Tensor.register_hook */
RILL_API int64_t rill_add_grad_hook(rill_context *ctx, rill_tensor *tensor, rill_grad_hook hook,
                                    void *user, rill_finalizer free_user);
RILL_API rill_status rill_remove_grad_hook(rill_context *ctx, rill_tensor *tensor, int64_t id);

/* ---- user-defined ops: torch.autograd.Function ------------------------------------------------- */

typedef struct rill_custom_call rill_custom_call; /* lives for one forward or backward call */

typedef rill_status (*rill_custom_callback)(rill_context *ctx, rill_custom_call *call, void *user);

typedef struct rill_custom_op {
  size_t struct_size;
  const char *name; /* for messages; must outlive the graph */
  /* Computes outputs from inputs (not recorded) and sets each with rill_custom_set_output. */
  rill_custom_callback forward;
  /* Reads gradients and saved tensors, sets input gradients. NULL: not differentiable. */
  rill_custom_callback backward;
  rill_finalizer free_user; /* when the graph lets go of `user`; may be NULL */
} rill_custom_op;
#define RILL_CUSTOM_OP_INIT RILL_STRUCT_INIT(rill_custom_op)
RILL_API void rill_custom_op_init(rill_custom_op *op);

/* Runs forward and records it: the new outputs go to outputs[n_outputs]. `user` must live until
 * free_user. Ownership of user passes on every return, failures included. */
RILL_API rill_status rill_custom_apply(rill_context *ctx, const rill_custom_op *op, void *user,
                                       rill_tensor *const *inputs, int n_inputs,
                                       rill_tensor **outputs, int n_outputs);
RILL_API rill_tensor *rill_custom_input(const rill_custom_call *call, int index); /* forward only */
RILL_API rill_status rill_custom_save(rill_custom_call *call,
                                      rill_tensor *tensor); /* forward     */
RILL_API rill_status rill_custom_set_output(rill_custom_call *call, int index, rill_tensor *output);
RILL_API rill_tensor *rill_custom_saved(const rill_custom_call *call, int index); /* backward    */
RILL_API rill_tensor *rill_custom_grad(const rill_custom_call *call, int index);  /* backward; of
                                                              output `index`, NULL where none came */
RILL_API bool rill_custom_needs_grad(const rill_custom_call *call, int index);    /* backward    */
RILL_API rill_status rill_custom_set_grad(rill_custom_call *call, int index, rill_tensor *grad);

/* ---- checkpointing and checking ---------------------------------------------------------------- */

/* A function of tensors, as used by rill_checkpoint and rill_gradcheck: returns one output (owned by
 * the open scope), NULL on error. */
typedef rill_tensor *(*rill_function)(rill_context *ctx, void *user, rill_tensor *const *inputs,
                                      int n_inputs);

/* Runs `function` without keeping its graph; the backward pass runs it again. Random ops draw the
 * same numbers both times; rill_grad cannot pass through. torch.utils.checkpoint */
RILL_API rill_tensor *rill_checkpoint(rill_context *ctx, rill_function function, void *user,
                                      rill_tensor *const *inputs, int n_inputs);

typedef struct rill_gradcheck_options {
  size_t struct_size;
  double eps;  /* step of the central difference; 0: 1e-6 */
  double atol; /* 0: 1e-5 */
  double rtol; /* 0: 1e-3 */
} rill_gradcheck_options;
#define RILL_GRADCHECK_OPTIONS_INIT RILL_STRUCT_INIT(rill_gradcheck_options)
RILL_API void rill_gradcheck_options_init(rill_gradcheck_options *options);

/* Compares the analytic gradient of `function` with central differences at f64 inputs, for each
 * input that requires a gradient and each output element. RILL_ERROR_GRAPH with the place and both
 * values where they differ. torch.autograd.gradcheck */
RILL_API rill_status rill_gradcheck(rill_context *ctx, rill_function function, void *user,
                                    rill_tensor *const *inputs, int n_inputs,
                                    const rill_gradcheck_options *options);

#ifdef __cplusplus
}
#endif

#endif
