/*
** stats.h -- the public API of statistics: what a device and this process use.
** ffi.cdef reads this file as it is, after perilune.h; the same rules hold.
*/
#pragma once
#pragma GCC visibility push(default)

/* NaN where it is not known. A device tells memory_free (bytes), utilization (percent), temperature
** (degrees Celsius) and power (milliwatts) as properties, which it answers from any thread. */
typedef struct pl_stats {
  double memory_used, memory_cached, memory_peak;   /* bytes of this process, of its pool */
  double memory_free, memory_total;                 /* bytes of the device, of all who use it */
  double utilization;   /* percent of the time since it was last asked for */
  double temperature;   /* degrees Celsius */
  double power;         /* watts */
  double process_rss;   /* bytes of host memory */
  double process_cpu;   /* percent of one core, since the last time or the process's start */
} pl_stats;

pl_status pl_stats_take(int32_t device, pl_stats *out);

/* A thread that takes them every so many seconds, the first time before it starts. */
typedef struct pl_sampler pl_sampler;
pl_status pl_sampler_new(int32_t device, double seconds, pl_sampler **out);
void pl_sampler_read(pl_sampler *sampler, pl_stats *out);   /* the newest; waits for nothing */
void pl_sampler_free(pl_sampler *sampler);                  /* ends the thread */

#pragma GCC visibility pop
