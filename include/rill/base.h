/* The ground every other header stands on: status codes, element types, the context, memory, threads, randomness,
 * logging and version queries. */
#ifndef RILL_BASE_H
#define RILL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RILL_VERSION_MAJOR  0
#define RILL_VERSION_MINOR  1
#define RILL_VERSION_PATCH  0
#define RILL_VERSION_STRING "0.1.0"

/* Raised whenever a program built against an older header could break. */
#define RILL_ABI_VERSION 0

#if defined RILL_BUILDING && defined __GNUC__
#define RILL_API __attribute__((visibility("default")))
#else
#define RILL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An options struct begins with its own size; zero in every other field means the default. */
#ifdef __cplusplus
#define RILL_STRUCT_INIT(type)                                                                     \
  { sizeof(type) }
#else
#define RILL_STRUCT_INIT(type)                                                                     \
  { .struct_size = sizeof(type) }
#endif

/* ---- status ---------------------------------------------------------------------------------- */

typedef enum rill_status {
  RILL_OK = 0,
  RILL_ERROR_MEMORY = 1,       /* an allocation failed                                            */
  RILL_ERROR_ARGUMENT = 2,     /* NULL, a negative size, an option out of range                   */
  RILL_ERROR_SHAPE = 3,        /* shapes do not fit each other, or a dim is out of range          */
  RILL_ERROR_DTYPE = 4,        /* the op does not take this dtype                                 */
  RILL_ERROR_INDEX = 5,        /* an index tensor or element position is out of range             */
  RILL_ERROR_OVERFLOW = 6,     /* a size does not fit in memory or in int64_t                     */
  RILL_ERROR_GRAPH = 7,        /* a rule of autograd was broken                                   */
  RILL_ERROR_IO = 8,           /* the operating system refused to read or write                   */
  RILL_ERROR_FORMAT = 9,       /* a file is damaged or not of the format it claims                */
  RILL_ERROR_NOT_FOUND = 10,   /* no op, module, parameter or file of that name                   */
  RILL_ERROR_UNSUPPORTED = 11, /* well formed, but this object cannot do it                       */
  RILL_ERROR_STATE = 12,       /* called at the wrong time (a scope closed twice, a used graph)   */
  RILL_ERROR_CALLBACK = 13     /* a callback of the host reported failure                         */
} rill_status;

/* The constant's name, as "RILL_ERROR_SHAPE"; "RILL_ERROR_UNKNOWN" for any other number.
 * Borrowed, static. Any thread. */
RILL_API const char *rill_status_name(rill_status status);

/* "0.1.0" of the library that is running (not of the header compiled against). Any thread. */
RILL_API const char *rill_version(void);
RILL_API int rill_version_number(void); /* major * 10000 + minor * 100 + patch */
RILL_API int rill_abi_version(void);    /* RILL_ABI_VERSION of the library that is running */

/* ---- element types ------------------------------------------------------------------------------- */

#define RILL_MAX_DIMS 8           /* of a tensor, or of any array that the pure face walks */
RILL_API int rill_max_dims(void); /* RILL_MAX_DIMS of the library that is running */

typedef enum rill_dtype {
  RILL_F32 = 0,
  RILL_F64 = 1,
  RILL_F16 = 2,  /* IEEE half; f16 and bf16 load, store and convert, and do not compute */
  RILL_BF16 = 3, /* the upper half of an f32 */
  RILL_I32 = 4,
  RILL_I64 = 5,
  RILL_U8 = 6,
  RILL_BOOL = 7 /* one byte, 0 or 1 */
} rill_dtype;

RILL_API const char *rill_dtype_name(rill_dtype dtype); /* "f32"; "?" for another number. Static */
RILL_API size_t rill_dtype_size(rill_dtype dtype);      /* bytes an element; 0 for another number */

/* ---- context --------------------------------------------------------------------------------- */

/* Where work happens: scopes, the first error, the random stream, gradient mode, threads, memory
 * cache and log callback. A context is used by one thread at a time; different contexts are
 * independent and may be used by different threads at once. */
typedef struct rill_context rill_context;

typedef void *(*rill_malloc_callback)(void *user, size_t size);
typedef void *(*rill_realloc_callback)(void *user, void *block, size_t size);
typedef void (*rill_free_callback)(void *user, void *block);

/* The host's allocator. All three are called from any thread that uses the context or releases
 * what it made, so they must be thread-safe, as malloc is. `user` is passed through. realloc may
 * be NULL (rill then allocates, copies and frees). Returning NULL is an error rill reports. */
typedef struct rill_allocator {
  rill_malloc_callback malloc;
  rill_realloc_callback realloc;
  rill_free_callback free;
  void *user;
} rill_allocator;

/* Lets go of a callback's `user`, which is needed no more. */
typedef void (*rill_finalizer)(void *user);

/* Runs job(arg, i) for every i in [0, count), in any order and on any threads, and returns when
 * all are done. */
typedef void (*rill_job)(void *arg, int64_t index);
typedef void (*rill_parallel_for)(void *user, int64_t count, rill_job job, void *arg);

typedef enum rill_log_level {
  RILL_LOG_DEBUG = 0,
  RILL_LOG_INFO = 1,
  RILL_LOG_WARNING = 2
} rill_log_level;

typedef void (*rill_log_callback)(void *user, rill_log_level level, const char *message);

