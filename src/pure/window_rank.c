/* The numbers of many windows in order at once: see window_rank.h. */
#include "pure/kernel.h"
#include "pure/window_rank.h"

#include <string.h>

#if defined KERNEL_BASELINE && defined KERNEL_F32

/* Sorting goes by digits of so many bits, the lowest first. */
#define DIGIT_BITS   11
#define DIGIT_VALUES (1 << DIGIT_BITS)
#define DIGITS       6

static int64_t words_of(int64_t n) { return n / 64 + 1; }

size_t window_rank_bytes(int64_t most) {
  int64_t words = words_of(most);
  return (size_t)(most + words + words_of(words)) * sizeof(uint64_t) +
         (size_t)(3 * (most + 1) + DIGITS * DIGIT_VALUES) * sizeof(uint32_t);
}

void window_rank_init(window_rank *r, int64_t most, bool narrow, void *memory) {
  int64_t words = words_of(most);
  *r = (window_rank){.narrow = narrow, .key = memory};
  r->bits = r->key + most;
  r->words = r->bits + words;
  r->order = (uint32_t *)(void *)(r->words + words_of(words));
  r->spare = r->order + most + 1;
  r->rank = r->spare + most + 1;
  r->buckets = r->rank + most + 1;
}

void window_rank_begin(window_rank *r) { r->numbers = 0; }

/* Bits that are in order as the numbers are. */
void window_rank_put(window_rank *r, int64_t i, double v) {
  uint64_t wide;
  uint32_t bits;
  float narrow = (float)v;
  memcpy(&wide, &v, sizeof wide);
  memcpy(&bits, &narrow, sizeof bits);
  if (r->narrow)
    wide = bits >> 31 ? (uint32_t)~bits : bits | UINT32_C(1) << 31;
  else
    wide = wide >> 63 ? ~wide : wide | UINT64_C(1) << 63;
  r->key[i] = wide;
  r->order[r->numbers++] = (uint32_t)i;
}

/* ---- the sort --------------------------------------------------------------------------------- */

static void count_digits(window_rank *r, int digits) {
  memset(r->buckets, 0, (size_t)(digits * DIGIT_VALUES) * sizeof *r->buckets);
  for (int64_t i = 0; i < r->numbers; i++) {
    uint64_t key = r->key[r->order[i]];
    for (int d = 0; d < digits; d++, key >>= DIGIT_BITS)
      r->buckets[d * DIGIT_VALUES + (int)(key & (DIGIT_VALUES - 1))]++;
  }
}

/* By one digit; equal ones stay in order. */
static void sort_digit(window_rank *r, int digit) {
  uint32_t *bucket = r->buckets + digit * DIGIT_VALUES, sum = 0;
  int shift = digit * DIGIT_BITS;
  if (bucket[r->key[r->order[0]] >> shift & (DIGIT_VALUES - 1)] == r->numbers) return;
  for (int i = 0; i < DIGIT_VALUES; i++) {
    uint32_t n = bucket[i];
    bucket[i] = sum;
    sum += n;
  }
  for (int64_t i = 0; i < r->numbers; i++) {
    uint32_t sample = r->order[i];
    r->spare[bucket[r->key[sample] >> shift & (DIGIT_VALUES - 1)]++] = sample;
  }
  uint32_t *sorted = r->spare;
  r->spare = r->order;
  r->order = sorted;
}

void window_rank_sort(window_rank *r) {
  int digits = r->narrow ? 3 : DIGITS;
  int64_t words = words_of(r->numbers);
  count_digits(r, digits);
  for (int d = 0; d < digits && r->numbers > 0; d++) sort_digit(r, d);
  for (int64_t i = 0; i < r->numbers; i++) r->rank[r->order[i]] = (uint32_t)i;
  memset(r->bits, 0, (size_t)words * sizeof *r->bits);
  memset(r->words, 0, (size_t)words_of(words) * sizeof *r->words);
  r->count = r->at = r->below = 0;
}

/* ---- the window ------------------------------------------------------------------------------- */

/* Bits above bit i, and below it. */
static uint64_t bits_above(uint64_t word, int64_t i) { return word & (~UINT64_C(1) << i); }
static uint64_t bits_below(uint64_t word, int64_t i) { return word & ((UINT64_C(1) << i) - 1); }

/* The first word after `word` that is not 0, or the last one before; there is one. */
static int64_t word_after(const window_rank *r, int64_t word) {
  int64_t group = word >> 6;
  uint64_t some = bits_above(r->words[group], word & 63);
  while (some == 0) some = r->words[++group];
  return group * 64 + __builtin_ctzll(some);
}

static int64_t word_before(const window_rank *r, int64_t word) {
  int64_t group = word >> 6;
  uint64_t some = bits_below(r->words[group], word & 63);
  while (some == 0) some = r->words[--group];
  return group * 64 + 63 - __builtin_clzll(some);
}

/* The number that follows rank `at` of the block, or the last before it. */
static int64_t number_after(const window_rank *r, int64_t at) {
  int64_t word = at >> 6;
  uint64_t some = bits_above(r->bits[word], at & 63);
  if (some == 0) some = r->bits[word = word_after(r, word)];
  return word * 64 + __builtin_ctzll(some);
}

static int64_t number_before(const window_rank *r, int64_t at) {
  int64_t word = at >> 6;
  uint64_t some = bits_below(r->bits[word], at & 63);
  if (some == 0) some = r->bits[word = word_before(r, word)];
  return word * 64 + 63 - __builtin_clzll(some);
}

int64_t window_rank_sample(window_rank *r, int64_t rank) {
  if (r->below <= rank && !(r->bits[r->at >> 6] >> (r->at & 63) & 1))
    r->at = number_after(r, r->at);
  for (; r->below < rank; r->below++) r->at = number_after(r, r->at);
  for (; r->below > rank; r->below--) r->at = number_before(r, r->at);
  return r->order[r->at];
}

int64_t window_rank_next(const window_rank *r) { return r->order[number_after(r, r->at)]; }

#undef DIGIT_BITS
#undef DIGIT_VALUES
#undef DIGITS
#endif
