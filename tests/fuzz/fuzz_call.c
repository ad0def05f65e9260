/* Ops by name with arguments of any kind and size, forward and backward: a result or a sentence, and a
 * context that goes on and leaves nothing behind. */
#include "input.h"

#include <limits.h>

enum { ARGS = 12, TENSORS = 3, INTS = 4 };

static const int64_t sizes[] = {0, 1, 2, 3, 5, 17, -1, INT64_MAX / 3};
static const int64_t ints[] = {0, 1, 2, 3, 4, -1, -2, -9, 7, 1000, INT_MAX, INT64_MAX, INT64_MIN};
static const double floats[] = {0,     1,      -1,        0.5,        1e-5,     2.5,
                                1e300, -1e300, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0};
static const char *const strings[] = {"",     "ij,jk->ik", "ii->i", "->",
                                      "mean", "none",      "...,a", "tanh"};

static rill_tensor *a_tensor(rill_context *ctx, choices *c) {
  int64_t shape[RILL_MAX_DIMS];
  int ndim = choose(c, 5);
  for (int d = 0; d < ndim; d++) shape[d] = sizes[choose(c, 6)];
  rill_dtype dtype = (rill_dtype)choose(c, 9);
  rill_tensor *t = choose(c, 2) ? rill_ones(ctx, dtype, shape, ndim)
                                : rill_to(ctx, rill_randn(ctx, RILL_F64, shape, ndim), dtype);
  if (t && ndim > 1 && choose(c, 2)) t = rill_transpose(ctx, t, 0, -1);
  if (t && choose(c, 2)) rill_set_requires_grad(ctx, t, true);
  rill_error_clear(ctx); /* integers need no gradient */
  return t;
}

typedef struct argument_space {
  const rill_tensor *tensors[TENSORS];
  int64_t ints[INTS];
} argument_space;

static rill_value an_argument(rill_context *ctx, choices *c, int kind, argument_space *room) {
  rill_value v = {kind, 0, {0}};
  if (v.kind == RILL_VALUE_TENSOR) v.as.tensor = a_tensor(ctx, c);
  if (v.kind == RILL_VALUE_TENSORS) {
    v.count = choose(c, TENSORS + 1);
    for (int i = 0; i < v.count; i++) room->tensors[i] = a_tensor(ctx, c);
    v.as.tensors = room->tensors;
  }
  if (v.kind == RILL_VALUE_INT || v.kind == RILL_VALUE_BOOL)
    v.as.i = ints[choose(c, sizeof ints / sizeof *ints)];
  if (v.kind == RILL_VALUE_INTS) {
    v.count = choose(c, INTS + 1);
    for (int i = 0; i < v.count; i++) room->ints[i] = ints[choose(c, sizeof ints / sizeof *ints)];
    v.as.ints = room->ints;
  }
  if (v.kind == RILL_VALUE_FLOAT) v.as.f = floats[choose(c, sizeof floats / sizeof *floats)];
  if (v.kind == RILL_VALUE_STRING)
    v.as.string = strings[choose(c, sizeof strings / sizeof *strings)];
  return v;
}

/* The kind that the signature wants, for most arguments: else few calls would pass the first check. */
static int wanted_kind(const char *signature, int index) {
  const char *colon = strchr(signature, ':');
  for (; index > 0 && colon; index--) colon = strchr(colon + 1, ':');
  if (!colon) return -1;
  static const struct {
    const char *text;
    int kind;
  } kinds[] = {{": Tensor[]", RILL_VALUE_TENSORS}, {": Tensor", RILL_VALUE_TENSOR},
               {": int[]", RILL_VALUE_INTS},       {": int", RILL_VALUE_INT},
               {": float", RILL_VALUE_FLOAT},      {": bool", RILL_VALUE_BOOL},
               {": str", RILL_VALUE_STRING}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strncmp(colon, kinds[i].text, strlen(kinds[i].text))) return kinds[i].kind;
  return -1;
}

static void one_call(rill_context *ctx, choices *c) {
  int op = choose(c, rill_op_count()), n = choose(c, ARGS + 1), count = 0;
  rill_op_info info = RILL_OP_INFO_INIT;
  rill_op_describe(op, &info);
  rill_value values[ARGS];
  argument_space room[ARGS];
  for (int i = 0; i < n; i++) {
    int kind = wanted_kind(info.signature, i);
    if (kind < 0 || !choose(c, 8)) kind = choose(c, 9);
    values[i] = an_argument(ctx, c, kind, &room[i]);
  }
  rill_tensor *out[8];
  rill_status s = rill_call(ctx, info.name, values, n, out, 8, &count);
  must(s == rill_error(ctx), "the status is the context's");
  must(s == RILL_OK || *rill_error_message(ctx), "a refusal says why");
  if (s == RILL_OK && count > 0 && rill_requires_grad(out[0]))
    rill_backward(ctx, rill_sum(ctx, out[0], RILL_ALL_DIMS, false), NULL, false);
  rill_error_clear(ctx);
}

/* A host with little memory: what asks for more is refused, and the fuzzer stays fast. */
static void *small_malloc(void *user, size_t size) {
  (void)user;
  return size > (1 << 24) ? NULL : malloc(size);
}

static void small_free(void *user, void *block) {
  (void)user;
  free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.allocator.malloc = small_malloc;
  options.allocator.free = small_free;
  rill_context *ctx = rill_context_create(&options);
  choices c = {data, size};
  while (c.size > 2) {
    rill_scope_open(ctx);
    one_call(ctx, &c);
    rill_scope_close(ctx);
  }
  must(rill_tensor_item(ctx, rill_ones(ctx, RILL_F32, NULL, 0)) == 1, "the context goes on");
  rill_context_close(ctx);
  return 0;
}
