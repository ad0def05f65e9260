/* The loops of the sliding windows: maxima of keys, in vectors of independent columns. window.h says
 * what each does, window_run.c what for. All go by whole vectors of the widest instruction set, which
 * both compilers turn into as many of the one at hand, without a loop for what is left over. */
#include "pure/kernel.h"
#include "pure/window.h"

#include <string.h>
#if defined __SSE2__
#include <immintrin.h>
#endif

#undef LANES
#undef FLOATS
#undef INLINE
#undef VECTOR
#undef SHIFTED
#define INLINE static inline __attribute__((always_inline))
#define LANES  (WINDOW_VECTOR / (int64_t)sizeof(integer))
#define FLOATS (sizeof(integer) >= 4) /* there are floats of this width */

/* The lanes of a from the s-th on, and then those of b: where one instruction does it. */
#if defined KERNEL_AVX512 && defined KERNEL_I32
#define SHIFTED(a, b, s)                                                                           \
  __builtin_shufflevector(a, b, s, s + 1, s + 2, s + 3, s + 4, s + 5, s + 6, s + 7, s + 8, s + 9,  \
                          s + 10, s + 11, s + 12, s + 13, s + 14, s + 15)
#elif defined KERNEL_AVX512 && defined KERNEL_I64
#define SHIFTED(a, b, s)                                                                           \
  __builtin_shufflevector(a, b, s, s + 1, s + 2, s + 3, s + 4, s + 5, s + 6, s + 7)
#endif

/* A local vector. Aligned by hand, since gcc 12 raises the alignment of such arrays only after it has laid
 * out AddressSanitizer's frame (its bug 110027). */
#define VECTOR _Alignas(WINDOW_VECTOR) integer

/* Floats are read and written as integers of their size. */
typedef integer __attribute__((may_alias)) L(bits);

INLINE integer L(higher)(integer a, integer b) { return b > a ? b : a; }

/* Stores a vector past the cache; both must be aligned to it, and a fence must follow. */
INLINE void L(stream)(void *to, const void *from) {
#if defined KERNEL_AVX512
  _mm512_stream_si512(to, _mm512_load_si512(from));
#elif defined KERNEL_AVX2
  const __m256i *v = from;
  for (int i = 0; i < 2; i++) _mm256_stream_si256((__m256i *)to + i, _mm256_load_si256(v + i));
#elif defined __SSE2__
  const __m128i *v = from;
  for (int i = 0; i < 4; i++) _mm_stream_si128((__m128i *)to + i, _mm_load_si128(v + i));
#else
  memcpy(to, from, WINDOW_VECTOR);
#endif
}

static void L(fence)(void) {
#if defined __SSE2__
  _mm_sfence();
#endif
}

/* ---- keys and samples ------------------------------------------------------------------------- */

/* A sum that wraps around. */
INLINE integer L(shifted)(integer a, int64_t by) { return (integer)((uint64_t)a + (uint64_t)by); }

/* Negative integers with the mask's bits flipped. */
INLINE integer L(ordered)(integer v, int64_t mask) {
  return (integer)(v ^ (v >> (8 * sizeof v - 1) & (integer)mask));
}

INLINE integer L(to_key)(const window_keys *k, integer v, const bool places) {
  if (!FLOATS) return (integer)(v ^ (integer)k->flip);
  if (places) v = v == (integer)k->zero ? 0 : v;
  integer key = (integer)(L(ordered)(v, k->mask) ^ (integer)k->flip);
  key = L(higher)(L(shifted)(key, k->bias), (integer)k->floor);
  return places && key > (integer)k->ceiling ? (integer)k->ceiling : key;
}

INLINE integer L(from_key)(const window_keys *k, integer key) {
  if (!FLOATS) return (integer)(key ^ (integer)k->flip);
  integer v = (integer)(L(shifted)(key, -k->bias) ^ (integer)k->flip);
  return L(ordered)(v, k->mask);
}

