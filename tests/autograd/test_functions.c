/* What hosts plug into a graph: hooks, their own ops, checkpointed functions; and gradcheck. */
#include "autograd/common.h"

/* ---- hooks ---- */

typedef struct watch {
  int calls, freed;
  double seen;
  int64_t remove[2]; /* hooks of `tensor` to remove when called; 0: none */
  rill_tensor *tensor;
  double factor; /* 0: leave the gradient */
} watch;

static rill_tensor *watching(rill_context *ctx, void *user, const rill_tensor *grad) {
  watch *w = user;
  w->calls++;
  w->seen = at(grad, 0);
  for (int i = 0; i < 2; i++)
    if (w->remove[i]) rill_remove_grad_hook(ctx, w->tensor, w->remove[i]);
  return w->factor != 0 ? rill_mul_scalar(ctx, grad, w->factor) : NULL;
}

static void freed(void *user) { ((watch *)user)->freed++; }

START_TEST(hooks_see_and_replace_gradients_in_order) {
  rill_context *ctx = rill_context_create(NULL);
  watch first = {.factor = 10}, second = {.factor = 0}, on_leaf = {.factor = -1};
  rill_tensor *x = leaf1(ctx, 3), *h = rill_square(ctx, x), *y = rill_mul_scalar(ctx, h, 5);
  ck_assert_int_gt(rill_add_grad_hook(ctx, h, watching, &first, freed), 0);
  ck_assert_int_gt(rill_add_grad_hook(ctx, h, watching, &second, freed), 0);
  ck_assert_int_gt(rill_add_grad_hook(ctx, x, watching, &on_leaf, NULL), 0);
  ck_assert_int_eq(rill_retain_grad(ctx, h), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, true), RILL_OK);
  ck_assert_double_eq(first.seen, 5);
  ck_assert_double_eq(second.seen, 50);
  ck_assert_double_eq(on_leaf.seen, 300);
  ck_assert_double_eq(grad_at(x, 0), -300);
  ck_assert_double_eq(grad_at(h, 0), 50); /* after the hooks */
  /* A kept gradient accumulates like a leaf's. */
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(h, 0), 100);
  ck_assert_int_eq(first.calls, 2);
  rill_context_close(ctx);
  ck_assert_int_eq(first.freed, 1);
  ck_assert_int_eq(second.freed, 1);
}
END_TEST

START_TEST(a_leaf_hook_runs_once_on_the_sum) {
  rill_context *ctx = rill_context_create(NULL);
  watch w = {0};
  rill_tensor *x = leaf1(ctx, 3);
  rill_add_grad_hook(ctx, x, watching, &w, NULL);
  rill_tensor *y = rill_add(ctx, rill_square(ctx, x), rill_mul(ctx, x, rill_exp(ctx, x)));
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_int_eq(w.calls, 1);
  ck_assert_double_eq_tol(w.seen, 6 + 4 * exp(3), 1e-12);
  rill_context_close(ctx);
}
END_TEST

START_TEST(hooks_can_be_removed_even_by_hooks) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *y = rill_square(ctx, x);
  watch a = {.tensor = x}, b = {0}, c = {0};
  int64_t id_a = rill_add_grad_hook(ctx, x, watching, &a, freed);
  int64_t id_b = rill_add_grad_hook(ctx, x, watching, &b, freed);
  int64_t id_c = rill_add_grad_hook(ctx, x, watching, &c, freed);
  a.remove[0] = id_a, a.remove[1] = id_b; /* itself and its successor */
  ck_assert_int_eq(rill_backward(ctx, y, NULL, true), RILL_OK);
  ck_assert(a.calls == 1 && a.freed == 1 && b.calls == 0 && b.freed == 1 && c.calls == 1);
  ck_assert_int_eq(rill_remove_grad_hook(ctx, x, id_c), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert(a.calls == 1 && c.calls == 1 && c.freed == 1);
  ck_assert_int_eq(rill_remove_grad_hook(ctx, x, id_c), RILL_ERROR_NOT_FOUND);
  ck_refused(ctx, RILL_ERROR_NOT_FOUND, "no hook");
  /* What retain_grad keeps is no hook of the host's. */
  rill_retain_grad(ctx, y);
  for (int64_t id = 0; id < 4; id++) {
    rill_remove_grad_hook(ctx, y, id);
    ck_refused(ctx, RILL_ERROR_NOT_FOUND, "no hook");
  }
  rill_context_close(ctx);
}
END_TEST

