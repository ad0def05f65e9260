/* Files as the library reads and writes them: mapped whole, and replaced in one step. Failures are
 * set on the context with the path and the system's reason. */
#ifndef RILL_SRC_FILE_H
#define RILL_SRC_FILE_H

#include "base/base.h"

#include <sys/types.h>

/* ---- reading ---- */

typedef struct file_map {
  void *bytes; /* never NULL once open */
  size_t size;
} file_map;

/* Maps a regular file. What is written to the bytes stays in this process; writable false: writing
 * faults. RILL_ERROR_NOT_FOUND where there is no such file, RILL_ERROR_IO for all else. The file may
 * be replaced or removed meanwhile; if another program cuts it short, reading the bytes beyond its
 * new end raises SIGBUS, as with any mapping. */
rill_status file_map_open(rill_context *ctx, const char *op, const char *path, bool writable,
                          file_map *map);
void file_map_close(file_map *map); /* twice is fine */

/* ---- writing ---- */

/* A file on its way: the bytes go to a temporary beside `path`, which takes its place in
 * file_commit. Until then a failure or a crash leaves what was there before. A first failure is
 * kept and makes all further calls do nothing. */
typedef struct file_writer {
  rill_context *ctx;
  const char *op, *path; /* the caller's */
  rill_status status;
  int directory, file; /* descriptors; -1: not open */
  char temporary[256]; /* names in the directory */
  char name[256];
} file_writer;

/* A symbolic link is followed, so that what it points to is replaced. The new file has the old one's
 * permission bits, or those that the umask leaves of 0666. op and path stay the caller's until
 * commit. On failure there is nothing to abandon, but it does no harm. */
rill_status file_create(rill_context *ctx, const char *op, const char *path, file_writer *w);
rill_status file_write(file_writer *w, const void *bytes, size_t size);

/* Makes it last and puts it in place; after a failure cleans up and returns the first one. */
rill_status file_commit(file_writer *w);
/* Removes the temporary. After a commit does nothing. */
void file_abandon(file_writer *w);

#endif
