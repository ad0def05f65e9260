/* The safetensors format, without tensors: see safetensors.h. */
#include "io/safetensors.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- dtypes ---- */

static const struct {
  const char *name;
  int bits;
  int rill; /* the rill_dtype; -1: none */
} dtypes[ST_DTYPES] = {
    [ST_BOOL] = {"BOOL", 8, RILL_BOOL},
    [ST_F4] = {"F4", 4, -1},
    [ST_F6_E2M3] = {"F6_E2M3", 6, -1},
    [ST_F6_E3M2] = {"F6_E3M2", 6, -1},
    [ST_U8] = {"U8", 8, RILL_U8},
    [ST_I8] = {"I8", 8, -1},
    [ST_F8_E5M2] = {"F8_E5M2", 8, -1},
    [ST_F8_E4M3] = {"F8_E4M3", 8, -1},
    [ST_F8_E8M0] = {"F8_E8M0", 8, -1},
    [ST_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8, -1},
    [ST_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8, -1},
    [ST_I16] = {"I16", 16, -1},
    [ST_U16] = {"U16", 16, -1},
    [ST_F16] = {"F16", 16, RILL_F16},
    [ST_BF16] = {"BF16", 16, RILL_BF16},
    [ST_I32] = {"I32", 32, RILL_I32},
    [ST_U32] = {"U32", 32, -1},
    [ST_F32] = {"F32", 32, RILL_F32},
    [ST_C64] = {"C64", 64, -1},
    [ST_F64] = {"F64", 64, RILL_F64},
    [ST_I64] = {"I64", 64, RILL_I64},
    [ST_U64] = {"U64", 64, -1},
};

const char *st_dtype_name(st_dtype dtype) { return dtypes[dtype].name; }

st_dtype st_dtype_of(rill_dtype dtype) {
  for (int d = 0; d < ST_DTYPES; d++)
    if (dtypes[d].rill == (int)dtype) return (st_dtype)d;
  return ST_DTYPES;
}

enum { NAME_SHOWN = 60 };

