/* The matrix product against a plain f64 triple loop, at every instruction set. */
#include "main.h"
#include "base/base.h"
#include "rill/pure.h"
#include <limits.h>
#include <sys/mman.h>

void openblas_set_num_threads(int n) __attribute__((weak));

typedef struct shape {
  int64_t m, n, k;
} shape;

/* Runs one product in both precisions, with rows padded or not, and checks c and its padding. */
static void check_padded(bool pad, bool ta, bool tb, shape z, double alpha, double beta) {
  int64_t lda = (ta ? z.m : z.k) + 3 * pad, ldb = (tb ? z.k : z.n) + pad, ldc = z.n + 2 * pad;
  int64_t na = (ta ? z.k : z.m) * lda, nb = (tb ? z.n : z.k) * ldb, nc = z.m * ldc;
  double *a = malloc((size_t)(na + 1) * 8), *b = malloc((size_t)(nb + 1) * 8);
  double *c = malloc((size_t)(nc + 1) * 8), *ref = malloc((size_t)(nc + 1) * 8);
  float *a4 = malloc((size_t)(na + 1) * 4), *b4 = malloc((size_t)(nb + 1) * 4);
  float *c4 = malloc((size_t)(nc + 1) * 4);
  uint64_t seed = 7;
  for (int64_t i = 0; i < na; i++) a[i] = a4[i] = (float)test_normal(&seed);
  for (int64_t i = 0; i < nb; i++) b[i] = b4[i] = (float)test_normal(&seed);
  for (int64_t i = 0; i < nc; i++) c[i] = c4[i] = (float)test_normal(&seed);
  for (int64_t i = 0; i < z.m; i++)
    for (int64_t j = 0; j < ldc; j++) {
      double s = 0;
      for (int64_t p = 0; p < z.k && j < z.n; p++)
        s += (ta ? a[p * lda + i] : a[i * lda + p]) * (tb ? b[j * ldb + p] : b[p * ldb + j]);
      ref[i * ldc + j] = j < z.n ? alpha * s + beta * c[i * ldc + j] : c[i * ldc + j];
    }
  if (beta == 0) /* what c held must not matter */
    for (int64_t i = 0; i < z.m; i++)
      for (int64_t j = 0; j < z.n; j++) c[i * ldc + j] = c4[i * ldc + j] = (float)NAN;
  rill_gemm_f32(ta, tb, z.m, z.n, z.k, (float)alpha, a4, lda, b4, ldb, (float)beta, c4, ldc);
  rill_gemm_f64(ta, tb, z.m, z.n, z.k, alpha, a, lda, b, ldb, beta, c, ldc);
  double e4 = rms_ratio_f32(c4, ref, nc), e8 = rms_ratio_f64(c, ref, nc);
  ck_assert_msg(e4 < 1e-6 && e8 < 1e-14, "%s%s %lldx%lldx%lld alpha %g beta %g: %g %g",
                ta ? "T" : "N", tb ? "T" : "N", (long long)z.m, (long long)z.n, (long long)z.k,
                alpha, beta, e4, e8);
  for (int64_t i = 0; i < z.m; i++)
    for (int64_t j = z.n; j < ldc; j++) ck_assert(c[i * ldc + j] == ref[i * ldc + j]);
  free(a), free(b), free(c), free(ref), free(a4), free(b4), free(c4);
}

static void check(bool ta, bool tb, shape z, double alpha, double beta) {
  check_padded(false, ta, tb, z, alpha, beta);
  check_padded(true, ta, tb, z, alpha, beta);
}

START_TEST(agrees_with_a_triple_loop) {
  static const int64_t sizes[] = {1, 2, 3, 5, 8, 13, 17, 31, 33, 64};
  enum { N = sizeof sizes / sizeof *sizes };
  cpu_set_level(_i);
  for (int x = 0; x < N * N * N; x++) {
    shape z = {sizes[x % N], sizes[x / N % N], sizes[x / N / N]};
    for (int t = 0; t < 4; t++) check(t & 1, t & 2, z, 1, 0);
  }
}
END_TEST

START_TEST(scales_and_accumulates) {
  static const double factors[] = {0, 1, -0.5, 2};
  static const shape shapes[] = {{1, 40, 19},  {40, 1, 19},   {1, 1, 99},
                                 {7, 45, 300}, {70, 33, 520}, {3, 3, 3}};
  cpu_set_level(_i);
  for (int s = 0; s < 6; s++)
    for (int x = 0; x < 16; x++)
      for (int t = 0; t < 4; t++) check(t & 1, t & 2, shapes[s], factors[x % 4], factors[x / 4]);
}
END_TEST

