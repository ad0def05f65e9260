/* For comparing the faces of an op bit for bit: what a case is, contexts that split work in different
 * ways, the buffers of the pure face, and a record of the pure functions that were called for an op. */
#ifndef RILL_TESTS_TEST_FACES_H
#define RILL_TESTS_TEST_FACES_H

#include "main.h"
#include "ops/op.h"
#include "pure/elementwise.h"

#include <stdarg.h>

enum { FACE_SIZES = 16, FACE_DIMS = 8 };

/* The sizes to compare at; what the numbers mean is the family's affair. Those from number `small` on
 * are so large that the op splits its work. */
typedef struct face_sizes {
  int small, count;
  int64_t of[FACE_SIZES][FACE_DIMS];
} face_sizes;

typedef struct face_case face_case;
typedef void face_check(rill_context *ctx, const face_case *c, const int64_t *size);

struct face_case {
  const char *op;
  face_check *f32, *f64; /* compare the pure with the functional face, in f32 and in f64 */
  const face_sizes *sizes;
  const void *row; /* what the family needs to know */
  bool serial;     /* the op does not split its work, however large */
};

#define FACE_COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

/* A pure function and its name. */
#define FACE_SYMBOL(name)                                                                          \
  { "rill_" #name, rill_##name }
#define FACE_USE(s) (face_called((s).symbol), (s).call)

/* ---- what was called for which op, noted where face_noting ---------------------------------------- */

typedef struct face_call {
  const char *op, *symbol;
} face_call;

static const face_case *face_now; /* the case that runs */
static bool face_noting;
static face_call face_calls[1024];
static int face_call_count;

static bool face_was_called(const char *op, const char *symbol, size_t size) {
  for (int i = 0; i < face_call_count; i++)
    if (!strcmp(face_calls[i].op, op) && strlen(face_calls[i].symbol) == size &&
        !memcmp(face_calls[i].symbol, symbol, size))
      return true;
  return false;
}

static void face_called(const char *symbol) {
  if (!face_noting || face_was_called(face_now->op, symbol, strlen(symbol))) return;
  if (face_call_count == FACE_COUNT(face_calls)) ck_abort_msg("face_calls is too short");
  face_calls[face_call_count++] = (face_call){face_now->op, symbol};
}

/* ---- complaints: all are printed, and one fails the test ----------------------------------------- */

static int complaints;
static const char *face_where = ""; /* the context that is at work */
static const int64_t *face_size;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
  va_list args;
  if (++complaints > 50) return;
  va_start(args, format);
  printf("  %s, level %d, %s", face_now ? face_now->op : "", cpu_level(), face_where);
  for (int i = 0; face_size && i < FACE_DIMS; i++)
    printf("%s%lld", i ? "," : ", size ", (long long)face_size[i]);
  printf(": ");
  vprintf(format, args);
  printf("\n");
  fflush(stdout); /* Check's child leaves without */
  va_end(args);
}

static void face_status(rill_status s) {
  if (s != RILL_OK) complain("a pure function returned %s", rill_status_name(s));
}

/* ---- buffers, alive until the check ends ----------------------------------------------------------- */

static void *face_blocks[128];
static int face_block_count;
static uint64_t face_seed;

/* Full of a pattern that no result looks like. */
static void *face_take(int64_t count, size_t size) {
  size_t bytes = (size_t)count * size;
  if (face_block_count == FACE_COUNT(face_blocks)) ck_abort_msg("face_blocks is too short");
  void *block = malloc(bytes ? bytes : 1);
  memset(block, 0xa5, bytes ? bytes : 1);
  return face_blocks[face_block_count++] = block;
}

static void face_drop_blocks(void) {
  while (face_block_count) free(face_blocks[--face_block_count]);
}

/* Indices in [0, limit), some of them the same. */
static int64_t *face_indices(int64_t n, int64_t limit) {
  int64_t *index = face_take(n, sizeof *index);
  for (int64_t i = 0; i < n; i++)
    index[i] = (int64_t)(test_uniform(&face_seed) * (double)limit) % (limit ? limit : 1);
  return index;
}

static uint8_t *face_mask(int64_t n) {
  uint8_t *mask = face_take(n, 1);
  for (int64_t i = 0; i < n; i++) mask[i] = test_uniform(&face_seed) < 0.5;
  return mask;
}

/* ---- comparing ------------------------------------------------------------------------------------- */

static void describe_difference(const char *what, rill_dtype dtype, const void *got,
                                const void *want, int64_t n) {
  size_t size = rill_dtype_size(dtype);
  int64_t first = -1, count = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!memcmp((const char *)got + i * (int64_t)size, (const char *)want + i * (int64_t)size,
                size))
      continue;
    if (!count++) first = i;
  }
  double x[2];
  convert(dtype, (const char *)got + first * (int64_t)size, RILL_F64, &x[0], 1);
  convert(dtype, (const char *)want + first * (int64_t)size, RILL_F64, &x[1], 1);
  complain("%s: %lld of %lld elements differ, the first is %lld: %.17g, not %.17g", what,
           (long long)count, (long long)n, (long long)first, x[0], x[1]);
}

