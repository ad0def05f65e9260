/* An op's descriptor and the dispatcher that every op goes through. The dispatcher does once what all
 * ops need: NULL and first-error rules, kinds and dtypes, scope registration, recording. */
#ifndef RILL_SRC_OP_H
#define RILL_SRC_OP_H

#include "autograd/autograd.h"
#include "rill/ops.h"
#include "rill/pure.h"
#include "rill/registry.h"

enum { OP_MAX_ARGS = 16, OP_MAX_OUTPUTS = 8, OP_MAX_EXTRA = 4 };

typedef struct rill_op rill_op;

/* One output's dtype and shape, as infer decides them. */
typedef struct op_spec {
  rill_dtype dtype;
  int ndim;
  int64_t shape[RILL_MAX_DIMS];
} op_spec;

/* One forward call. */
typedef struct op_call {
  rill_context *ctx;
  const rill_op *op;
  rill_value args[OP_MAX_ARGS]; /* as given, defaults filled in, dtypes promoted by infer */
  int nargs;
  int outputs; /* 1 unless infer says otherwise */
  op_spec spec[OP_MAX_OUTPUTS];
  rill_tensor *out[OP_MAX_OUTPUTS]; /* made by the dispatcher from spec; by the op itself where
                                        it is a view or composite */
  rill_tensor *extra[OP_MAX_EXTRA]; /* what forward wants kept for backward; set by forward */
  bool recorded;                    /* a gradient will be wanted: save what backward needs */
} op_call;

/* One backward call. Inputs are numbered through all tensor arguments in order, the entries of
 * tensor lists included, absent optional tensors too (they count one and need nothing). */
typedef struct op_grad {
  rill_context *ctx;
  const rill_op *op;
  const rill_value *args;   /* as in forward; tensors only where saved, else NULL pointers */
  rill_tensor *const *grad; /* of each output: contiguous; NULL where none came */
  rill_tensor **result;     /* set for each input with need[]; scope-owned */
  const bool *need;
  const edge *input; /* shape and dtype of each input */
  int inputs;
  rill_tensor *out[OP_MAX_OUTPUTS]; /* saved outputs, NULL where not */
  rill_tensor *extra[OP_MAX_EXTRA];
} op_grad;

typedef enum op_flags {
  OP_VIEW = 1,        /* the output shares the input's storage; forward makes it */
  OP_RANDOM = 2,      /* draws from the context's stream unless a seed is given */
  OP_INPLACE = 4,     /* changes its first argument, and returns it */
  OP_NO_GRADIENT = 8, /* results are piecewise constant or integers: never recorded */
  OP_COMPOSITE = 16,  /* forward is written with other ops, which record themselves */
  OP_POINTWISE = 32   /* treats each element, and so each time step, by itself */
} op_flags;

#define OP_SAVE_INPUT(i)  (1u << (i))
#define OP_SAVE_OUTPUT(i) (1u << (16 + (i)))
#define OP_SAVE_INPUTS    0xffffu

struct rill_op {
  const char *name;       /* short: "softmax"; the functional face is rill_<name> */
  const char *exports;    /* canonical dotted name: "nn.functional.softmax"; NULL means the name */
  const char *aliases;    /* space-separated, or NULL */
  const char *deprecated; /* likewise */
  const char
      *signature;     /* "input: Tensor, dim: int = -1 -> Tensor": also the defaults of rill_call.
                             Types: Tensor, Tensor?, Tensor[], int, int[], int?, float, float?, bool,
                             str, dtype */
  const char *doc;    /* one line */
  const char *module; /* constructor of the module face; NULL: rill_nn_op, which takes any op */
  const char *pure;   /* the pure face's symbols, space-separated */
  const char *since;  /* NULL means "0.1.0" */
  unsigned flags;     /* op_flags */
  unsigned save;      /* OP_SAVE_*: what backward reads */
  rill_status (*infer)(op_call *c); /* checks, promotes, fills spec. NULL for composites */
  rill_status (*forward)(op_call *c);
  rill_status (*backward)(op_grad *g); /* NULL: refuses inputs that require a gradient, unless
                                           composite or OP_NO_GRADIENT */
  /* Of ops whose number of outputs has no bound (split): what rill_call runs in place of op_run. */
  rill_status (*call)(rill_context *ctx, const rill_op *op, const rill_value *args,
                      rill_tensor **out, int capacity, int *count);
  const void *data; /* of a family: which row */
};

