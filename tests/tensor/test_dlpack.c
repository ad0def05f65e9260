/* DLPack from the side of a consumer and of a producer that know nothing but its ABI. */
#include "main.h"
#include "rill/tensor.h"
#include "rill/autograd.h"

/* As dlpack.h 0.8 lays it out on a 64-bit machine. */
typedef struct wire {
  void *data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byte_offset;
  void *manager;
  void (*deleter)(struct wire *);
} wire;

static int deleted;
static void none_deleted(void) { deleted = 0; } /* the tests may share a process */
static void count_deleted(wire *w) {
  (void)w;
  deleted++;
}

static float six[] = {1, 2, 3, 4, 5, 6};

/* A producer's [2, 3] f32 over `six`. */
static wire six_wire(int64_t *shape) {
  shape[0] = 2, shape[1] = 3;
  return (wire){.data = six,
                .device_type = 1,
                .ndim = 2,
                .code = 2,
                .bits = 32,
                .lanes = 1,
                .shape = shape,
                .deleter = count_deleted};
}

START_TEST(what_is_exported_says_what_it_is) {
  static const struct {
    rill_dtype dtype;
    int code, bits;
  } rows[] = {{RILL_F32, 2, 32}, {RILL_F64, 2, 64}, {RILL_F16, 2, 16}, {RILL_BF16, 4, 16},
              {RILL_I32, 0, 32}, {RILL_I64, 0, 64}, {RILL_U8, 1, 8},   {RILL_BOOL, 6, 8}};
  rill_context *ctx = rill_context_create(NULL);
  for (int i = 0; i < 8; i++) {
    rill_tensor *t = rill_ones(ctx, rows[i].dtype, (int64_t[]){2, 5}, 2);
    wire *w = rill_to_dlpack(ctx, t);
    ck_assert_ptr_nonnull(w);
    ck_assert_ptr_eq((char *)w->data + w->byte_offset, rill_tensor_data(t));
    ck_assert_int_eq(w->device_type, 1);
    ck_assert_int_eq(w->code, rows[i].code);
    ck_assert_int_eq(w->bits, rows[i].bits);
    ck_assert_int_eq(w->lanes, 1);
    ck_assert_int_eq(w->ndim, 2);
    ck_assert(w->shape[0] == 2 && w->shape[1] == 5 && w->strides[0] == 5 && w->strides[1] == 1);
    rill_tensor *back = rill_from_dlpack(ctx, w);
    ck_assert_int_eq(rill_tensor_dtype(back), rows[i].dtype);
    ck_assert_ptr_eq(rill_tensor_data(back), rill_tensor_data(t));
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(an_export_outlives_its_context) {
  rill_context *ctx = rill_context_create(NULL);
  wire *w = rill_to_dlpack(ctx, rill_from_buffer(ctx, RILL_F32, (int64_t[]){6}, 1, six));
  rill_context_close(ctx);
  ck_assert_mem_eq(w->data, six, sizeof six);
  w->deleter(w);
}
END_TEST

START_TEST(a_producer_is_told_when_its_memory_is_free) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t shape[2];
  wire w = six_wire(shape);
  rill_scope_open(ctx);
  rill_tensor *t = rill_tensor_retain(rill_from_dlpack(ctx, &w));
  shape[0] = 77; /* the tensor has copied what it needs */
  ck_assert_int_eq(rill_tensor_size(t, 0), 2);
  ck_assert(rill_tensor_is_contiguous(t));
  ck_assert_ptr_eq(rill_tensor_data(t), six);
  rill_scope_close(ctx);
  ck_assert_int_eq(deleted, 0);
  rill_context_close(ctx);
  ck_assert_int_eq(deleted, 0);
  rill_tensor_release(t);
  ck_assert_int_eq(deleted, 1);
}
END_TEST

START_TEST(strides_may_be_negative_and_data_may_lie_at_an_offset) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t shape[2], strides[] = {-3, -1};
  wire w = six_wire(shape);
  w.strides = strides;
  w.byte_offset = 5 * sizeof(float);
  w.deleter = NULL;
  float out[6], expected[] = {6, 5, 4, 3, 2, 1};
  ck_assert_int_eq(rill_tensor_copy_out(ctx, rill_from_dlpack(ctx, &w), RILL_F32, out, sizeof out),
                   RILL_OK);
  ck_assert_mem_eq(out, expected, sizeof out);
  rill_context_close(ctx);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_and_stays_the_producers) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t shape[2], many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  for (int i = 0; i < 8; i++) {
    wire w = six_wire(shape);
    rill_status expected = RILL_ERROR_DTYPE;
    if (i == 0) w.device_type = 2, expected = RILL_ERROR_UNSUPPORTED;
    if (i == 1) w.lanes = 4;
    if (i == 2) w.bits = 128;
    if (i == 3) w.code = 5; /* complex */
    if (i == 4) w.data = NULL, expected = RILL_ERROR_ARGUMENT;
    if (i == 5) w.byte_offset = 2, expected = RILL_ERROR_ARGUMENT;
    if (i == 6) shape[1] = -3, expected = RILL_ERROR_SHAPE;
    if (i == 7) w.ndim = 9, w.shape = many, expected = RILL_ERROR_SHAPE;
    ck_assert_ptr_null(rill_from_dlpack(ctx, &w));
    ck_assert_int_eq(rill_error(ctx), expected);
    ck_assert_str_eq(rill_error_op(ctx), "from_dlpack");
    rill_error_clear(ctx);
  }
  ck_assert_ptr_null(rill_from_dlpack(ctx, NULL));
  rill_error_clear(ctx);
  ck_assert_ptr_null(rill_to_dlpack(ctx, NULL));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_ARGUMENT);
  rill_error_clear(ctx);
  rill_tensor *t = rill_ones(ctx, RILL_F32, NULL, 0);
  rill_set_requires_grad(ctx, t, true);
  ck_assert_ptr_null(rill_to_dlpack(ctx, t));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_GRAPH);
  ck_assert_ptr_null(rill_to_dlpack(NULL, t));
  ck_assert_ptr_null(rill_from_dlpack(NULL, NULL));
  rill_context_close(ctx);
  ck_assert_int_eq(deleted, 0);
}
END_TEST

