/*
** parallel.h -- the only way into a parallel region. Work is cut into blocks by shape alone, so a
** result never depends on the number of threads; parallel_for decides who computes which block.
** Every block runs with denormals flushed to zero, on every thread and in the serial case too:
** the momentum of a dead unit decays into denormals, which cost a tenth of a training step.
*/
#pragma once
#include <stdint.h>

/* Computes block `index`; `worker` is in 0 .. cpu_threads() - 1 and picks private memory. */
typedef void (*parallel_body)(void *context, int64_t index, int worker);

/* Calls body for every index in 0 .. count - 1. `work` is what all of it costs one thread, in
** nanoseconds, roughly: below a few microseconds nothing is shared out. Neighbouring blocks
** go to the same worker, the same ones every time, unless that one is late: then the caller does
** them. Serial off the main thread and inside another parallel_for. The body must not leave by
** longjmp. */
void parallel_for(int64_t count, int64_t work, parallel_body body, void *context);

/* The same, every worker from its last block to its first: for a pass over memory that was just
** written from first to last and does not fit the cache, where the end of it still lies. */
void parallel_for_backwards(int64_t count, int64_t work, parallel_body body, void *context);

/* Threads a parallel_for may use: PERILUNE_THREADS, else the cores this process may run on.
** cpu_threads_set takes effect at the next parallel_for; values below 1 restore the default. */
int cpu_threads(void);
void cpu_threads_set(int count);
