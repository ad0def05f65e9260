/* The pool: equal bits for any number of threads, nesting, fork, signals, the host's own
 * parallel-for, and what it tells about its threads. */
#include "main.h"
#include "base/base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static rill_context *context_with(int threads) {
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.threads = threads;
  return rill_context_create(&o);
}

/* ---- equal bits ---- */

enum { N = 100003 };

typedef struct sums {
  const double *x;
  double *partial;
  int64_t grain;
} sums;

static void sum_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  sums *s = arg;
  (void)slot;
  double sum = 0;
  for (int64_t i = begin; i < end; i++) sum += s->x[i];
  s->partial[begin / s->grain] = sum;
}

START_TEST(the_same_bits_for_any_number_of_threads) {
  double *x = malloc(N * sizeof *x), *want = calloc(N, sizeof *want);
  uint64_t seed = 7;
  for (int i = 0; i < N; i++) x[i] = test_normal(&seed);
  int64_t grains[] = {1, 7, 1000, N - 1, N, N + 1};
  for (int g = 0; g < 6; g++) {
    int64_t grain = grains[g];
    for (int64_t b = 0; b < N; b += grain) {
      want[b / grain] = 0;
      for (int64_t i = b; i < N && i < b + grain; i++) want[b / grain] += x[i];
    }
    for (int threads = 0; threads <= 5; threads++) {
      rill_context *ctx = context_with(threads);
      double *got = calloc(N, sizeof *got);
      for (int round = 0; round < 3; round++) {
        memset(got, 0, N * sizeof *got);
        pool_for(ctx, N, grain, sum_stretch, &(sums){x, got, grain});
        ck_assert(!memcmp(got, want, (size_t)((N - 1) / grain + 1) * sizeof *got));
      }
      free(got);
      rill_context_close(ctx);
    }
  }
  free(x), free(want);
}
END_TEST

/* Each index once, and no slot twice at the same time. */
typedef struct census {
  atomic_int *seen;
  atomic_int in_slot[256];
  atomic_int clashes, bad_slots;
  int slots;
} census;

static void census_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  census *c = arg;
  if (slot < 0 || slot >= c->slots) {
    atomic_fetch_add(&c->bad_slots, 1);
    return;
  }
  if (atomic_fetch_add(&c->in_slot[slot], 1)) atomic_fetch_add(&c->clashes, 1);
  for (int64_t i = begin; i < end; i++) atomic_fetch_add(&c->seen[i], 1);
  if (begin % 64 == 0) sched_yield();
  atomic_fetch_sub(&c->in_slot[slot], 1);
}

static void take_census(rill_context *ctx, int64_t n, int64_t grain) {
  census c = {.seen = calloc((size_t)n, sizeof(atomic_int)), .slots = pool_slots(ctx)};
  pool_for(ctx, n, grain, census_stretch, &c);
  ck_assert_int_eq(c.clashes, 0);
  ck_assert_int_eq(c.bad_slots, 0);
  for (int64_t i = 0; i < n; i++) ck_assert_int_eq(c.seen[i], 1);
  free(c.seen);
}

START_TEST(every_index_once_and_slots_apart) {
  for (int threads = 1; threads <= 8; threads++) {
    rill_context *ctx = context_with(threads);
    ck_assert_int_eq(pool_slots(ctx), threads);
    for (int64_t n = 1; n < 400; n += 13) take_census(ctx, n, 1 + n % 5);
    take_census(ctx, 20000, 3);
    rill_context_close(ctx);
  }
}
END_TEST

static void count_call(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  atomic_fetch_add((atomic_llong *)arg, end - begin);
}

START_TEST(empty_loops_and_odd_grains) {
  rill_context *ctx = context_with(3);
  atomic_llong calls = 0;
  pool_for(ctx, 0, 4, count_call, &calls);
  pool_for(ctx, -3, 4, count_call, &calls);
  ck_assert_int_eq(calls, 0);
  pool_for(ctx, 10, 0, count_call, &calls);
  pool_for(ctx, 10, -1, count_call, &calls);
  pool_for(ctx, 10, INT64_MAX, count_call, &calls);
  ck_assert_int_eq(calls, 30);
  rill_context_close(ctx);
}
END_TEST

