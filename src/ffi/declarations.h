/* What the public headers declare, in their order, for the API's JSON: functions as texts alone, the rest
 * with the compiler's numbers. */
#ifndef RILL_SRC_DECLARATIONS_H
#define RILL_SRC_DECLARATIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum declaration_kind {
  DECLARED_HEADER,   /* in which those that follow stand */
  DECLARED_CALLBACK, /* text: its type */
  DECLARED_CONSTANT, /* number: its value */
  DECLARED_ENUM,     /* its values follow */
  DECLARED_VALUE,    /* number */
  DECLARED_STRUCT,   /* or union; text: the init function; number: its size; its fields follow */
  DECLARED_FIELD,    /* text: its type; number: its offset */
  DECLARED_END
} declaration_kind;

typedef struct declaration {
  uint8_t kind; /* declaration_kind */
  bool is_union;
  const char *name, *text;
  int64_t number;
} declaration;

extern const declaration declarations[]; /* up to DECLARED_END */

/* Prototypes, one after the other, each up to its 0; one that starts with '#' is the name of the header
 * in which those that follow stand. An empty one ends them. */
extern const char *const declared_functions;

#endif
