/* The pure face: re-entrant functions over the caller's buffers, suffixed by their dtype.
 *
 * Each allocates nothing, keeps nothing, locks nothing, starts no thread and writes only its
 * outputs. Buffers are contiguous, row-major and do not overlap unless the comment says otherwise;
 * sizes are element counts of at least 0. Functions whose arguments can be wrong return a status
 * and then write nothing. What a backward needs is saved into buffers that the caller passes; where
 * scratch is needed a _workspace function says how many bytes. Any thread, any number at once. */
#ifndef RILL_PURE_H
#define RILL_PURE_H

#include "rill/base.h"
#include "rill/pure/move.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- elementwise (src/pure/elementwise.c) ----------------------------------------------------- */

/* One input. y[i] = f(x[i]) as in PyTorch, special values included; y may be x. The backward adds
 * nothing: grad_x[i] = grad[i] f'(x[i]); it reads x or y as noted and the other may be NULL; grad_x
 * may be any of its inputs. Errors in units in the last place: at most 3, silu and softplus 4, gelu
 * 7; gelu_tanh 10 above -2, growing to 100 at -7 with the steepness of its formula. */

/* -x. The backward reads neither. */
RILL_API void rill_neg_f32(const float *x, float *y, int64_t n);
RILL_API void rill_neg_f64(const double *x, double *y, int64_t n);
RILL_API void rill_neg_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_neg_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* |x|. The backward reads x. */
RILL_API void rill_abs_f32(const float *x, float *y, int64_t n);
RILL_API void rill_abs_f64(const double *x, double *y, int64_t n);
RILL_API void rill_abs_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_abs_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* e^x. The backward reads y. */
RILL_API void rill_exp_f32(const float *x, float *y, int64_t n);
RILL_API void rill_exp_f64(const double *x, double *y, int64_t n);
RILL_API void rill_exp_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_exp_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* natural logarithm. The backward reads x. */
RILL_API void rill_log_f32(const float *x, float *y, int64_t n);
RILL_API void rill_log_f64(const double *x, double *y, int64_t n);
RILL_API void rill_log_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_log_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* log(1 + x). The backward reads x. */
RILL_API void rill_log1p_f32(const float *x, float *y, int64_t n);
RILL_API void rill_log1p_f64(const double *x, double *y, int64_t n);
RILL_API void rill_log1p_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n);
RILL_API void rill_log1p_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n);

/* e^x - 1. The backward reads y. */
RILL_API void rill_expm1_f32(const float *x, float *y, int64_t n);
RILL_API void rill_expm1_f64(const double *x, double *y, int64_t n);
RILL_API void rill_expm1_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n);
RILL_API void rill_expm1_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n);

/* square root. The backward reads y. */
RILL_API void rill_sqrt_f32(const float *x, float *y, int64_t n);
RILL_API void rill_sqrt_f64(const double *x, double *y, int64_t n);
RILL_API void rill_sqrt_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_sqrt_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* 1 / sqrt(x). The backward reads y. */
RILL_API void rill_rsqrt_f32(const float *x, float *y, int64_t n);
RILL_API void rill_rsqrt_f64(const double *x, double *y, int64_t n);
RILL_API void rill_rsqrt_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n);
RILL_API void rill_rsqrt_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n);

/* hyperbolic tangent. The backward reads y. */
RILL_API void rill_tanh_f32(const float *x, float *y, int64_t n);
RILL_API void rill_tanh_f64(const double *x, double *y, int64_t n);
RILL_API void rill_tanh_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_tanh_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* 1 / (1 + e^-x). The backward reads y. */
RILL_API void rill_sigmoid_f32(const float *x, float *y, int64_t n);
RILL_API void rill_sigmoid_f64(const double *x, double *y, int64_t n);
RILL_API void rill_sigmoid_backward_f32(const float *grad, const float *x, const float *y,
                                        float *grad_x, int64_t n);
RILL_API void rill_sigmoid_backward_f64(const double *grad, const double *x, const double *y,
                                        double *grad_x, int64_t n);

/* error function. The backward reads x. */
RILL_API void rill_erf_f32(const float *x, float *y, int64_t n);
RILL_API void rill_erf_f64(const double *x, double *y, int64_t n);
RILL_API void rill_erf_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_erf_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* max(x, 0). The backward reads y. */
RILL_API void rill_relu_f32(const float *x, float *y, int64_t n);
RILL_API void rill_relu_f64(const double *x, double *y, int64_t n);
RILL_API void rill_relu_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_relu_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* x times the normal distribution function (gelu, approximate="none"). The backward reads x. */
RILL_API void rill_gelu_f32(const float *x, float *y, int64_t n);
RILL_API void rill_gelu_f64(const double *x, double *y, int64_t n);
RILL_API void rill_gelu_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_gelu_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* gelu, approximate="tanh". The backward reads x. */
RILL_API void rill_gelu_tanh_f32(const float *x, float *y, int64_t n);
RILL_API void rill_gelu_tanh_f64(const double *x, double *y, int64_t n);
RILL_API void rill_gelu_tanh_backward_f32(const float *grad, const float *x, const float *y,
                                          float *grad_x, int64_t n);
RILL_API void rill_gelu_tanh_backward_f64(const double *grad, const double *x, const double *y,
                                          double *grad_x, int64_t n);

/* x / (1 + e^-x). The backward reads x. */
RILL_API void rill_silu_f32(const float *x, float *y, int64_t n);
RILL_API void rill_silu_f64(const double *x, double *y, int64_t n);
RILL_API void rill_silu_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_silu_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* 1 / x. The backward reads y. */
RILL_API void rill_reciprocal_f32(const float *x, float *y, int64_t n);
RILL_API void rill_reciprocal_f64(const double *x, double *y, int64_t n);
RILL_API void rill_reciprocal_backward_f32(const float *grad, const float *x, const float *y,
                                           float *grad_x, int64_t n);