INLINE void L(take_vectors)(const window_keys *keys, const void *x, int64_t n, void *to,
                            int64_t x_ahead, const bool places) {
  const window_keys k = *keys;
  const L(bits) *from = x;
  L(bits) *key = to, rest[LANES];
  for (int64_t i = 0; i < n; i += LANES, from += LANES, key += LANES) {
    if (n - i < LANES) {
      memset(rest, 0, sizeof rest);
      from = memcpy(rest, from, (size_t)(n - i) * sizeof(integer));
    }
    __builtin_prefetch((const char *)from + x_ahead);
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) key[l] = L(to_key)(&k, from[l], places);
  }
}

static void L(take_samples)(const window_keys *keys, const void *x, int64_t n, void *to,
                            int64_t x_ahead) {
  if (FLOATS && keys->zero)
    L(take_vectors)(keys, x, n, to, x_ahead, true);
  else
    L(take_vectors)(keys, x, n, to, x_ahead, false);
}

/* ---- lanes ------------------------------------------------------------------------------------ */

#if defined SHIFTED
/* Aligned as its elements are, for the same reason as VECTOR is by hand. */
typedef integer L(lanes)
    __attribute__((vector_size(WINDOW_VECTOR), aligned(sizeof(integer)), may_alias));

/* Maxima, and their positions; where these are not read they cost nothing. */
typedef struct L(maxima) {
  L(lanes) v, at;
} L(maxima);

INLINE L(lanes) L(load)(const integer *a) { return *(const L(lanes) *)a; }
INLINE void L(store)(integer *a, L(lanes) v) { *(L(lanes) *)a = v; }

/* Loops run over arrays, which both compilers make vectors of. */
INLINE L(maxima)
    L(keys_of)(const window_keys *k, const L(bits) * x, int64_t at, const bool places) {
  VECTOR v[LANES], p[LANES];
  integer first = (integer)at;
#pragma omp simd
  for (int l = 0; l < LANES; l++) v[l] = L(to_key)(k, x[l], places);
#pragma omp simd
  for (int l = 0; l < LANES; l++) p[l] = (integer)(first + l);
  return (L(maxima)){L(load)(v), L(load)(p)};
}

INLINE L(maxima) L(joined)(L(maxima) a, L(lanes) other, L(lanes) other_at) {
  VECTOR v[LANES], p[LANES], w[LANES], q[LANES];
  L(store)(v, a.v);
  L(store)(p, a.at);
  L(store)(w, other);
  L(store)(q, other_at);
#pragma omp simd
  for (int l = 0; l < LANES; l++) {
    p[l] = w[l] > v[l] ? q[l] : p[l];
    v[l] = L(higher)(v[l], w[l]);
  }
  return (L(maxima)){L(load)(v), L(load)(p)};
}

/* Those of a and of what lies s further on; b follows a. */
#define JOINED(a, b, s)  L(joined)(a, SHIFTED(a.v, b.v, s), SHIFTED(a.at, b.at, s))
#define NEIGHBOURS(a, b) L(joined)(a, SHIFTED(a.v, b.v, 1), a.at + 1)

/* Maxima of 2, 4, 8 and 16 keys follow each other through registers, each a vector behind the one before;
 * those of more than `width` only wait. */
INLINE void L(lane_maxima)(const window_keys *keys, const void *x, int64_t n, const int width,
                           void *to, void *to_at, int64_t first, const bool places) {
  const window_keys k = *keys;
  const L(bits) *from = x;
  integer *m = to, *at = to_at;
  L(maxima) one = {0}, two = {0}, four = {0}, eight = {0};
  for (int64_t i = -WINDOW_LANES_AHEAD * LANES; i < n; i += LANES) {
    __builtin_prefetch((const char *)from + WINDOW_AHEAD);
    L(maxima) next = L(keys_of)(&k, from, first, places), last;
    from += LANES, first += LANES;
    last = one, one = next, next = NEIGHBOURS(last, next);
    last = two, two = next, next = width > 2 ? JOINED(last, next, 2) : last;
    last = four, four = next, next = width > 4 ? JOINED(last, next, 4) : last;
    last = eight, eight = next;
    if (width > 8) last = JOINED(last, next, 8);
    if (i < 0) continue;
    L(store)(m, last.v);
    m += LANES;
    if (!places) continue;
    L(store)(at, last.at);
    at += LANES;
  }
}

