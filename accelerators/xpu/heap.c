/*
** heap.c -- memory of the device. An address is no pointer: its upper half is not canonical, so
** that following it on the host ends the process, as it would with a device of its own memory.
*/
#include "xpu.h"
#include <stdlib.h>

static const uintptr_t ADDRESS = (uintptr_t)0xd0 << 56;

static pl_buffer *address_of(const heap *h, size_t i) {
  return (pl_buffer *)(ADDRESS | (uintptr_t)h->index << 48 | (i + 1) << 4);
}

static block *block_of(heap *h, pl_buffer *address) {
  uintptr_t a = (uintptr_t)address;
  size_t i = (a & (((uintptr_t)1 << 48) - 1)) >> 4;
  if (a >> 56 != ADDRESS >> 56 || (a >> 48 & 0xff) != (uintptr_t)h->index) return NULL;
  return i >= 1 && i <= h->count && h->blocks[i - 1].bytes ? &h->blocks[i - 1] : NULL;
}

void heap_init(heap *h, int index, size_t limit) {
  *h = (heap){ .index = index, .limit = limit };
  pthread_mutex_init(&h->lock, NULL);
}

void heap_free(heap *h) {
  for (size_t i = 0; i < h->count; i++) free(h->blocks[i].bytes);
  free(h->blocks);
  pthread_mutex_destroy(&h->lock);
}

static bool grow(heap *h) {
  size_t capacity = h->capacity ? 2 * h->capacity : 64;
  block *blocks = realloc(h->blocks, capacity * sizeof *blocks);
  if (!blocks) return false;
  h->blocks = blocks;
  h->capacity = capacity;
  return true;
}

static size_t free_place(heap *h) {
  for (size_t i = 0; i < h->count; i++)
    if (!h->blocks[i].bytes) return i;
  return h->count;
}

static pl_status take(heap *h, size_t bytes, pl_buffer **out) {
  if (bytes > h->limit - h->used) return PL_EMEMORY;
  size_t i = free_place(h);
  if (i == h->capacity && !grow(h)) return PL_EMEMORY;
  char *memory = malloc(bytes ? bytes : 1);
  if (!memory) return PL_EMEMORY;
  h->blocks[i] = (block){ memory, bytes };
  if (i == h->count) h->count++;
  h->used += bytes;
  *out = address_of(h, i);
  return PL_OK;
}

pl_status heap_take(heap *h, size_t bytes, pl_buffer **out) {
  pthread_mutex_lock(&h->lock);
  pl_status status = take(h, bytes, out);
  pthread_mutex_unlock(&h->lock);
  return status;
}

void heap_give(heap *h, pl_buffer *address) {
  pthread_mutex_lock(&h->lock);
  block *b = block_of(h, address);
  if (b) {
    h->used -= b->size;
    free(b->bytes);
    b->bytes = NULL;
  }
  pthread_mutex_unlock(&h->lock);
}

void heap_set_limit(heap *h, size_t limit) {
  pthread_mutex_lock(&h->lock);
  h->limit = limit < h->used ? h->used : limit;
  pthread_mutex_unlock(&h->lock);
}

char *heap_at(heap *h, pl_buffer *address) {
  pthread_mutex_lock(&h->lock);
  block *b = block_of(h, address);
  char *bytes = b ? b->bytes : NULL;
  pthread_mutex_unlock(&h->lock);
  return bytes;
}
