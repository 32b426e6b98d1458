/* meters.h -- the statistics among the CPU's properties; engine/stats.h has their units. */
#pragma once
#include "base.h"

extern const char *cpu_meters_root;   /* below which /proc and /sys are looked for: "" */

pl_status cpu_meter(const char *property, int64_t *out);
