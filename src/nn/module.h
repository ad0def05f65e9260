/* Internal face of modules: the struct, making modules, running them, and walking a tree. */
#ifndef RILL_SRC_MODULE_H
#define RILL_SRC_MODULE_H

#include "rill/nn.h"
#include "tensor/tensor.h"

/* A parameter, buffer or child and its name. */
typedef struct module_entry {
  char *name; /* a block of the heap */
  union {
    handle *any;
    rill_tensor *tensor;
    rill_module *module;
  } of;
  rill_tensor *converted; /* rill_module_to: takes the tensor's place once all are made */
  bool persistent;        /* buffer: part of the state dict */
  bool trainable;         /* parameter: what requires_grad was when it last had a dtype for it */
} module_entry;

typedef struct module_list {
  module_entry *items;
  int count, capacity;
} module_list;

typedef enum module_part {
  MODULE_PARAMETERS = 0,
  MODULE_BUFFERS = 1,
  MODULE_CHILDREN = 2
} module_part;

/* Built-in modules and the host's own differ in `builtin` alone: both run by a class. */
struct rill_module {
  handle base;
  rill_module_class cls;
  void *user; /* the class's; of a built-in module its settings, in the module's own block */
  bool builtin;
  bool memoryless; /* treats each time step by itself, so that extend is forward */
  bool training;
  module_list parts[3]; /* by module_part */
};

/* ---- making (module.c). New, scope-owned; NULL with the error set ---- */

/* A built-in module with a copy of `size` bytes of settings, which its callbacks get as `user`.
 * The class may have extend without state: containers stream by their children. */
rill_module *module_new(rill_context *ctx, const rill_module_class *cls, bool memoryless,
                        const void *settings, size_t size);
/* Adds a parameter that a constructor just made; `parameter` may be NULL with the error set. */
bool module_parameter(rill_context *ctx, rill_module *m, const char *name, rill_tensor *parameter);

static inline rill_tensor *module_own(const rill_module *m, int parameter) {
  return m->parts[MODULE_PARAMETERS].items[parameter].of.tensor;
}
static inline rill_module *module_child(const rill_module *m, int i) {
  return m->parts[MODULE_CHILDREN].items[i].of.module;
}
static inline int module_children(const rill_module *m) { return m->parts[MODULE_CHILDREN].count; }

/* ---- streaming (module.c): what rill_state_create and rill_extend are made of ---- */

/* Can this module, its children aside, take part in rill_extend? A container without a forward can:
 * it is never run. */
bool module_streams(const rill_module *m);
/* Runs the next steps as rill_forward runs all of them, in a scope of its own. The caller has checked
 * and keeps the state's books. */
rill_tensor *module_extend(rill_context *ctx, rill_module *m, const rill_tensor *input,
                           rill_state *state);

/* ---- trees (tree.c) ---- */

/* A place in a tree: the chain of entries that leads to it, innermost first. NULL is the root. */
typedef struct module_place {
  const struct module_place *parent;
  const char *name;
} module_place;

/* The dotted path of a place into out, cut to `size` bytes with a final 0; returns its whole length. */
int64_t module_path(const module_place *place, char *out, size_t size);

/* Sees one entry of the tree: `at` is its place, `part` its kind. Returns false to end the walk. */
typedef bool (*module_visit)(void *arg, const module_place *at, module_part part,
                             module_entry *entry);
/* Depth first; of each module parameters, buffers, then children (each seen before what is in it). A
 * tensor or module that is in the tree twice is seen twice. False where the walk was ended. */
bool module_walk(rill_module *m, module_visit visit, void *arg);

/* The parameters of the tree, each once: a block of the heap, to be freed, NULL with the error set (or
 * where *count is 0). */
rill_tensor **module_parameters(rill_context *ctx, const char *op, const rill_module *m,
                                int *count);

#endif
