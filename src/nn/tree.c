/* Module trees: walking, paths, parameters by index, the state dict, and what is done to a whole tree. */
#include "nn/module.h"

#include "autograd/autograd.h"

#include <string.h>

/* ---- walking ---- */

static bool walk(rill_module *m, const module_place *at, module_visit visit, void *arg) {
  for (int part = 0; part < 3; part++)
    for (int i = 0; i < m->parts[part].count; i++) {
      module_entry *e = &m->parts[part].items[i];
      module_place place = {at, e->name};
      if (!visit(arg, &place, (module_part)part, e)) return false;
      if (part == MODULE_CHILDREN && !walk(e->of.module, &place, visit, arg)) return false;
    }
  return true;
}

bool module_walk(rill_module *m, module_visit visit, void *arg) {
  return walk(m, NULL, visit, arg);
}

/* Appends the path; returns its length so far, which may exceed size. */
static size_t path_into(const module_place *place, char *out, size_t size) {
  if (!place) return 0;
  size_t at = path_into(place->parent, out, size);
  if (at) {
    if (at < size) out[at] = '.';
    at++;
  }
  for (const char *c = place->name; *c; c++, at++)
    if (at < size) out[at] = *c;
  return at;
}

int64_t module_path(const module_place *place, char *out, size_t size) {
  size_t length = path_into(place, out, size);
  if (size) out[length < size ? length : size - 1] = 0;
  return (int64_t)length;
}

/* ---- children and paths ---- */

int rill_module_child_count(const rill_module *module) {
  return module ? module_children(module) : 0;
}

rill_module *rill_module_child(const rill_module *module, int index) {
  return module && index >= 0 && index < module_children(module) ? module_child(module, index)
                                                                 : NULL;
}

const char *rill_module_child_name(const rill_module *module, int index) {
  if (!rill_module_child(module, index)) return NULL;
  return module->parts[MODULE_CHILDREN].items[index].name;
}

static module_entry *entry_named(const rill_module *m, module_part part, const char *name,
                                 size_t size) {
  const module_list *list = &m->parts[part];
  for (int i = 0; i < list->count; i++)
    if (strlen(list->items[i].name) == size && !memcmp(list->items[i].name, name, size))
      return &list->items[i];
  return NULL;
}

/* The module that the first `size` bytes of a path lead to. */
static rill_module *find(const rill_module *m, const char *path, size_t size) {
  while (size) {
    const char *dot = memchr(path, '.', size);
    size_t word = dot ? (size_t)(dot - path) : size;
    const module_entry *e = entry_named(m, MODULE_CHILDREN, path, word);
    if (!e || word + 1 == size) return NULL; /* a dot at the end leads nowhere */
    m = e->of.module;
    path += dot ? word + 1 : word;
    size -= dot ? word + 1 : word;
  }
  return (rill_module *)m;
}

rill_module *rill_module_find(const rill_module *module, const char *path) {
  return module && path ? find(module, path, strlen(path)) : NULL;
}

static module_entry *entry_at(const rill_module *m, const char *path) {
  const char *dot = strrchr(path, '.');
  const char *name = dot ? dot + 1 : path;
  if (dot == path) return NULL;
  m = find(m, path, dot ? (size_t)(dot - path) : 0);
  if (!m) return NULL;
  module_entry *e = entry_named(m, MODULE_PARAMETERS, name, strlen(name));
  return e ? e : entry_named(m, MODULE_BUFFERS, name, strlen(name));
}

rill_tensor *rill_module_get(const rill_module *module, const char *path) {
  const module_entry *e = module && path ? entry_at(module, path) : NULL;
  return e ? e->of.tensor : NULL;
}

/* ---- parameters, each once ---- */

/* A tied parameter is met more than once in a walk; it counts where it is met first. */
typedef struct first_search {
  const rill_tensor *tensor;
  int before; /* parameters met before it */
} first_search;

static bool search_first(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  first_search *s = arg;
  if (part != MODULE_PARAMETERS) return true;
  if (e->of.tensor == s->tensor) return false;
  s->before++;
  return true;
}

/* A walk over parameters, each once, that stops at number `wanted`. */
typedef struct parameter_search {
  rill_module *root;
  int met, count, wanted;
  int64_t numel;
  rill_tensor *found;
  char *path; /* where not NULL, receives the path found */
  size_t size;
  int64_t length;
} parameter_search;

static bool next_parameter(void *arg, const module_place *at, module_part part, module_entry *e) {
  parameter_search *s = arg;
  if (part != MODULE_PARAMETERS) return true;
  first_search first = {e->of.tensor, 0};
  module_walk(s->root, search_first, &first);
  if (first.before != s->met++) return true;
  s->numel += e->of.tensor->numel;
  if (s->count++ != s->wanted) return true;
  s->found = e->of.tensor;
  s->length = module_path(at, s->path, s->size);
  return false;
}

