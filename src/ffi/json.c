/* The whole API as JSON: what a binding builds itself from. docs/registry.md says what stands where. */
#include "base/text.h"
#include "nn/registry.h"
#include "ops/op.h"

#include <string.h>

typedef struct declaration {
  const char *name, *text, *header;
} declaration;

static const declaration functions[] = {
#define FUNCTION(name, text, header) {name, text, header},
#define ENUM(name, text, header)
#include "ffi/functions.inc"
#undef FUNCTION
#undef ENUM
};

static const declaration enums[] = {
#define FUNCTION(name, text, header)
#define ENUM(name, text, header) {name, text, header},
#include "ffi/functions.inc"
#undef FUNCTION
#undef ENUM
};

static void key(text_buffer *t, const char *before, const char *name) {
  text_string(t, before);
  text_json_string(t, name, strlen(name));
  text_string(t, ": ");
}

static void pair(text_buffer *t, const char *before, const char *name, const char *value) {
  key(t, before, name);
  text_json_string(t, value, strlen(value));
}

static void flag(text_buffer *t, const char *name, bool value) {
  key(t, ", ", name);
  text_string(t, value ? "true" : "false");
}

/* A space-separated list as an array. */
static void words(text_buffer *t, const char *name, const char *list) {
  key(t, ", ", name);
  text_string(t, "[");
  for (bool first = true; *list; first = false) {
    size_t size = strcspn(list, " ");
    if (!first) text_string(t, ", ");
    text_json_string(t, list, size);
    list += size;
    list += strspn(list, " ");
  }
  text_string(t, "]");
}

/* The beginning of item i of an array. */
static const char *item(int i) { return i ? "},\n{" : "\n{"; }

static void write_ops(text_buffer *t) {
  text_string(t, ",\n\"ops\": [");
  for (int i = 0; i < rill_op_count(); i++) {
    rill_op_info op = RILL_OP_INFO_INIT;
    rill_op_describe(i, &op);
    pair(t, item(i), "name", op.name);
    words(t, "aliases", op.aliases);
    words(t, "deprecated", op.deprecated);
    pair(t, ", ", "signature", op.signature);
    pair(t, ", ", "doc", op.doc);
    pair(t, ", ", "functional", op.functional);
    pair(t, ", ", "module", op.module);
    words(t, "pure", op.pure);
    flag(t, "differentiable", op.differentiable);
    pair(t, ", ", "since", op.since);
  }
  text_string(t, "}\n]");
}

static void write_modules(text_buffer *t) {
  text_string(t, ",\n\"modules\": [");
  for (int i = 0; i < module_table_count; i++) {
    const module_row *m = &module_table[i];
    pair(t, item(i), "name", m->name);
    pair(t, ", ", "constructor", m->constructor);
    pair(t, ", ", "parameters", m->parameters);
    flag(t, "streams", m->streams);
    pair(t, ", ", "doc", m->doc);
  }
  text_string(t, "}\n]");
}

static void write_functions(text_buffer *t) {
  text_string(t, ",\n\"functions\": [");
  for (int i = 0; i < (int)(sizeof functions / sizeof *functions); i++) {
    pair(t, item(i), "name", functions[i].name);
    pair(t, ", ", "signature", functions[i].text);
    pair(t, ", ", "header", functions[i].header);
  }
  text_string(t, "}\n]");
}

static void write_enums(text_buffer *t) {
  text_string(t, ",\n\"enums\": [");
  for (int i = 0; i < (int)(sizeof enums / sizeof *enums); i++) {
    pair(t, item(i), "name", enums[i].name);
    key(t, ", ", "values");
    text_string(t, enums[i].text);
    pair(t, ", ", "header", enums[i].header);
  }
  text_string(t, "}\n]");
}

const char *rill_api_json(rill_context *ctx) {
  if (!context_ready(ctx)) return NULL;
  if (ctx->api_json) return ctx->api_json;
  text_buffer t;
  text_init(&t, ctx->heap);
  pair(&t, "{", "version", rill_version());
  key(&t, ",\n", "abi");
  text_integer(&t, rill_abi_version());
  write_ops(&t);
  write_modules(&t);
  write_functions(&t);
  write_enums(&t);
  text_string(&t, "\n}\n");
  if (t.failed) {
    error_memory(ctx, "api_json", t.capacity * 2);
    text_free(&t);
    return NULL;
  }
  return ctx->api_json = t.data;
}
