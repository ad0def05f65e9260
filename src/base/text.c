/* A string that grows on a context's heap. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(text_buffer *t, heap *h) { *t = (text_buffer){.heap = h}; }

void text_free(text_buffer *t) {
  heap_free(t->data);
  text_init(t, t->heap);
}

/* Room for `size` more bytes and the NUL. */
static bool text_reserve(text_buffer *t, size_t size) {
  if (t->failed) return false;
  if (t->capacity - t->size > size) return true;
  size_t wanted;
  if (size > PTRDIFF_MAX / 4 || __builtin_add_overflow(t->size, size + 1, &wanted) ||
      wanted > PTRDIFF_MAX / 2) {
    t->failed = true;
    return false;
  }
  size_t capacity = t->capacity ? t->capacity * 2 : 128;
  if (capacity < wanted) capacity = wanted;
  char *data = heap_alloc(t->heap, capacity);
  if (!data) {
    t->failed = true;
    return false;
  }
  if (t->size) memcpy(data, t->data, t->size);
  heap_free(t->data);
  t->data = data;
  t->capacity = capacity;
  return true;
}

void text_append(text_buffer *t, const char *bytes, size_t size) {
  if (!text_reserve(t, size)) return;
  if (size) memcpy(t->data + t->size, bytes, size);
  t->size += size;
  t->data[t->size] = 0;
}

void text_string(text_buffer *t, const char *s) { text_append(t, s, strlen(s)); }

void text_integer(text_buffer *t, int64_t value) { text_printf(t, "%lld", (long long)value); }

void text_number(text_buffer *t, double value) {
  text_string(t, number_print((char[NUMBER_SIZE]){0}, value));
}

void text_number_f32(text_buffer *t, float value) {
  text_string(t, number_print_f32((char[NUMBER_SIZE]){0}, value));
}

void text_printf(text_buffer *t, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size < 0)
    t->failed = true;
  else
    text_append(t, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

void text_json_string(text_buffer *t, const char *bytes, size_t size) {
  static const char letters[] = "btn.fr"; /* of the codes 8 to 13; 11 has none */
  text_append(t, "\"", 1);
  size_t done = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    text_append(t, bytes + done, i - done);
    done = i + 1;
    if (c >= 0x20)
      text_append(t, (char[]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && c != 11)
      text_append(t, (char[]){'\\', letters[c - 8]}, 2);
    else
      text_printf(t, "\\u%04x", c);
  }
  text_append(t, bytes + done, size - done);
  text_append(t, "\"", 1);
}
