/* create.c -- arange: start + i * step, computed in f64, so integers are exact up to 2^53. */
#include "convert.h"

enum { BLOCK = 512 };

KERNEL(arange) {
  const pl_arange_attrs *a = call->attrs;
  const pl_operand *out = call->out[0];
  bool floats = out->dtype >= PL_F16;
  convert_fn convert = LEVEL(convert_loop)(floats ? PL_F64 : PL_I64, out->dtype);
  int64_t size = dtype_size(out->dtype);
  union { double real[BLOCK]; int64_t whole[BLOCK]; } block;
  for (int64_t at = 0; at < out->count; at += BLOCK) {
    int64_t n = min_i64(BLOCK, out->count - at);
    for (int64_t i = 0; i < n; i++) {
      double value = a->start + (double)(at + i) * a->step;
      if (floats) block.real[i] = value;
      else LEVEL(convert_loop)(PL_F64, PL_I64)(&block.whole[i], &value, 1);
    }
    convert(operand_data(out) + at * size, &block, n);
  }
  return PL_OK;
}
