/* A streaming window through calls of any kind in any order, beside a look at every sample that it holds. */
#include "input.h"
#include "base/base.h"
#include "sequence/window_samples.h"

enum { MOST = 3000, STEPS = 64, FILES = 2, JUNK = 300 };

static const int64_t windows[] = {1,   2,   3,   5,   8,   16,  17,  40,  63,  64,  65,  66,
                                  100, 127, 128, 129, 130, 191, 255, 257, 300, 600, 9000};
static const int64_t lengths[] = {1,  2,  3,  0,   15,  16,  17,  31,  32,
                                  33, 64, 65, 100, 127, 128, 257, 600, 2100};
static const double spans[] = {1, 3.5, 0.1, 20, 1e-300, 1e300};
static const double starts[] = {0, -5, 1e9, -1e308, 1e308};
static const double steps[] = {0, 0.25, 1, 0.1, 3.5, 20, 1e-300, 1e300};

#define ONE_OF(c, list) (list)[choose(c, sizeof(list) / sizeof *(list))]

/* What the window should be: all samples since the last reset, and where it stands among them. */
typedef struct position {
  int64_t pushed, first;
  double now;
} position;

typedef struct stream {
  rill_window_stream_options o;
  int64_t size;
  position at;
  int64_t x[MOST];
  double times[MOST];
} stream;

static rill_window_stream_options options_of(choices *c) {
  rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
  o.kind = (rill_window_kind)choose(c, 2);
  o.dtype = ONE_OF(c, sample_dtypes);
  o.nan = (rill_window_nan)choose(c, 2);
  o.last = choose(c, 2);
  if (choose(c, 3)) {
    o.window = ONE_OF(c, windows);
  } else {
    o.span = ONE_OF(c, spans);
    o.capacity = 1 + choose(c, 256);
  }
  return o;
}

static void begin(stream *s) { s->at = (position){0, 0, -(double)INFINITY}; }

/* ---- the brute force --------------------------------------------------------------------------- */

static void pass(stream *s, double now) {
  s->at.now = now;
  if (s->o.span == 0 && s->at.pushed - s->at.first > s->o.window) s->at.first++;
  while (s->o.span != 0 && s->at.first < s->at.pushed && !(now - s->times[s->at.first] < s->o.span))
    s->at.first++;
}

static sample value_of(const stream *s, int64_t *place) {
  return extremum(&s->o, s->x, s->at.first, s->at.pushed, place);
}

/* What a push should do, with its values in `want`. */
static rill_status expect(stream *s, const double *times, const void *x, int64_t n, void *want) {
  position before = s->at;
  rill_status status = RILL_OK;
  for (int64_t i = 0, any; i < n && status == RILL_OK; i++) {
    if (times && (!isfinite(times[i]) || times[i] < s->at.now)) {
      status = RILL_ERROR_ARGUMENT;
      break;
    }
    sample_put(s->o.dtype, s->x, s->at.pushed, sample_get(s->o.dtype, x, i));
    if (times) s->times[s->at.pushed] = times[i];
    s->at.pushed++;
    pass(s, times ? times[i] : 0);
    if (times && s->at.pushed - s->at.first > s->o.capacity) status = RILL_ERROR_OVERFLOW;
    sample_put(s->o.dtype, want, i, value_of(s, &any));
  }
  if (status != RILL_OK) s->at = before;
  return status;
}

static void look(rill_window *w, const stream *s, bool place_too) {
  int64_t place, bits;
  sample want = value_of(s, &place);
  must(rill_window_count(w) == s->at.pushed - s->at.first, "the count");
  must(rill_window_value(w, &bits) == RILL_OK, "a value");
  must(same_sample(s->o.dtype, sample_get(s->o.dtype, &bits, 0), want), "the value");
  if (s->o.span != 0 && s->at.now - 1 < s->at.now)
    must(rill_window_advance(w, s->at.now - 1) == RILL_ERROR_ARGUMENT, "no way back in time");
  if (!place_too) return;
  must(rill_window_age(w) == (place < 0 ? -1 : s->at.pushed - 1 - place), "the age");
  double time = rill_window_time(w);
  if (s->o.span == 0 || place < 0)
    must(isnan(time), "no time");
  else
    must(time == s->times[place], "the time");
}

