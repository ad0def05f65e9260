/* The loops of the sliding windows: maxima of keys, in vectors of independent columns. window.h says
 * what each does, window_run.c what for. All go by whole vectors of the widest instruction set, which
 * both compilers turn into as many of the one at hand, without a loop for what is left over. */
#include "pure/kernel.h"
#include "pure/window.h"

#include <string.h>

#undef LANES
#undef FLOATS
#undef KEY_MIN
#undef KEY_MAX
#undef INLINE
#undef VECTOR
#define INLINE  static inline __attribute__((always_inline))
#define LANES   (WINDOW_VECTOR / (int64_t)sizeof(integer))
#define FLOATS  (sizeof(integer) >= 4) /* there are floats of this width */
#define KEY_MAX ((integer)(((uint64_t)1 << (8 * sizeof(integer) - 1)) - 1))
#define KEY_MIN ((integer)(-KEY_MAX - 1))

/* A local vector. Aligned by hand, since gcc 12 raises the alignment of such arrays only after it has laid
 * out AddressSanitizer's frame (its bug 110027). */
#define VECTOR _Alignas(WINDOW_VECTOR) integer

/* Floats are read and written as integers of their size. */
typedef integer __attribute__((may_alias)) L(bits);

INLINE integer L(higher)(integer a, integer b) { return b > a ? b : a; }

/* ---- keys and samples ------------------------------------------------------------------------- */

INLINE integer L(to_key)(const window_keys *k, integer v) {
  if (!FLOATS) return (integer)(v ^ (integer)k->flip);
  v = v == KEY_MIN ? (integer)k->negative_zero : v;
  integer key = (integer)(v ^ (v < 0 ? (integer)k->mask : 0) ^ (integer)k->flip);
  return (v & KEY_MAX) > (integer)k->infinity ? (integer)k->nan : key;
}

INLINE integer L(from_key)(const window_keys *k, integer key) {
  integer v = (integer)(key ^ (integer)k->flip);
  if (!FLOATS) return v;
  v = (integer)(v ^ (v < 0 ? (integer)k->mask : 0));
  return key == KEY_MIN ? (integer)k->lowest : v;
}

static void L(take_samples)(const window_keys *keys, const void *x, int64_t n, void *to) {
  const window_keys k = *keys;
  const L(bits) *from = x;
  L(bits) *key = to, rest[LANES];
  for (int64_t i = 0; i < n; i += LANES, from += LANES, key += LANES) {
    if (n - i < LANES) {
      memset(rest, 0, sizeof rest);
      from = memcpy(rest, from, (size_t)(n - i) * sizeof(integer));
    }
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) key[l] = L(to_key)(&k, from[l]);
  }
}

/* ---- values ----------------------------------------------------------------------------------- */

INLINE integer L(four)(const integer *a, int64_t s0, int64_t s1, int64_t s2) {
  return L(higher)(L(higher)(a[0], a[s0]), L(higher)(a[s1], a[s2]));
}

static void L(quad)(void *keys, int64_t n, const int64_t s[3]) {
  int64_t s0 = s[0], s1 = s[1], s2 = s[2];
  integer *a = keys;
  for (int64_t i = 0; i < n; i += LANES, a += LANES) {
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) a[l] = L(four)(a + l, s0, s1, s2);
  }
}

static void L(quad_out)(const window_keys *keys, const void *m, int64_t n, const int64_t s[3],
                        void *samples, window_ahead ahead) {
  const window_keys k = *keys;
  int64_t s0 = s[0], s1 = s[1], s2 = s[2];
  const integer *a = m;
  L(bits) *y = samples, rest[LANES];
  for (int64_t i = 0; i < n; i += LANES, a += LANES, y += LANES) {
    L(bits) *to = n - i < LANES ? rest : y;
    __builtin_prefetch(ahead.x);
    __builtin_prefetch((char *)y + ahead.y, 1);
    ahead.x += ahead.pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) to[l] = L(from_key)(&k, L(four)(a + l, s0, s1, s2));
    if (to == rest) memcpy(y, rest, (size_t)(n - i) * sizeof(integer));
  }
}

/* One vector of columns, the l-th. */
INLINE void L(down_vector)(const window_rows *w, const window_keys *k, int64_t l) {
  const integer *m = (const integer *)w->m + l * LANES;
  integer *suffix = (integer *)w->suffix + l * LANES, *prefix = (integer *)w->prefix + l * LANES;
  L(bits) *y = (L(bits) *)w->y + l * LANES;
  const char *x = w->ahead.x + (w->ahead.pitch ? l * WINDOW_VECTOR : 0);
  int64_t width = w->width, pitch = w->pitch, y_pitch = w->y_pitch, d = w->d;
  int64_t rows = w->rows, x_pitch = w->ahead.pitch, next = w->ahead.y;
  VECTOR p[LANES];
  memcpy(p, prefix, sizeof p);
  for (int64_t r = 0; r < rows; r++, m += width, suffix += pitch, y += y_pitch, x += x_pitch) {
    __builtin_prefetch(x);
    __builtin_prefetch((char *)y + next, 1);
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
      integer v = L(higher)(m[i], m[i + d]), s = suffix[i];
      p[i] = L(higher)(p[i], v);
      y[i] = L(from_key)(k, L(higher)(s, p[i]));
      suffix[i] = v;
    }
  }
  memcpy(prefix, p, sizeof p);
}