static void L(take_lanes)(const window_keys *keys, const void *x, int64_t n, int64_t width,
                          void *to) {
  switch (width) {
  case 2: L(lane_maxima)(keys, x, n, 2, to, NULL, 0, false); break;
  case 4: L(lane_maxima)(keys, x, n, 4, to, NULL, 0, false); break;
  case 8: L(lane_maxima)(keys, x, n, 8, to, NULL, 0, false); break;
  default: L(lane_maxima)(keys, x, n, LANES, to, NULL, 0, false);
  }
}

static void L(take_lanes_at)(const window_keys *keys, const void *x, int64_t n, int64_t width,
                             void *to, void *to_at, int64_t first) {
  switch (width) {
  case 2: L(lane_maxima)(keys, x, n, 2, to, to_at, first, true); break;
  case 4: L(lane_maxima)(keys, x, n, 4, to, to_at, first, true); break;
  case 8: L(lane_maxima)(keys, x, n, 8, to, to_at, first, true); break;
  default: L(lane_maxima)(keys, x, n, LANES, to, to_at, first, true);
  }
}

#undef JOINED
#undef NEIGHBOURS
#endif

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

/* One vector of results. */
INLINE void L(put)(L(bits) * y, const integer *v, bool past, int64_t ahead) {
  if (past)
    L(stream)(y, v);
  else {
    __builtin_prefetch((char *)y + ahead, 1);
    memcpy(y, v, WINDOW_VECTOR);
  }
}

static void L(quad_out)(const window_keys *keys, const void *m, int64_t n, const int64_t s[3],
                        void *samples, bool past) {
  const window_keys k = *keys;
  int64_t s0 = s[0], s1 = s[1], s2 = s[2];
  bool pair = s0 == s2;
  const integer *a = m;
  L(bits) *y = samples;
  for (int64_t i = 0; i < n; i += LANES, a += LANES, y += LANES) {
    VECTOR v[LANES];
    if (pair) {
#pragma omp simd
      for (int64_t l = 0; l < LANES; l++) v[l] = L(higher)(a[l], a[l + s0]);
    } else {
#pragma omp simd
      for (int64_t l = 0; l < LANES; l++) v[l] = L(four)(a + l, s0, s1, s2);
    }
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) v[l] = L(from_key)(&k, v[l]);
    if (n - i < LANES)
      memcpy(y, v, (size_t)(n - i) * sizeof(integer));
    else
      L(put)(y, v, past, WINDOW_AHEAD);
  }
}

/* A vector of columns in one row. */
INLINE void L(down_vector)(const window_keys *k, const integer *m, int64_t d, integer *suffix,
                           integer *prefix, L(bits) * y, bool past, int64_t ahead) {
  VECTOR out[LANES];
#pragma omp simd
  for (int64_t i = 0; i < LANES; i++) {
    integer v = L(higher)(m[i], m[i + d]), s = suffix[i];
    prefix[i] = L(higher)(prefix[i], v);
    out[i] = L(from_key)(k, L(higher)(s, prefix[i]));
    suffix[i] = v;
  }
  L(put)(y, out, past, ahead);
}

/* A single vector's prefix stays in a register. */
static void L(down_narrow)(const window_rows *w) {
  const window_keys k = *w->keys;
  const integer *m = w->m;
  integer *suffix = w->suffix;
  L(bits) *y = w->y;
  int64_t width = w->width, pitch = w->pitch, y_pitch = w->y_pitch, d = w->d;
  VECTOR p[LANES];
  memcpy(p, w->prefix, sizeof p);
  for (int64_t r = 0; r < w->rows; r++, m += width, suffix += pitch, y += y_pitch)
    L(down_vector)(&k, m, d, suffix, p, y, w->past, WINDOW_AHEAD);
  memcpy(w->prefix, p, sizeof p);
}

static void L(down)(const window_rows *w) {
  if (w->vectors == 1) {
    L(down_narrow)(w);
    return;
  }
  const window_keys k = *w->keys;
  int64_t d = w->d, next = w->y_pitch * (int64_t)sizeof(integer);
  for (int64_t r = 0; r < w->rows; r++) {
    const integer *m = (const integer *)w->m + r * w->width;
    integer *suffix = (integer *)w->suffix + r * w->pitch;
    L(bits) *y = (L(bits) *)w->y + r * w->y_pitch;
    for (int64_t l = (w->vectors - 1) * LANES; l >= 0; l -= LANES)
      L(down_vector)(&k, m + l, d, suffix + l, (integer *)w->prefix + l, y + l, w->past, next);
  }
}

