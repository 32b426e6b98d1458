/*
** fold.c -- the folds: sum, mean, prod (f32 in f64, integers in i64), max and min (NaN wins), any
** and all. f32 sums in f64 need no compensation: 2^20 elements keep full f32 precision.
*/
#include "fold.h"
#include "vec.h"

/* As many elements as an accumulator vector has lanes, in the accumulator's type. */
#define WIDE(X, A) \
  static inline v_##A wide_##X##_##A(const void *p, int64_t i) { \
    typedef t_##X part __attribute__((vector_size(lanes_##A * sizeof(t_##X)))); \
    typedef t_##X loose __attribute__((vector_size(lanes_##A * sizeof(t_##X)), aligned(1), \
                                       may_alias)); \
    part x = *(const loose *)((const t_##X *)p + i); \
    return __builtin_convertvector(x, v_##A); \
  }
WIDE( f32, f64 )
WIDE( f64, f64 )
WIDE( u8, i64 )
WIDE( i32, i64 )
WIDE( i64, i64 )

#define LARGER(a, x) v_select((x > a) | v_is_nan(x), x, a)
#define SMALLER(a, x) v_select((x < a) | v_is_nan(x), x, a)

#define NAME sum_f32
#define X f32
#define ACC f64
#define Y f32
#define LOAD(p, i) wide_f32_f64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_f32)(a)
#include "fold_body.h"

#define NAME sum_f64
#define X f64
#define ACC f64
#define Y f64
#define LOAD(p, i) wide_f64_f64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_f64)(a)
#include "fold_body.h"

#define NAME sum_u8
#define X u8
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_u8_i64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME sum_i32
#define X i32
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_i32_i64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME sum_i64
#define X i64
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_i64_i64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME prod_f32
#define X f32
#define ACC f64
#define Y f32
#define LOAD(p, i) wide_f32_f64(p, i)
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (t_f32)(a)
#include "fold_body.h"

#define NAME prod_f64
#define X f64
#define ACC f64
#define Y f64
#define LOAD(p, i) wide_f64_f64(p, i)
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (t_f64)(a)
#include "fold_body.h"

#define NAME prod_u8
#define X u8
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_u8_i64(p, i)
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME prod_i32
#define X i32
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_i32_i64(p, i)
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME prod_i64
#define X i64
#define ACC i64
#define Y i64
#define LOAD(p, i) wide_i64_i64(p, i)
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (t_i64)(a)
#include "fold_body.h"

#define NAME mean_f32
#define X f32
#define ACC f64
#define Y f32
#define LOAD(p, i) wide_f32_f64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_f32)((a) / (count))
#include "fold_body.h"

#define NAME mean_f64
#define X f64
#define ACC f64
#define Y f64
#define LOAD(p, i) wide_f64_f64(p, i)
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (t_f64)((a) / (count))
#include "fold_body.h"

#define NAME max_f32
#define X f32
#define ACC f32
#define Y f32
#define LOAD(p, i) load_f32(p, i)
#define STEP(a, x) LARGER(a, x)
#define ACC_START -INFINITY
#define X_NEUTRAL -INFINITY
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME max_f64
#define X f64
#define ACC f64
#define Y f64
#define LOAD(p, i) load_f64(p, i)
#define STEP(a, x) LARGER(a, x)
#define ACC_START -INFINITY
#define X_NEUTRAL -INFINITY
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME max_u8
#define X u8
#define ACC u8
#define Y u8
#define LOAD(p, i) load_u8(p, i)
#define STEP(a, x) LARGER(a, x)
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME max_i32
#define X i32
#define ACC i32
#define Y i32
#define LOAD(p, i) load_i32(p, i)
#define STEP(a, x) LARGER(a, x)
#define ACC_START INT32_MIN
#define X_NEUTRAL INT32_MIN
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME max_i64
#define X i64
#define ACC i64
#define Y i64
#define LOAD(p, i) load_i64(p, i)
#define STEP(a, x) LARGER(a, x)
#define ACC_START INT64_MIN
#define X_NEUTRAL INT64_MIN
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME min_f32
#define X f32
#define ACC f32
#define Y f32
#define LOAD(p, i) load_f32(p, i)
#define STEP(a, x) SMALLER(a, x)
#define ACC_START INFINITY
#define X_NEUTRAL INFINITY
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME min_f64
#define X f64
#define ACC f64
#define Y f64
#define LOAD(p, i) load_f64(p, i)
#define STEP(a, x) SMALLER(a, x)
#define ACC_START INFINITY
#define X_NEUTRAL INFINITY
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME min_u8
#define X u8
#define ACC u8
#define Y u8
#define LOAD(p, i) load_u8(p, i)
#define STEP(a, x) SMALLER(a, x)
#define ACC_START UINT8_MAX
#define X_NEUTRAL UINT8_MAX
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME min_i32
#define X i32
#define ACC i32
#define Y i32
#define LOAD(p, i) load_i32(p, i)
#define STEP(a, x) SMALLER(a, x)
#define ACC_START INT32_MAX
#define X_NEUTRAL INT32_MAX
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME min_i64
#define X i64
#define ACC i64
#define Y i64
#define LOAD(p, i) load_i64(p, i)
#define STEP(a, x) SMALLER(a, x)
#define ACC_START INT64_MAX
#define X_NEUTRAL INT64_MAX
#define RESULT(a, count) (a)
#include "fold_body.h"

#define NAME any_f32
#define X f32
#define ACC i32
#define Y u8
#define LOAD(p, i) (load_f32(p, i) != 0)
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME any_f64
#define X f64
#define ACC i64
#define Y u8
#define LOAD(p, i) (load_f64(p, i) != 0)
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME any_u8
#define X u8
#define ACC i8
#define Y u8
#define LOAD(p, i) (load_u8(p, i) != 0)
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME any_i32
#define X i32
#define ACC i32
#define Y u8
#define LOAD(p, i) (load_i32(p, i) != 0)
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME any_i64
#define X i64
#define ACC i64
#define Y u8
#define LOAD(p, i) (load_i64(p, i) != 0)
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME all_f32
#define X f32
#define ACC i32
#define Y u8
#define LOAD(p, i) (load_f32(p, i) != 0)
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME all_f64
#define X f64
#define ACC i64
#define Y u8
#define LOAD(p, i) (load_f64(p, i) != 0)
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME all_u8
#define X u8
#define ACC i8
#define Y u8
#define LOAD(p, i) (load_u8(p, i) != 0)
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME all_i32
#define X i32
#define ACC i32
#define Y u8
#define LOAD(p, i) (load_i32(p, i) != 0)
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define NAME all_i64
#define X i64
#define ACC i64
#define Y u8
#define LOAD(p, i) (load_i64(p, i) != 0)
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#include "fold_body.h"

#define ENTRY(op) { [PL_BOOL] = &fold_##op##_u8, [PL_U8] = &fold_##op##_u8, \
  [PL_I32] = &fold_##op##_i32, [PL_I64] = &fold_##op##_i64, [PL_F32] = &fold_##op##_f32, \
  [PL_F64] = &fold_##op##_f64 }
const fold *const LEVEL(folds)[7][PL_DTYPES] = {
  [FOLD_SUM] = ENTRY(sum),
  [FOLD_MEAN] = { [PL_F32] = &fold_mean_f32, [PL_F64] = &fold_mean_f64 },
  [FOLD_PROD] = ENTRY(prod),
  [FOLD_MAX] = ENTRY(max),
  [FOLD_MIN] = ENTRY(min),
  [FOLD_ANY] = ENTRY(any),
  [FOLD_ALL] = ENTRY(all),
};