/* ---- pushes ------------------------------------------------------------------------------------ */

static void make_samples(choices *c, const stream *s, int64_t n, void *x) {
  uint64_t random = 1 + (uint64_t)choose(c, 256);
  int pattern = choose(c, PATTERNS + 1);
  if (pattern < PATTERNS) {
    make_stream(s->o.dtype, pattern, s->o.window + s->o.capacity, n, &random, x);
    return;
  }
  static const double floats[] = {0, -0.0, 1, -1, NAN, (double)INFINITY, -(double)INFINITY, 2};
  for (int64_t i = 0; i < n; i++) {
    int v = choose(c, 8);
    sample_put(s->o.dtype, x, i, (sample){.f = floats[v], .i = v});
  }
}

static double *make_times(choices *c, const stream *s, int64_t n) {
  double *times = malloc((size_t)n * sizeof *times + 1);
  double now = s->at.pushed || isfinite(s->at.now) ? s->at.now : ONE_OF(c, starts);
  double step = ONE_OF(c, steps);
  for (int64_t i = 0; i < n; i++) {
    times[i] = now;
    now += n < 20 ? ONE_OF(c, steps) : step;
  }
  if (n && choose(c, 16) == 15) times[choose(c, 256) % n] = choose(c, 2) ? NAN : s->at.now - 1;
  return times;
}

static void push(choices *c, rill_window *w, stream *s) {
  int64_t n = ONE_OF(c, lengths);
  if (n > MOST - s->at.pushed) n = MOST - s->at.pushed;
  size_t bytes = (size_t)(n * s->size);
  /* Of that very size, so that the sanitizer sees any step beyond. */
  void *x = malloc(bytes + !bytes), *y = malloc(bytes + !bytes), *want = malloc(bytes + 8);
  make_samples(c, s, n, x);
  double *times = s->o.span != 0 ? make_times(c, s, n) : NULL;
  memcpy(y, x, bytes);
  rill_status expected = expect(s, times, x, n, want), status;
  int how = choose(c, 3);
  void *to = how == 2 ? NULL : y;
  const void *from = how == 1 ? y : x; /* in place */
  status = times ? rill_window_push_at(w, times, from, n, to) : rill_window_push(w, from, n, to);
  must(status == expected, "the status");
  for (int64_t i = 0; to && i < n; i++)
    must(same_sample(s->o.dtype, sample_get(s->o.dtype, y, i),
                     sample_get(s->o.dtype, status == RILL_OK ? want : x, i)),
         "the values, and none where refused");
  free(x), free(y), free(want), free(times);
}

static void push_one(choices *c, rill_window *w, stream *s) {
  int64_t x = 0, want, place;
  if (s->o.span != 0 || s->at.pushed == MOST) return;
  make_samples(c, s, 1, &x);
  must(expect(s, NULL, &x, 1, &want) == RILL_OK, "room for one");
  sample y = value_of(s, &place), is = sample_get(s->o.dtype, &x, 0);
  if (s->o.dtype == RILL_F32)
    is.f = (double)rill_window_push_f32(w, (float)is.f);
  else if (s->o.dtype == RILL_F64)
    is.f = rill_window_push_f64(w, is.f);
  else
    rill_window_push(w, &x, 1, &x), is = sample_get(s->o.dtype, &x, 0);
  must(same_sample(s->o.dtype, is, y), "the value of one");
}

/* Samples further out than the stream has: `w` is to be forgotten or loaded. */
static void push_junk(rill_window *w, const stream *s) {
  int64_t x[JUNK];
  double times[JUNK];
  memset(x, s->o.kind == RILL_WINDOW_MAX ? 0x7f : 0xfe, sizeof x);
  for (int i = 0; i < JUNK; i++) times[i] = isfinite(s->at.now) ? s->at.now : 0;
  int64_t n = s->o.span != 0 && s->o.capacity < JUNK ? s->o.capacity : JUNK;
  if (s->o.span != 0)
    (void)rill_window_push_at(w, times, x, n, NULL); /* may be refused: it is full */
  else
    must(rill_window_push(w, x, n, NULL) == RILL_OK, "junk");
}

