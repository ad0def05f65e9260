/* Saving tensors under their names, for the files built on it. */
#ifndef RILL_SRC_TENSORS_H
#define RILL_SRC_TENSORS_H

#include "rill/io.h"
#include "tensor/tensor.h"

/* rill_safetensors_save, with the caller's name in errors. */
rill_status tensors_save(rill_context *ctx, const char *op, const char *path,
                         const char *const *names, const rill_tensor *const *tensors, int count,
                         const char *const *keys, const char *const *values, int n_metadata);

/* Names and tensors gathered for one file, or to be loaded from one. Names share one block. */
typedef struct tensor_list {
  heap *heap;
  int count, capacity;
  char **names;
  rill_tensor **tensors;
} tensor_list;

void list_init(tensor_list *l, rill_context *ctx);
void list_free(tensor_list *l);
/* Appends prefix + name; the tensor is not retained. False with the error set. */
bool list_add(rill_context *ctx, const char *op, tensor_list *l, const char *prefix,
              const char *name, rill_tensor *tensor);
/* Appends all of a module's state dict. */
bool list_add_module(rill_context *ctx, const char *op, tensor_list *l, const char *prefix,
                     const rill_module *module);

/* Gets every listed name from the file, checks shapes, and only then copies all values in. strict:
 * a tensor of the file whose name begins with `prefix` and is not listed is an error too. */
rill_status list_load(rill_context *ctx, const char *op, const tensor_list *l,
                      rill_safetensors *file, const char *prefix, bool strict);

#endif
