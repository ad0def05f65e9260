/* A slot that grows along time: rows are appended in place while the memory behind them has room. */
#include "sequence/state.h"

#include "autograd/autograd.h"

#include <string.h>

static int64_t row_size(const rill_tensor *t) {
  int64_t n = 1;
  for (int d = 2; d < t->ndim; d++) n *= t->shape[d];
  return n;
}

/* `count` rows of a room from row `first` on, as a tensor. */
static rill_tensor *rows_at(rill_context *ctx, const rill_tensor *room, int64_t first,
                            int64_t count) {
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, room->shape, sizeof shape);
  shape[1] = count;
  char *data =
      room->data + first * room->strides[1] * (int64_t)rill_dtype_size((rill_dtype)room->dtype);
  rill_tensor *t = tensor_view(ctx, room, shape, room->strides, room->ndim, data);
  if (t) t->inference = room->inference;
  return t;
}

static void copy_rows(rill_context *ctx, const rill_tensor *from, const rill_tensor *to) {
  strided_copy(ctx, from->ndim, from->shape, (rill_dtype)from->dtype, from->data, from->strides,
               (rill_dtype)to->dtype, to->data, to->strides);
}

/* A room for the last `kept` rows of the value and `count` more, twice as large as they are. */
static rill_tensor *larger_room(rill_context *ctx, const rill_tensor *value, int64_t kept,
                                int64_t count) {
  int64_t shape[RILL_MAX_DIMS];
  memcpy(shape, value->shape, sizeof shape);
  if (!checked_add(kept, count, &shape[1]) || !checked_mul(shape[1], 2, &shape[1])) {
    error_set(ctx, RILL_ERROR_OVERFLOW, "extend", "the sequence is too long");
    return NULL;
  }
  rill_tensor *room = tensor_new(ctx, "extend", (rill_dtype)value->dtype, shape, value->ndim);
  if (!room) return NULL;
  room->inference = ctx->grad_mode == GRAD_INFERENCE;
  rill_tensor *from = rill_narrow(ctx, value, 1, value->shape[1] - kept, kept),
              *to = rows_at(ctx, room, 0, kept);
  if (!from || !to) return NULL;
  copy_rows(ctx, from, to);
  return room;
}

static rill_tensor *append_recorded(rill_context *ctx, state_entry *e, const rill_tensor *rows,
                                    int64_t limit) {
  rill_tensor *all = rill_cat(ctx, (const rill_tensor *const[]){e->value, rows}, 2, 1), *kept = all;
  if (all && limit >= 0 && all->shape[1] > limit)
    kept = rill_narrow(ctx, all, 1, all->shape[1] - limit, limit);
  if (!kept) return NULL;
  state_set(e, kept);
  return all;
}

static bool fits(const rill_tensor *a, const rill_tensor *b) {
  return a->dtype == b->dtype && a->ndim == b->ndim && a->ndim >= 2 && a->shape[0] == b->shape[0] &&
         !memcmp(a->shape + 2, b->shape + 2, (size_t)(a->ndim - 2) * sizeof *a->shape);
}

rill_tensor *state_append(rill_context *ctx, rill_state *state, const rill_module *self,
                          const char *name, const rill_tensor *rows, int64_t limit) {
  rill_tensor *value = rill_state_get(ctx, state, self, name);
  if (!value || !rows) return NULL;
  state_entry *e = state_slot(state, self, name);
  if (state_open(value) && rows->ndim >= 2) {
    value = rill_narrow(ctx, rows, 1, 0, 0);
    if (!value) return NULL;
    state_set(e, value);
  }
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!fits(value, rows)) {
    error_set(ctx, RILL_ERROR_SHAPE, "extend", "\"%s\" is %s %s in the state and %s %s now", name,
              rill_dtype_name((rill_dtype)value->dtype), shape_text(value->shape, value->ndim, a),
              rill_dtype_name((rill_dtype)rows->dtype), shape_text(rows->shape, rows->ndim, b));
    return NULL;
  }
  if (grad_wanted(ctx, value) || grad_wanted(ctx, rows))
    return append_recorded(ctx, e, rows, limit);
  int64_t kept = value->shape[1], count = rows->shape[1], first = 0;
  rill_tensor *room = e->room;
  if (room) {
    int64_t bytes = row_size(room) * (int64_t)rill_dtype_size((rill_dtype)room->dtype);
    first = bytes ? (value->data - room->data) / bytes : 0;
  }
  if (!room || first + kept + count > room->shape[1]) {
    room = larger_room(ctx, value, kept, count);
    first = 0;
  }
  int64_t all = kept + count, stay = limit >= 0 && all > limit ? limit : all;
  rill_tensor *end = room ? rows_at(ctx, room, first + kept, count) : NULL;
  rill_tensor *whole = end ? rows_at(ctx, room, first, all) : NULL;
  rill_tensor *next = whole ? rows_at(ctx, room, first + all - stay, stay) : NULL;
  if (!next) return NULL;
  copy_rows(ctx, rows, end);
  rill_tensor_retain(room);
  state_set(e, next);
  e->room = room;
  return whole;
}
