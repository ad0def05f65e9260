/* The op table: one row of table.h each. */
#include "ops/op.h"

#define OP(name) extern const rill_op rill_op_##name;
#include "ops/table.h"
#undef OP

const rill_op *const op_table[] = {
#define OP(name) &rill_op_##name,
#include "ops/table.h"
#undef OP
};

const char *const op_functions[] = {
#define OP(name) "rill_" #name,
#include "ops/table.h"
#undef OP
};

const int op_table_count = sizeof op_table / sizeof *op_table;