/* Stretches near the end of int64_t: their bounds must not wrap. */
static void far_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  if (begin < 0 || end <= begin) atomic_fetch_add((atomic_llong *)arg, 1);
}

START_TEST(the_largest_loop_does_not_wrap) {
  rill_context *ctx = context_with(2);
  atomic_llong bad = 0;
  pool_for(ctx, INT64_MAX, INT64_MAX / 3 + 1, far_stretch, &bad);
  pool_for(ctx, INT64_MAX, INT64_MAX - 1, far_stretch, &bad);
  ck_assert_int_eq(bad, 0);
  rill_context_close(ctx);
}
END_TEST

/* ---- work inside work ---- */

typedef struct nested {
  rill_context *ctx;
  atomic_llong count;
} nested;

static void inner_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  ck_assert_int_eq(slot, 0);
  atomic_fetch_add(&((nested *)arg)->count, end - begin);
}

static void outer_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  (void)slot;
  for (int64_t i = begin; i < end; i++) pool_for(((nested *)arg)->ctx, 10, 1, inner_stretch, arg);
}

START_TEST(work_inside_work_runs_where_it_stands) {
  rill_context *ctx = context_with(4);
  nested n = {ctx, 0};
  pool_for(ctx, 100, 1, outer_stretch, &n);
  ck_assert_int_eq(n.count, 1000);
  take_census(ctx, 1000, 1);
  rill_context_close(ctx);
}
END_TEST

/* ---- threads ---- */

static double elapsed(struct timespec from) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)(t.tv_sec - from.tv_sec) + (double)(t.tv_nsec - from.tv_nsec) * 1e-9;
}

static void busy(double seconds) {
  struct timespec t0;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  while (elapsed(t0) < seconds) {
  }
}

typedef struct meeting {
  pthread_t caller;
  rill_context *ctx;
  atomic_int others; /* stretches run by workers */
  atomic_int unblocked, working, names;
} meeting;

/* The caller's stretches wait for a worker, so that workers surely take part. */
static void meet_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  meeting *m = arg;
  (void)begin, (void)end;
  if (pthread_equal(pthread_self(), m->caller)) {
    struct timespec t0;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    while (!atomic_load(&m->others) && elapsed(t0) < 20) sched_yield();
    return;
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  for (int s = 1; s < 32; s++)
    if (s != SIGKILL && s != SIGSTOP && !sigismember(&mask, s)) atomic_fetch_add(&m->unblocked, 1);
  char name[16] = "", want[16];
  pthread_getname_np(pthread_self(), name, sizeof name);
  snprintf(want, sizeof want, "rill-%d", slot);
  if (!strcmp(name, want)) atomic_fetch_add(&m->names, 1);
  rill_thread_info info = RILL_THREAD_INFO_INIT;
  if (rill_thread_get_info(m->ctx, slot - 1, &info) == RILL_OK && info.state == RILL_THREAD_WORKING)
    atomic_fetch_add(&m->working, 1);
  busy(0.02);
  atomic_fetch_add(&m->others, 1);
}

START_TEST(workers_are_named_listed_and_block_signals) {
  rill_context *ctx = context_with(3);
  ck_assert_int_eq(rill_thread_count(ctx), 2);
  meeting m = {.caller = pthread_self(), .ctx = ctx};
  pool_for(ctx, 6, 1, meet_stretch, &m);
  ck_assert_int_gt(m.others, 0);
  ck_assert_int_eq(m.unblocked, 0);
  ck_assert_int_eq(m.names, m.others);
  ck_assert_int_eq(m.working, m.others);
  double used = 0;
  for (int i = 0; i < 2; i++) {
    rill_thread_info info;
    rill_thread_info_init(&info);
    ck_assert_int_eq(rill_thread_get_info(ctx, i, &info), RILL_OK);
    ck_assert_str_eq(info.name, i ? "rill-2" : "rill-1");
    ck_assert_int_eq(info.state, RILL_THREAD_IDLE);
    ck_assert(info.cpu_seconds >= 0);
    used += info.cpu_seconds;
  }
  ck_assert_double_ge(used, 0.001);
  rill_context_close(ctx);
}
END_TEST

