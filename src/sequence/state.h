/* Internal face of states: the struct, and the growing caches that attention keeps in one. */
#ifndef RILL_SRC_STATE_H
#define RILL_SRC_STATE_H

#include "nn/module.h"
#include "rill/sequence.h"

/* A module's slot. */
typedef struct state_entry {
  int place;        /* of the module: index in rill_state.modules */
  char *path;       /* "blocks.0.k": the module's path and the slot's name. A block of the heap */
  const char *name; /* the slot's name, at the end of path */
  rill_tensor *initial; /* what reset returns to */
  rill_tensor *value;
  rill_tensor *room;   /* of a cache: the memory with spare rows that value lies in, or NULL */
  rill_tensor *before; /* during rill_extend: what value was */
} state_entry;

struct rill_state {
  handle base;
  int64_t batch, position;
  rill_module *root;     /* retained, and with it all below */
  rill_module **modules; /* of the tree, depth first, each before its children; borrowed */
  int module_count;
  state_entry *entries;
  int count, capacity;
  bool building;  /* rill_state_add is allowed */
  bool extending; /* within rill_extend: the outermost keeps the books */
};

/* The slot of a module, or NULL. */
state_entry *state_slot(const rill_state *state, const rill_module *self, const char *name);

/* Puts `tensor` into a slot, which retains it. Its spare rows are not the state's to write to. */
void state_set(state_entry *entry, rill_tensor *tensor);

/* Does the slot's tensor tell nothing of what will come? A slot that begins as [batch,0] takes rows of any
 * dtype and size. */
static inline bool state_open(const rill_tensor *t) { return t->ndim == 2 && t->shape[1] == 0; }

/* Appends `rows` [B,n,...] to the slot's cache [B,m,...] along time and leaves the last `limit` rows
 * there (-1: all). Returns the m + n rows, new. Amortised, a row is copied a constant number of times;
 * where a gradient is wanted, a new tensor is made each time, since the graph needs the old ones. */
rill_tensor *state_append(rill_context *ctx, rill_state *state, const rill_module *self,
                          const char *name, const rill_tensor *rows, int64_t limit);

#endif
