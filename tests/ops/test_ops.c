/* Every op of the table against the cases that lie beside this file: values and gradients beside PyTorch's
 * in f64 and f32, dense and strided, on each instruction set; gradcheck; the C face beside the call by
 * name; errors; NULLs; memory that runs out. */
#include "ops/cases.h"
#include "rationed.h"
#include "rill/nn.h"

#include <stdarg.h>

enum { CAPACITY = 16 };

/* ---- the C faces ------------------------------------------------------------------------------ */

typedef rill_status (*face_fn)(rill_context *ctx, const rill_value *v, rill_tensor **outputs,
                               int capacity, int *count);

static rill_status face_result(rill_context *ctx, rill_tensor *t, rill_tensor **outputs) {
  outputs[0] = t;
  return t ? RILL_OK : rill_error(ctx);
}

static const int *narrow_dims(const rill_value *v, int *dims) {
  for (int d = 0; d < v->count && d < 16; d++) dims[d] = (int)v->as.ints[d];
  return dims;
}

#define T(n)      (v[n].kind == RILL_VALUE_TENSOR ? v[n].as.tensor : NULL)
#define TS(n)     v[n].as.tensors, v[n].count
#define I(n)      v[n].as.i
#define IO(n, x)  (v[n].kind == RILL_VALUE_INT ? v[n].as.i : (x))
#define F(n)      (v[n].kind == RILL_VALUE_INT ? (double)v[n].as.i : v[n].as.f)
#define B(n)      (v[n].as.i != 0)
#define S(n)      v[n].as.string
#define SHAPE(n)  v[n].as.ints, v[n].count
#define SECOND(n) (B(n) ? (*count = 2, &outputs[1]) : NULL)
#define DIMS(n)   narrow_dims(&v[n], (int[16]){0}), v[n].count
#define FACE_START(op)                                                                             \
  static rill_status face_##op(rill_context *ctx, const rill_value *v, rill_tensor **outputs,      \
                               int capacity, int *count) {                                         \
    (void)capacity;                                                                                \
    *count = 1;
#define FACE(op, ...)                                                                              \
  FACE_START(op)                                                                                   \
  return face_result(ctx, rill_##op(ctx, __VA_ARGS__), outputs);                                   \
  }
#define FACES(op, ...)                                                                             \
  FACE_START(op)                                                                                   \
  return rill_##op(ctx, __VA_ARGS__, outputs, capacity, count);                                    \
  }
#define FACE_IN(op, ...)                                                                           \
  FACE_START(op)                                                                                   \
  rill_tensor *target = (rill_tensor *)v[0].as.tensor;                                             \
  rill_status s = rill_##op(ctx, target, __VA_ARGS__);                                             \
  return s == RILL_OK ? face_result(ctx, target, outputs) : s;                                     \
  }
#include "ops/faces.h"
#undef FACE
#undef FACES
#undef FACE_IN

static const struct {
  const char *op;
  face_fn face;
} faces[] = {
#define FACE(op, ...)    {#op, face_##op},
#define FACES(op, ...)   {#op, face_##op},
#define FACE_IN(op, ...) {#op, face_##op},
#include "ops/faces.h"
};

static face_fn face_of(const char *op) {
  for (size_t i = 0; i < sizeof faces / sizeof *faces; i++)
    if (!strcmp(faces[i].op, op)) return faces[i].face;
  return NULL;
}

/* ---- complaints: all of a test's are printed, and one fails it --------------------------------- */

static int complaints;

__attribute__((format(printf, 2, 3))) static void complain(const op_case *c, const char *format,
                                                           ...) {
  va_list args;
  va_start(args, format);
  printf("  %s\n    ", c->line);
  vprintf(format, args);
  printf("\n");
  fflush(stdout); /* Check's child leaves without */
  va_end(args);
  complaints++;
}

static int parameters_of(const char *signature) {
  int n = 0;
  for (const char *s = signature; *s && strncmp(s, "->", 2); s++) n += *s == ':';
  return n;
}

