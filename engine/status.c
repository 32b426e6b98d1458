/*
** status.c -- errors, and facts about the process. The sentence is thread-local and overwritten by
** the next failure.
*/
#include "status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static _Thread_local struct {
  char sentence[1024], op[48], argument[48];
  const char *running;
} last;

static void keep(char *to, size_t size, const char *text) {
  snprintf(to, size, "%s", text ? text : "");
}

static void keep_failure(const char *op, const char *argument, const char *format, va_list list) {
  vsnprintf(last.sentence, sizeof last.sentence, format, list);
  keep(last.op, sizeof last.op, op);
  keep(last.argument, sizeof last.argument, argument);
}

pl_status status_fail(pl_status status, const char *op, const char *argument, const char *format,
                      ...) {
  va_list list;
  va_start(list, format);
  keep_failure(op, argument, format, list);
  va_end(list);
  return status;
}

pl_status status_fail_device(pl_status status, const char *format, ...) {
  va_list list;
  va_start(list, format);
  keep_failure(last.running, NULL, format, list);
  va_end(list);
  return status;
}

pl_status status_fail_late(pl_status status, const char *op, const char *format, ...) {
  va_list list;
  va_start(list, format);
  keep_failure(op, NULL, format, list);
  va_end(list);
  return status;
}

void status_log(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("perilune: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
}

void status_running(const char *op) {
  if (op) last.sentence[0] = 0;
  last.running = op;
}

const char *pl_error(void) { return last.sentence; }
const char *pl_error_op(void) { return last.op; }
const char *pl_error_argument(void) { return last.argument; }

const char *pl_status_name(pl_status status) {
  static const char *const names[] = {
    "ok", "argument", "shape", "dtype", "device", "out_of_memory", "io", "format", "interrupted",
    "user", "stale", "unsupported", "queued",
  };
  return status >= 0 && status < (int)(sizeof names / sizeof *names) ? names[status] : "unknown";
}

const char *pl_version(void) {
  static _Thread_local char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", PL_VERSION_MAJOR, PL_VERSION_MINOR, PL_VERSION_PATCH);
  return text;
}

double pl_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Field 22 of /proc/self/stat is the start in clock ticks since boot (proc(5)). */
double pl_process_seconds(void) {
  char line[1024];
  FILE *f = fopen("/proc/self/stat", "r");
  size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
  if (f) fclose(f);
  line[n] = 0;
  const char *p = strrchr(line, ')');
  unsigned long long start = 0;
  if (!p || sscanf(p + 1,
                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                   "%*d %llu", &start) != 1) return 0;
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec
       - (double)start / (double)sysconf(_SC_CLK_TCK);
}

int64_t pl_process_peak_rss(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) ? 0 : (int64_t)usage.ru_maxrss * 1024;
}
