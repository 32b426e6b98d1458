/*
** safetensors.c -- reads safetensors files: eight bytes of length, a header, the data. The header
** is checked whole when a file is opened; elements are read on demand, straight into the tensor
** where its memory can be pointed at. The file is never mapped: one that is cut short meanwhile is
** an error and no fault.
*/
#include "header.h"
#include "status.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MOST = 100000000 };    /* the format's own limit */

struct pl_safetensors {
  header header;
  int fd;
  int64_t data;                      /* where the data begins */
  char path[];
};

static pl_status no_memory(const char *path) {
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while reading %s", path);
}

static pl_status invalid(const char *path, const char *problem) {
  return status_fail(PL_EFORMAT, NULL, NULL, "%s is no valid safetensors file: %s", path, problem);
}

static pl_status read_at(int fd, const char *path, char *dst, int64_t n, int64_t at) {
  while (n > 0) {
    ssize_t got = pread(fd, dst, n < 1 << 30 ? (size_t)n : 1 << 30, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return status_fail(PL_EIO, NULL, NULL, "cannot read %s: %s", path, strerror(errno));
    if (got == 0) return invalid(path, "it is cut short");
    dst += got;
    n -= got;
    at += got;
  }
  return PL_OK;
}

static pl_status file_size(int fd, const char *path, int64_t *out) {
  struct stat info;
  if (fstat(fd, &info))
    return status_fail(PL_EIO, NULL, NULL, "cannot read %s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return status_fail(PL_EIO, NULL, NULL, "cannot read %s: it is no regular file", path);
  *out = info.st_size;
  return PL_OK;
}

static pl_status read_header(pl_safetensors *f) {
  uint8_t prefix[8];
  int64_t size = 0, length = 0;
  pl_status s = file_size(f->fd, f->path, &size);
  if (s) return s;
  if (size < 8) return invalid(f->path, "it is shorter than any");
  if ((s = read_at(f->fd, f->path, (char *)prefix, 8, 0))) return s;
  if (prefix[7] & 0x80) return invalid(f->path, "its header has an impossible length");
  for (int i = 0; i < 8; i++) length |= (int64_t)prefix[i] << 8 * i;
  if (length > HEADER_MOST) return invalid(f->path, "its header has an impossible length");
  if (length > size - 8) return invalid(f->path, "its header is cut short");
  char *text = malloc((size_t)length + 1);
  if (!text) return no_memory(f->path);
  if ((s = read_at(f->fd, f->path, text, length, 8))) {
    free(text);
    return s;
  }
  char problem[HEADER_PROBLEM];
  f->data = 8 + length;
  s = header_parse(text, (size_t)length, size - f->data, &f->header, problem);
  return s == PL_EFORMAT ? invalid(f->path, problem) : s ? no_memory(f->path) : PL_OK;
}

pl_status pl_safetensors_open(const char *path, pl_safetensors **out) {
  size_t length = strlen(path) + 1;
  pl_safetensors *f = calloc(1, sizeof *f + length);
  if (!f) return no_memory(path);
  memcpy(f->path, path, length);
  f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  pl_status s = f->fd < 0 ? status_fail(PL_EIO, NULL, NULL, "cannot open %s: %s", path,
                                        strerror(errno))
                          : read_header(f);
  if (s) pl_safetensors_close(f);
  else *out = f;
  return s;
}

int32_t pl_safetensors_entries(const pl_safetensors *f, const pl_safetensors_entry **out) {
  *out = f->header.entries;
  return f->header.n_entries;
}

int32_t pl_safetensors_notes(const pl_safetensors *f, const pl_safetensors_note **out) {
  *out = f->header.notes;
  return f->header.n_notes;
}

static bool fits(const pl_safetensors_entry *e, const pl_tensor_info *info) {
  return info->dtype == e->dtype && info->rank == e->rank &&
         memcmp(info->sizes, e->sizes, (size_t)e->rank * sizeof *e->sizes) == 0;
}

/* A bool is 0 or 1 in memory, whatever the file says. */
static pl_status read_entry(pl_safetensors *f, const pl_safetensors_entry *e, char *dst) {
  pl_status s = read_at(f->fd, f->path, dst, e->bytes, f->data + e->begin);
  if (!s && e->dtype == PL_BOOL)
    for (int64_t i = 0; i < e->bytes; i++) dst[i] = dst[i] != 0;
  return s;
}

static pl_status read_through_buffer(pl_safetensors *f, const pl_safetensors_entry *e,
                                     pl_tensor t) {
  char *buffer = malloc((size_t)e->bytes + 1);
  if (!buffer) return no_memory(f->path);
  pl_status s = read_entry(f, e, buffer);
  if (!s) s = pl_tensor_write(t, buffer, e->bytes);
  free(buffer);
  return s;
}

pl_status pl_safetensors_read(pl_safetensors *f, int32_t entry, pl_tensor t) {
  pl_tensor_info info;
  void *data;
  if (entry < 0 || entry >= f->header.n_entries)
    return status_fail(PL_EARGUMENT, NULL, "entry", "%s has no tensor number %d", f->path, entry);
  const pl_safetensors_entry *e = &f->header.entries[entry];
  pl_status s = pl_tensor_describe(t, &info);
  if (s) return s;
  if (!fits(e, &info))
    return status_fail(PL_ESHAPE, NULL, NULL, "'%s' of %s has another dtype or shape than the "
                       "tensor it is read into", e->name, f->path);
  if (!info.is_dense || pl_tensor_data(t, &data)) return read_through_buffer(f, e, t);
  s = read_entry(f, e, data);
  return s ? s : pl_tensor_touch(t);
}

void pl_safetensors_close(pl_safetensors *f) {
  if (!f) return;
  if (f->fd >= 0) close(f->fd);
  header_free(&f->header);
  free(f);
}
