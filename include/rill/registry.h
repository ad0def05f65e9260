/* The op and module registry: enumerate, look up, describe and call by name. What a binding in
 * another language builds itself from. */
#ifndef RILL_REGISTRY_H
#define RILL_REGISTRY_H

#include "rill/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rill_value_kind {
  RILL_VALUE_NONE = 0, /* an optional argument that is not given */
  RILL_VALUE_TENSOR = 1,
  RILL_VALUE_TENSORS = 2,
  RILL_VALUE_INT = 3,
  RILL_VALUE_INTS = 4,
  RILL_VALUE_FLOAT = 5,
  RILL_VALUE_BOOL = 6, /* in .i */
  RILL_VALUE_STRING = 7
} rill_value_kind;

typedef union rill_value_as {
  const rill_tensor *tensor;
  const rill_tensor *const *tensors;
  int64_t i;
  const int64_t *ints;
  double f;
  const char *string;
} rill_value_as;

/* A tagged argument. Pointers are borrowed for the call. */
typedef struct rill_value {
  int32_t kind;  /* rill_value_kind */
  int32_t count; /* entries of tensors or ints */
  rill_value_as as;
} rill_value;

/* Ops in the table, and the canonical dotted name of op `index` ("nn.functional.softmax"); NULL out
 * of range. Static. Any thread. */
RILL_API int rill_op_count(void);
RILL_API const char *rill_op_name(int index);

/* Index of the op that `name` stands for: a canonical name, a short name ("softmax"), an alias or a
 * deprecated name. -1 where there is none. A deprecated name is reported through the context's log
 * callback, once; ctx may be NULL. */
RILL_API int rill_op_find(rill_context *ctx, const char *name);

typedef struct rill_op_info {
  size_t struct_size;
  const char *name;       /* canonical */
  const char *aliases;    /* space-separated; "" where none */
  const char *deprecated; /* likewise */
  const char *signature;  /* "input: Tensor, dim: int = -1 -> Tensor" */
  const char *doc;        /* one line */
  const char *functional; /* the C function */
  const char *module; /* the module's constructor: rill_nn_op where the op has none of its own */
  const char *pure;   /* space-separated C functions; of a composite, those of its parts */
  const char *since;  /* version that brought it */
  bool differentiable;
} rill_op_info;
#define RILL_OP_INFO_INIT RILL_STRUCT_INIT(rill_op_info)
RILL_API void rill_op_info_init(rill_op_info *info);
/* Fills `info` with static strings. RILL_ERROR_NOT_FOUND out of range. */
RILL_API rill_status rill_op_describe(int index, rill_op_info *info);

/* Calls an op by any of its names. args: in the signature's order; trailing ones with defaults may
 * be left out. Writes up to `capacity` new tensors to outputs and their number to *count (which may
 * be NULL). Errors name the op, the argument and the kinds. */
RILL_API rill_status rill_call(rill_context *ctx, const char *name, const rill_value *args,
                               int n_args, rill_tensor **outputs, int capacity, int *count);

/* The same for modules. Their canonical names are PyTorch's ("nn.Linear"); the part after the dot is what
 * rill_module_type says (of "nn.Op" the op's name), and a short name. */
RILL_API int rill_module_type_count(void);
RILL_API const char *rill_module_type_name(int index);
RILL_API int rill_module_type_find(rill_context *ctx, const char *name);

typedef struct rill_module_type_info {
  size_t struct_size;
  const char *name;        /* canonical */
  const char *aliases;     /* space-separated; "" where none */
  const char *deprecated;  /* likewise */
  const char *constructor; /* the C function */
  const char
      *parameters;   /* "in: int, out: int, bias: bool = True"; the context comes before them */
  const char *doc;   /* one line */
  const char *since; /* version that brought it */
  bool streams;      /* can it take part in rill_extend? */
} rill_module_type_info;
#define RILL_MODULE_TYPE_INFO_INIT RILL_STRUCT_INIT(rill_module_type_info)
RILL_API void rill_module_type_info_init(rill_module_type_info *info);
/* Fills `info` with static strings. RILL_ERROR_NOT_FOUND out of range. */
RILL_API rill_status rill_module_type_describe(int index, rill_module_type_info *info);

/* The whole API as JSON: ops, modules, functions, enums, structs, callbacks and constants; see
 * docs/registry.md. Borrowed from the context. NULL on error. */
RILL_API const char *rill_api_json(rill_context *ctx);

#ifdef __cplusplus
}
#endif

#endif
