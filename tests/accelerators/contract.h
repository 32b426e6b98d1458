/*
** contract.h -- what the parts of the contract share: the device that is tried, and tensors on it.
*/
#pragma once
#include "../engine/engine_unit.h"
#include <stdlib.h>

static int32_t device;
static bool computes;           /* what is written comes back */

static pl_tensor make(int32_t where, int32_t dtype, int rank, const int64_t *sizes) {
  pl_tensor t = 0;
  OK(pl_tensor_empty(where, dtype, rank, sizes, &t));
  return t;
}

/* f32 of these sizes holding from, from + step, ... */
static pl_tensor numbers(int32_t where, int rank, const int64_t *sizes, double from, double step) {
  pl_tensor t = make(where, PL_F32, rank, sizes);
  int64_t n = 1;
  for (int i = 0; i < rank; i++) n *= sizes[i];
  float *data = malloc((size_t)n * sizeof *data + 1);
  for (int64_t i = 0; i < n; i++) data[i] = (float)(from + step * (double)i);
  OK(pl_tensor_write(t, data, n * 4));
  free(data);
  return t;
}

#define SIZES(...) (int64_t[]){ __VA_ARGS__ }

/* Does what is written there come back? */
static bool keeps(int32_t where) {
  pl_tensor t = numbers(where, 1, SIZES(1), 5, 0);
  float got = 0;
  OK(pl_tensor_read(t, &got, 4));
  pl_tensor_release(t);
  return got == 5;
}
