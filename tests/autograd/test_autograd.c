/* The graph and the backward engine: values, accumulation, leaf rules, modes, versions, depth. */
#include "autograd/common.h"

#include <pthread.h>

START_TEST(a_chain_has_its_closed_form_gradient) {
  rill_context *ctx = rill_context_create(NULL);
  const double v[] = {-1.5, 0.25, 2};
  rill_tensor *x = leaf(ctx, 3, v);
  /* d/dx sum(exp(sin x) x^2) = exp(sin x)(cos x x^2 + 2x) */
  rill_tensor *y = total(ctx, rill_mul(ctx, rill_exp(ctx, rill_sin(ctx, x)), rill_square(ctx, x)));
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  for (int i = 0; i < 3; i++) {
    double want = exp(sin(v[i])) * (cos(v[i]) * v[i] * v[i] + 2 * v[i]);
    ck_assert_double_eq_tol(grad_at(x, i), want, 1e-13);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(backward_accumulates_until_the_gradient_is_dropped) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3);
  for (int i = 1; i <= 3; i++) {
    ck_assert_int_eq(rill_backward(ctx, rill_square(ctx, x), NULL, false), RILL_OK);
    ck_assert_double_eq(grad_at(x, 0), 6 * i);
  }
  ck_assert_int_eq(rill_set_grad(ctx, x, NULL), RILL_OK);
  ck_assert_ptr_null(rill_tensor_grad(x));
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_gradient_set_by_the_host_is_not_changed_with_it) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *g = rill_scalar(ctx, RILL_F64, 10);
  ck_assert_int_eq(rill_set_grad(ctx, x, g), RILL_ERROR_SHAPE);
  ck_refused(ctx, RILL_ERROR_SHAPE, "the tensor f64 [1]");
  g = rill_full(ctx, RILL_F64, (int64_t[]){1}, 1, 10);
  ck_assert_int_eq(rill_set_grad(ctx, x, g), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, rill_square(ctx, x), NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 16);
  ck_assert_double_eq(at(g, 0), 10);
  /* A tensor as its own gradient ties no knot: the leak check would tell. */
  ck_assert_int_eq(rill_set_grad(ctx, x, x), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 3);
  ck_assert(!rill_requires_grad(rill_tensor_grad(x)));
  ck_assert_int_eq(rill_set_grad(ctx, x, rill_square(ctx, x)), RILL_ERROR_GRAPH);
  ck_refused(ctx, RILL_ERROR_GRAPH, "detach");
  rill_context_close(ctx);
}
END_TEST

START_TEST(two_results_of_one_gradient_do_not_share_it) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *a = leaf1(ctx, 1), *b = leaf1(ctx, 2);
  rill_tensor *seed = rill_ones(ctx, RILL_F64, (int64_t[]){1}, 1);
  ck_assert_int_eq(rill_backward(ctx, rill_add(ctx, a, b), seed, false), RILL_OK);
  ck_assert_int_eq(rill_fill_(ctx, rill_tensor_grad(a), 5), RILL_OK);
  ck_assert_double_eq(grad_at(b, 0), 1);
  ck_assert_double_eq(at(seed, 0), 1);
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_second_backward_needs_retain_graph) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *y = rill_square(ctx, x);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, true), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 12);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_ERROR_GRAPH);
  ck_refused(ctx, RILL_ERROR_GRAPH, "backward ran already, without retain_graph");
  ck_assert_double_eq(grad_at(x, 0), 12);
  rill_context_close(ctx);
}
END_TEST

