/* Internal face of autograd: graph nodes, recording, and what the ops floor fills in. */
#ifndef RILL_SRC_AUTOGRAD_H
#define RILL_SRC_AUTOGRAD_H

#include "rill/autograd.h"
#include "tensor/tensor.h"

/* Where a gradient goes: input `i` of a node came from output `output` of `node` (NULL: needs
 * none). Shape and dtype are those of the input: what its gradient must have. */
typedef struct edge {
  struct node *node;
  int16_t output;
  uint8_t dtype, ndim;
  int64_t shape[RILL_MAX_DIMS];
} edge;

/* A tensor kept for backward, with the version it had. */
typedef struct saved {
  rill_tensor *tensor;
  unsigned version;
} saved;

/* What a node's backward sees. grad[o]: gradient of output o, contiguous, in that output's shape and
 * dtype, or NULL where nothing reached it (never all). It sets result[i] for each i with need[i]:
 * tensors owned by the open scope, of the input's dtype and of a shape that broadcasts from or
 * equals the input's (the engine sums broadcast dims away); NULL means zero. */
typedef struct node_call {
  rill_context *ctx;
  struct node *node;
  rill_tensor **grad;
  rill_tensor **result;
  const bool *need;
  bool capturing; /* the pass is rill_grad's, which leaves .grad alone */
} node_call;

typedef rill_status (*node_backward)(node_call *c);

/* A leaf's node has no backward: it gathers the leaf's gradient. */
typedef struct node {
  handle base;
  rill_context *ctx; /* whose graph; NULL for leaves, which any context may use */
  uint64_t sequence; /* creation order; leaves 0 */
  const char *name;  /* the op's; static */
  node_backward backward;
  void (*free_payload)(struct node *n); /* may be NULL; runs once, when saved values go */
  void *payload;                        /* the ops floor's: descriptor and arguments */
  int inputs, outputs, saves;
  const void *queued; /* engine: the running pass in whose queue it waits, or NULL */
  bool running;       /* engine: it or its hooks run now */
  bool released;      /* saved values are gone: backward again is an error */
  edge *edge;         /* [inputs] */
  saved *saved;       /* [saves]  */
  rill_tensor *grad;  /* leaf: its gradient. The node owns it */
  struct hook *hooks;
  rill_tensor **pending; /* engine: [outputs] gradients gathered so far in this backward */
  struct node *next;     /* engine and destructor: list link */
} node;

/* A node with room for its edges, its saved values and `payload` bytes in one block (0: the payload
 * is the caller's affair); not in any scope. NULL with the error set. */
node *node_new(rill_context *ctx, const char *name, int inputs, int outputs, int saves,
               size_t payload);
/* Points edge i at the graph place of `t` (and notes its shape). False with the error set where t
 * belongs to another context's graph. */
bool node_connect(rill_context *ctx, node *n, int i, const rill_tensor *t);
void node_save(node *n, int i, const rill_tensor *t);
/* Saved value i, borrowed; NULL with RILL_ERROR_GRAPH where it was changed in place since, or gone. */
rill_tensor *node_saved(rill_context *ctx, const node *n, int i);
/* Makes `t` output `o` of n (t takes a reference to n; t must be fresh). */
void node_output(node *n, int o, rill_tensor *t);

/* Is `t` part of a graph that records now? */
bool grad_wanted(const rill_context *ctx, const rill_tensor *t);
/* Refuses an in-place change of a leaf that requires a gradient, or of an inference tensor in a
 * recorded one; bumps the version otherwise. */
bool inplace_allowed(rill_context *ctx, const char *op, rill_tensor *t);

#endif
