/* A module: its life, its parts, and running it. */
#include "nn/module.h"

#include "autograd/autograd.h"

#include <string.h>

/* ---- life ---- */

static void list_free(module_list *list) {
  for (int i = 0; i < list->count; i++) {
    handle_release(list->items[i].of.any);
    heap_free(list->items[i].name);
  }
  heap_free(list->items);
}

static void module_destroy(handle *h) {
  rill_module *m = (rill_module *)h;
  if (m->cls.free_user) m->cls.free_user(m->user);
  for (int part = 0; part < 3; part++) list_free(&m->parts[part]);
  heap_free(m);
}

rill_module *rill_module_retain(rill_module *module) {
  if (module) handle_retain(&module->base);
  return module;
}

void rill_module_release(rill_module *module) {
  if (module) handle_release(&module->base);
}

rill_module *module_new(rill_context *ctx, const rill_module_class *cls, bool memoryless,
                        const void *settings, size_t size) {
  if (!context_ready(ctx)) return NULL;
  rill_module *m = context_alloc(ctx, cls->type, sizeof *m + size);
  if (!m) return NULL;
  memset(m, 0, sizeof *m);
  handle_init(&m->base, module_destroy);
  m->cls = *cls;
  m->builtin = true;
  m->memoryless = memoryless;
  m->training = true;
  m->user = m + 1;
  if (size) memcpy(m->user, settings, size);
  return scope_own(ctx, m);
}

void rill_module_class_init(rill_module_class *cls) {
  if (cls) *cls = (rill_module_class)RILL_MODULE_CLASS_INIT;
}

/* What is wrong with a host's class; NULL: nothing. */
static const char *class_fault(const rill_module_class *cls) {
  if (!cls->type || !*cls->type) return "the class has no type name";
  if (!cls->state != !cls->extend) return "a class has state and extend, or neither";
  return NULL;
}

rill_module *rill_module_create(rill_context *ctx, const rill_module_class *cls, void *user) {
  rill_module_class copy = {0};
  if (cls) options_read(&copy, sizeof copy, cls);
  const char *fault = cls ? class_fault(&copy) : "the class is NULL";
  rill_module *m = NULL;
  if (context_ready(ctx)) {
    if (fault)
      error_set(ctx, RILL_ERROR_ARGUMENT, "module_create", "%s", fault);
    else
      m = context_alloc(ctx, "module_create", sizeof *m);
  }
  if (!m) {
    if (copy.free_user) copy.free_user(user);
    return NULL;
  }
  memset(m, 0, sizeof *m);
  handle_init(&m->base, module_destroy);
  m->cls = copy;
  m->training = true;
  m->user = user;
  return scope_own(ctx, m);
}

void *rill_module_user(const rill_module *module) {
  return module && !module->builtin ? module->user : NULL;
}

const char *rill_module_type(const rill_module *module) { return module ? module->cls.type : NULL; }

/* ---- parts ---- */

static bool name_taken(const rill_module *m, const char *name) {
  for (int part = 0; part < 3; part++)
    for (int i = 0; i < m->parts[part].count; i++)
      if (!strcmp(m->parts[part].items[i].name, name)) return true;
  return false;
}

static bool list_room(rill_context *ctx, const char *op, module_list *list) {
  if (list->count < list->capacity) return true;
  int larger = list->capacity ? 2 * list->capacity : 4;
  module_entry *items = context_alloc(ctx, op, (size_t)larger * sizeof *items);
  if (!items) return false;
  if (list->count) memcpy(items, list->items, (size_t)list->count * sizeof *items);
  heap_free(list->items);
  list->items = items;
  list->capacity = larger;
  return true;
}

/* Checks what the three public functions have in common, and the name. */
static bool can_add(rill_context *ctx, const char *op, const rill_module *m, const char *name,
                    const void *what) {
  if (!context_ready(ctx)) return false;
  if (!m || !name || !what) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is NULL",
              !m      ? "the module"
              : !name ? "the name"
                      : "what to add");
    return false;
  }
  if (!*name || strchr(name, '.')) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the name \"%s\" is empty or has a dot", name);
    return false;
  }
  if (!name_taken(m, name)) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s has a \"%s\" already", m->cls.type, name);
  return false;
}

