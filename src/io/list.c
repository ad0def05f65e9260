/* Lists of named tensors, saved and loaded as a whole. */
#include "io/tensors.h"

#include <string.h>

void list_init(tensor_list *l, rill_context *ctx) { *l = (tensor_list){.heap = ctx->heap}; }

void list_free(tensor_list *l) {
  for (int i = 0; i < l->count; i++) heap_free(l->names[i]);
  heap_free(l->names);
  heap_free(l->tensors);
  *l = (tensor_list){.heap = l->heap};
}

static bool grow(rill_context *ctx, const char *op, tensor_list *l) {
  if (l->count < l->capacity) return true;
  int larger = l->capacity ? 2 * l->capacity : 64;
  char **names = context_alloc(ctx, op, (size_t)larger * sizeof *names);
  rill_tensor **tensors = context_alloc(ctx, op, (size_t)larger * sizeof *tensors);
  if (!names || !tensors) {
    heap_free(names);
    heap_free(tensors);
    return false;
  }
  if (l->count) {
    memcpy(names, l->names, (size_t)l->count * sizeof *names);
    memcpy(tensors, l->tensors, (size_t)l->count * sizeof *tensors);
  }
  heap_free(l->names);
  heap_free(l->tensors);
  l->names = names;
  l->tensors = tensors;
  l->capacity = larger;
  return true;
}

bool list_add(rill_context *ctx, const char *op, tensor_list *l, const char *prefix,
              const char *name, rill_tensor *tensor) {
  size_t np = strlen(prefix), nn = strlen(name);
  char *full = grow(ctx, op, l) ? context_alloc(ctx, op, np + nn + 1) : NULL;
  if (!full) return false;
  memcpy(full, prefix, np);
  memcpy(full + np, name, nn + 1);
  l->names[l->count] = full;
  l->tensors[l->count++] = tensor;
  return true;
}

bool list_add_module(rill_context *ctx, const char *op, tensor_list *l, const char *prefix,
                     const rill_module *module) {
  for (int i = 0; i < rill_state_dict_count(module); i++) {
    int64_t size = rill_state_dict_path(module, i, NULL, 0) + 1;
    char *path = context_alloc(ctx, op, (size_t)size);
    if (!path) return false;
    rill_state_dict_path(module, i, path, (size_t)size);
    bool ok = list_add(ctx, op, l, prefix, path, rill_state_dict_tensor(module, i));
    heap_free(path);
    if (!ok) return false;
  }
  return true;
}

static bool listed(const tensor_list *l, const char *name) {
  for (int i = 0; i < l->count; i++)
    if (!strcmp(l->names[i], name)) return true;
  return false;
}

/* A name of the file that nothing in the list asks for. */
static rill_status check_extra(rill_context *ctx, const char *op, const tensor_list *l,
                               rill_safetensors *file, const char *prefix) {
  for (int i = 0; i < rill_safetensors_count(file); i++) {
    const char *name = rill_safetensors_name(file, i);
    if (!strncmp(name, prefix, strlen(prefix)) && !listed(l, name))
      return error_set(ctx, RILL_ERROR_NOT_FOUND, op,
                       "the file has \"%s\", for which there is no place", name);
  }
  return RILL_OK;
}

rill_status list_load(rill_context *ctx, const char *op, const tensor_list *l,
                      rill_safetensors *file, const char *prefix, bool strict) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  rill_tensor **values = context_alloc(ctx, op, (size_t)(l->count + 1) * sizeof *values);
  if (!values) return rill_error(ctx);
  for (int i = 0; i < l->count && ctx->error == RILL_OK; i++) {
    values[i] = NULL;
    bool found = false;
    for (int j = 0; j < rill_safetensors_count(file) && !found; j++)
      found = !strcmp(rill_safetensors_name(file, j), l->names[i]);
    if (!found && strict)
      error_set(ctx, RILL_ERROR_NOT_FOUND, op, "the file has no tensor \"%s\"", l->names[i]);
    if (!found || !(values[i] = rill_safetensors_get(ctx, file, l->names[i]))) continue;
    const rill_tensor *to = l->tensors[i];
    if (!shape_equal(values[i]->shape, values[i]->ndim, to->shape, to->ndim))
      error_set(ctx, RILL_ERROR_SHAPE, op, "\"%s\" has shape %s in the file and %s here",
                l->names[i], shape_text(values[i]->shape, values[i]->ndim, a),
                shape_text(to->shape, to->ndim, b));
  }
  if (strict && ctx->error == RILL_OK) check_extra(ctx, op, l, file, prefix);
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_OFF;
  for (int i = 0; i < l->count && ctx->error == RILL_OK; i++)
    if (values[i]) rill_copy_(ctx, l->tensors[i], values[i]);
  ctx->grad_mode = before;
  heap_free(values);
  return ctx->error;
}

/* ---- modules ---- */

static bool module_given(rill_context *ctx, const char *op, const rill_module *module,
                         const char *path) {
  if (!context_ready(ctx)) return false;
  if (module && path) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", module ? "path" : "module");
  return false;
}

rill_status rill_module_save(rill_context *ctx, const rill_module *module, const char *path) {
  static const char op[] = "module_save";
  if (!module_given(ctx, op, module, path)) return rill_error(ctx);
  tensor_list l;
  list_init(&l, ctx);
  if (list_add_module(ctx, op, &l, "", module))
    tensors_save(ctx, op, path, (const char *const *)l.names, (const rill_tensor *const *)l.tensors,
                 l.count, NULL, NULL, 0);
  list_free(&l);
  return ctx->error;
}

rill_status rill_module_load(rill_context *ctx, rill_module *module, const char *path,
                             bool strict) {
  static const char op[] = "module_load";
  if (!module_given(ctx, op, module, path)) return rill_error(ctx);
  if (rill_scope_open(ctx) != RILL_OK) return rill_error(ctx);
  tensor_list l;
  list_init(&l, ctx);
  rill_safetensors *file = rill_safetensors_open(ctx, path);
  if (file && list_add_module(ctx, op, &l, "", module)) list_load(ctx, op, &l, file, "", strict);
  list_free(&l);
  rill_scope_close(ctx);
  return ctx->error;
}
