/* Reading by mapping, and replacing a file in one step: whatever happens, the old or the new one is
 * there whole. */
#include "main.h"
#include "base/base.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static rill_context *ctx;

static void setup(void) {
  strcpy(dir, "/tmp/rill-file-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(dir));
  ck_assert_int_eq(chdir(dir), 0);
  ctx = rill_context_create(NULL);
}

static void teardown(void) {
  rill_context_close(ctx);
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  ck_assert_int_eq(chdir("/"), 0);
  ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *bytes) {
  FILE *f = fopen(path, "w");
  ck_assert_ptr_nonnull(f);
  fputs(bytes, f);
  fclose(f);
}

static void expect_file(const char *path, const char *bytes) {
  file_map m;
  ck_assert_int_eq(file_map_open(ctx, "test", path, false, &m), RILL_OK);
  ck_assert_uint_eq(m.size, strlen(bytes));
  ck_assert(!memcmp(m.bytes, bytes, m.size));
  file_map_close(&m);
}

static int entries(const char *path) {
  DIR *d = opendir(path);
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

static rill_status replace(const char *path, const char *bytes) {
  file_writer w;
  file_create(ctx, "test", path, &w);
  file_write(&w, bytes, strlen(bytes));
  return file_commit(&w);
}

static void expect_error(rill_status got, rill_status code, const char *message) {
  ck_assert_int_eq(got, code);
  ck_assert_int_eq(rill_error(ctx), code);
  ck_assert_str_eq(rill_error_message(ctx), message);
  rill_error_clear(ctx);
}

/* ---- reading ---- */

START_TEST(files_are_mapped) {
  put("a", "hello");
  expect_file("a", "hello");
  put("empty", "");
  expect_file("empty", "");
  file_map m;
  ck_assert_int_eq(file_map_open(ctx, "test", "a", true, &m), RILL_OK);
  ((char *)m.bytes)[0] = 'J'; /* stays here */
  expect_file("a", "hello");
  ck_assert_int_eq(unlink("a"), 0);
  ck_assert(!memcmp(m.bytes, "Jello", 5));
  file_map_close(&m);
  file_map_close(&m);
}
END_TEST

START_TEST(what_cannot_be_read_is_said) {
  file_map m;
  expect_error(file_map_open(ctx, "load", "none", false, &m), RILL_ERROR_NOT_FOUND,
               "load: cannot open none: No such file or directory");
  ck_assert(m.bytes == NULL && m.size == 0);
  expect_error(file_map_open(ctx, "load", ".", false, &m), RILL_ERROR_IO,
               "load: cannot read .: not a regular file");
  ck_assert_int_eq(mkfifo("pipe", 0600), 0);
  expect_error(file_map_open(ctx, "load", "pipe", false, &m), RILL_ERROR_IO,
               "load: cannot read pipe: not a regular file");
  expect_error(file_map_open(ctx, "load", "/dev/null", false, &m), RILL_ERROR_IO,
               "load: cannot read /dev/null: not a regular file");
  expect_error(file_map_open(ctx, "load", NULL, false, &m), RILL_ERROR_ARGUMENT,
               "load: path is NULL");
  ck_assert_int_eq(symlink("loop", "loop"), 0);
  ck_assert_int_eq(file_map_open(ctx, "load", "loop", false, &m), RILL_ERROR_IO);
  rill_error_clear(ctx);
  /* A long path does not push the reason out of the message. */
  char path[4000];
  memset(path, 'x', sizeof path - 1);
  for (int i = 100; i < 3999; i += 100) path[i] = '/';
  path[sizeof path - 1] = 0;
  ck_assert_int_eq(file_map_open(ctx, "load", path, false, &m), RILL_ERROR_NOT_FOUND);
  ck_assert_ptr_nonnull(strstr(rill_error_message(ctx), ": No such file or directory"));
}
END_TEST

static int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) != -1;
  return n;
}

