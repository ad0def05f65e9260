/* Tensors as text, as NumPy 2.4 prints arrays with precision=4: as many digits as tell the value
 * from its neighbours but at most four after the point, columns aligned, an exponent where the values
 * demand one, three items at each edge of what has more than 1000 elements, lines of 75. */
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { PRECISION = 4, EDGE = 3, SUMMARISE = 1000, LINE = 75, WORD = 64 };

typedef union value {
  double real;
  int64_t whole;
} value;

typedef struct printer {
  const rill_tensor *t;
  rill_dtype dtype;
  bool real, summary;
  text_buffer out;
  /* of the values shown: */
  double smallest, largest; /* magnitudes of reals that are finite and not zero */
  bool finite, not_finite, minus_infinity;
  bool scientific;
  int left, right, exponent; /* widest integer part, fraction, exponent */
} printer;

typedef void (*visitor)(printer *p, value v);

static value load(const printer *p, const char *data) {
  value v;
  convert(p->dtype, data, p->real ? RILL_F64 : RILL_I64, &v, 1);
  return v;
}

/* The item after item i of a dim of n; skips the middle where there is one too many. */
static int64_t next_item(const printer *p, int64_t i, int64_t n) {
  return p->summary && n > 2 * EDGE && i == EDGE - 1 ? n - EDGE : i + 1;
}

static const char *item(const printer *p, const char *data, int dim, int64_t i) {
  return data + i * p->t->strides[dim] * (int64_t)rill_dtype_size(p->dtype);
}

static void visit(printer *p, visitor f, int dim, const char *data) {
  if (dim == p->t->ndim) {
    f(p, load(p, data));
    return;
  }
  for (int64_t i = 0, n = p->t->shape[dim]; i < n; i = next_item(p, i, n))
    visit(p, f, dim + 1, item(p, data, dim, i));
}

/* ---- one real ---- */

/* A real's digits: "-12", "345", "-07" of -12.345e-07. */
typedef struct parts {
  char whole[WORD], fraction[WORD], exponent[WORD];
} parts;

/* As snprintf has it, with a point whatever the locale's is. */
static void print_real(char out[WORD], bool scientific, int digits, double x) {
  char raw[WORD];
  int n = snprintf(raw, sizeof raw, scientific ? "%.*e" : "%.*f", digits, x);
  char *to = out;
  for (int i = 0; i < n && i < WORD - 1; i++) {
    if ((raw[i] >= '0' && raw[i] <= '9') || raw[i] == '-' || raw[i] == '+' || raw[i] == 'e')
      *to++ = raw[i];
    else if (to[-1] != '.')
      *to++ = '.';
  }
  *to = 0;
}

/* Does the text read back as x, in the tensor's dtype? */
static bool reads_back(const printer *p, const char *s, double x) {
  double y;
  char narrow[8];
  if (!number_read(s, strlen(s), &y)) return false;
  convert(RILL_F64, &y, p->dtype, narrow, 1);
  convert(p->dtype, narrow, RILL_F64, &y, 1);
  return x == y;
}

static parts split(const char *s) {
  parts r = {"", "", ""};
  size_t mantissa = strcspn(s, "e"), whole = strcspn(s, ".e");
  memcpy(r.whole, s, whole);
  if (s[whole] == '.') memcpy(r.fraction, s + whole + 1, mantissa - whole - 1);
  if (s[mantissa]) strcpy(r.exponent, s + mantissa + 1);
  return r;
}

/* With as few digits as read back, and without zeros at the fraction's end. */
static parts shortest(const printer *p, double x) {
  char s[WORD];
  for (int digits = 0; digits <= PRECISION; digits++) {
    print_real(s, p->scientific, digits, x);
    if (reads_back(p, s, x)) break;
  }
  parts r = split(s);
  for (size_t n = strlen(r.fraction); n && r.fraction[n - 1] == '0'; n--) r.fraction[n - 1] = 0;
  return r;
}

/* ---- measuring ---- */

static void see_range(printer *p, value v) {
  double x = fabs(v.real);
  if (!isfinite(x)) {
    p->not_finite = true;
    if (v.real < 0) p->minus_infinity = true;
    return;
  }
  p->finite = true;
  if (x == 0) return;
  if (x < p->smallest) p->smallest = x;
  if (x > p->largest) p->largest = x;
}

static void widen(int *width, size_t length) {
  if ((int)length > *width) *width = (int)length;
}

static void see_real(printer *p, value v) {
  if (!isfinite(v.real)) return;
  parts r = shortest(p, v.real);
  widen(&p->left, strlen(r.whole));
  widen(&p->right, strlen(r.fraction));
  if (p->scientific) widen(&p->exponent, strlen(r.exponent) - 1);
}

static void see_whole(printer *p, value v) {
  char s[WORD];
  if (p->dtype == RILL_BOOL)
    widen(&p->left, p->t->ndim || !v.whole ? 5 : 4);
  else
    widen(&p->left, (size_t)snprintf(s, sizeof s, "%lld", (long long)v.whole));
}

/* Columns behind the integer part. */
static int behind(const printer *p) {
  return p->real ? 1 + p->right + (p->scientific ? 2 + p->exponent : 0) : 0;
}

