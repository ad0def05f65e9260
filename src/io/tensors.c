/* safetensors files as tensors: opening, getting, saving. */
#include "io/tensors.h"
#include "io/file.h"
#include "io/safetensors.h"

#include <string.h>

struct rill_safetensors {
  handle base;
  file_map map;
  st_index *index;
};

static void destroy(handle *h) {
  rill_safetensors *f = (rill_safetensors *)h;
  heap_free(f->index);
  file_map_close(&f->map);
  heap_free(f);
}

rill_safetensors *rill_safetensors_open(rill_context *ctx, const char *path) {
  static const char op[] = "safetensors_open";
  if (!context_ready(ctx)) return NULL;
  if (!path) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the path is NULL");
    return NULL;
  }
  rill_safetensors *f = context_alloc(ctx, op, sizeof *f);
  if (!f) return NULL;
  memset(f, 0, sizeof *f);
  handle_init(&f->base, destroy);
  if (file_map_open(ctx, op, path, true, &f->map) != RILL_OK) {
    heap_free(f);
    return NULL;
  }
  if (st_parse(ctx, op, path, f->map.bytes, f->map.size, &f->index) != RILL_OK) {
    destroy(&f->base);
    return NULL;
  }
  return scope_own(ctx, f);
}

rill_safetensors *rill_safetensors_retain(rill_safetensors *file) {
  if (file) handle_retain(&file->base);
  return file;
}

void rill_safetensors_release(rill_safetensors *file) { handle_release((handle *)file); }

int rill_safetensors_count(const rill_safetensors *file) {
  return !file ? 0 : file->index->count > INT32_MAX ? INT32_MAX : (int)file->index->count;
}

const char *rill_safetensors_name(const rill_safetensors *file, int index) {
  return index >= 0 && index < rill_safetensors_count(file) ? file->index->entries[index].name
                                                            : NULL;
}

const char *rill_safetensors_metadata(const rill_safetensors *file, const char *key) {
  return file && key ? st_find_metadata(file->index, key) : NULL;
}

static void release_file(void *user, void *data) {
  (void)data;
  rill_safetensors_release(user);
}

rill_tensor *rill_safetensors_get(rill_context *ctx, rill_safetensors *file, const char *name) {
  static const char op[] = "safetensors_get";
  rill_dtype dtype = RILL_F32; /* gcc 14 does not see that st_loadable sets it */
  if (!context_ready(ctx)) return NULL;
  if (!file || !name) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", file ? "name" : "file");
    return NULL;
  }
  const st_entry *e = st_find(file->index, name);
  if (!e) {
    error_set(ctx, RILL_ERROR_NOT_FOUND, op, "the file has no tensor \"%s\"", name);
    return NULL;
  }
  if (st_loadable(ctx, op, e, &dtype) != RILL_OK) return NULL;
  char *data = (char *)(uintptr_t)file->index->data + e->begin;
  size_t bytes = (size_t)(e->end - e->begin);
  if (bytes == 0) return rill_empty(ctx, dtype, e->shape, e->ndim);
  if ((uintptr_t)data % rill_dtype_size(dtype))
    return rill_from_buffer(ctx, dtype, e->shape, e->ndim, data);
  rill_safetensors_retain(file);
  rill_tensor *t =
      rill_wrap_buffer(ctx, dtype, e->shape, e->ndim, NULL, data, bytes, release_file, file);
  if (!t) rill_safetensors_release(file); /* the deleter does not run on failure */
  return t;
}

/* Lists the tensors for the layout, made contiguous (scope-owned) where they are not. */
static bool make_items(rill_context *ctx, const char *op, const char *const *names,
                       const rill_tensor *const *tensors, int count, st_item *items) {
  for (int i = 0; i < count; i++) {
    if (!names[i] || !tensors[i]) {
      error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s %d is NULL", names[i] ? "tensor" : "name", i);
      return false;
    }
    const rill_tensor *t = tensor_contiguous(ctx, op, tensors[i]);
    if (!t) return false;
    items[i] =
        (st_item){names[i], st_dtype_of((rill_dtype)t->dtype), t->ndim, t->shape, t->data, 0};
  }
  return true;
}

static rill_status write_file(rill_context *ctx, const char *op, const char *path,
                              const text_buffer *header, const st_item *items, int count) {
  file_writer w;
  if (file_create(ctx, op, path, &w) != RILL_OK) return rill_error(ctx);
  file_write(&w, header->data, header->size);
  for (int i = 0; i < count; i++) file_write(&w, items[i].source, items[i].bytes);
  return file_commit(&w);
}

rill_status tensors_save(rill_context *ctx, const char *op, const char *path,
                         const char *const *names, const rill_tensor *const *tensors, int count,
                         const char *const *keys, const char *const *values, int n_metadata) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!path || count < 0 || n_metadata < 0 || (count && (!names || !tensors)) ||
      (n_metadata && (!keys || !values)))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op,
                     "the path or a list is NULL, or a count negative");
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  text_buffer header;
  text_init(&header, ctx->heap);
  st_item *items = context_alloc(ctx, op, (size_t)(count + 1) * sizeof *items);
  st_pair *pairs = context_alloc(ctx, op, (size_t)(n_metadata + 1) * sizeof *pairs);
  if (items && pairs && make_items(ctx, op, names, tensors, count, items)) {
    for (int i = 0; i < n_metadata; i++) pairs[i] = (st_pair){keys[i], values[i]};
    if (st_layout(ctx, op, items, count, pairs, n_metadata, &header) == RILL_OK)
      write_file(ctx, op, path, &header, items, count);
  }
  heap_free(pairs);
  heap_free(items);
  text_free(&header);
  rill_scope_close(ctx);
  return ctx->error;
}

rill_status rill_safetensors_save(rill_context *ctx, const char *path, const char *const *names,
                                  const rill_tensor *const *tensors, int count,
                                  const char *const *keys, const char *const *values,
                                  int n_metadata) {
  return tensors_save(ctx, "safetensors_save", path, names, tensors, count, keys, values,
                      n_metadata);
}
