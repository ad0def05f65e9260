/* Calling an op by name with tagged values. */
#include "ffi/signature.h"

rill_status rill_call(rill_context *ctx, const char *name, const rill_value *args, int n_args,
                      rill_tensor **outputs, int capacity, int *count) {
  if (!context_ready(ctx)) return rill_error(ctx);
  const rill_op *op = signature_op(ctx, "call", name);
  signature_values v;
  if (!op || signature_read(ctx, op, args, n_args, &v) != RILL_OK) return rill_error(ctx);
  return signature_run(ctx, op, v.value, v.count, outputs, capacity, count);
}