START_TEST(the_seed_must_fit_the_output) {
  rill_context *ctx = rill_context_create(NULL);
  const double v[] = {1, 2, 3}, g[] = {10, 20, 30};
  rill_tensor *x = leaf(ctx, 3, v), *y = rill_square(ctx, x);
  rill_backward(ctx, y, NULL, true);
  ck_refused(ctx, RILL_ERROR_SHAPE, "[3] needs a gradient");
  rill_backward(ctx, y, rill_scalar(ctx, RILL_F64, 1), true);
  ck_refused(ctx, RILL_ERROR_SHAPE, "the gradient has shape [], the output [3]");
  rill_backward(ctx, rill_detach(ctx, y), NULL, true);
  ck_refused(ctx, RILL_ERROR_GRAPH, "requires no gradient");
  ck_assert_ptr_null(rill_tensor_grad(x));
  int64_t n = 3;
  ck_assert_int_eq(rill_backward(ctx, y, rill_from_buffer(ctx, RILL_F64, &n, 1, g), false),
                   RILL_OK);
  for (int i = 0; i < 3; i++) ck_assert_double_eq(grad_at(x, i), 2 * v[i] * g[i]);
  /* A leaf may be the output itself. */
  rill_tensor *z = leaf1(ctx, 4);
  ck_assert_int_eq(rill_backward(ctx, z, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(z, 0), 1);
  rill_context_close(ctx);
}
END_TEST

START_TEST(grad_leaves_dot_grad_alone) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *w = leaf1(ctx, 5), *unused = leaf1(ctx, 7), *got[3];
  rill_tensor *h = rill_mul(ctx, x, w), *y = rill_square(ctx, h);
  rill_tensor *in[] = {h, x, unused};
  ck_assert_int_eq(rill_grad(ctx, &y, 1, in, 3, NULL, true, true, got), RILL_OK);
  ck_assert_double_eq(at(got[0], 0), 30);
  ck_assert_double_eq(at(got[1], 0), 150);
  ck_assert_ptr_null(got[2]);
  ck_assert_int_eq(rill_grad(ctx, &y, 1, in, 3, NULL, true, false, got), RILL_ERROR_GRAPH);
  ck_assert(!got[0] && !got[1] && !got[2]);
  ck_refused(ctx, RILL_ERROR_GRAPH, "input 2 had no part");
  ck_assert(!rill_tensor_grad(x) && !rill_tensor_grad(w) && !rill_tensor_grad(h));
  /* Two outputs, the same input twice, seeds. */
  rill_tensor *outs[] = {y, h}, *twice[] = {x, x};
  const rill_tensor *seeds[] = {NULL, rill_full(ctx, RILL_F64, (int64_t[]){1}, 1, 100)};
  ck_assert_int_eq(rill_grad(ctx, outs, 2, twice, 2, seeds, false, false, got), RILL_OK);
  ck_assert_double_eq(at(got[0], 0), 150 + 500);
  ck_assert_double_eq(at(got[1], 0), 150 + 500);
  rill_context_close(ctx);
}
END_TEST

START_TEST(grad_spends_no_more_of_the_graph_than_it_needs) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *h = rill_square(ctx, x), *y = rill_exp(ctx, h), *got;
  ck_assert_int_eq(rill_grad(ctx, &y, 1, &h, 1, NULL, false, false, &got), RILL_OK);
  ck_assert_double_eq(at(got, 0), exp(9));
  ck_assert_int_eq(rill_grad(ctx, &h, 1, &x, 1, &(const rill_tensor *){got}, false, false, &got),
                   RILL_OK);
  ck_assert_double_eq(at(got, 0), 6 * exp(9));
  rill_context_close(ctx);
}
END_TEST

START_TEST(detach_cuts_the_graph_and_shares_the_values) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3), *y = rill_square(ctx, x), *d = rill_detach(ctx, y);
  ck_assert(!rill_requires_grad(d) && rill_is_leaf(d) && !rill_is_leaf(y));
  ck_assert_ptr_eq(rill_tensor_data(d), rill_tensor_data(y));
  ck_assert_int_eq(rill_backward(ctx, rill_mul(ctx, d, x), NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 9);
  rill_context_close(ctx);
}
END_TEST

START_TEST(nothing_is_recorded_with_gradients_off) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3);
  ck_assert_int_eq(rill_set_grad_mode(ctx, RILL_GRAD_OFF), RILL_GRAD_ON);
  rill_tensor *y = rill_square(ctx, x);
  ck_assert(!rill_requires_grad(y));
  ck_assert_int_eq(rill_get_grad_mode(ctx), RILL_GRAD_OFF);
  rill_set_grad_mode(ctx, (rill_grad_mode)9);
  ck_assert_int_eq(rill_set_grad_mode(ctx, RILL_GRAD_ON), RILL_GRAD_OFF);
  ck_assert(rill_requires_grad(rill_mul(ctx, x, y)));
  rill_context_close(ctx);
}
END_TEST

