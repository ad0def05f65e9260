/* runmax: after each number that comes, the largest of the last ones.
 *
 *   runmax N             of the last N:                  tail -f load | runmax 100
 *   runmax --span TIME   of those less than TIME ago:    of pairs of numbers, a time and a sample
 *   runmax --min ...     the smallest
 *
 * Numbers stand between white space or commas, and each sample is answered by a line. What has come is
 * answered before the program waits for more; a large file goes by large pieces. The program knows rill's
 * public header only. */
#include <rill.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: runmax [--min] N | runmax [--min] --span TIME\n";

/* LONGEST: characters of a number; CAPACITY: samples that a span may hold. */
enum { LONGEST = 400, CAPACITY = 1 << 20 };

typedef struct filter {
  rill_window *window;
  bool timed;    /* numbers are a time and a sample in turn */
  bool has_time; /* of the next sample: */
  double time;
  char text[LONGEST + 1]; /* of the number that is coming in */
  int length;
  long long line;
} filter;

static void die(const char *what, const char *why) {
  fflush(stdout);
  fprintf(stderr, "runmax: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

static void die_at_line(const filter *f, const char *why) {
  char line[32];
  snprintf(line, sizeof line, "line %lld", f->line);
  die(line, why);
}

/* A reader that has gone (head, say) is no reason for words, also where SIGPIPE is ignored. */
static void die_of_output(void) {
  if (errno == EPIPE) exit(EXIT_FAILURE);
  die("standard output", strerror(errno));
}

/* ---- numbers -------------------------------------------------------------------------------------- */

/* In the fewest of 15 to 17 digits that read back the same. */
static void print(double value) {
  char text[32] = "nan"; /* without the sign that some have */
  for (int digits = 15; digits <= 17 && !isnan(value); digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  if (puts(text) < 0) die_of_output();
}

static void take(filter *f, double x) {
  double value;
  if (!f->timed) {
    print(rill_window_push_f64(f->window, x));
  } else if (!f->has_time) {
    f->time = x;
    f->has_time = true;
  } else {
    rill_status status = rill_window_push_at(f->window, &f->time, &x, 1, &value);
    if (status == RILL_ERROR_OVERFLOW)
      die_at_line(f, "more samples within the span than there is room for");
    if (status != RILL_OK) die_at_line(f, "the time is not finite, or before the one before it");
    print(value);
    f->has_time = false;
  }
}

/* The number is complete, if there is one. */
static void end_number(filter *f) {
  char *end, why[LONGEST + 32];
  if (f->length == 0) return;
  f->text[f->length] = 0;
  errno = 0;
  double x = strtod(f->text, &end);
  bool beyond = errno == ERANGE && isinf(x);
  snprintf(why, sizeof why, "'%.40s' is %s", f->text, beyond ? "too large a number" : "no number");
  if (beyond || end != f->text + f->length) die_at_line(f, why);
  f->length = 0;
  take(f, x);
}

static void take_text(filter *f, const char *text, ssize_t n) {
  for (ssize_t i = 0; i < n; i++) {
    if (text[i] && strchr(" \t\n\v\f\r,", text[i]))
      end_number(f);
    else if (f->length < LONGEST)
      f->text[f->length++] = text[i];
    else
      die_at_line(f, "a number is too long");
    f->line += text[i] == '\n';
  }
}

/* ---- command line --------------------------------------------------------------------------------- */

static rill_window_stream_options options_of(int argc, char **argv) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.dtype = RILL_F64;
  for (int i = 1; i < argc; i++) {
    char *end = NULL;
    if (!strcmp(argv[i], "--help")) {
      printf("%s", usage);
      exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
    } else if (!strcmp(argv[i], "--min")) {
      o.kind = RILL_WINDOW_MIN;
    } else if (!strcmp(argv[i], "--span") && i + 1 < argc && !o.window) {
      o.span = strtod(argv[++i], &end);
      if (*end || !(o.span > 0 && isfinite(o.span))) die(argv[i], "is no span of time");
      o.capacity = CAPACITY;
    } else if (argv[i][0] != '-' && !o.window && !o.capacity) {
      o.window = strtoll(argv[i], &end, 10);
      if (*end || o.window < 1) die(argv[i], "is no number of samples");
    } else {
      o.window = o.capacity = 0;
      break;
    }
  }
  if (!o.window && !o.capacity) fprintf(stderr, "%s", usage), exit(2);
  return o;
}

int main(int argc, char **argv) {
  static char text[1 << 16];
  rill_window_stream_options o = options_of(argc, argv);
  rill_context *ctx = rill_context_create(NULL);
  if (!ctx) die("rill", "out of memory");
  filter f = {.window = rill_window_create(ctx, &o), .timed = o.capacity > 0, .line = 1};
  if (!f.window) die("rill", rill_error_message(ctx));
  ssize_t n;
  while ((n = read(STDIN_FILENO, text, sizeof text)) > 0) {
    take_text(&f, text, n);
    if (fflush(stdout)) die_of_output();
  }
  if (n < 0) die("standard input", strerror(errno));
  end_number(&f);
  if (f.has_time) die("standard input", "ends with a time that has no sample");
  if (fflush(stdout)) die_of_output();
  rill_context_close(ctx);
  return EXIT_SUCCESS;
}