typedef struct rill_context_options {
  size_t struct_size;             /* sizeof(rill_context_options)                                 */
  rill_allocator allocator;       /* all NULL: malloc, realloc, free                              */
  int threads;                    /* threads that work, the caller's included; 0 and 1: no others */
  rill_parallel_for parallel_for; /* the host's own, used in place of rill's pool; may be NULL    */
  void *parallel_user;
  int parallel_width;    /* at most this many jobs run at once in parallel_for; 0: 64    */
  rill_log_callback log; /* NULL: silent                                                 */
  void *log_user;
  uint64_t seed;          /* of the random stream                                         */
  size_t cache_limit;     /* bytes of freed storage kept for reuse; 0: no limit           */
  bool keep_blas_threads; /* false: the CBLAS is told to use one thread (a process-wide
                                     setting of OpenBLAS), since rill splits products itself so
                                     that results do not depend on the number of threads          */
} rill_context_options;

#define RILL_CONTEXT_OPTIONS_INIT RILL_STRUCT_INIT(rill_context_options)
RILL_API void rill_context_options_init(rill_context_options *options);

/* A new context; NULL where memory or threads cannot be had or the options are wrong.
 * options: NULL for all defaults. Close it with rill_context_close. Any thread. */
RILL_API rill_context *rill_context_create(const rill_context_options *options);

/* Closes all scopes, joins the workers and frees the context. Handles that the caller retained stay
 * valid and readable. NULL is fine. */
RILL_API void rill_context_close(rill_context *ctx);

/* ---- scopes ---------------------------------------------------------------------------------- */

/* Every function that returns a new handle gives it to the innermost open scope of its context; the
 * scope drops its reference when it closes. The context itself is the outermost scope. */
RILL_API rill_status rill_scope_open(rill_context *ctx);

/* Drops what the innermost scope holds. Works (and must be called) while an error is pending.
 * RILL_ERROR_STATE where no scope is open. */
RILL_API rill_status rill_scope_close(rill_context *ctx);

/* ---- errors ---------------------------------------------------------------------------------- */

/* The context keeps its first error until rill_error_clear; until then functions that return a
 * handle return NULL and the others return the pending status, so a chain of calls is checked
 * once. */
RILL_API rill_status rill_error(const rill_context *ctx); /* RILL_OK where none is pending */
RILL_API const char *
rill_error_message(const rill_context *ctx);                 /* borrowed; "" where none       */
RILL_API const char *rill_error_op(const rill_context *ctx); /* borrowed; the op or function  */
RILL_API void rill_error_clear(rill_context *ctx);

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct rill_memory_stats {
  size_t struct_size;
  size_t current;     /* bytes held by live tensors, graphs and modules of this context          */
  size_t peak;        /* the largest `current` since the last reset                              */
  size_t cached;      /* bytes kept for reuse                                                    */
  uint64_t allocated; /* blocks handed out so far                                                */
  uint64_t reused;    /* of these, from the cache                                                */
} rill_memory_stats;

#define RILL_MEMORY_STATS_INIT RILL_STRUCT_INIT(rill_memory_stats)
RILL_API void rill_memory_stats_init(rill_memory_stats *stats);
RILL_API rill_status rill_memory_get_stats(const rill_context *ctx, rill_memory_stats *stats);
RILL_API rill_status rill_memory_reset_peak(rill_context *ctx);

/* Gives all cached storage back to the host's allocator. */
RILL_API rill_status rill_memory_trim(rill_context *ctx);

/* ---- threads --------------------------------------------------------------------------------- */

typedef enum rill_thread_state { RILL_THREAD_IDLE = 0, RILL_THREAD_WORKING = 1 } rill_thread_state;

typedef struct rill_thread_info {
  size_t struct_size;
  char name[16]; /* as the operating system shows it: "rill-1"                          */
  rill_thread_state state;
  double cpu_seconds; /* consumed so far; -1 where the system does not tell                  */
} rill_thread_info;

#define RILL_THREAD_INFO_INIT RILL_STRUCT_INIT(rill_thread_info)
RILL_API void rill_thread_info_init(rill_thread_info *info);

/* Worker threads that this context started and has not joined (0 with one thread or a host's own
 * parallel-for). -1 where ctx is NULL. */
RILL_API int rill_thread_count(const rill_context *ctx);

/* Facts about worker `index` in [0, rill_thread_count). */
RILL_API rill_status rill_thread_get_info(const rill_context *ctx, int index,
                                          rill_thread_info *info);

/* ---- processor ------------------------------------------------------------------------------- */

/* The instruction set whose kernels run here: "baseline", "avx2" or "avx512". Borrowed, static. */
RILL_API const char *rill_cpu_kernels(void);

/* ---- randomness ------------------------------------------------------------------------------ */

/* The context's stream is Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3"), keyed by the seed; each random op takes the next stretch of the counter, so results
 * depend on the seed and the order of calls alone, never on threads. */
RILL_API rill_status rill_seed(rill_context *ctx, uint64_t seed);

typedef struct rill_random_state {
  uint64_t seed;
  uint64_t offset; /* 128-bit blocks consumed so far */
} rill_random_state;

RILL_API rill_status rill_random_get_state(const rill_context *ctx, rill_random_state *state);
RILL_API rill_status rill_random_set_state(rill_context *ctx, const rill_random_state *state);

#ifdef __cplusplus
}
#endif

#endif
