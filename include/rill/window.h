/* Sliding windows over a stream: the largest, smallest, sum, mean, median or quantile of the last samples,
 * while they come in, one or many at a time. For an audio callback, a feed of prices, a sensor. The pure face of the same over a whole
 * array is in rill/pure/window.h.
 *
 *   rill_window_stream_options o = RILL_WINDOW_STREAM_OPTIONS_INIT;
 *   o.window = 480;
 *   rill_window *w = rill_window_create(ctx, &o);
 *   ...
 *   rill_window_push(w, samples, n, maxima);   (needs no context, takes no lock, allocates nothing)
 *
 * A window is used by one thread at a time; which one may change. Functions without a context report by
 * their result alone. */
#ifndef RILL_WINDOW_H
#define RILL_WINDOW_H

#include "rill/pure/window.h"
#include "rill/pure/window_quantile.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rill_window rill_window;

/* Sums, means and quantiles are of f32 and f64, computed in double. A sum is never subtracted from: it is of
 * the window's own samples alone, whatever came before. Quantiles are exact. NaN propagate, or are left out. */
typedef enum rill_window_kind {
  RILL_WINDOW_MAX = 0,
  RILL_WINDOW_MIN = 1,
  RILL_WINDOW_SUM = 2,
  RILL_WINDOW_MEAN = 3,
  RILL_WINDOW_QUANTILE = 4
} rill_window_kind;

/* Zero means default. Either `window` or `span` and `capacity` must be given: a window holds the last
 * `window` samples, or those whose time is less than `span` before now. */
typedef struct rill_window_stream_options {
  size_t struct_size; /* sizeof(rill_window_stream_options) */
  rill_window_kind kind;
  rill_dtype dtype;    /* f32, f64, i32, i64 or u8                                             */
  int64_t window;      /* samples, at least 1                                                  */
  double span;         /* in the unit of the times: holds samples with now - time < span, as
                          computed in double                                                   */
  int64_t capacity;    /* of a span: samples that it may hold at once                          */
  rill_window_nan nan; /* of f32 and f64                                                       */
  bool last;           /* rill_window_age, _time: of equal samples the newest, not the oldest  */
  double q;            /* of RILL_WINDOW_QUANTILE, above 0 and at most 1; 0: 0.5, the median   */
  rill_window_quantile_method method;
} rill_window_stream_options;

#define RILL_WINDOW_STREAM_OPTIONS_INIT RILL_STRUCT_INIT(rill_window_stream_options)
RILL_API void rill_window_stream_options_init(rill_window_stream_options *options);

/* An empty window (new). All memory it will ever need is allocated here: some 12 to 40 bytes for each sample
 * of f32. RILL_ERROR_ARGUMENT, RILL_ERROR_DTYPE, RILL_ERROR_OVERFLOW where the options are wrong. */
RILL_API rill_window *rill_window_create(rill_context *ctx,
                                         const rill_window_stream_options *options);
RILL_API rill_window *rill_window_retain(rill_window *window);
RILL_API void rill_window_release(rill_window *window);

/* An independent copy (new). */
RILL_API rill_window *rill_window_clone(rill_context *ctx, const rill_window *window);

/* Empty as at first; of a span, the times may start anew. In time proportional to the window. */
RILL_API rill_status rill_window_reset(rill_window *window);

/* As a safetensors file. Load needs a window of the same options, and goes on from there with the same
 * results. A file that is damaged or of another window is refused, and leaves the window as it was. */
RILL_API rill_status rill_window_save(rill_context *ctx, const rill_window *window,
                                      const char *path);
RILL_API rill_status rill_window_load(rill_context *ctx, rill_window *window, const char *path);

/* ---- samples ----------------------------------------------------------------------------------- */

/* Adds n samples of the window's dtype, and puts the window's value after each of them to y, unless that is
 * NULL: however a stream is cut, what the pure face gives for all of it with RILL_WINDOW_CAUSAL and
 * RILL_WINDOW_IGNORE. +0 is above -0; a NaN that comes out is any NaN. y may be x.
 *
 * Of maxima and minima a sample takes constant time, whatever the window and the samples: not only on
 * average, a call never takes longer than in proportion to n. (The suffix maxima of van Herk's and Gil and
 * Werman's algorithm are made in small steps, a block ahead of their use.) Of sums and means it does on
 * average; of quantiles it takes searches in the order of log(window) and moves of the order of its root. Sums
 * and means are those of the pure face but for rounding, since that adds in another order.
 *
 * RILL_ERROR_ARGUMENT, with nothing changed or written: window NULL, x NULL and n not 0, n negative, y
 * overlaps x but is not x. RILL_ERROR_UNSUPPORTED: a window with a span. */
RILL_API rill_status rill_window_push(rill_window *window, const void *x, int64_t n, void *y);

/* Adds one sample and returns the window's value: the quickest way for one. NaN, and nothing changed, where
 * the window is NULL, of another dtype, or has a span. */
RILL_API float rill_window_push_f32(rill_window *window, float x);
RILL_API double rill_window_push_f64(rill_window *window, double x);

/* The same for a window with a span, sample i being taken at times[i]. A sample takes constant time on
 * average. RILL_ERROR_ARGUMENT, with nothing changed or written, also where a time is not finite or before
 * the one before it (equal times are fine), times is NULL, or y overlaps it. RILL_ERROR_OVERFLOW, likewise,
 * where the window would hold more than `capacity` samples at one of the times. RILL_ERROR_UNSUPPORTED: a
 * window without a span. */
RILL_API rill_status rill_window_push_at(rill_window *window, const double *times, const void *x,
                                         int64_t n, void *y);

/* Time passes: `now` takes part in the order of the times. Errors as rill_window_push_at. */
RILL_API rill_status rill_window_advance(rill_window *window, double now);

/* ---- what the window holds --------------------------------------------------------------------- */

/* Samples in the window; 0 where NULL. */
RILL_API int64_t rill_window_count(const rill_window *window);

/* What the kind says of them to *value, of the window's dtype. Where there are none, the lowest value of the
 * type (of a minimum the highest; of floats an infinity), the sum 0, the mean and the quantile NaN. RILL_ERROR_ARGUMENT: a NULL. */
RILL_API rill_status rill_window_value(const rill_window *window, void *value);

/* How many samples came after the largest or smallest: 0 where it is the newest, -1 where there is none, the
 * window is NULL or of another kind. Of equal samples (-0 equals +0, all NaN are equal) the oldest counts, or with `last` the newest. The
 * work is put off until a position is asked for, and then takes constant time for each sample since, on
 * average. */
RILL_API int64_t rill_window_age(rill_window *window);

/* The time of that sample; NaN where rill_window_age is -1 or the window has no span. */
RILL_API double rill_window_time(rill_window *window);

#ifdef __cplusplus
}
#endif

#endif