/* A name for a message: not too long, and without what a terminal would obey. */
static const char *shown_bytes(const char *name, size_t size, char out[NAME_SHOWN]) {
  if (size >= NAME_SHOWN) size = NAME_SHOWN - 1;
  for (size_t i = 0; i < size; i++)
    out[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
  out[size] = 0;
  return out;
}

static const char *shown(const char *name, char out[NAME_SHOWN]) {
  return shown_bytes(name, strlen(name), out);
}

rill_status st_loadable(rill_context *ctx, const char *op, const st_entry *entry,
                        rill_dtype *dtype) {
  char name[NAME_SHOWN];
  if (dtypes[entry->dtype].rill < 0)
    return error_set(ctx, RILL_ERROR_UNSUPPORTED, op,
                     "tensor \"%s\" has dtype %s, which rill lacks", shown(entry->name, name),
                     st_dtype_name(entry->dtype));
  if (entry->ndim > RILL_MAX_DIMS)
    return error_set(ctx, RILL_ERROR_UNSUPPORTED, op,
                     "tensor \"%s\" has %d dims, at most %d can be", shown(entry->name, name),
                     entry->ndim, RILL_MAX_DIMS);
  *dtype = (rill_dtype)dtypes[entry->dtype].rill;
  return RILL_OK;
}

/* ---- reading ---- */

/* The header is read twice by the same code: once to check and count, once to fill the index. */
typedef struct parser {
  rill_context *ctx;
  const char *op, *path;
  json json;
  st_index *index; /* NULL the first time */
  char *strings;   /* room for the next */
  int64_t count, metadata_count;
  bool metadata_seen;
} parser;

__attribute__((format(printf, 2, 3))) static bool refuse(parser *p, const char *format, ...) {
  char sentence[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  size_t size = strlen(p->path);
  error_set(p->ctx, RILL_ERROR_FORMAT, p->op, "%s: %s", size > 160 ? p->path + size - 160 : p->path,
            sentence);
  return false;
}

/* Of the token at hand: malformed JSON, or well formed and something else than was called for. */
static bool unexpected(parser *p, const char *wanted) {
  long long at = (long long)(p->json.token - p->json.begin) + 8;
  if (p->json.error) return refuse(p, "byte %lld of the header: %s", at, p->json.error);
  return refuse(p, "byte %lld of the header: not %s", at, wanted);
}

/* Does the last string or key spell a NUL, which a string of C could not hold? */
static bool spells_nul(const json *j) {
  const char *at = j->token, *end = at + j->size;
  while ((at = memchr(at, '\\', (size_t)(end - at)))) {
    if (end - at >= 6 && !memcmp(at, "\\u0000", 6)) return true;
    at += 2;
  }
  return false;
}

/* The last string or key as a string of C; NULL the first time. */
static bool take_string(parser *p, const char **out) {
  *out = p->strings;
  if (!p->index) return !spells_nul(&p->json) || refuse(p, "a NUL in a string of the header");
  p->strings += json_unescape(&p->json, p->strings);
  *p->strings++ = 0;
  return true;
}

static bool parse_size(parser *p, json_token token, int64_t *out) {
  if (token != JSON_INTEGER || p->json.integer < 0) return unexpected(p, "a size");
  *out = p->json.integer;
  return true;
}

static bool parse_dtype(parser *p, st_entry *e) {
  if (json_next(&p->json) != JSON_STRING) return unexpected(p, "a dtype");
  for (int d = 0; d < ST_DTYPES; d++) {
    if (!json_equals(&p->json, dtypes[d].name)) continue;
    e->dtype = (st_dtype)d;
    return true;
  }
  return unexpected(p, "a dtype of the format");
}

/* `elements`: the product of all sizes but 0, which must fit although a 0 makes it none: strides are
 * computed from it, and the reference too refuses [2^62, 4, 0]. */
static bool parse_shape(parser *p, st_entry *e, int64_t *elements, bool *empty) {
  *elements = 1, *empty = false;
  if (json_next(&p->json) != JSON_ARRAY) return unexpected(p, "a shape");
  json_token token;
  for (e->ndim = 0; (token = json_next(&p->json)) != JSON_ARRAY_END; e->ndim++) {
    int64_t size = 0;
    if (!parse_size(p, token, &size)) return false;
    if (e->ndim < RILL_MAX_DIMS) e->shape[e->ndim] = size;
    if (size == 0) *empty = true;
    if (size && !checked_mul(*elements, size, elements)) return unexpected(p, "a size that fits");
  }
  return true;
}

static bool parse_offsets(parser *p, st_entry *e) {
  if (json_next(&p->json) != JSON_ARRAY) return unexpected(p, "data offsets");
  return parse_size(p, json_next(&p->json), &e->begin) &&
         parse_size(p, json_next(&p->json), &e->end) &&
         (json_next(&p->json) == JSON_ARRAY_END || unexpected(p, "the end of two data offsets"));
}

/* The name is the last key read. Unknown fields are passed over, as the reference does. */
static bool parse_entry(parser *p, st_entry *e) {
  static const char *const fields[] = {"dtype", "shape", "data_offsets"};
  bool seen[3] = {false}, empty = false;
  int64_t elements = 0, bits;
  char name[NAME_SHOWN];
  shown_bytes(p->json.token, p->json.size, name);
  if (!take_string(p, &e->name)) return false;
  if (json_next(&p->json) != JSON_OBJECT) return unexpected(p, "a tensor's description");
  json_token token;
  while ((token = json_next(&p->json)) == JSON_KEY) {
    int field = 0;
    while (field < 3 && !json_equals(&p->json, fields[field])) field++;
    if (field < 3 && seen[field])
      return refuse(p, "tensor \"%s\" has two fields \"%s\"", name, fields[field]);
    bool ok = field == 0   ? parse_dtype(p, e)
              : field == 1 ? parse_shape(p, e, &elements, &empty)
              : field == 2 ? parse_offsets(p, e)
                           : json_skip(&p->json) || unexpected(p, "a value");
    if (!ok) return false;
    if (field < 3) seen[field] = true;
  }
  if (token != JSON_OBJECT_END) return unexpected(p, "a field");
  for (int f = 0; f < 3; f++)
    if (!seen[f]) return refuse(p, "tensor \"%s\" has no field \"%s\"", name, fields[f]);
  if (!checked_mul(elements, dtypes[e->dtype].bits, &bits) || (!empty && bits % 8))
    return refuse(p, "tensor \"%s\": its size in bytes overflows or is no whole number", name);
  int64_t bytes = empty ? 0 : bits / 8;
  if (e->end < e->begin || e->end - e->begin != bytes)
    return refuse(p,
                  "tensor \"%s\": shape and dtype take %lld bytes, data_offsets are [%lld, %lld]",
                  name, (long long)bytes, (long long)e->begin, (long long)e->end);
  return true;
}

static bool parse_metadata(parser *p) {
  if (p->metadata_seen) return refuse(p, "two fields \"__metadata__\"");
  p->metadata_seen = true;
  json_token token = json_next(&p->json);
  if (token == JSON_NULL) return true;
  if (token != JSON_OBJECT) return unexpected(p, "an object");
  while ((token = json_next(&p->json)) == JSON_KEY) {
    st_pair pair;
    if (!take_string(p, &pair.key)) return false;
    if (json_next(&p->json) != JSON_STRING) return unexpected(p, "a string");
    if (!take_string(p, &pair.value)) return false;
    if (p->index) p->index->metadata[p->metadata_count] = pair;
    p->metadata_count++;
  }
  return token == JSON_OBJECT_END || unexpected(p, "a key");
}

static bool parse_header(parser *p, const char *header, size_t size) {
  json_open(&p->json, header, size);
  p->count = p->metadata_count = 0;
  p->metadata_seen = false;
  if (json_next(&p->json) != JSON_OBJECT) return unexpected(p, "an object");
  json_token token;
  while ((token = json_next(&p->json)) == JSON_KEY) {
    if (json_equals(&p->json, "__metadata__")) {
      if (!parse_metadata(p)) return false;
      continue;
    }
    st_entry e = {0};
    if (!parse_entry(p, &e)) return false;
    if (p->index) p->index->entries[p->count] = e;
    p->count++;
  }
  if (token != JSON_OBJECT_END) return unexpected(p, "a name");
  return json_next(&p->json) == JSON_END || unexpected(p, "the end");
}

static int by_place(const void *a, const void *b) {
  const st_entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const st_entry *const *)a)->name, (*(const st_entry *const *)b)->name);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const st_pair *)a)->key, ((const st_pair *)b)->key);
}

