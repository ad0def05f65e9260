/* What the public headers declare, in their order, for the API's JSON. */
#ifndef RILL_SRC_DECLARATIONS_H
#define RILL_SRC_DECLARATIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum declaration_kind {
  DECLARED_HEADER,   /* in which those that follow stand */
  DECLARED_FUNCTION, /* text: its prototype */
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

#endif
