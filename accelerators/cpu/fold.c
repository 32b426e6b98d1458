/*
** fold.c -- the folds: sum, mean, prod (f32 in f64, integers in i64), max and min (NaN wins), any
** and all. f32 sums in f64 need no compensation: 2^20 elements keep full f32 precision.
*/
#include "fetch.h"
#include "fold.h"
#include "vec.h"

/* Accumulators and results by the type of the element. */
#define WIDE_f32 f64
#define WIDE_f64 f64
#define WIDE_u8 i64
#define WIDE_i32 i64
#define WIDE_i64 i64
#define WIDE_RESULT_f32 f32
#define WIDE_RESULT_f64 f64
#define WIDE_RESULT_u8 i64
#define WIDE_RESULT_i32 i64
#define WIDE_RESULT_i64 i64
#define SAME_f32 f32
#define SAME_f64 f64
#define SAME_u8 u8
#define SAME_i32 i32
#define SAME_i64 i64
#define MASK_f32 i32
#define MASK_f64 i64
#define MASK_u8 i8
#define MASK_i32 i32
#define MASK_i64 i64
#define TRUTH_f32 u8
#define TRUTH_f64 u8
#define TRUTH_u8 u8
#define TRUTH_i32 u8
#define TRUTH_i64 u8
#define LEAST_f32 -INFINITY
#define LEAST_f64 -INFINITY
#define LEAST_u8 0
#define LEAST_i32 INT32_MIN
#define LEAST_i64 INT64_MIN
#define MOST_f32 INFINITY
#define MOST_f64 INFINITY
#define MOST_u8 UINT8_MAX
#define MOST_i32 INT32_MAX
#define MOST_i64 INT64_MAX

/* wide_<X>: as many elements as the accumulator vector has lanes, in its type. */
#define WIDEN(X, A) \
  static inline v_##A wide_##X(const void *p, int64_t i) { \
    typedef t_##X part __attribute__((vector_size(lanes_##A * sizeof(t_##X)))); \
    typedef t_##X loose __attribute__((vector_size(lanes_##A * sizeof(t_##X)), aligned(1), \
                                       may_alias)); \
    part x = *(const loose *)((const t_##X *)p + i); \
    return __builtin_convertvector(x, v_##A); \
  }
WIDEN( f32, f64 )
WIDEN( f64, f64 )
WIDEN( u8, i64 )
WIDEN( i32, i64 )
WIDEN( i64, i64 )

/* truth_<X>: the mask of elements that are not 0. */
#define TRUTH(X, M) \
  static inline v_##M truth_##X(const void *p, int64_t i) { return load_##X(p, i) != 0; }
TRUTH( f32, i32 )
TRUTH( f64, i64 )
TRUTH( u8, i8 )
TRUTH( i32, i32 )
TRUTH( i64, i64 )

#define OP sum
#define ACC_OF WIDE
#define Y_OF WIDE_RESULT
#define LOAD_OF wide
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) (a)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

#define OP mean
#define ACC_OF WIDE
#define Y_OF SAME
#define LOAD_OF wide
#define STEP(a, x) ((a) + (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) / (count))
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#include "fold_end.h"

#define OP prod
#define ACC_OF WIDE
#define Y_OF WIDE_RESULT
#define LOAD_OF wide
#define STEP(a, x) ((a) * (x))
#define ACC_START 1
#define X_NEUTRAL 1
#define RESULT(a, count) (a)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

#define OP max
#define ACC_OF SAME
#define Y_OF SAME
#define LOAD_OF load
#define STEP(a, x) v_select((x > a) | v_is_nan(x), x, a)
#define ACC_START P3(LEAST, X)
#define X_NEUTRAL P3(LEAST, X)
#define RESULT(a, count) (a)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

#define OP min
#define ACC_OF SAME
#define Y_OF SAME
#define LOAD_OF load
#define STEP(a, x) v_select((x < a) | v_is_nan(x), x, a)
#define ACC_START P3(MOST, X)
#define X_NEUTRAL P3(MOST, X)
#define RESULT(a, count) (a)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

#define OP any
#define ACC_OF MASK
#define Y_OF TRUTH
#define LOAD_OF truth
#define STEP(a, x) ((a) | (x))
#define ACC_START 0
#define X_NEUTRAL 0
#define RESULT(a, count) ((a) != 0)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

#define OP all
#define ACC_OF MASK
#define Y_OF TRUTH
#define LOAD_OF truth
#define STEP(a, x) ((a) & (x))
#define ACC_START -1
#define X_NEUTRAL 1
#define RESULT(a, count) ((a) != 0)
#define X f32
#include "fold_body.h"
#define X f64
#include "fold_body.h"
#define X u8
#include "fold_body.h"
#define X i32
#include "fold_body.h"
#define X i64
#include "fold_body.h"
#include "fold_end.h"

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
