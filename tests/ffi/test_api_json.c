/* The API as JSON: well formed, complete, true to what the compiler says, cached, and refused cleanly
 * without memory. */
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

/* Enters array `list`: json_next gives its first entry. */
static json open_list(const char *text, const char *list) {
  json j;
  json_open(&j, text, strlen(text));
  ck_assert_int_eq(json_next(&j), JSON_OBJECT);
  ck_assert_msg(find_member(&j, list), "no %s", list);
  ck_assert_int_eq(json_next(&j), JSON_ARRAY);
  return j;
}

/* Moves to the next object of a list and into it; *entry stays there. False at the list's end. */
static bool next_entry(json *list, json *entry) {
  json_token k = json_next(list);
  if (k == JSON_ARRAY_END) return false;
  ck_assert_int_eq(k, JSON_OBJECT);
  *entry = *list;
  while ((k = json_next(list)) == JSON_KEY) ck_assert(json_skip(list));
  ck_assert_int_eq(k, JSON_OBJECT_END);
  return true;
}

/* The value of member `name` of the object that `entry` is in. */
static json member(json entry, const char *name, json_token kind) {
  ck_assert_msg(find_member(&entry, name), "an entry has no %s", name);
  ck_assert_int_eq(json_next(&entry), kind);
  return entry;
}

/* Counts the entries of array `list`, and those whose member `name` is the string `value` into *found. */
static int count_entries(const char *text, const char *list, const char *name, const char *value,
                         int *found) {
  json j = open_list(text, list), entry;
  int n = 0;
  for (; next_entry(&j, &entry); n++) {
    json v = member(entry, name, JSON_STRING);
    *found += json_equals(&v, value);
  }
  return n;
}

