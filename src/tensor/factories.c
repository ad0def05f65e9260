/* Making tensors from nothing, from a rule, or from the caller's memory. */
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "rill/pure.h"

enum { STRETCH = 65536 }; /* elements */

/* ---- one value everywhere ---- */

typedef struct filling {
  char *to;
  size_t size; /* of an element */
  char value[8];
} filling;

static void fill_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  const filling *f = arg;
  char *to = f->to + (size_t)begin * f->size;
  size_t bytes = (size_t)(end - begin) * f->size, done = f->size;
  memcpy(to, f->value, f->size);
  while (done < bytes) { /* what is there already, again, as long as it stays in the first cache */
    size_t more = done < 8192 ? done : 8192;
    if (more > bytes - done) more = bytes - done;
    memcpy(to + done, to, more);
    done += more;
  }
}

static rill_tensor *filled(rill_context *ctx, const char *op, rill_dtype dtype,
                           const int64_t *shape, int ndim, double value) {
  rill_tensor *t = tensor_new(ctx, op, dtype, shape, ndim);
  if (!t || !t->numel) return t;
  filling f = {.to = t->data, .size = rill_dtype_size(dtype)};
  convert(RILL_F64, &value, dtype, f.value, 1);
  pool_for(ctx, t->numel, STRETCH, fill_stretch, &f);
  return t;
}

rill_tensor *rill_empty(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim) {
  return tensor_new(ctx, "empty", dtype, shape, ndim);
}

rill_tensor *rill_zeros(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim) {
  return filled(ctx, "zeros", dtype, shape, ndim, 0);
}

rill_tensor *rill_ones(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim) {
  return filled(ctx, "ones", dtype, shape, ndim, 1);
}

rill_tensor *rill_full(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim,
                       double value) {
  return filled(ctx, "full", dtype, shape, ndim, value);
}

rill_tensor *rill_scalar(rill_context *ctx, rill_dtype dtype, double value) {
  return filled(ctx, "scalar", dtype, NULL, 0, value);
}

rill_tensor *rill_eye(rill_context *ctx, rill_dtype dtype, int64_t rows, int64_t cols) {
  rill_tensor *t = filled(ctx, "eye", dtype, (int64_t[]){rows, cols}, 2, 0);
  if (!t) return NULL;
  size_t size = rill_dtype_size(dtype);
  double one = 1;
  for (int64_t i = 0; i < rows && i < cols; i++)
    convert(RILL_F64, &one, dtype, t->data + (size_t)(i * cols + i) * size, 1);
  return t;
}

/* ---- evenly spaced values ---- */

typedef struct spacing {
  char *to;
  rill_dtype dtype;
  double start, end, step;
  int64_t count;
  int64_t from_start; /* this many are counted from start, the others back from end */
} spacing;

static void space_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  const spacing *s = arg;
  size_t size = rill_dtype_size(s->dtype);
  double values[256];
  for (int64_t i = begin; i < end; i += 256) {
    int64_t n = end - i < 256 ? end - i : 256;
    for (int64_t j = 0; j < n; j++)
      values[j] = i + j < s->from_start ? s->start + (double)(i + j) * s->step
                                        : s->end - (double)(s->count - 1 - i - j) * s->step;
    convert(RILL_F64, values, s->dtype, s->to + (size_t)i * size, n);
  }
}

static rill_tensor *spaced(rill_context *ctx, const char *op, spacing s) {
  rill_tensor *t = tensor_new(ctx, op, s.dtype, &s.count, 1);
  if (!t) return NULL;
  s.to = t->data;
  pool_for(ctx, s.count, STRETCH, space_stretch, &s);
  return t;
}

