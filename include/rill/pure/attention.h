/* The pure face: attention (src/pure/attention.c, attention_backward.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_ATTENTION_H
#define RILL_PURE_ATTENTION_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rill_attention_causal {
  RILL_ATTENTION_FULL = 0,         /* every query sees every key                                  */
  RILL_ATTENTION_BOTTOM_RIGHT = 1, /* key j <= i + k_len - q_len: queries are the last positions  */
  RILL_ATTENTION_TOP_LEFT = 2      /* key j <= i: torch's is_causal                               */
} rill_attention_causal;

#define RILL_ATTENTION_DIM_MAX 65536 /* the largest head_dim and value_dim */
RILL_API int rill_attention_dim_max(void);

/* softmax(scale q·k, capped, biased and masked) · v, as torch.nn.functional.
 * scaled_dot_product_attention, with what else transformers ask for. Zero means default.
 *
 * q and its gradient are [batch, q_len, heads, head_dim], k [batch, k_len, kv_heads, head_dim],
 * v [.., value_dim], o [batch, q_len, heads, value_dim], each with its strides (in elements) between
 * batches, times and heads, so that both [B,T,H,D] and [B,H,T,D] will do; the last dim is contiguous.
 * Query head h reads key head h / (heads / kv_heads).
 *
 * Scores go scale, softcap, alibi, bias, mask, in that order. What is masked is left out, never
 * multiplied by 0: neither its NaN nor its infinity reaches o or a gradient. A query that sees no key
 * gives o = 0, lse = +inf and gradients of 0. */
typedef struct rill_attention_params {
  size_t struct_size; /* sizeof(rill_attention_params)                                 */
  int64_t batch, heads, kv_heads, q_len, k_len, head_dim, value_dim;
  int64_t q_stride[3], k_stride[3], v_stride[3], o_stride[3]; /* of batch, time, head             */
  double scale; /* 0: 1 / sqrt(head_dim)                                         */
  rill_attention_causal causal;
  int64_t window;         /* 0: none; else the query at position p sees p - window < j <= p;
                                    causal only                                                   */
  double softcap;         /* 0: none; else scores become softcap * tanh(score / softcap)   */
  const uint8_t *keep;    /* NULL, or 0 where a query may not see a key                    */
  int64_t keep_stride[4]; /* of batch, head, query, key; 0 broadcasts                      */
  const void *bias;       /* NULL, or reals (of the kernel's type) added to the scores     */
  int64_t bias_stride[4];
  const void *alibi;     /* NULL, or a slope m (real) for each head: -m |p - j| is added,
                                    p the query's position (i + k_len - q_len, or i if top-left);
                                    Press et al. 2021                                             */
  double dropout;        /* of probabilities, in [0, 1)                                   */
  uint64_t seed, offset; /* stream and first block of dropout's random numbers            */
} rill_attention_params;

#define RILL_ATTENTION_PARAMS_INIT RILL_STRUCT_INIT(rill_attention_params)
RILL_API void rill_attention_params_init(rill_attention_params *params);

/* RILL_OK where the kernels below may be called with params. Strides and pointers are trusted. */
RILL_API rill_status rill_attention_check(const rill_attention_params *params);

/* The work is cut into units that may run in any order and on any threads, each caller with a
 * workspace of its own: the result is the same for every cut, bit for bit. */
RILL_API int64_t rill_attention_units(const rill_attention_params *params);
RILL_API int64_t rill_attention_backward_units(const rill_attention_params *params);

/* Bytes of a workspace, for forward and every backward alike; of any alignment. */
RILL_API size_t rill_attention_workspace_f32(const rill_attention_params *params);
RILL_API size_t rill_attention_workspace_f64(const rill_attention_params *params);

/* 128-bit blocks that dropout draws, from block `offset` on; 0 without dropout. */
RILL_API uint64_t rill_attention_dropout_blocks(const rill_attention_params *params);

/* Units unit_begin .. unit_end of the forward. lse [batch, heads, q_len] is the logarithm of the sum
 * of exponentials of each query's scores, which backward needs. Dao 2023, algorithm 1. */
RILL_API void rill_attention_f32(const rill_attention_params *params, const float *q,
                                 const float *k, const float *v, float *o, float *lse,
                                 int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API void rill_attention_f64(const rill_attention_params *params, const double *q,
                                 const double *k, const double *v, double *o, double *lse,
                                 int64_t unit_begin, int64_t unit_end, void *workspace);

/* Units of the backward: gradients of q, k and v in their layouts (overwritten), from that of o. Dao
 * 2023, algorithm 2. */
RILL_API void rill_attention_backward_f32(const rill_attention_params *params, const float *q,
                                          const float *k, const float *v, const float *o,
                                          const float *lse, const float *d_o, float *dq, float *dk,
                                          float *dv, int64_t unit_begin, int64_t unit_end,
                                          void *workspace);
RILL_API void rill_attention_backward_f64(const rill_attention_params *params, const double *q,
                                          const double *k, const double *v, const double *o,
                                          const double *lse, const double *d_o, double *dq,
                                          double *dk, double *dv, int64_t unit_begin,
                                          int64_t unit_end, void *workspace);

/* The gradient of the bias, in the bias's layout: summed over the dims whose stride is 0, and 0 where the
 * bias is -inf or another mask hides the place. The scores are made once more, tile by tile: memory stays
 * linear in time but for d_bias. Cut into units of its own: any cut gives the same bits. */
RILL_API int64_t rill_attention_backward_bias_units(const rill_attention_params *params);
RILL_API void rill_attention_backward_bias_f32(const rill_attention_params *params, const float *q,
                                               const float *k, const float *v, const float *o,
                                               const float *lse, const float *d_o, float *d_bias,
                                               int64_t unit_begin, int64_t unit_end,
                                               void *workspace);
RILL_API void rill_attention_backward_bias_f64(const rill_attention_params *params, const double *q,
                                               const double *k, const double *v, const double *o,
                                               const double *lse, const double *d_o, double *d_bias,
                                               int64_t unit_begin, int64_t unit_end,
                                               void *workspace);

/* The gradients of alibi's slopes, d_alibi [heads]: minus the sums of |p - j| times a score's gradient. In
 * units of its own, likewise. */
RILL_API int64_t rill_attention_backward_alibi_units(const rill_attention_params *params);
RILL_API void rill_attention_backward_alibi_f32(const rill_attention_params *params, const float *q,
                                                const float *k, const float *v, const float *o,
                                                const float *lse, const float *d_o, float *d_alibi,
                                                int64_t unit_begin, int64_t unit_end,
                                                void *workspace);
RILL_API void rill_attention_backward_alibi_f64(const rill_attention_params *params,
                                                const double *q, const double *k, const double *v,
                                                const double *o, const double *lse,
                                                const double *d_o, double *d_alibi,
                                                int64_t unit_begin, int64_t unit_end,
                                                void *workspace);

#ifdef __cplusplus
}
#endif

#endif