static void measure(printer *p) {
  if (!p->real) {
    visit(p, see_whole, 0, p->t->data);
    return;
  }
  static const double too_large[] = {
      [RILL_F32] = 1e6, [RILL_F64] = 1e8, [RILL_F16] = 1e3, [RILL_BF16] = 1e2};
  p->smallest = INFINITY;
  visit(p, see_range, 0, p->t->data);
  p->scientific = p->largest > 0 && (p->largest >= too_large[p->dtype] || p->smallest < 0.0001 ||
                                     p->largest / p->smallest > 1000);
  visit(p, see_real, 0, p->t->data);
  int special = p->minus_infinity ? 4 : 3;
  if (p->not_finite && p->left + behind(p) < special) p->left = special - behind(p);
}

/* ---- writing ---- */

static void pad(text_buffer *out, int n) {
  while (n-- > 0) text_append(out, " ", 1);
}

static void put_padded(printer *p, const char *s) {
  pad(&p->out, p->left + behind(p) - (int)strlen(s));
  text_string(&p->out, s);
}

static void put_real(printer *p, double x) {
  if (isnan(x) || isinf(x)) {
    put_padded(p, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    return;
  }
  /* Mantissas all have the digits that the longest needs, plain fractions only their own. */
  char s[WORD];
  print_real(s, true, p->right, x);
  parts r = p->scientific ? split(s) : shortest(p, x);
  pad(&p->out, p->left - (int)strlen(r.whole));
  text_string(&p->out, r.whole);
  text_string(&p->out, ".");
  text_string(&p->out, r.fraction);
  pad(&p->out, p->right - (int)strlen(r.fraction));
  if (!p->scientific) return;
  text_string(&p->out, "e");
  text_append(&p->out, r.exponent, 1);
  for (int i = (int)strlen(r.exponent) - 1; i < p->exponent; i++) text_string(&p->out, "0");
  text_string(&p->out, r.exponent + 1);
}

static void put(printer *p, value v) {
  char s[WORD];
  if (p->real) {
    put_real(p, v.real);
    return;
  }
  if (p->dtype == RILL_BOOL)
    strcpy(s, v.whole ? "True" : "False");
  else
    snprintf(s, sizeof s, "%lld", (long long)v.whole);
  put_padded(p, s);
}

static void new_line(printer *p, int lines, int indent) {
  while (p->out.size && p->out.data[p->out.size - 1] == ' ') p->out.size--;
  while (lines--) text_append(&p->out, "\n", 1);
  pad(&p->out, indent);
}

/* Puts a space and moves to a new line where an item of `width` does not fit any more. */
static void separate(printer *p, int indent, int *column, int width) {
  text_append(&p->out, " ", 1);
  *column += 1;
  if (*column + width <= LINE - indent) return;
  if (*column == indent) return;
  new_line(p, 1, indent);
  *column = indent;
}

static void put_row(printer *p, int dim, const char *data) {
  int indent = dim + 1, column = indent, width = p->left + behind(p);
  for (int64_t i = 0, n = p->t->shape[dim], last = -1; i < n; last = i, i = next_item(p, i, n)) {
    if (i > last + 1) {
      separate(p, indent, &column, 3);
      text_string(&p->out, "...");
      column += 3;
    }
    if (i) separate(p, indent, &column, width);
    put(p, load(p, item(p, data, dim, i)));
    column += width;
  }
}

static void put_dim(printer *p, int dim, const char *data) {
  if (dim == p->t->ndim) {
    put(p, load(p, data));
    return;
  }
  text_append(&p->out, "[", 1);
  int below = p->t->ndim - dim - 1;
  if (!below) put_row(p, dim, data);
  for (int64_t i = 0, n = p->t->shape[dim], last = -1; below && i < n;
       last = i, i = next_item(p, i, n)) {
    if (i > last + 1) {
      new_line(p, below, dim + 1);
      text_string(&p->out, "...");
    }
    if (i) new_line(p, below, dim + 1);
    put_dim(p, dim + 1, item(p, data, dim, i));
  }
  text_append(&p->out, "]", 1);
}

int64_t rill_tensor_print(rill_context *ctx, const rill_tensor *tensor, char *out, size_t size) {
  if (!context_ready(ctx)) return -1;
  if (!tensor || (!out && size)) {
    error_set(ctx, RILL_ERROR_ARGUMENT, "tensor_print", "%s is NULL", tensor ? "out" : "tensor");
    return -1;
  }
  printer p = {
      .t = tensor, .dtype = (rill_dtype)tensor->dtype, .summary = tensor->numel > SUMMARISE};
  p.real = dtype_is_float(p.dtype);
  text_init(&p.out, ctx->heap);
  if (tensor->numel) {
    measure(&p);
    put_dim(&p, 0, tensor->data);
  } else {
    text_string(&p.out, "[]");
  }
  int64_t length = (int64_t)p.out.size;
  if (p.out.failed) {
    error_memory(ctx, "tensor_print", p.out.size);
    length = -1;
  } else if (size) {
    size_t n = p.out.size < size ? p.out.size : size - 1;
    memcpy(out, p.out.data, n);
    out[n] = 0;
  }
  text_free(&p.out);
  return length;
}
