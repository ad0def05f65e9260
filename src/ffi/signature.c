/* Reading the arguments of a call by an op's signature, which tells their kinds and defaults. */
#include "ffi/signature.h"

#include "base/number.h"

#include <string.h>

const rill_op *signature_op(rill_context *ctx, const char *caller, const char *name) {
  int index = rill_op_find(ctx, name);
  if (index >= 0) return op_table[index];
  error_set(ctx, RILL_ERROR_NOT_FOUND, caller, "there is no op '%.200s'", name ? name : "");
  return NULL;
}

static const struct {
  const char *name;
  rill_value_kind kind;
} types[] = {
    {"Tensor", RILL_VALUE_TENSOR}, {"Tensor[]", RILL_VALUE_TENSORS}, {"int", RILL_VALUE_INT},
    {"int[]", RILL_VALUE_INTS},    {"float", RILL_VALUE_FLOAT},      {"bool", RILL_VALUE_BOOL},
    {"str", RILL_VALUE_STRING},    {"dtype", RILL_VALUE_INT},
};

static bool same(const char *text, int size, const char *word) {
  return (size_t)size == strlen(word) && !memcmp(text, word, (size_t)size);
}

bool signature_next(const char **at, signature_parameter *p) {
  const char *s = *at + strspn(*at, ", ");
  if (!strncmp(s, "->", 2) || !*s) return false;
  memset(p, 0, sizeof *p);
  p->name = s;
  p->name_size = (int)strcspn(s, ":");
  s += p->name_size;
  s += strspn(s, ": ");
  p->type = s;
  p->type_size = (int)strcspn(s, " ,");
  s += p->type_size;
  if (!strncmp(s, " = ", 3)) {
    p->preset = s + 3;
    p->preset_size = (int)strcspn(s + 3, " ,");
    s = p->preset + p->preset_size;
  }
  p->optional = p->type[p->type_size - 1] == '?';
  p->type_size -= p->optional;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (same(p->type, p->type_size, types[i].name)) p->kind = types[i].kind;
  p->dtype = same(p->type, p->type_size, "dtype");
  *at = s;
  return true;
}

static int64_t dtype_named(const char *name, int size) {
  for (int d = RILL_F32; d <= RILL_BOOL; d++)
    if (same(name, size, rill_dtype_name((rill_dtype)d))) return d;
  return -1;
}

static int64_t read_integer(const char *s, int size) {
  int64_t value = 0;
  bool minus = *s == '-';
  for (int i = minus; i < size; i++) value = value * 10 + (s[i] - '0');
  return minus ? -value : value;
}

static double read_float(const char *s, int size) {
  double value = 0;
  if (same(s, size, "inf")) return __builtin_inf();
  if (same(s, size, "-inf")) return -__builtin_inf();
  number_read(s, (size_t)size, &value);
  return value;
}

/* A default string, without its quotes, must outlive the call: room is where it lies. */
static rill_value read_string(const char *s, int size, char room[SIGNATURE_TEXT]) {
  bool quoted = size >= 2 && *s == '"';
  s += quoted;
  size -= 2 * quoted;
  if (size >= SIGNATURE_TEXT) size = SIGNATURE_TEXT - 1;
  memcpy(room, s, (size_t)size);
  room[size] = 0;
  return op_s(room);
}

/* The value that stands where none is given. */
static rill_value preset_value(const signature_parameter *p, char room[SIGNATURE_TEXT]) {
  const char *s = p->preset;
  int size = p->preset_size;
  if (same(s, size, "None")) return op_to(NULL);
  if (p->dtype) return op_i(dtype_named(s, size));
  switch (p->kind) {
  case RILL_VALUE_INT: return op_i(read_integer(s, size));
  case RILL_VALUE_INTS: return op_is(NULL, 0); /* [] */
  case RILL_VALUE_FLOAT: return op_f(read_float(s, size));
  case RILL_VALUE_BOOL: return op_b(same(s, size, "True"));
  case RILL_VALUE_STRING: return read_string(s, size, room);
  default: return op_to(NULL);
  }
}

static const char *kind_name(int32_t kind) {
  static const char *const names[] = {"nothing", "a tensor", "tensors", "an int",
                                      "ints",    "a float",  "a bool",  "a string"};
  return kind >= 0 && kind < (int32_t)(sizeof names / sizeof *names) ? names[kind]
                                                                     : "an unknown kind";
}

/* Turns what was given into the kind that the parameter has; false where that cannot be. */
static bool convert_value(const signature_parameter *p, rill_value *v) {
  if (v->kind == RILL_VALUE_TENSOR && p->kind == RILL_VALUE_TENSOR) {
    if (p->optional && !v->as.tensor) *v = op_to(NULL);
    return true;
  }
  if (p->dtype && v->kind == RILL_VALUE_STRING && v->as.string) {
    *v = op_i(dtype_named(v->as.string, (int)strnlen(v->as.string, 16)));
    return v->as.i >= 0;
  }
  if (p->kind == RILL_VALUE_FLOAT && v->kind == RILL_VALUE_INT) {
    *v = op_f((double)v->as.i);
    return true;
  }
  if (v->kind != (int32_t)p->kind) return false;
  if (v->kind == RILL_VALUE_BOOL) *v = op_b(v->as.i != 0);
  if (v->kind == RILL_VALUE_INTS || v->kind == RILL_VALUE_TENSORS)
    return v->count >= 0 && (!v->count || v->as.ints);
  return v->kind != RILL_VALUE_STRING || v->as.string;
}

static rill_status read_argument(rill_context *ctx, const rill_op *op, const signature_parameter *p,
                                 const rill_value *given, rill_value *out,
                                 char room[SIGNATURE_TEXT]) {
  bool nothing = !given || given->kind == RILL_VALUE_NONE;
  if (nothing && p->preset) {
    *out = preset_value(p, room);
    return RILL_OK;
  }
  if (nothing && p->optional) {
    *out = op_to(NULL);
    return RILL_OK;
  }
  if (nothing)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "argument '%.*s' is missing: %s",
                     p->name_size, p->name, op->signature);
  *out = *given;
  if (convert_value(p, out)) return RILL_OK;
  return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "argument '%.*s' must be %.*s%s, not %s",
                   p->name_size, p->name, p->type_size, p->type, p->optional ? " or nothing" : "",
                   given->kind == (int32_t)p->kind ? "one at NULL or of negative size"
                                                   : kind_name(given->kind));
}

rill_status signature_read(rill_context *ctx, const rill_op *op, const rill_value *args, int n_args,
                           signature_values *out) {
  if (n_args < 0 || (n_args && !args))
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%d arguments at NULL", n_args);
  signature_parameter p;
  out->count = 0;
  for (const char *at = op->signature; signature_next(&at, &p) && out->count < OP_MAX_ARGS;) {
    int n = out->count++;
    rill_status s =
        read_argument(ctx, op, &p, n < n_args ? &args[n] : NULL, &out->value[n], out->text[n]);
    if (s != RILL_OK) return s;
  }
  if (n_args > out->count)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op->name, "%d arguments given, it takes %d: %s",
                     n_args, out->count, op->signature);
  return RILL_OK;
}