/* ---- arguments ---- */
static inline rill_value op_t(const rill_tensor *t) {
  return (rill_value){RILL_VALUE_TENSOR, 1, {.tensor = t}};
}
/* An optional tensor: NULL means absent. */
static inline rill_value op_to(const rill_tensor *t) {
  return t ? op_t(t) : (rill_value){RILL_VALUE_NONE, 0, {.tensor = NULL}};
}
static inline rill_value op_ts(const rill_tensor *const *t, int n) {
  return (rill_value){RILL_VALUE_TENSORS, n, {.tensors = t}};
}
static inline rill_value op_i(int64_t i) { return (rill_value){RILL_VALUE_INT, 1, {.i = i}}; }
static inline rill_value op_is(const int64_t *v, int n) {
  return (rill_value){RILL_VALUE_INTS, n, {.ints = v}};
}
static inline rill_value op_f(double f) { return (rill_value){RILL_VALUE_FLOAT, 1, {.f = f}}; }
static inline rill_value op_b(bool b) { return (rill_value){RILL_VALUE_BOOL, 1, {.i = b}}; }
static inline rill_value op_s(const char *s) {
  return (rill_value){RILL_VALUE_STRING, 1, {.string = s}};
}

/* ---- running ---- */
/* Runs an op of one output; returns it (new, scope-owned) or NULL with the error set. */
rill_tensor *op_run1(rill_context *ctx, const rill_op *op, const rill_value *args, int nargs);
/* Runs an op of any number of outputs: copies up to `capacity` handles out, the number to *count. */
rill_status op_run(rill_context *ctx, const rill_op *op, const rill_value *args, int nargs,
                   rill_tensor **out, int capacity, int *count);

/* ---- for infer ---- */
#define op_fail(c, code, ...) error_set((c)->ctx, code, (c)->op->name, __VA_ARGS__)
static inline const rill_tensor *op_in(const op_call *c, int i) { return c->args[i].as.tensor; }
static inline bool op_has(const op_call *c, int i) { return c->args[i].kind == RILL_VALUE_TENSOR; }
/* Output i has this dtype and shape. */
void op_out(op_call *c, int i, rill_dtype dtype, const int64_t *shape, int ndim);
/* Output 0 is as tensor t. */
void op_out_like(op_call *c, const rill_tensor *t, rill_dtype dtype);
/* Converts the tensor arguments in [first, first + n) to one dtype by PyTorch's promotion (0-dim
 * tensors give way to others of their kind); float: integers become f32. Refuses f16 and bf16. */
rill_status op_promote(op_call *c, int first, int n, bool to_float);
/* Argument i is f32 or f64, else the error. */
rill_status op_need_real(op_call *c, int i);
rill_status op_need_dtype(op_call *c, int i, rill_dtype dtype);
/* Dim argument (INT at args[i]) of tensor argument 0 to [0, ndim), or -1 with the error set. */
int op_dim(op_call *c, int i);

/* ---- for forward and backward ---- */
/* Argument i's elements, contiguous (copied to a scope-owned tensor if they are not); NULL with the
 * error set. */
const void *op_data(op_call *c, int i);
static inline void *op_result(const op_call *c, int i) { return c->out[i]->data; }
/* Integers pass through the kernels of f64, exact to 2^53: t contiguous, as f64 where it is no float;
 * a result for the kernel, `out` itself where that is a float; and its way into out, where what does
 * not fit wraps. NULL, or the status, with the error set. */
const rill_tensor *op_as_real(rill_context *ctx, const rill_op *op, const rill_tensor *t);
rill_tensor *op_real_result(rill_context *ctx, const rill_op *op, rill_tensor *out);
rill_status op_store(rill_context *ctx, const rill_op *op, const rill_tensor *real,
                     rill_tensor *out);
/* A fresh tensor for a gradient or scratch: scope-owned. */
static inline rill_tensor *op_new(rill_context *ctx, const rill_op *op, rill_dtype d,
                                  const int64_t *shape, int ndim) {
  return tensor_new(ctx, op->name, d, shape, ndim);
}
/* A gradient for input i: fresh, of its shape and dtype. */
rill_tensor *op_grad_new(op_grad *g, int i);

/* Calls the pure function of the dtype (f32 or f64); pointers are passed as void *. */
#define PURE(dtype, name, ...)                                                                     \
  ((dtype) == RILL_F32 ? rill_##name##_f32(__VA_ARGS__) : rill_##name##_f64(__VA_ARGS__))

/* Elements a stretch of a split loop should have, for `cost` roughly in nanoseconds an element. */
static inline int64_t op_grain(int64_t per_item) {
  int64_t items = 32768 / (per_item > 0 ? per_item : 1);
  return items > 0 ? items : 1;
}

/* ---- the table (table.c): every op, one row each, in src/ops/table.h ---- */
extern const rill_op *const op_table[];
extern const char *const op_functions[]; /* the functional faces' names, in the same order */
extern const int op_table_count;

#endif