static parameter_search find_parameter(const rill_module *m, int wanted, char *path, size_t size) {
  parameter_search s = {
      .root = (rill_module *)m, .wanted = wanted, .path = path, .size = size, .length = -1};
  if (m) module_walk(s.root, next_parameter, &s);
  return s;
}

int rill_parameter_count(const rill_module *module) {
  return find_parameter(module, -1, NULL, 0).count;
}

int64_t rill_parameter_numel(const rill_module *module) {
  return find_parameter(module, -1, NULL, 0).numel;
}

rill_tensor *rill_parameter(const rill_module *module, int index) {
  return index < 0 ? NULL : find_parameter(module, index, NULL, 0).found;
}

int64_t rill_parameter_path(const rill_module *module, int index, char *out, size_t size) {
  return index < 0 || (size && !out) ? -1 : find_parameter(module, index, out, size).length;
}

typedef struct gathering {
  rill_tensor **items; /* NULL: only count */
  int count;
} gathering;

static bool gather(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  gathering *g = arg;
  if (part != MODULE_PARAMETERS) return true;
  for (int i = 0; g->items && i < g->count; i++)
    if (g->items[i] == e->of.tensor) return true;
  if (g->items) g->items[g->count] = e->of.tensor;
  g->count++;
  return true;
}

rill_tensor **module_parameters(rill_context *ctx, const char *op, const rill_module *m,
                                int *count) {
  gathering g = {NULL, 0};
  *count = 0;
  module_walk((rill_module *)m, gather, &g);
  if (!g.count) return NULL;
  g.items = context_alloc(ctx, op, (size_t)g.count * sizeof *g.items);
  if (!g.items) return NULL;
  g.count = 0;
  module_walk((rill_module *)m, gather, &g);
  *count = g.count;
  return g.items;
}

/* ---- the state dict ---- */

typedef struct dict_search {
  int count, wanted;
  rill_tensor *found;
  char *path;
  size_t size;
  int64_t length;
} dict_search;

static bool next_in_dict(void *arg, const module_place *at, module_part part, module_entry *e) {
  dict_search *s = arg;
  if (part == MODULE_CHILDREN || !e->persistent || s->count++ != s->wanted) return true;
  s->found = e->of.tensor;
  s->length = module_path(at, s->path, s->size);
  return false;
}

static dict_search find_in_dict(const rill_module *m, int wanted, char *path, size_t size) {
  dict_search s = {.wanted = wanted, .path = path, .size = size, .length = -1};
  if (m) module_walk((rill_module *)m, next_in_dict, &s);
  return s;
}

int rill_state_dict_count(const rill_module *module) {
  return find_in_dict(module, -1, NULL, 0).count;
}

rill_tensor *rill_state_dict_tensor(const rill_module *module, int index) {
  return index < 0 ? NULL : find_in_dict(module, index, NULL, 0).found;
}

int64_t rill_state_dict_path(const rill_module *module, int index, char *out, size_t size) {
  return index < 0 || (size && !out) ? -1 : find_in_dict(module, index, out, size).length;
}

rill_status rill_state_dict_load(rill_context *ctx, rill_module *module, const char *path,
                                 const rill_tensor *value) {
  static const char op[] = "state_dict_load";
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!module || !path || !value)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL",
                     !module ? "module"
                     : !path ? "path"
                             : "value");
  const module_entry *e = entry_at(module, path);
  if (!e)
    return error_set(ctx, RILL_ERROR_NOT_FOUND, op, "%s has no \"%s\"", module->cls.type, path);
  rill_tensor *t = e->of.tensor;
  if (!shape_equal(t->shape, t->ndim, value->shape, value->ndim))
    return error_set(ctx, RILL_ERROR_SHAPE, op, "\"%s\" is %s, the value %s", path,
                     shape_text(t->shape, t->ndim, a), shape_text(value->shape, value->ndim, b));
  grad_mode before = ctx->grad_mode;
  if (before == GRAD_ON) ctx->grad_mode = GRAD_OFF;
  rill_status s = rill_copy_(ctx, t, value);
  ctx->grad_mode = before;
  return s;
}

/* ---- modes ---- */

/* The module is there and the context usable? */
static bool usable(rill_context *ctx, const char *op, const rill_module *m) {
  if (!context_ready(ctx)) return false;
  if (m) return true;
  error_set(ctx, RILL_ERROR_ARGUMENT, op, "the module is NULL");
  return false;
}

static bool set_training(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  if (part == MODULE_CHILDREN) e->of.module->training = *(bool *)arg;
  return true;
}

rill_status rill_module_train(rill_context *ctx, rill_module *module, bool training) {
  if (!usable(ctx, "module_train", module)) return rill_error(ctx);
  module->training = training;
  module_walk(module, set_training, &training);
  return RILL_OK;
}

