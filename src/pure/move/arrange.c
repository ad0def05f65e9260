/* Joining, splitting and rearranging: elements move and nothing is computed, so each is written once,
 * over the size of an element. Arrays are [outer, n, inner] around the dim that is worked on. */
#include "pure/move/move.h"
#include "rill/pure.h"

#include <string.h>

/* x, count blocks of n[i] * inner elements for each outer index, to or from the whole in y. */
static void join(char *const *piece, const int64_t *n, int count, char *whole, int64_t outer,
                 int64_t inner, size_t size, bool split) {
  for (int64_t o = 0; o < outer; o++)
    for (int i = 0; i < count; i++) {
      size_t bytes = (size_t)(n[i] * inner) * size;
      char *at = piece[i] ? piece[i] + (size_t)o * bytes : NULL;
      if (bytes && at) memcpy(split ? at : whole, split ? whole : at, bytes);
      if (bytes && !at && !split) memset(whole, 0, bytes);
      whole += bytes;
    }
}

/* Elements of `size` bytes each, backwards. */
static void flip(const char *x, char *y, int64_t outer, int64_t n, size_t row) {
  for (int64_t o = 0; row && o < outer; o++, y += (size_t)n * row)
    for (int64_t i = n; i > 0; i--, x += row) memcpy(y + (size_t)(i - 1) * row, x, row);
}

static void roll(const char *x, char *y, int64_t outer, int64_t n, size_t row, int64_t shift) {
  if (!n || !row) return;
  size_t moved = (size_t)((shift % n + n) % n) * row, all = (size_t)n * row;
  for (int64_t o = 0; o < outer; o++, x += all, y += all) {
    memcpy(y + moved, x, all - moved);
    memcpy(y, x + all - moved, moved);
  }
}

static void repeat(const char *x, char *y, int64_t outer, size_t row, int64_t repeats) {
  for (int64_t o = 0; row && o < outer; o++, x += row)
    for (int64_t r = 0; r < repeats; r++, y += row) memcpy(y, x, row);
}

static int64_t clamp_cols(int64_t x, int64_t cols) { return x < 0 ? 0 : x < cols ? x : cols; }

void triangle_rows(const char *from, char *to, int64_t begin, int64_t end, int64_t rows,
                   int64_t cols, int64_t diagonal, size_t size, bool upper) {
  size_t row = (size_t)cols * size;
  from += (size_t)begin * row;
  to += (size_t)begin * row;
  for (int64_t r = begin; r < end; r++, from += row, to += row) {
    int64_t limit;
    if (!checked_add(r % rows, diagonal, &limit)) limit = cols;
    size_t cut = (size_t)clamp_cols(upper || limit >= cols ? limit : limit + 1, cols) * size;
    memcpy(upper ? to + cut : to, upper ? from + cut : from, upper ? row - cut : cut);
    memset(upper ? to : to + cut, 0, upper ? cut : row - cut);
  }
}

rill_status rill_one_hot_i64(const int64_t *index, int64_t *y, int64_t n, int64_t classes) {
  for (int64_t i = 0; i < n; i++)
    if (index[i] < 0 || index[i] >= classes) return RILL_ERROR_INDEX;
  if (n > 0) memset(y, 0, (size_t)n * (size_t)classes * sizeof *y);
  for (int64_t i = 0; i < n; i++) y[i * classes + index[i]] = 1;
  return RILL_OK;
}

/* The pure face of each, for one type. */
#define FACES(real, suffix)                                                                        \
  void rill_cat_##suffix(const real *const *x, const int64_t *n, int count, real *y,               \
                         int64_t outer, int64_t inner) {                                           \
    join((char *const *)(uintptr_t)x, n, count, (char *)y, outer, inner, sizeof(real), false);     \
  }                                                                                                \
  void rill_split_##suffix(const real *x, real *const *y, const int64_t *n, int count,             \
                           int64_t outer, int64_t inner) {                                         \
    join((char *const *)(uintptr_t)y, n, count, (char *)(uintptr_t)x, outer, inner, sizeof(real),  \
         true);                                                                                    \
  }                                                                                                \
  void rill_flip_##suffix(const real *x, real *y, int64_t outer, int64_t n, int64_t inner) {       \
    flip((const char *)x, (char *)y, outer, n, (size_t)inner * sizeof(real));                      \
  }                                                                                                \
  void rill_roll_##suffix(const real *x, real *y, int64_t outer, int64_t n, int64_t inner,         \
                          int64_t shift) {                                                         \
    roll((const char *)x, (char *)y, outer, n, (size_t)inner * sizeof(real), shift);               \
  }                                                                                                \
  void rill_repeat_##suffix(const real *x, real *y, int64_t outer, int64_t n, int64_t inner,       \
                            int64_t repeats) {                                                     \
    repeat((const char *)x, (char *)y, outer, (size_t)(n * inner) * sizeof(real), repeats);        \
  }                                                                                                \
  void rill_tril_##suffix(const real *x, real *y, int64_t matrices, int64_t rows, int64_t cols,    \
                          int64_t diagonal) {                                                      \
    triangle_rows((const char *)x, (char *)y, 0, matrices *rows, rows, cols, diagonal,             \
                  sizeof(real), false);                                                            \
  }                                                                                                \
  void rill_triu_##suffix(const real *x, real *y, int64_t matrices, int64_t rows, int64_t cols,    \
                          int64_t diagonal) {                                                      \
    triangle_rows((const char *)x, (char *)y, 0, matrices *rows, rows, cols, diagonal,             \
                  sizeof(real), true);                                                             \
  }
FACES(float, f32)
FACES(double, f64)
#undef FACES
