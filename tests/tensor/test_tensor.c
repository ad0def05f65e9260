/* Tensors: shapes, factories, facts, views, values in and out, the caller's memory, and every
 * refusal's words. */
#include "main.h"
#include "rill/autograd.h"
#include "tensor/tensor.h"

static rill_context *ctx;
static void setup(void) { ctx = rill_context_create(NULL); }
static void teardown(void) { rill_context_close(ctx); }

/* The call gave NULL for this reason; the context goes on. */
static void refused(const void *result, rill_status code, const char *message) {
  ck_assert_ptr_null(result);
  ck_assert_str_eq(rill_error_message(ctx), message);
  ck_assert_int_eq(rill_error(ctx), code);
  rill_error_clear(ctx);
}

static void holds(const rill_tensor *t, const double *expected, int64_t n) {
  double x[64];
  ck_assert_int_eq(rill_tensor_numel(t), n);
  ck_assert_int_eq(rill_tensor_copy_out(ctx, t, RILL_F64, x, sizeof x), RILL_OK);
  for (int64_t i = 0; i < n; i++)
    ck_assert_msg(x[i] == expected[i], "element %d: %g, not %g", (int)i, x[i], expected[i]);
}
#define HOLDS(t, ...)                                                                              \
  holds(t, (double[]){__VA_ARGS__}, (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
#define SHAPE(...)                                                                                 \
  (int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

START_TEST(shapes_are_checked_and_broadcast) {
  int64_t n = 5, out[RILL_MAX_DIMS];
  int ndim;
  char text[SHAPE_TEXT];
  ck_assert(shape_numel(NULL, 0, &n) && n == 1);
  ck_assert(shape_numel(SHAPE(2, 0, 3), &n) && n == 0);
  ck_assert(!shape_numel(SHAPE(2, -1), &n));
  ck_assert(!shape_numel(SHAPE(INT64_MAX, 2), &n));
  ck_assert(!shape_numel(SHAPE(INT64_MAX, 0, 2), &n)); /* its strides would not fit */
  ck_assert(shape_broadcast(SHAPE(3, 1), SHAPE(2, 1, 4), out, &ndim));
  ck_assert(shape_equal(out, ndim, SHAPE(2, 3, 4)));
  ck_assert(shape_broadcast(SHAPE(0), SHAPE(1), out, &ndim) && ndim == 1 && out[0] == 0);
  ck_assert(!shape_broadcast(SHAPE(3), SHAPE(2), out, &ndim));
  ck_assert_str_eq(shape_text(SHAPE(2, 3), text), "[2,3]");
  ck_assert_str_eq(shape_text(NULL, 0, text), "[]");
  int64_t low[8];
  for (int i = 0; i < 8; i++) low[i] = INT64_MIN;
  ck_assert_uint_eq(strlen(shape_text(low, 8, text)), 8 * 20 + 7 + 2);
  ck_assert_int_eq(shape_dim(ctx, "test", -1, 3), 2);
  ck_assert_int_eq(shape_dim(ctx, "test", 0, 0), 0);
  ck_assert_int_eq(shape_dim(ctx, "test", 3, 3), -1);
  ck_assert_str_eq(rill_error_message(ctx), "test: dim 3 is out of range [-3, 2]");
}
END_TEST

START_TEST(a_tensor_knows_its_facts) {
  rill_tensor *t = rill_zeros(ctx, RILL_I32, SHAPE(2, 3, 4));
  ck_assert_int_eq(rill_tensor_dtype(t), RILL_I32);
  ck_assert_int_eq(rill_tensor_ndim(t), 3);
  ck_assert_int_eq(rill_tensor_size(t, -1), 4);
  ck_assert_int_eq(rill_tensor_size(t, 3), -1);
  ck_assert_int_eq(rill_tensor_stride(t, 0), 12);
  ck_assert_int_eq(rill_tensor_stride(t, -4), 0);
  ck_assert_int_eq(rill_tensor_shape(t)[1], 3);
  ck_assert_int_eq(rill_tensor_strides(t)[1], 4);
  ck_assert_int_eq(rill_tensor_numel(t), 24);
  ck_assert(rill_tensor_is_contiguous(t));
  ck_assert_uint_eq((uintptr_t)rill_tensor_data(t) % 64, 0);
  ck_assert_ptr_null(rill_tensor_data(rill_empty(ctx, RILL_F32, SHAPE(3, 0))));
  ck_assert_str_eq(rill_dtype_name(RILL_BF16), "bf16");
  ck_assert_str_eq(rill_dtype_name((rill_dtype)8), "?");
  ck_assert_uint_eq(rill_dtype_size(RILL_I64), 8);
  ck_assert_uint_eq(rill_dtype_size((rill_dtype)-1), 0);
}
END_TEST

START_TEST(null_has_no_facts) {
  ck_assert_int_eq(rill_tensor_ndim(NULL), 0);
  ck_assert_int_eq(rill_tensor_size(NULL, 0), 0);
  ck_assert_int_eq(rill_tensor_stride(NULL, 0), 0);
  ck_assert_ptr_null(rill_tensor_shape(NULL));
  ck_assert_ptr_null(rill_tensor_strides(NULL));
  ck_assert_int_eq(rill_tensor_numel(NULL), 0);
  ck_assert(!rill_tensor_is_contiguous(NULL));
  ck_assert_ptr_null(rill_tensor_data(NULL));
  rill_tensor_touch(NULL);
}
END_TEST

START_TEST(factories_fill) {
  HOLDS(rill_zeros(ctx, RILL_F16, SHAPE(2)), 0, 0);
  HOLDS(rill_ones(ctx, RILL_BOOL, SHAPE(1, 2)), 1, 1);
  HOLDS(rill_full(ctx, RILL_I32, SHAPE(3), -2.9), -2, -2, -2);
  HOLDS(rill_full(ctx, RILL_BOOL, SHAPE(2), 0.5), 1, 1);
  HOLDS(rill_scalar(ctx, RILL_F64, 0.1), 0.1);
  HOLDS(rill_eye(ctx, RILL_F32, 2, 3), 1, 0, 0, 0, 1, 0);
  HOLDS(rill_arange(ctx, RILL_F32, 1, 2, 0.25), 1, 1.25, 1.5, 1.75);
  HOLDS(rill_arange(ctx, RILL_I64, 5, 0, -2), 5, 3, 1);
  HOLDS(rill_linspace(ctx, RILL_F64, 0, 1, 5), 0, 0.25, 0.5, 0.75, 1);
  HOLDS(rill_linspace(ctx, RILL_F32, 3, 9, 1), 3);
  ck_assert_int_eq(rill_tensor_numel(rill_arange(ctx, RILL_F32, 1, 1, 1)), 0);
  ck_assert_int_eq(rill_tensor_numel(rill_linspace(ctx, RILL_F32, 0, 1, 0)), 0);
  rill_tensor *large = rill_full(ctx, RILL_F64, SHAPE(300001), 7);
  for (int i = 0; i < 300001; i++) ck_assert(((double *)rill_tensor_data(large))[i] == 7);
}
END_TEST

START_TEST(factories_refuse_in_words) {
  refused(rill_zeros(ctx, RILL_F32, SHAPE(2, -3)), RILL_ERROR_SHAPE,
          "zeros: dim 1 has negative size -3");
  refused(rill_full(ctx, RILL_F32, SHAPE(INT64_MAX, 2), 1), RILL_ERROR_OVERFLOW,
          "full: [9223372036854775807,2] has too many elements");
  refused(rill_empty(ctx, RILL_F64, SHAPE(INT64_MAX / 4)), RILL_ERROR_OVERFLOW,
          "empty: [2305843009213693951] has too many elements");
  refused(rill_ones(ctx, RILL_F32, NULL, 9), RILL_ERROR_SHAPE, "ones: 9 dims: there may be 0 to 8");
  refused(rill_ones(ctx, RILL_F32, NULL, 2), RILL_ERROR_ARGUMENT,
          "ones: shape is NULL, with 2 dims");
  refused(rill_scalar(ctx, (rill_dtype)8, 0), RILL_ERROR_DTYPE,
          "scalar: no dtype has the number 8");
  refused(rill_arange(ctx, RILL_F32, 0, 1, -0.5), RILL_ERROR_ARGUMENT,
          "arange: no way leads from 0 to 1 in steps of -0.5");
  refused(rill_arange(ctx, RILL_F32, 0, NAN, 1), RILL_ERROR_ARGUMENT,
          "arange: no way leads from 0 to nan in steps of 1");
  refused(rill_arange(ctx, RILL_F32, 0, 1e300, 1), RILL_ERROR_OVERFLOW,
          "arange: 0 to 1e+300 in steps of 1 has too many elements");
  refused(rill_linspace(ctx, RILL_F32, 0, 1, -1), RILL_ERROR_SHAPE,
          "linspace: dim 0 has negative size -1");
  refused(rill_from_buffer(ctx, RILL_F32, SHAPE(2), NULL), RILL_ERROR_ARGUMENT,
          "from_buffer: data is NULL");
  refused(rill_rand(ctx, RILL_I32, SHAPE(2)), RILL_ERROR_DTYPE, "rand: i32 is neither f32 nor f64");
  refused(rill_randint(ctx, RILL_I32, 3, 3, SHAPE(2)), RILL_ERROR_ARGUMENT,
          "randint: no integer is in [3, 3)");
  refused(rill_randint(ctx, RILL_U8, 0, 257, SHAPE(2)), RILL_ERROR_ARGUMENT,
          "randint: u8 does not hold all integers of [0, 257)");
  ck_assert_ptr_null(rill_zeros(NULL, RILL_F32, NULL, 0));
}
END_TEST

START_TEST(random_tensors_follow_the_stream) {
  rill_seed(ctx, 42);
  rill_tensor *a = rill_randn(ctx, RILL_F32, SHAPE(100001)),
              *b = rill_rand(ctx, RILL_F64, SHAPE(1001));
  rill_tensor *c = rill_randint(ctx, RILL_U8, 3, 7, SHAPE(10000));
  double mean = 0, square = 0;
  for (int i = 0; i < 100001; i++) {
    double x = (double)((float *)rill_tensor_data(a))[i];
    mean += x / 100001, square += x * x / 100001;
  }
  ck_assert(fabs(mean) < 0.015 && fabs(square - 1) < 0.02);
  for (int i = 0; i < 1001; i++) {
    double x = ((double *)rill_tensor_data(b))[i];
    ck_assert(x >= 0 && x < 1);
  }
  int seen[8] = {0};
  for (int i = 0; i < 10000; i++) seen[((uint8_t *)rill_tensor_data(c))[i] & 7]++;
  for (int i = 0; i < 8; i++) ck_assert(i >= 3 && i < 7 ? seen[i] > 2000 : seen[i] == 0);
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.threads = 3, o.seed = 42;
  rill_context *other = rill_context_create(&o);
  ck_assert_mem_eq(rill_tensor_data(rill_randn(other, RILL_F32, SHAPE(100001))),
                   rill_tensor_data(a), 100001 * sizeof(float));
  ck_assert_mem_eq(rill_tensor_data(rill_rand(other, RILL_F64, SHAPE(1001))), rill_tensor_data(b),
                   1001 * sizeof(double));
  ck_assert_mem_ne(rill_tensor_data(rill_rand(other, RILL_F64, SHAPE(1001))), rill_tensor_data(b),
                   1001 * sizeof(double));
  rill_context_close(other);
}
END_TEST

START_TEST(views_share_and_outlive_their_base) {
  float data[] = {1, 2, 3, 4, 5, 6};
  rill_scope_open(ctx);
  rill_tensor *t = rill_from_buffer(ctx, RILL_F32, SHAPE(2, 3), data);
  rill_tensor *v = rill_tensor_retain(
      tensor_view(ctx, t, (int64_t[]){3}, (int64_t[]){-1}, 1, t->data + 5 * sizeof(float)));
  ((float *)rill_tensor_data(t))[4] = 50;
  unsigned before = atomic_load(&v->storage->version);
  rill_tensor_touch(t);
  ck_assert_uint_eq(atomic_load(&v->storage->version), before + 1);
  rill_scope_close(ctx);
  ck_assert(!rill_tensor_is_contiguous(v));
  HOLDS(v, 6, 50, 4);
  rill_tensor_release(v);
}
END_TEST

START_TEST(values_go_in_and_out) {
  int32_t whole[] = {1, -2, 3};
  uint8_t odd[] = {0, 7, 255}, mask[3];
  rill_tensor *t = rill_zeros(ctx, RILL_F64, SHAPE(3));
  ck_assert_int_eq(rill_tensor_copy_in(ctx, t, RILL_I32, whole, sizeof whole), RILL_OK);
  HOLDS(t, 1, -2, 3);
  rill_tensor *b = rill_zeros(ctx, RILL_BOOL, SHAPE(3));
  rill_tensor_copy_in(ctx, b, RILL_BOOL, odd, sizeof odd);
  rill_tensor_copy_out(ctx, b, RILL_BOOL, mask, sizeof mask);
  ck_assert(mask[0] == 0 && mask[1] == 1 && mask[2] == 1);
  rill_tensor_copy_out(ctx, rill_from_buffer(ctx, RILL_BOOL, SHAPE(3), odd), RILL_BOOL, mask,
                       sizeof mask);
  ck_assert(mask[0] == 0 && mask[1] == 1 && mask[2] == 1);
  ck_assert_int_eq(rill_tensor_copy_out(ctx, t, RILL_F64, whole, sizeof whole),
                   RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_tensor_copy_out(ctx, t, RILL_I32, whole, sizeof whole),
                   RILL_ERROR_ARGUMENT); /* pending */
  refused(NULL, RILL_ERROR_ARGUMENT,
          "tensor_copy_out: [3] of f64 takes 24 bytes, but there are 12");
  ck_assert_int_eq(rill_tensor_copy_in(ctx, t, RILL_I32, NULL, 12), RILL_ERROR_ARGUMENT);
  refused(NULL, RILL_ERROR_ARGUMENT, "tensor_copy_in: the caller's memory is NULL");
  ck_assert_int_eq(rill_tensor_copy_in(ctx, NULL, RILL_I32, whole, 12), RILL_ERROR_ARGUMENT);
  refused(NULL, RILL_ERROR_ARGUMENT, "tensor_copy_in: tensor is NULL");
  ck_assert_int_eq(rill_tensor_copy_out(NULL, t, RILL_I32, whole, 12), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(
      rill_tensor_copy_out(ctx, rill_empty(ctx, RILL_F32, SHAPE(0)), RILL_F32, NULL, 0), RILL_OK);
  rill_set_requires_grad(ctx, t, true);
  ck_assert_int_eq(rill_tensor_copy_in(ctx, t, RILL_I32, whole, sizeof whole), RILL_ERROR_GRAPH);
  rill_error_clear(ctx);
  rill_set_grad_mode(ctx, RILL_GRAD_OFF);
  ck_assert_int_eq(rill_tensor_copy_in(ctx, t, RILL_I32, whole, sizeof whole), RILL_OK);
}
END_TEST

START_TEST(item_takes_the_only_element) {
  ck_assert(rill_tensor_item(ctx, rill_full(ctx, RILL_F32, SHAPE(1, 1), 2.5)) == 2.5);
  int64_t big = ((int64_t)1 << 53) + 1;
  rill_tensor *t = rill_from_buffer(ctx, RILL_I64, NULL, 0, &big);
  ck_assert_int_eq(rill_tensor_item_int(ctx, t), big);
  ck_assert(isnan(rill_tensor_item(ctx, rill_zeros(ctx, RILL_F32, SHAPE(2)))));
  refused(NULL, RILL_ERROR_SHAPE, "tensor_item: a tensor of shape [2] has 2 elements, not one");
  ck_assert_int_eq(rill_tensor_item_int(ctx, rill_scalar(ctx, RILL_F32, 3)), 0);
  refused(NULL, RILL_ERROR_DTYPE, "tensor_item_int: f32 is not an integer dtype");
  ck_assert(isnan(rill_tensor_item(ctx, NULL)));
  refused(NULL, RILL_ERROR_ARGUMENT, "tensor_item: tensor is NULL");
  ck_assert(isnan(rill_tensor_item(NULL, t)));
}
END_TEST

static void count(void *user, void *data) {
  (void)data;
  ++*(int *)user;
}

START_TEST(wrapped_memory_is_the_callers) {
  _Alignas(8) float data[] = {1, 2, 3, 4, 5, 6};
  int deleted = 0;
  rill_scope_open(ctx);
  rill_tensor *t = rill_wrap_buffer(ctx, RILL_F32, SHAPE(3, 2), (int64_t[]){1, 3}, data,
                                    sizeof data, count, &deleted);
  HOLDS(t, 1, 4, 2, 5, 3, 6);
  ck_assert_ptr_eq(rill_tensor_data(t), data);
  rill_tensor *alias = rill_tensor_retain(tensor_alias(ctx, t));
  rill_scope_close(ctx);
  ck_assert_int_eq(deleted, 0);
  rill_tensor_release(alias);
  ck_assert_int_eq(deleted, 1);
  refused(rill_wrap_buffer(ctx, RILL_F32, SHAPE(7), NULL, data, sizeof data, count, &deleted),
          RILL_ERROR_ARGUMENT,
          "wrap_buffer: [7] of f32 with strides [1] reaches beyond the 24 bytes of data");
  refused(rill_wrap_buffer(ctx, RILL_F32, SHAPE(2), (int64_t[]){-1}, data, sizeof data, count,
                           &deleted),
          RILL_ERROR_ARGUMENT,
          "wrap_buffer: [2] of f32 with strides [-1] reaches beyond the 24 bytes of data");
  refused(rill_wrap_buffer(ctx, RILL_F32, SHAPE(3), (int64_t[]){INT64_MAX}, data, sizeof data,
                           count, &deleted),
          RILL_ERROR_ARGUMENT,
          "wrap_buffer: [3] of f32 with strides [9223372036854775807] reaches beyond the 24 bytes "
          "of data");
  refused(rill_wrap_buffer(ctx, RILL_F32, SHAPE(1), NULL, (char *)data + 1, 8, count, &deleted),
          RILL_ERROR_ARGUMENT, "wrap_buffer: data is not aligned to the 4 bytes of f32");
  refused(rill_wrap_buffer(ctx, RILL_F32, SHAPE(1), NULL, NULL, 8, count, &deleted),
          RILL_ERROR_ARGUMENT, "wrap_buffer: data is NULL");
  ck_assert_int_eq(deleted, 1);
}
END_TEST

static TCase *tensor_tests(void) {
  TCase *t = tcase_create("tensor");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, shapes_are_checked_and_broadcast);
  tcase_add_test(t, a_tensor_knows_its_facts);
  tcase_add_test(t, null_has_no_facts);
  tcase_add_test(t, factories_fill);
  tcase_add_test(t, factories_refuse_in_words);
  tcase_add_test(t, random_tensors_follow_the_stream);
  tcase_add_test(t, views_share_and_outlive_their_base);
  tcase_add_test(t, values_go_in_and_out);
  tcase_add_test(t, item_takes_the_only_element);
  tcase_add_test(t, wrapped_memory_is_the_callers);
  return t;
}

TEST_MAIN("tensor", tensor_tests)