/* Sorts the index; no name twice, no byte of the data in two tensors or in none. */
static bool check_index(parser *p, int64_t data_size) {
  st_index *x = p->index;
  char name[NAME_SHOWN];
  qsort(x->metadata, (size_t)x->metadata_count, sizeof *x->metadata, by_key);
  for (int64_t i = 1; i < x->metadata_count; i++)
    if (!strcmp(x->metadata[i - 1].key, x->metadata[i].key))
      return refuse(p, "two metadata of the key \"%s\"", shown(x->metadata[i].key, name));
  qsort(x->entries, (size_t)x->count, sizeof *x->entries, by_place);
  int64_t end = 0;
  for (int64_t i = 0; i < x->count; i++) {
    const st_entry *e = &x->entries[i];
    if (e->begin != end)
      return refuse(p, "tensor \"%s\" begins at %lld, the data before it end at %lld",
                    shown(e->name, name), (long long)e->begin, (long long)end);
    end = e->end;
    x->by_name[i] = e;
  }
  if (end != data_size)
    return refuse(p, "the tensors take %lld bytes, the file has %lld", (long long)end,
                  (long long)data_size);
  qsort(x->by_name, (size_t)x->count, sizeof *x->by_name, by_name);
  for (int64_t i = 1; i < x->count; i++)
    if (!strcmp(x->by_name[i - 1]->name, x->by_name[i]->name))
      return refuse(p, "two tensors of the name \"%s\"", shown(x->by_name[i]->name, name));
  return true;
}

/* Index, entries, order, pairs and strings in one block. The strings, unescaped and with a NUL each,
 * take less than the header, where each has two quotes. */
