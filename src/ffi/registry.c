/* The registry of ops and of modules: enumerate, find by name, describe. */
#include "ffi/registry.h"

#include "nn/registry.h"
#include "ops/op.h"

#include <string.h>

/* ---- names ------------------------------------------------------------------------------------- */

/* Is `name` one of the words of a space-separated list? */
static bool listed(const char *list, const char *name) {
  size_t size = strlen(name);
  while (list && *list) {
    size_t word = strcspn(list, " ");
    if (word == size && !memcmp(list, name, size)) return true;
    list += word;
    list += strspn(list, " ");
  }
  return false;
}

/* Says once per context that a name was used that will go. Where there is no memory to remember that it
 * was said, it is not said. */
static void report_deprecated(rill_context *ctx, int bit, const char *name, const char *better) {
  if (!ctx || !ctx->log) return;
  size_t words = ((size_t)(op_table_count + module_table_count) + 63) / 64;
  if (!ctx->reported) {
    ctx->reported = heap_alloc(ctx->heap, words * sizeof *ctx->reported);
    if (!ctx->reported) return;
    memset(ctx->reported, 0, words * sizeof *ctx->reported);
  }
  uint64_t mask = (uint64_t)1 << bit % 64;
  if (ctx->reported[bit / 64] & mask) return;
  ctx->reported[bit / 64] |= mask;
  log_message(ctx, RILL_LOG_WARNING, "the name \"%s\" is deprecated: use \"%s\"", name, better);
}

int registry_find(rill_context *ctx, const char *name, registry_names (*at)(int index), int count,
                  int first_bit) {
  if (!name || !*name || strchr(name, ' ')) return -1;
  for (int i = 0; i < count; i++) {
    registry_names n = at(i);
    if (!strcmp(n.canonical, name) || !strcmp(n.brief, name) || listed(n.aliases, name)) return i;
  }
  for (int i = 0; i < count; i++) {
    registry_names n = at(i);
    if (!listed(n.deprecated, name)) continue;
    report_deprecated(ctx, first_bit + i, name, n.canonical);
    return i;
  }
  return -1;
}

/* ---- ops --------------------------------------------------------------------------------------- */

static registry_names op_names(int index) {
  const rill_op *op = op_table[index];
  return (registry_names){op->exports ? op->exports : op->name, op->name, op->aliases,
                          op->deprecated};
}

int rill_op_count(void) { return op_table_count; }

const char *rill_op_name(int index) {
  return index >= 0 && index < op_table_count ? op_names(index).canonical : NULL;
}

int rill_op_find(rill_context *ctx, const char *name) {
  return registry_find(ctx, name, op_names, op_table_count, 0);
}

void rill_op_info_init(rill_op_info *info) {
  if (info) *info = (rill_op_info)RILL_OP_INFO_INIT;
}

static const char *or_empty(const char *s) { return s ? s : ""; }

rill_status rill_op_describe(int index, rill_op_info *info) {
  if (!info || info->struct_size < sizeof(size_t)) return RILL_ERROR_ARGUMENT;
  if (index < 0 || index >= op_table_count) return RILL_ERROR_NOT_FOUND;
  const rill_op *op = op_table[index];
  rill_op_info all = {
      .struct_size = info->struct_size,
      .name = rill_op_name(index),
      .aliases = or_empty(op->aliases),
      .deprecated = or_empty(op->deprecated),
      .signature = op->signature,
      .doc = or_empty(op->doc),
      .functional = op_functions[index],
      .module = op->module ? op->module : "rill_nn_op",
      .pure = or_empty(op->pure),
      .since = op->since ? op->since : "0.1.0",
      .differentiable = !(op->flags & (OP_NO_GRADIENT | OP_INPLACE)) &&
                        (op->backward || (op->flags & OP_COMPOSITE)),
  };
  memcpy(info, &all, info->struct_size < sizeof all ? info->struct_size : sizeof all);
  return RILL_OK;
}

/* ---- modules ----------------------------------------------------------------------------------- */

static registry_names module_names(int index) {
  const module_row *m = &module_table[index];
  return (registry_names){m->name, strchr(m->name, '.') + 1, m->aliases, m->deprecated};
}

int rill_module_type_count(void) { return module_table_count; }

const char *rill_module_type_name(int index) {
  return index >= 0 && index < module_table_count ? module_table[index].name : NULL;
}

int rill_module_type_find(rill_context *ctx, const char *name) {
  return registry_find(ctx, name, module_names, module_table_count, op_table_count);
}

void rill_module_type_info_init(rill_module_type_info *info) {
  if (info) *info = (rill_module_type_info)RILL_MODULE_TYPE_INFO_INIT;
}

rill_status rill_module_type_describe(int index, rill_module_type_info *info) {
  if (!info || info->struct_size < sizeof(size_t)) return RILL_ERROR_ARGUMENT;
  if (index < 0 || index >= module_table_count) return RILL_ERROR_NOT_FOUND;
  const module_row *m = &module_table[index];
  rill_module_type_info all = {
      .struct_size = info->struct_size,
      .name = m->name,
      .aliases = m->aliases,
      .deprecated = m->deprecated,
      .constructor = m->constructor,
      .parameters = m->parameters,
      .doc = m->doc,
      .since = "0.1.0",
      .streams = m->streams,
  };
  memcpy(info, &all, info->struct_size < sizeof all ? info->struct_size : sizeof all);
  return RILL_OK;
}
