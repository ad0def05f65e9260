/* Files: safetensors and checkpoints. Data only: nothing that is loaded can run. */
#ifndef RILL_IO_H
#define RILL_IO_H

#include "rill/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- safetensors ----------------------------------------------------------------------------- */

/* An open file. Reference-counted; its tensors keep the mapping alive. */
typedef struct rill_safetensors rill_safetensors;

/* Maps a file and checks all of it but the values (new). Errors: RILL_ERROR_IO, RILL_ERROR_FORMAT. */
RILL_API rill_safetensors *rill_safetensors_open(rill_context *ctx, const char *path);
RILL_API rill_safetensors *rill_safetensors_retain(rill_safetensors *file);
RILL_API void rill_safetensors_release(rill_safetensors *file);
RILL_API int rill_safetensors_count(const rill_safetensors *file);
RILL_API const char *rill_safetensors_name(const rill_safetensors *file, int index); /* borrowed */
/* A tensor over the mapped bytes, not copied where they are aligned (new; writes to it never reach
 * the file). NULL with RILL_ERROR_NOT_FOUND where the file has no such name. */
RILL_API rill_tensor *rill_safetensors_get(rill_context *ctx, rill_safetensors *file,
                                           const char *name);
/* Value of a __metadata__ key; NULL where there is none. Borrowed. */
RILL_API const char *rill_safetensors_metadata(const rill_safetensors *file, const char *key);

/* Writes tensors (any strides) under their names, and metadata key/value pairs (may be NULL, 0), byte
 * for byte as the reference implementation. The file is replaced in one step: a crash leaves the old
 * one or the new one whole. */
RILL_API rill_status rill_safetensors_save(rill_context *ctx, const char *path,
                                           const char *const *names,
                                           const rill_tensor *const *tensors, int count,
                                           const char *const *keys, const char *const *values,
                                           int n_metadata);

/* ---- modules --------------------------------------------------------------------------------- */

/* The module's state dict. */
RILL_API rill_status rill_module_save(rill_context *ctx, const rill_module *module,
                                      const char *path);
/* Loads all of the module's state dict. strict: names that only one side has are an error (checked,
 * with shapes, before anything is written). Dtypes convert. */
RILL_API rill_status rill_module_load(rill_context *ctx, rill_module *module, const char *path,
                                      bool strict);

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* One safetensors file with model ("model." + path), optimizer ("optimizer." + name), the context's
 * random state and the caller's numbers, so that training continues bit for bit. optimizer may be
 * NULL. `numbers`: n int64 of the caller's (step, position...). */
RILL_API rill_status rill_checkpoint_save(rill_context *ctx, const char *path,
                                          const rill_module *module,
                                          const rill_optimizer *optimizer, const int64_t *numbers,
                                          int n);
/* Restores what is given (module NULL: the numbers alone, as a program needs that builds the model from
 * them). All is checked before anything is changed; only memory running out in between can leave a
 * part restored. */
RILL_API rill_status rill_checkpoint_load(rill_context *ctx, const char *path, rill_module *module,
                                          rill_optimizer *optimizer, int64_t *numbers, int n);

#ifdef __cplusplus
}
#endif

#endif
