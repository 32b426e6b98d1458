/* target.h -- positions given by users (u8, i32, i64), counted from a base. */
#pragma once
#include "cpu.h"

static inline int64_t position_at(const void *data, int32_t dtype, int64_t i) {
  switch (dtype) {
    case PL_U8: return ((const uint8_t *)data)[i];
    case PL_I32: return ((const int32_t *)data)[i];
    default: return ((const int64_t *)data)[i];
  }
}

/* A dense operand of positions 0..limit-1, or -1 where the value is the ignored one. */
typedef struct positions {
  const void *data;
  int32_t dtype;
  int64_t base, limit;
  bool ignores;
  int64_t ignored;                 /* as the user wrote it */
} positions;

static inline int64_t position_get(const positions *p, int64_t i) {
  int64_t value = position_at(p->data, p->dtype, i);
  return p->ignores && value == p->ignored ? -1 : value - p->base;
}

/* PL_EARGUMENT and a sentence for the first of n values that is out of range. */
pl_status LEVEL(positions_check)(const positions *p, const char *op, const char *argument,
                                 int64_t n);
