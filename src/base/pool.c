/* The threads of one context, or the host's own parallel-for in their place. A loop is split by its
 * size alone. Each thread begins with its own share of the stretches, so that it meets in the next
 * loop what it has in its cache from the last, and then helps with the others' shares. */
#include "base/base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  HOST_SLOTS = 64,          /* parallel_width where the host names none */
  STACK_SIZE = 1024 * 1024, /* the same on every system, enough for a CBLAS */
  SPIN_NANOSECONDS = 50000, /* to look for work before sleeping; a wake-up costs about as much */
  SLOT_BITS = 64
};

typedef struct loop {
  pool_fn fn;
  void *arg;
  int64_t n, grain, count; /* count: of stretches */
} loop;

typedef struct worker {
  pthread_t thread;
  struct crew *crew;
  int slot;
  atomic_bool working;
} worker;

/* A thread's share of a loop's stretches: those from `next` to `end` are still to be handed out. */
typedef struct share {
  _Alignas(64) atomic_llong next;
  int64_t end;
} share;

/* The threads and what they share. `ticket` is odd while a loop is open for workers to join; each
 * loop has its own. A worker counts itself inside before it looks at the ticket again, and the
 * caller closes the ticket before it waits for nobody to be inside: so whoever sees the ticket open
 * may read the loop, and a worker that wakes up late finds the door shut. */
typedef struct crew {
  loop loop;
  _Alignas(64) atomic_uint ticket;
  atomic_bool stopping;
  _Alignas(64) atomic_int inside;
  atomic_int sleepers;
  atomic_bool caller_sleeps;
  pthread_mutex_t mutex;
  pthread_cond_t opened, left;
  int64_t spin;
  int count;
  worker *workers;
  share shares[]; /* the caller's, then each worker's */
} crew;

struct pool {
  heap *heap;
  crew *crew;  /* NULL with a host's parallel-for, or where threads could not be had after a fork */
  pid_t owner; /* the process whose threads they are */
  int threads; /* to start */
  int slots;
  atomic_bool busy; /* a loop is running: one begun inside it runs where it stands */
  rill_parallel_for host;
  void *host_user;
  atomic_ullong taken[]; /* slots of the host's jobs, a bit each */
};

/* ---- working ---- */