static void L(up_narrow)(integer *suffix, int64_t pitch, int64_t rows, const void *start) {
  VECTOR p[LANES];
  memcpy(p, start, sizeof p);
  for (suffix += rows * pitch; rows > 0; rows--) {
    suffix -= pitch;
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) suffix[l] = p[l] = L(higher)(p[l], suffix[l]);
  }
}

static void L(up)(void *suffixes, int64_t pitch, int64_t rows, int64_t vectors, const void *start) {
  if (vectors == 1) {
    L(up_narrow)(suffixes, pitch, rows, start);
    return;
  }
  const integer *below = start;
  for (int64_t r = rows - 1; r >= 0; r--) {
    integer *suffix = (integer *)suffixes + r * pitch;
#pragma omp simd
    for (int64_t l = 0; l < vectors * LANES; l++) suffix[l] = L(higher)(below[l], suffix[l]);
    below = suffix;
  }
}

/* ---- keys with positions ---------------------------------------------------------------------- */

#if defined KERNEL_I32 || defined KERNEL_I64
/* The maximum of (v, at) and of what lies further on. */
INLINE void L(join)(integer *v, integer *at, integer other, integer other_at) {
  *at = other > *v ? other_at : *at;
  *v = L(higher)(*v, other);
}

INLINE void L(near_vectors)(integer *a, integer *at, int64_t n, const int64_t s[3],
                            const int64_t steps[3], int64_t first, const bool counted) {
  int64_t s0 = s[0], s1 = s[1], s2 = s[2];
  integer d0 = (integer)steps[0], d1 = (integer)steps[1], d2 = (integer)steps[2];
  for (int64_t i = 0; i < n; i += LANES, a += LANES, at += LANES) {
    integer base = (integer)(first + i);
#pragma omp simd
    for (int l = 0; l < LANES; l++) {
      integer v = a[l], w = a[l + s1], p = counted ? (integer)(base + l) : at[l];
      integer here = p, q = (integer)(here + d1);
      L(join)(&v, &p, a[l + s0], (integer)(here + d0));
      L(join)(&w, &q, a[l + s2], (integer)(here + d2));
      L(join)(&v, &p, w, q);
      a[l] = v;
      at[l] = p;
    }
  }
}

static void L(near_at)(void *keys, void *positions, int64_t n, const int64_t s[3],
                       const int64_t steps[3], int64_t first) {
  if (first >= 0)
    L(near_vectors)(keys, positions, n, s, steps, first, true);
  else
    L(near_vectors)(keys, positions, n, s, steps, first, false);
}

/* The join of four, and their positions. */
INLINE void L(four_at)(const integer *a, const integer *at, const int64_t s[3], integer *v,
                       integer *p) {
  integer w = a[s[1]], q = at[s[1]];
  *v = a[0], *p = at[0];
  L(join)(v, p, a[s[0]], at[s[0]]);
  L(join)(&w, &q, a[s[2]], at[s[2]]);
  L(join)(v, p, w, q);
}

static void L(quad_at)(void *keys, void *positions, int64_t n, const int64_t s[3]) {
  const int64_t steps[3] = {s[0], s[1], s[2]};
  integer *a = keys, *at = positions;
  for (int64_t i = 0; i < n; i += LANES, a += LANES, at += LANES) {
#pragma omp simd
    for (int64_t l = 0; l < LANES; l++) {
      integer v, p;
      L(four_at)(a + l, at + l, steps, &v, &p);
      a[l] = v;
      at[l] = p;
    }
  }
}

/* A vector of positions, as indices. */
INLINE void L(put_index)(int64_t *index, const integer *at, int64_t less, int64_t n, bool past) {
  _Alignas(WINDOW_VECTOR) int64_t wide[LANES];
#pragma omp simd
  for (int64_t l = 0; l < LANES; l++) wide[l] = at[l] - less;
  if (n < LANES)
    memcpy(index, wide, (size_t)n * sizeof *index);
  else if (past)
    for (int64_t l = 0; l < LANES; l += 8) L(stream)(index + l, wide + l);
  else {
    for (int64_t l = 0; l < LANES; l += 8)
      __builtin_prefetch((char *)(index + l) + WINDOW_AHEAD, 1);
    memcpy(index, wide, sizeof wide);
  }
}

