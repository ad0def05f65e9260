/* Loads the shared library given, uses it and unloads it, 100 times, while another thread lives: no
 * thread, mapping or open file may stay behind. */
#include <rill.h>

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int entries(const char *path) {
  DIR *dir = opendir(path);
  int n = 0;
  if (!dir) return -1;
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

static int mapped(const char *name) {
  char line[4096];
  int n = 0;
  FILE *f = fopen("/proc/self/maps", "r");
  if (!f) return -1;
  while (fgets(line, sizeof line, f)) n += strstr(line, name) != NULL;
  fclose(f);
  return n;
}

/* Joined threads leave /proc a moment after pthread_join returns. */
static int threads_settle(int wanted) {
  int n = entries("/proc/self/task");
  for (int i = 0; i < 200 && n > wanted; i++) {
    usleep(5000);
    n = entries("/proc/self/task");
  }
  return n;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *live(void *arg) {
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return arg;
}

/* A function pointer of the prototype's own type; memcpy, since ISO C has no cast from void *. */
#define LOOK_UP(name)                                                                              \
  __typeof__(rill_##name) *name;                                                                   \
  void *name##_address = dlsym(library, "rill_" #name);                                            \
  if (!name##_address) return fprintf(stderr, "loop: no rill_" #name "\n");                        \
  memcpy(&name, &name##_address, sizeof name)

static int once(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fprintf(stderr, "loop: %s\n", dlerror());
  LOOK_UP(context_create);
  LOOK_UP(context_close);
  LOOK_UP(thread_count);
  LOOK_UP(softmax_f64);
  rill_context_options options = RILL_CONTEXT_OPTIONS_INIT;
  options.threads = 3;
  rill_context *ctx = context_create(&options);
  if (!ctx || thread_count(ctx) != 2) return fprintf(stderr, "loop: no context of 2 workers\n");
  double x[2] = {0, 0};
  softmax_f64(x, x, 1, 2);
  if (x[0] != 0.5 || x[1] != 0.5) return fprintf(stderr, "loop: softmax %g %g\n", x[0], x[1]);
  context_close(ctx);
  return dlclose(library) ? fprintf(stderr, "loop: %s\n", dlerror()) : 0;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  pthread_t other;
  pthread_mutex_lock(&gate);
  if (pthread_create(&other, NULL, live, NULL)) return 2;
  int threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
  int status = 0;
  for (int i = 0; i < 100 && !status; i++) {
    status = once(argv[1]);
    if (!status && threads_settle(threads) != threads)
      status = fprintf(stderr, "loop: round %d leaves a thread\n", i);
    if (!status && (mapped("librill") || dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD)))
      status = fprintf(stderr, "loop: round %d leaves the library mapped\n", i);
    if (!status && entries("/proc/self/fd") != files)
      status = fprintf(stderr, "loop: round %d leaves a file open\n", i);
  }
  pthread_mutex_unlock(&gate);
  pthread_join(other, NULL);
  return status != 0;
}
