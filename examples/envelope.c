/* envelope: draws the peak envelope of a recording as SVG.
 *
 *   envelope [--window MILLISECONDS] [--out FILE.svg] [FILE.wav]
 *
 * The envelope is the sliding maximum of |x|, which costs the same for any window. Without a file it takes a
 * recording of Debian's pocketsphinx-testdata; without --out it writes to standard output. The program knows
 * rill's public header only. */
#include <rill.h>

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPOKEN                                                                                     \
  "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav"

enum { COLUMNS = 480, WIDTH = 960, HEIGHT = 260, MIDDLE = 128, REACH = 106 };

static void die(const char *what, const char *why) {
  fprintf(stderr, "envelope: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

/* ---- reading a WAV file: 16-bit PCM, of several channels the first -------------------------------- */

typedef struct recording {
  float *samples; /* from -1 to 1 */
  int64_t count;
  double rate; /* samples a second */
} recording;

static uint32_t number(const unsigned char *bytes, int size) {
  uint32_t n = 0;
  for (int i = size - 1; i >= 0; i--) n = n << 8 | bytes[i];
  return n;
}

/* The chunk after this one; *size becomes that of its contents. NULL at the end. */
static const unsigned char *next_chunk(const unsigned char *at, const unsigned char *end,
                                       uint32_t *size) {
  if (end - at < 8) return NULL;
  *size = number(at + 4, 4);
  if ((int64_t)*size > end - at - 8) *size = (uint32_t)(end - at - 8); /* of a stream cut short */
  return at;
}

static recording samples_of(const char *path, const unsigned char *file, size_t bytes) {
  recording r = {NULL, 0, 0};
  const unsigned char *end = file + bytes, *at, *data = NULL;
  uint32_t size, data_size = 0, channels = 0, kind = 0, bits = 0;
  if (bytes < 12 || memcmp(file, "RIFF", 4) || memcmp(file + 8, "WAVE", 4))
    die(path, "is no WAV file");
  for (at = file + 12; (at = next_chunk(at, end, &size)) && !data; at += 8 + size + size % 2) {
    if (!memcmp(at, "fmt ", 4) && size >= 16) {
      kind = number(at + 8, 2), channels = number(at + 10, 2), bits = number(at + 22, 2);
      r.rate = number(at + 12, 4);
    }
    if (!memcmp(at, "data", 4)) data = at + 8, data_size = size;
    if ((int64_t)size + size % 2 > end - at - 8) break;
  }
  if (!data || (kind != 1 && kind != 0xfffe) || bits != 16 || channels < 1 || r.rate < 1)
    die(path, "has no 16-bit PCM samples");
  r.count = data_size / (2 * channels);
  if (!(r.samples = malloc((size_t)(r.count + 1) * sizeof *r.samples))) die(path, "out of memory");
  for (int64_t i = 0; i < r.count; i++) {
    int32_t v = (int32_t)number(data + 2 * channels * (size_t)i, 2);
    r.samples[i] = (float)(v >= 32768 ? v - 65536 : v) / 32768;
  }
  return r;
}

static recording read_recording(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    if (!strcmp(path, SPOKEN))
      die(path, "not found. Please install pocketsphinx-testdata, or name a WAV file");
    die(path, strerror(errno));
  }
  size_t size = 0, room = 1 << 16;
  unsigned char *bytes = NULL;
  do {
    room *= 2;
    if (!(bytes = realloc(bytes, room))) die(path, "out of memory");
    size += fread(bytes + size, 1, room - size, f);
  } while (size == room);
  if (ferror(f)) die(path, strerror(errno));
  fclose(f);
  recording r = samples_of(path, bytes, size);
  free(bytes);
  return r;
}

/* ---- sliding windows ----------------------------------------------------------------------------- */

/* What is drawn: the lowest and highest sample of each column, and the envelope there. */
typedef struct drawing {
  int columns;
  double top; /* the largest |x|: fills the height */
  double low[COLUMNS], high[COLUMNS], peak[COLUMNS];
} drawing;

static void copy(rill_context *ctx, const rill_tensor *t, double *out, int n) {
  rill_tensor_copy_out(ctx, rill_narrow(ctx, t, 0, 0, n), RILL_F64, out, (size_t)n * sizeof *out);
}

static drawing measure(rill_context *ctx, recording r, double milliseconds) {
  drawing d = {0};
  rill_tensor *x = rill_from_buffer(ctx, RILL_F32, &r.count, 1, r.samples), *high = NULL;
  int64_t step = r.count / COLUMNS > 0 ? r.count / COLUMNS : 1; /* samples a column */
  int64_t window = (int64_t)(milliseconds / 1000 * r.rate + 0.5);
  d.columns = (int)(r.count / step < COLUMNS ? r.count / step : COLUMNS);

  /* The waveform: windows as wide as a column, one beside the other. */
  rill_window_options columns = RILL_WINDOW_OPTIONS_INIT;
  columns.stride = step;
  rill_tensor *low = rill_window_minmax(ctx, x, step, &columns, &high);
  copy(ctx, low, d.low, d.columns);
  copy(ctx, high, d.high, d.columns);

  /* The envelope: windows around each sample, of which the drawing takes one a column. */
  rill_window_options around = RILL_WINDOW_OPTIONS_INIT;
  around.mode = RILL_WINDOW_SAME;
  around.stride = step;
  copy(ctx, rill_window_max(ctx, rill_abs(ctx, x), window > 0 ? window : 1, &around), d.peak,
       d.columns);
  d.top = rill_tensor_item(ctx, rill_max(ctx, rill_abs(ctx, x), RILL_ALL_DIMS, false));
  if (rill_error(ctx) != RILL_OK) die("rill", rill_error_message(ctx));
  return d;
}

/* ---- drawing -------------------------------------------------------------------------------------- */

static double across(const drawing *d, int column) {
  return (double)WIDTH * column / (d->columns > 1 ? d->columns - 1 : 1);
}

/* The outline of all columns: there along `up`, and back along `down` times sign. */
static void outline(FILE *f, const char *class, const drawing *d, const double *up,
                    const double *down, double sign) {
  double scale = d->top > 0 ? REACH / d->top : 0;
  fprintf(f, "<path class=\"%s\" d=\"M", class);
  for (int i = 0; i < d->columns; i++)
    fprintf(f, "%.0f %.1f ", across(d, i), MIDDLE - scale * up[i]);
  for (int i = d->columns - 1; i >= 0; i--)
    fprintf(f, "%.0f %.1f ", across(d, i), MIDDLE - scale * sign * down[i]);
  fprintf(f, "Z\"/>\n");
}

/* A second is marked as often as leaves room for its number. */
static void time_axis(FILE *f, double seconds) {
  double each = pow(10, floor(log10(seconds)));
  while (seconds / each < 5) each /= 2;
  for (int i = 0; i * each <= seconds; i++)
    fprintf(f, "<path class=\"axis\" d=\"M%.1f 240v5\"/><text x=\"%.1f\" y=\"257\">%g s</text>\n",
            WIDTH * i * each / seconds, WIDTH * i * each / seconds, i * each);
}

static void draw(FILE *f, const drawing *d, double seconds, double milliseconds) {
  fprintf(
      f,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-24 0 %d %d\">\n"
      "<title>Peak envelope</title>\n"
      "<style>.wave{fill:#8aa3b8}.envelope{fill:none;stroke:#c8443c;stroke-width:1.5}"
      ".axis{stroke:#777;fill:none}text{font:12px sans-serif;fill:#555;text-anchor:middle}"
      "@media(prefers-color-scheme:dark){text{fill:#bbb}.wave{fill:#5d7890}}</style>\n"
      "<text x=\"%d\" y=\"12\" style=\"text-anchor:end\">largest |x| within %g ms, in red; full "
      "height is %.3f of full scale</text>\n",
      WIDTH + 48, HEIGHT, WIDTH, milliseconds, d->top);
  outline(f, "wave", d, d->high, d->low, 1);
  outline(f, "envelope", d, d->peak, d->peak, -1);
  fprintf(f, "<path class=\"axis\" d=\"M0 240h%d\"/>\n", WIDTH);
  time_axis(f, seconds);
  fprintf(f, "</svg>\n");
}

/* ---- command line --------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  const char *path = NULL, *out = NULL;
  double milliseconds = 30;
  for (int i = 1; i < argc; i++) {
    char *end = NULL;
    if (!strcmp(argv[i], "--window") && i + 1 < argc) {
      milliseconds = strtod(argv[++i], &end);
      if (*end || !(milliseconds > 0 && milliseconds < 1e9))
        die(argv[i], "is no number of milliseconds");
    } else if (!strcmp(argv[i], "--out") && i + 1 < argc) {
      out = argv[++i];
    } else if (argv[i][0] == '-' || path) {
      fprintf(stderr, "usage: envelope [--window MILLISECONDS] [--out FILE.svg] [FILE.wav]\n");
      return strcmp(argv[i], "--help") ? 2 : 0;
    } else {
      path = argv[i];
    }
  }
  recording r = read_recording(path ? path : SPOKEN);
  rill_context *ctx = rill_context_create(NULL);
  if (!ctx) die("rill", "out of memory");
  if (r.count < 1) die(path ? path : SPOKEN, "is empty");
  drawing d = measure(ctx, r, milliseconds);
  FILE *f = out ? fopen(out, "w") : stdout;
  if (!f) die(out, strerror(errno));
  draw(f, &d, (double)r.count / r.rate, milliseconds);
  if (fflush(f) || ferror(f)) die(out ? out : "standard output", strerror(errno));
  if (out) fclose(f);
  rill_context_close(ctx);
  free(r.samples);
  return EXIT_SUCCESS;
}
