/*
** convert.h -- a list of transforms made into one function from a row to a row of another dtype.
** u8 rows go through a table of the 256 results, so any list costs the same and is exact.
*/
#pragma once
#include "base.h"
#include "data.h"

typedef struct convert convert;
typedef void (*convert_row)(const convert *c, const void *src, void *dst, int64_t n);

struct convert {
  convert_row row;
  int32_t from, to;
  int32_t count;
  pl_transform steps[PL_MAX_TRANSFORMS];
  float high, low;             /* of the form that multiplies */
  union {
    uint8_t bytes[256 * 8];
    float f32[256];
    double f64[256];
    int32_t i32[256];
    int64_t i64[256];
  } table;
};

pl_status convert_make(int32_t from, const pl_transform *steps, int32_t n, convert *out);
