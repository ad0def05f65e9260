/* The table of declarations. Names and types were read from the headers by build-aux/functions.sh; the
 * numbers are the compiler's. */
#include "ffi/declarations.h"
#include "rill/autograd.h"
#include "rill/io.h"
#include "rill/pure.h"
#include "rill/registry.h"
#include "rill/sequence.h"
#include "rill/window.h"

#define HEADER(id, path) {DECLARED_HEADER, false, path, "", 0},
#define FUNCTION(name, text)
#define CALLBACK(name, text)  {DECLARED_CALLBACK, false, name, text, 0},
#define CONSTANT(name)        {DECLARED_CONSTANT, false, #name, "", name},
#define ENUM(name)            {DECLARED_ENUM, false, name, "", 0},
#define VALUE(name)           {DECLARED_VALUE, false, #name, "", name},
#define STRUCT(name, init)    {DECLARED_STRUCT, false, #name, init, sizeof(name)},
#define UNION(name, init)     {DECLARED_STRUCT, true, #name, init, sizeof(name)},
#define FIELD(of, name, type) {DECLARED_FIELD, false, #name, type, offsetof(of, name)},

const declaration declarations[] = {
#include "ffi/functions.inc"
    {DECLARED_END, false, "", "", 0},
};

#undef HEADER
#undef FUNCTION
#undef CALLBACK
#undef CONSTANT
#undef ENUM
#undef VALUE
#undef STRUCT
#undef UNION
#undef FIELD
#define CALLBACK(name, text)
#define CONSTANT(name)
#define ENUM(name)
#define VALUE(name)
#define STRUCT(name, init)
#define UNION(name, init)
#define FIELD(of, name, type)

/* Hundreds of texts in one block, without the pointer to each, which would have to be relocated when the
 * library is loaded. All members are of type char, so nothing lies between them. */
static const struct functions {
#define HEADER(id, path)     char id[sizeof "#" path];
#define FUNCTION(name, text) char name[sizeof text];
#include "ffi/functions.inc"
#undef HEADER
#undef FUNCTION
  char end[1];
} functions = {
#define HEADER(id, path)     "#" path,
#define FUNCTION(name, text) text,
#include "ffi/functions.inc"
    "",
};

const char *const declared_functions = (const char *)&functions;
