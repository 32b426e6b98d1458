/*
** cell.c -- free lists of cells, one set per thread; slabs live as long as the process.
** The sanitizer build sets PL_CELL_LIMIT to 0, which sends every cell to malloc.
*/
#include "cell.h"
#include <stdlib.h>
#include <string.h>

#ifndef PL_CELL_LIMIT
#define PL_CELL_LIMIT 4096
#endif

enum { GRAIN = 64, CLASSES = 4096 / GRAIN, SLAB = 64 * 1024 };

typedef struct cell { struct cell *next; } cell;

static _Thread_local cell *free_cells[CLASSES + 1];
static _Thread_local char *slab, *slab_end;

static void *slab_cut(size_t bytes) {
  if ((size_t)(slab_end - slab) < bytes) {
    slab = aligned_alloc(GRAIN, SLAB);
    if (!slab) return slab_end = NULL;
    slab_end = slab + SLAB;
  }
  void *p = slab;
  slab += bytes;
  return p;
}

void *cell_new(size_t bytes) {
  if (bytes > PL_CELL_LIMIT) return calloc(1, bytes);
  size_t class = (bytes + GRAIN - 1) / GRAIN;
  cell *c = free_cells[class];
  if (c) free_cells[class] = c->next;
  else if (!(c = slab_cut(class * GRAIN))) return NULL;
  return memset(c, 0, bytes);
}

void cell_free(void *p, size_t bytes) {
  if (!p) return;
  if (bytes > PL_CELL_LIMIT) { free(p); return; }
  size_t class = (bytes + GRAIN - 1) / GRAIN;
  cell *c = p;
  c->next = free_cells[class];
  free_cells[class] = c;
}
