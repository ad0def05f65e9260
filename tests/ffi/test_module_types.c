/* The registry of modules: enumerate, find by each kind of name, describe; and what is said of deprecated
 * names, of ops and modules alike. */
#include "main.h"
#include "ffi/registry.h"
#include "nn/registry.h"
#include "rill/nn.h"

START_TEST(each_is_found_by_its_names) {
  ck_assert_int_eq(rill_module_type_count(), module_table_count);
  for (int i = 0; i < module_table_count; i++) {
    const char *name = rill_module_type_name(i);
    ck_assert_msg(!strncmp(name, "nn.", 3), "%s", name);
    ck_assert_int_eq(rill_module_type_find(NULL, name), i);
    ck_assert_int_eq(rill_module_type_find(NULL, name + 3), i);
  }
  int silu = rill_module_type_find(NULL, "nn.SiLU");
  ck_assert_int_ge(silu, 0);
  ck_assert_int_eq(rill_module_type_find(NULL, "nn.Swish"), silu);
}
END_TEST

START_TEST(the_short_name_is_the_modules_type) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *m = rill_nn_layer_norm(ctx, 3, 0, true);
  int at = rill_module_type_find(ctx, rill_module_type(m));
  ck_assert_str_eq(rill_module_type_name(at), "nn.LayerNorm");
  rill_context_close(ctx);
}
END_TEST

START_TEST(what_is_no_name_is_not_found) {
  static const char *const wrong[] = {
      "", " ", "nn.", "nn", "linear", "nn.linear", "nn.SiLU nn.Swish"};
  ck_assert_int_eq(rill_module_type_find(NULL, NULL), -1);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_int_eq(rill_module_type_find(NULL, wrong[i]), -1);
  ck_assert_ptr_null(rill_module_type_name(-1));
  ck_assert_ptr_null(rill_module_type_name(rill_module_type_count()));
}
END_TEST

START_TEST(descriptions) {
  rill_module_type_info info;
  rill_module_type_info_init(&info);
  ck_assert_int_eq(rill_module_type_describe(rill_module_type_find(NULL, "Linear"), &info),
                   RILL_OK);
  ck_assert_str_eq(info.name, "nn.Linear");
  ck_assert_str_eq(info.constructor, "rill_nn_linear");
  ck_assert_str_eq(info.parameters, "in: int, out: int, bias: bool = True");
  ck_assert_str_eq(info.aliases, "");
  ck_assert_str_eq(info.since, "0.1.0");
  ck_assert(info.streams && *info.doc);
  ck_assert_int_eq(rill_module_type_describe(-1, &info), RILL_ERROR_NOT_FOUND);
  ck_assert_int_eq(rill_module_type_describe(rill_module_type_count(), &info),
                   RILL_ERROR_NOT_FOUND);
  ck_assert_int_eq(rill_module_type_describe(0, NULL), RILL_ERROR_ARGUMENT);
  info.struct_size = 0;
  ck_assert_int_eq(rill_module_type_describe(0, &info), RILL_ERROR_ARGUMENT);
  /* A program built against an older, shorter struct. */
  info.struct_size = offsetof(rill_module_type_info, doc);
  info.doc = "untouched";
  ck_assert_int_eq(rill_module_type_describe(0, &info), RILL_OK);
  ck_assert_str_eq(info.doc, "untouched");
}
END_TEST

/* No op or module has a deprecated name yet: a table of the test's own. */
static registry_names entry(int index) {
  static const registry_names entries[] = {{"new.one", "one", "first", NULL},
                                           {"new.two", "two", NULL, "old.two older.two"},
                                           {"new.three", "three", NULL, "old.three"}};
  return entries[index];
}

static char said[300];
static int times;

static void listen(void *user, rill_log_level level, const char *message) {
  (void)user;
  ck_assert_int_eq(level, RILL_LOG_WARNING);
  snprintf(said, sizeof said, "%s", message);
  times++;
}

static int find(rill_context *ctx, const char *name) {
  return registry_find(ctx, name, entry, 3, 1);
}

START_TEST(a_deprecated_name_is_reported_once_a_context) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.log = listen;
  times = 0;
  for (int round = 1; round <= 2; round++) {
    rill_context *ctx = rill_context_create(&o);
    int before = times;
    ck_assert_int_eq(find(ctx, "first"), 0);
    ck_assert_int_eq(find(ctx, "two"), 1);
    ck_assert_int_eq(find(ctx, "new.three"), 2);
    ck_assert_int_eq(times, before);
    ck_assert_int_eq(find(ctx, "older.two"), 1);
    ck_assert_str_eq(said, "the name \"older.two\" is deprecated: use \"new.two\"");
    ck_assert_int_eq(find(ctx, "older.two"), 1);
    ck_assert_int_eq(find(ctx, "old.two"), 1);
    ck_assert_int_eq(times, before + 1);
    ck_assert_int_eq(find(ctx, "old.three"), 2);
    ck_assert_int_eq(times, before + 2);
    ck_assert_int_eq(find(ctx, "old"), -1);
    rill_context_close(ctx);
  }
  ck_assert_int_eq(find(NULL, "old.three"), 2);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("module_types");
  tcase_add_test(c, each_is_found_by_its_names);
  tcase_add_test(c, the_short_name_is_the_modules_type);
  tcase_add_test(c, what_is_no_name_is_not_found);
  tcase_add_test(c, descriptions);
  tcase_add_test(c, a_deprecated_name_is_reported_once_a_context);
  return c;
}

TEST_MAIN("module_types", tcase)
