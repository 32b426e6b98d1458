/* stats_test.c -- statistics of a device and the process, taken at once and in the background. */
#include "engine_unit.h"
#include "stats.h"
#include <math.h>
#include <time.h>

static void wait_ms(int ms) {
  nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* Four MiB. */
static pl_tensor large(void) {
  int64_t n = 1 << 20;
  pl_tensor t = 0;
  OK(pl_tensor_empty(cpu(), PL_F32, 1, &n, &t));
  return t;
}

static void taken_at_once(void) {
  pl_stats before, after;
  CHECK(pl_stats_take(cpu(), &before) == PL_OK);
  pl_tensor x = large();
  CHECK(pl_stats_take(cpu(), &after) == PL_OK);
  CHECK(after.memory_used >= before.memory_used + (4 << 20));
  CHECK(after.memory_peak >= after.memory_used);
  CHECK(after.memory_total > after.memory_free && after.memory_free > 0);
  CHECK(after.process_rss > 1 << 20 && after.process_rss < after.memory_total);
  CHECK(after.process_cpu > 0);
  pl_tensor_release(x);
  CHECK(pl_stats_take(99, &after) == PL_EDEVICE);
}

static void taken_in_the_background(void) {
  pl_sampler *sampler = NULL;
  pl_stats first, now;
  CHECK(pl_sampler_new(cpu(), 0.001, &sampler) == PL_OK);
  pl_sampler_read(sampler, &first);
  pl_tensor x = large();
  for (int i = 0; i < 5000; i++) {
    pl_sampler_read(sampler, &now);
    if (now.memory_used >= first.memory_used + (4 << 20)) break;
    wait_ms(1);
  }
  CHECK(now.memory_used >= first.memory_used + (4 << 20));
  pl_tensor_release(x);
  pl_sampler_free(sampler);
  pl_sampler_free(NULL);
}

/* One that rests for a day ends at once, and two do not mind each other. */
static void ends_at_once(void) {
  pl_sampler *slow = NULL, *fast = NULL;
  CHECK(pl_sampler_new(cpu(), 86400, &slow) == PL_OK);
  CHECK(pl_sampler_new(cpu(), 0.001, &fast) == PL_OK);
  double start = pl_clock();
  pl_sampler_free(slow);
  pl_sampler_free(fast);
  CHECK(pl_clock() - start < 60);
}

static void bad_intervals_are_errors(void) {
  pl_sampler *none = NULL;
  static const double bad[] = { 0, -1, 1e-9, 1e9, NAN, INFINITY };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK(pl_sampler_new(cpu(), bad[i], &none) == PL_EARGUMENT && !none);
  CHECK(pl_sampler_new(99, 1, &none) == PL_EDEVICE && !none);
}

int main(void) {
  UNIT(taken_at_once);
  UNIT(taken_in_the_background);
  UNIT(ends_at_once);
  UNIT(bad_intervals_are_errors);
  return units_end();
}
