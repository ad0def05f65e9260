/* Modules: named parameters, named buffers, children, train or eval mode, and a forward.
 *
 * Constructors return a new module owned by the innermost scope (retain one that must outlive it);
 * containers retain their children. Parameters are f32 unless converted, initialised as PyTorch
 * does from the context's random stream. Paths join names with dots: "blocks.0.norm.weight". */
#ifndef RILL_NN_H
#define RILL_NN_H

#include "rill/ops.h"
#include "rill/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reference-counted. Used by one thread at a time, except that frozen modules in eval mode may be
 * called from any number of contexts at once. */
typedef struct rill_module rill_module;

RILL_API rill_module *rill_module_retain(rill_module *module);
RILL_API void rill_module_release(rill_module *module);

/* Runs the module: one tensor in, one out (new). Temporaries are dropped before it returns.
 * torch.nn.Module.forward */
RILL_API rill_tensor *rill_forward(rill_context *ctx, rill_module *module,
                                   const rill_tensor *input);

/* ---- structure ------------------------------------------------------------------------------- */

RILL_API const char *rill_module_type(const rill_module *module); /* "Linear". Static */
RILL_API int rill_module_child_count(const rill_module *module);
RILL_API rill_module *rill_module_child(const rill_module *module, int index);     /* borrowed */
RILL_API const char *rill_module_child_name(const rill_module *module, int index); /* borrowed */
/* The module at a path ("" is the module itself); NULL where there is none. Borrowed. */
RILL_API rill_module *rill_module_find(const rill_module *module, const char *path);

/* All parameters of the tree, depth first, own before children. */
RILL_API int rill_parameter_count(const rill_module *module);
RILL_API rill_tensor *rill_parameter(const rill_module *module, int index); /* borrowed */
/* Writes the path of parameter `index` and a final 0 to out; returns its length, -1 on error. */
RILL_API int64_t rill_parameter_path(const rill_module *module, int index, char *out, size_t size);
/* The parameter or buffer at a path; NULL where there is none. Borrowed. */
RILL_API rill_tensor *rill_module_get(const rill_module *module, const char *path);
/* Elements of all parameters. */
RILL_API int64_t rill_parameter_numel(const rill_module *module);

/* ---- the state dict: parameters and persistent buffers by path ---------------------------------- */

RILL_API int rill_state_dict_count(const rill_module *module);
RILL_API rill_tensor *rill_state_dict_tensor(const rill_module *module, int index); /* borrowed */
RILL_API int64_t rill_state_dict_path(const rill_module *module, int index, char *out, size_t size);
/* Copies values (converted) into the parameter or buffer at `path`. Errors name path and shapes. */
RILL_API rill_status rill_state_dict_load(rill_context *ctx, rill_module *module, const char *path,
                                          const rill_tensor *value);

/* ---- modes ----------------------------------------------------------------------------------- */

RILL_API rill_status rill_module_train(rill_context *ctx, rill_module *module, bool training);
RILL_API bool rill_module_is_training(const rill_module *module);
/* requires_grad of all parameters; a frozen module may be shared between contexts. */
RILL_API rill_status rill_module_freeze(rill_context *ctx, rill_module *module, bool frozen);
RILL_API rill_status rill_module_zero_grad(rill_context *ctx, rill_module *module);
/* Converts parameters and float buffers to f32, f64, f16 or bf16, dropping gradients. */
RILL_API rill_status rill_module_to(rill_context *ctx, rill_module *module, rill_dtype dtype);
typedef rill_status (*rill_visit_callback)(rill_context *ctx, rill_module *module, void *user);
/* Calls visit for the module and all below it, children first. Module.apply */
RILL_API rill_status rill_module_apply(rill_context *ctx, rill_module *module,
                                       rill_visit_callback visit, void *user);

/* ---- modules of the host's own ------------------------------------------------------------------ */

typedef struct rill_state rill_state; /* rill/sequence.h */

typedef rill_tensor *(*rill_forward_callback)(rill_context *ctx, rill_module *self,
                                              const rill_tensor *input, void *user);
typedef rill_status (*rill_state_callback)(rill_context *ctx, rill_module *self, rill_state *state,
                                           int64_t batch, void *user);
typedef rill_tensor *(*rill_extend_callback)(rill_context *ctx, rill_module *self,
                                             const rill_tensor *input, rill_state *state,
                                             void *user);