START_TEST(thread_queries_refuse_what_is_wrong) {
  rill_context *one = rill_context_create(NULL), *two = context_with(2);
  rill_thread_info info = RILL_THREAD_INFO_INIT, old = {.struct_size = sizeof(size_t) + 4};
  ck_assert_int_eq(rill_thread_count(NULL), -1);
  ck_assert_int_eq(rill_thread_count(one), 0);
  ck_assert_int_eq(rill_thread_get_info(NULL, 0, &info), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_thread_get_info(one, 0, &info), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_thread_get_info(two, -1, &info), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_thread_get_info(two, 1, &info), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_thread_get_info(two, 0, NULL), RILL_ERROR_ARGUMENT);
  ck_assert_int_eq(rill_thread_get_info(two, 0, &(rill_thread_info){0}), RILL_ERROR_ARGUMENT);
  /* A caller built against a shorter struct gets no byte more than it has. */
  memset(old.name, '#', sizeof old.name);
  ck_assert_int_eq(rill_thread_get_info(two, 0, &old), RILL_OK);
  ck_assert(!memcmp(old.name, "rill############", 16));
  rill_thread_info_init(NULL);
  rill_context_close(one), rill_context_close(two);
}
END_TEST

static atomic_int delivered;
static pthread_t main_thread;

static void on_signal(int signal) {
  (void)signal;
  atomic_fetch_add(&delivered, pthread_equal(pthread_self(), main_thread) ? 1 : 1000);
}

static void busy_stretch(void *arg, int64_t begin, int64_t end, int slot) {
  (void)arg, (void)begin, (void)end, (void)slot;
  busy(0.0001);
}

START_TEST(signals_reach_the_hosts_thread) {
  main_thread = pthread_self();
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  rill_context *ctx = context_with(4);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int s = 1; s < 32; s++) ck_assert_int_eq(sigismember(&before, s), sigismember(&after, s));
  for (int i = 0; i < 50; i++) {
    kill(getpid(), SIGUSR1);
    pool_for(ctx, 8, 1, busy_stretch, NULL);
  }
  rill_context_close(ctx);
  ck_assert_int_gt(delivered, 0);
  ck_assert_int_le(delivered, 50);
}
END_TEST

static int thread_count_now(void) {
  FILE *f = fopen("/proc/self/status", "r");
  char line[256];
  int threads = -1;
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "Threads: %d", &threads) == 1) break;
  if (f) fclose(f);
  return threads;
}

/* The threads of this process, once they are `want`; a joined thread may take a moment to go. */
static int thread_total(int want) {
  int total = 0;
  for (int i = 0; i < 1000 && (total = thread_count_now()) != want; i++) usleep(1000);
  return total;
}

START_TEST(a_thousand_pools_come_and_go) {
  rill_context_close(context_with(2));
  int before = thread_count_now();
  for (int i = 0; i < 1000; i++) {
    rill_context *ctx = context_with(2 + i % 3);
    ck_assert_ptr_nonnull(ctx);
    atomic_llong calls = 0;
    if (i % 2) {
      pool_for(ctx, 64, 1, count_call, &calls);
      ck_assert_int_eq(calls, 64);
    }
    rill_context_close(ctx);
  }
  ck_assert_int_eq(thread_total(before), before);
}
END_TEST

/* Work separated by pauses, so that workers are caught spinning, falling asleep and asleep. */
START_TEST(sleepers_wake_up) {
  rill_context *ctx = context_with(3);
  uint64_t seed = 3;
  for (int i = 0; i < 3000; i++) {
    atomic_llong calls = 0;
    pool_for(ctx, 5, 1, count_call, &calls);
    ck_assert_int_eq(calls, 5);
    busy(test_uniform(&seed) * 100e-6);
  }
  rill_context_close(ctx);
}
END_TEST