START_TEST(no_descriptor_leaks) {
  put("a", "1");
  int before = descriptors();
  file_map m;
  file_writer w;
  file_map_open(ctx, "test", ".", false, &m);
  file_map_open(ctx, "test", "none", false, &m);
  file_map_open(ctx, "test", "a", false, &m);
  file_map_close(&m);
  rill_error_clear(ctx);
  replace("a", "2");
  file_create(ctx, "test", "a", &w);
  file_abandon(&w);
  file_abandon(&w);
  file_create(ctx, "test", ".", &w);
  file_create(ctx, "test", "none/a", &w);
  ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* ---- writing ---- */

START_TEST(a_file_is_made_and_replaced) {
  ck_assert_int_eq(replace("a", "one"), RILL_OK);
  expect_file("a", "one");
  ck_assert_int_eq(replace("a", "a longer two"), RILL_OK);
  expect_file("a", "a longer two");
  ck_assert_int_eq(replace("a", ""), RILL_OK);
  expect_file("a", "");
  char path[100];
  snprintf(path, sizeof path, "%s/./b", dir);
  ck_assert_int_eq(replace(path, "absolute"), RILL_OK);
  expect_file("b", "absolute");
  ck_assert_int_eq(mkdir("sub", 0700), 0);
  ck_assert_int_eq(replace("sub/c", "below"), RILL_OK);
  expect_file("sub/c", "below");
  ck_assert_int_eq(entries("."), 3);
  ck_assert_int_eq(entries("sub"), 1);
}
END_TEST

START_TEST(the_old_file_stands_until_commit) {
  put("a", "old");
  file_writer w;
  ck_assert_int_eq(file_create(ctx, "test", "a", &w), RILL_OK);
  ck_assert_int_eq(file_write(&w, "new", 3), RILL_OK);
  expect_file("a", "old");
  ck_assert_int_eq(entries("."), 2);
  file_abandon(&w);
  expect_file("a", "old");
  ck_assert_int_eq(entries("."), 1);
  /* Who mapped the old one keeps it. */
  file_map m;
  file_map_open(ctx, "test", "a", false, &m);
  ck_assert_int_eq(replace("a", "new"), RILL_OK);
  ck_assert(!memcmp(m.bytes, "old", 3));
  file_map_close(&m);
  expect_file("a", "new");
}
END_TEST

static unsigned mode_of(const char *path) {
  struct stat st;
  ck_assert_int_eq(lstat(path, &st), 0);
  return st.st_mode & 07777;
}

START_TEST(permissions_are_the_old_ones_or_the_umasks) {
  umask(027);
  replace("new", "x");
  ck_assert_uint_eq(mode_of("new"), 0640);
  put("secret", "x");
  chmod("secret", 0600);
  replace("secret", "y");
  ck_assert_uint_eq(mode_of("secret"), 0600);
  chmod("secret", 0664);
  replace("secret", "z");
  ck_assert_uint_eq(mode_of("secret"), 0664);
  umask(022);
}
END_TEST

START_TEST(a_link_stays_a_link) {
  mkdir("far", 0700);
  put("far/a", "old");
  ck_assert_int_eq(symlink("far/a", "link"), 0);
  ck_assert_int_eq(replace("link", "new"), RILL_OK);
  expect_file("far/a", "new");
  struct stat st;
  ck_assert_int_eq(lstat("link", &st), 0);
  ck_assert(S_ISLNK(st.st_mode));
  ck_assert_int_eq(entries("far"), 1);
}
END_TEST

START_TEST(what_cannot_be_written_is_said) {
  file_writer w;
  expect_error(file_create(ctx, "save", NULL, &w), RILL_ERROR_ARGUMENT, "save: path is NULL");
  expect_error(file_create(ctx, "save", "none/a", &w), RILL_ERROR_IO,
               "save: cannot create none/a: No such file or directory");
  expect_error(file_create(ctx, "save", "", &w), RILL_ERROR_IO,
               "save: cannot create : No such file or directory");
  expect_error(file_create(ctx, "save", "/dev/null", &w), RILL_ERROR_IO,
               "save: cannot replace /dev/null: not a regular file");
  mkdir("sub", 0700);
  expect_error(file_create(ctx, "save", "sub", &w), RILL_ERROR_IO,
               "save: cannot replace sub: not a regular file");
  expect_error(file_create(ctx, "save", "sub/", &w), RILL_ERROR_IO,
               "save: cannot replace sub/: not a regular file");
  expect_error(file_create(ctx, "save", "other/", &w), RILL_ERROR_IO,
               "save: cannot create other/: Is a directory");
  put("plain", "x");
  expect_error(file_create(ctx, "save", "plain/a", &w), RILL_ERROR_IO,
               "save: cannot create plain/a: Not a directory");
  char name[400];
  memset(name, 'n', 299);
  name[299] = 0;
  ck_assert_int_eq(file_create(ctx, "save", name, &w), RILL_ERROR_IO);
  ck_assert_ptr_nonnull(strstr(rill_error_message(ctx), "File name too long"));
  rill_error_clear(ctx);
  name[255] = 0; /* the longest there is */
  ck_assert_int_eq(replace(name, "long"), RILL_OK);
  expect_file(name, "long");
  /* After a failure all is refused, with the first reason. */
  file_create(ctx, "save", "none/a", &w);
  rill_error_clear(ctx);
  ck_assert_int_eq(file_write(&w, "x", 1), RILL_ERROR_IO);
  ck_assert_int_eq(file_commit(&w), RILL_ERROR_IO);
  ck_assert_int_eq(entries("."), 3);
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file) {
  put("a", "old");
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit, small = {5000, RLIM_INFINITY};
  getrlimit(RLIMIT_FSIZE, &limit);
  small.rlim_max = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &small);
  static char block[3000];
  file_writer w;
  ck_assert_int_eq(file_create(ctx, "save", "a", &w), RILL_OK);
  ck_assert_int_eq(file_write(&w, block, sizeof block), RILL_OK);
  expect_error(file_write(&w, block, sizeof block), RILL_ERROR_IO,
               "save: cannot write a: File too large"); /* after a short write of 2000 bytes */
  ck_assert_int_eq(file_write(&w, block, 1), RILL_ERROR_IO);
  ck_assert_int_eq(file_commit(&w), RILL_ERROR_IO);
  setrlimit(RLIMIT_FSIZE, &limit);
  expect_file("a", "old");
  ck_assert_int_eq(entries("."), 1);
}
END_TEST

