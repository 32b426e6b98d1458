/* meters_test.c -- what the CPU device reads of /proc and /sys, from a folder made for it. */
#include "base.h"
#include "cpu.h"
#include "meters.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int failures;
#define CHECK(x) \
  do { if (!(x)) failures++, printf("%s:%d: %s\n", __FILE__, __LINE__, #x); } while (0)

static char root[] = "/tmp/perilune-meters-XXXXXX", sentence[256];

static pl_status keep(pl_status status, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(sentence, sizeof sentence, format, list);
  va_end(list);
  return status;
}

/* Makes the folders of a path below the root, and the file. */
static void put(const char *path, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *slash = full + sizeof root; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    mkdir(full, 0700);
  }
  FILE *f = fopen(full, "w");
  CHECK(f != NULL);
  if (!f) return;
  fputs(text, f);
  fclose(f);
}

static int64_t stat_of(const char *property) {
  int64_t value = -7;
  return cpu_meter(property, &value) == PL_OK ? value : -1;
}

static void memory(void) {
  CHECK(stat_of("memory_free") == -1);
  put("/proc/meminfo", "MemTotal:  16000 kB\nMemFree: 100 kB\nMemAvailable:   8000 kB\n");
  CHECK(stat_of("memory_free") == 8000 * 1024);
}

static void load(void) {
  CHECK(stat_of("utilization") == -1);
  put("/proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
  CHECK(stat_of("utilization") == -1);   /* a mean needs a beginning */
  put("/proc/stat", "cpu  150 0 120 810 120 0 0 0 0 0\n");
  CHECK(stat_of("utilization") == 35);
  CHECK(stat_of("utilization") == 35);   /* no time has passed */
  put("/proc/stat", "cpu  one\n");
  CHECK(stat_of("utilization") == -1);
}

static void heat(void) {
  CHECK(stat_of("temperature") == -1);
  put("/sys/class/thermal/thermal_zone0/type", "acpitz\n");
  put("/sys/class/thermal/thermal_zone0/temp", "99000\n");
  CHECK(stat_of("temperature") == -1);
  put("/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
  put("/sys/class/thermal/thermal_zone1/temp", "61500\n");
  put("/sys/class/thermal/thermal_zone2/type", "cpu-thermal\n");
  put("/sys/class/thermal/thermal_zone2/temp", "48000\n");
  CHECK(stat_of("temperature") == 61);
}

static void energy(void) {
  CHECK(stat_of("power") == -1);
  put("/sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n");
  put("/sys/class/powercap/intel-rapl:1/energy_uj", "1000000\n");
  CHECK(stat_of("power") == -1);
  put("/sys/class/powercap/intel-rapl:1/energy_uj", "900000000\n");
  CHECK(stat_of("power") > 0);
  put("/sys/class/powercap/intel-rapl:1/energy_uj", "5\n");   /* the counter began again */
  CHECK(stat_of("power") == -1);
}

int main(void) {
  static const pl_host host = { .size = sizeof host, .fail = keep };
  cpu_host = &host;
  CHECK(mkdtemp(root) != NULL);
  cpu_meters_root = root;
  memory();
  load();
  heat();
  energy();
  CHECK(stat_of("nothing") == -1 && strstr(sentence, "it has threads, level, memory_free"));
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", root);
  if (system(command)) failures++;
  return failures != 0;
}
