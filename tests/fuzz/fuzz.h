/*
** fuzz.h -- what the fuzzers share: the input as a file, and words for what must not happen. A
** reader may answer any status; a fault of the sanitizers or an EXPECT that fails is a find.
*/
#pragma once
#include "base.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPECT(condition) \
  ((condition) ? (void)0 \
               : (void)(fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), \
                        abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds these bytes, until the next call. */
static inline const char *file_of(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char path[32];
  if (fd < 0) fd = memfd_create("fuzz", 0);
  EXPECT(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}
