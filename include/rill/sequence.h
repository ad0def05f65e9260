/* Sequence modules and what they remember between calls.
 *
 * Every sequence module maps [batch, time, width] to [batch, time, width] and obeys one law:
 * rill_forward(x) equals the concatenation of rill_extend(x_1, s), rill_extend(x_2, s), ... for any
 * split of x along time, on a state fresh from rill_state_create. Modules without memory (Linear,
 * norms, activations, Embedding) stream as they are. */
#ifndef RILL_SEQUENCE_H
#define RILL_SEQUENCE_H

#include "rill/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- state ----------------------------------------------------------------------------------- */

/* A fresh state (new) for `batch` sequences. RILL_ERROR_UNSUPPORTED where a module in the tree
 * cannot stream. The state belongs to this module (and to others of the same structure). */
RILL_API rill_state *rill_state_create(rill_context *ctx, rill_module *module, int64_t batch);
RILL_API rill_state *rill_state_retain(rill_state *state);
RILL_API void rill_state_release(rill_state *state);

/* Runs the next steps of the sequence, input [batch, steps, width] (steps >= 1; token ids are
 * [batch, steps]), and moves the state on. On error the state is as before. */
RILL_API rill_tensor *rill_extend(rill_context *ctx, rill_module *module, const rill_tensor *input,
                                  rill_state *state);

RILL_API int64_t rill_state_batch(const rill_state *state);    /* 0 where NULL */
RILL_API int64_t rill_state_position(const rill_state *state); /* steps seen so far */
RILL_API rill_status rill_state_reset(rill_context *ctx, rill_state *state);
/* An independent copy (new): beam search, prompt cache. Outside any graph. */
RILL_API rill_state *rill_state_clone(rill_context *ctx, const rill_state *state);
/* Cuts the state off the graph: truncated back-propagation. */
RILL_API rill_status rill_state_detach(rill_context *ctx, rill_state *state);
/* As a safetensors file; load needs a state of the same structure and batch. */
RILL_API rill_status rill_state_save(rill_context *ctx, const rill_state *state, const char *path);
RILL_API rill_status rill_state_load(rill_context *ctx, rill_state *state, const char *path);

/* The state's tensors, for reading and for differentiating through: index in [0, count). */
RILL_API int rill_state_tensor_count(const rill_state *state);
RILL_API rill_tensor *rill_state_tensor(const rill_state *state, int index);     /* borrowed */
RILL_API const char *rill_state_tensor_name(const rill_state *state, int index); /* borrowed */
RILL_API rill_status rill_state_set_tensor(rill_context *ctx, rill_state *state, int index,
                                           rill_tensor *tensor);

/* For module classes of the host: the module's own slots in a state. In the class's `state`
 * callback rill_state_add registers a tensor; in `extend` get reads it and put replaces it. */
RILL_API rill_status rill_state_add(rill_context *ctx, rill_state *state, rill_module *self,
                                    const char *name, rill_tensor *initial);
RILL_API rill_tensor *rill_state_get(rill_context *ctx, const rill_state *state,
                                     const rill_module *self, const char *name); /* borrowed */
RILL_API rill_status rill_state_put(rill_context *ctx, rill_state *state, const rill_module *self,
                                    const char *name, rill_tensor *value);

/* ---- attention ------------------------------------------------------------------------------- */

typedef struct rill_attention_module_options {
  size_t struct_size;
  int64_t kv_heads; /* 0: as many as heads */
  int64_t window;   /* keys each query sees, itself included; 0: all. The cache keeps no more */
  bool non_causal;  /* sees the future; refuses rill_extend */
  bool bias;
  bool no_rope; /* rotary position embedding is on by default */
  bool rope_interleaved;
  double rope_base; /* 0: 10000 */
  bool alibi;
  double softcap;
  double dropout;
} rill_attention_module_options;
#define RILL_ATTENTION_MODULE_OPTIONS_INIT RILL_STRUCT_INIT(rill_attention_module_options)
RILL_API void rill_attention_module_options_init(rill_attention_module_options *options);