/* Calls `check` with each case that must work, in a fresh context. */
static void each_case(void (*check)(rill_context *ctx, const op_case *c)) {
  complaints = 0;
  for (int i = 0; i < case_count; i++) {
    const op_case *c = &cases[i];
    if (c->error != RILL_OK) continue;
    rill_context *ctx = rill_context_create(NULL);
    check(ctx, c);
    rill_context_close(ctx);
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}

/* ---- comparing -------------------------------------------------------------------------------- */

static double *values_of(rill_context *ctx, const rill_tensor *t) {
  size_t n = (size_t)rill_tensor_numel(t);
  double *out = malloc((n ? n : 1) * sizeof *out);
  rill_tensor_copy_out(ctx, t, RILL_F64, out, n * sizeof *out);
  return out;
}

/* Checks a result beside what PyTorch gave. exact_dtype: f64 stays f64. */
static void compare(rill_context *ctx, const op_case *c, const char *what, int index,
                    const rill_tensor *got, const golden *want, double tolerance,
                    bool exact_dtype) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!got) {
    complain(c, "%s %d is missing", what, index);
    return;
  }
  if (!shape_equal(got->shape, got->ndim, want->shape, want->ndim)) {
    complain(c, "%s %d has the shape %s, not %s", what, index, shape_text(got->shape, got->ndim, a),
             shape_text(want->shape, want->ndim, b));
    return;
  }
  if (exact_dtype && got->dtype != want->dtype)
    complain(c, "%s %d is %s, not %s", what, index, rill_dtype_name((rill_dtype)got->dtype),
             rill_dtype_name(want->dtype));
  rill_tensor *reference = rill_from_buffer(ctx, want->dtype, want->shape, want->ndim, want->data);
  double *x = values_of(ctx, got), *y = values_of(ctx, reference);
  double ratio = rms_ratio_f64(x, y, want->numel);
  if (!(ratio <= tolerance)) {
    int64_t worst = 0;
    for (int64_t i = 0; i < want->numel; i++)
      if (!(fabs(x[i] - y[i]) <= fabs(x[worst] - y[worst]))) worst = i;
    complain(c, "%s %d differs, rms ratio %g: element %lld is %.17g, not %.17g", what, index, ratio,
             (long long)worst, x[worst], y[worst]);
  }
  free(x);
  free(y);
}

static bool call_op(rill_context *ctx, const op_case *c, const call_args *a, rill_tensor **outputs,
                    int *count) {
  return rill_call(ctx, c->op, a->value, c->nargs, outputs, CAPACITY, count) == RILL_OK;
}

static void check_gradients(rill_context *ctx, const op_case *c, call_args *a,
                            rill_tensor **outputs, double tolerance, bool exact_dtype) {
  rill_tensor *recorded[CAPACITY], *grads[CASE_MAX_TENSORS];
  const rill_tensor *seeds[CAPACITY];
  int n = 0;
  for (int o = 0; o < c->outputs; o++) {
    if (!c->output[o].wants) continue;
    recorded[n] = outputs[o];
    seeds[n++] = seed_gradient(ctx, outputs[o]);
  }
  if (!n || !c->grads) return;
  if (rill_grad(ctx, recorded, n, a->wanted, a->nwanted, seeds, false, true, grads) != RILL_OK) {
    complain(c, "backward: %s", rill_error_message(ctx));
    return;
  }
  for (int i = 0; i < a->nwanted; i++) {
    if (!grads[i])
      grads[i] =
          rill_zeros(ctx, (rill_dtype)a->wanted[i]->dtype, a->wanted[i]->shape, a->wanted[i]->ndim);
    compare(ctx, c, "gradient", i, grads[i], &c->grad[i], tolerance, exact_dtype);
  }
}

static void check_call(rill_context *ctx, const op_case *c, layout l, rill_dtype real,
                       double tolerance) {
  call_args a;
  rill_tensor *outputs[CAPACITY];
  int count = 0;
  bool same_dtype = real == RILL_F64;
  if (!make_args(ctx, c, l, real, &a) || !call_op(ctx, c, &a, outputs, &count)) {
    complain(c, "%s", rill_error_message(ctx));
    return;
  }
  if (count != c->outputs) {
    complain(c, "%d outputs, not %d", count, c->outputs);
    return;
  }
  for (int o = 0; o < count; o++) {
    compare(ctx, c, "output", o, outputs[o], &c->output[o], tolerance, same_dtype);
    if (!(c->flags & CASE_NOGRAD) && rill_requires_grad(outputs[o]) != c->output[o].wants)
      complain(c, "output %d is%s recorded", o, c->output[o].wants ? " not" : "");
  }
  if (!(c->flags & CASE_NOGRAD)) check_gradients(ctx, c, &a, outputs, tolerance, same_dtype);
}

