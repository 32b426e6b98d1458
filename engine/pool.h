/*
** pool.h -- a device's cache of buffers by size class: what a step frees the next step reuses.
** Shared by threads; sizes are rounded up by at most an eighth.
*/
#pragma once
#include "accelerator.h"
#include <pthread.h>

enum { POOL_CLASSES = 8 * 42 };

typedef struct pool_shelf { pl_buffer **buffers; int32_t count, capacity; } pool_shelf;

typedef struct pool {
  pthread_mutex_t lock;
  pool_shelf shelves[POOL_CLASSES];
  pl_memory memory;
} pool;

struct device;
void pool_init(pool *p);
/* A buffer of at least bytes; *rounded is what pool_give wants back. */
pl_status pool_take(struct device *d, int64_t bytes, pl_buffer **out, int64_t *rounded);
void pool_give(struct device *d, pl_buffer *buffer, int64_t rounded);
void pool_trim(struct device *d);
