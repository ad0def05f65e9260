/* How the C face of each op takes the arguments that rill_call takes: one row each, by which the test
 * calls both and compares. v: the arguments in the signature's order, all of them.
 *
 *   FACE(name, arguments)    returns a tensor
 *   FACES(name, arguments)   writes to outputs, capacity, count
 *   FACE_IN(name, arguments) changes its first argument and returns a status
 *
 * T tensor (NULL where absent), TS tensors and their number, I int, IO int or, where absent, another,
 * F float, B bool, S string, SHAPE sizes and their number, DIMS likewise as int,
 * SECOND where the second output goes if the bool wants it. */

/* elementwise */
FACE(abs, T(0))
FACE(ceil, T(0))
FACE(clamp, T(0), F(1), F(2))
FACE(cos, T(0))
FACE(erf, T(0))
FACE(exp, T(0))
FACE(expm1, T(0))
FACE(floor, T(0))
FACE(gelu, T(0))
FACE(gelu_tanh, T(0))
FACE(log, T(0))
FACE(log1p, T(0))
FACE(neg, T(0))
FACE(reciprocal, T(0))
FACE(relu, T(0))
FACE(round, T(0))
FACE(rsqrt, T(0))
FACE(sigmoid, T(0))
FACE(sign, T(0))
FACE(silu, T(0))
FACE(sin, T(0))
FACE(softplus, T(0), F(1), F(2))
FACE(sqrt, T(0))
FACE(square, T(0))
FACE(tanh, T(0))

FACE(add, T(0), T(1))
FACE(add_scalar, T(0), F(1))
FACE(div, T(0), T(1))
FACE(eq, T(0), T(1))
FACE(ge, T(0), T(1))
FACE(gt, T(0), T(1))
FACE(le, T(0), T(1))
FACE(lt, T(0), T(1))
FACE(masked_fill, T(0), T(1), F(2))
FACE(maximum, T(0), T(1))
FACE(minimum, T(0), T(1))
FACE(mul, T(0), T(1))
FACE(mul_scalar, T(0), F(1))
FACE(ne, T(0), T(1))
FACE(pow, T(0), T(1))
FACE(pow_scalar, T(0), F(1))
FACE(sub, T(0), T(1))
FACE(where, T(0), T(1), T(2))

/* reductions and scans along a dim */
FACE(argmax, T(0), I(1), B(2))
FACE(argmin, T(0), I(1), B(2))
FACE(cumsum, T(0), I(1))
FACE(logsumexp, T(0), DIMS(1), B(2))
FACE(max, T(0), DIMS(1), B(2))
FACE(mean, T(0), DIMS(1), B(2))
FACE(min, T(0), DIMS(1), B(2))
FACE(norm, T(0), F(3), DIMS(1), B(2))
FACE(sum, T(0), DIMS(1), B(2))
FACE(var, T(0), DIMS(1), F(3), B(2))

/* products */
FACE(bmm, T(0), T(1))
FACE(einsum, S(0), TS(1))
FACE(linear, T(0), T(1), T(2))
FACE(matmul, T(0), T(1))

/* softmax, losses, normalisation, dropout */
FACE(cross_entropy, T(0), T(1),
     &(rill_cross_entropy_options){sizeof(rill_cross_entropy_options), T(2), true, I(3), F(4),
                                   (rill_reduction)I(5)})
FACE(dropout, T(0), F(1))
FACE(layer_norm, T(0), T(1), T(2), F(3))
FACE(log_softmax, T(0), I(1))
FACE(rms_norm, T(0), T(1), F(2))
FACE(softmax, T(0), I(1))

/* views */
FACE(contiguous, T(0))
FACE(expand, T(0), SHAPE(1))
FACE(flatten, T(0), I(1), I(2))
FACE(narrow, T(0), I(1), I(2), I(3))
FACE(permute, T(0), DIMS(1))
FACE(reshape, T(0), SHAPE(1))
FACE(select, T(0), I(1), I(2))
FACE(slice, T(0), I(1), I(2), IO(3, INT64_MAX), I(4))
FACE(squeeze, T(0), I(1))
FACE(transpose, T(0), I(1), I(2))
FACE(unfold, T(0), I(1), I(2), I(3))
FACE(unsqueeze, T(0), I(1))
FACE(view, T(0), SHAPE(1))

/* copies and conversions */
FACE(clone, T(0))
FACE(to, T(0), I(1))

/* joining, splitting, rearranging */
FACE(cat, TS(0), I(1))
FACES(chunk, T(0), I(1), I(2))
FACE(flip, T(0), DIMS(1))
FACE(repeat, T(0), SHAPE(1))
FACE(roll, T(0), I(1), I(2))
FACES(split, T(0), I(1), I(2))
FACE(stack, TS(0), I(1))
FACE(tril, T(0), I(1))
FACE(triu, T(0), I(1))

/* indexing */
FACE(embedding, T(0), T(1), IO(2, RILL_NO_PADDING))
FACE(gather, T(0), I(1), T(2))
FACE(index_select, T(0), I(1), T(2))
FACE(one_hot, T(0), I(1))
FACE(scatter_add, T(0), I(1), T(2), T(3))

/* sequence */
FACE(attention, T(0), T(1), T(2),
     &(rill_attention_options){sizeof(rill_attention_options), (rill_causal)I(5), I(6), F(7), F(8),
                               F(9), T(3), T(4)})
FACE(causal_conv1d, T(0), T(1), T(2), T(3), B(4), SECOND(5))
FACE(rope, T(0), I(1), F(2), B(3))
FACE(selective_scan, T(0), T(1), T(2), T(3), T(4),
     &(rill_selective_scan_options){sizeof(rill_selective_scan_options), T(5), T(6), T(7), B(9),
                                    T(8), SECOND(10)})

/* sliding windows: their options, which the arguments from the third on fill */
#define WINDOW_OPTIONS(is_last)                                                                    \
  &(rill_window_options) {                                                                         \
    sizeof(rill_window_options), DIMS(2), I(3), I(4), (rill_window_mode)I(5),                      \
        (rill_window_edge)I(6), F(7), (rill_window_nan)I(8), is_last                               \
  }
FACE(window_argmax, T(0), I(1), WINDOW_OPTIONS(B(9)))
FACE(window_argmin, T(0), I(1), WINDOW_OPTIONS(B(9)))
FACE(window_max, T(0), I(1), WINDOW_OPTIONS(B(9)))
FACE(window_mean, T(0), I(1), WINDOW_OPTIONS(false))
FACE(window_min, T(0), I(1), WINDOW_OPTIONS(B(9)))
FACE(window_minmax, T(0), I(1), WINDOW_OPTIONS(B(9)), (*count = 2, &outputs[1]))
FACE(window_quantile, T(0), I(1), F(9), (rill_window_quantile_method)I(10), WINDOW_OPTIONS(false))
FACE(window_sum, T(0), I(1), WINDOW_OPTIONS(false))
#undef WINDOW_OPTIONS