/* ---- the tests -------------------------------------------------------------------------------- */

static void dense(rill_context *ctx, const op_case *c) {
  check_call(ctx, c, DENSE, RILL_F64, 1e-12);
}

START_TEST(values_and_gradients_are_pytorchs) {
  int best = cpu_level();
  for (int level = 0; level <= best; level++) {
    cpu_set_level(level);
    each_case(dense);
  }
}
END_TEST

static void strided(rill_context *ctx, const op_case *c) {
  if (!(c->flags & CASE_CONTIGUOUS)) check_call(ctx, c, STRIDED, RILL_F64, 1e-12);
}

START_TEST(strides_make_no_difference) { each_case(strided); }
END_TEST

static void in_f32(rill_context *ctx, const op_case *c) {
  if (!(c->flags & CASE_NOF32)) check_call(ctx, c, DENSE, RILL_F32, 1e-5);
}

START_TEST(f32_is_close) {
  int best = cpu_level();
  for (int level = 0; level <= best; level++) {
    cpu_set_level(level);
    each_case(in_f32);
  }
}
END_TEST

typedef struct checked {
  const op_case *c;
  call_args *args;
  int output;
} checked;

/* gradcheck moves copies of the inputs about: they take their places among the arguments. */
static rill_tensor *run_checked(rill_context *ctx, void *user, rill_tensor *const *inputs, int n) {
  checked *k = user;
  call_args a = *k->args;
  for (int i = 0; i < k->c->tensors; i++)
    for (int j = 0; j < n; j++)
      if (a.tensor[i] == k->args->wanted[j]) a.tensor[i] = inputs[j];
  place_tensors(k->c, &a);
  rill_tensor *outputs[CAPACITY];
  int count;
  return call_op(ctx, k->c, &a, outputs, &count) ? outputs[k->output] : NULL;
}

static void gradcheck(rill_context *ctx, const op_case *c) {
  call_args a;
  if (!c->grads || (c->flags & (CASE_NOCHECK | CASE_NOGRAD)) ||
      !make_args(ctx, c, DENSE, RILL_F64, &a))
    return;
  for (int o = 0; o < c->outputs; o++) {
    if (!c->output[o].wants || c->output[o].dtype != RILL_F64) continue;
    checked k = {c, &a, o};
    if (rill_gradcheck(ctx, run_checked, &k, a.wanted, a.nwanted, NULL) == RILL_OK) continue;
    complain(c, "%s", rill_error_message(ctx));
    return;
  }
}

START_TEST(gradcheck_agrees) { each_case(gradcheck); }
END_TEST

static bool same_bits(const rill_tensor *a, const rill_tensor *b) {
  return a->dtype == b->dtype && shape_equal(a->shape, a->ndim, b->shape, b->ndim) &&
         a->contiguous && b->contiguous &&
         (!a->numel ||
          !memcmp(a->data, b->data, (size_t)a->numel * rill_dtype_size((rill_dtype)a->dtype)));
}

static void faces_agree(rill_context *ctx, const op_case *c) {
  const rill_op *op = op_table[rill_op_find(ctx, c->op)];
  face_fn face = face_of(op->name);
  if (!face || c->nargs != parameters_of(op->signature)) return;
  call_args a, b;
  rill_tensor *x[CAPACITY], *y[CAPACITY];
  int nx = 0, ny = 0;
  if (!make_args(ctx, c, DENSE, RILL_F64, &a) || !make_args(ctx, c, DENSE, RILL_F64, &b)) return;
  rill_seed(ctx, 5);
  bool called = call_op(ctx, c, &a, x, &nx);
  rill_seed(ctx, 5);
  if (!called || face(ctx, b.value, y, CAPACITY, &ny) != RILL_OK || nx != ny) {
    complain(c, "%d outputs by name, %d from the C face: %s", nx, ny, rill_error_message(ctx));
    return;
  }
  for (int o = 0; o < nx; o++)
    if (!same_bits(rill_contiguous(ctx, x[o]), rill_contiguous(ctx, y[o])))
      complain(c, "output %d of the C face is not that of rill_call", o);
}

