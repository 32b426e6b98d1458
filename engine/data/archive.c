/*
** archive.c -- files read whole, by libdeflate if they are gzip (one member, as gzip writes it).
** The mapping lives as long as the call, so the resident size falls back to the contents.
*/
#include "archive.h"
#include "status.h"
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  GZIP_LEAST = 18,      /* bytes of header and trailer */
  LONGEST_MATCH = 258,  /* what inflating may lack at the end of a buffer that is too small */
  PEEK = 2048,
  DEFLATE_RATIO = 1032  /* no deflate stream inflates to more than this times its size */
};

typedef struct mapping {
  const uint8_t *bytes;
  size_t size;
} mapping;

static pl_status map_descriptor(int fd, const char *path, int flags, mapping *out) {
  struct stat info;
  if (fstat(fd, &info))
    return status_fail(PL_EIO, NULL, NULL, "cannot read %s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return status_fail(PL_EIO, NULL, NULL, "cannot read %s: it is no regular file", path);
  if (info.st_size == 0) return status_fail(PL_EFORMAT, NULL, NULL, "%s is empty", path);
  size_t size = (size_t)info.st_size;
  void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
  if (bytes == MAP_FAILED)
    return status_fail(PL_EIO, NULL, NULL, "cannot read %s: %s", path, strerror(errno));
  *out = (mapping){bytes, size};
  return PL_OK;
}

static pl_status map_file(const char *path, int flags, mapping *out) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return status_fail(PL_EIO, NULL, NULL, "cannot open %s: %s", path, strerror(errno));
  pl_status s = map_descriptor(fd, path, flags, out);
  close(fd);
  return s;
}

static void unmap(mapping *m) { munmap((void *)m->bytes, m->size); }

static bool is_gzip(const mapping *m) {
  return m->size >= 2 && m->bytes[0] == 0x1f && m->bytes[1] == 0x8b;
}

static pl_status corrupt(const char *path) {
  return status_fail(PL_EFORMAT, NULL, NULL, "%s is a truncated or corrupt gzip file", path);
}

/* The last four bytes of a member: the size of its contents (of 4 GiB and more only a part). */
static uint64_t gzip_size(const mapping *m) {
  const uint8_t *end = m->bytes + m->size - 4;
  return end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 | (uint64_t)end[3] << 24;
}

/* Inflates until the buffer is full: libdeflate then answers that room is short and has written
** all but an unfinished match. What it wrote is compared again once the whole file is read. */
static pl_status gzip_peek(struct libdeflate_decompressor *d, const mapping *m, const char *path,
                           uint8_t *buffer, size_t *got) {
  if (m->size < GZIP_LEAST || gzip_size(m) / DEFLATE_RATIO > m->size) return corrupt(path);
  size_t all = 0;
  switch (libdeflate_gzip_decompress(d, m->bytes, m->size, buffer, PEEK, &all)) {
  case LIBDEFLATE_SUCCESS: *got = all; return PL_OK;
  case LIBDEFLATE_INSUFFICIENT_SPACE: *got = PEEK - LONGEST_MATCH; return PL_OK;
  default: return corrupt(path);
  }
}

static pl_status gzip_read(struct libdeflate_decompressor *d, const mapping *m, const char *path,
                           void *dst, size_t size) {
  size_t used = 0;
  if (libdeflate_gzip_decompress_ex(d, m->bytes, m->size, dst, size, &used, NULL))
    return corrupt(path);
  if (used != m->size)
    return status_fail(PL_EFORMAT, NULL, NULL, "%s goes on for %zu bytes after its gzip data", path,
                       m->size - used);
  return PL_OK;
}

static pl_status peek(const mapping *m, const char *path, void *head, size_t room, size_t *got,
                      uint64_t *size) {
  uint8_t buffer[PEEK] = {0};
  const uint8_t *contents = m->bytes;
  size_t have = m->size;
  uint64_t whole = m->size;
  if (is_gzip(m)) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while reading %s", path);
    pl_status s = gzip_peek(d, m, path, buffer, &have);
    libdeflate_free_decompressor(d);
    if (s) return s;
    contents = buffer;
    whole = gzip_size(m);
  }
  *got = have < room ? have : room;
  memcpy(head, contents, *got);
  *size = whole;
  return PL_OK;
}

pl_status archive_peek(const char *path, void *head, size_t room, size_t *got, uint64_t *size) {
  mapping m = {NULL, 0};
  pl_status s = map_file(path, 0, &m);
  if (s) return s;
  s = peek(&m, path, head, room, got, size);
  unmap(&m);
  return s;
}

static pl_status read_plain(const mapping *m, const char *path, void *dst, size_t size) {
  if (m->size != size)
    return status_fail(PL_EFORMAT, NULL, NULL,
                       "%s has %zu bytes now; it had %zu when it was opened", path, m->size, size);
  memcpy(dst, m->bytes, size);
  return PL_OK;
}

pl_status archive_read(const char *path, void *dst, size_t size) {
  mapping m = {NULL, 0};
  pl_status s = map_file(path, MAP_POPULATE, &m);
  if (s) return s;
  if (is_gzip(&m)) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    s = d ? gzip_read(d, &m, path, dst, size)
          : status_fail(PL_EMEMORY, NULL, NULL, "out of memory while reading %s", path);
    libdeflate_free_decompressor(d);
  } else {
    s = read_plain(&m, path, dst, size);
  }
  unmap(&m);
  return s;
}
