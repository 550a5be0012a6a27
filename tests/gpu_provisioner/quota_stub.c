/* A quota: while the file $QUOTA_STUB_REACHED is there, nothing is written below the folder $QUOTA_STUB_OF. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int refused(int handle) {
  char link[64], path[4096];
  const char *folder = getenv("QUOTA_STUB_OF"), *reached = getenv("QUOTA_STUB_REACHED");
  if (!folder || !reached || access(reached, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return strncmp(path, folder, strlen(folder)) == 0;
}

ssize_t write(int handle, const void *data, size_t size) {
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  if (refused(handle)) { errno = EDQUOT; return -1; }
  return real(handle, data, size);
}

ssize_t writev(int handle, const struct iovec *pieces, int count) {
  ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
  if (refused(handle)) { errno = EDQUOT; return -1; }
  return real(handle, pieces, count);
}