static void advance(choices *c, rill_window *w, stream *s) {
  double now = (isfinite(s->at.now) ? s->at.now : ONE_OF(c, starts)) + ONE_OF(c, steps);
  if (choose(c, 16) == 15) now = choose(c, 2) ? NAN : s->at.now - 1;
  rill_status expected = s->o.span == 0 && isfinite(now)     ? RILL_ERROR_UNSUPPORTED
                         : !isfinite(now) || now < s->at.now ? RILL_ERROR_ARGUMENT
                                                             : RILL_OK;
  must(rill_window_advance(w, now) == expected, "the status of time");
  if (expected == RILL_OK) pass(s, now);
}

/* ---- copies and files -------------------------------------------------------------------------- */

static rill_window *copy(rill_context *ctx, choices *c, rill_window *w, const stream *s) {
  rill_window *other = rill_window_clone(ctx, w), *kept = choose(c, 2) ? w : other;
  must(other != NULL, "a copy");
  push_junk(kept == w ? other : w, s);
  return kept;
}

static rill_window *through_file(rill_context *ctx, choices *c, rill_window *w, const stream *s) {
  const char *path = fuzz_file((const uint8_t *)"", 0);
  must(rill_window_save(ctx, w, path) == RILL_OK, "is saved");
  rill_window *other = choose(c, 2) ? w : rill_window_create(ctx, &s->o);
  if (choose(c, 2)) push_junk(other, s);
  must(rill_window_load(ctx, other, path) == RILL_OK, "is loaded");
  return other;
}

/* A file with a byte changed or bytes missing: refused, and nothing changes, or of other samples. */
static void damaged_file(rill_context *ctx, choices *c, rill_window *w, stream *s) {
  static uint8_t bytes[1 << 16];
  const char *path = fuzz_file(bytes, 0);
  must(rill_window_save(ctx, w, path) == RILL_OK, "is saved");
  FILE *f = fopen(path, "rb");
  size_t size = fread(bytes, 1, sizeof bytes, f);
  fclose(f);
  size_t at = (size_t)(choose(c, 256) * 256 + choose(c, 256)) % size;
  if (choose(c, 4))
    bytes[at] = (uint8_t)choose(c, 256);
  else
    size = at;
  if (rill_window_load(ctx, w, fuzz_file(bytes, size)) != RILL_OK) {
    must(*rill_error_message(ctx), "a refusal says why");
    rill_error_clear(ctx);
    return;
  }
  int64_t count = rill_window_count(w);
  must(count >= 0 && count <= s->o.window + s->o.capacity && rill_window_age(w) < count,
       "a window as any other");
  rill_window_reset(w);
  begin(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static stream s;
  choices c = {data, size};
  cpu_set_level(choose(&c, CPU_LEVELS));
  rill_context *ctx = rill_context_create(NULL);
  s.o = options_of(&c);
  s.size = (int64_t)rill_dtype_size(s.o.dtype);
  begin(&s);
  rill_window *w = rill_window_create(ctx, &s.o);
  must(w != NULL, "a window");
  for (int i = 0, files = 0; i < STEPS && c.size > 0; i++) {
    int call = choose(&c, 12);
    if ((call == 2 || call == 3) && files++ == FILES) break; /* they wait for the disk */
    switch (call) {
    case 0: advance(&c, w, &s); break;
    case 1: w = copy(ctx, &c, w, &s); break;
    case 2: w = through_file(ctx, &c, w, &s); break;
    case 3: damaged_file(ctx, &c, w, &s); break;
    case 4: must(rill_window_reset(w) == RILL_OK, "a reset"), begin(&s); break;
    case 5: look(w, &s, true); break;
    case 6:
    case 7: push_one(&c, w, &s); break;
    default: push(&c, w, &s);
    }
    look(w, &s, false);
  }
  look(w, &s, true);
  must(rill_error(ctx) == RILL_OK, "no error is left");
  rill_context_close(ctx);
  return 0;
}
