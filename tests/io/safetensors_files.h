/* What the tests of the safetensors core share: a context, files made of a header, the reference's
 * file and what it holds. */
#ifndef RILL_TESTS_IO_SAFETENSORS_FILES_H
#define RILL_TESTS_IO_SAFETENSORS_FILES_H

#include "main.h"
#include "golden/safetensors.h"
#include "io/safetensors.h"

static rill_context *ctx;

static inline void setup(void) { ctx = rill_context_create(NULL); }
static inline void teardown(void) { rill_context_close(ctx); }

/* Parses a copy of exactly the size, so that a sanitizer sees a read beyond it. */
static inline rill_status parse(const void *bytes, size_t size, st_index **index, void **copy) {
  *copy = malloc(size ? size : 1);
  if (size) memcpy(*copy, bytes, size);
  return st_parse(ctx, "open", "x.safetensors", *copy, size, index);
}

/* A file of this header, unpadded, with `data` zero bytes behind it. */
static inline size_t build(unsigned char *out, const char *header, size_t header_size,
                           size_t data) {
  for (int i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)header_size >> 8 * i);
  memcpy(out + 8, header, header_size);
  memset(out + 8 + header_size, 0, data);
  return 8 + header_size + data;
}

static inline st_index *expect_taken(const char *header, size_t data) {
  static unsigned char file[1 << 17];
  size_t size = build(file, header, strlen(header), data);
  st_index *index;
  ck_assert_msg(st_parse(ctx, "open", "x", file, size, &index) == RILL_OK, "%.200s: %s", header,
                rill_error_message(ctx));
  return index;
}

/* The description of a tensor "a". */
#define ONE(dtype, shape, begin, end)                                                              \
  "\"a\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

typedef struct expected {
  const char *name;
  st_dtype dtype;
  int ndim;
  int64_t shape[3], begin, end;
} expected;

#define ODD_NAME "quote\"back\\slash/tab\tesc\x1b\x7fé𝄞"

/* What golden/make_safetensors.py wrote, in the order of the data. */
static const expected mixed[] = {
    {"ids", ST_I64, 2, {2, 1}, 0, 16},       {"double", ST_F64, 1, {2}, 16, 32},
    {"complex", ST_C64, 1, {1}, 32, 40},     {"B", ST_F32, 1, {1}, 40, 44},
    {"a.bias", ST_F32, 1, {3}, 44, 56},      {"none", ST_F32, 3, {2, 0, 3}, 56, 56},
    {"z.weight", ST_F32, 2, {2, 3}, 56, 80}, {"steps", ST_I32, 0, {0}, 80, 84},
    {"brain", ST_BF16, 2, {1, 2}, 84, 88},   {"half", ST_F16, 1, {5}, 88, 98},
    {"short", ST_I16, 1, {2}, 98, 102},      {"f8", ST_F8_E4M3, 1, {3}, 102, 105},
    {"bytes", ST_U8, 1, {3}, 105, 108},      {ODD_NAME, ST_U8, 1, {1}, 108, 109},
    {"mask", ST_BOOL, 1, {4}, 109, 113},
};
enum { MIXED = sizeof mixed / sizeof *mixed };
static const char mixed_format[] = "pt\n\"é\"\b\f\r";

#endif
