/* Reads the cases of tests/golden/NAME.ops (tests/golden/ops.py describes the file) and makes their
 * arguments. */
#ifndef RILL_TESTS_OPS_CASES_H
#define RILL_TESTS_OPS_CASES_H

#include "main.h"
#include "ops/op.h"

#include <glob.h>

enum {
  CASE_NOGRAD = 1,
  CASE_NOCHECK = 2,
  CASE_NOF32 = 4,
  CASE_CONTIGUOUS = 8,
  CASE_MAX_TENSORS = 24, /* in all arguments of a case; in a list; outputs */
};

typedef struct golden {
  rill_dtype dtype;
  int ndim;
  bool wants; /* an argument: its gradient is wanted; an output: it is recorded */
  int64_t shape[RILL_MAX_DIMS], numel;
  const void *data;
} golden;

typedef struct case_arg {
  const char *name;
  rill_value value; /* of tensors: kind and count only */
  int first;        /* of its tensors in op_case.tensor */
} case_arg;

typedef struct op_case {
  const char *line, *op, *message;
  int64_t flags;
  rill_status error; /* what it must fail with, or RILL_OK */
  int nargs, tensors, outputs, grads;
  case_arg arg[OP_MAX_ARGS];
  golden tensor[CASE_MAX_TENSORS], output[CASE_MAX_TENSORS], grad[CASE_MAX_TENSORS];
} op_case;

static op_case *cases;
static int case_count;

/* ---- reading ---------------------------------------------------------------------------------- */

typedef struct reader {
  const char *at, *end;
} reader;

static const void *read_bytes(reader *r, int64_t size) {
  const char *here = r->at;
  ck_assert_msg(size >= 0 && size <= r->end - r->at, "a golden file is cut off");
  r->at += (size + 7) / 8 * 8;
  return here;
}

static int64_t read_int(reader *r) { return *(const int64_t *)read_bytes(r, 8); }

static const char *read_text(reader *r) { return read_bytes(r, read_int(r) + 1); }

static void read_golden(reader *r, golden *g) {
  g->dtype = (rill_dtype)read_int(r);
  g->ndim = (int)read_int(r);
  g->wants = read_int(r);
  g->numel = 1;
  for (int d = 0; d < g->ndim; d++) g->numel *= g->shape[d] = read_int(r);
  g->data = read_bytes(r, g->numel * (int64_t)rill_dtype_size(g->dtype));
}

static void read_arg(reader *r, op_case *c, case_arg *a) {
  a->name = read_text(r);
  rill_value *v = &a->value;
  v->kind = (int32_t)read_int(r);
  v->count = 1;
  switch (v->kind) {
  case RILL_VALUE_TENSORS: v->count = (int32_t)read_int(r); /* fall through */
  case RILL_VALUE_TENSOR:
    a->first = c->tensors;
    ck_assert_int_le(c->tensors + v->count, CASE_MAX_TENSORS);
    for (int i = 0; i < v->count; i++) read_golden(r, &c->tensor[c->tensors++]);
    break;
  case RILL_VALUE_INTS:
    v->count = (int32_t)read_int(r);
    v->as.ints = read_bytes(r, 8 * v->count);
    break;
  case RILL_VALUE_FLOAT: v->as.f = *(const double *)read_bytes(r, 8); break;
  case RILL_VALUE_STRING: v->as.string = read_text(r); break;
  case RILL_VALUE_INT:
  case RILL_VALUE_BOOL: v->as.i = read_int(r); break;
  default: v->count = 0;
  }
}

static void read_case(reader *r, op_case *c) {
  memset(c, 0, sizeof *c);
  c->line = read_text(r);
  c->op = read_text(r);
  c->flags = read_int(r);
  c->error = (rill_status)read_int(r);
  c->message = read_text(r);
  c->nargs = (int)read_int(r);
  ck_assert_int_le(c->nargs, OP_MAX_ARGS);
  for (int i = 0; i < c->nargs; i++) read_arg(r, c, &c->arg[i]);
  c->outputs = (int)read_int(r);
  ck_assert_int_le(c->outputs, CASE_MAX_TENSORS);
  for (int i = 0; i < c->outputs; i++) {
    bool recorded = read_int(r);
    read_golden(r, &c->output[i]);
    c->output[i].wants = recorded;
  }
  c->grads = (int)read_int(r);
  ck_assert_int_le(c->grads, c->tensors);
  for (int i = 0; i < c->grads; i++) read_golden(r, &c->grad[i]);
}

/* A file's bytes and their number, kept until the program ends. */
static char *read_file(const char *path, int64_t *size) {
  FILE *f = fopen(path, "rb");
  ck_assert_msg(f, "cannot open %s: run the tests from the top folder", path);
  fseek(f, 0, SEEK_END);
  *size = ftell(f);
  rewind(f);
  char *bytes = malloc((size_t)*size + 1);
  ck_assert_int_eq((int64_t)fread(bytes, 1, (size_t)*size, f), *size);
  bytes[*size] = 0;
  fclose(f);
  return bytes;
}

