/*
** durable.h -- files that are complete on the disk under their name, or not there: written beside
** their place, synced, renamed, and the directory synced.
*/
#pragma once
#include "base.h"

/* "<path>.<pid>.tmp", to be freed; NULL without memory. Of another process: what one left that was
** killed. */
char *durable_temporary(const char *path);
/* Takes a directory of such files away: those of these names, whole or remains, and the directory
** where nothing else is in it. One that is not there is no failure. */
pl_status durable_clear_directory(const char *path, const char *const *names, int32_t n);

pl_status durable_cannot_remove(const char *path, int error);   /* the sentence for an errno */

/* A directory whose files are on the disk takes its name, in place of one that has it; that one is
** then called `temporary`. */
pl_status durable_publish(const char *temporary, const char *path);

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