static inline void relax(void) {
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#endif
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void run_stretch(const loop *l, int64_t index, int slot) {
  int64_t begin = index * l->grain;
  int64_t left = l->n - begin;
  l->fn(l->arg, begin, begin + (left < l->grain ? left : l->grain), slot);
}

static void run_stretches(crew *c, int slot) {
  int slots = c->count + 1;
  for (int i = 0; i < slots; i++) {
    share *s = &c->shares[(slot + i) % slots];
    for (;;) {
      int64_t index = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
      if (index >= s->end) break;
      run_stretch(&c->loop, index, slot);
    }
  }
}

static void run_here(const loop *l) {
  for (int64_t i = 0; i < l->count; i++) run_stretch(l, i, 0);
}

/* ---- workers ---- */

static bool has_work(crew *c, unsigned seen) {
  unsigned ticket = atomic_load(&c->ticket);
  return ((ticket & 1) && ticket != seen) || atomic_load(&c->stopping);
}

static void wait_for_work(crew *c, unsigned seen) {
  if (c->spin) {
    int64_t until = now() + c->spin;
    do {
      for (int i = 0; i < 16; i++) {
        if (has_work(c, seen)) return;
        relax();
      }
    } while (now() < until);
  }
  pthread_mutex_lock(&c->mutex);
  atomic_fetch_add(&c->sleepers, 1);
  while (!has_work(c, seen)) pthread_cond_wait(&c->opened, &c->mutex);
  atomic_fetch_sub(&c->sleepers, 1);
  pthread_mutex_unlock(&c->mutex);
}

static void leave(crew *c) {
  if (atomic_fetch_sub(&c->inside, 1) != 1 || !atomic_load(&c->caller_sleeps)) return;
  pthread_mutex_lock(&c->mutex);
  pthread_cond_signal(&c->left);
  pthread_mutex_unlock(&c->mutex);
}

static void *worker_main(void *arg) {
  worker *w = arg;
  crew *c = w->crew;
  unsigned seen = 0;
  while (!atomic_load(&c->stopping)) {
    wait_for_work(c, seen);
    atomic_fetch_add(&c->inside, 1);
    unsigned ticket = atomic_load(&c->ticket);
    if (ticket & 1) {
      seen = ticket;
      atomic_store_explicit(&w->working, true, memory_order_relaxed);
      run_stretches(c, w->slot);
      atomic_store_explicit(&w->working, false, memory_order_relaxed);
    }
    leave(c);
  }
  return NULL;
}

/* ---- the caller's side ---- */

static void open_loop(crew *c, const loop *l) {
  c->loop = *l;
  int slots = c->count + 1;
  for (int i = 0; i < slots; i++) {
    int64_t begin = l->count / slots * i + (l->count % slots < i ? l->count % slots : i);
    c->shares[i].end = begin + l->count / slots + (i < l->count % slots);
    atomic_store_explicit(&c->shares[i].next, begin, memory_order_relaxed);
  }
  atomic_fetch_add(&c->ticket, 1);
  int sleepers = atomic_load(&c->sleepers);
  if (!sleepers) return;
  int64_t wanted = l->count - 1;
  pthread_mutex_lock(&c->mutex);
  if (wanted >= sleepers)
    pthread_cond_broadcast(&c->opened);
  else
    for (; wanted > 0; wanted--) pthread_cond_signal(&c->opened);
  pthread_mutex_unlock(&c->mutex);
}

static void close_loop(crew *c) {
  atomic_fetch_add(&c->ticket, 1);
  if (!atomic_load(&c->inside)) return;
  if (c->spin) {
    int64_t until = now() + c->spin;
    do {
      for (int i = 0; i < 16; i++) {
        if (!atomic_load(&c->inside)) return;
        relax();
      }
    } while (now() < until);
  }
  pthread_mutex_lock(&c->mutex);
  atomic_store(&c->caller_sleeps, true);
  while (atomic_load(&c->inside)) pthread_cond_wait(&c->left, &c->mutex);
  atomic_store(&c->caller_sleeps, false);
  pthread_mutex_unlock(&c->mutex);
}

/* ---- crews come and go ---- */

static void crew_join(crew *c, int started) {
  pthread_mutex_lock(&c->mutex);
  atomic_store(&c->stopping, true);
  pthread_cond_broadcast(&c->opened);
  pthread_mutex_unlock(&c->mutex);
  for (int i = 0; i < started; i++) pthread_join(c->workers[i].thread, NULL);
  pthread_cond_destroy(&c->left);
  pthread_cond_destroy(&c->opened);
  pthread_mutex_destroy(&c->mutex);
  heap_free(c);
}

/* The remainder changes no name that can occur: it shows the compiler that each fits. */
static void worker_name(int index, char name[16]) {
  snprintf(name, 16, "rill-%d", (index + 1) % 1000000000);
}

/* Starts the threads with all signals blocked, which they inherit. Returns how many it could. */
static int start_workers(crew *c) {
  sigset_t all, before;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes)) return 0;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int started = 0;
  for (; started < c->count; started++) {
    worker *w = &c->workers[started];
    w->crew = c;
    w->slot = started + 1;
    if (pthread_create(&w->thread, &attributes, worker_main, w)) break;
    char name[16];
    worker_name(started, name);
    pthread_setname_np(w->thread, name);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}

/* Spinning helps only where every thread has a processor to itself. */
static int64_t spin_time(int threads) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed)) return 0;
  return threads < CPU_COUNT(&allowed) ? SPIN_NANOSECONDS : 0;
}

static crew *crew_create(heap *h, int threads) {
  size_t slots = (size_t)threads + 1;
  size_t size = sizeof(crew) + slots * sizeof(share) + (size_t)threads * sizeof(worker);
  crew *c = heap_alloc(h, size);
  if (!c) return NULL;
  memset(c, 0, size);
  c->count = threads;
  c->workers = (worker *)(c->shares + slots);
  c->spin = spin_time(threads);
  if (pthread_mutex_init(&c->mutex, NULL)) goto no_mutex;
  if (pthread_cond_init(&c->opened, NULL)) goto no_opened;
  if (pthread_cond_init(&c->left, NULL)) goto no_left;
  int started = start_workers(c);
  if (started == threads) return c;
  crew_join(c, started);
  return NULL;

no_left:
  pthread_cond_destroy(&c->opened);
no_opened:
  pthread_mutex_destroy(&c->mutex);
no_mutex:
  heap_free(c);
  return NULL;
}

/* In a child process the threads are gone and their locks may be held for ever: neither is touched
 * again. Where new threads cannot be had the caller works alone, with the same results. */
static void pool_adopt(rill_context *ctx, pool *p) {
  heap_free(p->crew);
  p->owner = getpid();
  p->crew = crew_create(p->heap, p->threads);
  if (!p->crew) log_message(ctx, RILL_LOG_WARNING, "no threads after fork: work goes on with one");
}

/* ---- the pool ---- */

