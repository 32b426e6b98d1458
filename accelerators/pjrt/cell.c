/* cell.c -- what a buffer holds, and how that becomes something else. */
#include "pjrt.h"
#include <stdlib.h>
#include <string.h>

static size_t dtype_size(int32_t dtype) {
  static const size_t sizes[PL_DTYPES] = { 1, 1, 4, 8, 2, 2, 4, 8 };
  return sizes[dtype];
}

size_t cell_used(const pl_buffer *cell) {
  if (cell->holds == CELL_EMPTY || cell->holds == CELL_LOST) return 0;
  return cell->holds == CELL_HOST ? cell->used : (size_t)cell->count * dtype_size(cell->dtype);
}

void cell_clear(pjrt *d, pl_buffer *cell) {
  (void)d;
  if (cell->holds == CELL_HOST) free(cell->host);
  if (cell->holds == CELL_ARRAY) array_unref(cell->array);
  if (cell->holds == CELL_PENDING) {
    *cell->link = cell->next;
    if (cell->next) cell->next->link = cell->link;
  }
  cell->holds = CELL_EMPTY;
  cell->list = 0;
}

void cell_lose(pjrt *d, pl_buffer *cell) {
  cell_clear(d, cell);
  cell->holds = CELL_LOST;
}

pl_status cell_to_host(pjrt *d, pl_buffer *cell) {
  if (cell->holds == CELL_HOST) return PL_OK;
  if (cell->holds == CELL_LOST)
    return d->host->fail(PL_EDEVICE, "pjrt:%d: the values of this tensor were lost when their "
                         "computation failed", d->index);
  if (cell->holds == CELL_PENDING) {
    pl_status status = list_run(d);
    if (status) return status;
  }
  char *host = calloc(1, cell->bytes ? cell->bytes : 1);
  size_t used = 0;
  if (!host) return PL_EMEMORY;
  if (cell->holds == CELL_ARRAY) {
    used = (size_t)cell->count * dtype_size(cell->dtype);
    pl_status status = array_read(d, cell->array, host, cell->bytes);
    if (status) {
      free(host);
      return status;
    }
  }
  cell_clear(d, cell);
  cell->holds = CELL_HOST;
  cell->host = host;
  cell->used = used;
  return PL_OK;
}

/* Bytes that were written as one dtype and are read as another pass through the host. */
pl_status cell_to_array(pjrt *d, pl_buffer *cell, int32_t dtype) {
  if (cell->holds == CELL_ARRAY && cell->dtype == dtype) return PL_OK;
  pl_status status = cell_to_host(d, cell);
  if (status) return status;
  array *a;
  int64_t count = (int64_t)((cell->used ? cell->used : cell->bytes) / dtype_size(dtype));
  if ((status = array_new(d, cell->host, dtype, count, &a))) return status;
  cell_clear(d, cell);
  cell->holds = CELL_ARRAY;
  cell->array = a;
  cell->dtype = dtype;
  cell->count = count;
  return PL_OK;
}

void cell_to_value(pjrt *d, pl_buffer *cell, int value, int32_t dtype, int64_t count) {
  cell_clear(d, cell);
  cell->holds = CELL_PENDING;
  cell->value = value;
  cell->dtype = dtype;
  cell->count = count;
  cell->next = d->pending;
  cell->link = &d->pending;
  if (cell->next) cell->next->link = &cell->next;
  d->pending = cell;
}