typedef struct rill_module_class {
  size_t struct_size;
  const char *type; /* name; must outlive the module */
  rill_forward_callback forward;
  /* Sequence modules only (both or neither): rill/sequence.h. */
  rill_state_callback state;
  rill_extend_callback extend;
  rill_finalizer free_user;
} rill_module_class;
#define RILL_MODULE_CLASS_INIT RILL_STRUCT_INIT(rill_module_class)
RILL_API void rill_module_class_init(rill_module_class *cls);

/* A module that runs the host's callbacks. `user` passes to the module, on failure too. */
RILL_API rill_module *rill_module_create(rill_context *ctx, const rill_module_class *cls,
                                         void *user);
RILL_API void *rill_module_user(const rill_module *module);
/* Registers a parameter (becomes a leaf that requires a gradient), a buffer or a child; retains it.
 * Names are non-empty, without dots, unique within the module. */
RILL_API rill_status rill_module_add_parameter(rill_context *ctx, rill_module *module,
                                               const char *name, rill_tensor *tensor);
RILL_API rill_status rill_module_add_buffer(rill_context *ctx, rill_module *module,
                                            const char *name, rill_tensor *tensor, bool persistent);
RILL_API rill_status rill_module_add_child(rill_context *ctx, rill_module *module, const char *name,
                                           rill_module *child);

/* ---- containers: children are named "0", "1", ... ------------------------------------------------ */

/* Each module in turn; streams where its children do. torch.nn.Sequential */
RILL_API rill_module *rill_nn_sequential(rill_context *ctx, rill_module *const *modules, int count);
/* input + inner(input), inner named "inner"; streams where inner does. */
RILL_API rill_module *rill_nn_residual(rill_context *ctx, rill_module *inner);
/* Holds modules; its forward is an error. torch.nn.ModuleList */
RILL_API rill_module *rill_nn_module_list(rill_context *ctx, rill_module *const *modules,
                                          int count);

/* ---- layers ---------------------------------------------------------------------------------- */

/* weight [out,in], bias [out]. torch.nn.Linear */
RILL_API rill_module *rill_nn_linear(rill_context *ctx, int64_t in, int64_t out, bool bias);
/* weight [count,width]; input i32 or i64. padding_idx: RILL_NO_PADDING for none. torch.nn.Embedding */
RILL_API rill_module *rill_nn_embedding(rill_context *ctx, int64_t count, int64_t width,
                                        int64_t padding_idx);
/* eps 0: 1e-5. torch.nn.LayerNorm over the last dim */
RILL_API rill_module *rill_nn_layer_norm(rill_context *ctx, int64_t width, double eps, bool bias);
/* eps 0: the dtype's epsilon. torch.nn.RMSNorm over the last dim */
RILL_API rill_module *rill_nn_rms_norm(rill_context *ctx, int64_t width, double eps);
RILL_API rill_module *rill_nn_dropout(rill_context *ctx, double p);
RILL_API rill_module *rill_nn_softmax(rill_context *ctx, int dim);
RILL_API rill_module *rill_nn_log_softmax(rill_context *ctx, int dim);
RILL_API rill_module *rill_nn_relu(rill_context *ctx);
RILL_API rill_module *rill_nn_gelu(rill_context *ctx, bool approximate);
RILL_API rill_module *rill_nn_silu(rill_context *ctx);
RILL_API rill_module *rill_nn_sigmoid(rill_context *ctx);
RILL_API rill_module *rill_nn_tanh(rill_context *ctx);
/* beta 0: 1; threshold 0: 20. torch.nn.Softplus */
RILL_API rill_module *rill_nn_softplus(rill_context *ctx, double beta, double threshold);

/* ---- any op ------------------------------------------------------------------------------------ */

/* A module of any op, for those that have none of their own: rill_forward calls the op with its input and
 * what is given here. args: as rill_call takes them, copied; a required tensor that is NULL, alone or in
 * a list, is where the input goes, and at least one must be. The other tensors are retained as the
 * module's parameters where they require a gradient, as its buffers elsewhere, under the signature's
 * names (those of a list numbered: "tensors0"). output: which of the op's outputs forward returns, 0 for
 * most. rill_module_type is the op's short name. The modules of element-wise ops that hold no tensors
 * stream. New. */
RILL_API rill_module *rill_nn_op(rill_context *ctx, const char *name, const rill_value *args,
                                 int n_args, int output);

#ifdef __cplusplus
}
#endif

#endif
