/* thread.h -- threads of the engine's own. Signals stay with the threads that handle them. */
#pragma once
#include "base.h"
#include <pthread.h>

/* pthread_create with every signal blocked in the new thread; answers its error number. */
int thread_start(pthread_t *out, void *(*run)(void *), void *argument);