START_TEST(an_inference_tensor_enters_no_graph) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 3);
  rill_set_grad_mode(ctx, RILL_GRAD_INFERENCE);
  rill_tensor *y = rill_square(ctx, x);
  rill_set_grad_mode(ctx, RILL_GRAD_ON);
  ck_assert_ptr_null(rill_mul(ctx, x, y));
  ck_refused(ctx, RILL_ERROR_GRAPH, "inference mode and cannot be saved");
  ck_assert_ptr_null(rill_mul(ctx, x, rill_reshape(ctx, y, (int64_t[]){1, 1}, 2)));
  ck_refused(ctx, RILL_ERROR_GRAPH, "inference mode");
  rill_set_requires_grad(ctx, y, true);
  ck_refused(ctx, RILL_ERROR_GRAPH, "inference mode");
  ck_assert(rill_requires_grad(rill_add(ctx, x, y))); /* add saves nothing */
  ck_assert(rill_requires_grad(rill_mul(ctx, x, rill_clone(ctx, y))));
  rill_context_close(ctx);
}
END_TEST

START_TEST(only_float_leaves_take_requires_grad) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t n = 2;
  const rill_dtype without[] = {RILL_I32, RILL_I64, RILL_U8, RILL_BOOL, RILL_F16, RILL_BF16};
  for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
    rill_set_requires_grad(ctx, rill_ones(ctx, without[i], &n, 1), true);
    ck_refused(ctx, RILL_ERROR_DTYPE, rill_dtype_name(without[i]));
  }
  rill_tensor *x = leaf1(ctx, 3), *y = rill_square(ctx, x);
  for (int on = 0; on < 2; on++) {
    rill_set_requires_grad(ctx, y, on);
    ck_refused(ctx, RILL_ERROR_GRAPH, "detach it first");
  }
  ck_assert_int_eq(rill_set_requires_grad(ctx, x, false), RILL_OK);
  ck_assert(!rill_requires_grad(rill_square(ctx, x)) && rill_is_leaf(x));
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK); /* recorded before */
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_saved_tensor_that_changed_is_refused) {
  rill_context *ctx = rill_context_create(NULL);
  const double v[] = {1, 2, 3};
  rill_tensor *x = leaf(ctx, 3, v), *w = rill_clone(ctx, rill_detach(ctx, x));
  rill_tensor *y = total(ctx, rill_mul(ctx, x, w));
  ck_assert_int_eq(rill_mul_scalar_(ctx, rill_slice(ctx, w, 0, 1, 2, 1), 2),
                   RILL_OK); /* through a view */
  rill_backward(ctx, y, NULL, true);
  ck_refused(ctx, RILL_ERROR_GRAPH,
             "mul: a tensor of shape [3] that backward needs was changed in place: saved at "
             "version 0, now 1");
  ck_assert_ptr_null(rill_tensor_grad(x));
  /* The result that exp saves; a touch counts as a change. */
  rill_tensor *e = rill_exp(ctx, x);
  rill_tensor_touch(e);
  rill_backward(ctx, total(ctx, e), NULL, false);
  ck_refused(ctx, RILL_ERROR_GRAPH, "exp: a tensor of shape [3]");
  /* What nobody saved may change, and a fresh graph sees the new values. */
  rill_tensor *a = rill_add(ctx, x, w);
  ck_assert_int_eq(rill_fill_(ctx, w, 0), RILL_OK);
  ck_assert_int_eq(rill_backward(ctx, total(ctx, a), NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 2), 1);
  rill_fill_(ctx, x, 1);
  ck_refused(ctx, RILL_ERROR_GRAPH, "turn gradients off");
  rill_context_close(ctx);
}
END_TEST

