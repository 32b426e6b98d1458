/*
** durable.c -- writing that survives a crash, of files and of whole directories. A failure leaves
** what was there before and nothing beside it.
*/
#include "durable.h"
#include "status.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pl_status failed(const char *path) {
  return status_fail(PL_EIO, NULL, "path", "cannot write %s: %s", path, strerror(errno));
}

char *durable_temporary(const char *path) {
  size_t room = strlen(path) + 32;
  char *temporary = malloc(room);
  if (temporary) snprintf(temporary, room, "%s.%d.tmp", path, (int)getpid());
  return temporary;
}

/* Is this "<name>" or "<name>.<digits>.tmp"? */
static bool is_of(const char *entry, const char *name) {
  size_t length = strlen(name);
  if (strncmp(entry, name, length) != 0) return false;
  entry += length;
  if (!*entry) return true;
  if (*entry++ != '.' || !isdigit((unsigned char)*entry)) return false;
  while (isdigit((unsigned char)*entry)) entry++;
  return strcmp(entry, ".tmp") == 0;
}

pl_status durable_cannot_remove(const char *path, int error) {
  return status_fail(PL_EIO, NULL, "path", "cannot remove %s: %s", path, strerror(error));
}

pl_status durable_clear_directory(const char *path, const char *const *names, int32_t n) {
  DIR *directory = opendir(path);
  int error = 0;
  if (!directory) return errno == ENOENT ? PL_OK : durable_cannot_remove(path, errno);
  for (struct dirent *entry; (entry = readdir(directory));)
    for (int32_t i = 0; i < n; i++)
      if (is_of(entry->d_name, names[i]) && unlinkat(dirfd(directory), entry->d_name, 0)
          && errno != ENOENT) error = errno;
  closedir(directory);
  if (rmdir(path) && !error && errno != ENOTEMPTY && errno != EEXIST) error = errno;
  return error ? durable_cannot_remove(path, error) : PL_OK;
}

pl_status durable_begin(const char *path, durable *out) {
  char *temporary = durable_temporary(path);
  if (!temporary)
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", path);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    pl_status s = failed(path);
    free(temporary);
    return s;
  }
  *out = (durable){.path = path, .temporary = temporary, .fd = fd};
  return PL_OK;
}

pl_status durable_write(durable *d, const void *bytes, int64_t n) {
  const char *from = bytes;
  while (n > 0) {
    ssize_t done = write(d->fd, from, n < 1 << 30 ? (size_t)n : 1 << 30);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(d->path);
    from += done;
    n -= done;
  }
  return PL_OK;
}

/* The names in a directory are on the disk too. A file system that cannot sync directories keeps
** them in order itself. */
static pl_status sync_directory(const char *directory) {
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(directory);
  pl_status s = fsync(fd) && errno != EINVAL ? failed(directory) : PL_OK;
  close(fd);
  return s;
}

static pl_status sync_parent(const char *path) {
  char *parent = strdup(path);
  if (!parent) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", path);
  char *slash = strrchr(parent, '/');
  if (slash) slash[slash == parent] = 0;
  pl_status s = sync_directory(slash ? parent : ".");
  free(parent);
  return s;
}

pl_status durable_end(durable *d, pl_status status) {
  if (!status && fsync(d->fd)) status = failed(d->path);
  if (close(d->fd) && !status) status = failed(d->path);
  if (!status && rename(d->temporary, d->path)) status = failed(d->path);
  if (status) unlink(d->temporary);
  free(d->temporary);
  return status ? status : sync_parent(d->path);
}

/* Both names change places at once; where the file system cannot, the old directory has no name
** for a moment. */
static int exchange(const char *temporary, const char *path) {
  if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  size_t room = strlen(path) + 32;
  char *aside = malloc(room);
  if (!aside) return -1;
  snprintf(aside, room, "%s.%d.old", path, (int)getpid());
  int result = rename(path, aside) || rename(temporary, path) || rename(aside, temporary);
  free(aside);
  return result ? -1 : 0;
}

pl_status durable_publish(const char *temporary, const char *path) {
  pl_status s = sync_directory(temporary);
  if (s) return s;
  bool exists = access(path, F_OK) == 0;
  if (exists ? exchange(temporary, path) : rename(temporary, path)) return failed(path);
  return sync_parent(path);
}
