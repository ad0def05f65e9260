/* The table of declarations. Names and types were read from the headers by build-aux/functions.sh; the
 * numbers are the compiler's. */
#include "ffi/declarations.h"
#include "rill/autograd.h"
#include "rill/io.h"
#include "rill/pure.h"
#include "rill/registry.h"
#include "rill/sequence.h"

#define HEADER(path)          {DECLARED_HEADER, false, path, "", 0},
#define FUNCTION(name, text)  {DECLARED_FUNCTION, false, name, text, 0},
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