START_TEST(broadcast_gradients_are_summed) {
  rill_context *ctx = rill_context_create(NULL);
  double v[24];
  uint64_t seed = 5;
  for (int i = 0; i < 24; i++) v[i] = test_normal(&seed);
  rill_tensor *big = rill_from_buffer(ctx, RILL_F64, (int64_t[]){2, 3, 4}, 3, v);
  rill_tensor *row = leaf(ctx, 4, v), *one = leaf1(ctx, 1), *mid,
              *scalar = rill_scalar(ctx, RILL_F64, 2);
  mid = rill_from_buffer(ctx, RILL_F64, (int64_t[]){3, 1}, 2, v);
  rill_set_requires_grad(ctx, mid, true);
  rill_set_requires_grad(ctx, scalar, true);
  rill_tensor *inputs[] = {row, one, mid, scalar};
  for (int k = 0; k < 4; k++)
    ck_assert_int_eq(rill_backward(ctx, total(ctx, rill_mul(ctx, big, inputs[k])), NULL, false),
                     RILL_OK);
  double by_row[4] = {0}, by_mid[3] = {0}, all = 0;
  for (int i = 0; i < 24; i++) by_row[i % 4] += v[i], by_mid[i / 4 % 3] += v[i], all += v[i];
  for (int i = 0; i < 4; i++) ck_assert_double_eq_tol(grad_at(row, i), by_row[i], 1e-14);
  for (int i = 0; i < 3; i++) ck_assert_double_eq_tol(grad_at(mid, i), by_mid[i], 1e-14);
  ck_assert_double_eq_tol(grad_at(one, 0), all, 1e-14);
  ck_assert_double_eq_tol(grad_at(scalar, 0), all, 1e-14);
  ck_assert_int_eq(rill_tensor_ndim(rill_tensor_grad(scalar)), 0);
  ck_assert_int_eq(rill_tensor_ndim(rill_tensor_grad(mid)), 2);
  rill_context_close(ctx);
}
END_TEST

START_TEST(gradients_come_in_the_dtype_of_their_input) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t n = 2;
  rill_tensor *a = rill_ones(ctx, RILL_F32, &n, 1), *b = leaf(ctx, 2, (double[]){2, 3});
  rill_set_requires_grad(ctx, a, true);
  ck_assert_int_eq(rill_backward(ctx, total(ctx, rill_mul(ctx, a, b)), NULL, false), RILL_OK);
  ck_assert_int_eq(rill_tensor_dtype(rill_tensor_grad(a)), RILL_F32);
  ck_assert(((float *)rill_tensor_data(rill_tensor_grad(a)))[1] == 3);
  ck_assert_double_eq(grad_at(b, 1), 1);
  rill_context_close(ctx);
}
END_TEST

/* Each level doubles the number of paths: 2^60 of them, each node visited once. */
START_TEST(diamonds_are_walked_once_a_node) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 1), *y = x;
  for (int i = 0; i < 60; i++) y = rill_add(ctx, y, y);
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 1152921504606846976.0);
  rill_context_close(ctx);
}
END_TEST

START_TEST(wide_graphs_join_again) {
  enum { WIDE = 3000 };
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 1);
  const rill_tensor *branch[WIDE];
  for (int i = 0; i < WIDE; i++) branch[i] = rill_mul_scalar(ctx, rill_square(ctx, x), i);
  rill_tensor *y = total(ctx, rill_cat(ctx, branch, WIDE, 0));
  ck_assert_int_eq(rill_backward(ctx, y, NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 2.0 * WIDE * (WIDE - 1) / 2);
  rill_context_close(ctx);
}
END_TEST

/* A chain of which only the graph holds the inner tensors, but for those in the scope. */
static rill_tensor *chain(rill_context *ctx, rill_tensor *x, int length, bool keep) {
  rill_tensor *h = rill_tensor_retain(x), *one = rill_tensor_retain(rill_scalar(ctx, RILL_F64, 1));
  for (int i = 0; i < length; i++) {
    if (!keep) rill_scope_open(ctx);
    rill_tensor *next = i % 2 ? rill_mul(ctx, h, one) : rill_neg(ctx, rill_neg(ctx, h));
    rill_tensor_retain(next);
    if (!keep) rill_scope_close(ctx);
    rill_tensor_release(h);
    h = next;
  }
  rill_tensor_release(one);
  return h;
}

static rill_status keep_user(rill_context *ctx, rill_custom_call *call, void *user) {
  rill_custom_save(call, user);
  return rill_custom_set_output(call, 0, rill_neg(ctx, rill_custom_input(call, 0)));
}

static rill_status no_gradient(rill_context *ctx, rill_custom_call *call, void *user) {
  (void)ctx, (void)call, (void)user;
  return RILL_OK;
}

/* A chain whose links are saved tensors alone: each op keeps the output of the one before. */
static bool saved_chain(rill_context *ctx, rill_tensor *x, int length) {
  static const rill_custom_op op = {sizeof op, "keep", keep_user, no_gradient, NULL};
  rill_tensor *h = rill_tensor_retain(x), *next = NULL;
  for (int i = 0; i < length; i++) {
    rill_scope_open(ctx);
    rill_custom_apply(ctx, &op, h, &x, 1, &next, 1);
    rill_tensor_retain(next);
    rill_scope_close(ctx);
    rill_tensor_release(h);
    h = next;
  }
  rill_tensor_release(h);
  return rill_error(ctx) == RILL_OK;
}

