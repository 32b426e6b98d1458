/*
** pool.c -- buffers by size class: 64-byte steps up to 1 KiB, then eight classes a doubling.
** Invariant: in_use + cached is what the device has given us.
*/
#include "pool.h"
#include <stdlib.h>
#include "device.h"
#include "status.h"

static int class_of(int64_t bytes, int64_t *rounded) {
  if (bytes <= 1024) {
    int class = bytes <= 0 ? 0 : (int)((bytes - 1) / 64);
    *rounded = 64 * (int64_t)(class + 1);
    return class;
  }
  int log = 63 - __builtin_clzll((uint64_t)bytes - 1);         /* 2^log < bytes <= 2^(log+1) */
  int64_t step = (int64_t)1 << (log - 3);
  int64_t eighth = (bytes - 1 - ((int64_t)1 << log)) / step;
  *rounded = ((int64_t)1 << log) + (eighth + 1) * step;
  return 16 + (log - 10) * 8 + (int)eighth;
}

void pool_init(pool *p) { pthread_mutex_init(&p->lock, NULL); }

static pl_buffer *shelf_pop(pool *p, int class, int64_t rounded) {
  pl_buffer *b = NULL;
  pthread_mutex_lock(&p->lock);
  pool_shelf *s = &p->shelves[class];
  if (s->count) {
    b = s->buffers[--s->count];
    p->memory.cached -= rounded;
    p->memory.in_use += rounded;
    if (p->memory.in_use > p->memory.peak) p->memory.peak = p->memory.in_use;
  }
  pthread_mutex_unlock(&p->lock);
  return b;
}

static void count_new(pool *p, int64_t rounded) {
  pthread_mutex_lock(&p->lock);
  p->memory.allocations++;
  p->memory.in_use += rounded;
  if (p->memory.in_use > p->memory.peak) p->memory.peak = p->memory.in_use;
  pthread_mutex_unlock(&p->lock);
}

/* Cached buffers go before the limit refuses. */
static bool within_limit(device *d, int64_t rounded) {
  pthread_mutex_lock(&d->pool.lock);
  pl_memory m = d->pool.memory;
  pthread_mutex_unlock(&d->pool.lock);
  if (!m.limit || m.in_use + m.cached + rounded <= m.limit) return true;
  pool_trim(d);
  return m.in_use + rounded <= m.limit;
}

static pl_status create(device *d, int64_t rounded, pl_buffer **out) {
  return within_limit(d, rounded) ? d->table->create(d->state, (size_t)rounded, out) : PL_EMEMORY;
}

pl_status pool_take(device *d, int64_t bytes, pl_buffer **out, int64_t *rounded) {
  if (bytes > (int64_t)1 << 50)
    return status_fail(PL_EMEMORY, NULL, NULL, "%s: a tensor of %lld bytes is beyond any memory",
                       d->name, (long long)bytes);
  int class = class_of(bytes, rounded);
  if ((*out = shelf_pop(&d->pool, class, *rounded))) return PL_OK;
  pl_status s = create(d, *rounded, out);
  if (s == PL_EMEMORY) {
    pool_trim(d);
    s = create(d, *rounded, out);
  }
  const pl_memory *m = &d->pool.memory;
  if (s == PL_EMEMORY)
    return status_fail(s, NULL, NULL, "%s: out of memory: %lld bytes wanted, %lld in use%s",
                       d->name, (long long)bytes, (long long)m->in_use,
                       m->limit ? " (the limit that was set counts)" : "");
  if (s) return s;
  count_new(&d->pool, *rounded);
  return PL_OK;
}

static bool shelf_push(pool_shelf *s, pl_buffer *b) {
  if (s->count == s->capacity) {
    int32_t capacity = s->capacity ? 2 * s->capacity : 8;
    pl_buffer **grown = realloc(s->buffers, (size_t)capacity * sizeof *grown);
    if (!grown) return false;
    s->buffers = grown;
    s->capacity = capacity;
  }
  s->buffers[s->count++] = b;
  return true;
}

void pool_give(device *d, pl_buffer *buffer, int64_t rounded) {
  int64_t same;
  int class = class_of(rounded, &same);
  pthread_mutex_lock(&d->pool.lock);
  d->pool.memory.in_use -= rounded;
  bool kept = !device_is(d, PL_CAP_LAZY) && shelf_push(&d->pool.shelves[class], buffer);
  if (kept) d->pool.memory.cached += rounded;
  pthread_mutex_unlock(&d->pool.lock);
  if (!kept) d->table->release(d->state, buffer);
}

void pool_trim(device *d) {
  pthread_mutex_lock(&d->pool.lock);
  for (int i = 0; i < POOL_CLASSES; i++) {
    pool_shelf *s = &d->pool.shelves[i];
    while (s->count) d->table->release(d->state, s->buffers[--s->count]);
  }
  d->pool.memory.cached = 0;
  pthread_mutex_unlock(&d->pool.lock);
}