/* t has n elements of dtype, and their bits are those at `want`. */
static void face_same(rill_context *ctx, const char *what, const rill_tensor *t, rill_dtype dtype,
                      const void *want, int64_t n) {
  if (t && !t->contiguous) t = rill_contiguous(ctx, t);
  if (!t || t->dtype != dtype || t->numel != n) {
    complain("%s: %s", what, t ? "another dtype or size" : rill_error_message(ctx));
    rill_error_clear(ctx);
  } else if (n && memcmp(t->data, want, (size_t)n * rill_dtype_size(dtype))) {
    describe_difference(what, dtype, t->data, want, n);
  }
}

/* An output: the functional face's, what the pure face gave, and the gradient that comes into it. */
typedef struct face_value {
  rill_tensor *t;
  const void *want;
  int64_t n;
  const void *seed; /* NULL: no backward from here */
} face_value;

/* A leaf, and its gradient by the pure face. leaf NULL: an optional tensor that is absent. */
typedef struct face_grad {
  const char *name;
  rill_tensor *leaf;
  const void *want;
} face_grad;

/* Outputs and gradients of the functional face are those of the pure face, bit for bit. */
static void face_agree(rill_context *ctx, rill_dtype dtype, const face_value *value, int values,
                       const face_grad *grad, int grads) {
  rill_tensor *out[4], *leaf[12], *result[12];
  const rill_tensor *seed[4];
  int outs = 0, leaves = 0;
  for (int i = 0; i < values; i++) {
    face_same(ctx, "value", value[i].t, dtype, value[i].want, value[i].n);
    if (!value[i].t || !value[i].seed) continue;
    out[outs] = value[i].t;
    seed[outs++] = rill_from_buffer(ctx, dtype, value[i].t->shape, value[i].t->ndim, value[i].seed);
  }
  for (int i = 0; i < grads; i++)
    if (grad[i].leaf) leaf[leaves++] = grad[i].leaf;
  if (!outs || !leaves) return;
  rill_status s = rill_grad(ctx, out, outs, leaf, leaves, seed, false, false, result);
  if (s != RILL_OK) {
    complain("backward: %s", rill_error_message(ctx));
    rill_error_clear(ctx);
    return;
  }
  for (int i = 0, at = 0; i < grads; i++) {
    if (!grad[i].leaf) continue;
    face_same(ctx, grad[i].name, result[at++], dtype, grad[i].want, grad[i].leaf->numel);
  }
}

/* ---- contexts, and running the cases ------------------------------------------------------------------ */

static int64_t face_splits; /* loops that the host's parallel-for was given */

/* The host's own parallel-for, from the last stretch to the first: shows at once what depends on the
 * order, as threads do now and then. */
static void run_backwards(void *user, int64_t count, rill_job job, void *arg) {
  (void)user;
  face_splits++;
  while (count--) job(arg, count);
}

enum { FACE_CONTEXTS = 3, FACE_HOST = 2 };
static const char *const face_contexts[FACE_CONTEXTS] = {"one thread", "two threads", "backwards"};

static rill_context *face_context(int which) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.threads = which == FACE_HOST ? 0 : which + 1;
  o.parallel_for = which == FACE_HOST ? run_backwards : NULL;
  return rill_context_create(&o);
}

/* One check in a scope of its own, from the same random numbers each time. One element alone may agree
 * by chance, so the first two sizes, where such are, are tried with several numbers. */
static void face_run(rill_context *ctx, const face_case *c, face_check *check, int size) {
  face_now = c;
  face_size = c->sizes->of[size];
  for (uint64_t again = 0; again < (size < 2 ? 16 : 1); again++) {
    face_seed = 0x9e3779b97f4a7c15u + (uint64_t)size + 1000 * again;
    rill_seed(ctx, 77);
    rill_scope_open(ctx);
    check(ctx, c, face_size);
    if (rill_error(ctx) != RILL_OK) complain("%s", rill_error_message(ctx));
    rill_error_clear(ctx);
    rill_scope_close(ctx);
    face_drop_blocks();
  }
}

/* All cases of a family, in each context, in both types: small sizes on each instruction set, large ones
 * on the best. ThreadSanitizer sees the threads of one set as it would those of another. */
static void face_compare(const face_case *cases, int count) {
  rill_context *ctx[FACE_CONTEXTS];
  for (int i = 0; i < FACE_CONTEXTS; i++) ctx[i] = face_context(i);
  complaints = 0;
  int best = cpu_level();
  for (int n = UNDER_TSAN ? count * best : 0; n < count * (best + 1); n++) {
    const face_case *c = &cases[n % count];
    int sizes = cpu_set_level(n / count) < best ? c->sizes->small : c->sizes->count;
    face_splits = 0;
    for (int i = 0; i < FACE_CONTEXTS; i++) {
      face_where = face_contexts[i];
      for (int s = 0; s < sizes; s++) {
        face_run(ctx[i], c, c->f32, s);
        face_run(ctx[i], c, c->f64, s);
      }
    }
    if (sizes == c->sizes->count && !face_splits != c->serial)
      complain("%s", c->serial ? "splits its work after all" : "no size is split");
  }
  cpu_set_level(best);
  for (int i = 0; i < FACE_CONTEXTS; i++) rill_context_close(ctx[i]);
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}

#endif