static void L(down)(const window_rows *w) {
  const window_keys k = *w->keys;
  for (int64_t l = w->vectors - 1; l >= 0; l--) L(down_vector)(w, &k, l);
}

static void L(up)(void *suffixes, int64_t pitch, int64_t rows, const void *start) {
  integer *suffix = (integer *)suffixes + rows * pitch;
  VECTOR p[LANES];
  memcpy(p, start, sizeof p);
  for (int64_t r = 0; r < rows; r++) {
    suffix -= pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) suffix[l] = p[l] = L(higher)(p[l], suffix[l]);
  }
}

/* ---- keys with positions ---------------------------------------------------------------------- */

#if defined KERNEL_I32 || defined KERNEL_I64
/* The maximum of (v, at) and of what lies further on. */
INLINE void L(join)(integer *v, integer *at, integer other, integer other_at) {
  bool later = other > *v;
  *v = later ? other : *v;
  *at = later ? other_at : *at;
}

static void L(quad_at)(void *keys, void *positions, int64_t n, const int64_t s[3],
                       window_ahead ahead) {
  int64_t s0 = s[0], s1 = s[1], s2 = s[2];
  integer *a = keys, *at = positions;
  for (int64_t i = 0; i < n; i += LANES, a += LANES, at += LANES) {
    __builtin_prefetch(ahead.x);
    ahead.x += ahead.pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      integer v = a[l], p = at[l], w = a[l + s1], q = at[l + s1];
      L(join)(&v, &p, a[l + s0], at[l + s0]);
      L(join)(&w, &q, a[l + s2], at[l + s2]);
      L(join)(&v, &p, w, q);
      a[l] = v;
      at[l] = p;
    }
  }
}

INLINE void L(down_vector_at)(const window_rows *w, int64_t l) {
  const integer *m = (const integer *)w->m + l * LANES;
  const integer *at = (const integer *)w->m_at + l * LANES;
  integer *suffix = (integer *)w->suffix + l * LANES, *prefix = (integer *)w->prefix + l * LANES;
  integer *suffix_at = (integer *)w->suffix_at + l * LANES, *y = (integer *)w->y + l * LANES;
  integer *prefix_at = (integer *)w->prefix_at + l * LANES;
  const char *x = w->ahead.x + (w->ahead.pitch ? l * WINDOW_VECTOR : 0);
  int64_t width = w->width, pitch = w->pitch, d = w->d;
  VECTOR p[LANES], q[LANES];
  memcpy(p, prefix, sizeof p);
  memcpy(q, prefix_at, sizeof q);
  for (int64_t r = 0; r < w->rows; r++) {
    __builtin_prefetch(x);
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
      integer v = m[i], a = at[i], s = suffix[i], b = suffix_at[i];
      L(join)(&v, &a, m[i + d], at[i + d]);
      L(join)(&p[i], &q[i], v, a);
      L(join)(&s, &b, p[i], q[i]);
      suffix[i] = v;
      suffix_at[i] = a;
      y[i] = b;
    }
    m += width, at += width, suffix += pitch, suffix_at += pitch;
    y += w->y_pitch, x += w->ahead.pitch;
  }
  memcpy(prefix, p, sizeof p);
  memcpy(prefix_at, q, sizeof q);
}

static void L(down_at)(const window_rows *w) {
  for (int64_t l = w->vectors - 1; l >= 0; l--) L(down_vector_at)(w, l);
}

static void L(up_at)(void *suffixes, void *suffixes_at, int64_t pitch, int64_t rows,
                     const void *start, const void *start_at) {
  integer *suffix = (integer *)suffixes + rows * pitch;
  integer *at = (integer *)suffixes_at + rows * pitch;
  VECTOR p[LANES], q[LANES];
  memcpy(p, start, sizeof p);
  memcpy(q, start_at, sizeof q);
  for (int64_t r = 0; r < rows; r++) {
    suffix -= pitch, at -= pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      integer v = suffix[l], a = at[l];
      L(join)(&v, &a, p[l], q[l]);
      suffix[l] = p[l] = v;
      at[l] = q[l] = a;
    }
  }
}

static void L(count_up)(void *positions, int64_t first, int64_t n) {
  integer *at = positions;
  for (int64_t i = 0; i < n; i += LANES, at += LANES) {
    integer base = (integer)(first + i);
#pragma omp simd
    for (int l = 0; l < LANES; l++) at[l] = (integer)(base + l);
  }
}

static void L(widen_places)(int64_t *index, const void *positions, int64_t less, int64_t n) {
  const integer *at = positions;
  for (int64_t i = 0; i + LANES <= n; i += LANES) {
    for (int64_t l = 0; l < LANES; l += 8) __builtin_prefetch(index + i + l + 32 * LANES, 1);
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) index[i + l] = at[i + l] - less;
  }
  for (int64_t i = n - n % LANES; i < n; i++) index[i] = at[i] - less;
}
#endif

KERNEL(window_loops, (window_loops * loops), (loops)) {
  *loops = (window_loops) {
    .take = L(take_samples), .quad = L(quad), .quad_out = L(quad_out), .down = L(down), .up = L(up),
#if defined KERNEL_I32 || defined KERNEL_I64
    .quad_at = L(quad_at), .down_at = L(down_at), .up_at = L(up_at), .count = L(count_up),
    .widen = L(widen_places),
#endif
  };
}

#undef LANES
#undef FLOATS
#undef KEY_MIN
#undef KEY_MAX
#undef INLINE
#undef VECTOR