START_TEST(c_faces_agree_with_calls_by_name) { each_case(faces_agree); }
END_TEST

/* What stands for the module's input: NULL, in the place of the first tensor, which is returned. */
static rill_tensor *free_input(const op_case *c, call_args *a, const rill_tensor **room) {
  for (int i = 0; i < c->nargs; i++) {
    rill_value *v = &a->value[i];
    const rill_tensor *first = v->as.tensor;
    if (v->kind == RILL_VALUE_TENSOR) v->as.tensor = NULL;
    if (v->kind == RILL_VALUE_TENSORS && v->count) {
      first = v->as.tensors[0];
      memcpy(room, v->as.tensors, (size_t)v->count * sizeof *room);
      room[0] = NULL;
      v->as.tensors = room;
    }
    if (v->kind == RILL_VALUE_TENSOR || v->kind == RILL_VALUE_TENSORS)
      return (rill_tensor *)(uintptr_t)first;
  }
  return NULL;
}

/* The gradients of the wanted tensors from one output. */
static bool gradients_of(rill_context *ctx, rill_tensor *y, const call_args *a,
                         rill_tensor **grads) {
  const rill_tensor *seed = seed_gradient(ctx, y);
  return rill_grad(ctx, &y, 1, a->wanted, a->nwanted, &seed, true, true, grads) == RILL_OK;
}

/* Output o of the op's module, made by rill_nn_op, beside that of the call, and their gradients. */
static void module_output_agrees(rill_context *ctx, const op_case *c, call_args *a,
                                 rill_tensor *want, int o) {
  const rill_tensor *room[CASE_MAX_TENSORS];
  rill_tensor *grads[2][CASE_MAX_TENSORS];
  call_args given = *a;
  rill_tensor *x = free_input(c, &given, room);
  rill_module *m = rill_nn_op(ctx, c->op, given.value, c->nargs, o);
  rill_seed(ctx, 5);
  rill_tensor *y = rill_forward(ctx, m, x);
  if (!y || !same_bits(rill_contiguous(ctx, y), rill_contiguous(ctx, want))) {
    complain(c, "output %d of the module is not the call's: %s", o, rill_error_message(ctx));
    return;
  }
  if (rill_requires_grad(y) != rill_requires_grad(want))
    complain(c, "output %d of the module is recorded, or that of the call", o);
  if (!c->output[o].wants || (c->flags & CASE_NOGRAD)) return;
  if (!gradients_of(ctx, y, a, grads[0]) || !gradients_of(ctx, want, a, grads[1])) {
    complain(c, "backward: %s", rill_error_message(ctx));
    return;
  }
  for (int i = 0; i < a->nwanted; i++)
    if (!grads[0][i] != !grads[1][i] || (grads[0][i] && !same_bits(grads[0][i], grads[1][i])))
      complain(c, "gradient %d through the module is not the call's", i);
}

static void modules_agree(rill_context *ctx, const op_case *c) {
  call_args a;
  rill_tensor *outputs[CAPACITY];
  int count = 0;
  if (!make_args(ctx, c, DENSE, RILL_F64, &a)) return;
  rill_seed(ctx, 5);
  if (!call_op(ctx, c, &a, outputs, &count)) return;
  for (int o = 0; o < count; o++) module_output_agrees(ctx, c, &a, outputs[o], o);
}

START_TEST(modules_of_ops_agree_with_calls) { each_case(modules_agree); }
END_TEST

static void lacks(const char *op, const char *what) {
  printf("  %s has no %s\n", op, what);
  complaints++;
}