/* The entry of array `list` whose name are the `size` bytes at `name`. */
static bool find_entry(const char *text, const char *list, const char *name, size_t size,
                       json *entry) {
  json j = open_list(text, list);
  while (next_entry(&j, entry)) {
    json v = member(*entry, "name", JSON_STRING);
    if (v.size == size && !memcmp(v.token, name, size)) return true;
  }
  return false;
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

/* ---- what the JSON says of types is what the compiler says ---- */

typedef struct measure {
  size_t size, align;
} measure;

static measure lay_out(const char *text, json entry);

static measure measure_name(const char *text, const char *name, size_t size) {
#define SCALAR(type)                                                                               \
  {                                                                                                \
#type, { sizeof(type), _Alignof(type) }                                                        \
  }
  static const struct {
    const char *name;
    measure m;
  } scalars[] = {SCALAR(bool),    SCALAR(char),    SCALAR(int),      SCALAR(double),
                 SCALAR(int32_t), SCALAR(int64_t), SCALAR(uint64_t), SCALAR(size_t)};
#undef SCALAR
  for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
    if (strlen(scalars[i].name) == size && !memcmp(scalars[i].name, name, size))
      return scalars[i].m;
  json entry;
  if (find_entry(text, "enums", name, size, &entry))
    return (measure){sizeof(rill_dtype), _Alignof(rill_dtype)};
  if (find_entry(text, "callbacks", name, size, &entry))
    return (measure){sizeof(rill_job), _Alignof(rill_job)};
  ck_assert_msg(find_entry(text, "structs", name, size, &entry), "no type %.*s", (int)size, name);
  return lay_out(text, entry);
}

/* Of "const char *", "rill_dtype", "int64_t[3]". */
static measure measure_type(const char *text, const char *type, size_t size) {
  if (type[size - 1] == '*') return (measure){sizeof(void *), _Alignof(void *)};
  const char *array = memchr(type, '[', size);
  measure m = measure_name(text, type, array ? (size_t)(array - type) : size);
  if (array) m.size *= strtoul(array + 1, NULL, 10);
  return m;
}

static size_t align_up(size_t n, size_t align) { return (n + align - 1) / align * align; }

/* Lays a struct out by C's rules for its fields' types; offsets and size must be those. */
static measure lay_out(const char *text, json entry) {
  json name = member(entry, "name", JSON_STRING), fields = member(entry, "fields", JSON_ARRAY), f;
  json is_union = entry;
  ck_assert(find_member(&is_union, "union"));
  bool overlap = json_next(&is_union) == JSON_TRUE;
  measure all = {0, 1};
  while (next_entry(&fields, &f)) {
    json type = member(f, "type", JSON_STRING), field = member(f, "name", JSON_STRING);
    measure m = measure_type(text, type.token, type.size);
    size_t at = overlap ? 0 : align_up(all.size, m.align);
    ck_assert_msg(member(f, "offset", JSON_INTEGER).integer == (int64_t)at, "%.*s.%.*s: not at %zu",
                  (int)name.size, name.token, (int)field.size, field.token, at);
    if (at + m.size > all.size) all.size = at + m.size;
    if (m.align > all.align) all.align = m.align;
  }
  all.size = align_up(all.size, all.align);
  ck_assert_msg(member(entry, "size", JSON_INTEGER).integer == (int64_t)all.size,
                "%.*s: size is not %zu", (int)name.size, name.token, all.size);
  return all;
}

/* Every struct, with its last field, and whether there is an init function. */
#define STRUCTS                                                                                    \
  S(rill_custom_op, free_user, 1)                                                                  \
  S(rill_gradcheck_options, rtol, 1)                                                               \
  S(rill_allocator, user, 0)                                                                       \
  S(rill_context_options, keep_blas_threads, 1)                                                    \
  S(rill_memory_stats, reused, 1)                                                                  \
  S(rill_thread_info, cpu_seconds, 1)                                                              \
  S(rill_random_state, offset, 0)                                                                  \
  S(rill_module_class, free_user, 1)                                                               \
  S(rill_cross_entropy_options, reduction, 1)                                                      \
  S(rill_window_options, last, 1)                                                                  \
  S(rill_attention_options, alibi, 1)                                                              \
  S(rill_selective_scan_options, final, 1)                                                         \
  S(rill_optimizer_options, eps, 1)                                                                \
  S(rill_schedule, gamma, 1)                                                                       \
  S(rill_attention_params, offset, 1)                                                              \
  S(rill_module_type_info, streams, 1)                                                             \
  S(rill_window_params, last, 1)                                                                   \
  S(rill_rope_params, inverse, 1)                                                                  \
  S(rill_selective_scan_params, delta_softplus, 1)                                                 \
  S(rill_causal_conv1d_params, silu, 1)                                                            \
  S(rill_value_as, string, 0)                                                                      \
  S(rill_value, as, 0)                                                                             \
  S(rill_op_info, differentiable, 1)                                                               \
  S(rill_attention_module_options, dropout, 1)                                                     \
  S(rill_window_stream_options, method, 1)                                                         \
  S(rill_mamba_options, no_conv_bias, 1)                                                           \
  S(rill_generate_options, user, 1)

START_TEST(structs_are_as_the_compiler_lays_them_out) {
  static const struct {
    const char *name, *last, *init;
    size_t size, offset;
  } all[] = {
#define S(type, last, has_init)                                                                    \
  {#type, #last, has_init ? #type "_init" : "", sizeof(type), offsetof(type, last)},
      STRUCTS
#undef S
  };
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  json list = open_list(text, "structs"), entry;
  int n = 0;
  for (; next_entry(&list, &entry); n++) lay_out(text, entry);
  ck_assert_int_eq(n, sizeof all / sizeof *all);
  for (int i = 0; i < n; i++) {
    ck_assert_msg(find_entry(text, "structs", all[i].name, strlen(all[i].name), &entry), "no %s",
                  all[i].name);
    ck_assert_int_eq(member(entry, "size", JSON_INTEGER).integer, all[i].size);
    json init = member(entry, "init", JSON_STRING), fields = member(entry, "fields", JSON_ARRAY), f;
    ck_assert_msg(json_equals(&init, all[i].init), "%s: init", all[i].name);
    while (next_entry(&fields, &f)) continue;
    json last = member(f, "name", JSON_STRING);
    ck_assert_msg(json_equals(&last, all[i].last), "%s does not end in %s", all[i].name,
                  all[i].last);
    ck_assert_int_eq(member(f, "offset", JSON_INTEGER).integer, all[i].offset);
    int found = 0;
    count_entries(text, "functions", "name", all[i].init, &found);
    ck_assert_int_eq(found, *all[i].init != 0);
  }
  rill_context_close(ctx);
}
END_TEST

/* All bytes of all fields are 0, but those of struct_size. */
static void check_initial(const char *text, const char *name, const char *given, size_t size) {
  json entry, f;
  ck_assert(find_entry(text, "structs", name, strlen(name), &entry));
  json fields = member(entry, "fields", JSON_ARRAY);
  ck_assert(next_entry(&fields, &f)); /* struct_size */
  ck_assert_msg(!memcmp(given, &size, sizeof size), "%s: struct_size", name);
  while (next_entry(&fields, &f)) {
    json type = member(f, "type", JSON_STRING), field = member(f, "name", JSON_STRING);
    int64_t offset = member(f, "offset", JSON_INTEGER).integer;
    size_t bytes = measure_type(text, type.token, type.size).size;
    for (size_t i = 0; i < bytes; i++)
      ck_assert_msg(!given[(size_t)offset + i], "%s.%.*s", name, (int)field.size, field.token);
  }
}

START_TEST(init_functions_give_the_size_and_defaults) {
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
#define INIT_0(type) (void)0
#define INIT_1(type)                                                                               \
  do {                                                                                             \
    type given;                                                                                    \
    memset(&given, 0xff, sizeof given);                                                            \
    type##_init(&given);                                                                           \
    check_initial(text, #type, (const char *)&given, sizeof given);                                \
    type##_init(NULL);                                                                             \
  } while (0)
#define S(type, last, has_init) INIT_##has_init(type);
  STRUCTS
#undef S
  rill_context_close(ctx);
}
END_TEST

START_TEST(enums_have_the_values_of_the_constants) {
#define V(type, constant)                                                                          \
  { #type, #constant, constant }
  static const struct {
    const char *type, *name;
    int value;
  } all[] = {
      V(rill_grad_mode, RILL_GRAD_ON),
      V(rill_grad_mode, RILL_GRAD_OFF),
      V(rill_grad_mode, RILL_GRAD_INFERENCE),
      V(rill_status, RILL_OK),
      V(rill_status, RILL_ERROR_MEMORY),
      V(rill_status, RILL_ERROR_ARGUMENT),
      V(rill_status, RILL_ERROR_SHAPE),
      V(rill_status, RILL_ERROR_DTYPE),
      V(rill_status, RILL_ERROR_INDEX),
      V(rill_status, RILL_ERROR_OVERFLOW),
      V(rill_status, RILL_ERROR_GRAPH),
      V(rill_status, RILL_ERROR_IO),
      V(rill_status, RILL_ERROR_FORMAT),
      V(rill_status, RILL_ERROR_NOT_FOUND),
      V(rill_status, RILL_ERROR_UNSUPPORTED),
      V(rill_status, RILL_ERROR_STATE),
      V(rill_status, RILL_ERROR_CALLBACK),
      V(rill_log_level, RILL_LOG_DEBUG),
      V(rill_log_level, RILL_LOG_INFO),
      V(rill_log_level, RILL_LOG_WARNING),
      V(rill_thread_state, RILL_THREAD_IDLE),
      V(rill_thread_state, RILL_THREAD_WORKING),
      V(rill_reduction, RILL_REDUCE_MEAN),
      V(rill_reduction, RILL_REDUCE_SUM),
      V(rill_reduction, RILL_REDUCE_NONE),
      V(rill_causal, RILL_CAUSAL_NONE),
      V(rill_causal, RILL_CAUSAL_BOTTOM_RIGHT),
      V(rill_causal, RILL_CAUSAL_TOP_LEFT),
      V(rill_window_kind, RILL_WINDOW_MAX),
      V(rill_window_kind, RILL_WINDOW_MIN),
      V(rill_window_kind, RILL_WINDOW_SUM),
      V(rill_window_kind, RILL_WINDOW_MEAN),
      V(rill_window_kind, RILL_WINDOW_QUANTILE),
      V(rill_optimizer_kind, RILL_OPTIM_SGD),
      V(rill_optimizer_kind, RILL_OPTIM_ADAM),
      V(rill_optimizer_kind, RILL_OPTIM_ADAMW),
      V(rill_schedule_kind, RILL_SCHEDULE_CONSTANT),
      V(rill_schedule_kind, RILL_SCHEDULE_LINEAR),
      V(rill_schedule_kind, RILL_SCHEDULE_COSINE),
      V(rill_schedule_kind, RILL_SCHEDULE_STEP),
      V(rill_attention_causal, RILL_ATTENTION_FULL),
      V(rill_attention_causal, RILL_ATTENTION_BOTTOM_RIGHT),
      V(rill_attention_causal, RILL_ATTENTION_TOP_LEFT),
      V(rill_window_mode, RILL_WINDOW_VALID),
      V(rill_window_mode, RILL_WINDOW_SAME),
      V(rill_window_mode, RILL_WINDOW_FULL),
      V(rill_window_mode, RILL_WINDOW_CAUSAL),
      V(rill_window_edge, RILL_WINDOW_IGNORE),
      V(rill_window_edge, RILL_WINDOW_CONSTANT),
      V(rill_window_edge, RILL_WINDOW_NEAREST),
      V(rill_window_edge, RILL_WINDOW_REFLECT),
      V(rill_window_edge, RILL_WINDOW_MIRROR),
      V(rill_window_edge, RILL_WINDOW_WRAP),
      V(rill_window_nan, RILL_WINDOW_NAN_PROPAGATE),
      V(rill_window_nan, RILL_WINDOW_NAN_IGNORE),
      V(rill_window_quantile_method, RILL_WINDOW_QUANTILE_LINEAR),
      V(rill_window_quantile_method, RILL_WINDOW_QUANTILE_LOWER),
      V(rill_window_quantile_method, RILL_WINDOW_QUANTILE_HIGHER),
      V(rill_window_quantile_method, RILL_WINDOW_QUANTILE_NEAREST),
      V(rill_window_quantile_method, RILL_WINDOW_QUANTILE_MIDPOINT),
      V(rill_value_kind, RILL_VALUE_NONE),
      V(rill_value_kind, RILL_VALUE_TENSOR),
      V(rill_value_kind, RILL_VALUE_TENSORS),
      V(rill_value_kind, RILL_VALUE_INT),
      V(rill_value_kind, RILL_VALUE_INTS),
      V(rill_value_kind, RILL_VALUE_FLOAT),
      V(rill_value_kind, RILL_VALUE_BOOL),
      V(rill_value_kind, RILL_VALUE_STRING),
      V(rill_dtype, RILL_F32),
      V(rill_dtype, RILL_F64),
      V(rill_dtype, RILL_F16),
      V(rill_dtype, RILL_BF16),
      V(rill_dtype, RILL_I32),
      V(rill_dtype, RILL_I64),
      V(rill_dtype, RILL_U8),
      V(rill_dtype, RILL_BOOL),
  };
#undef V
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  json list = open_list(text, "enums"), entry;
  size_t n = 0;
  while (next_entry(&list, &entry)) {
    json values = member(entry, "values", JSON_OBJECT);
    for (; json_next(&values) == JSON_KEY; n++) ck_assert_int_eq(json_next(&values), JSON_INTEGER);
  }
  ck_assert_int_eq(n, sizeof all / sizeof *all);
  for (size_t i = 0; i < n; i++) {
    ck_assert(find_entry(text, "enums", all[i].type, strlen(all[i].type), &entry));
    json values = member(entry, "values", JSON_OBJECT);
    ck_assert_msg(member(values, all[i].name, JSON_INTEGER).integer == all[i].value, "%s",
                  all[i].name);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(constants_have_their_values_and_a_function_each) {
  const struct {
    const char *name;
    int64_t value, twin;
  } all[] = {
      {"RILL_VERSION_MAJOR", RILL_VERSION_MAJOR, rill_version_number() / 10000},
      {"RILL_VERSION_MINOR", RILL_VERSION_MINOR, rill_version_number() / 100 % 100},
      {"RILL_VERSION_PATCH", RILL_VERSION_PATCH, rill_version_number() % 100},
      {"RILL_ABI_VERSION", RILL_ABI_VERSION, rill_abi_version()},
      {"RILL_MAX_DIMS", RILL_MAX_DIMS, rill_max_dims()},
      {"RILL_NO_PADDING", RILL_NO_PADDING, rill_no_padding()},
      {"RILL_ATTENTION_DIM_MAX", RILL_ATTENTION_DIM_MAX, rill_attention_dim_max()},
  };
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  json list = open_list(text, "constants"), entry;
  size_t n = 0;
  while (next_entry(&list, &entry)) n++;
  ck_assert_int_eq(n, sizeof all / sizeof *all);
  for (size_t i = 0; i < n; i++) {
    ck_assert_msg(find_entry(text, "constants", all[i].name, strlen(all[i].name), &entry), "%s",
                  all[i].name);
    ck_assert_int_eq(member(entry, "value", JSON_INTEGER).integer, all[i].value);
    ck_assert_int_eq(all[i].twin, all[i].value);
  }
  rill_context_close(ctx);
}
END_TEST

/* Types of rill's that "text" uses by value: all of them must be enums or callbacks. */
static void check_types(const char *text, json v) {
  const char *end = v.token + v.size;
  for (const char *s = v.token; s < end; s++) {
    size_t size = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    json entry;
    if (size > 5 && !memcmp(s, "rill_", 5) && s[size] == ' ' && s[size + 1] != '*')
      ck_assert_msg(find_entry(text, "enums", s, size, &entry) ||
                        find_entry(text, "callbacks", s, size, &entry),
                    "no type %.*s", (int)size, s);
    s += size;
  }
}

START_TEST(types_in_signatures_are_described) {
  static const char *const callbacks[][2] = {
      {"rill_finalizer", "void (*)(void *user)"},
      {"rill_free_callback", "void (*)(void *user, void *block)"},
      {"rill_grad_hook",
       "rill_tensor *(*)(rill_context *ctx, void *user, const rill_tensor *grad)"},
      {"rill_parallel_for", "void (*)(void *user, int64_t count, rill_job job, void *arg)"},
  };
  rill_context *ctx = rill_context_create(NULL);
  const char *text = rill_api_json(ctx);
  json list = open_list(text, "functions"), entry;
  while (next_entry(&list, &entry)) {
    json signature = member(entry, "signature", JSON_STRING);
    check_types(text, signature);
    ck_assert_ptr_null(memmem(signature.token, signature.size, "(*", 2));
  }
  list = open_list(text, "callbacks");
  while (next_entry(&list, &entry)) check_types(text, member(entry, "type", JSON_STRING));
  for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
    ck_assert(find_entry(text, "callbacks", callbacks[i][0], strlen(callbacks[i][0]), &entry));
    json type = member(entry, "type", JSON_STRING);
    ck_assert_msg(json_equals(&type, callbacks[i][1]), "%s", callbacks[i][0]);
  }
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
  tcase_add_test(tc, structs_are_as_the_compiler_lays_them_out);
  tcase_add_test(tc, init_functions_give_the_size_and_defaults);
  tcase_add_test(tc, enums_have_the_values_of_the_constants);
  tcase_add_test(tc, constants_have_their_values_and_a_function_each);
  tcase_add_test(tc, types_in_signatures_are_described);
  tcase_add_test(tc, it_survives_the_lack_of_memory);
  return tc;
}

TEST_MAIN("api_json", cases)