static rill_status add(rill_context *ctx, const char *op, rill_module *m, module_part part,
                       const char *name, void *what, bool persistent) {
  size_t size = strlen(name) + 1;
  if (!list_room(ctx, op, &m->parts[part])) return ctx->error;
  char *copy = context_alloc(ctx, op, size);
  if (!copy) return ctx->error;
  memcpy(copy, name, size);
  handle_retain(what);
  m->parts[part].items[m->parts[part].count++] =
      (module_entry){.name = copy, .of.any = what, .persistent = persistent};
  return RILL_OK;
}

rill_status rill_module_add_parameter(rill_context *ctx, rill_module *module, const char *name,
                                      rill_tensor *tensor) {
  static const char op[] = "module_add_parameter";
  if (!can_add(ctx, op, module, name, tensor)) return rill_error(ctx);
  if (!tensor->contiguous)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "\"%s\" is not contiguous", name);
  bool before = tensor->requires_grad;
  if (rill_set_requires_grad(ctx, tensor, true) != RILL_OK) return ctx->error;
  rill_status s = add(ctx, op, module, MODULE_PARAMETERS, name, tensor, true);
  if (s != RILL_OK) tensor->requires_grad = before;
  return s;
}

rill_status rill_module_add_buffer(rill_context *ctx, rill_module *module, const char *name,
                                   rill_tensor *tensor, bool persistent) {
  static const char op[] = "module_add_buffer";
  if (!can_add(ctx, op, module, name, tensor)) return rill_error(ctx);
  return add(ctx, op, module, MODULE_BUFFERS, name, tensor, persistent);
}

/* Is `m` in the tree of `of`? */
static bool contains(const rill_module *of, const rill_module *m) {
  if (of == m) return true;
  for (int i = 0; i < module_children(of); i++)
    if (contains(module_child(of, i), m)) return true;
  return false;
}

rill_status rill_module_add_child(rill_context *ctx, rill_module *module, const char *name,
                                  rill_module *child) {
  static const char op[] = "module_add_child";
  if (!can_add(ctx, op, module, name, child)) return rill_error(ctx);
  if (contains(child, module))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op,
                     "\"%s\" contains the module it would be a child of", name);
  return add(ctx, op, module, MODULE_CHILDREN, name, child, true);
}

bool module_parameter(rill_context *ctx, rill_module *m, const char *name, rill_tensor *parameter) {
  return m && parameter && rill_module_add_parameter(ctx, m, name, parameter) == RILL_OK;
}

/* ---- running ---- */

/* Closes the scope of a run and passes its result on; `depth` scopes were open before. */
static rill_tensor *finish(rill_context *ctx, const rill_module *m, const char *op, int64_t depth,
                           rill_tensor *result) {
  if (ctx->scope_depth != depth + 1) {
    error_set(ctx, RILL_ERROR_STATE, op, "%s opened and closed different numbers of scopes",
              m->cls.type);
    while (ctx->scope_depth > depth) rill_scope_close(ctx);
    return NULL;
  }
  if (!result)
    error_set(ctx, RILL_ERROR_CALLBACK, op, "%s returned NULL and no error", m->cls.type);
  return scope_close_keep(ctx, result);
}

rill_tensor *rill_forward(rill_context *ctx, rill_module *module, const rill_tensor *input) {
  static const char op[] = "forward";
  if (!context_ready(ctx)) return NULL;
  if (!module || !input)
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", module ? "input" : "module");
  else if (!module->cls.forward)
    error_set(ctx, RILL_ERROR_UNSUPPORTED, op, "%s has no forward: run its children",
              module->cls.type);
  int64_t depth = ctx->scope_depth;
  if (ctx->error != RILL_OK || rill_scope_open(ctx) != RILL_OK) return NULL;
  return finish(ctx, module, op, depth, module->cls.forward(ctx, module, input, module->user));
}

bool module_streams(const rill_module *m) {
  return m->memoryless || m->cls.extend || (m->builtin && !m->cls.forward);
}

rill_tensor *module_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                           rill_state *state) {
  static const char op[] = "extend";
  if (!context_ready(ctx)) return NULL;
  if (m->memoryless) return rill_forward(ctx, m, input);
  if (!m->cls.extend) {
    error_set(ctx, RILL_ERROR_UNSUPPORTED, op, "%s does not stream", m->cls.type);
    return NULL;
  }
  int64_t depth = ctx->scope_depth;
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  return finish(ctx, m, op, depth, m->cls.extend(ctx, m, input, state, m->user));
}
