/*
** pjrt.c -- the table of the compiling device. Property "compiled" counts the programs that were
** compiled; it stands still once a training step has its shapes.
*/
#include "pjrt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t pjrt_count(void) { return plugin_devices(); }

static pl_status pjrt_open(int32_t index, const pl_host *host, void **state) {
  pjrt *d = calloc(1, sizeof *d);
  if (!d) return PL_EMEMORY;
  d->host = host;
  d->index = index;
  d->list.number = 1;
  pthread_mutex_init(&d->lock, NULL);
  *state = d;
  return PL_OK;
}

/* Programs and arrays live as long as the plug-in, which is the process. */
static void pjrt_close(void *state) {
  pjrt *d = state;
  list_run(d);
  text_free(&d->list.body);
  text_free(&d->list.heads);
  free(d->list.arguments);
  pthread_mutex_destroy(&d->lock);
  free(d);
}

static pl_status pjrt_describe(void *state, pl_device_info *out) {
  (void)state;
  out->caps = PL_CAP_ASYNC | PL_CAP_LAZY;
  out->dtypes = (1u << PL_DTYPES) - 1;
  snprintf(out->description, sizeof out->description, "PJRT: %s", plugin_platform());
  return PL_OK;
}

static pl_status pjrt_create(void *state, size_t bytes, pl_buffer **out) {
  (void)state;
  pl_buffer *cell = calloc(1, sizeof *cell);
  if (!cell) return PL_EMEMORY;
  cell->bytes = bytes;
  *out = cell;
  return PL_OK;
}

static void pjrt_release(void *state, pl_buffer *cell) {
  pjrt *d = state;
  pthread_mutex_lock(&d->lock);
  cell_clear(d, cell);
  pthread_mutex_unlock(&d->lock);
  free(cell);
}

static pl_status pjrt_write(void *state, pl_buffer *cell, size_t at, const void *src,
                            size_t bytes) {
  pjrt *d = state;
  pthread_mutex_lock(&d->lock);
  if (at == 0 && bytes >= cell_used(cell)) cell_clear(d, cell);
  pl_status status = cell_to_host(d, cell);
  if (!status && bytes) {
    memcpy(cell->host + at, src, bytes);
    if (at + bytes > cell->used) cell->used = at + bytes;
  }
  pthread_mutex_unlock(&d->lock);
  return status;
}

/* What is read stays where it is: an array that is read again and again is not sent back. */
static pl_status read_cell(pjrt *d, pl_buffer *cell, size_t at, void *dst, size_t bytes) {
  pl_status status = cell->holds == CELL_PENDING ? list_run(d) : PL_OK;
  if (status || !bytes) return status;
  if (cell->holds == CELL_ARRAY) {
    char *all = calloc(1, cell->bytes);
    if (!all) return PL_EMEMORY;
    status = array_read(d, cell->array, all, cell->bytes);
    if (!status) memcpy(dst, all + at, bytes);
    free(all);
    return status;
  }
  if ((status = cell_to_host(d, cell))) return status;
  memcpy(dst, cell->host + at, bytes);
  return PL_OK;
}

static pl_status pjrt_read(void *state, pl_buffer *cell, size_t at, void *dst, size_t bytes) {
  pjrt *d = state;
  pthread_mutex_lock(&d->lock);
  pl_status status = read_cell(d, cell, at, dst, bytes);
  pthread_mutex_unlock(&d->lock);
  return status;
}

static pl_status pjrt_synchronize(void *state) {
  pjrt *d = state;
  pthread_mutex_lock(&d->lock);
  pl_status status = list_run(d);
  pthread_mutex_unlock(&d->lock);
  return status;
}

static pl_status pjrt_get(void *state, const char *property, int64_t *out) {
  pjrt *d = state;
  if (strcmp(property, "compiled"))
    return d->host->fail(PL_EARGUMENT, "pjrt has no property '%s'; it has compiled", property);
  *out = d->compiled;
  return PL_OK;
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = pjrt_count, .open = pjrt_open, .close = pjrt_close, .describe = pjrt_describe,
  .create = pjrt_create, .release = pjrt_release, .write = pjrt_write, .read = pjrt_read,
  .synchronize = pjrt_synchronize, .get = pjrt_get, .absent = plugin_why,
};
