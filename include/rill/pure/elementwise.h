/* The pure face: element-wise kernels (src/pure/elementwise.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_ELEMENTWISE_H
#define RILL_PURE_ELEMENTWISE_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