START_TEST(each_op_has_its_cases) {
  complaints = 0;
  for (int i = 0; i < op_table_count; i++) {
    const rill_op *op = op_table[i];
    bool value = false, gradient = false, whole = false, fails = false;
    for (int j = 0; j < case_count; j++) {
      const op_case *c = &cases[j];
      if (rill_op_find(NULL, c->op) != i) continue;
      fails |= c->error != RILL_OK;
      if (c->error != RILL_OK) continue;
      value = true;
      gradient |= c->grads && !(c->flags & CASE_NOCHECK);
      whole |= c->nargs == parameters_of(op->signature);
    }
    rill_op_info info = RILL_OP_INFO_INIT;
    rill_op_describe(i, &info);
    if (!value) lacks(op->name, "case in tests/ops");
    if (!fails) lacks(op->name, "case that fails");
    if (!gradient && info.differentiable) lacks(op->name, "case with a gradient");
    if (!whole) lacks(op->name, "case with all its arguments");
    if (!face_of(op->name)) lacks(op->name, "row in tests/ops/faces.h");
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
  for (int j = 0; j < case_count; j++)
    ck_assert_msg(rill_op_find(NULL, cases[j].op) >= 0, "no such op: %s", cases[j].line);
}
END_TEST

START_TEST(argument_names_are_the_signatures) {
  for (int j = 0; j < case_count; j++) {
    const op_case *c = &cases[j];
    const char *at = op_table[rill_op_find(NULL, c->op)]->signature;
    for (int i = 0; i < c->nargs; i++) {
      size_t size = strcspn(at, ":");
      ck_assert_msg(size == strlen(c->arg[i].name) && !strncmp(at, c->arg[i].name, size),
                    "argument %d is not called %s: %s", i, c->arg[i].name, c->line);
      at += size + strcspn(at + size, ",");
      at += strspn(at, ", ");
      while (i + 1 < c->nargs && *at && !(*at >= 'A' && *at <= 'z')) at++;
    }
  }
}
END_TEST

/* Errors name the op, and the context goes on after them. */
START_TEST(bad_arguments_are_refused) {
  complaints = 0;
  for (int i = 0; i < case_count; i++) {
    const op_case *c = &cases[i];
    if (c->error == RILL_OK) continue;
    rill_context *ctx = rill_context_create(NULL);
    call_args a;
    rill_tensor *outputs[CAPACITY];
    int count = -1;
    ck_assert(make_args(ctx, c, DENSE, RILL_F32, &a));
    rill_status s = rill_call(ctx, c->op, a.value, c->nargs, outputs, CAPACITY, &count);
    if (s != c->error || rill_error(ctx) != s)
      complain(c, "%s: %s", rill_status_name(s), rill_error_message(ctx));
    else if (!strstr(rill_error_message(ctx), c->message))
      complain(c, "says: %s", rill_error_message(ctx));
    else if (!rill_error_op(ctx)[0] || count != -1)
      complain(c, "op '%s', count %d", rill_error_op(ctx), count);
    rill_error_clear(ctx);
    if (!rill_zeros(ctx, RILL_F32, NULL, 0)) complain(c, "the context does not go on");
    rill_context_close(ctx);
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}
END_TEST

/* Class weights, as in PyTorch: when called, not when backward comes by. */
START_TEST(what_has_no_gradient_is_refused_when_called) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = rill_ones(ctx, RILL_F32, (int64_t[]){2, 3}, 2);
  rill_tensor *target = rill_zeros(ctx, RILL_I64, (int64_t[]){2}, 1);
  rill_cross_entropy_options o = RILL_CROSS_ENTROPY_OPTIONS_INIT;
  rill_tensor *w = rill_ones(ctx, RILL_F32, (int64_t[]){3}, 1);
  rill_set_requires_grad(ctx, w, true);
  o.weight = w;
  ck_assert_ptr_null(rill_cross_entropy(ctx, x, target, &o));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_UNSUPPORTED);
  rill_error_clear(ctx);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  ck_assert_ptr_nonnull(rill_cross_entropy(ctx, x, target, &o));
  rill_set_grad_mode(ctx, RILL_GRAD_ON);
  o.weight = rill_detach(ctx, w);
  rill_set_requires_grad(ctx, x, true);
  ck_assert_ptr_nonnull(rill_cross_entropy(ctx, x, target, &o));
  rill_context_close(ctx);
}
END_TEST

