/* The tile of scores that attention's forward and backward work on: 64 queries by 64 keys, held
 * transposed: s[key][query]. So the softmax runs down columns, in vectors of independent queries; keys
 * and values are read in the layout they come in, and only a tile of queries is turned, once for all
 * its keys. All products go through tile_multiply.
 *
 * Defined in attention_tile.c for each pass. Included after pure/kernel.h; like it without a guard. */

#undef SCORE_TILE
#define SCORE_TILE 64

/* A tile of queries, and the tile of keys it meets. */
typedef struct L(score_tile) {
  const rill_attention_params *p;
  int64_t b, h, kv;      /* batch, query head, key and value head                        */
  int64_t i0, ni, width; /* queries i0 .. i0 + ni, in columns of `width` (whole vectors) */
  int64_t j0, nj;        /* keys                                                         */
  int64_t shift;         /* query i sits at position i + shift among the keys            */
  real scale;
  real *s;     /* [key][query] scores, then probabilities                      */
  real *slope; /* tanh of the soft cap: kept for backward; NULL without        */
  real *z;     /* dropout factors; NULL without                                */
  real *qt;    /* [head_dim][query], scaled                                    */
  real *k, *v; /* room for copies of keys and values                           */
  real *more;  /* workspace that is left                                       */
} L(score_tile);

/* n to whole vectors of any instruction set. */
static inline int64_t L(score_round)(int64_t n) { return (n + 15) & ~(int64_t)15; }

static inline int64_t L(score_tiles)(int64_t n) { return n / SCORE_TILE + (n % SCORE_TILE != 0); }

/* A row of one of the caller's tensors. */
static inline const real *L(score_row)(const real *x, const int64_t stride[3], int64_t b, int64_t i,
                                       int64_t h) {
  return x + b * stride[0] + i * stride[1] + h * stride[2];
}

/* Lays the workspace out for p. */
void L(score_init)(L(score_tile) * t, const rill_attention_params *p, void *workspace);

/* n reals of the workspace. */
real *L(score_take)(L(score_tile) * t, int64_t n);

/* The keys that the tile of queries from i0 on can see, by causality and window: *begin (a tile's) to
 * *end. */
void L(score_key_range)(const rill_attention_params *p, int64_t i0, int64_t *begin, int64_t *end);

/* Begins a tile of queries: turns and scales them. */
void L(score_queries)(L(score_tile) * t, const real *q, int64_t b, int64_t h, int64_t i0);

/* s = the scores of keys j0 .. end or of a tile of them, -inf where masked; k has all keys. True where
 * a place may be masked. */
bool L(score_keys)(L(score_tile) * t, const real *k, int64_t j0, int64_t end);

/* n rows as tile_multiply wants its b: whole vectors, close together. Copied to `room` if need be,
 * with zeros to the right. Sets *ld. */
const real *L(score_rows)(const real *x, int64_t stride, int64_t n, int64_t cols, real *room,
                          int64_t *ld);

/* c[m,ld] (+)= a·b as tile_multiply, where a weight of 0 in a tile with masked places lets nothing
 * of b through, be it NaN or infinite. */
void L(score_weigh)(bool masked, int64_t m, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                    const real *b, int64_t ld, real *c, bool add);

/* x *= the factors of dropout, over the tile; nothing without dropout. */
void L(score_thin)(const L(score_tile) * t, real *x);
