/* The module table: one row of table.h each. */
#include "nn/registry.h"

const module_row module_table[] = {
#define MODULE(name, aliases, deprecated, constructor, parameters, streams, doc)                   \
  {name, aliases, deprecated, constructor, parameters, doc, streams},
#include "nn/table.h"
#undef MODULE
};

const int module_table_count = sizeof module_table / sizeof *module_table;
