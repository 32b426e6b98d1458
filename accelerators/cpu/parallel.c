/*
** parallel.c -- the number of threads and the one parallel region of the CPU device.
** A team of our own instead of OpenMP's: the calling thread computes whatever a helper has not
** begun, so it waits for running blocks only, never for a thread that the system has not woken.
** On a busy machine, where a fork and join costs scheduler slices, that is the difference
** between a little slower and twenty times slower.
**
** A job cuts its blocks into one share per worker. A share is a word: the job's number and the next
** block of the share. Who moves the word on with a compare-and-swap computes that block; a helper
** that comes late finds another number there and takes nothing.
*/
#include "base.h"
#include "parallel.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

enum {
  FLUSH_DENORMALS = 0x8040,  /* MXCSR: flush to zero, denormals are zero */
  SHARE_ABOVE = 3000,        /* ns of work; handing a share over and back costs about 1 us */
  MAX_WORKERS = 256,
  SPINS = 20000,             /* a helper looks so often for the next job before it sleeps */
  YIELD_AFTER = 2000,        /* looks of any thread before it lets others have its core */
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

/* ---- one block after another ---- */

static void block_run(parallel_body body, void *context, int64_t index, int worker) {
#ifdef __SSE2__
  unsigned before = _mm_getcsr();
  if ((before & FLUSH_DENORMALS) != FLUSH_DENORMALS) {
    _mm_setcsr(before | FLUSH_DENORMALS);
    body(context, index, worker);
    _mm_setcsr(before);
    return;
  }
#endif
  body(context, index, worker);
}

static void blocks_run(int64_t count, bool backwards, parallel_body body, void *context) {
#ifdef __SSE2__
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | FLUSH_DENORMALS);
#endif
  for (int64_t i = 0; i < count; i++) body(context, backwards ? count - 1 - i : i, 0);
#ifdef __SSE2__
  _mm_setcsr(before);
#endif
}

/* ---- the team ---- */

typedef struct share {
  _Alignas(64) _Atomic uint64_t word;      /* number of the job << 32 | next block */
  int64_t begin;
  _Atomic int64_t end;                     /* read before a block is taken, hence atomic */
} share;

static struct {
  _Alignas(64) _Atomic uint32_t number;    /* of the job; helpers wait for it to move on */
  _Alignas(64) atomic_int sleeping;
  _Alignas(64) _Atomic int64_t done;       /* blocks of the job that are computed */
  parallel_body body;
  void *context;
  bool backwards;
  share share[MAX_WORKERS];
} team;

static int helpers;                        /* threads started; the main thread's to touch */
static bool region_open;                   /* likewise */

static void pause_cpu(void) {
#ifdef __SSE2__
  _mm_pause();
#endif
}

/* The next block of a share, -1 if it has none left or belongs to another job. */
static int64_t share_take(share *s, uint32_t number) {
  uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire);
  while (word >> 32 == number &&
         (int64_t)(uint32_t)word < atomic_load_explicit(&s->end, memory_order_acquire))
    if (atomic_compare_exchange_weak_explicit(&s->word, &word, word + 1, memory_order_acq_rel,
                                              memory_order_acquire))
      return (int64_t)(uint32_t)word;
  return -1;
}

/* Computes what is left of the share. The job cannot end while one of its blocks is taken, so its
** fields may be read from then on. */
static void share_finish(share *s, uint32_t number, int worker) {
  for (int64_t i; (i = share_take(s, number)) >= 0;) {
    int64_t end = atomic_load_explicit(&s->end, memory_order_relaxed);
    int64_t index = team.backwards ? s->begin + end - 1 - i : i;
    block_run(team.body, team.context, index, worker);
    atomic_fetch_add_explicit(&team.done, 1, memory_order_release);
  }
}

static void sleep_until_not(uint32_t number) {
  atomic_fetch_add(&team.sleeping, 1);
  if (atomic_load(&team.number) == number)
    syscall(SYS_futex, &team.number, FUTEX_WAIT_PRIVATE, number, NULL, NULL, 0);
  atomic_fetch_sub(&team.sleeping, 1);
}

static void *helper_main(void *argument) {
  int worker = (int)(intptr_t)argument;
  uint32_t seen = 0;
  int spins = 0;
  for (;;) {
    uint32_t number = atomic_load_explicit(&team.number, memory_order_acquire);
    if (number == seen) {
      if (++spins == SPINS) sleep_until_not(seen), spins = 0;
      else if (spins % YIELD_AFTER) pause_cpu();
      else sched_yield();   /* perhaps the main thread waits for this very core */
      continue;
    }
    seen = number;
    spins = 0;
    share_finish(&team.share[worker], number, worker);
  }
  return NULL;
}

/* Helpers leave signals to the main thread, whose Ctrl-C handler wants them. */
static void helpers_start(int wanted) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (helpers < wanted) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, helper_main, (void *)(intptr_t)(helpers + 1))) break;
    pthread_detach(thread);
    helpers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool thread_is_main(void) {
  static _Thread_local int known;  /* 0 not asked, 1 main, 2 another */
  if (known == 0) known = syscall(SYS_gettid) == getpid() ? 1 : 2;
  return known == 1;
}

static uint32_t job_post(int64_t count, int workers, bool backwards, parallel_body body,
                         void *context) {
  uint32_t number = atomic_load_explicit(&team.number, memory_order_relaxed) + 1;
  team.body = body;
  team.context = context;
  team.backwards = backwards;
  atomic_store_explicit(&team.done, 0, memory_order_relaxed);
  for (int w = 0; w < workers; w++) {
    share *s = &team.share[w];
    /* First a word without blocks: who holds the last job's word must not meet the new end. */
    atomic_store_explicit(&s->word, (uint64_t)number << 32 | UINT32_MAX, memory_order_release);
    s->begin = count * w / workers;
    atomic_store_explicit(&s->end, count * (w + 1) / workers, memory_order_release);
    atomic_store_explicit(&s->word, (uint64_t)number << 32 | (uint64_t)s->begin,
                          memory_order_release);
  }
  atomic_store(&team.number, number);
  if (atomic_load(&team.sleeping))
    syscall(SYS_futex, &team.number, FUTEX_WAKE_PRIVATE, workers, NULL, NULL, 0);
  return number;
}

/* A helper that the system took off its core in the middle of a block needs ours to go on. */
static void wait_for(int64_t count) {
  for (int spins = 0; atomic_load_explicit(&team.done, memory_order_acquire) < count; spins++) {
    if (spins < YIELD_AFTER) pause_cpu();
    else sched_yield();
  }
}

static void run(int64_t count, int64_t work, bool backwards, parallel_body body, void *context) {
  int workers = count > 1 && work > SHARE_ABOVE && count < INT32_MAX && thread_is_main()
    ? cpu_threads() : 1;
  if (workers > MAX_WORKERS) workers = MAX_WORKERS;
  if (workers == 1 || region_open) {
    blocks_run(count, backwards, body, context);
    return;
  }
  region_open = true;
  if (helpers < workers - 1) helpers_start(workers - 1);
  uint32_t number = job_post(count, workers, backwards, body, context);
  for (int w = 0; w < workers; w++) share_finish(&team.share[w], number, 0);
  wait_for(count);
  region_open = false;
}

void parallel_for(int64_t count, int64_t work, parallel_body body, void *context) {
  run(count, work, false, body, context);
}

void parallel_for_backwards(int64_t count, int64_t work, parallel_body body, void *context) {
  run(count, work, true, body, context);
}