/* Each tensor NULL in turn, in the C face and by name; then no context at all. */
static void nulls(rill_context *ctx, const op_case *c) {
  const rill_op *op = op_table[rill_op_find(ctx, c->op)];
  face_fn face = face_of(op->name);
  bool whole = c->nargs == parameters_of(op->signature);
  rill_tensor *outputs[CAPACITY];
  int count;
  for (int t = 0; t < c->tensors; t++) {
    call_args a;
    if (!make_args(ctx, c, DENSE, RILL_F64, &a)) return;
    a.tensor[t] = NULL;
    place_tensors(c, &a);
    rill_set_grad_mode(ctx, RILL_GRAD_OFF);
    bool optional = call_op(ctx, c, &a, outputs, &count);
    if (!optional && rill_error(ctx) != RILL_ERROR_ARGUMENT)
      complain(c, "tensor %d NULL: %s", t, rill_error_message(ctx));
    rill_error_clear(ctx);
    bool taken = face && whole && face(ctx, a.value, outputs, CAPACITY, &count) == RILL_OK;
    if (face && whole && taken != optional) complain(c, "tensor %d NULL: the faces differ", t);
    rill_error_clear(ctx);
  }
  call_args a;
  if (!make_args(ctx, c, DENSE, RILL_F64, &a)) return;
  if (rill_call(NULL, c->op, a.value, c->nargs, outputs, CAPACITY, &count) == RILL_OK ||
      (face && whole && face(NULL, a.value, outputs, CAPACITY, &count) == RILL_OK))
    complain(c, "works without a context");
}

START_TEST(nulls_are_refused) { each_case(nulls); }
END_TEST

/* ---- memory that runs out ----------------------------------------------------------------------- */

static bool forward_and_backward(rill_context *ctx, const op_case *c) {
  call_args a;
  rill_tensor *outputs[CAPACITY];
  int count, before = complaints;
  if (!make_args(ctx, c, STRIDED, RILL_F64, &a) && rill_error(ctx) != RILL_OK) return false;
  if (!call_op(ctx, c, &a, outputs, &count)) return false;
  for (int o = 0; o < count && o < c->outputs; o++) {
    if (!c->output[o].wants || (c->flags & CASE_NOGRAD)) continue;
    rill_tensor *seed = seed_gradient(ctx, outputs[o]);
    if (!seed || rill_backward(ctx, outputs[o], seed, true) != RILL_OK) return false;
  }
  return complaints == before;
}

/* With 0, 1, 2... allocations granted: RILL_ERROR_MEMORY until it works, and nothing leaks. */
START_TEST(each_allocation_may_fail) {
  complaints = 0;
  for (int i = 0; i < case_count; i++) {
    const op_case *c = &cases[i];
    if (c->error != RILL_OK || (c->flags & CASE_CONTIGUOUS)) continue;
    bool done = false;
    for (int64_t grant = 0; !done && grant < 1000; grant++) {
      rationed r = {grant, 0};
      rill_context *ctx = rationed_context(&r);
      if (ctx) {
        done = rill_scope_open(ctx) == RILL_OK && forward_and_backward(ctx, c);
        if (!done && rill_error(ctx) != RILL_ERROR_MEMORY) {
          complain(c, "after %lld allocations: %s", (long long)grant, rill_error_message(ctx));
          done = true;
        }
        rill_context_close(ctx);
      }
      if (r.live)
        complain(c, "after %lld allocations: %lld blocks leaked", (long long)grant,
                 (long long)r.live);
    }
    if (!done) complain(c, "never done");
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("ops");
  tcase_add_unchecked_fixture(c, load_cases, NULL);
  tcase_add_test(c, each_op_has_its_cases);
  tcase_add_test(c, argument_names_are_the_signatures);
  tcase_add_test(c, values_and_gradients_are_pytorchs);
  tcase_add_test(c, strides_make_no_difference);
  tcase_add_test(c, f32_is_close);
  tcase_add_test(c, gradcheck_agrees);
  tcase_add_test(c, c_faces_agree_with_calls_by_name);
  tcase_add_test(c, modules_of_ops_agree_with_calls);
  tcase_add_test(c, bad_arguments_are_refused);
  tcase_add_test(c, what_has_no_gradient_is_refused_when_called);
  tcase_add_test(c, nulls_are_refused);
  tcase_add_test(c, each_allocation_may_fail);
  return c;
}

TEST_MAIN("ops", tcase)
