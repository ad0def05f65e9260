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
