/* How names are looked up, for ops and modules alike. */
#ifndef RILL_SRC_FFI_REGISTRY_H
#define RILL_SRC_FFI_REGISTRY_H

#include "base/base.h"

/* What an entry of a table is called. Lists are space-separated; NULL where there are none. */
typedef struct registry_names {
  const char *canonical, *brief;
  const char *aliases, *deprecated;
} registry_names;

/* The entry of `count` that is called `name`; -1 where none is. One found by a deprecated name is reported
 * through the context's log callback, once: entry i is number first_bit + i of all that can be. */
int registry_find(rill_context *ctx, const char *name, registry_names (*at)(int index), int count,
                  int first_bit);

#endif