static rill_tensor *wrong_shape(rill_context *ctx, void *user, const rill_tensor *grad) {
  (void)user;
  return rill_unsqueeze(ctx, grad, 0);
}

static rill_tensor *wrong_dtype(rill_context *ctx, void *user, const rill_tensor *grad) {
  (void)user;
  return rill_to(ctx, grad, RILL_F32);
}

START_TEST(a_hook_must_return_the_gradients_shape_and_dtype) {
  rill_context *ctx = rill_context_create(NULL);
  rill_grad_hook const wrong[] = {wrong_shape, wrong_dtype};
  for (int i = 0; i < 2; i++) {
    rill_tensor *x = leaf1(ctx, 3);
    rill_add_grad_hook(ctx, x, wrong[i], NULL, NULL);
    rill_backward(ctx, rill_square(ctx, x), NULL, false);
    ck_refused(ctx, RILL_ERROR_SHAPE,
               i ? "returned f32 [1] for a gradient of f64 [1]"
                 : "returned f64 [1,1] for a gradient of f64 [1]");
    ck_assert_ptr_null(rill_tensor_grad(x));
  }
  rill_tensor *plain = rill_detach(ctx, leaf1(ctx, 1));
  ck_assert_int_eq(rill_add_grad_hook(ctx, plain, wrong_shape, NULL, NULL), 0);
  ck_refused(ctx, RILL_ERROR_GRAPH, "requires no gradient");
  rill_retain_grad(ctx, plain);
  ck_refused(ctx, RILL_ERROR_GRAPH, "requires no gradient");
  rill_context_close(ctx);
}
END_TEST

/* Starts a backward of its own: on a graph apart, or on the one that is being walked. */
static rill_tensor *nested(rill_context *ctx, void *user, const rill_tensor *grad) {
  (void)grad;
  rill_backward(ctx, user, NULL, true);
  return NULL;
}

START_TEST(a_hook_may_run_backward_but_not_on_the_same_nodes) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *z = leaf1(ctx, 2), *w = leaf1(ctx, 4);
  rill_tensor *h = rill_square(ctx, x), *y = rill_mul(ctx, h, w);
  int64_t id = rill_add_grad_hook(ctx, h, nested, rill_mul(ctx, z, w), NULL);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, true), RILL_OK);
  ck_assert_double_eq(grad_at(z, 0), 4);
  ck_assert_double_eq(grad_at(w, 0), 9 + 2); /* waited in the outer pass meanwhile */
  ck_assert_double_eq(grad_at(x, 0), 24);
  rill_remove_grad_hook(ctx, h, id);
  rill_add_grad_hook(ctx, h, nested, y, NULL);
  rill_backward(ctx, y, NULL, true);
  ck_refused(ctx, RILL_ERROR_GRAPH, "still running");
  rill_context_close(ctx);
}
END_TEST

/* ---- custom ops ---- */

enum fail {
  NEVER,
  IN_FORWARD,
  SILENT_FORWARD,
  NO_OUTPUT,
  IN_BACKWARD,
  SILENT_BACKWARD,
  WRONG_GRAD
};

typedef struct cube {
  enum fail fail;
  int freed, forwards, backwards;
  bool save;
} cube;

/* x^3 and x^2, as (double) numbers by hand. */
static rill_status cube_forward(rill_context *ctx, rill_custom_call *call, void *user) {
  cube *c = user;
  c->forwards++;
  if (c->fail == SILENT_FORWARD) return RILL_ERROR_CALLBACK;
  rill_tensor *x = rill_custom_input(call, 0), *x2 = rill_mul(ctx, x, x);
  ck_assert(!rill_requires_grad(x2));
  if (c->fail == IN_FORWARD) return rill_matmul(ctx, x, NULL) ? RILL_OK : rill_error(ctx);
  if (c->save) rill_custom_save(call, x);
  rill_custom_set_output(call, 1, x2);
  return c->fail == NO_OUTPUT ? RILL_OK : rill_custom_set_output(call, 0, rill_mul(ctx, x2, x));
}