/* ---- what cannot be had ---- */

/* Address- and ThreadSanitizer die of a limit on their address space. */
#if !UNDER_ASAN && !UNDER_TSAN
static atomic_long live_blocks;
static void *counted_malloc(void *user, size_t size) {
  (void)user;
  atomic_fetch_add(&live_blocks, 1);
  return malloc(size);
}
static void counted_free(void *user, void *block) {
  (void)user;
  if (block) atomic_fetch_sub(&live_blocks, 1);
  free(block);
}

START_TEST(no_threads_no_pool_and_no_leak) {
  rill_context_close(context_with(2)); /* the sanitizers' own thread, if any, is there now */
  int before = thread_count_now();
  rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
  o.allocator.malloc = counted_malloc, o.allocator.free = counted_free;
  o.threads = 512;
  /* Address space for some of the 512 stacks of a megabyte, not for all. */
  FILE *f = fopen("/proc/self/statm", "r");
  long pages = 0;
  ck_assert(f && fscanf(f, "%ld", &pages) == 1);
  fclose(f);
  struct rlimit limit;
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)100 << 20);
  setrlimit(RLIMIT_AS, &limit);
  ck_assert_ptr_null(rill_context_create(&o));
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
  ck_assert_int_eq(live_blocks, 0);
  ck_assert_int_eq(thread_total(before), before);
  o.threads = 4;
  rill_context *ctx = rill_context_create(&o);
  ck_assert_ptr_nonnull(ctx);
  rill_context_close(ctx);
  ck_assert_int_eq(live_blocks, 0);
}
END_TEST
#endif

/* ---- fork ---- */

static void arrive(void *arg, int64_t begin, int64_t end, int slot) {
  atomic_int *here = arg;
  (void)begin, (void)end, (void)slot;
  struct timespec t0;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  atomic_fetch_add(here, 1);
  while (atomic_load(here) < 4 && elapsed(t0) < 10) sched_yield();
}

/* Each of four threads takes one of four stretches: none returns before all are there. */
static bool all_take_part(rill_context *ctx) {
  atomic_int here = 0;
  struct timespec t0;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  pool_for(ctx, 4, 1, arrive, &here);
  return here == 4 && elapsed(t0) < 10;
}

/* ThreadSanitizer allows no new threads in the child of a process that had some. */
#if !UNDER_TSAN
/* 0 where the context works in this process, alone or in a child of it. */
static int work_in_child(rill_context *ctx, int depth) {
  if (rill_thread_count(ctx) != 0) return 1; /* the parent's threads are not here */
  for (int i = 0; i < 20; i++) {
    atomic_llong calls = 0;
    pool_for(ctx, 1000, 1, count_call, &calls);
    if (calls != 1000) return 2;
  }
  if (!all_take_part(ctx)) return 8;
  if (rill_thread_count(ctx) != 3 || thread_total(4) != 4) return 3;
  if (depth > 0) {
    pid_t pid = fork();
    if (pid < 0) return 4;
    if (pid == 0) _exit(work_in_child(ctx, depth - 1));
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 5;
    if (WEXITSTATUS(status)) return WEXITSTATUS(status);
    atomic_llong calls = 0;
    pool_for(ctx, 1000, 1, count_call, &calls);
    if (calls != 1000) return 6;
  }
  rill_context_close(ctx);
  return thread_total(1) == 1 ? 0 : 7;
}

START_TEST(children_get_threads_of_their_own) {
  rill_context *ctx = context_with(4);
  atomic_llong calls = 0;
  ck_assert(all_take_part(ctx));
  pool_for(ctx, 1000, 1, count_call, &calls);
  for (int i = 0; i < 20; i++) {
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
      alarm(20);
      _exit(work_in_child(ctx, 2));
    }
    pool_for(ctx, 1000, 1, count_call, &calls);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
  }
  ck_assert_int_eq(calls, 21000);
  ck_assert_int_eq(rill_thread_count(ctx), 3);
  rill_context_close(ctx);
}
END_TEST
#endif