static void L(quad_index)(const void *keys, const void *positions, int64_t n, const int64_t s[3],
                          int64_t less, int64_t *index, bool past) {
  const int64_t steps[3] = {s[0], s[1], s[2]};
  const integer *a = keys, *at = positions;
  bool pair = s[0] == s[2];
  for (int64_t i = 0; i < n; i += LANES, a += LANES, at += LANES, index += LANES) {
    VECTOR p[LANES];
    if (pair) {
#pragma omp simd
      for (int64_t l = 0; l < LANES; l++) p[l] = a[l + steps[0]] > a[l] ? at[l + steps[0]] : at[l];
    } else {
#pragma omp simd
      for (int64_t l = 0; l < LANES; l++) {
        integer v;
        L(four_at)(a + l, at + l, steps, &v, p + l);
      }
    }
    L(put_index)(index, p, less, n - i, past);
  }
}

INLINE void L(down_vector_at)(const window_rows *w, int64_t l) {
  const integer *m = (const integer *)w->m + l * LANES;
  const integer *at = (const integer *)w->m_at + l * LANES;
  integer *suffix = (integer *)w->suffix + l * LANES, *prefix = (integer *)w->prefix + l * LANES;
  integer *suffix_at = (integer *)w->suffix_at + l * LANES;
  integer *prefix_at = (integer *)w->prefix_at + l * LANES;
  int64_t width = w->width, pitch = w->pitch, d = w->d, *index = (int64_t *)w->y + l * LANES;
  VECTOR p[LANES], q[LANES], out[LANES];
  memcpy(p, prefix, sizeof p);
  memcpy(q, prefix_at, sizeof q);
  for (int64_t r = 0; r < w->rows; r++) {
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
      integer v = m[i], a = at[i], s = suffix[i], b = suffix_at[i];
      L(join)(&v, &a, m[i + d], at[i + d]);
      L(join)(&p[i], &q[i], v, a);
      L(join)(&s, &b, p[i], q[i]);
      suffix[i] = v;
      suffix_at[i] = a;
      out[i] = b;
    }
    L(put_index)(index, out, w->less, LANES, w->past);
    m += width, at += width, suffix += pitch, suffix_at += pitch, index += w->y_pitch;
  }
  memcpy(prefix, p, sizeof p);
  memcpy(prefix_at, q, sizeof q);
}

static void L(down_at)(const window_rows *w) {
  for (int64_t l = w->vectors - 1; l >= 0; l--) L(down_vector_at)(w, l);
}

INLINE void L(up_vector_at)(integer *suffix, integer *at, int64_t pitch, int64_t rows,
                            const integer *start, const integer *start_at) {
  VECTOR p[LANES], q[LANES];
  memcpy(p, start, sizeof p);
  memcpy(q, start_at, sizeof q);
  for (suffix += rows * pitch, at += rows * pitch; rows > 0; rows--) {
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

static void L(up_at)(void *suffixes, void *suffixes_at, int64_t pitch, int64_t rows,
                     int64_t vectors, const void *start, const void *start_at) {
  for (int64_t l = 0; l < vectors * LANES; l += LANES) L(up_vector_at)
  ((integer *)suffixes + l, (integer *)suffixes_at + l, pitch, rows, (const integer *)start + l,
   (const integer *)start_at + l);
}
#endif

KERNEL(window_loops, (window_loops * loops), (loops)) {
  *loops = (window_loops) {
#if defined SHIFTED
    .take_lanes = L(take_lanes), .take_lanes_at = L(take_lanes_at),
#endif
    .fence = L(fence), .take = L(take_samples), .quad = L(quad), .quad_out = L(quad_out),
    .down = L(down), .up = L(up),
#if defined KERNEL_I32 || defined KERNEL_I64
    .near_at = L(near_at), .quad_at = L(quad_at), .down_at = L(down_at), .up_at = L(up_at),
    .quad_index = L(quad_index),
#endif
  };
}

#undef LANES
#undef FLOATS
#undef INLINE
#undef VECTOR
#undef SHIFTED
