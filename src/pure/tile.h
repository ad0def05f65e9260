/* The two building blocks of matrix products, defined in matmul.c for each pass and shared with
 * attention.c. Included after pure/kernel.h. */

/* Reals in a vector of the pass's instruction set: the granularity of a tile's columns. */
#undef TILE_LANES
#if defined KERNEL_AVX512
#define TILE_LANES (64 / (int)sizeof(real))
#elif defined KERNEL_AVX2
#define TILE_LANES (32 / (int)sizeof(real))
#else
#define TILE_LANES (16 / (int)sizeof(real))
#endif

/* c[m,n] = a·b, or c += a·b where `add`. a's element (i,p) is a[i * a_row + p * a_col]; b [k,n] and
 * c [m,n] have contiguous rows ldb and ldc apart. n is a multiple of TILE_LANES. Each element of c
 * sums over p in ascending order whatever m and n, so a product does not depend on how it is
 * cut. */
void L(tile_multiply)(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                      const real *b, int64_t ldb, real *c, int64_t ldc, bool add);

/* dst[c * dst_row + r] = scale * src[r * src_row + c]. */
void L(tile_transpose)(int64_t rows, int64_t cols, const real *src, int64_t src_row, real scale,
                       real *dst, int64_t dst_row);