/* The lines of a .cases file must be those that its golden file was made from. */
static void check_current(const char *path, const op_case *c, int64_t n) {
  int64_t size, i = 0;
  char *text = read_file(path, &size);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (*line == '#') continue;
    ck_assert_msg(i < n && !strcmp(line, c[i].line),
                  "%s has changed: run python3 tests/golden/ops.py\n  %s", path, line);
    i++;
  }
  ck_assert_msg(i == n, "%s has fewer cases than its golden file: run python3 tests/golden/ops.py",
                path);
  free(text);
}

static void load_file(const char *cases_path) {
  char path[256];
  const char *name = strrchr(cases_path, '/') + 1;
  const char *dir = getenv("RILL_GOLDEN"); /* the live oracle's */
  snprintf(path, sizeof path, "%s/%.*s.ops", dir ? dir : "tests/golden",
           (int)(strlen(name) - strlen(".cases")), name);
  int64_t size;
  char *bytes = read_file(path, &size);
  reader r = {bytes, bytes + size};
  ck_assert_msg(!memcmp(read_bytes(&r, 8), "RILLOPS1", 8), "%s is no golden file", path);
  int64_t n = read_int(&r);
  cases = realloc(cases, (size_t)(case_count + n) * sizeof *cases);
  for (int64_t i = 0; i < n; i++) read_case(&r, &cases[case_count + i]);
  check_current(cases_path, cases + case_count, n);
  case_count += (int)n;
}

static void load_cases(void) {
  glob_t found;
  ck_assert_msg(!glob("tests/ops/*.cases", 0, NULL, &found), "no tests/ops/*.cases here");
  for (size_t i = 0; i < found.gl_pathc; i++) load_file(found.gl_pathv[i]);
  globfree(&found);
}

/* ---- arguments -------------------------------------------------------------------------------- */

typedef enum layout { DENSE, STRIDED } layout;

/* The arguments of one call. Tensors belong to the open scope. */
typedef struct call_args {
  rill_value value[OP_MAX_ARGS];
  rill_tensor *tensor[CASE_MAX_TENSORS];
  rill_tensor *wanted[CASE_MAX_TENSORS]; /* those whose gradient is wanted */
  int nwanted;
} call_args;

/* An argument's tensor; f64 becomes `real`. Strided: columns before rows, every other element, not at
 * the start of its storage. */
static rill_tensor *make_tensor(rill_context *ctx, const golden *g, layout l, rill_dtype real) {
  rill_dtype dtype = g->dtype == RILL_F64 ? real : g->dtype;
  rill_tensor *t;
  if (l == DENSE || !g->numel) {
    t = rill_empty(ctx, dtype, g->shape, g->ndim);
  } else {
    int64_t room = 2 * g->numel + 3, strides[RILL_MAX_DIMS], stride = 2;
    for (int d = 0; d < g->ndim; d++) {
      strides[d] = stride;
      stride *= g->shape[d];
    }
    rill_tensor *whole = rill_full(ctx, dtype, &room, 1, 77);
    t = whole ? tensor_view(ctx, whole, g->shape, strides, g->ndim,
                            whole->data + 3 * rill_dtype_size(dtype))
              : NULL;
  }
  if (t)
    rill_tensor_copy_in(ctx, t, g->dtype, g->data, (size_t)g->numel * rill_dtype_size(g->dtype));
  if (t && g->wants) rill_set_requires_grad(ctx, t, true);
  return rill_error(ctx) == RILL_OK ? t : NULL;
}

/* Points the values at the tensors of a. */
static void place_tensors(const op_case *c, call_args *a) {
  for (int i = 0; i < c->nargs; i++) {
    rill_value *v = &a->value[i];
    *v = c->arg[i].value;
    if (v->kind == RILL_VALUE_TENSOR) v->as.tensor = a->tensor[c->arg[i].first];
    if (v->kind == RILL_VALUE_TENSORS)
      v->as.tensors = (const rill_tensor *const *)&a->tensor[c->arg[i].first];
  }
}

static bool make_args(rill_context *ctx, const op_case *c, layout l, rill_dtype real,
                      call_args *a) {
  memset(a, 0, sizeof *a);
  for (int i = 0; i < c->tensors; i++) {
    a->tensor[i] = make_tensor(ctx, &c->tensor[i], l, real);
    if (!a->tensor[i]) return false;
    if (c->tensor[i].wants) a->wanted[a->nwanted++] = a->tensor[i];
  }
  place_tensors(c, a);
  return true;
}

/* The gradient that comes into an output; tests/golden/ops.py computes the same. */
static rill_tensor *seed_gradient(rill_context *ctx, const rill_tensor *output) {
  int64_t n = rill_tensor_numel(output);
  double *seed = malloc((size_t)(n ? n : 1) * sizeof *seed);
  for (int64_t i = 0; i < n; i++) seed[i] = (double)(i * 37 % 19 - 9) / 8 + 1.0 / 16;
  rill_tensor *t = rill_empty(ctx, rill_tensor_dtype(output), rill_tensor_shape(output),
                              rill_tensor_ndim(output));
  if (t) rill_tensor_copy_in(ctx, t, RILL_F64, seed, (size_t)n * sizeof *seed);
  free(seed);
  return t;
}

#endif