/* Multi-head self-attention: projections "q_proj", "k_proj", "v_proj", "out_proj"; width a multiple
 * of heads. State: keys and values of the past. */
RILL_API rill_module *rill_nn_attention(rill_context *ctx, int64_t width, int64_t heads,
                                        const rill_attention_module_options *options);

/* ---- Mamba ----------------------------------------------------------------------------------- */

typedef struct rill_mamba_options {
  size_t struct_size;
  int64_t state;   /* N; 0: 16 */
  int64_t conv;    /* taps of the short convolution; 0: 4 */
  int64_t expand;  /* inner width as a multiple of width; 0: 2 */
  int64_t dt_rank; /* 0: ceil(width / 16) */
  bool bias;       /* of in_proj and out_proj */
  bool no_conv_bias;
} rill_mamba_options;
#define RILL_MAMBA_OPTIONS_INIT RILL_STRUCT_INIT(rill_mamba_options)
RILL_API void rill_mamba_options_init(rill_mamba_options *options);

/* Mamba block (Gu and Dao 2023) with the reference implementation's parameter names: in_proj.weight,
 * conv1d.weight [D,1,K], conv1d.bias, x_proj.weight, dt_proj.weight, dt_proj.bias, A_log, D,
 * out_proj.weight. State: the convolution's tail and the scan's h. */
RILL_API rill_module *rill_nn_mamba(rill_context *ctx, int64_t width,
                                    const rill_mamba_options *options);

/* ---- sliding windows --------------------------------------------------------------------------- */

/* rill_window_max and rill_window_min as modules; the options' dims are copied. They stream: along time
 * (dims 1 alone) where the mode is causal, the stride 1 and the edge ignored or constant; a step costs as
 * much as reading the window (rill/window.h has one for a single series at a cost that does not grow).
 * State: the samples that windows to come reach back to. */
RILL_API rill_module *rill_nn_window_max(rill_context *ctx, int64_t window,
                                         const rill_window_options *options);
RILL_API rill_module *rill_nn_window_min(rill_context *ctx, int64_t window,
                                         const rill_window_options *options);

/* ---- generation ------------------------------------------------------------------------------ */

/* Called with each token as it is sampled; false ends the generation. */
typedef bool (*rill_token_callback)(void *user, int64_t sequence, int64_t token);

typedef struct rill_generate_options {
  size_t struct_size;
  int64_t max_tokens;  /* 0: 128 */
  double temperature;  /* 0: greedy */
  int64_t top_k;       /* 0: all */
  double top_p;        /* 0: 1 */
  uint64_t seed;       /* of the sampling alone */
  const int64_t *stop; /* token ids that end a sequence */
  int stop_count;
  rill_token_callback on_token; /* may be NULL */
  void *user;
} rill_generate_options;
#define RILL_GENERATE_OPTIONS_INIT RILL_STRUCT_INIT(rill_generate_options)
RILL_API void rill_generate_options_init(rill_generate_options *options);

/* Samples from a module that maps ids [batch, time] to logits [batch, time, classes], prompt first
 * in one rill_extend, then step by step, in inference mode. Returns the new tokens, i64
 * [batch, steps] (after its stop token a sequence is filled with it). state: NULL for a fresh one,
 * else continued and left after the last token consumed. */
RILL_API rill_tensor *rill_generate(rill_context *ctx, rill_module *module,
                                    const rill_tensor *prompt, rill_state *state,
                                    const rill_generate_options *options);

/* One draw per row from logits [rows, classes] (new, i64 [rows]); options as above, the uniform
 * number of row r in step `step` comes from (seed, step, r) alone. */
RILL_API rill_tensor *rill_sample(rill_context *ctx, const rill_tensor *logits,
                                  const rill_generate_options *options, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