static rill_status cube_backward(rill_context *ctx, rill_custom_call *call, void *user) {
  cube *c = user;
  c->backwards++;
  if (c->fail == SILENT_BACKWARD) return RILL_ERROR_STATE;
  if (c->fail == IN_BACKWARD) return rill_custom_set_grad(call, 3, NULL);
  rill_tensor *x = rill_custom_saved(call, 0), *g3 = rill_custom_grad(call, 0),
              *g2 = rill_custom_grad(call, 1);
  ck_assert(rill_custom_needs_grad(call, 0) && !rill_custom_needs_grad(call, 1));
  if (c->fail == WRONG_GRAD)
    return rill_custom_set_grad(call, 0, rill_zeros(ctx, RILL_F64, (int64_t[]){7}, 1));
  rill_tensor *d = NULL;
  if (g3) d = rill_mul(ctx, g3, rill_mul_scalar(ctx, rill_square(ctx, x), 3));
  if (g2) {
    rill_tensor *e = rill_mul(ctx, g2, rill_mul_scalar(ctx, x, 2));
    d = d ? rill_add(ctx, d, e) : e;
  }
  return rill_custom_set_grad(call, 0, d);
}

static void cube_free(void *user) { ((cube *)user)->freed++; }

static const rill_custom_op cube_op = {sizeof(rill_custom_op), "cube", cube_forward, cube_backward,
                                       cube_free};