START_TEST(large_products_agree) {
  static const shape shapes[] = {{129, 257, 513}, {300, 31, 1025}, {2, 700, 777},   {700, 2, 777},
                                 {1, 5000, 41},   {5000, 1, 41},   {300, 300, 300}, {90, 81, 1}};
  cpu_set_level(_i);
  for (int s = 0; s < 8; s++)
    for (int t = 0; t < 4; t++) check(t & 1, t & 2, shapes[s], 1.5, 0.25);
}
END_TEST

START_TEST(vectors_with_any_stride) {
  /* c and b are single columns of wider matrices: ldb, ldc > 1 with n = 1. */
  double a[6] = {1, 2, 3, 4, 5, 6}, b[9] = {1, 9, 9, 10, 9, 9, 100, 9, 9}, c[4] = {7, 8, 7, 8};
  cpu_set_level(_i);
  rill_gemm_f64(false, false, 2, 1, 3, 1, a, 3, b, 3, 1, c, 2);
  ck_assert(c[0] == 7 + 321 && c[1] == 8 && c[2] == 7 + 654 && c[3] == 8);
  double row[2] = {0, 0}; /* the row vector b[:,0]ᵀ (stored as a column) times aᵀ */
  rill_gemm_f64(true, true, 1, 2, 3, 1, b, 3, a, 3, 0, row, 2);
  ck_assert(row[0] == 321 && row[1] == 654);
}
END_TEST

START_TEST(empty_sizes) {
  float c[4] = {1, 2, 3, 4};
  cpu_set_level(_i);
  rill_gemm_f32(false, false, 0, 2, 2, 1, NULL, 2, NULL, 2, 0, c, 2);
  rill_gemm_f32(false, false, 2, 0, 2, 1, NULL, 2, NULL, 1, 0, c, 1);
  ck_assert(c[0] == 1 && c[3] == 4);
  rill_gemm_f32(false, false, 2, 2, 0, 1, NULL, 1, NULL, 2, 1, c, 2);
  ck_assert(c[0] == 1 && c[3] == 4);
  rill_gemm_f32(false, true, 2, 2, 0, 1, NULL, 1, NULL, 1, 2, c, 2);
  ck_assert(c[0] == 2 && c[3] == 8);
  c[1] = (float)NAN;
  rill_gemm_f32(true, false, 2, 2, 0, 1, NULL, 2, NULL, 2, 0, c, 2);
  for (int i = 0; i < 4; i++) ck_assert(c[i] == 0);
}
END_TEST

/* A NaN or infinity reaches exactly the row or column that it belongs to. */
START_TEST(specials_stay_in_their_row) {
  enum { M = 37, N = 45, K = 70 };
  static float a[M * K], b[K * N], c[M * N];
  cpu_set_level(_i);
  for (int i = 0; i < M * K; i++) a[i] = 1;
  for (int i = 0; i < K * N; i++) b[i] = 1;
  a[5 * K + 69] = (float)NAN;
  a[36 * K + 1] = (float)INFINITY;
  rill_gemm_f32(false, false, M, N, K, 1, a, K, b, N, 0, c, N);
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++)
      ck_assert(i == 5 ? isnan(c[i * N + j]) : c[i * N + j] == (i == 36 ? (float)INFINITY : K));
}
END_TEST

/* A dot product longer than an int counts: untouched pages of the mapping read as zeros.
 * ThreadSanitizer would want four times the 8 GB for its shadow. */
START_TEST(sizes_above_int_max) {
  int64_t k = (int64_t)INT_MAX + 77;
  float *a = mmap(NULL, (size_t)k * 4, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (a == MAP_FAILED) return;
  a[0] = 3, a[k - 1] = 4;
  float c = 0;
  cpu_set_level(_i);
  rill_gemm_f32(false, false, 1, 1, k, 1, a, k, a, 1, 0, &c, 1);
  ck_assert(c == 25);
  munmap(a, (size_t)k * 4);
}
END_TEST

static TCase *tcase(void) {
  if (openblas_set_num_threads) openblas_set_num_threads(1);
  TCase *c = tcase_create("matmul");
  tcase_set_timeout(c, 300);
  tcase_add_loop_test(c, agrees_with_a_triple_loop, 0, CPU_LEVELS);
  tcase_add_loop_test(c, scales_and_accumulates, 0, CPU_LEVELS);
  tcase_add_loop_test(c, large_products_agree, 0, CPU_LEVELS);
  tcase_add_loop_test(c, vectors_with_any_stride, 0, CPU_LEVELS);
  tcase_add_loop_test(c, empty_sizes, 0, CPU_LEVELS);
  tcase_add_loop_test(c, specials_stay_in_their_row, 0, CPU_LEVELS);
  if (!UNDER_TSAN) tcase_add_loop_test(c, sizes_above_int_max, 0, CPU_LEVELS);
  return c;
}

TEST_MAIN("matmul", tcase)
