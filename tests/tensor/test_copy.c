/* Copies between any two layouts, against element by element, on one thread and on three. */
#include "main.h"
#include "tensor/tensor.h"

static uint64_t state = 1;
static int below(int n) { return (int)(test_uniform(&state) * n); }

/* A random layout of the shape: dims in any order, some reversed, some with gaps; a source's may
 * repeat. `low` and `high` are the offsets it spans. */
typedef struct layout {
  int64_t strides[RILL_MAX_DIMS], low, high;
} layout;

static layout random_layout(const int64_t *shape, int ndim, bool repeats) {
  layout l = {{0}, 0, 0};
  int order[RILL_MAX_DIMS];
  for (int i = 0; i < ndim; i++) {
    int j = below(i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  int64_t stride = 1;
  for (int i = 0; i < ndim; i++) {
    int d = order[i];
    l.strides[d] = repeats && !below(8) ? 0 : below(5) ? stride : -stride;
    if (shape[d]) stride *= shape[d];
    if (!below(6)) stride += below(3);
    int64_t reach = shape[d] ? l.strides[d] * (shape[d] - 1) : 0;
    if (reach < 0) l.low += reach;
    if (reach > 0) l.high += reach;
  }
  return l;
}

static int64_t offset_of(const layout *l, const int64_t *index, int ndim) {
  int64_t o = -l->low;
  for (int i = 0; i < ndim; i++) o += index[i] * l->strides[i];
  return o;
}

static void check_copy(rill_context *ctx, int ndim, const int64_t *shape, rill_dtype from_type,
                       rill_dtype to_type) {
  layout from = random_layout(shape, ndim, true), to = random_layout(shape, ndim, false);
  size_t from_size = rill_dtype_size(from_type), to_size = rill_dtype_size(to_type);
  size_t from_bytes = (size_t)(from.high - from.low + 1) * from_size;
  size_t to_bytes = (size_t)(to.high - to.low + 1) * to_size;
  char *source = malloc(from_bytes), *target = malloc(to_bytes), *expected = malloc(to_bytes);
  for (size_t i = 0; i < from_bytes; i++) source[i] = (char)below(from_type == RILL_BOOL ? 2 : 256);
  memset(target, 0x55, to_bytes);
  memset(expected, 0x55, to_bytes);
  int64_t numel = 1, index[RILL_MAX_DIMS] = {0};
  for (int i = 0; i < ndim; i++) numel *= shape[i];
  for (int64_t k = 0; k < numel; k++) {
    convert(from_type, source + (size_t)offset_of(&from, index, ndim) * from_size, to_type,
            expected + (size_t)offset_of(&to, index, ndim) * to_size, 1);
    for (int d = ndim - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
  }
  strided_copy(ctx, ndim, shape, from_type, source - from.low * (int64_t)from_size, from.strides,
               to_type, target - to.low * (int64_t)to_size, to.strides);
  ck_assert_mem_eq(target, expected, to_bytes); /* the gaps keep their 0x55 */
  free(source);
  free(target);
  free(expected);
}

static rill_context *context_with(int threads) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.threads = threads;
  return rill_context_create(&o);
}

START_TEST(random_layouts) {
  static const int most[] = {1, 700, 70, 20, 8, 5, 4, 3, 3};
  rill_context *ctx = context_with(_i ? 3 : 1);
  for (int round = 0; round < 3000; round++) {
    int64_t shape[RILL_MAX_DIMS];
    int ndim = below(RILL_MAX_DIMS + 1), from = below(8), to = below(2) ? from : below(8);
    for (int d = 0; d < ndim; d++) shape[d] = below(20) ? 1 + below(most[ndim]) : below(2);
    check_copy(ctx, ndim, shape, (rill_dtype)from, (rill_dtype)to);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(layouts_of_many_blocks) {
  rill_context *ctx = context_with(_i ? 3 : 1);
  int64_t shapes[][3] = {{1, 400, 500}, {3, 257, 129}, {70000, 1, 2}, {2, 3, 40000}, {5, 20000, 2}};
  for (int s = 0; s < 5; s++)
    for (int round = 0; round < 8; round++)
      check_copy(ctx, 3, shapes[s], round % 2 ? RILL_F32 : RILL_U8,
                 round % 4 < 2 ? RILL_F32 : RILL_I64);
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_tensor_is_copied_only_where_it_must_be) {
  rill_context *ctx = rill_context_create(NULL);
  float data[] = {1, 2, 3, 4, 5, 6};
  const rill_tensor *t = rill_from_buffer(ctx, RILL_F32, (int64_t[]){2, 3}, 2, data);
  ck_assert_ptr_eq(tensor_contiguous(ctx, "test", t), t);
  ck_assert_ptr_eq(tensor_converted(ctx, "test", t, RILL_F32), t);
  ck_assert_ptr_null(tensor_contiguous(ctx, "test", NULL));
  ck_assert_ptr_null(tensor_converted(ctx, "test", NULL, RILL_F64));
  const rill_tensor *v = tensor_view(ctx, t, (int64_t[]){3, 2}, (int64_t[]){1, 3}, 2, t->data);
  ck_assert(!rill_tensor_is_contiguous(v));
  const rill_tensor *c = tensor_contiguous(ctx, "test", v);
  float expected[] = {1, 4, 2, 5, 3, 6};
  ck_assert_mem_eq(rill_tensor_data(c), expected, sizeof expected);
  const rill_tensor *d = tensor_converted(ctx, "test", v, RILL_I32);
  int32_t integers[] = {1, 4, 2, 5, 3, 6};
  ck_assert_mem_eq(rill_tensor_data(d), integers, sizeof integers);
  rill_context_close(ctx);
}
END_TEST

static TCase *copy_tests(void) {
  TCase *t = tcase_create("copy");
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, random_layouts, 0, 2);
  tcase_add_loop_test(t, layouts_of_many_blocks, 0, 2);
  tcase_add_test(t, a_tensor_is_copied_only_where_it_must_be);
  return t;
}

TEST_MAIN("copy", copy_tests)
