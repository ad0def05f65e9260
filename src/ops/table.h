/* Every op: one row each, by family, alphabetical within. Expanded by table.c. */

/* views */
OP(contiguous)
OP(expand)
OP(flatten)
OP(narrow)
OP(permute)
OP(reshape)
OP(select)
OP(slice)
OP(squeeze)
OP(transpose)
OP(unfold)
OP(unsqueeze)
OP(view)

/* copies and conversions */
OP(clone)
OP(to)

/* joining, splitting, rearranging */
OP(cat)
OP(chunk)
OP(flip)
OP(repeat)
OP(roll)
OP(split)
OP(stack)
OP(tril)
OP(triu)

/* indexing */
OP(embedding)
OP(gather)
OP(index_select)
OP(one_hot)
OP(scatter_add)
