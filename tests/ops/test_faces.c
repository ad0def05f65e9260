/* The three faces of every op agree, bit for bit: pure beside functional, functional beside module; and
 * the walks that fail where an op, a pure function or a module has no such comparison. */
#include "ops/test_faces.h"
#include "ops/test_faces_values.h"

#include "ops/test_faces_elementwise.h"
#include "ops/test_faces_index.h"
#include "ops/test_faces_modules.h"
#include "ops/test_faces_move.h"
#include "ops/test_faces_products.h"
#include "ops/test_faces_random.h"
#include "ops/test_faces_reduce.h"
#include "ops/test_faces_rows.h"
#include "ops/test_faces_sequence.h"
#include "ops/test_faces_window.h"

#define FAMILY(name)                                                                               \
  { name##_cases, FACE_COUNT(name##_cases) }

static const struct family {
  const face_case *cases;
  int count;
} families[] = {FAMILY(elementwise), FAMILY(reduce), FAMILY(products), FAMILY(rows),
                FAMILY(random),      FAMILY(index),  FAMILY(sequence), FAMILY(move),
                FAMILY(factories),   FAMILY(window), FAMILY(modules)};

/* One family each. */
START_TEST(faces_agree) { face_compare(families[_i].cases, families[_i].count); }
END_TEST

START_TEST(dropout_keeps_its_mask_and_its_share) {
  rill_context *ctx = face_context(0);
  face_now = random_cases;
  dropout_mask_f32(ctx);
  dropout_mask_f64(ctx);
  face_drop_blocks();
  rill_context_close(ctx);
}
END_TEST

/* ---- what is not compared -------------------------------------------------------------------------- */

/* The exported names, from the committed list. */
static struct symbols {
  char name[1000][64];
  int count;
} symbols;

static void load_symbols(void) {
  FILE *f = fopen("build-aux/symbols.txt", "r");
  ck_assert_msg(f, "no build-aux/symbols.txt: run the tests from the top folder");
  symbols.count = 0;
  while (symbols.count < FACE_COUNT(symbols.name) &&
         fscanf(f, "%63s %*s", symbols.name[symbols.count]) == 1)
    symbols.count++;
  ck_assert_msg(feof(f), "not all of build-aux/symbols.txt could be read");
  fclose(f);
}

static bool exported(const char *name, size_t size) {
  for (int i = 0; i < symbols.count; i++)
    if (strlen(symbols.name[i]) == size && !memcmp(symbols.name[i], name, size)) return true;
  return false;
}

static bool listed(const char *name, const char *const *list, int count) {
  for (int i = 0; i < count; i++)
    if (!strcmp(list[i], name)) return true;
  return false;
}

static bool ends_in(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n > m && !strcmp(name + n - m, end);
}

/* Of the pure face, in f32: not the questions of how many bytes a buffer needs. */
static bool computes(const char *name) {
  static const char *const sizes[] = {"_workspace_f32", "_checkpoints_f32", "_partials_f32"};
  for (int i = 0; i < FACE_COUNT(sizes); i++)
    if (ends_in(name, sizes[i])) return false;
  return ends_in(name, "_f32");
}

/* These are the pure face of something else than an op. */
static const char *const without_op[] = {
    "rill_rand_f32",       "rill_randn_f32",         "rill_fill_f32", /* factories */
    "rill_accumulate_f32",                                            /* backward's sums */
    "rill_scale_f32",      "rill_sum_squares_f32",                    /* clipping */
    "rill_sgd_f32",        "rill_adam_f32",          "rill_adamw_f32",
    "rill_ema_f32",                                                           /* optimizers */
    "rill_prod_f32",       "rill_prod_backward_f32", "rill_max_backward_f32", /* pure alone */
    "rill_window_push_f32"};                                                  /* a stream's */

static void note_all_calls(void) {
  rill_context *ctx = face_context(0);
  face_noting = true;
  for (int f = 0; f < FACE_COUNT(families); f++)
    for (int i = 0; i < families[f].count; i++) {
      face_run(ctx, &families[f].cases[i], families[f].cases[i].f32, 0);
      face_run(ctx, &families[f].cases[i], families[f].cases[i].f64, 0);
    }
  face_noting = false;
  face_now = NULL;
  face_size = NULL;
  face_where = "";
  rill_context_close(ctx);
}

START_TEST(each_ops_pure_face_is_compared) {
  load_symbols();
  note_all_calls();
  complaints = 0; /* of the values: the tests above are for them */
  for (int i = 0; i < op_table_count; i++) {
    const char *at = op_table[i]->pure, *op = op_table[i]->name;
    if (!at || !*at) complain("%s has no pure face", op);
    for (size_t size; at && *at; at += size, at += strspn(at, " ")) {
      size = strcspn(at, " ");
      if (!exported(at, size)) complain("%s: there is no %.*s", op, (int)size, at);
      if (!face_was_called(op, at, size)) complain("%s: nothing compares %.*s", op, (int)size, at);
    }
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}
END_TEST

/* Does an op name the pure function? */
static bool claimed(const char *name) {
  size_t size = strlen(name);
  for (int i = 0; i < op_table_count; i++)
    for (const char *at = op_table[i]->pure; at && *at;
         at += strcspn(at, " "), at += strspn(at, " "))
      if (strcspn(at, " ") == size && !memcmp(at, name, size)) return true;
  return false;
}

START_TEST(each_pure_function_belongs_to_an_op) {
  int computing = 0;
  complaints = 0;
  load_symbols();
  for (int i = 0; i < symbols.count; i++) {
    const char *name = symbols.name[i];
    if (!computes(name)) continue;
    computing++;
    char twin[64];
    snprintf(twin, sizeof twin, "%.*s_f64", (int)strlen(name) - 4, name);
    if (!exported(twin, strlen(twin))) complain("%s has no twin in f64", name);
    if (claimed(name) != claimed(twin)) complain("ops name only one of %s and %s", name, twin);
    bool other = listed(name, without_op, FACE_COUNT(without_op));
    if (claimed(name) == other)
      complain("%s belongs to %s", name, other ? "an op after all" : "no op");
  }
  for (int i = 0; i < FACE_COUNT(without_op); i++)
    if (!exported(without_op[i], strlen(without_op[i]))) complain("there is no %s", without_op[i]);
  ck_assert_int_gt(computing, 100);
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}
END_TEST

static bool module_compared(const char *constructor, const char *op) {
  for (int i = 0; i < FACE_COUNT(modules_cases); i++) {
    const module_row_case *r = modules_cases[i].row;
    if (!strcmp(r->constructor, constructor) && (!op || (r->op && !strcmp(r->op, op)))) return true;
  }
  return false;
}

static bool constructed_by(const char *constructor) {
  for (int i = 0; i < module_table_count; i++)
    if (!strcmp(module_table[i].constructor, constructor)) return true;
  return false;
}

/* Every module but the one without a forward and rill_nn_op (which tests/ops/test_ops.c compares for all
 * cases of all ops); of an op's module, that op; and each op names its own. */
START_TEST(each_module_is_compared) {
  complaints = 0;
  for (int i = 0; i < module_table_count; i++) {
    const char *constructor = module_table[i].constructor;
    bool runs = strcmp(constructor, "rill_nn_module_list") && strcmp(constructor, "rill_nn_op");
    if (module_compared(constructor, NULL) != runs) complain("nothing compares %s", constructor);
  }
  for (int i = 0; i < op_table_count; i++) {
    rill_op_info info = RILL_OP_INFO_INIT;
    rill_op_describe(i, &info);
    if (!constructed_by(info.module)) complain("%s has no module %s", info.name, info.module);
    if (op_table[i]->module && !module_compared(op_table[i]->module, op_table[i]->name))
      complain("nothing compares %s with %s", op_table[i]->module, op_table[i]->name);
  }
  for (int i = 0; i < FACE_COUNT(modules_cases); i++) {
    const module_row_case *r = modules_cases[i].row;
    int op = r->op ? rill_op_find(NULL, r->op) : -1;
    const char *named = op >= 0 ? op_table[op]->module : NULL;
    if (r->op && (!named || strcmp(named, r->constructor)))
      complain("%s has the module %s, not %s", r->op, named ? named : "NULL", r->constructor);
  }
  ck_assert_msg(!complaints, "%d complaints, see above", complaints);
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("faces");
  tcase_add_loop_test(c, faces_agree, 0, FACE_COUNT(families));
  tcase_add_test(c, dropout_keeps_its_mask_and_its_share);
  tcase_add_test(c, each_ops_pure_face_is_compared);
  tcase_add_test(c, each_pure_function_belongs_to_an_op);
  tcase_add_test(c, each_module_is_compared);
  return c;
}

TEST_MAIN("faces", tcase)
