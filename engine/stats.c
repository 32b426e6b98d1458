/*
** stats.c -- what a device and this process use at a moment, and a thread that takes it again and
** again, so that nobody waits for it. What is not known is NaN.
*/
#include "base.h"
#include "stats.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "device.h"
#include "status.h"
#include "thread.h"

/* When the processor time of this process was last looked at, and what it was. */
typedef struct mark { double clock, busy; } mark;

struct pl_sampler {
  device *device;
  double seconds;
  mark since;
  pthread_t thread;
  pthread_mutex_t lock;     /* guards what follows */
  pthread_cond_t stopping;
  bool stop;
  pl_stats newest;
};

static double property(const device *d, const char *name, double unit) {
  int64_t value;
  if (!d->table->get || d->table->get(d->state, name, &value)) return NAN;
  return unit * (double)value;
}

static double process_rss(void) {
  FILE *f = fopen("/proc/self/statm", "r");
  double pages = NAN;
  if (f && fscanf(f, "%*s %lf", &pages) != 1) pages = NAN;
  if (f) fclose(f);
  return pages * (double)sysconf(_SC_PAGESIZE);
}

static double process_busy(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static mark process_start(void) { return (mark){ pl_clock() - pl_process_seconds(), 0 }; }

static void take(device *d, mark *since, pl_stats *out) {
  pl_memory memory;
  pl_device_memory(d->id, &memory);
  mark now = { pl_clock(), process_busy() };
  *out = (pl_stats){
    .memory_used = (double)memory.in_use,
    .memory_cached = (double)memory.cached,
    .memory_peak = (double)memory.peak,
    .memory_free = property(d, "memory_free", 1),
    .memory_total = d->info.memory > 0 ? (double)d->info.memory : NAN,
    .utilization = property(d, "utilization", 1),
    .temperature = property(d, "temperature", 1),
    .power = property(d, "power", 1e-3),
    .process_rss = process_rss(),
    .process_cpu = 100 * (now.busy - since->busy) / (now.clock - since->clock),
  };
  *since = now;
}

static pl_status find(int32_t id, device **out) {
  *out = device_at(id);
  return *out ? PL_OK : status_fail(PL_EDEVICE, NULL, NULL, "device %d is not open", id);
}

pl_status pl_stats_take(int32_t id, pl_stats *out) {
  device *d;
  pl_status s = find(id, &d);
  if (s) return s;
  mark since = process_start();
  take(d, &since, out);
  return PL_OK;
}

/* ---- in the background ---- */

static struct timespec in_seconds(double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double end = (double)t.tv_nsec * 1e-9 + seconds;
  t.tv_sec += (time_t)end;
  t.tv_nsec = (long)((end - floor(end)) * 1e9);
  return t;
}

/* False when the sampler is to stop. Its lock is held. */
static bool rest(pl_sampler *sampler) {
  struct timespec end = in_seconds(sampler->seconds);
  int error = 0;
  while (!sampler->stop && error != ETIMEDOUT)
    error = pthread_cond_timedwait(&sampler->stopping, &sampler->lock, &end);
  return !sampler->stop;
}

static void *sample(void *argument) {
  pl_sampler *sampler = argument;
  pthread_mutex_lock(&sampler->lock);
  while (rest(sampler)) {
    pl_stats stats;
    pthread_mutex_unlock(&sampler->lock);
    take(sampler->device, &sampler->since, &stats);
    pthread_mutex_lock(&sampler->lock);
    sampler->newest = stats;
  }
  pthread_mutex_unlock(&sampler->lock);
  return NULL;
}

static void destroy(pl_sampler *sampler) {
  pthread_cond_destroy(&sampler->stopping);
  pthread_mutex_destroy(&sampler->lock);
  free(sampler);
}

pl_status pl_sampler_new(int32_t id, double seconds, pl_sampler **out) {
  device *d;
  pl_status s = find(id, &d);
  if (s) return s;
  if (!(seconds >= 1e-3 && seconds <= 1e6))
    return status_fail(PL_EARGUMENT, NULL, NULL, "statistics are taken every 0.001 to 1000000 "
                       "seconds, not every %g", seconds);
  pl_sampler *sampler = calloc(1, sizeof *sampler);
  if (!sampler) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  sampler->device = d;
  sampler->seconds = seconds;
  sampler->since = process_start();
  take(d, &sampler->since, &sampler->newest);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&sampler->lock, NULL);
  pthread_cond_init(&sampler->stopping, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int error = thread_start(&sampler->thread, sample, sampler);
  if (error) {
    destroy(sampler);
    return status_fail(PL_EIO, NULL, NULL, "cannot start a thread for statistics: %s",
                       strerror(error));
  }
  *out = sampler;
  return PL_OK;
}

void pl_sampler_read(pl_sampler *sampler, pl_stats *out) {
  pthread_mutex_lock(&sampler->lock);
  *out = sampler->newest;
  pthread_mutex_unlock(&sampler->lock);
}

void pl_sampler_free(pl_sampler *sampler) {
  if (!sampler) return;
  pthread_mutex_lock(&sampler->lock);
  sampler->stop = true;
  pthread_cond_signal(&sampler->stopping);
  pthread_mutex_unlock(&sampler->lock);
  pthread_join(sampler->thread, NULL);
  destroy(sampler);
}
