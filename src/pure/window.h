/* What the files of the sliding windows share: window.c has the faces, window_call.c what they check,
 * window_plan.c the geometry, window_run.c leads the way through the array, window_move.c brings samples in
 * and results out, window_loops.c has the loops that do the work.
 *
 * Loops know signed integers of 8, 16, 32 and 64 bits only, and maxima only. A key is a sample's bits so
 * transformed that the larger key is the sample wanted: see window_keys. So the loops alone are compiled
 * for each instruction set, and four times rather than for seven types, maxima and minima. */
#ifndef RILL_SRC_PURE_WINDOW_H
#define RILL_SRC_PURE_WINDOW_H

#include "rill/pure.h"

#include <stdbool.h>
#include <stdint.h>

/* Columns of a unit, and how many outputs it has at least where a row has as many. */
#define WINDOW_UNIT_COLUMNS 2048
#define WINDOW_UNIT_OUTPUTS 65536

/* How bits become keys, all as integers of the key's width. A float's bits sort like integers when the
 * negative ones have all but the sign flipped (`mask`); unsigned integers do with the top bit flipped,
 * minima with all bits flipped (`flip`). Then NaN with one sign are the highest, those with the other the
 * lowest: all are turned over to one end by a `bias`, in sums that wrap around. The lowest key stands for
 * what lies beyond the ends. Where NaN are ignored no sample has it (`floor`); where they are not, the
 * lowest number does. */
typedef struct window_keys {
  int64_t mask, flip, bias;
  int64_t floor;   /* a sample's key is no lower                                         */
  int64_t zero;    /* bits that are taken for 0: those of -0 where the place of a maximum is  */
  int64_t ceiling; /* wanted, and there keys go up to this one, so that all NaN have the same */
  int64_t lowest;  /* the bits that the lowest key means                                 */
  int64_t pad;     /* the bits of the pad value                                          */
} window_keys;

/* Keys of a type with so many bytes; `infinity`: of floats its bits, else 0. With lowest and pad unset. */
window_keys window_keys_of(int64_t size, int64_t infinity, bool unsigned_, bool min,
                           rill_window_nan nan, bool places);

/* The bits of v as a float of so many bytes. */
int64_t window_float_bits(double v, int64_t size);

/* The bits that a key comes from. */
int64_t window_key_bits(const window_keys *keys, int64_t key, int64_t size);

/* A type as the faces see it; positions of maxima have the size of keys, so indices of narrow samples
 * take keys of 32 bits. */
typedef enum window_type {
  WINDOW_F32,
  WINDOW_F64,
  WINDOW_I8,
  WINDOW_U8,
  WINDOW_I16,
  WINDOW_I32,
  WINDOW_I64,
} window_type;

/* Padded place p along n is sample p - lead. With dilation d, every d-th place lies in one row of
 * its own: p = row * d + phase. A row's phases times the inner dim are its `wide` columns, and the
 * window takes k samples straight down a column. */
typedef struct window_job {
  int64_t outer, n, inner, k, stride, dilation;
  int64_t x_stride[3], y_stride[3];
  int64_t lead;   /* places before sample 0                         */
  int64_t dense;  /* outputs with a stride of 1                     */
  int64_t first;  /* the one of these that is output 0              */
  int64_t length; /* outputs                                        */
  int64_t wide, rows;
  int64_t panels, chunks, chunk_rows; /* units: outer * panels * chunks */
  bool x_flat, y_flat;                /* n and inner are contiguous as one */
  bool backwards;                     /* x and y are walked from the end: the last index wins */
  bool in_place;
  bool large;  /* see WINDOW_LARGE */
  bool arg;    /* indices are wanted */
  bool listed; /* they are one after the other, of neighbouring samples, and all that is wanted */
  bool unseen; /* windows that see nothing may come out as NaN */
  rill_window_edge edge;
  const char *x;
  char *y;
  int64_t *index;
  window_type type;
  int64_t size, key_size; /* bytes of a sample and of a key */
  bool x_keys, y_keys;    /* between two passes keys stay keys */
  window_keys keys;
  window_keys out; /* how keys become results */
} window_job;

/* Bytes of what comes out: an index, or a sample. */
static inline int64_t window_result(const window_job *job) {
  return job->arg ? (int64_t)sizeof *job->index : job->size;
}

/* The job of params without its pointers and keys. */
rill_status window_plan(const rill_window_params *p, window_job *job);

/* Leaves only outputs first ... end, and only samples from ... to, which must be all that these see but for
 * what is beyond the ends. For a stride of 1, and edges that repeat no sample but the first and the last. */
void window_band(window_job *job, int64_t first, int64_t end, int64_t from, int64_t to);

/* Units of a backward: like those of window_plan, but of samples instead of outputs. */
int64_t window_backward_chunks(const window_job *job);

/* From here on indices count from the other end. */
void window_turn(window_job *job);

/* Do x and y, with sizes in bytes, share memory? y has y's strides; with `outputs` x has them, too. */
bool window_overlap(const window_job *job, bool outputs, const void *x, int64_t x_size,
                    const void *y, int64_t y_size);

/* Do the samples' gradients share memory with those of the results, or (unless NULL) the samples? */
bool window_shared(const window_job *job, const void *grad, const void *x, const void *grad_x);

/* Are x and y, of one type, the same memory in a way that lets y replace x? */
bool window_same(const window_job *job, const void *x, const void *y, int64_t begin, int64_t end);

/* The sample that place p of the endless row repeats; -1 where it is the pad value or nothing. The next
 * *run places go on in steps of *step (1, 0 or -1) samples. p counts from sample 0. */
