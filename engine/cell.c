/*
** cell.c -- free lists of cells, one set per thread, cut from slabs that live as long as the
** process: a cell may be in use on another thread when its own ends. What a thread has left over
** then is kept for the threads that come.
*/
#include "cell.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { GRAIN = 64, LIMIT = 4096, CLASSES = LIMIT / GRAIN, SLAB = 64 * 1024 };

typedef struct cell { struct cell *next; } cell;

static _Thread_local cell *free_cells[CLASSES + 1];
static _Thread_local char *slab, *slab_end;

static cell *left_over[CLASSES + 1];          /* of threads that ended */
static pthread_mutex_t left_over_lock = PTHREAD_MUTEX_INITIALIZER;

static void leave(size_t class, cell *first, cell *last) {
  last->next = left_over[class];
  left_over[class] = first;
}

void cell_end(void) {
  pthread_mutex_lock(&left_over_lock);
  for (size_t class = 1; class <= CLASSES; class++) {
    cell *last = free_cells[class];
    if (!last) continue;
    while (last->next) last = last->next;
    leave(class, free_cells[class], last);
    free_cells[class] = NULL;
  }
  while (slab_end - slab >= GRAIN) {
    size_t rest = (size_t)(slab_end - slab), piece = rest < LIMIT ? rest / GRAIN : CLASSES;
    leave(piece, (cell *)slab, (cell *)slab);
    slab += piece * GRAIN;
  }
  slab = slab_end = NULL;
  pthread_mutex_unlock(&left_over_lock);
}

/* All cells of the class that others left over: one is answered, the rest are this thread's. */
static cell *take_left_over(size_t class) {
  pthread_mutex_lock(&left_over_lock);
  cell *c = left_over[class];
  left_over[class] = NULL;
  pthread_mutex_unlock(&left_over_lock);
  if (c) free_cells[class] = c->next;
  return c;
}

/* Room for cells: a whole slab, or a piece of one that was left over. */
static bool slab_open(void) {
  cell *piece = free_cells[CLASSES];
  if (piece) free_cells[CLASSES] = piece->next;
  else piece = take_left_over(CLASSES);
  slab = piece ? (char *)piece : aligned_alloc(GRAIN, SLAB);
  slab_end = slab ? slab + (piece ? LIMIT : SLAB) : NULL;
  return slab != NULL;
}

static void *slab_cut(size_t bytes) {
  if ((size_t)(slab_end - slab) < bytes) {
    cell *c = take_left_over(bytes / GRAIN);
    if (c) return c;
    if (!slab_open()) return NULL;
  }
  void *p = slab;
  slab += bytes;
  return p;
}

void *cell_new(size_t bytes) {
  if (bytes > LIMIT) return calloc(1, bytes);
  size_t class = (bytes + GRAIN - 1) / GRAIN;
  cell *c = free_cells[class];
  if (c) free_cells[class] = c->next;
  else if (!(c = slab_cut(class * GRAIN))) return NULL;
  return memset(c, 0, bytes);
}

void cell_free(void *p, size_t bytes) {
  if (!p) return;
  if (bytes > LIMIT) { free(p); return; }
  size_t class = (bytes + GRAIN - 1) / GRAIN;
  cell *c = p;
  c->next = free_cells[class];
  free_cells[class] = c;
}
