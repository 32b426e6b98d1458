/* status.h -- who decides an error words it: one sentence per thread, until the next failure. */
#pragma once
#include "base.h"

/* Keeps the sentence and answers status. op and argument may be NULL. */
pl_status status_fail(pl_status status, const char *op, const char *argument, const char *format,
                      ...)
  __attribute__((format(printf, 4, 5)));

/* The same for a device, which does not know the op; status_running names it. */
pl_status status_fail_device(pl_status status, const char *format, ...)
  __attribute__((format(printf, 2, 3)));

/* The same for a device that learns of a failure after the op was launched. */
pl_status status_fail_late(pl_status status, const char *op, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
void status_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The op a device's sentence belongs to, NULL between ops. One that begins has no sentence yet. */
void status_running(const char *op);
