/*
** rows.h -- n samples of one dtype and shape: the contents of a file, read once at first use, or a
** tensor's storage. Immutable once loaded; counted, and shared between loaders and their threads.
*/
#pragma once
#include "base.h"
#include <pthread.h>
#include <stdatomic.h>
#include "data.h"
#include "tensor.h"

struct pl_rows {
  atomic_int refs;
  pl_rows_info info;
  _Atomic(const char *) data;  /* the first row; NULL until loaded */
  pthread_mutex_t loading;
  char *path;                  /* of a file, NULL for a tensor */
  char *contents;              /* of the file, its header included; owned */
  int64_t header, bytes;       /* of the contents: before the first row, and in all */
  uint8_t head[64];            /* the header as it was when the file was opened */
  storage *storage;            /* of a tensor; counted */
};

pl_rows *rows_ref(pl_rows *rows);
