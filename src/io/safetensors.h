/* The safetensors format, without tensors: reading a file's header into an index, and laying out a
 * new file. https://huggingface.co/docs/safetensors
 *
 * A file is 8 bytes (little endian: the size of the header), the header (JSON: from each tensor's
 * name to its dtype, shape and place) and the data without holes. */
#ifndef RILL_SRC_SAFETENSORS_H
#define RILL_SRC_SAFETENSORS_H

#include "base/base.h"
#include "base/text.h"
#include "rill/tensor.h"

enum { ST_MAX_HEADER = 100000000 };

/* All the format knows, in the order in which the reference implementation compares them: the last
 * comes first in a file. rill computes with eight of them; the others are listed but not loaded. */
typedef enum st_dtype {
  ST_BOOL,
  ST_F4,
  ST_F6_E2M3,
  ST_F6_E3M2,
  ST_U8,
  ST_I8,
  ST_F8_E5M2,
  ST_F8_E4M3,
  ST_F8_E8M0,
  ST_F8_E4M3FNUZ,
  ST_F8_E5M2FNUZ,
  ST_I16,
  ST_U16,
  ST_F16,
  ST_BF16,
  ST_I32,
  ST_U32,
  ST_F32,
  ST_C64,
  ST_F64,
  ST_I64,
  ST_U64,
  ST_DTYPES
} st_dtype;

const char *st_dtype_name(st_dtype dtype); /* "BF16": static */
st_dtype st_dtype_of(rill_dtype dtype);

/* ---- reading ---- */

typedef struct st_entry {
  const char *name;
  st_dtype dtype;
  int ndim; /* may be more than RILL_MAX_DIMS; shape then has the first of them */
  int64_t shape[RILL_MAX_DIMS];
  int64_t begin, end; /* bytes of the data part; as many as shape and dtype take */
} st_entry;

typedef struct st_pair {
  const char *key, *value;
} st_pair;

/* One block of memory; strings included, nothing points into the file but `data`. */
typedef struct st_index {
  int64_t count;
  st_entry *entries;        /* in the order of their data */
  const st_entry **by_name; /* in the order of their names */
  int64_t metadata_count;
  st_pair *metadata; /* __metadata__, in the order of the keys */
  const unsigned char *data;
} st_index;

/* Checks a whole file in memory but for the values, and lists it. Beyond what the reference refuses,
 * it refuses a header that does not begin with '{', names that come twice, NUL in a string, and
 * shapes whose strides would overflow behind a 0. `path` is for the error, RILL_ERROR_FORMAT. Free
 * the index with heap_free; it may outlive the context. */
rill_status st_parse(rill_context *ctx, const char *op, const char *path, const void *bytes,
                     size_t size, st_index **index);

const st_entry *st_find(const st_index *index, const char *name);     /* NULL: none */
const char *st_find_metadata(const st_index *index, const char *key); /* NULL: none */

/* The entry as rill sees it. RILL_ERROR_UNSUPPORTED: a dtype rill lacks, or too many dims. */
rill_status st_loadable(rill_context *ctx, const char *op, const st_entry *entry,
                        rill_dtype *dtype);

/* ---- writing ---- */

typedef struct st_item {
  const char *name;
  st_dtype dtype;
  int ndim;
  const int64_t *shape;
  const void *source; /* the caller's */
  size_t bytes;       /* set by st_layout */
} st_item;

/* Sorts the items into the order in which their data follow the header, the metadata by key, and
 * appends the header, its size in front, to `header`: the bytes of the reference implementation,
 * which does not order its metadata. It leaves out __metadata__ where there are no pairs. RILL_ERROR_ARGUMENT: a name or key NULL, twice, not UTF-8 or
 * "__metadata__"; a negative size. RILL_ERROR_OVERFLOW: too large for the format. */
rill_status st_layout(rill_context *ctx, const char *op, st_item *items, int64_t count,
                      st_pair *metadata, int64_t metadata_count, text_buffer *header);

#endif
