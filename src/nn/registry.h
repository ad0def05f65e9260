/* What there is to say about each module: for the registry and the API's JSON. */
#ifndef RILL_SRC_NN_REGISTRY_H
#define RILL_SRC_NN_REGISTRY_H

#include <stdbool.h>

typedef struct module_row {
  const char *name;        /* canonical: "nn.Linear"; rill_module_type's after the dot */
  const char *aliases;     /* space-separated */
  const char *deprecated;  /* likewise */
  const char *constructor; /* "rill_nn_linear" */
  const char *parameters;  /* "in: int, out: int, bias: bool = True" */
  const char *doc;         /* one line */
  bool streams;
} module_row;

extern const module_row module_table[];
extern const int module_table_count;

#endif
