/* A strict JSON reader over bytes in memory: a state machine with a bit per open container. */
#include "base/json.h"

#include "base/number.h"

#include <string.h>

/* What may come next. */
enum {
  EXPECT_VALUE,
  EXPECT_VALUE_OR_END, /* after [ */
  EXPECT_KEY,          /* after , in an object */
  EXPECT_KEY_OR_END,   /* after { */
  EXPECT_COMMA_OR_END, /* after a value in a container */
  EXPECT_NOTHING       /* after the outermost value */
};

void json_open(json *j, const void *bytes, size_t size) {
  *j = (json){.expect = EXPECT_VALUE};
  j->begin = j->at = j->token = bytes ? bytes : "";
  j->end = j->begin + size;
}

static json_token fail(json *j, const char *error) {
  if (!j->error) j->error = error;
  return JSON_ERROR;
}

static json_token fail_at(json *j, const char *at, const char *error) {
  j->token = at;
  return fail(j, error);
}

static void skip_space(json *j) {
  while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
    j->at++;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four digits of \uXXXX; -1 where there are not four. */
static int hex4(const char *at, const char *end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The length of the escape at `at`, which is a backslash, and its code point; 0 where it is none. */
static size_t escape(const char *at, const char *end, uint32_t *code) {
  static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
  if (end - at < 2) return 0;
  if (at[1] != 'u') {
    const char *letter = memchr(letters, at[1], sizeof letters - 1);
    if (!letter) return 0;
    *code = (unsigned char)codes[letter - letters];
    return 2;
  }
  int high = hex4(at + 2, end);
  if (high < 0) return 0;
  *code = (uint32_t)high;
  if (high < 0xd800 || high > 0xdfff) return 6;
  /* A surrogate means something only as the first of two. */
  if (high > 0xdbff || end - at < 12 || at[6] != '\\' || at[7] != 'u') return 0;
  int low = hex4(at + 8, end);
  if (low < 0xdc00 || low > 0xdfff) return 0;
  *code = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
  return 12;
}

/* The length of the UTF-8 sequence at `at` (Unicode 15, table 3-7); 0 where it is malformed. */
static size_t utf8_sequence(const char *at, const char *end) {
  const unsigned char *s = (const unsigned char *)at;
  size_t left = (size_t)(end - at);
  if (s[0] < 0x80) return 1;
  size_t size = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
  if (!size || size > left) return 0;
  unsigned char low = 0x80, high = 0xbf; /* of the second byte: no overlong forms, no surrogates */
  if (s[0] == 0xe0) low = 0xa0;
  if (s[0] == 0xed) high = 0x9f;
  if (s[0] == 0xf0) low = 0x90;
  if (s[0] == 0xf4) high = 0x8f;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < size; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  return size;
}

bool utf8_valid(const char *bytes, size_t size) {
  const char *end = bytes + size;
  for (size_t n; bytes < end; bytes += n)
    if (!(n = utf8_sequence(bytes, end))) return false;
  return true;
}

/* From after the opening quote to after the closing one. */
static bool read_string(json *j) {
  j->token = j->at;
  while (j->at < j->end) {
    unsigned char c = (unsigned char)*j->at;
    size_t size;
    uint32_t code;
    if (c == '"') {
      j->size = (size_t)(j->at++ - j->token);
      return true;
    }
    if (c < 0x20) return fail_at(j, j->at, "control character in a string"), false;
    size = c == '\\' ? escape(j->at, j->end, &code) : utf8_sequence(j->at, j->end);
    if (!size) return fail_at(j, j->at, c == '\\' ? "bad escape" : "malformed UTF-8"), false;
    j->at += size;
  }
  return fail_at(j, j->at, "string without an end"), false;
}

static bool read_integer(const char *at, const char *end, int64_t *out) {
  bool negative = *at == '-';
  int64_t value = 0;
  if (negative && at[1] == '0') return false; /* -0 is no integer's value */
  for (at += negative; at < end; at++) {
    if (*at < '0' || *at > '9') return false;
    int digit = negative ? -(*at - '0') : *at - '0';
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
      return false;
  }
  *out = value;
  return true;
}

static json_token read_number(json *j) {
  const char *begin = j->at;
  while (j->at < j->end && *j->at && strchr("+-.0123456789eE", *j->at)) j->at++;
  j->size = (size_t)(j->at - begin);
  if (!number_read(begin, j->size, &j->number)) return fail(j, "malformed number");
  return read_integer(begin, j->at, &j->integer) ? JSON_INTEGER : JSON_NUMBER;
}

static json_token read_word(json *j, const char *word, json_token token) {
  size_t size = strlen(word);
  if ((size_t)(j->end - j->at) < size || memcmp(j->at, word, size)) return fail(j, "unknown word");
  j->at += size;
  j->size = size;
  return token;
}

static bool inside_object(const json *j) { return j->depth && (j->objects & 1); }

static void after_value(json *j) { j->expect = j->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING; }

static json_token open_container(json *j, bool object) {
  if (j->depth == JSON_DEPTH) return fail(j, "nested too deep");
  j->depth++;
  j->objects = j->objects << 1 | object;
  j->at++;
  j->size = 1;
  j->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
  return object ? JSON_OBJECT : JSON_ARRAY;
}

static json_token close_container(json *j) {
  json_token token = inside_object(j) ? JSON_OBJECT_END : JSON_ARRAY_END;
  j->depth--;
  j->objects >>= 1;
  j->at++;
  j->size = 1;
  after_value(j);
  return token;
}

static json_token read_key(json *j) {
  if (*j->at != '"') return fail(j, "a key is missing");
  j->at++;
  if (!read_string(j)) return JSON_ERROR;
  skip_space(j);
  if (j->at == j->end || *j->at != ':') return fail_at(j, j->at, "':' is missing");
  j->at++;
  j->expect = EXPECT_VALUE;
  return JSON_KEY;
}

static json_token read_value(json *j) {
  json_token token;
  switch (*j->at) {
  case '{': return open_container(j, true);
  case '[': return open_container(j, false);
  case '"':
    j->at++;
    token = read_string(j) ? JSON_STRING : JSON_ERROR;
    break;
  case 'n': token = read_word(j, "null", JSON_NULL); break;
  case 't': token = read_word(j, "true", JSON_TRUE); break;
  case 'f': token = read_word(j, "false", JSON_FALSE); break;
  default: token = read_number(j);
  }
  after_value(j);
  return token;
}

json_token json_next(json *j) {
  if (j->error) return JSON_ERROR;
  skip_space(j);
  j->token = j->at;
  j->size = 0;
  if (j->at == j->end)
    return j->expect == EXPECT_NOTHING ? JSON_END : fail(j, "the text ends too early");
  if (j->expect == EXPECT_NOTHING) return fail(j, "more text after the value");
  bool end = *j->at == (inside_object(j) ? '}' : ']');
  if (end && (j->expect == EXPECT_COMMA_OR_END || j->expect == EXPECT_KEY_OR_END ||
              j->expect == EXPECT_VALUE_OR_END))
    return close_container(j);
  if (j->expect == EXPECT_COMMA_OR_END) {
    if (*j->at != ',') return fail(j, "',' is missing");
    j->at++;
    skip_space(j);
    j->token = j->at;
    if (j->at == j->end) return fail(j, "the text ends too early");
    j->expect = inside_object(j) ? EXPECT_KEY : EXPECT_VALUE;
  }
  bool key = j->expect == EXPECT_KEY || j->expect == EXPECT_KEY_OR_END;
  return key ? read_key(j) : read_value(j);
}

bool json_skip(json *j) {
  int depth = j->depth;
  do
    if (json_next(j) == JSON_ERROR) return false;
  while (j->depth > depth);
  return true;
}

static size_t put_utf8(char *out, uint32_t code) {
  if (code < 0x80) return out[0] = (char)code, 1;
  size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)((0xf00 >> size) | code);
  return size;
}

size_t json_unescape(const json *j, char *out) {
  const char *at = j->token, *end = at + j->size;
  char *to = out;
  while (at < end) {
    uint32_t code;
    size_t size = *at == '\\' ? escape(at, end, &code) : 0;
    if (size)
      to += put_utf8(to, code), at += size;
    else
      *to++ = *at++;
  }
  return (size_t)(to - out);
}

bool json_equals(const json *j, const char *text) {
  const char *at = j->token, *end = at + j->size;
  for (; at < end; text++) {
    uint32_t code = (unsigned char)*at;
    size_t size = *at == '\\' ? escape(at, end, &code) : 1;
    if (!*text || code != (unsigned char)*text) return false;
    at += size;
  }
  return !*text;
}