pool *pool_create(heap *h, const rill_context_options *options) {
  bool host = options->parallel_for != NULL;
  int slots = options->threads > 1 ? options->threads : 1;
  if (host) slots = options->parallel_width > 0 ? options->parallel_width : HOST_SLOTS;
  size_t words = host ? ((size_t)slots + SLOT_BITS - 1) / SLOT_BITS : 0;
  size_t size = sizeof(pool) + words * sizeof(atomic_ullong);
  pool *p = heap_alloc(h, size);
  if (!p) return NULL;
  memset(p, 0, size);
  p->heap = h;
  p->slots = slots;
  p->owner = getpid();
  p->host = options->parallel_for;
  p->host_user = options->parallel_user;
  p->threads = host ? 0 : slots - 1;
  if (p->threads) {
    p->crew = crew_create(h, p->threads);
    if (!p->crew) {
      heap_free(p);
      return NULL;
    }
  }
  return p;
}

void pool_close(pool *p) {
  if (!p) return;
  if (p->crew && p->owner == getpid())
    crew_join(p->crew, p->crew->count);
  else
    heap_free(p->crew);
  heap_free(p);
}

int pool_slots(const rill_context *ctx) { return ctx->pool ? ctx->pool->slots : 1; }

/* ---- the host's parallel-for ---- */

typedef struct host_job {
  pool *pool;
  loop loop;
} host_job;

/* The host runs at most as many jobs at once as there are slots; if it runs more, they wait. */
static int slot_take(pool *p) {
  for (;;) {
    for (int first = 0; first < p->slots; first += SLOT_BITS) {
      atomic_ullong *word = &p->taken[first / SLOT_BITS];
      unsigned long long bits = atomic_load_explicit(word, memory_order_relaxed);
      while (~bits) {
        int bit = __builtin_ctzll(~bits);
        if (first + bit >= p->slots) break;
        if (atomic_compare_exchange_weak_explicit(word, &bits, bits | 1ULL << bit,
                                                  memory_order_acquire, memory_order_relaxed))
          return first + bit;
      }
    }
    sched_yield();
  }
}

static void slot_give(pool *p, int slot) {
  atomic_fetch_and_explicit(&p->taken[slot / SLOT_BITS], ~(1ULL << slot % SLOT_BITS),
                            memory_order_release);
}

static void host_stretch(void *arg, int64_t index) {
  host_job *job = arg;
  int slot = slot_take(job->pool);
  run_stretch(&job->loop, index, slot);
  slot_give(job->pool, slot);
}

/* ---- loops ---- */

static void run_on_crew(rill_context *ctx, pool *p, const loop *l) {
  if (p->owner != getpid()) pool_adopt(ctx, p);
  if (!p->crew) {
    run_here(l);
    return;
  }
  open_loop(p->crew, l);
  run_stretches(p->crew, 0);
  close_loop(p->crew);
}

void pool_for(rill_context *ctx, int64_t n, int64_t grain, pool_fn fn, void *arg) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  loop l = {fn, arg, n, grain, (n - 1) / grain + 1};
  pool *p = ctx->pool;
  bool parallel = p && l.count > 1 && (p->host || p->threads);
  if (!parallel || atomic_exchange_explicit(&p->busy, true, memory_order_acquire)) {
    run_here(&l);
    return;
  }
  if (p->host)
    p->host(p->host_user, l.count, host_stretch, &(host_job){p, l});
  else
    run_on_crew(ctx, p, &l);
  atomic_store_explicit(&p->busy, false, memory_order_release);
}

/* ---- facts for the host ---- */

int rill_thread_count(const rill_context *ctx) {
  if (!ctx) return -1;
  const pool *p = ctx->pool;
  return p && p->crew && p->owner == getpid() ? p->crew->count : 0;
}

void rill_thread_info_init(rill_thread_info *info) {
  if (info) *info = (rill_thread_info)RILL_THREAD_INFO_INIT;
}

rill_status rill_thread_get_info(const rill_context *ctx, int index, rill_thread_info *info) {
  if (!ctx || !info || info->struct_size < sizeof(size_t)) return RILL_ERROR_ARGUMENT;
  if (index < 0 || index >= rill_thread_count(ctx)) return RILL_ERROR_ARGUMENT;
  worker *w = &ctx->pool->crew->workers[index];
  rill_thread_info facts = RILL_THREAD_INFO_INIT;
  worker_name(index, facts.name);
  facts.state = atomic_load_explicit(&w->working, memory_order_relaxed) ? RILL_THREAD_WORKING
                                                                        : RILL_THREAD_IDLE;
  facts.cpu_seconds = -1;
  clockid_t clock;
  struct timespec used;
  if (!pthread_getcpuclockid(w->thread, &clock) && !clock_gettime(clock, &used))
    facts.cpu_seconds = (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
  facts.struct_size = info->struct_size;
  memcpy(info, &facts, facts.struct_size < sizeof facts ? facts.struct_size : sizeof facts);
  return RILL_OK;
}
