/* The functional face: tensors in, new tensors out, recorded for backward.
 *
 * Every function returns a new tensor owned by the innermost scope, or NULL with the context's error
 * set; given a NULL tensor (or with an error pending) it returns NULL. Inputs are never changed,
 * except by the functions that say so. Dims may be negative (counted from the end). Arithmetic on
 * mixed dtypes promotes as in PyTorch; f16 and bf16 must be converted first. Integers stay integers
 * in add, sub, mul, maximum, minimum, their scalar forms, neg, abs, relu, sign, square, floor, ceil,
 * round, where, masked_fill, max, min and all that moves data, and become i64 in sum and cumsum
 * (exact to 2^53; what does not fit wraps); elsewhere they become f32, also where PyTorch keeps them
 * (matmul, pow with a number).
 * Each has PyTorch's name and meaning unless the comment says otherwise. */
#ifndef RILL_OPS_H
#define RILL_OPS_H

#include "rill/pure/window.h"
#include "rill/pure/window_quantile.h"
#include "rill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A dims argument that means all dims. */
#define RILL_ALL_DIMS NULL, 0

/* ---- elementwise, broadcasting ---------------------------------------------------------------- */

RILL_API rill_tensor *rill_add(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_sub(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_mul(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_div(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_pow(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_maximum(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_minimum(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
/* With a number in place of b; the dtype stays a's (integers become f32 for div and pow). */
RILL_API rill_tensor *rill_add_scalar(rill_context *ctx, const rill_tensor *a, double b);
RILL_API rill_tensor *rill_mul_scalar(rill_context *ctx, const rill_tensor *a, double b);
RILL_API rill_tensor *rill_pow_scalar(rill_context *ctx, const rill_tensor *a, double b);

/* Comparisons give bool and take no part in gradients. */
RILL_API rill_tensor *rill_eq(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_ne(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_lt(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_le(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_gt(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_ge(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);

/* condition: bool. */
RILL_API rill_tensor *rill_where(rill_context *ctx, const rill_tensor *condition,
                                 const rill_tensor *a, const rill_tensor *b);
RILL_API rill_tensor *rill_masked_fill(rill_context *ctx, const rill_tensor *input,
                                       const rill_tensor *mask, double value);
RILL_API rill_tensor *rill_clamp(rill_context *ctx, const rill_tensor *input, double min,
                                 double max);

RILL_API rill_tensor *rill_neg(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_abs(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_exp(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_log(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_log1p(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_expm1(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_sqrt(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_rsqrt(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_sin(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_cos(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_tanh(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_sigmoid(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_erf(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_relu(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_gelu(rill_context *ctx, const rill_tensor *input); /* exact, by erf */
RILL_API rill_tensor *rill_gelu_tanh(rill_context *ctx,
                                     const rill_tensor *input); /* approximate   */
RILL_API rill_tensor *rill_silu(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_reciprocal(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_square(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_sign(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_floor(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_ceil(rill_context *ctx, const rill_tensor *input);
RILL_API rill_tensor *rill_round(rill_context *ctx, const rill_tensor *input); /* ties to even */
/* log(1 + exp(beta x)) / beta, and x itself where beta x > threshold. */
RILL_API rill_tensor *rill_softplus(rill_context *ctx, const rill_tensor *input, double beta,
                                    double threshold);

/* Converts to another dtype (the same dtype: a view). Differentiable between floats. Tensor.to */
RILL_API rill_tensor *rill_to(rill_context *ctx, const rill_tensor *input, rill_dtype dtype);

/* ---- reductions ------------------------------------------------------------------------------- */

/* dims: ndims of them, or RILL_ALL_DIMS. keepdim leaves reduced dims with size 1. */
RILL_API rill_tensor *rill_sum(rill_context *ctx, const rill_tensor *input, const int *dims,
                               int ndims, bool keepdim);
RILL_API rill_tensor *rill_mean(rill_context *ctx, const rill_tensor *input, const int *dims,
                                int ndims, bool keepdim);
/* correction: 1 for the sample variance, 0 for the population's. */
RILL_API rill_tensor *rill_var(rill_context *ctx, const rill_tensor *input, const int *dims,
                               int ndims, double correction, bool keepdim);
/* Gradient: shared equally among ties, as torch.amax. */
RILL_API rill_tensor *rill_max(rill_context *ctx, const rill_tensor *input, const int *dims,
                               int ndims, bool keepdim);
RILL_API rill_tensor *rill_min(rill_context *ctx, const rill_tensor *input, const int *dims,
                               int ndims, bool keepdim);
RILL_API rill_tensor *rill_logsumexp(rill_context *ctx, const rill_tensor *input, const int *dims,
                                     int ndims, bool keepdim);
/* (sum |x|^p)^(1/p); p may be INFINITY. torch.linalg.vector_norm */
RILL_API rill_tensor *rill_norm(rill_context *ctx, const rill_tensor *input, double p,
                                const int *dims, int ndims, bool keepdim);
/* i64 index of the first largest (smallest) along one dim. */
RILL_API rill_tensor *rill_argmax(rill_context *ctx, const rill_tensor *input, int dim,
                                  bool keepdim);
RILL_API rill_tensor *rill_argmin(rill_context *ctx, const rill_tensor *input, int dim,
                                  bool keepdim);
RILL_API rill_tensor *rill_cumsum(rill_context *ctx, const rill_tensor *input, int dim);

/* ---- products --------------------------------------------------------------------------------- */

/* All of torch.matmul's rank rules: vectors, matrices, broadcast batches. */
RILL_API rill_tensor *rill_matmul(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
/* [b,n,k] x [b,k,m]. */
RILL_API rill_tensor *rill_bmm(rill_context *ctx, const rill_tensor *a, const rill_tensor *b);
/* input [..., in] times weight [out, in] transposed, plus bias [out] (may be NULL). */
RILL_API rill_tensor *rill_linear(rill_context *ctx, const rill_tensor *input,
                                  const rill_tensor *weight, const rill_tensor *bias);
/* Einstein summation over one or two operands: "bij,bjk->bik". An index comes at most once in an
 * operand; no ellipsis. */
RILL_API rill_tensor *rill_einsum(rill_context *ctx, const char *equation,
                                  const rill_tensor *const *operands, int count);

/* ---- views (share storage with the input) ------------------------------------------------------- */

/* A view where strides allow it, else a copy. One size may be -1. */
RILL_API rill_tensor *rill_reshape(rill_context *ctx, const rill_tensor *input,
                                   const int64_t *shape, int ndim);
/* As reshape, but an error where a copy would be needed. */
RILL_API rill_tensor *rill_view(rill_context *ctx, const rill_tensor *input, const int64_t *shape,
                                int ndim);
RILL_API rill_tensor *rill_permute(rill_context *ctx, const rill_tensor *input, const int *dims,
                                   int ndims);
RILL_API rill_tensor *rill_transpose(rill_context *ctx, const rill_tensor *input, int dim0,
                                     int dim1);
/* Elements start, start + step, ... below end of a dim, with Python's rules for negative and too
 * large start and end; step at least 1. INT64_MAX as end: to the end. */
RILL_API rill_tensor *rill_slice(rill_context *ctx, const rill_tensor *input, int dim,
                                 int64_t start, int64_t end, int64_t step);
RILL_API rill_tensor *rill_narrow(rill_context *ctx, const rill_tensor *input, int dim,
                                  int64_t start, int64_t length);
RILL_API rill_tensor *rill_select(rill_context *ctx, const rill_tensor *input, int dim,
                                  int64_t index);
/* Sizes of 1 stretch to `shape`; -1 keeps a size. */
RILL_API rill_tensor *rill_expand(rill_context *ctx, const rill_tensor *input, const int64_t *shape,
                                  int ndim);
/* Removes dim where its size is 1 (else leaves the tensor as it is). */
RILL_API rill_tensor *rill_squeeze(rill_context *ctx, const rill_tensor *input, int dim);
RILL_API rill_tensor *rill_unsqueeze(rill_context *ctx, const rill_tensor *input, int dim);
RILL_API rill_tensor *rill_flatten(rill_context *ctx, const rill_tensor *input, int start_dim,
                                   int end_dim);
/* Windows of `size` every `step` along dim, in a new last dim. Tensor.unfold */
RILL_API rill_tensor *rill_unfold(rill_context *ctx, const rill_tensor *input, int dim,
                                  int64_t size, int64_t step);
/* Row-major copy, or a view of the input where it already is contiguous. */
RILL_API rill_tensor *rill_contiguous(rill_context *ctx, const rill_tensor *input);
/* A copy with storage of its own. */
RILL_API rill_tensor *rill_clone(rill_context *ctx, const rill_tensor *input);

/* ---- joining, splitting, rearranging ------------------------------------------------------------ */

RILL_API rill_tensor *rill_cat(rill_context *ctx, const rill_tensor *const *tensors, int count,
                               int dim);
RILL_API rill_tensor *rill_stack(rill_context *ctx, const rill_tensor *const *tensors, int count,
                                 int dim);
/* Views of `size` along dim (the last may be shorter) into outputs[capacity]; their number to
 * *count. RILL_ERROR_ARGUMENT where they do not fit. */
RILL_API rill_status rill_split(rill_context *ctx, const rill_tensor *input, int64_t size, int dim,
                                rill_tensor **outputs, int capacity, int *count);
/* At most `chunks` views of equal size (the last may be shorter). */
RILL_API rill_status rill_chunk(rill_context *ctx, const rill_tensor *input, int chunks, int dim,
                                rill_tensor **outputs, int capacity, int *count);
RILL_API rill_tensor *rill_flip(rill_context *ctx, const rill_tensor *input, const int *dims,
                                int ndims);
RILL_API rill_tensor *rill_roll(rill_context *ctx, const rill_tensor *input, int64_t shift,
                                int dim);
/* Tiles the tensor repeats[i] times along dim i. Tensor.repeat */
RILL_API rill_tensor *rill_repeat(rill_context *ctx, const rill_tensor *input,
                                  const int64_t *repeats, int count);
RILL_API rill_tensor *rill_tril(rill_context *ctx, const rill_tensor *input, int64_t diagonal);
RILL_API rill_tensor *rill_triu(rill_context *ctx, const rill_tensor *input, int64_t diagonal);

/* ---- indexing (index: i32 or i64; out-of-range is RILL_ERROR_INDEX) ------------------------------ */

RILL_API rill_tensor *rill_index_select(rill_context *ctx, const rill_tensor *input, int dim,
                                        const rill_tensor *index);
RILL_API rill_tensor *rill_gather(rill_context *ctx, const rill_tensor *input, int dim,
                                  const rill_tensor *index);
RILL_API rill_tensor *rill_scatter_add(rill_context *ctx, const rill_tensor *input, int dim,
                                       const rill_tensor *index, const rill_tensor *source);
/* For padding_idx: no row is padding. */
#define RILL_NO_PADDING INT64_MIN
RILL_API int64_t rill_no_padding(void);
/* Rows of weight [n, width] picked by index [...] -> [..., width]. Negative padding_idx counts from
 * the end; RILL_NO_PADDING for none: that row gets no gradient. */
RILL_API rill_tensor *rill_embedding(rill_context *ctx, const rill_tensor *index,
                                     const rill_tensor *weight, int64_t padding_idx);
/* i64 ones at the index: [...] -> [..., classes]. */
RILL_API rill_tensor *rill_one_hot(rill_context *ctx, const rill_tensor *index, int64_t classes);

/* ---- softmax, losses, normalisation ------------------------------------------------------------- */

RILL_API rill_tensor *rill_softmax(rill_context *ctx, const rill_tensor *input, int dim);
RILL_API rill_tensor *rill_log_softmax(rill_context *ctx, const rill_tensor *input, int dim);

typedef enum rill_reduction {
  RILL_REDUCE_MEAN = 0,
  RILL_REDUCE_SUM = 1,
  RILL_REDUCE_NONE = 2
} rill_reduction;

typedef struct rill_cross_entropy_options {
  size_t struct_size;
  const rill_tensor *weight; /* [classes], or NULL */
  bool use_ignore_index;     /* false: -100 is ignored, as in PyTorch */
  int64_t ignore_index;
  double label_smoothing;
  rill_reduction reduction;
} rill_cross_entropy_options;
#define RILL_CROSS_ENTROPY_OPTIONS_INIT RILL_STRUCT_INIT(rill_cross_entropy_options)
RILL_API void rill_cross_entropy_options_init(rill_cross_entropy_options *options);

/* logits [..., classes] (classes last, unlike PyTorch's second dim for more than two), target [...]
 * of i32 or i64. */
RILL_API rill_tensor *rill_cross_entropy(rill_context *ctx, const rill_tensor *logits,
                                         const rill_tensor *target,
                                         const rill_cross_entropy_options *options);

/* Over the last dim; weight and bias [width] or NULL. */
RILL_API rill_tensor *rill_layer_norm(rill_context *ctx, const rill_tensor *input,
                                      const rill_tensor *weight, const rill_tensor *bias,
                                      double eps);
RILL_API rill_tensor *rill_rms_norm(rill_context *ctx, const rill_tensor *input,
                                    const rill_tensor *weight, double eps);

/* Each element zeroed with probability p, the others scaled by 1/(1-p); always (a module decides by
 * its mode). The second form draws from `seed` alone. */
RILL_API rill_tensor *rill_dropout(rill_context *ctx, const rill_tensor *input, double p);
RILL_API rill_tensor *rill_dropout_seeded(rill_context *ctx, const rill_tensor *input, double p,
                                          uint64_t seed);

/* ---- sliding windows ----------------------------------------------------------------------------- */

/* rill/pure/window.h says what the modes, edges and NaN rules are. Zero means default. */
typedef struct rill_window_options {
  size_t struct_size;
  const int *dims; /* that the window slides along; NULL: the last alone */
  int ndims;
  int64_t stride;   /* one place in so many; 0: 1                     */
  int64_t dilation; /* from one sample of a window to the next; 0: 1  */
  rill_window_mode mode;
  rill_window_edge edge;
  double pad; /* of RILL_WINDOW_CONSTANT; for integers one of theirs */
  rill_window_nan nan;
  bool last; /* of equal samples the last, not the first, has the gradient or the index */
} rill_window_options;
#define RILL_WINDOW_OPTIONS_INIT RILL_STRUCT_INIT(rill_window_options)
RILL_API void rill_window_options_init(rill_window_options *options);

/* The largest or smallest of `window` samples along each of the dims, of f32, f64, i32, i64 or u8; sizes
 * along the other dims stay. A window longer than the dim gives an empty tensor in valid mode. Cost does
 * not grow with the window. The gradient goes to the first such sample in row-major order, as in
 * torch.nn.functional.max_pool1d and max_pool2d, whose stride defaults to the window; windows of several
 * lengths are one call for each dim, the last dim first. +0 is above -0.
 * RILL_ERROR_ARGUMENT: a window below 1, a stride or dilation below 0 (by name, below 1). */
RILL_API rill_tensor *rill_window_max(rill_context *ctx, const rill_tensor *input, int64_t window,
                                      const rill_window_options *options);
RILL_API rill_tensor *rill_window_min(rill_context *ctx, const rill_tensor *input, int64_t window,
                                      const rill_window_options *options);
/* Minima, and to *max (unless NULL) maxima: both new. */
RILL_API rill_tensor *rill_window_minmax(rill_context *ctx, const rill_tensor *input,
                                         int64_t window, const rill_window_options *options,
                                         rill_tensor **max);
/* Where along the one dim they are, as i64: -1 for the pad value and for nothing. -0 equals +0. */
RILL_API rill_tensor *rill_window_argmax(rill_context *ctx, const rill_tensor *input,
                                         int64_t window, const rill_window_options *options);
RILL_API rill_tensor *rill_window_argmin(rill_context *ctx, const rill_tensor *input,
                                         int64_t window, const rill_window_options *options);

/* The sum of each window along each of the dims, and the mean of what it sees, of f32 and f64 (integers
 * become f32). The options are rill_window_max's but for `last`. RILL_WINDOW_NAN_IGNORE leaves NaN out, as
 * torch.nansum and nanmean; such means are along one dim. As torch.nn.functional.avg_pool1d and avg_pool2d,
 * whose stride defaults to the window and whose zero padding is RILL_WINDOW_CONSTANT, or with
 * count_include_pad=False RILL_WINDOW_IGNORE. Cost does not grow with the window, and errors do not pile up
 * along the dim: rill/pure/window_sum.h. */
RILL_API rill_tensor *rill_window_sum(rill_context *ctx, const rill_tensor *input, int64_t window,
                                      const rill_window_options *options);
RILL_API rill_tensor *rill_window_mean(rill_context *ctx, const rill_tensor *input, int64_t window,
                                       const rill_window_options *options);
/* The q-quantile of each window along one dim, as torch.quantile or, with RILL_WINDOW_NAN_IGNORE,
 * nanquantile: rill/pure/window_quantile.h. torch.median is q 0.5 of RILL_WINDOW_QUANTILE_LOWER.
 * RILL_ERROR_ARGUMENT: q not from 0 to 1, an unknown method, several dims. */
RILL_API rill_tensor *rill_window_quantile(rill_context *ctx, const rill_tensor *input,
                                           int64_t window, double q,
                                           rill_window_quantile_method method,
                                           const rill_window_options *options);

/* ---- sequence kernels --------------------------------------------------------------------------- */

/* Depthwise causal convolution along time: input [B,T,D], weight [D,K], bias [D] or NULL, initial
 * [B,K-1,D] (the inputs before time 0) or NULL for zeros. silu: applied to the result.
 * final: where not NULL, receives the last K-1 inputs (new tensor, differentiable). */
RILL_API rill_tensor *rill_causal_conv1d(rill_context *ctx, const rill_tensor *input,
                                         const rill_tensor *weight, const rill_tensor *bias,
                                         const rill_tensor *initial, bool silu,
                                         rill_tensor **final);

typedef enum rill_causal {
  RILL_CAUSAL_NONE = 0,
  RILL_CAUSAL_BOTTOM_RIGHT = 1, /* query i sees keys j <= i + Tk - Tq: what decoding needs */
  RILL_CAUSAL_TOP_LEFT = 2      /* j <= i: PyTorch's is_causal */
} rill_causal;

typedef struct rill_attention_options {
  size_t struct_size;
  rill_causal causal;
  int64_t window;           /* W keys, i - W < j <= i after alignment; 0: no window */
  double scale;             /* 0: 1/sqrt(head width) */
  double softcap;           /* c tanh(s/c) before masking; 0: none */
  double dropout;           /* after normalisation; 0: none */
  const rill_tensor *mask;  /* bool (true: keep) or float (added), broadcast to [B,H,Tq,Tk] */
  const rill_tensor *alibi; /* slopes [H]: adds -slope |i - j| */
} rill_attention_options;
#define RILL_ATTENTION_OPTIONS_INIT RILL_STRUCT_INIT(rill_attention_options)
RILL_API void rill_attention_options_init(rill_attention_options *options);

/* Softmax attention. q [B,Tq,H,D], k [B,Tk,G,D], v [B,Tk,G,E], H a multiple of G (grouped queries)
 * -> [B,Tq,H,E]. Memory linear in time, forward and backward (FlashAttention-2, Dao 2023). A query
 * whose keys are all masked gives 0. Differentiable in q, k, v, a float mask and alibi.
 * torch: scaled_dot_product_attention, with time before heads. */
RILL_API rill_tensor *rill_attention(rill_context *ctx, const rill_tensor *q, const rill_tensor *k,
                                     const rill_tensor *v, const rill_attention_options *options);

/* Rotary position embedding (RoFormer, Su et al. 2021) of x [B,T,H,D], D even; position of step t is
 * offset + t. base 0: 10000. interleaved: pairs (2i, 2i+1); else (i, i + D/2). */
RILL_API rill_tensor *rill_rope(rill_context *ctx, const rill_tensor *x, int64_t offset,
                                double base, bool interleaved);

typedef struct rill_selective_scan_options {
  size_t struct_size;
  const rill_tensor *D;          /* [D] skip, or NULL */
  const rill_tensor *z;          /* [B,T,D] gate: y silu(z), or NULL */
  const rill_tensor *delta_bias; /* [D], or NULL */
  bool delta_softplus;
  const rill_tensor *initial; /* [B,D,N] state before time 0, or NULL for zeros */
  rill_tensor **final;        /* receives the state after time T (new, differentiable), or NULL */
} rill_selective_scan_options;
#define RILL_SELECTIVE_SCAN_OPTIONS_INIT RILL_STRUCT_INIT(rill_selective_scan_options)
RILL_API void rill_selective_scan_options_init(rill_selective_scan_options *options);

/* h = exp(delta A) h + delta B u, y = C h + D u (Mamba, Gu and Dao 2023): u, delta [B,T,D],
 * A [D,N], B, C [B,T,N] -> [B,T,D]. */
RILL_API rill_tensor *rill_selective_scan(rill_context *ctx, const rill_tensor *u,
                                          const rill_tensor *delta, const rill_tensor *A,
                                          const rill_tensor *B, const rill_tensor *C,
                                          const rill_selective_scan_options *options);

/* ---- in place ----------------------------------------------------------------------------------- */

/* Change `target` (not a leaf that requires a gradient, while recording) and return RILL_OK. Not
 * recorded. */
RILL_API rill_status rill_fill_(rill_context *ctx, rill_tensor *target, double value);
RILL_API rill_status rill_copy_(rill_context *ctx, rill_tensor *target, const rill_tensor *source);
RILL_API rill_status rill_add_(rill_context *ctx, rill_tensor *target, const rill_tensor *other,
                               double alpha);
RILL_API rill_status rill_mul_scalar_(rill_context *ctx, rill_tensor *target, double value);

#ifdef __cplusplus
}
#endif

#endif