START_TEST(a_custom_op_has_its_gradient) {
  rill_context *ctx = rill_context_create(NULL);
  for (int use = 1; use < 4; use++) { /* the first output, the second, both */
    cube c = {.save = true};
    rill_tensor *x = leaf1(ctx, 3), *out[2];
    rill_scope_open(ctx);
    ck_assert_int_eq(rill_custom_apply(ctx, &cube_op, &c,
                                       (rill_tensor *[]){x, rill_ones(ctx, RILL_F64, NULL, 0)}, 2,
                                       out, 2),
                     RILL_OK);
    ck_assert_double_eq(at(out[0], 0), 27);
    ck_assert_double_eq(at(out[1], 0), 9);
    rill_tensor *y = use == 3 ? rill_add(ctx, out[0], out[1]) : out[use - 1];
    ck_assert_int_eq(c.freed, 0);
    ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
    ck_assert_double_eq(grad_at(x, 0), (use & 1 ? 27 : 0) + (use & 2 ? 6 : 0));
    ck_assert_int_eq(c.freed, 1); /* with the saved values */
    rill_backward(ctx, y, NULL, false);
    ck_refused(ctx, RILL_ERROR_GRAPH, "backward ran already");
    rill_scope_close(ctx);
    ck_assert(c.freed == 1 && c.backwards == 1);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_custom_op_that_fails_frees_its_user_once) {
  static const struct {
    enum fail fail;
    rill_status code;
    const char *words;
  } expected[] = {
      {NEVER, RILL_OK, ""},
      {IN_FORWARD, RILL_ERROR_ARGUMENT, "matmul"},
      {SILENT_FORWARD, RILL_ERROR_CALLBACK, "cube: forward returned RILL_ERROR_CALLBACK"},
      {NO_OUTPUT, RILL_ERROR_CALLBACK, "cube: forward did not set output 0"},
      {IN_BACKWARD, RILL_ERROR_CALLBACK, "cube: input gradient 3"},
      {SILENT_BACKWARD, RILL_ERROR_CALLBACK, "cube: backward returned RILL_ERROR_STATE"},
      {WRONG_GRAD, RILL_ERROR_SHAPE, "cube: backward gave a gradient of [7] for an input of [2]"},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    for (int wanted = 0; wanted < 2; wanted++) {
      rill_context *ctx = rill_context_create(NULL);
      cube c = {.fail = expected[i].fail, .save = true};
      rill_tensor *x = leaf(ctx, 2, (double[]){3, 4}), *out[2];
      if (!wanted) rill_set_requires_grad(ctx, x, false);
      rill_status s = rill_custom_apply(ctx, &cube_op, &c, &x, 1, out, 2);
      ck_assert(s == RILL_OK || (!out[0] && !out[1]));
      ck_assert_int_eq(c.freed, !wanted || s != RILL_OK);
      if (s == RILL_OK && wanted) s = rill_backward(ctx, total(ctx, out[0]), NULL, false);
      bool reached = wanted || expected[i].fail < IN_BACKWARD;
      ck_assert_int_eq(s, reached ? expected[i].code : RILL_OK);
      if (s != RILL_OK) ck_refused(ctx, expected[i].code, expected[i].words);
      ck_assert(s == RILL_OK || !rill_tensor_grad(x));
      rill_context_close(ctx);
      ck_assert_int_eq(c.freed, 1);
    }
  }
}
END_TEST

START_TEST(bad_custom_calls_are_refused_and_free_their_user) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *out[2], *none = NULL;
  cube c = {0};
  int n = 0;
  rill_custom_op op = cube_op;
#define FREES(call)                                                                                \
  do {                                                                                             \
    ck_assert_int_ne(call, RILL_OK);                                                               \
    rill_error_clear(ctx);                                                                         \
    ck_assert_int_eq(c.freed, ++n);                                                                \
  } while (0)
  FREES(rill_custom_apply(NULL, &op, &c, &x, 1, out, 2));
  FREES(rill_custom_apply(ctx, &op, &c, NULL, 1, out, 2));
  FREES(rill_custom_apply(ctx, &op, &c, &none, 1, out, 2));
  FREES(rill_custom_apply(ctx, &op, &c, &x, 1, NULL, 2));
  FREES(rill_custom_apply(ctx, &op, &c, &x, 1, out, 0));
  FREES(rill_custom_apply(ctx, &op, &c, &x, -1, out, 2));
  op.backward = NULL;
  FREES(rill_custom_apply(ctx, &op, &c, &x, 1, out, 2));
  op.forward = NULL;
  FREES(rill_custom_apply(ctx, &op, &c, &x, 1, out, 2));
  ck_assert_int_eq(rill_custom_apply(ctx, NULL, &c, &x, 1, out, 2), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  ck_assert_int_eq(c.forwards, 0);
  ck_assert(!rill_custom_input(NULL, 0) && !rill_custom_saved(NULL, 0) &&
            !rill_custom_grad(NULL, 0));
  ck_assert(!rill_custom_needs_grad(NULL, 0) && rill_custom_save(NULL, x) &&
            rill_custom_set_output(NULL, 0, x) && rill_custom_set_grad(NULL, 0, x));
  rill_context_close(ctx);
}
END_TEST

static rill_status identity(rill_context *ctx, rill_custom_call *call, void *user) {
  (void)ctx;
  (void)user;
  for (int i = 0; i < 20; i++) rill_custom_save(call, rill_custom_input(call, 0));
  return rill_custom_set_output(call, 0, rill_custom_input(call, 0));
}

static rill_status identity_backward(rill_context *ctx, rill_custom_call *call, void *user) {
  (void)user;
  if (!rill_custom_saved(call, 19)) return rill_error(ctx);
  return rill_custom_set_grad(call, 0, rill_custom_grad(call, 0));
}

START_TEST(a_custom_op_may_return_its_input) {
  rill_context *ctx = rill_context_create(NULL);
  static const rill_custom_op op = {sizeof op, "identity", identity, identity_backward, NULL};
  rill_tensor *x = leaf1(ctx, 3), *y;
  ck_assert_int_eq(rill_custom_apply(ctx, &op, NULL, &x, 1, &y, 1), RILL_OK);
  ck_assert(y != x && rill_is_leaf(x) && !rill_is_leaf(y));
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  rill_fill_(ctx, x, 4); /* shares storage, and was saved */
  rill_set_grad_mode(ctx, RILL_GRAD_ON);
  rill_backward(ctx, y, NULL, true);
  ck_refused(ctx, RILL_ERROR_GRAPH, "identity: a tensor of shape [1]");
  ck_assert_int_eq(rill_custom_apply(ctx, &op, NULL, &x, 1, &y, 1), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 1);
  rill_context_close(ctx);
}
END_TEST

/* ---- checkpointing ---- */

typedef struct block {
  rill_tensor *weight;
  int calls;
} block;

/* Wide inside, dropout included. */
static rill_tensor *block_run(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  block *b = user;
  b->calls++;
  rill_tensor *h = in[0];
  ck_assert_int_eq(n, 1);
  for (int i = 0; i < 8; i++)
    h = rill_dropout(ctx, rill_tanh(ctx, rill_mul(ctx, h, b->weight)), 0.25);
  return h;
}

typedef struct outcome {
  double y[256], dx[256], dw[256];
  size_t peak;
} outcome;

static void run_blocks(bool checkpointed, outcome *o) {
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.seed = 42;
  rill_context *ctx = rill_context_create(&options);
  int64_t n = 256;
  rill_tensor *x = rill_rand(ctx, RILL_F64, &n, 1), *w = rill_rand(ctx, RILL_F64, &n, 1);
  rill_set_requires_grad(ctx, x, true);
  rill_set_requires_grad(ctx, w, true);
  block b = {w, 0};
  rill_memory_reset_peak(ctx);
  rill_tensor *h = rill_tensor_retain(x);
  for (int i = 0; i < 8; i++) {
    rill_scope_open(ctx);
    rill_tensor *next =
        checkpointed ? rill_checkpoint(ctx, block_run, &b, &h, 1) : block_run(ctx, &b, &h, 1);
    next = rill_tensor_retain(rill_mul(ctx, next, w)); /* the weight outside too */
    rill_scope_close(ctx);
    rill_tensor_release(h);
    h = next;
  }
  rill_tensor_copy_out(ctx, h, RILL_F64, o->y, sizeof o->y);
  ck_assert_int_eq(rill_backward(ctx, total(ctx, h), NULL, false), RILL_OK);
  ck_assert_int_eq(b.calls, checkpointed ? 16 : 8);
  rill_tensor_copy_out(ctx, rill_tensor_grad(x), RILL_F64, o->dx, sizeof o->dx);
  rill_tensor_copy_out(ctx, rill_tensor_grad(w), RILL_F64, o->dw, sizeof o->dw);
  rill_memory_stats s = RILL_MEMORY_STATS_INIT;
  rill_memory_get_stats(ctx, &s);
  o->peak = s.peak;
  ck_assert_int_eq(rill_error(ctx), RILL_OK);
  rill_tensor_release(h);
  rill_context_close(ctx);
}

START_TEST(a_checkpoint_changes_memory_and_nothing_else) {
  static outcome plain, sparing;
  run_blocks(false, &plain);
  run_blocks(true, &sparing);
  ck_assert_mem_eq(plain.y, sparing.y, sizeof plain.y);
  ck_assert_mem_eq(plain.dx, sparing.dx, sizeof plain.dx);
  double worst = rms_ratio_f64(sparing.dw, plain.dw, 256);
  ck_assert_msg(worst < 1e-14, "%g", worst); /* summed in another order */
  ck_assert_uint_lt(sparing.peak, plain.peak / 2);
}
END_TEST

static rill_tensor *nothing(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)ctx;
  (void)in;
  return n && (*(int *)user)-- > 0 ? rill_square(ctx, in[0]) : NULL;
}