static st_index *index_create(parser *p, size_t header_size) {
  size_t size = sizeof(st_index) + header_size +
                (size_t)p->count * (sizeof(st_entry) + sizeof(st_entry *)) +
                (size_t)p->metadata_count * sizeof(st_pair);
  st_index *x = context_alloc(p->ctx, p->op, size);
  if (!x) return NULL;
  x->count = p->count;
  x->metadata_count = p->metadata_count;
  x->entries = (st_entry *)(x + 1);
  x->by_name = (const st_entry **)(x->entries + x->count);
  x->metadata = (st_pair *)(x->by_name + x->count);
  p->strings = (char *)(x->metadata + x->metadata_count);
  return x;
}

rill_status st_parse(rill_context *ctx, const char *op, const char *path, const void *bytes,
                     size_t size, st_index **index) {
  parser p = {.ctx = ctx, .op = op, .path = path};
  const unsigned char *file = bytes;
  *index = NULL;
  uint64_t header_size = 0;
  if (size < 8) {
    refuse(&p, "the file has %zu bytes, the size of the header alone takes 8", size);
    return RILL_ERROR_FORMAT;
  }
  for (int i = 7; i >= 0; i--) header_size = header_size << 8 | file[i];
  if (header_size > ST_MAX_HEADER || header_size > size - 8) {
    refuse(&p, "a header of %llu bytes; at most %d, and the file has %zu",
           (unsigned long long)header_size, ST_MAX_HEADER, size);
    return RILL_ERROR_FORMAT;
  }
  const char *header = (const char *)file + 8;
  if (header_size == 0 || *header != '{') {
    refuse(&p, "the header does not begin with '{'");
    return RILL_ERROR_FORMAT;
  }
  if (!parse_header(&p, header, (size_t)header_size)) return RILL_ERROR_FORMAT;
  p.index = index_create(&p, (size_t)header_size);
  if (!p.index) return RILL_ERROR_MEMORY;
  p.index->data = file + 8 + header_size;
  if (!parse_header(&p, header, (size_t)header_size) ||
      !check_index(&p, (int64_t)(size - 8 - header_size))) {
    heap_free(p.index);
    return RILL_ERROR_FORMAT;
  }
  *index = p.index;
  return RILL_OK;
}

const st_entry *st_find(const st_index *index, const char *name) {
  int64_t low = 0, high = index->count;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    int order = strcmp(name, index->by_name[middle]->name);
    if (order == 0) return index->by_name[middle];
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

const char *st_find_metadata(const st_index *index, const char *key) {
  st_pair wanted = {key, NULL};
  const st_pair *found =
      bsearch(&wanted, index->metadata, (size_t)index->metadata_count, sizeof wanted, by_key);
  return found ? found->value : NULL;
}

/* ---- writing ---- */

static int item_by_name(const void *a, const void *b) {
  return strcmp(((const st_item *)a)->name, ((const st_item *)b)->name);
}

static int item_by_dtype(const void *a, const void *b) {
  const st_item *x = a, *y = b;
  if (x->dtype != y->dtype) return x->dtype > y->dtype ? -1 : 1;
  return strcmp(x->name, y->name);
}

static rill_status check_string(rill_context *ctx, const char *op, const char *s,
                                const char *what) {
  char name[NAME_SHOWN];
  if (!s) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "a %s is NULL", what);
  if (utf8_valid(s, strlen(s))) return RILL_OK;
  return error_set(ctx, RILL_ERROR_ARGUMENT, op, "%s \"%s\" is not UTF-8", what, shown(s, name));
}

static rill_status item_bytes(rill_context *ctx, const char *op, st_item *item) {
  char name[NAME_SHOWN];
  int64_t bits = dtypes[item->dtype].bits;
  for (int d = 0; d < item->ndim; d++) {
    if (item->shape[d] < 0)
      return error_set(ctx, RILL_ERROR_ARGUMENT, op, "tensor \"%s\" has a size of %lld",
                       shown(item->name, name), (long long)item->shape[d]);
    if (!checked_mul(bits, item->shape[d], &bits))
      return error_set(ctx, RILL_ERROR_OVERFLOW, op, "tensor \"%s\": its size in bytes overflows",
                       shown(item->name, name));
  }
  if (bits % 8)
    return error_set(ctx, RILL_ERROR_ARGUMENT, op, "tensor \"%s\" ends within a byte",
                     shown(item->name, name));
  item->bytes = (size_t)(bits / 8);
  return RILL_OK;
}