/* dlpack.h 1.x: what a consumer gets that asks for a version. */
typedef struct versioned_wire {
  uint32_t major, minor;
  void *manager;
  void (*deleter)(struct versioned_wire *);
  uint64_t flags;
  wire tensor; /* the deleter at its end is not part of it */
} versioned_wire;

START_TEST(a_versioned_tensor_is_refused_by_name) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t shape[2], strides[] = {3, 1};
  versioned_wire w = {.major = 1, .minor = 3, .manager = &w, .tensor = six_wire(shape)};
  w.tensor.strides = strides;
  ck_assert_ptr_null(rill_from_dlpack(ctx, &w));
  ck_assert_int_eq(rill_error(ctx), RILL_ERROR_UNSUPPORTED);
  ck_assert_ptr_nonnull(strstr(rill_error_message(ctx), "DLManagedTensorVersioned"));
  rill_context_close(ctx);
}
END_TEST

static size_t bytes_held(const rill_context *ctx) {
  rill_memory_stats stats = RILL_MEMORY_STATS_INIT;
  ck_assert_int_eq(rill_memory_get_stats(ctx, &stats), RILL_OK);
  return stats.current;
}

START_TEST(what_the_consumer_gives_back_is_freed_while_its_scope_is_open) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *t = rill_ones(ctx, RILL_F32, (int64_t[]){1000}, 1);
  wire *first = rill_to_dlpack(ctx, t); /* the context's own lists grow with it */
  first->deleter(first);
  size_t before = bytes_held(ctx);
  wire *w = rill_to_dlpack(ctx, t);
  ck_assert_uint_gt(bytes_held(ctx), before);
  w->deleter(w);
  ck_assert_uint_eq(bytes_held(ctx), before);
  rill_context_close(ctx);
}
END_TEST

START_TEST(scalars_and_empty_tensors_travel) {
  rill_context *ctx = rill_context_create(NULL);
  rill_tensor *s = rill_from_dlpack(ctx, rill_to_dlpack(ctx, rill_scalar(ctx, RILL_F64, 2.5)));
  ck_assert(rill_tensor_item(ctx, s) == 2.5);
  wire *nothing = rill_to_dlpack(ctx, rill_zeros(ctx, RILL_I64, (int64_t[]){3, 0}, 2));
  ck_assert_ptr_null(nothing->data); /* as dlpack.h wishes */
  rill_tensor *e = rill_from_dlpack(ctx, nothing);
  ck_assert_int_eq(rill_tensor_size(e, 0), 3);
  ck_assert_int_eq(rill_tensor_numel(e), 0);
  rill_context_close(ctx);
}
END_TEST

START_TEST(what_is_empty_may_lie_anywhere) {
  rill_context *ctx = rill_context_create(NULL);
  int64_t shape[2];
  wire w = six_wire(shape);
  w.data = (char *)six + 1;
  shape[1] = 0;
  rill_tensor *t = rill_from_dlpack(ctx, &w);
  ck_assert_int_eq(rill_tensor_size(t, 0), 2);
  ck_assert_int_eq(rill_tensor_numel(t), 0);
  rill_context_close(ctx);
  ck_assert_int_eq(deleted, 1);
}
END_TEST

static TCase *dlpack_tests(void) {
  TCase *t = tcase_create("dlpack");
  tcase_add_checked_fixture(t, none_deleted, NULL);
  tcase_add_test(t, what_is_exported_says_what_it_is);
  tcase_add_test(t, an_export_outlives_its_context);
  tcase_add_test(t, a_producer_is_told_when_its_memory_is_free);
  tcase_add_test(t, strides_may_be_negative_and_data_may_lie_at_an_offset);
  tcase_add_test(t, what_does_not_fit_is_refused_and_stays_the_producers);
  tcase_add_test(t, a_versioned_tensor_is_refused_by_name);
  tcase_add_test(t, what_the_consumer_gives_back_is_freed_while_its_scope_is_open);
  tcase_add_test(t, scalars_and_empty_tensors_travel);
  tcase_add_test(t, what_is_empty_may_lie_anywhere);
  return t;
}

TEST_MAIN("dlpack", dlpack_tests)