START_TEST(a_checkpoint_reports_what_cannot_be) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *none = NULL, *got;
  int times = 0;
  ck_assert_ptr_null(rill_checkpoint(ctx, nothing, &times, &x, 1));
  ck_refused(ctx, RILL_ERROR_CALLBACK, "returned NULL");
  times = 1;
  rill_tensor *y = rill_checkpoint(ctx, nothing, &times, &x, 1);
  rill_backward(ctx, y, NULL, true);
  ck_refused(ctx, RILL_ERROR_CALLBACK, "returned NULL");
  rill_grad(ctx, &y, 1, &x, 1, NULL, true, false, &got);
  ck_refused(ctx, RILL_ERROR_GRAPH, "use rill_backward");
  times = 1;
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 6);
  ck_assert_ptr_null(rill_checkpoint(NULL, nothing, &times, &x, 1));
  rill_checkpoint(ctx, NULL, &times, &x, 1);
  ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");
  rill_checkpoint(ctx, nothing, &times, NULL, 1);
  ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");
  rill_checkpoint(ctx, nothing, &times, &none, 1);
  ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");
  rill_context_close(ctx);
}
END_TEST

/* ---- gradcheck ---- */

static rill_tensor *checked(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)n;
  (void)user;
  return rill_matmul(ctx, rill_tanh(ctx, in[0]), in[1]);
}

static rill_status wrong_backward(rill_context *ctx, rill_custom_call *call, void *user) {
  (void)user;
  rill_tensor *d =
      rill_mul(ctx, rill_custom_grad(call, 0), rill_square(ctx, rill_custom_saved(call, 0)));
  return rill_custom_set_grad(call, 0, rill_mul_scalar(ctx, d, 3.01));
}

