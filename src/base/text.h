/* A string that grows on a context's heap. A failed allocation sets `failed` and makes all further
 * calls do nothing, so a text is built without checks and looked at once, at its end. */
#ifndef RILL_SRC_TEXT_H
#define RILL_SRC_TEXT_H

#include "base/base.h"
#include "base/number.h"

typedef struct text_buffer {
  heap *heap;
  char *data; /* ends in a NUL that size does not count; NULL while nothing was appended */
  size_t size, capacity;
  bool failed;
} text_buffer;

void text_init(text_buffer *t, heap *h);
void text_free(text_buffer *t); /* leaves it empty and fit for use */

void text_append(text_buffer *t, const char *bytes, size_t size);
void text_string(text_buffer *t, const char *s);
void text_integer(text_buffer *t, int64_t value);
void text_number(text_buffer *t,
                 double value); /* number_print's; JSON has no word for nan and inf */
void text_number_f32(text_buffer *t, float value); /* number_print_f32's */

/* For the formats error_set knows; at most 1023 bytes a call, the rest is cut off. */
void text_printf(text_buffer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* In quotes, with JSON's escapes for quotes, backslashes and control characters; all else as it is. */
void text_json_string(text_buffer *t, const char *bytes, size_t size);

#endif