static void *deep(void *result) {
  bool *ok = result;
  for (int way = 0; way < 4; way++) { /* kept by the scope or not, walked or not */
    rill_context *ctx = rill_context_create(NULL);
    rill_tensor *x = rill_full(ctx, RILL_F64, (int64_t[]){1}, 1, 2);
    rill_set_requires_grad(ctx, x, true);
    rill_tensor *y = chain(ctx, x, 100000, way & 1);
    ok[way] = y != NULL;
    if (way & 2)
      ok[way] = rill_backward(ctx, y, NULL, false) == RILL_OK &&
                rill_tensor_item(ctx, rill_tensor_grad(x)) == 1;
    rill_tensor_release(y);
    if (!way) ok[4] = saved_chain(ctx, x, 100000);
    rill_context_close(ctx);
  }
  return NULL;
}

START_TEST(a_hundred_thousand_nodes_need_no_stack) {
  size_t size = UNDER_ASAN || UNDER_TSAN ? 1 << 20 : 128 << 10;
  bool ok[5] = {false};
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  ck_assert_int_eq(pthread_attr_setstacksize(&attr, size), 0);
  ck_assert_int_eq(pthread_create(&thread, &attr, deep, ok), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attr);
  for (int way = 0; way < 5; way++) ck_assert_msg(ok[way], "way %d", way);
}
END_TEST

static rill_tensor *note_memory(rill_context *ctx, void *user, const rill_tensor *grad) {
  (void)grad;
  *(size_t *)user = held(ctx);
  return NULL;
}

START_TEST(memory_goes_back_as_backward_proceeds) {
  enum { N = 1 << 14, LENGTH = 64 };
  size_t seen[2];
  for (int retain = 0; retain < 2; retain++) {
    rill_context *ctx = rill_context_create(NULL);
    int64_t n = N;
    rill_tensor *x = rill_full(ctx, RILL_F64, &n, 1, 2);
    rill_set_requires_grad(ctx, x, true);
    rill_add_grad_hook(ctx, x, note_memory, &seen[retain], NULL);
    size_t before = held(ctx);
    rill_tensor *h = rill_tensor_retain(x);
    for (int i = 0; i < LENGTH; i++) {
      rill_scope_open(ctx);
      rill_tensor *next = rill_tensor_retain(rill_tanh(ctx, h));
      rill_scope_close(ctx);
      rill_tensor_release(h);
      h = next;
    }
    rill_tensor *seed = rill_ones(ctx, RILL_F64, &n, 1);
    ck_assert_uint_ge(held(ctx), before + LENGTH * N * sizeof(double));
    ck_assert_int_eq(rill_backward(ctx, h, seed, retain), RILL_OK);
    seen[retain] -= before;
    rill_tensor_release(h);
    rill_context_close(ctx);
  }
  ck_assert_uint_lt(seen[0], 8 * N * sizeof(double));
  ck_assert_uint_ge(seen[1], LENGTH * N * sizeof(double));
}
END_TEST

START_TEST(graphs_of_two_contexts_do_not_mix) {
  rill_context *a = rill_context_create(NULL), *b = rill_context_create(NULL);
  rill_tensor *x = leaf1(a, 3), *y = rill_square(a, x);
  ck_assert_ptr_null(rill_square(b, y));
  ck_refused(b, RILL_ERROR_GRAPH, "another context");
  rill_backward(b, y, NULL, false);
  ck_refused(b, RILL_ERROR_GRAPH, "another context");
  /* A leaf may be used anywhere. */
  ck_assert_int_eq(rill_backward(b, rill_square(b, x), NULL, false), RILL_OK);
  ck_assert_double_eq(grad_at(x, 0), 6);
  rill_context_close(a);
  rill_context_close(b);
}
END_TEST

