/* The API as JSON: well formed, complete, cached, and refused cleanly without memory. */
#include "main.h"
#include "base/base.h"
#include "base/json.h"
#include "rill.h"

/* Moves to the value of member `name` of the object that j has just entered. */
static bool find_member(json *j, const char *name) {
  for (json_token k; (k = json_next(j)) == JSON_KEY; json_skip(j))
    if (json_equals(j, name)) return true;
  return false;
}

/* Walks array `list`; counts its entries, and those whose `key` is `value` into *found. */
static int count_entries(const char *text, const char *list, const char *member, const char *value,
                         int *found) {
  json j;
  json_open(&j, text, strlen(text));
  ck_assert_int_eq(json_next(&j), JSON_OBJECT);
  ck_assert_msg(find_member(&j, list), "no %s", list);
  ck_assert_int_eq(json_next(&j), JSON_ARRAY);
  int n = 0;
  for (json_token k; (k = json_next(&j)) != JSON_ARRAY_END; n++) {
    ck_assert_int_eq(k, JSON_OBJECT);
    bool seen = false;
    while ((k = json_next(&j)) == JSON_KEY) {
      if (!json_equals(&j, member)) {
        ck_assert(json_skip(&j));
        continue;
      }
      ck_assert_int_eq(json_next(&j), JSON_STRING);
      seen = true;
      *found += json_equals(&j, value);
    }
    ck_assert_int_eq(k, JSON_OBJECT_END);
    ck_assert_msg(seen, "an entry of %s has no %s", list, member);
  }
  return n;
}

START_TEST(it_is_json_from_end_to_end) {
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  ck_assert_ptr_nonnull(text);
  json j;
  json_open(&j, text, strlen(text));
  ck_assert(json_skip(&j));
  ck_assert_msg(json_next(&j) == JSON_END, "%s", j.error);
  ck_assert_ptr_eq(rill_api_json(ctx), text);
  rill_context_close(ctx);
}
END_TEST

START_TEST(it_names_every_op_once) {
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  for (int i = 0; i < rill_op_count(); i++) {
    int found = 0;
    ck_assert_int_eq(count_entries(text, "ops", "name", rill_op_name(i), &found), rill_op_count());
    ck_assert_msg(found == 1, "%s comes %d times", rill_op_name(i), found);
    rill_op_info op = RILL_OP_INFO_INIT;
    ck_assert_int_eq(rill_op_describe(i, &op), RILL_OK);
    found = 0;
    count_entries(text, "functions", "name", op.functional, &found);
    ck_assert_msg(found == 1, "%s is declared %d times", op.functional, found);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(it_spells_prototypes_on_one_line) {
  static const char *const some[] = {
      "void rill_context_close(rill_context *ctx)",
      "const char *rill_api_json(rill_context *ctx)",
      "rill_status rill_call(rill_context *ctx, const char *name, const rill_value *args, int "
      "n_args, "
      "rill_tensor **outputs, int capacity, int *count)",
      "rill_tensor *rill_wrap_buffer(rill_context *ctx, rill_dtype dtype, const int64_t *shape, "
      "int ndim, "
      "const int64_t *strides, void *data, size_t bytes, rill_free_callback deleter, void *user)",
  };
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    int found = 0;
    ck_assert_int_gt(count_entries(text, "functions", "signature", some[i], &found), 400);
    ck_assert_msg(found == 1, "%s", some[i]);
  }
  int found = 0;
  count_entries(text, "modules", "constructor", "rill_nn_linear", &found);
  ck_assert_int_eq(found, 1);
  found = 0;
  count_entries(text, "enums", "name", "rill_dtype", &found);
  ck_assert_int_eq(found, 1);
  rill_context_close(ctx);
}
END_TEST

static int64_t live, until_failure;

static void *host_malloc(void *user, size_t size) {
  (void)user;
  if (--until_failure < 0) return NULL;
  live++;
  return malloc(size);
}

static void host_free(void *user, void *block) {
  (void)user;
  live--;
  free(block);
}

START_TEST(it_survives_the_lack_of_memory) {
  int failures = 0;
  for (int64_t n = 0; n < 100; n++) {
    rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
    o.allocator = (rill_allocator){host_malloc, NULL, host_free, NULL};
    until_failure = 1000;
    rill_context *ctx = rill_context_create(&o);
    until_failure = n;
    bool made = rill_api_json(ctx) != NULL;
    ck_assert_int_eq(rill_error(ctx), made ? RILL_OK : RILL_ERROR_MEMORY);
    failures += !made;
    until_failure = 1000;
    ck_assert(made || !rill_api_json(ctx)); /* the error is pending */
    rill_error_clear(ctx);
    ck_assert_ptr_nonnull(rill_api_json(ctx));
    rill_context_close(ctx);
    ck_assert_int_eq(live, 0);
    if (made) break;
  }
  ck_assert_int_gt(failures, 3);
  ck_assert_ptr_null(rill_api_json(NULL));
}
END_TEST

static TCase *cases(void) {
  TCase *tc = tcase_create("api_json");
  tcase_add_test(tc, it_is_json_from_end_to_end);
  tcase_add_test(tc, it_names_every_op_once);
  tcase_add_test(tc, it_spells_prototypes_on_one_line);
  tcase_add_test(tc, it_survives_the_lack_of_memory);
  return tc;
}

TEST_MAIN("api_json", cases)