static rill_status check_items(rill_context *ctx, const char *op, st_item *items, int64_t count) {
  char name[NAME_SHOWN];
  rill_status status;
  for (int64_t i = 0; i < count; i++) {
    if ((status = check_string(ctx, op, items[i].name, "name"))) return status;
    if (!strcmp(items[i].name, "__metadata__"))
      return error_set(ctx, RILL_ERROR_ARGUMENT, op, "no tensor may be named \"__metadata__\"");
    if ((status = item_bytes(ctx, op, &items[i]))) return status;
  }
  if (count) qsort(items, (size_t)count, sizeof *items, item_by_name);
  for (int64_t i = 1; i < count; i++)
    if (!strcmp(items[i - 1].name, items[i].name))
      return error_set(ctx, RILL_ERROR_ARGUMENT, op, "two tensors of the name \"%s\"",
                       shown(items[i].name, name));
  return RILL_OK;
}

static rill_status check_metadata(rill_context *ctx, const char *op, st_pair *metadata,
                                  int64_t count) {
  char name[NAME_SHOWN];
  rill_status status;
  for (int64_t i = 0; i < count; i++) {
    if ((status = check_string(ctx, op, metadata[i].key, "metadata key"))) return status;
    if ((status = check_string(ctx, op, metadata[i].value, "metadata value"))) return status;
  }
  if (count) qsort(metadata, (size_t)count, sizeof *metadata, by_key);
  for (int64_t i = 1; i < count; i++)
    if (!strcmp(metadata[i - 1].key, metadata[i].key))
      return error_set(ctx, RILL_ERROR_ARGUMENT, op, "two metadata of the key \"%s\"",
                       shown(metadata[i].key, name));
  return RILL_OK;
}

static void put_metadata(text_buffer *t, const st_pair *metadata, int64_t count) {
  text_string(t, "\"__metadata__\":");
  for (int64_t i = 0; i < count; i++) {
    text_string(t, i ? "," : "{");
    text_json_string(t, metadata[i].key, strlen(metadata[i].key));
    text_string(t, ":");
    text_json_string(t, metadata[i].value, strlen(metadata[i].value));
  }
  text_string(t, "}");
}

static void put_item(text_buffer *t, const st_item *item, int64_t begin, int64_t end) {
  text_json_string(t, item->name, strlen(item->name));
  text_printf(t, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name(item->dtype));
  for (int d = 0; d < item->ndim; d++) {
    if (d) text_string(t, ",");
    text_integer(t, item->shape[d]);
  }
  text_printf(t, "],\"data_offsets\":[%lld,%lld]}", (long long)begin, (long long)end);
}

rill_status st_layout(rill_context *ctx, const char *op, st_item *items, int64_t count,
                      st_pair *metadata, int64_t metadata_count, text_buffer *header) {
  rill_status status = check_items(ctx, op, items, count);
  if (status == RILL_OK) status = check_metadata(ctx, op, metadata, metadata_count);
  if (status != RILL_OK) return status;
  if (count) qsort(items, (size_t)count, sizeof *items, item_by_dtype);
  size_t first = header->size;
  text_append(header, (const char[8]){0}, 8);
  text_string(header, "{");
  if (metadata_count) put_metadata(header, metadata, metadata_count);
  int64_t begin = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t end;
    if (!checked_add(begin, (int64_t)items[i].bytes, &end))
      return error_set(ctx, RILL_ERROR_OVERFLOW, op, "the tensors' size in bytes overflows");
    if (i || metadata_count) text_string(header, ",");
    put_item(header, &items[i], begin, end);
    begin = end;
  }
  text_string(header, "}");
  while (!header->failed && (header->size - first) % 8) text_string(header, " ");
  if (header->failed) return error_memory(ctx, op, header->size);
  uint64_t size = header->size - first - 8;
  if (size > ST_MAX_HEADER)
    return error_set(ctx, RILL_ERROR_OVERFLOW, op, "a header of %llu bytes, the format allows %d",
                     (unsigned long long)size, ST_MAX_HEADER);
  for (int i = 0; i < 8; i++) header->data[first + (size_t)i] = (char)(size >> 8 * i);
  return RILL_OK;
}