START_TEST(null_is_refused_everywhere) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *x = leaf1(ctx, 1), *got;
  ck_assert(!rill_requires_grad(NULL) && !rill_is_leaf(NULL) && !rill_tensor_grad(NULL));
  ck_assert_int_eq(rill_set_requires_grad(NULL, x, true), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_set_grad(NULL, x, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_retain_grad(NULL, x), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_backward(NULL, x, NULL, false), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_grad(NULL, &x, 1, &x, 1, NULL, false, false, &got), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_remove_grad_hook(NULL, x, 1), RILL_ERROR_ARGUMENT);
  ck_assert(!rill_detach(NULL, x) && !rill_add_grad_hook(NULL, x, note_memory, NULL, NULL));
  ck_assert_int_eq(rill_get_grad_mode(NULL), RILL_GRAD_ON);
  ck_assert_int_eq(rill_set_grad_mode(NULL, RILL_GRAD_OFF), RILL_GRAD_ON);
#define REFUSES(call)                                                                              \
  do {                                                                                             \
    (void)(call);                                                                                  \
    ck_refused(ctx, RILL_ERROR_ARGUMENT, "NULL");                                                  \
  } while (0)
  REFUSES(rill_set_requires_grad(ctx, NULL, true));
  REFUSES(rill_set_grad(ctx, NULL, x));
  REFUSES(rill_retain_grad(ctx, NULL));
  REFUSES(rill_backward(ctx, NULL, NULL, false));
  REFUSES(rill_detach(ctx, NULL));
  REFUSES(rill_add_grad_hook(ctx, NULL, note_memory, NULL, NULL));
  REFUSES(rill_add_grad_hook(ctx, x, NULL, NULL, NULL));
  REFUSES(rill_remove_grad_hook(ctx, NULL, 1));
  REFUSES(rill_grad(ctx, NULL, 1, &x, 1, NULL, false, false, &got));
  REFUSES(rill_grad(ctx, &x, 0, &x, 1, NULL, false, false, &got));
  REFUSES(rill_grad(ctx, &x, 1, NULL, 1, NULL, false, false, &got));
  REFUSES(rill_grad(ctx, &x, 1, &x, 1, NULL, false, false, NULL));
  REFUSES(rill_grad(ctx, &x, 1, (rill_tensor *[]){NULL}, 1, NULL, false, false, &got));
  REFUSES(rill_grad(ctx, (rill_tensor *[]){NULL}, 1, &x, 1, NULL, false, false, &got));
  /* A pending error: nothing is done. */
  rill_detach(ctx, NULL);
  ck_assert_int_eq(rill_backward(ctx, x, NULL, false), RILL_ERROR_ARGUMENT);
  ck_assert_ptr_null(rill_tensor_grad(x));
  rill_context_close(ctx);
}
END_TEST

static TCase *cases(void) {
  TCase *tc = tcase_create("autograd");
  tcase_add_test(tc, a_chain_has_its_closed_form_gradient);
  tcase_add_test(tc, backward_accumulates_until_the_gradient_is_dropped);
  tcase_add_test(tc, a_gradient_set_by_the_host_is_not_changed_with_it);
  tcase_add_test(tc, two_results_of_one_gradient_do_not_share_it);
  tcase_add_test(tc, a_second_backward_needs_retain_graph);
  tcase_add_test(tc, the_seed_must_fit_the_output);
  tcase_add_test(tc, grad_leaves_dot_grad_alone);
  tcase_add_test(tc, grad_spends_no_more_of_the_graph_than_it_needs);
  tcase_add_test(tc, detach_cuts_the_graph_and_shares_the_values);
  tcase_add_test(tc, nothing_is_recorded_with_gradients_off);
  tcase_add_test(tc, an_inference_tensor_enters_no_graph);
  tcase_add_test(tc, only_float_leaves_take_requires_grad);
  tcase_add_test(tc, a_saved_tensor_that_changed_is_refused);
  tcase_add_test(tc, broadcast_gradients_are_summed);
  tcase_add_test(tc, gradients_come_in_the_dtype_of_their_input);
  tcase_add_test(tc, diamonds_are_walked_once_a_node);
  tcase_add_test(tc, wide_graphs_join_again);
  tcase_add_test(tc, a_hundred_thousand_nodes_need_no_stack);
  tcase_add_test(tc, memory_goes_back_as_backward_proceeds);
  tcase_add_test(tc, graphs_of_two_contexts_do_not_mix);
  tcase_add_test(tc, null_is_refused_everywhere);
  return tc;
}

TEST_MAIN("autograd", cases)
