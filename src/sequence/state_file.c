/* States in safetensors files: the slots by their paths, batch and position as metadata. */
#include "sequence/state.h"

#include "rill/io.h"

#include <string.h>

static const char position_key[] = "rill.position";

enum { NUMBER_TEXT = 24 };

/* A number of at least 0 in decimal. */
static void write_number(int64_t n, char out[NUMBER_TEXT]) {
  char digits[NUMBER_TEXT];
  int count = 0;
  do digits[count++] = (char)('0' + n % 10);
  while (n /= 10);
  for (int i = 0; i < count; i++) out[i] = digits[count - 1 - i];
  out[count] = 0;
}

/* -1 where the text is no such number. */
static int64_t read_number(const char *s) {
  int64_t n = 0;
  if (!s || !*s) return -1;
  for (; *s; s++)
    if (*s < '0' || *s > '9' || !checked_mul(n, 10, &n) || !checked_add(n, *s - '0', &n)) return -1;
  return n;
}

rill_status rill_state_save(rill_context *ctx, const rill_state *state, const char *path) {
  static const char op[] = "state_save";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!state || !path)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", state ? "path" : "state");
  size_t room = (size_t)(state->count ? state->count : 1) * sizeof(void *);
  const char **names = context_alloc(ctx, op, room);
  const rill_tensor **tensors = context_alloc(ctx, op, room);
  if (names && tensors) {
    for (int i = 0; i < state->count; i++) {
      names[i] = state->entries[i].path;
      tensors[i] = state->entries[i].value;
    }
    char position[NUMBER_TEXT];
    write_number(state->position, position);
    rill_safetensors_save(ctx, path, names, tensors, state->count,
                          (const char *const[]){position_key}, (const char *const[]){position}, 1);
  }
  heap_free(names);
  heap_free(tensors);
  return ctx->error;
}

/* A cache is empty at first, and grows along dim 1. */
static bool slot_fits(const rill_tensor *is, const rill_tensor *t) {
  if (state_open(is)) return t->ndim >= 2 && t->shape[0] == is->shape[0];
  bool fits = t->dtype == is->dtype && t->ndim == is->ndim;
  for (int d = 0; fits && d < t->ndim; d++)
    fits = t->shape[d] == is->shape[d] || (d == 1 && is->shape[1] == 0);
  return fits;
}

/* Tensor i of the file, if the slot can hold it. */
static rill_tensor *read_slot(rill_context *ctx, const char *op, rill_safetensors *file,
                              const state_entry *e) {
  rill_tensor *t = rill_safetensors_get(ctx, file, e->path);
  const rill_tensor *is = e->initial;
  if (!t) return NULL;
  if (slot_fits(is, t)) return rill_clone(ctx, t);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  error_set(ctx, RILL_ERROR_SHAPE, op, "\"%.200s\" is %s %s in the file, %s %s in the state",
            e->path, rill_dtype_name((rill_dtype)t->dtype), shape_text(t->shape, t->ndim, a),
            rill_dtype_name((rill_dtype)is->dtype), shape_text(is->shape, is->ndim, b));
  return NULL;
}

rill_status rill_state_load(rill_context *ctx, rill_state *state, const char *path) {
  static const char op[] = "state_load";
  if (!context_ready(ctx)) return rill_error(ctx);
  if (!state || !path)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "the %s is NULL", state ? "path" : "state");
  if (rill_scope_open(ctx) != RILL_OK) return ctx->error;
  rill_safetensors *file = rill_safetensors_open(ctx, path);
  int64_t position = file ? read_number(rill_safetensors_metadata(file, position_key)) : 0;
  if (file && (position < 0 || rill_safetensors_count(file) != state->count))
    error_set(ctx, RILL_ERROR_FORMAT, op, "%s holds no state of %d tensors", path, state->count);
  size_t room = (size_t)(state->count ? state->count : 1) * sizeof(rill_tensor *);
  rill_tensor **values = ctx->error == RILL_OK ? context_alloc(ctx, op, room) : NULL;
  for (int i = 0; ctx->error == RILL_OK && i < state->count; i++)
    values[i] = read_slot(ctx, op, file, &state->entries[i]);
  if (ctx->error == RILL_OK) {
    for (int i = 0; i < state->count; i++) state_set(&state->entries[i], values[i]);
    state->position = position;
  }
  heap_free(values);
  rill_scope_close(ctx);
  return ctx->error;
}
