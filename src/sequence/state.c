/* States: what the sequence modules of a tree remember between calls. */
#include "sequence/state.h"

#include "autograd/autograd.h"

#include <string.h>

/* ---- life ---- */

static void entry_free(state_entry *e) {
  heap_free(e->path);
  rill_tensor_release(e->initial);
  rill_tensor_release(e->value);
  rill_tensor_release(e->room);
}

static void state_destroy(handle *h) {
  rill_state *s = (rill_state *)h;
  for (int i = 0; i < s->count; i++) entry_free(&s->entries[i]);
  heap_free(s->entries);
  heap_free(s->modules);
  rill_module_release(s->root);
  heap_free(s);
}

rill_state *rill_state_retain(rill_state *state) {
  if (state) handle_retain(&state->base);
  return state;
}

void rill_state_release(rill_state *state) {
  if (state) handle_release(&state->base);
}

static rill_state *state_new(rill_context *ctx, const char *op, int64_t batch) {
  rill_state *s = context_alloc(ctx, op, sizeof *s);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  handle_init(&s->base, state_destroy);
  s->batch = batch;
  return scope_own(ctx, s);
}

void state_set(state_entry *e, rill_tensor *tensor) {
  rill_tensor_retain(tensor);
  rill_tensor_release(e->value);
  rill_tensor_release(e->room);
  e->value = tensor;
  e->room = NULL;
}

/* ---- the modules of a tree ---- */

static int count_modules(const rill_module *m) {
  int n = 1;
  for (int i = 0; i < module_children(m); i++) n += count_modules(module_child(m, i));
  return n;
}

static int list_modules(rill_module *m, rill_module **list) {
  int n = 0;
  list[n++] = m;
  for (int i = 0; i < module_children(m); i++) n += list_modules(module_child(m, i), list + n);
  return n;
}

/* Makes the tree of `root` the state's. */
static bool take_tree(rill_context *ctx, const char *op, rill_state *s, rill_module *root) {
  int n = count_modules(root);
  rill_module **list = context_alloc(ctx, op, (size_t)n * sizeof *list);
  if (!list) return false;
  list_modules(root, list);
  heap_free(s->modules);
  rill_module_retain(root);
  rill_module_release(s->root);
  s->modules = list;
  s->module_count = n;
  s->root = root;
  return true;
}

static int place_of(const rill_state *s, const rill_module *m) {
  for (int i = 0; i < s->module_count; i++)
    if (s->modules[i] == m) return i;
  return -1;
}

/* A name below a path ("": the root's), with a dot between. */
static char *join_path(rill_context *ctx, const char *parent, const char *name) {
  size_t a = strlen(parent), b = strlen(name);
  char *path = context_alloc(ctx, "state", a + b + 2);
  if (!path) return NULL;
  memcpy(path, parent, a);
  if (a) path[a++] = '.';
  memcpy(path + a, name, b + 1);
  return path;
}

typedef struct search {
  int left; /* modules still to pass */
  char *path;
} search;

/* The path of the `left`-th module at or below m. */
static bool find_path(rill_context *ctx, const rill_module *m, const char *path, search *found) {
  if (!found->left--) return (found->path = join_path(ctx, "", path)) != NULL;
  for (int i = 0; i < module_children(m); i++) {
    char *below = join_path(ctx, path, rill_module_child_name(m, i));
    bool done = !below || find_path(ctx, module_child(m, i), below, found);
    heap_free(below);
    if (done) return true;
  }
  return false;
}

/* A block of the heap, or NULL with the error set. */
static char *path_of(rill_context *ctx, const rill_state *s, int place) {
  search found = {place, NULL};
  find_path(ctx, s->root, "", &found);
  return found.path;
}

/* ---- making ---- */

static rill_status add_slots(rill_context *ctx, rill_state *s) {
  static const char op[] = "state_create";
  for (int i = 0; i < s->module_count; i++) {
    rill_module *m = s->modules[i];
    const char *fault = NULL;
    if (!module_streams(m)) fault = "cannot stream";
    if (m->cls.state && place_of(s, m) < i) fault = "is in the tree twice, and has but one memory";
    if (fault) {
      char *path = path_of(ctx, s, i);
      if (path)
        error_set(ctx, RILL_ERROR_UNSUPPORTED, op, "%s \"%.200s\" %s", m->cls.type, path, fault);
      heap_free(path);
      return rill_error(ctx);
    }
    rill_status status = m->cls.state ? m->cls.state(ctx, m, s, s->batch, m->user) : RILL_OK;
    if (ctx->error != RILL_OK) return ctx->error;
    if (status != RILL_OK)
      return error_set(ctx, RILL_ERROR_CALLBACK, op, "the state callback of %s failed",
                       m->cls.type);
  }
  return RILL_OK;
}

