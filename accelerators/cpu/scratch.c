/* scratch.c -- growing pieces of working memory of each thread, freed when the thread ends. */
#include "cpu.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct scratch {
  size_t bytes;
  void *data;
} scratch;

enum { SCRATCH, STAGE, PIECES };

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool key_made;

static void piece_free(scratch *s) {
  free(s->data);
  s->data = NULL;
  s->bytes = 0;
}

static void pieces_free(void *pointer) {
  for (int i = 0; i < PIECES; i++) piece_free((scratch *)pointer + i);
}

static void key_make(void) { key_made = pthread_key_create(&key, pieces_free) == 0; }

static void *piece_grow(int which, size_t bytes) {
  static _Thread_local scratch mine[PIECES];
  scratch *s = &mine[which];
  if (bytes <= s->bytes) return s->data;
  pthread_once(&once, key_make);
  if (!key_made || pthread_setspecific(key, mine) != 0) return NULL;
  piece_free(s);
  size_t rounded = (bytes + 4095) & ~(size_t)4095;
  if (posix_memalign(&s->data, 4096, rounded) != 0) {
    s->data = NULL;
    return NULL;
  }
  s->bytes = rounded;
  return s->data;
}

void *cpu_scratch(size_t bytes) { return piece_grow(SCRATCH, bytes); }

void *cpu_stage(size_t bytes) { return piece_grow(STAGE, bytes); }