bool rill_module_is_training(const rill_module *module) { return module && module->training; }

typedef struct freezing {
  rill_context *ctx;
  bool frozen;
} freezing;

static bool freeze(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  freezing *f = arg;
  if (part != MODULE_PARAMETERS) return true;
  e->trainable = !f->frozen;
  if (!dtype_computes((rill_dtype)e->of.tensor->dtype))
    return true; /* for when it is converted back */
  return rill_set_requires_grad(f->ctx, e->of.tensor, e->trainable) == RILL_OK;
}

rill_status rill_module_freeze(rill_context *ctx, rill_module *module, bool frozen) {
  if (!usable(ctx, "module_freeze", module)) return rill_error(ctx);
  freezing f = {ctx, frozen};
  module_walk(module, freeze, &f);
  return ctx->error;
}

static bool drop_grad(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  return part != MODULE_PARAMETERS || rill_set_grad(arg, e->of.tensor, NULL) == RILL_OK;
}

rill_status rill_module_zero_grad(rill_context *ctx, rill_module *module) {
  if (!usable(ctx, "module_zero_grad", module)) return rill_error(ctx);
  module_walk(module, drop_grad, ctx);
  return ctx->error;
}

static rill_status apply(rill_context *ctx, rill_module *m, rill_visit_callback visit, void *user) {
  for (int i = 0; i < module_children(m); i++)
    if (apply(ctx, module_child(m, i), visit, user) != RILL_OK) return rill_error(ctx);
  rill_status s = visit(ctx, m, user);
  if (s != RILL_OK)
    error_set(ctx, RILL_ERROR_CALLBACK, "module_apply", "visit of %s returned %s", m->cls.type,
              rill_status_name(s));
  return ctx->error;
}

rill_status rill_module_apply(rill_context *ctx, rill_module *module, rill_visit_callback visit,
                              void *user) {
  if (!usable(ctx, "module_apply", module)) return rill_error(ctx);
  if (!visit) return error_set(ctx, RILL_ERROR_ARGUMENT, "module_apply", "visit is NULL");
  return apply(ctx, module, visit, user);
}

/* ---- conversion: all tensors are made first, then all take their places ---- */

typedef struct conversion {
  rill_context *ctx;
  rill_module *root;
  rill_dtype dtype;
} conversion;

static bool search_converted(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  (void)part;
  module_entry *like = arg;
  if (part == MODULE_CHILDREN || e->of.tensor != like->of.tensor || !e->converted) return true;
  like->converted = e->converted;
  return false;
}

static bool make_converted(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)at;
  conversion *c = arg;
  if (part == MODULE_CHILDREN || e->converted) return true;
  rill_tensor *t = e->of.tensor;
  if (!dtype_is_float((rill_dtype)t->dtype) || t->dtype == c->dtype) return true;
  if (module_walk(c->root, search_converted, e)) /* tied tensors stay tied */
    e->converted = rill_to(c->ctx, t, c->dtype);
  if (!e->converted) return false;
  handle_retain(&e->converted->base);
  if (part != MODULE_PARAMETERS) return true;
  if (dtype_computes((rill_dtype)t->dtype)) e->trainable = t->requires_grad;
  return !dtype_computes(c->dtype) ||
         rill_set_requires_grad(c->ctx, e->converted, e->trainable) == RILL_OK;
}

static bool drop_converted(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)arg;
  (void)at;
  if (part == MODULE_CHILDREN || !e->converted) return true;
  handle_release(&e->converted->base);
  e->converted = NULL;
  return true;
}

static bool place_converted(void *arg, const module_place *at, module_part part, module_entry *e) {
  (void)arg;
  (void)at;
  if (part == MODULE_CHILDREN || !e->converted) return true;
  handle_release(e->of.any);
  e->of.tensor = e->converted;
  e->converted = NULL;
  return true;
}

rill_status rill_module_to(rill_context *ctx, rill_module *module, rill_dtype dtype) {
  if (!usable(ctx, "module_to", module)) return rill_error(ctx);
  if (!dtype_valid((int)dtype) || !dtype_is_float(dtype))
    return error_set(ctx, RILL_ERROR_DTYPE, "module_to", "%s is no float dtype",
                     rill_dtype_name(dtype));
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  grad_mode before = ctx->grad_mode;
  ctx->grad_mode = GRAD_OFF;
  conversion c = {ctx, module, dtype};
  bool ok = module_walk(module, make_converted, &c);
  ctx->grad_mode = before;
  module_walk(module, ok ? place_converted : drop_converted, NULL);
  rill_scope_close(ctx);
  return ok ? rill_module_zero_grad(ctx, module) : ctx->error;
}