RILL_API void rill_reciprocal_backward_f64(const double *grad, const double *x, const double *y,
                                           double *grad_x, int64_t n);

/* x^2. The backward reads x. */
RILL_API void rill_square_f32(const float *x, float *y, int64_t n);
RILL_API void rill_square_f64(const double *x, double *y, int64_t n);
RILL_API void rill_square_backward_f32(const float *grad, const float *x, const float *y,
                                       float *grad_x, int64_t n);
RILL_API void rill_square_backward_f64(const double *grad, const double *x, const double *y,
                                       double *grad_x, int64_t n);

/* -1, 0 or 1; 0 for NaN. The backward reads neither. */
RILL_API void rill_sign_f32(const float *x, float *y, int64_t n);
RILL_API void rill_sign_f64(const double *x, double *y, int64_t n);
RILL_API void rill_sign_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_sign_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* largest integer <= x. The backward reads neither. */
RILL_API void rill_floor_f32(const float *x, float *y, int64_t n);
RILL_API void rill_floor_f64(const double *x, double *y, int64_t n);
RILL_API void rill_floor_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n);
RILL_API void rill_floor_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n);

/* smallest integer >= x. The backward reads neither. */
RILL_API void rill_ceil_f32(const float *x, float *y, int64_t n);
RILL_API void rill_ceil_f64(const double *x, double *y, int64_t n);
RILL_API void rill_ceil_backward_f32(const float *grad, const float *x, const float *y,
                                     float *grad_x, int64_t n);
RILL_API void rill_ceil_backward_f64(const double *grad, const double *x, const double *y,
                                     double *grad_x, int64_t n);

/* nearest integer, ties to even. The backward reads neither. */
RILL_API void rill_round_f32(const float *x, float *y, int64_t n);
RILL_API void rill_round_f64(const double *x, double *y, int64_t n);
RILL_API void rill_round_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n);
RILL_API void rill_round_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n);

/* sine. The backward reads x. */
RILL_API void rill_sin_f32(const float *x, float *y, int64_t n);
RILL_API void rill_sin_f64(const double *x, double *y, int64_t n);
RILL_API void rill_sin_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_sin_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* cosine. The backward reads x. */
RILL_API void rill_cos_f32(const float *x, float *y, int64_t n);
RILL_API void rill_cos_f64(const double *x, double *y, int64_t n);
RILL_API void rill_cos_backward_f32(const float *grad, const float *x, const float *y,
                                    float *grad_x, int64_t n);
RILL_API void rill_cos_backward_f64(const double *grad, const double *x, const double *y,
                                    double *grad_x, int64_t n);

/* log(1 + e^(beta x)) / beta, and x where beta x > threshold (PyTorch's defaults: 1 and 20). */
RILL_API void rill_softplus_f32(const float *x, float *y, int64_t n, float beta, float threshold);
RILL_API void rill_softplus_f64(const double *x, double *y, int64_t n, double beta,
                                double threshold);
RILL_API void rill_softplus_backward_f32(const float *grad, const float *x, const float *y,
                                         float *grad_x, int64_t n, float beta, float threshold);
RILL_API void rill_softplus_backward_f64(const double *grad, const double *x, const double *y,
                                         double *grad_x, int64_t n, double beta, double threshold);

/* min(max(x, low), high): high where low > high, NaN where a bound is NaN. The gradient passes
 * where low <= x <= high. The backward reads x. */
RILL_API void rill_clamp_f32(const float *x, float *y, int64_t n, float low, float high);
RILL_API void rill_clamp_f64(const double *x, double *y, int64_t n, double low, double high);
RILL_API void rill_clamp_backward_f32(const float *grad, const float *x, const float *y,
                                      float *grad_x, int64_t n, float low, float high);
RILL_API void rill_clamp_backward_f64(const double *grad, const double *x, const double *y,
                                      double *grad_x, int64_t n, double low, double high);

/* Two inputs, each read at its own stride in elements (0 repeats one number, negative ones read
 * backwards); y is contiguous and may be an input whose stride is 1. In the backward, grad is
 * contiguous, and so are grad_a and grad_b (n numbers each, whatever the strides); either may be
 * NULL, and grad_a may be grad. */

/* a + b. The backward reads neither input: both may be NULL. */
RILL_API void rill_add_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                           float *y, int64_t n);
RILL_API void rill_add_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                           double *y, int64_t n);
RILL_API void rill_add_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                    const float *b, int64_t stride_b, float *grad_a, float *grad_b,
                                    int64_t n);
RILL_API void rill_add_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                    const double *b, int64_t stride_b, double *grad_a,
                                    double *grad_b, int64_t n);

/* a - b. The backward reads neither input: both may be NULL. */
RILL_API void rill_sub_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                           float *y, int64_t n);
RILL_API void rill_sub_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                           double *y, int64_t n);
RILL_API void rill_sub_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                    const float *b, int64_t stride_b, float *grad_a, float *grad_b,
                                    int64_t n);
RILL_API void rill_sub_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                    const double *b, int64_t stride_b, double *grad_a,
                                    double *grad_b, int64_t n);

/* a b */
RILL_API void rill_mul_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                           float *y, int64_t n);
RILL_API void rill_mul_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                           double *y, int64_t n);
RILL_API void rill_mul_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                    const float *b, int64_t stride_b, float *grad_a, float *grad_b,
                                    int64_t n);
RILL_API void rill_mul_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                    const double *b, int64_t stride_b, double *grad_a,
                                    double *grad_b, int64_t n);

