/* The element-wise operations, a row each. The expressions mean something in the passes of
 * src/pure/elementwise.c only; the op table and the tests read the other columns. */
#ifndef RILL_SRC_ELEMENTWISE_H
#define RILL_SRC_ELEMENTWISE_H

/* What a gradient needs besides that of the result: nothing, the input x, the result y, or both
 * inputs of a binary op. The rest may be NULL. */
enum { USES_NONE = 0, USES_X = 1, USES_Y = 2, USES_INPUTS = 4 };

/* X(name, uses, value, gradient, module, doc): y of x, the gradient of x given g, that of y, and the
 * constructor of the op's module, or NULL. */
#define ELEMENTWISE_UNARY(X) ELEMENTWISE_FORMULAS(X) ELEMENTWISE_PERIODIC(X)

#define ELEMENTWISE_FORMULAS(X) ELEMENTWISE_WHOLE(X) ELEMENTWISE_SMOOTH(X)

/* These take integers to integers. */
#define ELEMENTWISE_WHOLE(X)                                                                       \
  X(neg, USES_NONE, -x, -g, NULL, "torch.neg: -x")                                                 \
  X(abs, USES_X, L(v_abs)(x), g *L(sign_of)(x), NULL, "torch.abs: |x|")                            \
  X(relu, USES_Y, L(v_max)(x, 0), y <= 0 ? R(0.0) : g, "rill_nn_relu",                             \
    "torch.nn.functional.relu: max(x, 0)")                                                         \
  X(square, USES_X, x *x, 2 * g * x, NULL, "torch.square: x^2")                                    \
  X(sign, USES_NONE, L(sign_of)(x), R(0.0), NULL, "torch.sign: -1, 0 or 1; 0 for NaN")             \
  X(floor, USES_NONE, L(v_floor)(x), R(0.0), NULL, "torch.floor: largest integer <= x")            \
  X(ceil, USES_NONE, L(v_ceil)(x), R(0.0), NULL, "torch.ceil: smallest integer >= x")              \
  X(round, USES_NONE, L(v_round)(x), R(0.0), NULL, "torch.round: nearest integer, ties to even")

#define ELEMENTWISE_SMOOTH(X)                                                                      \
  X(exp, USES_Y, L(v_exp)(x), g *y, NULL, "torch.exp: e^x")                                        \
  X(log, USES_X, L(v_log)(x), g / x, NULL, "torch.log: natural logarithm")                         \
  X(log1p, USES_X, L(v_log1p)(x), g / (1 + x), NULL, "torch.log1p: log(1 + x)")                    \
  X(expm1, USES_Y, L(v_expm1)(x), g *(1 + y), NULL, "torch.expm1: e^x - 1")                        \
  X(sqrt, USES_Y, L(square_root)(x), g / (2 * y), NULL, "torch.sqrt: square root")                 \
  X(rsqrt, USES_Y, 1 / L(square_root)(x), R(-0.5) * g * (y * y * y), NULL,                         \
    "torch.rsqrt: 1 / sqrt(x)")                                                                    \
  X(tanh, USES_Y, L(v_tanh)(x), g *((1 - y) * (1 + y)), "rill_nn_tanh",                            \
    "torch.tanh: hyperbolic tangent")                                                              \
  X(sigmoid, USES_Y, L(v_sigmoid)(x), g *((1 - y) * y), "rill_nn_sigmoid",                         \
    "torch.sigmoid: 1 / (1 + e^-x)")                                                               \
  X(erf, USES_X, L(v_erf)(x), g *L(erf_slope)(x), NULL, "torch.erf: error function")               \
  X(gelu, USES_X, x *L(v_normal_cdf)(x, L(v_normal_exp)(x)), g *L(gelu_slope)(x), "rill_nn_gelu",  \
    "torch.nn.functional.gelu: x times the normal distribution function of x")                     \
  X(gelu_tanh, USES_X, x *L(v_sigmoid)(L(gelu_inner)(x)), g *L(gelu_tanh_slope)(x),                \
    "rill_nn_gelu", "torch.nn.functional.gelu(approximate='tanh')")                                \
  X(silu, USES_X, x *L(v_sigmoid)(x), g *L(silu_slope)(x), "rill_nn_silu",                         \
    "torch.nn.functional.silu: x sigmoid(x)")                                                      \
  X(reciprocal, USES_Y, 1 / x, -(g * (y * y)), NULL, "torch.reciprocal: 1 / x")

/* Here the expressions hold up to v_sincos_limit only; their kernels send larger x to libm. */
#define ELEMENTWISE_PERIODIC(X)                                                                    \
  X(sin, USES_X, L(v_sin)(x), g *L(v_cos)(x), NULL, "torch.sin: sine")                             \
  X(cos, USES_X, L(v_cos)(x), -(g * L(v_sin)(x)), NULL, "torch.cos: cosine")

/* X(name, uses, value, gradient of a, gradient of b, doc). */
#define ELEMENTWISE_BINARY(X) ELEMENTWISE_ARITHMETIC(X) ELEMENTWISE_POWER(X)

#define ELEMENTWISE_ARITHMETIC(X)                                                                  \
  X(add, USES_NONE, a + b, g, g, "torch.add: a + b")                                               \
  X(sub, USES_NONE, a - b, g, -g, "torch.sub: a - b")                                              \
  X(mul, USES_INPUTS, a *b, g *b, g *a, "torch.mul: a b")                                          \
  X(div, USES_INPUTS, a / b, g / b, -(g * (a / b / b)), "torch.div: a / b")                        \
  X(maximum, USES_INPUTS, a > b || a != a ? a : b, L(share)(g, a, b), L(share)(g, b, a),           \
    "torch.maximum: the larger; NaN where either is; equals share the gradient")                   \
  X(minimum, USES_INPUTS, a < b || a != a ? a : b, L(share)(g, b, a), L(share)(g, a, b),           \
    "torch.minimum: the smaller; NaN where either is; equals share the gradient")

#define ELEMENTWISE_POWER(X)                                                                       \
  X(pow, USES_INPUTS, L(power)(a, b), L(power_slope_a)(g, a, b), L(power_slope_b)(g, a, b),        \
    "torch.pow: a^b")

/* X(name, condition, doc). */
#define ELEMENTWISE_COMPARE(X)                                                                     \
  X(eq, a == b, "torch.eq: a == b")                                                                \
  X(ne, a != b, "torch.ne: a != b")                                                                \
  X(lt, a < b, "torch.lt: a < b")                                                                  \
  X(le, a <= b, "torch.le: a <= b")                                                                \
  X(gt, a > b, "torch.gt: a > b")                                                                  \
  X(ge, a >= b, "torch.ge: a >= b")

#endif
