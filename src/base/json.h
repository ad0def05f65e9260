/* A strict JSON reader over bytes in memory (RFC 8259). It hands out one token after the other,
 * checks the grammar, the nesting and UTF-8 as it goes, and allocates nothing. Keys that come twice
 * are the caller's to detect. */
#ifndef RILL_SRC_JSON_H
#define RILL_SRC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH = 64 }; /* arrays and objects inside each other, at most */

typedef enum json_token {
  JSON_ERROR, /* and from then on for ever; `error` says why, `token` points there */
  JSON_END,   /* after the one value the text holds */
  JSON_NULL,
  JSON_TRUE,
  JSON_FALSE,
  JSON_INTEGER, /* without point or exponent and in int64_t: `integer` and `number` */
  JSON_NUMBER,  /* any other: `number`, infinite where too large */
  JSON_STRING,  /* `token`, `size`: what stands between the quotes, escapes and all */
  JSON_KEY,     /* likewise; its value is the next token */
  JSON_ARRAY,
  JSON_ARRAY_END,
  JSON_OBJECT,
  JSON_OBJECT_END
} json_token;

typedef struct json {
  const char *token; /* where the last token begins (strings: after the quote) */
  size_t size;       /* and how long it is */
  int64_t integer;
  double number;
  const char *error; /* static; NULL while all is well */
  const char *begin, *at, *end;
  uint64_t objects; /* a bit per open container, innermost lowest: is it an object? */
  int depth;
  int expect;
} json;

void json_open(json *j, const void *bytes, size_t size);
json_token json_next(json *j);

/* Passes over the value that json_next would give: after a key, the key's. False on an error. */
bool json_skip(json *j);

/* Writes the last string or key with its escapes resolved, UTF-8, at most j->size bytes and no NUL
 * added. Returns the bytes written. */
size_t json_unescape(const json *j, char *out);

/* Is the last string or key this one? `text` is plain ASCII without quotes and backslashes; a string
 * that spells it with escapes is found too. */
bool json_equals(const json *j, const char *text);

bool utf8_valid(const char *bytes, size_t size);

#endif