rill_state *rill_state_create(rill_context *ctx, rill_module *module, int64_t batch) {
  static const char op[] = "state_create";
  if (!context_ready(ctx)) return NULL;
  if (!module || batch < 1) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op,
              module ? "the batch is less than 1" : "the module is NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_state *s = state_new(ctx, op, batch);
  if (s && take_tree(ctx, op, s, module)) {
    s->building = true;
    add_slots(ctx, s);
    s->building = false;
  }
  return scope_close_keep(ctx, ctx->error == RILL_OK ? s : NULL);
}

static state_entry *entry_room(rill_context *ctx, rill_state *s) {
  if (s->count == s->capacity) {
    int larger = s->capacity ? 2 * s->capacity : 8;
    state_entry *entries = context_alloc(ctx, "state", (size_t)larger * sizeof *entries);
    if (!entries) return NULL;
    if (s->count) memcpy(entries, s->entries, (size_t)s->count * sizeof *entries);
    heap_free(s->entries);
    s->entries = entries;
    s->capacity = larger;
  }
  memset(&s->entries[s->count], 0, sizeof *s->entries);
  return &s->entries[s->count];
}

state_entry *state_slot(const rill_state *s, const rill_module *self, const char *name) {
  for (int i = 0; i < s->count; i++)
    if (s->modules[s->entries[i].place] == self && !strcmp(s->entries[i].name, name))
      return &s->entries[i];
  return NULL;
}

rill_status rill_state_add(rill_context *ctx, rill_state *state, rill_module *self,
                           const char *name, rill_tensor *initial) {
  static const char op[] = "state_add";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!state || !self || !name || !initial)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "an argument is NULL");
  if (!state->building)
    return error_set(ctx, RILL_ERROR_STATE, op, "only a module's state callback adds slots");
  int place = place_of(state, self);
  if (place < 0)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s is not in the state's tree", self->cls.type);
  if (!*name || strchr(name, '.') || state_slot(state, self, name))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op,
                     "the name \"%.200s\" is empty, has a dot or is taken", name);
  state_entry *e = entry_room(ctx, state);
  char *path = e ? path_of(ctx, state, place) : NULL;
  if (path) e->path = join_path(ctx, path, name);
  heap_free(path);
  if (!e || !e->path) return ctx->error;
  e->place = place;
  e->name = e->path + strlen(e->path) - strlen(name);
  e->initial = rill_tensor_retain(initial);
  e->value = rill_tensor_retain(initial);
  state->count++;
  return RILL_OK;
}

rill_state *rill_state_clone(rill_context *ctx, const rill_state *state) {
  static const char op[] = "state_clone";
  if (!context_ready(ctx)) return NULL;
  if (!state) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "the state is NULL");
    return NULL;
  }
  if (rill_scope_open(ctx) != RILL_OK) return NULL;
  rill_state *s = state_new(ctx, op, state->batch);
  bool good = s && take_tree(ctx, op, s, state->root);
  for (int i = 0; good && i < state->count; i++) {
    const state_entry *from = &state->entries[i];
    state_entry *e = entry_room(ctx, s);
    rill_tensor *alias = e ? tensor_alias(ctx, from->value) : NULL,
                *copy = alias ? rill_clone(ctx, alias) : NULL;
    good = copy && (e->path = join_path(ctx, "", from->path));
    if (!good) break;
    e->place = from->place;
    e->name = e->path + (from->name - from->path);
    e->initial = rill_tensor_retain(from->initial);
    e->value = rill_tensor_retain(copy);
    s->count++;
  }
  if (s) s->position = state->position;
  return scope_close_keep(ctx, ctx->error == RILL_OK ? s : NULL);
}

/* ---- running ---- */

/* The state may go on with another tree of the same structure. */
static rill_status follow(rill_context *ctx, rill_state *s, rill_module *root) {
  static const char op[] = "extend";
  if (root == s->root) return RILL_OK;
  rill_module **list = NULL;
  int n = count_modules(root);
  bool same = n == s->module_count;
  if (same && !(list = context_alloc(ctx, op, (size_t)n * sizeof *list))) return ctx->error;
  if (same) list_modules(root, list);
  for (int i = 0; same && i < n; i++)
    same = !strcmp(list[i]->cls.type, s->modules[i]->cls.type) &&
           module_children(list[i]) == module_children(s->modules[i]);
  heap_free(list);
  if (!same)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the state is of a module of another structure");
  return take_tree(ctx, op, s, root) ? RILL_OK : ctx->error;
}

static rill_status check_input(rill_context *ctx, const rill_state *s, const rill_tensor *x) {
  char text[SHAPE_TEXT];
  if (x->ndim >= 2 && x->shape[0] == s->batch && x->shape[1] >= 1) return RILL_OK;
  return error_set(ctx, RILL_ERROR_SHAPE, "extend",
                   "needs an input [%lld,steps,...] of at least one step, not %s",
                   (long long)s->batch, shape_text(x->shape, x->ndim, text));
}

/* On success lets the old values go; on failure puts them back. A cache's room stays, if the old
 * value lies in it: what was written there lies beyond that value. */