START_TEST(every_thread_takes_part) {
  rill_context *ctx = context_with(4);
  for (int i = 0; i < 200; i++) {
    ck_assert(all_take_part(ctx));
    if (i % 20 == 0) usleep(1000);
  }
  rill_context_close(ctx);
}
END_TEST

START_TEST(a_child_may_close_without_working) {
  rill_context *ctx = context_with(4);
  ck_assert(all_take_part(ctx));
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    rill_context_close(ctx);
    _exit(0);
  }
  int status;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  rill_context_close(ctx);
}
END_TEST

/* ---- the host's own parallel-for ---- */

typedef struct host_pool {
  int threads;
  atomic_int calls;
} host_pool;

typedef struct host_share {
  rill_job job;
  void *arg;
  int64_t count;
  atomic_llong next;
} host_share;

static void *host_thread(void *arg) {
  host_share *s = arg;
  for (int64_t i; (i = atomic_fetch_add(&s->next, 1)) < s->count;) s->job(s->arg, s->count - 1 - i);
  return NULL;
}

static void host_parallel_for(void *user, int64_t count, rill_job job, void *arg) {
  host_pool *p = user;
  pthread_t threads[200];
  host_share s = {job, arg, count, 0};
  atomic_fetch_add(&p->calls, 1);
  for (int i = 0; i < p->threads; i++) pthread_create(&threads[i], NULL, host_thread, &s);
  for (int i = 0; i < p->threads; i++) pthread_join(threads[i], NULL);
}

START_TEST(the_hosts_parallel_for_takes_the_pools_place) {
  /* widths of one word of slots and of three; more threads than slots, which must wait */
  int widths[][2] = {{0, 4}, {1, 1}, {3, 3}, {130, 130}, {2, 9}};
  for (int w = 0; w < 5; w++) {
    host_pool host = {.threads = widths[w][1]};
    rill_context_options o = RILL_CONTEXT_OPTIONS_INIT;
    o.threads = 3;
    o.parallel_for = host_parallel_for, o.parallel_user = &host;
    o.parallel_width = widths[w][0];
    rill_context *ctx = rill_context_create(&o);
    ck_assert_int_eq(rill_thread_count(ctx), 0);
    ck_assert_int_eq(pool_slots(ctx), widths[w][0] ? widths[w][0] : 64);
    take_census(ctx, 5000, 3);
    take_census(ctx, 3, 3);
    ck_assert_int_eq(host.calls, 1); /* one stretch alone needs no host */
    nested n = {ctx, 0};
    pool_for(ctx, 20, 1, outer_stretch, &n);
    ck_assert_int_eq(n.count, 200);
    ck_assert_int_eq(host.calls, 2);
    rill_context_close(ctx);
  }
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("pool");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, the_same_bits_for_any_number_of_threads);
  tcase_add_test(c, every_index_once_and_slots_apart);
  tcase_add_test(c, empty_loops_and_odd_grains);
  tcase_add_test(c, the_largest_loop_does_not_wrap);
  tcase_add_test(c, work_inside_work_runs_where_it_stands);
  tcase_add_test(c, workers_are_named_listed_and_block_signals);
  tcase_add_test(c, thread_queries_refuse_what_is_wrong);
  tcase_add_test(c, signals_reach_the_hosts_thread);
  tcase_add_test(c, a_thousand_pools_come_and_go);
  tcase_add_test(c, sleepers_wake_up);
  tcase_add_test(c, every_thread_takes_part);
#if !UNDER_ASAN && !UNDER_TSAN
  tcase_add_test(c, no_threads_no_pool_and_no_leak);
#endif
#if !UNDER_TSAN
  tcase_add_test(c, children_get_threads_of_their_own);
#endif
  tcase_add_test(c, a_child_may_close_without_working);
  tcase_add_test(c, the_hosts_parallel_for_takes_the_pools_place);
  return c;
}

TEST_MAIN("pool", tcase)
