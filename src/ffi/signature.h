/* An op's signature as calls by name read it. */
#ifndef RILL_SRC_SIGNATURE_H
#define RILL_SRC_SIGNATURE_H

#include "ops/op.h"

/* One parameter of a signature: "dim: int = -1". The texts lie within the signature. */
typedef struct signature_parameter {
  const char *name, *type, *preset; /* preset: the default, NULL where there is none */
  int name_size, type_size, preset_size;
  rill_value_kind kind;
  bool optional; /* of a type that ends in '?' */
  bool dtype;    /* an int that may also be given by name */
} signature_parameter;

/* The op of that name; NULL with the error set, in the caller's name. */
const rill_op *signature_op(rill_context *ctx, const char *caller, const char *name);

/* Reads the parameter at *at and moves on to the next; false at the arrow. The signatures are the
 * library's own and well formed: the tests walk them. */
bool signature_next(const char **at, signature_parameter *p);

enum { SIGNATURE_TEXT = 16 };

/* The arguments of a call, all of them. */
typedef struct signature_values {
  int count;
  rill_value value[OP_MAX_ARGS];
  char text[OP_MAX_ARGS][SIGNATURE_TEXT]; /* where strings that are defaults lie */
} signature_values;

/* Checks what was given against the signature, converts it and fills in the defaults. */
rill_status signature_read(rill_context *ctx, const rill_op *op, const rill_value *args, int n_args,
                           signature_values *out);

/* Runs the op with all its arguments. */
static inline rill_status signature_run(rill_context *ctx, const rill_op *op,
                                        const rill_value *values, int count, rill_tensor **outputs,
                                        int capacity, int *made) {
  return op->call ? op->call(ctx, op, values, outputs, capacity, made)
                  : op_run(ctx, op, values, count, outputs, capacity, made);
}

#endif
