/* scratch.c -- one growing piece of working memory per thread, freed when the thread ends. */
#include "cpu.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct scratch {
  size_t bytes;
  void *data;
} scratch;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool key_made;

static void scratch_free(void *pointer) {
  scratch *s = pointer;
  free(s->data);
  s->data = NULL;
  s->bytes = 0;
}

static void key_make(void) { key_made = pthread_key_create(&key, scratch_free) == 0; }

void *cpu_scratch(size_t bytes) {
  static _Thread_local scratch mine;
  if (bytes <= mine.bytes) return mine.data;
  pthread_once(&once, key_make);
  if (!key_made || pthread_setspecific(key, &mine) != 0) return NULL;
  scratch_free(&mine);
  size_t rounded = (bytes + 4095) & ~(size_t)4095;
  if (posix_memalign(&mine.data, 4096, rounded) != 0) {
    mine.data = NULL;
    return NULL;
  }
  mine.bytes = rounded;
  return mine.data;
}
