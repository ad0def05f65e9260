/* The whole API as JSON: what a binding builds itself from. docs/registry.md says what stands where. */
#include "base/text.h"
#include "ffi/declarations.h"
#include "ops/op.h"

#include <string.h>

static void key(text_buffer *t, const char *before, const char *name) {
  text_string(t, before);
  text_json_string(t, name, strlen(name));
  text_string(t, ": ");
}

static void pair(text_buffer *t, const char *before, const char *name, const char *value) {
  key(t, before, name);
  text_json_string(t, value, strlen(value));
}

static void number(text_buffer *t, const char *before, const char *name, int64_t value) {
  key(t, before, name);
  text_integer(t, value);
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

/* Item i of an array and what it is called. */
static void names(text_buffer *t, int i, const char *name, const char *aliases,
                  const char *deprecated) {
  pair(t, item(i), "name", name);
  words(t, "aliases", aliases);
  words(t, "deprecated", deprecated);
}

static void write_ops(text_buffer *t) {
  text_string(t, ",\n\"ops\": [");
  for (int i = 0; i < rill_op_count(); i++) {
    rill_op_info op = RILL_OP_INFO_INIT;
    rill_op_describe(i, &op);
    names(t, i, op.name, op.aliases, op.deprecated);
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
  for (int i = 0; i < rill_module_type_count(); i++) {
    rill_module_type_info m = RILL_MODULE_TYPE_INFO_INIT;
    rill_module_type_describe(i, &m);
    names(t, i, m.name, m.aliases, m.deprecated);
    pair(t, ", ", "constructor", m.constructor);
    pair(t, ", ", "parameters", m.parameters);
    flag(t, "streams", m.streams);
    pair(t, ", ", "doc", m.doc);
    pair(t, ", ", "since", m.since);
  }
  text_string(t, "}\n]");
}

/* The values of the enum whose row is before d, as an object. */
static void write_values(text_buffer *t, const declaration *d) {
  key(t, ", ", "values");
  const char *before = "{";
  for (; d->kind == DECLARED_VALUE; d++, before = ", ") number(t, before, d->name, d->number);
  text_string(t, "}");
}

/* Likewise the fields of a struct, as an array. */
static void write_fields(text_buffer *t, const declaration *d) {
  key(t, ", ", "fields");
  const char *before = "[{";
  for (; d->kind == DECLARED_FIELD; d++, before = "}, {") {
    pair(t, before, "name", d->name);
    pair(t, ", ", "type", d->text);
    number(t, ", ", "offset", d->number);
  }
  text_string(t, "}]");
}

static void write_details(text_buffer *t, const declaration *d) {
  switch (d->kind) {
  case DECLARED_CALLBACK: pair(t, ", ", "type", d->text); break;
  case DECLARED_CONSTANT: number(t, ", ", "value", d->number); break;
  case DECLARED_ENUM: write_values(t, d + 1); break;
  case DECLARED_STRUCT:
    flag(t, "union", d->is_union);
    number(t, ", ", "size", d->number);
    pair(t, ", ", "init", d->text);
    write_fields(t, d + 1);
    break;
  default: break;
  }
}

static void write_declarations(text_buffer *t, const char *list, declaration_kind kind) {
  const char *header = "";
  int n = 0;
  key(t, ",\n", list);
  text_string(t, "[");
  for (const declaration *d = declarations; d->kind != DECLARED_END; d++) {
    if (d->kind == DECLARED_HEADER) header = d->name;
    if (d->kind != kind) continue;
    pair(t, item(n++), "name", d->name);
    write_details(t, d);
    pair(t, ", ", "header", header);
  }
  text_string(t, "}\n]");
}

/* The name stands before the parenthesis. */
static void write_function(text_buffer *t, const char *prototype) {
  const char *end = strchr(prototype, '('), *name = end;
  while (name[-1] != ' ' && name[-1] != '*') name--;
  key(t, "", "name");
  text_json_string(t, name, (size_t)(end - name));
  pair(t, ", ", "signature", prototype);
}

static void write_functions(text_buffer *t) {
  const char *header = "";
  int n = 0;
  key(t, ",\n", "functions");
  text_string(t, "[");
  for (const char *text = declared_functions; *text; text += strlen(text) + 1) {
    if (*text == '#') {
      header = text + 1;
      continue;
    }
    text_string(t, item(n++));
    write_function(t, text);
    pair(t, ", ", "header", header);
  }
  text_string(t, "}\n]");
}

const char *rill_api_json(rill_context *ctx) {
  if (!context_ready(ctx)) return NULL;
  if (ctx->api_json) return ctx->api_json;
  text_buffer t;
  text_init(&t, ctx->heap);
  pair(&t, "{", "version", rill_version());
  number(&t, ",\n", "abi", rill_abi_version());
  write_ops(&t);
  write_modules(&t);
  write_functions(&t);
  write_declarations(&t, "enums", DECLARED_ENUM);
  write_declarations(&t, "structs", DECLARED_STRUCT);
  write_declarations(&t, "callbacks", DECLARED_CALLBACK);
  write_declarations(&t, "constants", DECLARED_CONSTANT);
  text_string(&t, "\n}\n");
  if (t.failed) {
    error_memory(ctx, "api_json", t.capacity * 2);
    text_free(&t);
    return NULL;
  }
  return ctx->api_json = t.data;
}
