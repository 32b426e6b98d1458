/* target.c -- checks positions before a kernel writes anything. */
#include "target.h"

pl_status LEVEL(positions_check)(const positions *p, const char *op, const char *argument,
                                 int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    int64_t value = position_at(p->data, p->dtype, i);
    bool ignored = p->ignores && value == p->ignored;
    if (ignored || (value >= p->base && value - p->base < p->limit)) continue;
    const char *hint = "";
    if (p->base == 1 && value == 0) hint = "; positions count from 1, these seem to count from 0";
    if (p->base == 0 && value == p->limit)
      hint = "; positions count from 0, these seem to count from 1";
    return FAIL(PL_EARGUMENT, "%s: %s %lld at position %lld is outside %lld..%lld%s", op, argument,
                (long long)value, (long long)(i + 1), (long long)p->base,
                (long long)(p->base + p->limit - 1), hint);
  }
  return PL_OK;
}
