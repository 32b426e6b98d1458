/*
** parallel.c -- the number of threads and the one parallel region of the CPU device.
** A team is always cpu_threads() strong or not made at all: libgomp keeps a team for the next
** region only while its size stays the same, and allocates memory when it changes.
*/
#include "base.h"
#include "parallel.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef PL_SERIAL
#include <omp.h>
#endif
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

enum {
  FLUSH_DENORMALS = 0x8040,  /* MXCSR: flush to zero, denormals are zero */
  SHARE_ABOVE = 3000,        /* ns; a fork and join costs 1 to 2 us */
};

static int threads_wanted;   /* 0: not yet known */

/* Counts a core once, however many hardware threads it has: at the lowest of them we may use. */
static bool cpu_leads_its_core(int cpu, const cpu_set_t *allowed) {
  char path[80];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "r");
  if (!file) return true;
  int first, last, leader = cpu;
  while (fscanf(file, "%d", &first) == 1) {
    last = first;
    int separator = fgetc(file);
    if (separator == '-' && fscanf(file, "%d", &last) == 1) separator = fgetc(file);
    for (int i = first; i <= last && i < leader; i++)
      if (i < CPU_SETSIZE && CPU_ISSET(i, allowed)) leader = i;
    if (separator != ',') break;
  }
  fclose(file);
  return leader == cpu;
}

static int cores_allowed(void) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  int cores = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &allowed)) cores += cpu_leads_its_core(cpu, &allowed);
  return cores > 0 ? cores : 1;
}

static int threads_default(void) {
  const char *text = getenv("PERILUNE_THREADS");
  int wanted = text ? atoi(text) : 0;
  return wanted > 0 ? wanted : cores_allowed();
}

int cpu_threads(void) {
  int wanted = __atomic_load_n(&threads_wanted, __ATOMIC_RELAXED);
  if (wanted == 0) {
    wanted = threads_default();
    __atomic_store_n(&threads_wanted, wanted, __ATOMIC_RELAXED);
  }
  return wanted;
}

void cpu_threads_set(int count) {
  __atomic_store_n(&threads_wanted, count < 1 ? 0 : count, __ATOMIC_RELAXED);
}

static void blocks_run(int64_t first, int64_t end, int worker, parallel_body body, void *context) {
#ifdef __SSE2__
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | FLUSH_DENORMALS);
#endif
  for (int64_t i = first; i < end; i++) body(context, i, worker);
#ifdef __SSE2__
  _mm_setcsr(before);
#endif
}

#ifdef PL_SERIAL

void parallel_for(int64_t count, int64_t work, parallel_body body, void *context) {
  (void)work;
  blocks_run(0, count, 0, body, context);
}

#else

static bool region_open;  /* touched by the main thread only */

static bool thread_is_main(void) {
  static _Thread_local int known;  /* 0 not asked, 1 main, 2 another */
  if (known == 0) known = syscall(SYS_gettid) == getpid() ? 1 : 2;
  return known == 1;
}

void parallel_for(int64_t count, int64_t work, parallel_body body, void *context) {
  int threads = count > 1 && work > SHARE_ABOVE && thread_is_main() ? cpu_threads() : 1;
  if (threads == 1 || region_open) {
    blocks_run(0, count, 0, body, context);
    return;
  }
  region_open = true;
#pragma omp parallel num_threads(threads)
  {
    int worker = omp_get_thread_num(), team = omp_get_num_threads();
    blocks_run(count * worker / team, count * (worker + 1) / team, worker, body, context);
  }
  region_open = false;
}

#endif
