/*
** fetch.h -- asks for memory that is read soon. Rows that lie a page or more apart no processor
** foresees by itself; without asking, every row is a wait.
*/
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { ROWS_AHEAD = 8, CACHE_LINE = 64 };

/* The first `bytes` of the row ROWS_AHEAD after this one; such a row need not exist. */
static inline __attribute__((always_inline)) void fetch_ahead(const void *row, int64_t stride,
                                                              int64_t bytes) {
  const uintptr_t at = (uintptr_t)row + (uintptr_t)(ROWS_AHEAD * stride);
  for (int64_t i = 0; i < bytes; i += CACHE_LINE)
    __builtin_prefetch((const void *)(at + (uintptr_t)i));
}