static void settle(rill_state *s, bool good) {
  for (int i = 0; i < s->count; i++) {
    state_entry *e = &s->entries[i];
    if (!good) {
      rill_tensor *now = e->value;
      e->value = e->before;
      e->before = now;
      if (e->room && e->room->storage != e->value->storage) {
        rill_tensor_release(e->room);
        e->room = NULL;
      }
    }
    rill_tensor_release(e->before);
    e->before = NULL;
  }
}

rill_tensor *rill_extend(rill_context *ctx, rill_module *module, const rill_tensor *input,
                         rill_state *state) {
  if (!context_ready(ctx)) return NULL;
  if (!module || !input || !state) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "extend", "the %s is NULL",
              !module  ? "module"
              : !input ? "input"
                       : "state");
    return NULL;
  }
  if (state->extending) return module_extend(ctx, module, input, state);
  if (check_input(ctx, state, input) != RILL_OK || follow(ctx, state, module) != RILL_OK)
    return NULL;
  for (int i = 0; i < state->count; i++)
    state->entries[i].before = rill_tensor_retain(state->entries[i].value);
  state->extending = true;
  rill_tensor *y = module_extend(ctx, module, input, state);
  state->extending = false;
  settle(state, y != NULL);
  if (y) state->position += input->shape[1];
  return y;
}

rill_tensor *rill_state_get(rill_context *ctx, const rill_state *state, const rill_module *self,
                            const char *name) {
  if (!context_ready(ctx)) return NULL;
  state_entry *e = state && self && name ? state_slot(state, self, name) : NULL;
  if (e) return e->value;
  error_set(ctx, RILL_ERROR_NOT_FOUND, "state_get", "%s has no slot \"%.200s\" in this state",
            self ? self->cls.type : "NULL", name ? name : "");
  return NULL;
}

rill_status rill_state_put(rill_context *ctx, rill_state *state, const rill_module *self,
                           const char *name, rill_tensor *value) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!value) return error_set(ctx, RILL_ERROR_ARGUMENT, "state_put", "the value is NULL");
  state_entry *e = state && self && name ? state_slot(state, self, name) : NULL;
  if (!e)
    return error_set(ctx, RILL_ERROR_NOT_FOUND, "state_put",
                     "%s has no slot \"%.200s\" in this state", self ? self->cls.type : "NULL",
                     name ? name : "");
  state_set(e, value);
  return RILL_OK;
}

/* ---- reading and changing ---- */

int64_t rill_state_batch(const rill_state *state) { return state ? state->batch : 0; }
int64_t rill_state_position(const rill_state *state) { return state ? state->position : 0; }
int rill_state_tensor_count(const rill_state *state) { return state ? state->count : 0; }

static bool has(const rill_state *s, int index) { return s && index >= 0 && index < s->count; }

rill_tensor *rill_state_tensor(const rill_state *state, int index) {
  return has(state, index) ? state->entries[index].value : NULL;
}

const char *rill_state_tensor_name(const rill_state *state, int index) {
  return has(state, index) ? state->entries[index].path : NULL;
}

rill_status rill_state_set_tensor(rill_context *ctx, rill_state *state, int index,
                                  rill_tensor *tensor) {
  static const char op[] = "state_set_tensor";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!tensor || !has(state, index))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the tensor is NULL, or there is no slot %d",
                     index);
  const rill_tensor *now = state->entries[index].value;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  bool open = state_open(state->entries[index].initial) && tensor->ndim >= 2;
  bool alike = open || (tensor->dtype == now->dtype && tensor->ndim == now->ndim);
  if (!alike || (now->ndim && tensor->shape[0] != now->shape[0]))
    return error_set(
        ctx, RILL_ERROR_SHAPE, op, "\"%.200s\" is %s %s, not %s %s", state->entries[index].path,
        rill_dtype_name((rill_dtype)now->dtype), shape_text(now->shape, now->ndim, a),
        rill_dtype_name((rill_dtype)tensor->dtype), shape_text(tensor->shape, tensor->ndim, b));
  state_set(&state->entries[index], tensor);
  return RILL_OK;
}

rill_status rill_state_reset(rill_context *ctx, rill_state *state) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!state) return error_set(ctx, RILL_ERROR_ARGUMENT, "state_reset", "the state is NULL");
  for (int i = 0; i < state->count; i++) state_set(&state->entries[i], state->entries[i].initial);
  state->position = 0;
  return RILL_OK;
}

rill_status rill_state_detach(rill_context *ctx, rill_state *state) {
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!state) return error_set(ctx, RILL_ERROR_ARGUMENT, "state_detach", "the state is NULL");
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  rill_status status = RILL_OK;
  for (int i = 0; i < state->count && status == RILL_OK; i++) {
    state_entry *e = &state->entries[i];
    if (!e->value->node && !e->value->requires_grad) continue;
    rill_tensor *cut = rill_detach(ctx, e->value);
    if (cut)
      state_set(e, cut);
    else
      status = ctx->error;
  }
  rill_scope_close(ctx);
  return status;
}