rill_tensor *rill_arange(rill_context *ctx, rill_dtype dtype, double start, double end,
                         double step) {
  if (!context_ready(ctx)) return NULL;
  double count = ceil((end - start) / step);
  char a[NUMBER_SIZE], b[NUMBER_SIZE], c[NUMBER_SIZE];
  bool finite = isfinite(start) && isfinite(end) && isfinite(step);
  if (!finite || step == 0 || count < 0) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "arange", "no way leads from %s to %s in steps of %s",
              number_print(a, start), number_print(b, end), number_print(c, step));
    return NULL;
  }
  if (!(count < 0x1p62)) {
    error_set(ctx, RILL_ERROR_OVERFLOW, "arange", "%s to %s in steps of %s has too many elements",
              number_print(a, start), number_print(b, end), number_print(c, step));
    return NULL;
  }
  int64_t n = (int64_t)count;
  return spaced(
      ctx, "arange",
      (spacing){.dtype = dtype, .start = start, .step = step, .count = n, .from_start = n});
}

rill_tensor *rill_linspace(rill_context *ctx, rill_dtype dtype, double start, double end,
                           int64_t count) {
  spacing s = {.dtype = dtype, .start = start, .end = end, .count = count};
  s.step = count > 1 ? (end - start) / (double)(count - 1) : 0;
  s.from_start = count / 2 + count % 2;
  return spaced(ctx, "linspace", s);
}

/* ---- random values: the same for any number of threads, as each depends on its own index ---- */

typedef struct drawing {
  char *to;
  rill_dtype dtype;
  bool normal;
  uint64_t seed, offset;
  int64_t low, high;
} drawing;

static void draw_reals(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  const drawing *d = arg;
  int64_t n = end - begin;
  if (d->dtype == RILL_F32)
    (d->normal ? rill_randn_f32 : rill_rand_f32)(d->seed, d->offset, begin, (float *)d->to + begin,
                                                 n);
  else
    (d->normal ? rill_randn_f64 : rill_rand_f64)(d->seed, d->offset, begin, (double *)d->to + begin,
                                                 n);
}

static void draw_integers(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  const drawing *d = arg;
  size_t size = rill_dtype_size(d->dtype);
  int64_t values[256];
  for (int64_t i = begin; i < end; i += 256) {
    int64_t n = end - i < 256 ? end - i : 256;
    rill_randint_i64(d->seed, d->offset, i, d->low, d->high, values, n);
    convert(RILL_I64, values, d->dtype, d->to + (size_t)i * size, n);
  }
}

/* Fills t, which takes one block of the stream for `per_block` elements. */
static rill_tensor *drawn(rill_context *ctx, rill_tensor *t, drawing d, pool_fn fn,
                          int64_t per_block) {
  if (!t) return NULL;
  d.to = t->data;
  d.dtype = (rill_dtype)t->dtype;
  d.seed = ctx->random.seed;
  d.offset = random_reserve(ctx, (uint64_t)((t->numel + per_block - 1) / per_block));
  pool_for(ctx, t->numel, STRETCH, fn, &d);
  return t;
}

static rill_tensor *real_drawn(rill_context *ctx, const char *op, rill_dtype dtype,
                               const int64_t *shape, int ndim, bool normal) {
  if (!context_ready(ctx)) return NULL;
  if (!dtype_computes(dtype)) {
    error_set(ctx, RILL_ERROR_DTYPE, op, "%s is neither f32 nor f64", rill_dtype_name(dtype));
    return NULL;
  }
  rill_tensor *t = tensor_new(ctx, op, dtype, shape, ndim);
  return drawn(ctx, t, (drawing){.normal = normal}, draw_reals, dtype == RILL_F32 ? 4 : 2);
}

rill_tensor *rill_rand(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim) {
  return real_drawn(ctx, "rand", dtype, shape, ndim, false);
}

rill_tensor *rill_randn(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim) {
  return real_drawn(ctx, "randn", dtype, shape, ndim, true);
}

/* The integers around zero that a dtype holds exactly, each one. */
static const struct {
  int64_t low, high;
} exact[] = {
    [RILL_F32] = {-(1 << 24), 1 << 24},  [RILL_F64] = {-((int64_t)1 << 53), (int64_t)1 << 53},
    [RILL_F16] = {-2048, 2048},          [RILL_BF16] = {-256, 256},
    [RILL_I32] = {INT32_MIN, INT32_MAX}, [RILL_I64] = {INT64_MIN, INT64_MAX},
    [RILL_U8] = {0, UINT8_MAX},
};

