/* Going through arrays that are larger than the cache. The processor by itself foresees too late what
 * will be read and written, so that computing and waiting take turns: a long array is gone through by
 * pieces of a few cache lines, and before each piece the one that lies 4 kB on is asked for. Include
 * after pure/kernel.h, once per pass. */

enum {
  L(stream_piece) = 64,                         /* elements */
  L(stream_ahead) = (int)(4096 / sizeof(real)), /* likewise */
  L(stream_long) = (int)(65536 / sizeof(real))  /* shorter arrays are in the cache anyway */
};

/* Asks for a piece's lines: `ahead` may lie beyond the array's end, where nothing happens. */
static inline void L(stream_read)(const real *ahead) {
  for (int i = 0; i < L(stream_piece); i += (int)(64 / sizeof(real))) __builtin_prefetch(ahead + i);
}

static inline void L(stream_write)(real *ahead) {
  for (int i = 0; i < L(stream_piece); i += (int)(64 / sizeof(real)))
    __builtin_prefetch(ahead + i, 1);
}

static __attribute__((noinline)) void L(stream_unary)(void (*f)(const real *x, real *y, int64_t n),
                                                      const real *x, real *y, int64_t n) {
  for (int64_t i = 0; i < n; i += L(stream_piece)) {
    L(stream_read)(x + i + L(stream_ahead));
    if (x != y) L(stream_write)(y + i + L(stream_ahead));
    f(x + i, y + i, n - i < L(stream_piece) ? n - i : L(stream_piece));
  }
}

static __attribute__((noinline)) void L(stream_binary)(
    void (*f)(const real *a, int64_t stride_a, const real *b, int64_t stride_b, real *y, int64_t n),
    const real *a, int64_t stride_a, const real *b, int64_t stride_b, real *y, int64_t n) {
  for (int64_t i = 0; i < n; i += L(stream_piece)) {
    if (stride_a == 1) L(stream_read)(a + i + L(stream_ahead));
    if (stride_b == 1) L(stream_read)(b + i + L(stream_ahead));
    if (a != y && b != y) L(stream_write)(y + i + L(stream_ahead));
    f(a + i * stride_a, stride_a, b + i * stride_b, stride_b, y + i,
      n - i < L(stream_piece) ? n - i : L(stream_piece));
  }
}
