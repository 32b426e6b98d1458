/*
** malloc_count.c -- preloaded, it counts every call of the malloc family in the process, whichever
** library makes it, and passes it on to the C library.
*/
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *p, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long calls;

EXPORT int64_t bench_malloc_calls(void);
EXPORT int64_t bench_malloc_calls(void) { return calls; }

EXPORT void *malloc(size_t bytes) {
  calls++;
  return __libc_malloc(bytes);
}

EXPORT void *calloc(size_t count, size_t bytes) {
  calls++;
  return __libc_calloc(count, bytes);
}

EXPORT void *realloc(void *p, size_t bytes) {
  calls++;
  return __libc_realloc(p, bytes);
}

EXPORT void *memalign(size_t alignment, size_t bytes) {
  calls++;
  return __libc_memalign(alignment, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes) {
  calls++;
  return __libc_memalign(alignment, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes) {
  calls++;
  void *p = __libc_memalign(alignment, bytes);
  if (!p) return ENOMEM;
  *out = p;
  return 0;
}