rill_tensor *rill_randint(rill_context *ctx, rill_dtype dtype, int64_t low, int64_t high,
                          const int64_t *shape, int ndim) {
  rill_tensor *t = NULL;
  if (!context_ready(ctx)) return NULL;
  if (dtype == RILL_BOOL)
    error_set(ctx, RILL_ERROR_DTYPE, "randint", "bool has no integers: draw u8 and compare");
  else if (low >= high)
    error_set(ctx, RILL_ERROR_ARGUMENT, "randint", "no integer is in [%lld, %lld)", (long long)low,
              (long long)high);
  else if (dtype_valid((int)dtype) && (low < exact[dtype].low || high - 1 > exact[dtype].high))
    error_set(ctx, RILL_ERROR_ARGUMENT, "randint", "%s does not hold all integers of [%lld, %lld)",
              rill_dtype_name(dtype), (long long)low, (long long)high);
  else
    t = tensor_new(ctx, "randint", dtype, shape, ndim);
  return drawn(ctx, t, (drawing){.low = low, .high = high}, draw_integers, 2);
}

/* ---- the caller's memory ---- */

rill_tensor *rill_from_buffer(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim,
                              const void *data) {
  int64_t numel;
  if (!context_ready(ctx) || !tensor_check(ctx, "from_buffer", dtype, shape, ndim, &numel))
    return NULL;
  if (numel && !data) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "from_buffer", "data is NULL");
    return NULL;
  }
  rill_tensor *t = tensor_new(ctx, "from_buffer", dtype, shape, ndim);
  /* Read as u8, any byte of a bool but 0 becomes 1. */
  if (t) convert(dtype == RILL_BOOL ? RILL_U8 : dtype, data, dtype, t->data, numel);
  return t;
}

/* The elements that `strides` span, counted from the first one: all in [0, *extent)? */
static bool extent_of(const int64_t *shape, const int64_t *strides, int ndim, int64_t *extent) {
  int64_t last = 0;
  for (int i = 0; i < ndim; i++) {
    int64_t reach;
    if (shape[i] < 2) continue;
    if (strides[i] < 0 || !checked_mul(shape[i] - 1, strides[i], &reach) ||
        !checked_add(last, reach, &last))
      return false;
  }
  return checked_add(last, 1, extent);
}

rill_tensor *rill_wrap_buffer(rill_context *ctx, rill_dtype dtype, const int64_t *shape, int ndim,
                              const int64_t *strides, void *data, size_t bytes,
                              rill_free_callback deleter, void *user) {
  const char *op = "wrap_buffer";
  int64_t numel, extent = 0, row_major[RILL_MAX_DIMS];
  size_t size = rill_dtype_size(dtype), need = 0;
  char text[SHAPE_TEXT], more[SHAPE_TEXT];
  if (!context_ready(ctx) || !tensor_check(ctx, op, dtype, shape, ndim, &numel)) return NULL;
  if (!strides) {
    shape_strides(shape, ndim, row_major);
    strides = row_major;
  }
  if (numel && (!extent_of(shape, strides, ndim, &extent) || !checked_bytes(extent, size, &need) ||
                need > bytes)) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op,
              "%s of %s with strides %s reaches beyond the %zu bytes of data",
              shape_text(shape, ndim, text), rill_dtype_name(dtype),
              shape_text(strides, ndim, more), bytes);
    return NULL;
  }
  if (numel && !data) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "data is NULL");
    return NULL;
  }
  if ((uintptr_t)data % size) {
    error_set(ctx, RILL_ERROR_ARGUMENT, op, "data is not aligned to the %zu bytes of %s", size,
              rill_dtype_name(dtype));
    return NULL;
  }
  return tensor_wrap(ctx, op, dtype, shape, strides, ndim, data, bytes, data, deleter, user);
}