static void ignore_signal(int s) { (void)s; }

/* A storm of signals: every call may be interrupted. */
START_TEST(signals_do_not_disturb) {
  struct sigaction action = {.sa_handler = ignore_signal}; /* no SA_RESTART */
  sigaction(SIGUSR1, &action, NULL);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (;;) kill(parent, SIGUSR1), usleep(20);
  }
  enum { SIZE = 1 << 20 };
  char *bytes = malloc(SIZE);
  for (int round = 0; round < 8; round++) {
    memset(bytes, 'a' + round, SIZE);
    file_writer w;
    ck_assert_int_eq(file_create(ctx, "test", "a", &w), RILL_OK);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(file_write(&w, bytes, SIZE), RILL_OK);
    ck_assert_int_eq(file_commit(&w), RILL_OK);
    file_map m;
    ck_assert_int_eq(file_map_open(ctx, "test", "a", false, &m), RILL_OK);
    ck_assert_uint_eq(m.size, 4 * SIZE);
    for (int i = 0; i < 4; i++) ck_assert(!memcmp((char *)m.bytes + i * SIZE, bytes, SIZE));
    file_map_close(&m);
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  free(bytes);
}
END_TEST

/* ---- a kill at any moment ---- */

enum { BLOCK = 4096, BLOCKS = 24 };

/* Generation g of the file: its blocks hold g, and there are more of them the larger g is. */
static void write_generation(int g) {
  int block[BLOCK / sizeof(int)];
  for (size_t i = 0; i < BLOCK / sizeof(int); i++) block[i] = g;
  file_writer w;
  file_create(ctx, "test", "a", &w);
  for (int i = 0; i < BLOCKS + g % 7; i++) file_write(&w, block, BLOCK);
  if (file_commit(&w) != RILL_OK) _exit(1);
}

START_TEST(a_kill_leaves_the_old_or_the_new_file_whole) {
  write_generation(0);
  uint64_t seed = 2024;
  int last = 0, moved = 0;
  for (int round = 0; round < 100; round++) {
    pid_t child = fork();
    if (child == 0) {
      for (int g = last + 1;; g++) write_generation(g);
    }
    usleep((useconds_t)(test_uniform(&seed) * 6000));
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status));
    file_map m;
    ck_assert_int_eq(file_map_open(ctx, "test", "a", false, &m), RILL_OK);
    const int *values = m.bytes;
    int g = values[0];
    ck_assert_int_ge(g, last);
    ck_assert_uint_eq(m.size, (size_t)(BLOCKS + g % 7) * BLOCK);
    size_t same = 0;
    for (size_t i = 0; i < m.size / sizeof(int); i++) same += values[i] == g;
    ck_assert_uint_eq(same, m.size / sizeof(int));
    file_map_close(&m);
    moved += g > last;
    last = g;
  }
  ck_assert_int_gt(moved, 5); /* else nothing was tried */
}
END_TEST

static TCase *tcase(void) {
  TCase *c = tcase_create("file");
  tcase_set_timeout(c, 60);
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, files_are_mapped);
  tcase_add_test(c, what_cannot_be_read_is_said);
  tcase_add_test(c, no_descriptor_leaks);
  tcase_add_test(c, a_file_is_made_and_replaced);
  tcase_add_test(c, the_old_file_stands_until_commit);
  tcase_add_test(c, permissions_are_the_old_ones_or_the_umasks);
  tcase_add_test(c, a_link_stays_a_link);
  tcase_add_test(c, what_cannot_be_written_is_said);
  tcase_add_test(c, a_full_disk_leaves_the_old_file);
  tcase_add_test(c, signals_do_not_disturb);
  tcase_add_test(c, a_kill_leaves_the_old_or_the_new_file_whole);
  return c;
}

TEST_MAIN("file", tcase)