int64_t window_stretch(const window_job *job, int64_t p, int64_t *step, int64_t *run);

/* Bytes that window_run needs, and units begin ... end of the job: values to y, or indices and (where y
 * is not NULL) the samples there. */
size_t window_bytes(const window_job *job);
void window_run(const window_job *job, int64_t begin, int64_t end, void *workspace);

/* The job of a call for floats that go in and out as they are, units and pointers not yet checked. */
rill_status window_float_job(window_type type, const rill_window_params *p, const void *x,
                             window_job *w);

/* What the faces call. Either of y_min and y_max may be NULL where it is not wanted. */
size_t window_workspace(window_type type, const rill_window_params *p);
rill_status window_values(window_type type, const rill_window_params *p, const void *x, void *y_min,
                          void *y_max, int64_t begin, int64_t end, void *workspace);
/* Of two passes the first, all units of it, which leaves keys; and a band of the second, which takes them: see
 * window_band. There x and y begin with the band's first sample and its first output, both contiguous. */
void window_band_keys(window_type type, const rill_window_params *p, bool min, const void *x,
                      void *keys, void *workspace);
void window_band_values(window_type type, const rill_window_params *p, bool min, int64_t first,
                        int64_t end, int64_t from, int64_t to, const void *x, void *y,
                        void *workspace);
rill_status window_indices(window_type type, const rill_window_params *p, const void *x,
                           int64_t *index, void *y, bool min, int64_t begin, int64_t end,
                           void *workspace);

/* ---- loops, for keys of one width ------------------------------------------------------------- */

/* A vector of the widest instruction set, in bytes: loops work on whole ones, so what they read and
 * write of the workspace may be as much as that beyond what they are asked for. */
#define WINDOW_VECTOR 64

/* How far ahead memory is asked for, in bytes: the processor by itself foresees it too late. */
#define WINDOW_AHEAD 4096

/* A result with so many bytes would push all else out of the cache, and is written past it. */
#define WINDOW_LARGE ((int64_t)16 << 20)

/* How many vectors take_lanes is ahead. */
#define WINDOW_LANES_AHEAD 4

/* Some rows on their way down, `vectors` of columns wide: m the maxima of windows, with rows `width` keys
 * apart, and suffix, prefix as in window_run.c; *_at are the positions of these keys. */
typedef struct window_rows {
  const window_keys *keys;
  const void *m, *m_at;
  int64_t width;
  int64_t d; /* keys from a maximum to the one that it is joined with */
  void *suffix, *suffix_at;
  int64_t pitch; /* of suffix */
  void *prefix, *prefix_at;
  void *y;      /* samples, or indices */
  bool past;    /* as that of quad_out              */
  int64_t less; /* an index is a position less this */
  int64_t y_pitch;
  int64_t rows, vectors;
} window_rows;

typedef struct window_loops {
  /* to[i] = the key of x[i]; in place, too. Asks for what lies x_ahead bytes further on. */
  void (*take)(const window_keys *keys, const void *x, int64_t n, void *to, int64_t x_ahead);
  /* to[i] = the maximum of the keys of `width` samples from x[i] on: 2, 4, 8 or 16, and no more than a vector
   * has lanes. Reads whole vectors, and WINDOW_LANES_AHEAD more. NULL where shifting lanes takes several
   * instructions. */
  void (*take_lanes)(const window_keys *keys, const void *x, int64_t n, int64_t width, void *to);
  /* a[i] = the maximum of a[i], a[i + s[0]], a[i + s[1]], a[i + s[2]] */
  void (*quad)(void *a, int64_t n, const int64_t s[3]);
  /* likewise, and y[i] = the sample with that key; writes n samples. `past`: past the cache; a fence must
   * follow, and y is aligned to vectors. */
  void (*quad_out)(const window_keys *keys, const void *a, int64_t n, const int64_t s[3], void *y,
                   bool past);
  /* In each row: m = the maximum of m and what lies d keys further on, prefix = that of prefix and m,
   * y = the sample of that of prefix and suffix; then suffix = m. The last vector goes first. */
  void (*down)(const window_rows *rows);
  /* In each row, from the last to the first: suffix = that of suffix and the row below it, start below the
   * last. */
  void (*up)(void *suffix, int64_t pitch, int64_t rows, int64_t vectors, const void *start);

  /* What went past the cache goes before all that is written later. */
  void (*fence)(void);

  /* The same of pairs of keys and positions, for keys of 32 and 64 bits: what lies further on wins only
   * with a larger key. What comes out is indices. */
  void (*quad_at)(void *a, void *at, int64_t n, const int64_t s[3]);
  /* likewise, where at[i + s[j]] is at[i] + steps[j], so that less is read; with a `first` that is not
   * negative at[i] is first + i, and nothing is */
  void (*near_at)(void *a, void *at, int64_t n, const int64_t s[3], const int64_t steps[3],
                  int64_t first);
  void (*quad_index)(const void *a, const void *at, int64_t n, const int64_t s[3], int64_t less,
                     int64_t *index, bool past);
  void (*down_at)(const window_rows *rows);
  void (*up_at)(void *suffix, void *suffix_at, int64_t pitch, int64_t rows, int64_t vectors,
                const void *start, const void *start_at);
  /* as take_lanes; the position of x[i] is first + i */
  void (*take_lanes_at)(const window_keys *keys, const void *x, int64_t n, int64_t width, void *to,
                        void *to_at, int64_t first);
} window_loops;

void rill_window_loops_i8(window_loops *loops);
void rill_window_loops_i16(window_loops *loops);
void rill_window_loops_i32(window_loops *loops);
void rill_window_loops_i64(window_loops *loops);

#endif