/* a / b */
RILL_API void rill_div_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                           float *y, int64_t n);
RILL_API void rill_div_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                           double *y, int64_t n);
RILL_API void rill_div_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                    const float *b, int64_t stride_b, float *grad_a, float *grad_b,
                                    int64_t n);
RILL_API void rill_div_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                    const double *b, int64_t stride_b, double *grad_a,
                                    double *grad_b, int64_t n);

/* The larger; NaN where either is. Equal numbers share the gradient in halves. */
RILL_API void rill_maximum_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                               float *y, int64_t n);
RILL_API void rill_maximum_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                               double *y, int64_t n);
RILL_API void rill_maximum_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                        const float *b, int64_t stride_b, float *grad_a,
                                        float *grad_b, int64_t n);
RILL_API void rill_maximum_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                        const double *b, int64_t stride_b, double *grad_a,
                                        double *grad_b, int64_t n);

/* The smaller; NaN where either is. Equal numbers share the gradient in halves. */
RILL_API void rill_minimum_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                               float *y, int64_t n);
RILL_API void rill_minimum_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                               double *y, int64_t n);
RILL_API void rill_minimum_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                        const float *b, int64_t stride_b, float *grad_a,
                                        float *grad_b, int64_t n);
RILL_API void rill_minimum_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                        const double *b, int64_t stride_b, double *grad_a,
                                        double *grad_b, int64_t n);

/* a^b, of libm, save for some constant exponents (stride_b = 0). */
RILL_API void rill_pow_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                           float *y, int64_t n);
RILL_API void rill_pow_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                           double *y, int64_t n);
RILL_API void rill_pow_backward_f32(const float *grad, const float *a, int64_t stride_a,
                                    const float *b, int64_t stride_b, float *grad_a, float *grad_b,
                                    int64_t n);
RILL_API void rill_pow_backward_f64(const double *grad, const double *a, int64_t stride_a,
                                    const double *b, int64_t stride_b, double *grad_a,
                                    double *grad_b, int64_t n);

/* Comparisons: y[i] is 1 or 0; with NaN all but ne give 0. Strides as above. */
RILL_API void rill_eq_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_eq_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_ne_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_ne_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_lt_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_lt_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_le_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_le_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_gt_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_gt_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_ge_f32(const float *a, int64_t stride_a, const float *b, int64_t stride_b,
                          uint8_t *y, int64_t n);
RILL_API void rill_ge_f64(const double *a, int64_t stride_a, const double *b, int64_t stride_b,
                          uint8_t *y, int64_t n);

/* y[i] = cond[i] != 0 ? a[i] : b[i], strides as above; y may be a or b when their stride is 1. */
RILL_API void rill_where_f32(const uint8_t *cond, int64_t stride_cond, const float *a,
                             int64_t stride_a, const float *b, int64_t stride_b, float *y,
                             int64_t n);
RILL_API void rill_where_f64(const uint8_t *cond, int64_t stride_cond, const double *a,
                             int64_t stride_a, const double *b, int64_t stride_b, double *y,
                             int64_t n);

/* y[i] = mask[i] != 0 ? value : x[i]; y may be x. */
RILL_API void rill_masked_fill_f32(const float *x, const uint8_t *mask, int64_t stride_mask,
                                   float value, float *y, int64_t n);
RILL_API void rill_masked_fill_f64(const double *x, const uint8_t *mask, int64_t stride_mask,
                                   double value, double *y, int64_t n);

/* y[i] = value. */
RILL_API void rill_fill_f32(float *y, float value, int64_t n);
RILL_API void rill_fill_f64(double *y, double value, int64_t n);

/* y[i] += x[i]. */
RILL_API void rill_accumulate_f32(float *y, const float *x, int64_t n);
RILL_API void rill_accumulate_f64(double *y, const double *x, int64_t n);

/* y[i] = a x[i] + b; y may be x. */
RILL_API void rill_scale_f32(const float *x, float a, float b, float *y, int64_t n);
RILL_API void rill_scale_f64(const double *x, double a, double b, double *y, int64_t n);

/* ---- reductions (src/pure/reduce.c) ----------------------------------------------------------- */

/* x is [outer, n, inner] and is reduced over the middle: y is [outer, inner]. A dim reduced alone has
 * inner = the product of the dims behind it; all of a tensor is [1, n, 1]. */

/* torch.sum and torch.mean. Sums run pairwise, so that the rounding error grows with log n. Where n
 * is 0 the sum is 0 and the mean NaN. */
RILL_API void rill_sum_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_sum_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_mean_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_mean_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);

/* grad_x[o, i, j] = grad[o, j], for the mean divided by n. */
RILL_API void rill_sum_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_sum_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_mean_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                     int64_t inner);
RILL_API void rill_mean_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                     int64_t inner);

/* torch.var: the sum of squared deviations over max(0, n - correction). mean: [outer, inner], kept
 * for the backward, or NULL. */
RILL_API void rill_var_f32(const float *x, double correction, float *y, float *mean, int64_t outer,
                           int64_t n, int64_t inner);
RILL_API void rill_var_f64(const double *x, double correction, double *y, double *mean,
                           int64_t outer, int64_t n, int64_t inner);

/* grad_x = grad * 2 / (n - correction) * (x - mean); it may be x. */
RILL_API void rill_var_backward_f32(const float *grad, const float *x, const float *mean,
                                    double correction, float *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);
RILL_API void rill_var_backward_f64(const double *grad, const double *x, const double *mean,
                                    double correction, double *grad_x, int64_t outer, int64_t n,
                                    int64_t inner);

/* torch.max and torch.min over a dim, and with y = NULL torch.argmax and torch.argmin. NaN wins over
 * all; of equals the first index is taken. y or index may be NULL.
 * RILL_ERROR_SHAPE where n is 0 and there is something to write. */
