/*
** durable.h -- files that are complete on the disk under their name, or not there: written beside
** their place, synced, renamed, and the directory synced.
*/
#pragma once
#include "base.h"

typedef struct durable {
  const char *path;                  /* the caller's, valid until the end */
  char *temporary;
  int fd;
} durable;

pl_status durable_begin(const char *path, durable *out);
pl_status durable_write(durable *d, const void *bytes, int64_t n);
/* With PL_OK the file takes its name; with any other status it goes away. Answers the first
** failure. */
pl_status durable_end(durable *d, pl_status status);
