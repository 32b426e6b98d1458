/* add.h -- elements added onto others of the same dtype, whichever has arithmetic. */
#pragma once
#include "cpu.h"

typedef void (*add_fn)(void *sum, const void *x, int64_t n);

#define ADD_INTO(name, type) \
  static void add_##name(void *sum, const void *x, int64_t n) { \
    for (int64_t i = 0; i < n; i++) ((type *)sum)[i] += ((const type *)x)[i]; \
  }
ADD_INTO( f32, float )
ADD_INTO( f64, double )
ADD_INTO( i32, int32_t )
ADD_INTO( i64, int64_t )
ADD_INTO( u8, uint8_t )
#undef ADD_INTO

/* NULL where the dtype has no sums. */
static inline add_fn add_of(int32_t dtype) {
  static const add_fn table[PL_DTYPES] = { [PL_F32] = add_f32, [PL_F64] = add_f64,
    [PL_I32] = add_i32, [PL_I64] = add_i64, [PL_U8] = add_u8 };
  return table[dtype];
}