RILL_API rill_status rill_max_f32(const float *x, float *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_max_f64(const double *x, double *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_min_f32(const float *x, float *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);
RILL_API rill_status rill_min_f64(const double *x, double *y, int64_t *index, int64_t outer,
                                  int64_t n, int64_t inner);

/* The backward of both: grad where index points, 0 elsewhere. RILL_ERROR_INDEX where an index is not
 * in [0, n). */
RILL_API rill_status rill_max_backward_f32(const float *grad, const int64_t *index, float *grad_x,
                                           int64_t outer, int64_t n, int64_t inner);
RILL_API rill_status rill_max_backward_f64(const double *grad, const int64_t *index, double *grad_x,
                                           int64_t outer, int64_t n, int64_t inner);

/* torch.logsumexp; -inf where n is 0. */
RILL_API void rill_logsumexp_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_logsumexp_f64(const double *x, double *y, int64_t outer, int64_t n,
                                 int64_t inner);

/* y: the result of the forward. grad_x = grad * exp(x - y); it may be x. */
RILL_API void rill_logsumexp_backward_f32(const float *grad, const float *x, const float *y,
                                          float *grad_x, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_logsumexp_backward_f64(const double *grad, const double *x, const double *y,
                                          double *grad_x, int64_t outer, int64_t n, int64_t inner);

/* torch.linalg.vector_norm of order p: any number, 0 (counts what is not zero), inf or -inf. */
RILL_API void rill_norm_f32(const float *x, double p, float *y, int64_t outer, int64_t n,
                            int64_t inner);
RILL_API void rill_norm_f64(const double *x, double p, double *y, int64_t outer, int64_t n,
                            int64_t inner);

/* y: the result of the forward. As in PyTorch, the gradient is 0 at a zero norm, and p = inf or -inf
 * shares it among the elements that attain the norm. */
RILL_API void rill_norm_backward_f32(const float *grad, const float *x, const float *y, double p,
                                     float *grad_x, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_norm_backward_f64(const double *grad, const double *x, const double *y, double p,
                                     double *grad_x, int64_t outer, int64_t n, int64_t inner);

/* torch.prod; 1 where n is 0. The backward is right where x has zeros. */
RILL_API void rill_prod_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_backward_f32(const float *grad, const float *x, float *grad_x,
                                     int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_prod_backward_f64(const double *grad, const double *x, double *grad_x,
                                     int64_t outer, int64_t n, int64_t inner);

/* torch.cumsum along the middle: y is [outer, n, inner], added up in double. y may be x. */
RILL_API void rill_cumsum_f32(const float *x, float *y, int64_t outer, int64_t n, int64_t inner);
RILL_API void rill_cumsum_f64(const double *x, double *y, int64_t outer, int64_t n, int64_t inner);

/* The sum of grad from each place to the end. grad_x may be grad. */
RILL_API void rill_cumsum_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                       int64_t inner);
RILL_API void rill_cumsum_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                       int64_t inner);

/* ---- softmax family (src/pure/softmax.c) ------------------------------------------------------ */

/* Softmax of each row, torch.nn.functional.softmax over the last dim. A row that is -inf throughout
 * or has +inf or NaN gives NaN, as in PyTorch; results below the smallest normal number are 0. y may
 * be x. */
RILL_API void rill_softmax_f32(const float *x, float *y, int64_t rows, int64_t cols);
RILL_API void rill_softmax_f64(const double *x, double *y, int64_t rows, int64_t cols);

/* y: the result of rill_softmax. grad_x = (grad - sum(grad * y)) * y; it may be grad or y. */
RILL_API void rill_softmax_backward_f32(const float *grad, const float *y, float *grad_x,
                                        int64_t rows, int64_t cols);
RILL_API void rill_softmax_backward_f64(const double *grad, const double *y, double *grad_x,
                                        int64_t rows, int64_t cols);

/* Logarithm of the softmax of each row, torch.nn.functional.log_softmax. y may be x. */
RILL_API void rill_log_softmax_f32(const float *x, float *y, int64_t rows, int64_t cols);
RILL_API void rill_log_softmax_f64(const double *x, double *y, int64_t rows, int64_t cols);

/* y: the result of rill_log_softmax. grad_x = grad - exp(y) * sum(grad); it may be grad or y. */
RILL_API void rill_log_softmax_backward_f32(const float *grad, const float *y, float *grad_x,
                                            int64_t rows, int64_t cols);
RILL_API void rill_log_softmax_backward_f64(const double *grad, const double *y, double *grad_x,
                                            int64_t rows, int64_t cols);

/* torch.nn.functional.cross_entropy with class indices, one loss a row:
 *   loss = (1 - s) * weight[target] * -logp[target] + s / classes * sum over c of weight[c] * -logp[c]
 * with logp = log_softmax(logits) and s = label_smoothing in [0, 1]. weight: [classes], NULL for
 * ones. A row whose target is ignore_index has loss 0.
 * log_sum_exp: [rows], kept for the backward. row_weight: [rows] or NULL, weight[target], 0 for an
 * ignored row. PyTorch's "mean" is sum(loss) / sum(row_weight), smoothed or not.
 * RILL_ERROR_INDEX where a target is neither ignore_index nor in [0, classes). */
RILL_API rill_status rill_cross_entropy_f32(const float *logits, const int64_t *target,
                                            const float *weight, int64_t ignore_index,
                                            double label_smoothing, float *loss, float *log_sum_exp,
                                            float *row_weight, int64_t rows, int64_t classes);
RILL_API rill_status rill_cross_entropy_f64(const double *logits, const int64_t *target,
                                            const double *weight, int64_t ignore_index,
                                            double label_smoothing, double *loss,
                                            double *log_sum_exp, double *row_weight, int64_t rows,
                                            int64_t classes);

/* grad: [rows], the gradient of each row's loss (for "mean", divided by sum(row_weight)). The other
 * arguments as in the forward. grad_logits may be logits. An ignored row's gradient is 0. */
RILL_API rill_status rill_cross_entropy_backward_f32(const float *grad, const float *logits,
                                                     const float *log_sum_exp,
                                                     const int64_t *target, const float *weight,
                                                     int64_t ignore_index, double label_smoothing,
                                                     float *grad_logits, int64_t rows,
                                                     int64_t classes);
RILL_API rill_status rill_cross_entropy_backward_f64(const double *grad, const double *logits,
                                                     const double *log_sum_exp,
                                                     const int64_t *target, const double *weight,
                                                     int64_t ignore_index, double label_smoothing,
                                                     double *grad_logits, int64_t rows,
                                                     int64_t classes);

/* ---- normalisation (src/pure/norm.c) ---------------------------------------------------------- */

/* torch.nn.functional.layer_norm of each row: (x - mean) / sqrt(var + eps) * weight + bias, var with
 * correction 0. weight, bias: [cols] or NULL. mean, rstd: [rows], kept for the backward (rstd is
 * 1 / sqrt(var + eps)), or NULL. y may be x. */
RILL_API void rill_layer_norm_f32(const float *x, const float *weight, const float *bias,
                                  double eps, float *y, float *mean, float *rstd, int64_t rows,
                                  int64_t cols);
RILL_API void rill_layer_norm_f64(const double *x, const double *weight, const double *bias,
                                  double eps, double *y, double *mean, double *rstd, int64_t rows,
                                  int64_t cols);

/* Writes grad_x ([rows, cols]; may be grad or x) and adds to grad_weight and grad_bias ([cols]), row
 * after row; each of the three may be NULL. To split rows over threads with one and the same result,
 * call once for each block of 256 rows with parameter gradients of its own, zeroed: rows of [blocks,
 * cols], which rill_sum then adds up. So does the op, to the same bits. */
RILL_API void rill_layer_norm_backward_f32(const float *grad, const float *x, const float *weight,
                                           const float *mean, const float *rstd, float *grad_x,
                                           float *grad_weight, float *grad_bias, int64_t rows,
                                           int64_t cols);
RILL_API void rill_layer_norm_backward_f64(const double *grad, const double *x,
                                           const double *weight, const double *mean,
                                           const double *rstd, double *grad_x, double *grad_weight,
                                           double *grad_bias, int64_t rows, int64_t cols);

/* torch.nn.functional.rms_norm of each row: x / sqrt(mean(x * x) + eps) * weight. weight: [cols] or
 * NULL. rstd: [rows], kept for the backward, or NULL. y may be x. */
RILL_API void rill_rms_norm_f32(const float *x, const float *weight, double eps, float *y,
                                float *rstd, int64_t rows, int64_t cols);
RILL_API void rill_rms_norm_f64(const double *x, const double *weight, double eps, double *y,
                                double *rstd, int64_t rows, int64_t cols);

/* As rill_layer_norm_backward. */
RILL_API void rill_rms_norm_backward_f32(const float *grad, const float *x, const float *weight,
                                         const float *rstd, float *grad_x, float *grad_weight,
                                         int64_t rows, int64_t cols);
RILL_API void rill_rms_norm_backward_f64(const double *grad, const double *x, const double *weight,
                                         const double *rstd, double *grad_x, double *grad_weight,
                                         int64_t rows, int64_t cols);

/* ---- random numbers and dropout (src/pure/dropout.c) ------------------------------------------ */

/* Random numbers of Philox 4x32-10: element i of a fill depends on seed, offset (the index of its
 * first 128-bit block) and i alone. `begin` is the index of the first element to write, at y[0]: a
 * fill made in pieces, with the same offset, equals the fill made at once. */

/* Uniform in [0, 1), multiples of 2^-24 (f32) or 2^-53 (f64). n elements use n / 4 blocks (f32) or
 * n / 2 (f64), rounded up. */
RILL_API void rill_rand_f32(uint64_t seed, uint64_t offset, int64_t begin, float *y, int64_t n);
RILL_API void rill_rand_f64(uint64_t seed, uint64_t offset, int64_t begin, double *y, int64_t n);

/* Standard normal (Box and Muller 1958). Blocks as for rill_rand. */
RILL_API void rill_randn_f32(uint64_t seed, uint64_t offset, int64_t begin, float *y, int64_t n);
RILL_API void rill_randn_f64(uint64_t seed, uint64_t offset, int64_t begin, double *y, int64_t n);

/* Integers in [low, high), low < high. n / 2 blocks, rounded up. */
RILL_API void rill_randint_i64(uint64_t seed, uint64_t offset, int64_t begin, int64_t low,
                               int64_t high, int64_t *y, int64_t n);

/* torch.nn.functional.dropout in training: each element is zeroed with probability p in [0, 1], the
 * rest is scaled by 1 / (1 - p). The backward is the same call on the gradient. n / 4 blocks,
 * rounded up, for both types, with one and the same mask. mask: [n], 1 where kept, or NULL. y may
 * be x. */
RILL_API void rill_dropout_f32(const float *x, double p, uint64_t seed, uint64_t offset,
                               int64_t begin, float *y, uint8_t *mask, int64_t n);
RILL_API void rill_dropout_f64(const double *x, double p, uint64_t seed, uint64_t offset,
                               int64_t begin, double *y, uint8_t *mask, int64_t n);

/* ---- matrix products (src/pure/matmul.c) ------------------------------------------------------ */

/* c = alpha * op(a) op(b) + beta * c, row-major, op the transpose where its flag is set: op(a) is
 * [m, k], op(b) [k, n], c [m, n]. lda, ldb, ldc: elements from one stored row to the next, at least
 * the stored row's length. beta 0 overwrites c, whatever it held; with k = 0 or alpha = 0 neither a
 * nor b is read. c overlaps neither. The bits depend on the sizes alone. */
RILL_API void rill_gemm_f32(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                            float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                            float beta, float *c, int64_t ldc);
RILL_API void rill_gemm_f64(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                            double alpha, const double *a, int64_t lda, const double *b,
                            int64_t ldb, double beta, double *c, int64_t ldc);

/* ---- indexing (src/pure/index.c) -------------------------------------------------------------- */

/* All return RILL_ERROR_INDEX, having written nothing, where an index is negative or too large. The
 * scatters add to their output in the order of the indices. */

/* y[i] = weight[index[i]], rows of `width`: torch.nn.functional.embedding, index_select. */
RILL_API rill_status rill_gather_rows_f32(const float *weight, int64_t rows, int64_t width,
                                          const int64_t *index, int64_t n, float *y);
RILL_API rill_status rill_gather_rows_f64(const double *weight, int64_t rows, int64_t width,
                                          const int64_t *index, int64_t n, double *y);

/* weight[index[i]] += src[i]: the backward of the above, torch.Tensor.index_add_. */
RILL_API rill_status rill_scatter_add_rows_f32(const float *src, const int64_t *index, int64_t n,
                                               int64_t width, int64_t rows, float *weight);
RILL_API rill_status rill_scatter_add_rows_f64(const double *src, const int64_t *index, int64_t n,
                                               int64_t width, int64_t rows, double *weight);

/* torch.gather: y[o, i, j] = x[o, index[o, i, j], j], where x is [outer, n, inner] and index and y
 * are [outer, m, inner]. */
RILL_API rill_status rill_gather_f32(const float *x, const int64_t *index, float *y, int64_t outer,
                                     int64_t n, int64_t m, int64_t inner);
RILL_API rill_status rill_gather_f64(const double *x, const int64_t *index, double *y,
                                     int64_t outer, int64_t n, int64_t m, int64_t inner);

/* x[o, index[o, i, j], j] += src[o, i, j]: the backward of the above, torch.scatter_add. */
RILL_API rill_status rill_scatter_add_f32(const float *src, const int64_t *index, float *x,
                                          int64_t outer, int64_t n, int64_t m, int64_t inner);
RILL_API rill_status rill_scatter_add_f64(const double *src, const int64_t *index, double *x,
                                          int64_t outer, int64_t n, int64_t m, int64_t inner);

/* The backward of unfold (torch.Tensor.unfold), whose forward is a strided copy: grad [outer, windows,
 * inner, size] is added up into grad_x [outer, n, inner], window w at w * step, zeros where none lies;
 * in the order of the windows. */
RILL_API void rill_unfold_backward_f32(const float *grad, float *grad_x, int64_t outer, int64_t n,
                                       int64_t inner, int64_t windows, int64_t size, int64_t step);
RILL_API void rill_unfold_backward_f64(const double *grad, double *grad_x, int64_t outer, int64_t n,
                                       int64_t inner, int64_t windows, int64_t size, int64_t step);

/* ---- attention (src/pure/attention.c) --------------------------------------------------------- */

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

/* Bytes of a workspace, for forward and backward alike; of any alignment. */
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

/* Units of the backward: gradients of q, k and v in their layouts (overwritten), from that of o. None
 * goes to bias or alibi. Dao 2023, algorithm 2. */
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

/* ---- rotary positions (src/pure/rope.c) ------------------------------------------------------- */

/* Rotary position embedding of x [batch, time, heads, head_dim] (any strides of the first three; the
 * last dim is contiguous): pair i of the first rotary_dim features of time t turns by the angle
 * (offset + t) * base^(-2 i / rotary_dim), computed in f64. Su et al. 2021. Zero means default. */
typedef struct rill_rope_params {
  size_t struct_size; /* sizeof(rill_rope_params)                                    */
  int64_t batch, time, heads, head_dim;
  int64_t x_stride[3], y_stride[3]; /* of batch, time, head                                       */
  int64_t rotary_dim; /* even; 0: head_dim. The features beyond are copied           */
  int64_t offset;     /* position of time 0                                          */
  double base;        /* 0: 10000                                                    */
  bool interleaved;   /* pairs (2i, 2i + 1); else (i, i + rotary_dim / 2), as Llama  */
  bool inverse;       /* turn back: the backward, with x the gradient of y           */
} rill_rope_params;

#define RILL_ROPE_PARAMS_INIT RILL_STRUCT_INIT(rill_rope_params)
RILL_API void rill_rope_params_init(rill_rope_params *params);

/* RILL_OK where the kernels may be called with params. */
RILL_API rill_status rill_rope_check(const rill_rope_params *params);

/* y may be x. */
RILL_API void rill_rope_f32(const rill_rope_params *params, const float *x, float *y);
RILL_API void rill_rope_f64(const rill_rope_params *params, const double *x, double *y);

/* ---- selective scan (src/pure/selective_scan.c) ---------------------------------------------- */

/* The selective scan of Mamba (Gu and Dao 2023; selective_scan_fn of the authors' package):
 *   dt = delta + delta_bias, through softplus where asked for
 *   h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t,   y_t = (C_t . h_t + D u_t) silu(z_t)
 * for each channel, over h of `states` numbers. u, delta, z [batch, steps, channels], A [channels,
 * states], B, C [batch, steps, states], D, delta_bias [channels], states h0, hT [batch, channels,
 * states], y [batch, steps, channels]. NULL: no D, no gate z, no delta_bias, h0 of zeros, hT not
 * wanted. hT may be h0. */
typedef struct rill_selective_scan_params {
  size_t struct_size; /* sizeof(rill_selective_scan_params) */
  int64_t batch, steps, channels, states;
  int64_t u_stride, delta_stride, z_stride; /* elements from one step's row to the next one's, so
                                that these may be slices of a wider [batch, steps, ...] tensor;
                                0: channels. A batch entry is `steps` such rows. */
  int64_t B_stride, C_stride;               /* likewise; 0: states */
  bool delta_softplus;
} rill_selective_scan_params;

#define RILL_SELECTIVE_SCAN_PARAMS_INIT RILL_STRUCT_INIT(rill_selective_scan_params)
RILL_API void rill_selective_scan_params_init(rill_selective_scan_params *params);

/* RILL_ERROR_ARGUMENT: NULL or a wrong struct_size. RILL_ERROR_SHAPE: a negative size, or a stride
 * below its row. RILL_ERROR_OVERFLOW: a buffer or query would not fit in memory. */
RILL_API rill_status rill_selective_scan_check(const rill_selective_scan_params *params);

/* Work is cut into units, each one batch entry times a block of 128 channels. A call does those of
 * [unit_begin, unit_end); calls may run at the same time, each with a workspace of its own, and any
 * split gives the same bits. 0 where the params are wrong. */
RILL_API int64_t rill_selective_scan_units(const rill_selective_scan_params *params);
RILL_API int64_t rill_selective_scan_reduce_units(const rill_selective_scan_params *params);

/* Bytes of the buffers below; 0 where the params are wrong. Workspace: for one call at a time, best
 * aligned to 64; grows with `states` alone. Checkpoints: the state at every 16th step, channels
 * rounded up to whole blocks. Partials: what units add to together in the backward,
 * batch * channels * (states + 2) + 2 * units * steps * states elements. */
RILL_API size_t rill_selective_scan_workspace_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_workspace_f64(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_checkpoints_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_checkpoints_f64(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_partials_f32(const rill_selective_scan_params *params);
RILL_API size_t rill_selective_scan_partials_f64(const rill_selective_scan_params *params);

/* The scan. checkpoints: for the backward to come; NULL where none will. With steps = 1 and no
 * checkpoints (decoding) nothing is transposed. RILL_ERROR_ARGUMENT where another buffer is NULL or
 * the units are out of range. */
RILL_API rill_status rill_selective_scan_f32(const rill_selective_scan_params *params,
                                             const float *u, const float *delta, const float *A,
                                             const float *B, const float *C, const float *D,
                                             const float *z, const float *delta_bias,
                                             const float *h0, float *y, float *hT,
                                             float *checkpoints, int64_t unit_begin,
                                             int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_f64(const rill_selective_scan_params *params,
                                             const double *u, const double *delta, const double *A,
                                             const double *B, const double *C, const double *D,
                                             const double *z, const double *delta_bias,
                                             const double *h0, double *y, double *hT,
                                             double *checkpoints, int64_t unit_begin,
                                             int64_t unit_end, void *workspace);

/* Its gradients, for the inputs and checkpoints of the forward and the gradients of y and hT (NULL:
 * zeros). grad_u, grad_delta, grad_z [batch, steps, channels] and grad_h0 are overwritten; any may
 * be NULL. The others are sums over units: each unit leaves its part in partials, and when all are
 * done _reduce adds the parts in a fixed order. Its units are another set (reduce_units); NULL
 * gradients are skipped. */
RILL_API rill_status rill_selective_scan_backward_f32(
    const rill_selective_scan_params *params, const float *u, const float *delta, const float *A,
    const float *B, const float *C, const float *D, const float *z, const float *delta_bias,
    const float *checkpoints, const float *grad_y, const float *grad_hT, float *grad_u,
    float *grad_delta, float *grad_z, float *grad_h0, float *partials, int64_t unit_begin,
    int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_backward_f64(
    const rill_selective_scan_params *params, const double *u, const double *delta, const double *A,
    const double *B, const double *C, const double *D, const double *z, const double *delta_bias,
    const double *checkpoints, const double *grad_y, const double *grad_hT, double *grad_u,
    double *grad_delta, double *grad_z, double *grad_h0, double *partials, int64_t unit_begin,
    int64_t unit_end, void *workspace);
RILL_API rill_status rill_selective_scan_reduce_f32(const rill_selective_scan_params *params,
                                                    const float *partials, float *grad_A,
                                                    float *grad_B, float *grad_C, float *grad_D,
                                                    float *grad_delta_bias, int64_t unit_begin,
                                                    int64_t unit_end);
RILL_API rill_status rill_selective_scan_reduce_f64(const rill_selective_scan_params *params,
                                                    const double *partials, double *grad_A,
                                                    double *grad_B, double *grad_C, double *grad_D,
                                                    double *grad_delta_bias, int64_t unit_begin,
                                                    int64_t unit_end);

/* ---- causal convolution (src/pure/causal_conv1d.c) ------------------------------------------- */

/* Depthwise causal convolution, torch.nn.functional.conv1d with groups = channels over
 * [tail, x] along time (causal_conv1d_fn of Mamba's authors):
 *   s_t = bias + sum_k weight[:, k] x_{t - (taps - 1) + k},   y = s, or silu(s) where asked for.
 * x, y [batch, steps, channels], weight [channels, taps], bias [channels]; tail [batch, taps - 1,
 * channels] holds the inputs before x, tail_out the last taps - 1 inputs up to the end of x, for
 * the steps that follow. NULL: no bias, a tail of zeros, tail_out not wanted. tail_out may be tail. */
typedef struct rill_causal_conv1d_params {
  size_t struct_size; /* sizeof(rill_causal_conv1d_params) */
  int64_t batch, steps, channels;
  int64_t taps;     /* width of the kernel, at least 1 */
  int64_t x_stride; /* elements from one step's row of x to the next one's; 0: channels */
  bool silu;
} rill_causal_conv1d_params;

#define RILL_CAUSAL_CONV1D_PARAMS_INIT RILL_STRUCT_INIT(rill_causal_conv1d_params)
RILL_API void rill_causal_conv1d_params_init(rill_causal_conv1d_params *params);

/* As rill_selective_scan_check; taps below 1: RILL_ERROR_SHAPE. */
RILL_API rill_status rill_causal_conv1d_check(const rill_causal_conv1d_params *params);

/* Units of work and bytes of buffers, as for the selective scan. Partials: batch * channels *
 * (taps + 1) elements. */
RILL_API int64_t rill_causal_conv1d_units(const rill_causal_conv1d_params *params);
RILL_API int64_t rill_causal_conv1d_reduce_units(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_workspace_f32(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_workspace_f64(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_partials_f32(const rill_causal_conv1d_params *params);
RILL_API size_t rill_causal_conv1d_partials_f64(const rill_causal_conv1d_params *params);

/* The convolution. RILL_ERROR_ARGUMENT where x, weight, y or the workspace is NULL or the units are
 * out of range. */
RILL_API rill_status rill_causal_conv1d_f32(const rill_causal_conv1d_params *params, const float *x,
                                            const float *weight, const float *bias,
                                            const float *tail, float *y, float *tail_out,
                                            int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_causal_conv1d_f64(const rill_causal_conv1d_params *params,
                                            const double *x, const double *weight,
                                            const double *bias, const double *tail, double *y,
                                            double *tail_out, int64_t unit_begin, int64_t unit_end,
                                            void *workspace);

/* Its gradients, given those of y and of tail_out (NULL: zeros). grad_x [batch, steps, channels]
 * and grad_tail are overwritten; either may be NULL. Those of weight and bias are left in partials, and
 * added over the batch by _reduce, whose units are another set; NULL gradients are skipped. */
RILL_API rill_status rill_causal_conv1d_backward_f32(
    const rill_causal_conv1d_params *params, const float *x, const float *weight, const float *bias,
    const float *tail, const float *grad_y, const float *grad_tail_out, float *grad_x,
    float *grad_tail, float *partials, int64_t unit_begin, int64_t unit_end, void *workspace);
RILL_API rill_status rill_causal_conv1d_backward_f64(
    const rill_causal_conv1d_params *params, const double *x, const double *weight,
    const double *bias, const double *tail, const double *grad_y, const double *grad_tail_out,
    double *grad_x, double *grad_tail, double *partials, int64_t unit_begin, int64_t unit_end,
    void *workspace);
RILL_API rill_status rill_causal_conv1d_reduce_f32(const rill_causal_conv1d_params *params,
                                                   const float *partials, float *grad_weight,
                                                   float *grad_bias, int64_t unit_begin,
                                                   int64_t unit_end);
RILL_API rill_status rill_causal_conv1d_reduce_f64(const rill_causal_conv1d_params *params,
                                                   const double *partials, double *grad_weight,
                                                   double *grad_bias, int64_t unit_begin,
                                                   int64_t unit_end);

/* ---- optimizer steps (src/pure/optim.c) ------------------------------------------------------- */

/* Each updates param and its state in one pass, with PyTorch's order of operations; to minimise. */

/* torch.optim.SGD. momentum_buffer: [n], may be NULL where momentum is 0; where `first` it is
 * written, not read. */
RILL_API void rill_sgd_f32(float *param, const float *grad, float *momentum_buffer, int64_t n,
                           double lr, double momentum, double dampening, bool nesterov,
                           double weight_decay, bool first);
RILL_API void rill_sgd_f64(double *param, const double *grad, double *momentum_buffer, int64_t n,
                           double lr, double momentum, double dampening, bool nesterov,
                           double weight_decay, bool first);

/* torch.optim.Adam (weight_decay goes into the gradient) and torch.optim.AdamW (it shrinks the
 * parameter). m, v: [n], zero before the first step. v_max: [n], zero before the first step, for
 * amsgrad; else NULL. step: 1 in the first step. */
RILL_API void rill_adam_f32(float *param, const float *grad, float *m, float *v, float *v_max,
                            int64_t n, double lr, double beta1, double beta2, double eps,
                            double weight_decay, int64_t step);
RILL_API void rill_adam_f64(double *param, const double *grad, double *m, double *v, double *v_max,
                            int64_t n, double lr, double beta1, double beta2, double eps,
                            double weight_decay, int64_t step);
RILL_API void rill_adamw_f32(float *param, const float *grad, float *m, float *v, float *v_max,
                             int64_t n, double lr, double beta1, double beta2, double eps,
                             double weight_decay, int64_t step);
RILL_API void rill_adamw_f64(double *param, const double *grad, double *m, double *v, double *v_max,
                             int64_t n, double lr, double beta1, double beta2, double eps,
                             double weight_decay, int64_t step);

/* average += (1 - decay) * (param - average) */
RILL_API void rill_ema_f32(float *average, const float *param, int64_t n, double decay);
RILL_API void rill_ema_f64(double *average, const double *param, int64_t n, double decay);

/* *sum = the sum of squares, added up in double: for clipping gradients by their norm. */
RILL_API void rill_sum_squares_f32(const float *x, int64_t n, double *sum);
RILL_API void rill_sum_squares_f64(const double *x, int64_t n, double *sum);

#ifdef __cplusplus
}
#endif

#endif