static rill_tensor *cubed(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)n;
  cube *c = user;
  rill_custom_op op = cube_op;
  if (c->fail == WRONG_GRAD) op.backward = wrong_backward;
  enum fail fail = c->fail;
  c->fail = NEVER;
  rill_tensor *out[2] = {NULL, NULL};
  rill_custom_apply(ctx, &op, c, in, 1, out, 2);
  c->fail = fail;
  return out[0];
}

static rill_tensor *constant(rill_context *ctx, void *user, rill_tensor *const *in, int n) {
  (void)user;
  (void)n;
  return rill_detach(ctx, in[0]);
}

START_TEST(gradcheck_tells_right_from_wrong) {
  rill_context *ctx = rill_context_create(NULL);
  double v[6] = {0.3, -0.7, 1.1, 0.2, -1.3, 0.5};
  rill_tensor *in[2];
  for (int i = 0; i < 2; i++) {
    in[i] = rill_from_buffer(ctx, RILL_F64, i ? (int64_t[]){3, 2} : (int64_t[]){2, 3}, 2, v);
    rill_set_requires_grad(ctx, in[i], true);
  }
  ck_assert_int_eq(rill_gradcheck(ctx, checked, NULL, in, 2, NULL), RILL_OK);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF); /* it turns recording on by itself */
  ck_assert_int_eq(rill_gradcheck(ctx, checked, NULL, in, 2, NULL), RILL_OK);
  ck_assert_int_eq(rill_set_grad_mode(ctx, RILL_GRAD_ON), RILL_GRAD_OFF);
  ck_assert_ptr_null(rill_tensor_grad(in[0]));
  cube right = {.save = true}, wrong = {.save = true, .fail = WRONG_GRAD};
  rill_tensor *x = leaf1(ctx, 0.8);
  ck_assert_int_eq(rill_gradcheck(ctx, cubed, &right, &x, 1, NULL), RILL_OK);
  rill_gradcheck(ctx, cubed, &wrong, &x, 1, NULL);
  ck_refused(ctx, RILL_ERROR_GRAPH, "d output[0] / d input 0 [0] is 1.92");
  rill_gradcheck_options loose;
  rill_gradcheck_options_init(&loose);
  loose.rtol = 0.01;
  ck_assert_int_eq(rill_gradcheck(ctx, cubed, &wrong, &x, 1, &loose), RILL_OK);
  rill_gradcheck(ctx, constant, NULL, &x, 1, NULL);
  ck_refused(ctx, RILL_ERROR_GRAPH, "does not depend");
  rill_tensor *single = rill_ones(ctx, RILL_F32, NULL, 0), *none = NULL;
  rill_set_requires_grad(ctx, single, true);
  rill_gradcheck(ctx, constant, NULL, &single, 1, NULL);
  ck_refused(ctx, RILL_ERROR_DTYPE, "not f64");
  rill_gradcheck(ctx, constant, NULL, &none, 1, NULL);
  rill_error_clear(ctx);
  rill_gradcheck(ctx, NULL, NULL, &x, 1, NULL);
  ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");
  rill_gradcheck(ctx, constant, NULL, NULL, 1, NULL);
  ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");
  ck_assert_int_eq(rill_gradcheck(NULL, constant, NULL, &x, 1, NULL), RILL_ERROR_ARGUMENT);
  rill_context_close(ctx);
}
END_TEST

static TCase *cases(void) {
  TCase *tc = tcase_create("functions");
  tcase_add_test(tc, hooks_see_and_replace_gradients_in_order);
  tcase_add_test(tc, a_leaf_hook_runs_once_on_the_sum);
  tcase_add_test(tc, hooks_can_be_removed_even_by_hooks);
  tcase_add_test(tc, a_hook_must_return_the_gradients_shape_and_dtype);
  tcase_add_test(tc, a_hook_may_run_backward_but_not_on_the_same_nodes);
  tcase_add_test(tc, a_custom_op_has_its_gradient);
  tcase_add_test(tc, a_custom_op_that_fails_frees_its_user_once);
  tcase_add_test(tc, bad_custom_calls_are_refused_and_free_their_user);
  tcase_add_test(tc, a_custom_op_may_return_its_input);
  tcase_add_test(tc, a_checkpoint_changes_memory_and_nothing_else);
  tcase_add_test(tc, a_checkpoint_reports_what_cannot_be);
  tcase_add_test(tc, gradcheck_tells_right_from_wrong);
  return tc;
}

TEST_MAIN("autograd functions", cases)
