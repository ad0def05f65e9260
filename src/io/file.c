/* Mapping files for reading, and replacing them in one step: temporary, fsync, rename, fsync of the
 * directory. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what went wrong ---- */

enum { REASON_SIZE = 128, PATH_SHOWN = 240, WRITE_MOST = 1 << 30 };

static const char *reason(int error, char buffer[REASON_SIZE]) {
#if defined __GLIBC__ && defined _GNU_SOURCE
  return strerror_r(error, buffer, REASON_SIZE);
#else
  if (strerror_r(error, buffer, REASON_SIZE)) snprintf(buffer, REASON_SIZE, "error %d", error);
  return buffer;
#endif
}

/* The end of a long path tells more than its beginning, and leaves room for the reason. */
static const char *path_tail(const char *path) {
  size_t size = strlen(path);
  return size > PATH_SHOWN ? path + size - PATH_SHOWN : path;
}

static rill_status fail(rill_context *ctx, rill_status code, const char *op, const char *verb,
                        const char *path, int error) {
  char buffer[REASON_SIZE];
  return error_set(ctx, code, op, "cannot %s %s: %s", verb, path_tail(path), reason(error, buffer));
}

/* ---- reading ---- */

static int open_retrying(int directory, const char *path, int flags, mode_t mode) {
  int fd;
  do fd = openat(directory, path, flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

rill_status file_map_open(rill_context *ctx, const char *op, const char *path, bool writable,
                          file_map *map) {
  *map = (file_map){0};
  if (!path) return error_set(ctx, RILL_ERROR_ARGUMENT, op, "path is NULL");
  /* O_NONBLOCK: a pipe must be refused, not waited for. */
  int fd = open_retrying(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0)
    return fail(ctx, errno == ENOENT ? RILL_ERROR_NOT_FOUND : RILL_ERROR_IO, op, "open", path,
                errno);
  rill_status status = RILL_OK;
  struct stat st;
  if (fstat(fd, &st)) {
    status = fail(ctx, RILL_ERROR_IO, op, "read", path, errno);
  } else if (!S_ISREG(st.st_mode)) {
    status =
        error_set(ctx, RILL_ERROR_IO, op, "cannot read %s: not a regular file", path_tail(path));
  } else if ((uintmax_t)st.st_size > PTRDIFF_MAX) {
    status = fail(ctx, RILL_ERROR_IO, op, "map", path, EFBIG);
  } else if (st.st_size == 0) {
    map->bytes = ""; /* there is no mapping of no bytes */
  } else {
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *bytes = mmap(NULL, (size_t)st.st_size, protection, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
      status = fail(ctx, RILL_ERROR_IO, op, "map", path, errno);
    else
      *map = (file_map){bytes, (size_t)st.st_size};
  }
  close(fd);
  return status;
}

void file_map_close(file_map *map) {
  if (map->size) munmap(map->bytes, map->size);
  *map = (file_map){0};
}

/* ---- writing ---- */

static rill_status writer_fail(file_writer *w, const char *verb, int error) {
  if (w->status == RILL_OK) w->status = fail(w->ctx, RILL_ERROR_IO, w->op, verb, w->path, error);
  return w->status;
}

/* Opens the directory of `path` and keeps the last part of it. */
static rill_status open_directory(file_writer *w, char *path) {
  char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (strlen(name) >= sizeof w->name) return writer_fail(w, "create", ENAMETOOLONG);
  if (!*name) return writer_fail(w, "create", *path ? EISDIR : ENOENT);
  strcpy(w->name, name);
  const char *directory = ".";
  if (slash) directory = slash == path ? "/" : (*slash = 0, path);
  w->directory = open_retrying(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0);
  return w->directory < 0 ? writer_fail(w, "create", errno) : RILL_OK;
}

/* A new file beside the old one, under a name that no other process or thread takes. */
static rill_status open_temporary(file_writer *w) {
  struct timespec t;
  for (int attempt = 0; attempt < 100; attempt++) {
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(w->temporary, sizeof w->temporary, "%.200s.%x-%lx-%x.tmp", w->name, (unsigned)getpid(),
             (unsigned long)t.tv_nsec, (unsigned)attempt);
    w->file = open_retrying(w->directory, w->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (w->file >= 0) return RILL_OK;
    if (errno != EEXIST) break;
  }
  int error = errno;
  w->temporary[0] = 0;
  return writer_fail(w, "create", error);
}

rill_status file_create(rill_context *ctx, const char *op, const char *path, file_writer *w) {
  *w = (file_writer){.ctx = ctx, .op = op, .path = path, .directory = -1, .file = -1};
  if (!path) return w->status = error_set(ctx, RILL_ERROR_ARGUMENT, op, "path is NULL");
  char target[PATH_MAX];
  if (!realpath(path, target)) {
    if (errno != ENOENT) return writer_fail(w, "create", errno);
    if (strlen(path) >= sizeof target) return writer_fail(w, "create", ENAMETOOLONG);
    strcpy(target, path);
  }
  struct stat old;
  if (open_directory(w, target) == RILL_OK) {
    bool exists = fstatat(w->directory, w->name, &old, 0) == 0;
    if (exists && !S_ISREG(old.st_mode))
      w->status = error_set(ctx, RILL_ERROR_IO, op, "cannot replace %s: not a regular file",
                            path_tail(path));
    else if (open_temporary(w) == RILL_OK && exists && fchmod(w->file, old.st_mode & 0777))
      writer_fail(w, "create", errno);
  }
  if (w->status != RILL_OK) file_abandon(w);
  return w->status;
}

rill_status file_write(file_writer *w, const void *bytes, size_t size) {
  const char *at = bytes;
  while (w->status == RILL_OK && size > 0) {
    ssize_t n = write(w->file, at, size < WRITE_MOST ? size : WRITE_MOST);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return writer_fail(w, "write", errno);
    at += n;
    size -= (size_t)n;
  }
  return w->status;
}

static int sync_retrying(int fd) {
  int result;
  do result = fsync(fd);
  while (result && errno == EINTR);
  return result;
}

rill_status file_commit(file_writer *w) {
  if (w->status == RILL_OK && sync_retrying(w->file)) writer_fail(w, "write", errno);
  if (w->file >= 0) {
    /* Network file systems report what they could not write only here. Linux closes in any case. */
    if (close(w->file) && errno != EINTR) writer_fail(w, "write", errno);
    w->file = -1;
  }
  if (w->status == RILL_OK) {
    if (renameat(w->directory, w->temporary, w->directory, w->name)) {
      writer_fail(w, "replace", errno);
    } else {
      w->temporary[0] = 0;
      /* Some file systems cannot sync a directory and say so; the new file is in place. */
      if (sync_retrying(w->directory) && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        writer_fail(w, "sync the directory of", errno);
    }
  }
  file_abandon(w);
  return w->status;
}

void file_abandon(file_writer *w) {
  if (w->file >= 0) close(w->file);
  if (w->temporary[0]) unlinkat(w->directory, w->temporary, 0);
  if (w->directory >= 0) close(w->directory);
  w->file = w->directory = -1;
  w->temporary[0] = 0;
}
