/*
** meters.c -- what Linux tells about the processor: memory, load, temperature, power. Load and
** power are means since they were last asked for. May be called from any thread.
*/
#include "meters.h"
#include "cpu.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *cpu_meters_root = "";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static FILE *open_below_root(const char *path) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", cpu_meters_root, path);
  return fopen(full, "r");
}

/* The first number of a file. */
static bool read_number(const char *path, int64_t *out) {
  long long value;
  FILE *f = open_below_root(path);
  bool found = f && fscanf(f, "%lld", &value) == 1;
  if (f) fclose(f);
  if (found) *out = value;
  return found;
}

static bool memory_free(int64_t *out) {
  char line[128];
  long long kib = -1;
  FILE *f = open_below_root("/proc/meminfo");
  while (f && kib < 0 && fgets(line, sizeof line, f)) sscanf(line, "MemAvailable: %lld", &kib);
  if (f) fclose(f);
  *out = kib * 1024;
  return kib >= 0;
}

/* Percent of the time of all cores. */
static bool utilization(int64_t *out) {
  static long long last_busy, last_total;
  static int64_t percent = -1;
  long long t[8] = { 0 }, busy, total = 0;   /* user nice system idle iowait irq softirq steal */
  FILE *f = open_below_root("/proc/stat");
  int n = f ? fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &t[0], &t[1], &t[2], &t[3],
                     &t[4], &t[5], &t[6], &t[7]) : 0;
  if (f) fclose(f);
  if (n < 4) return false;
  for (int i = 0; i < 8; i++) total += t[i];
  busy = total - t[3] - t[4];
  if (last_total && total > last_total)
    percent = (100 * (busy - last_busy) + (total - last_total) / 2) / (total - last_total);
  last_busy = busy;
  last_total = total;
  *out = percent;
  return percent >= 0;
}

/* The hottest of the zones that are the processor's. */
static bool temperature(int64_t *out) {
  bool found = false;
  for (int zone = 0; zone < 64; zone++) {
    char path[80], type[64] = "";
    snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/type", zone);
    FILE *f = open_below_root(path);
    if (!f) break;
    if (fscanf(f, "%63s", type) != 1) type[0] = 0;
    fclose(f);
    if (!strstr(type, "cpu") && !strstr(type, "pkg")) continue;
    int64_t thousandths;
    snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", zone);
    if (!read_number(path, &thousandths) || (found && thousandths / 1000 <= *out)) continue;
    *out = thousandths / 1000;
    found = true;
  }
  return found;
}

/* Milliwatts of all packages, from the energy that they count. */
static bool power(int64_t *out) {
  static int64_t last_energy, last_nanoseconds;
  int64_t energy = 0, one;
  char path[80];
  int packages = 0;
  for (;; packages++) {
    snprintf(path, sizeof path, "/sys/class/powercap/intel-rapl:%d/energy_uj", packages);
    if (!read_number(path, &one)) break;
    energy += one;
  }
  if (!packages) return false;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
  bool known = last_nanoseconds && energy >= last_energy && now > last_nanoseconds;
  if (known) *out = (energy - last_energy) * 1000000 / (now - last_nanoseconds);
  last_energy = energy;
  last_nanoseconds = now;
  return known;
}

static const struct { const char *name; bool (*read)(int64_t *out); } meters[] = {
  { "memory_free", memory_free }, { "utilization", utilization }, { "temperature", temperature },
  { "power", power },
};

pl_status cpu_meter(const char *property, int64_t *out) {
  for (size_t i = 0; i < sizeof meters / sizeof *meters; i++) {
    if (strcmp(property, meters[i].name) != 0) continue;
    int64_t value = 0;
    pthread_mutex_lock(&lock);
    bool known = meters[i].read(&value);
    pthread_mutex_unlock(&lock);
    if (!known) return FAIL(PL_EDEVICE, "cpu: this machine does not tell its %s", property);
    *out = value;
    return PL_OK;
  }
  return FAIL(PL_EARGUMENT, "cpu has no property \"%s\"; it has threads, level, memory_free, "
              "utilization, temperature, power", property);
}
