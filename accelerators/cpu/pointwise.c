/* pointwise.c -- kernels of one to three operands, a line of arithmetic each (see walk.h). */
#include "walk.h"

#define ZERO v_splat(x, 0)
#define SQRT_HALF 0.70710678118654752440

/* ---- one operand ---- */
UNARY( neg, 2, NULL, -x )
UNARY( abs, 2, NULL, v_select(x < 0, -x, x) )
UNARY( square, 2, NULL, x * x )
UNARY( relu, 2, NULL, v_select(x <= 0, ZERO, x) )
UNARY( sign, 2, loop_sign_u8, v_select(x > 0, v_splat(x, 1), v_select(x < 0, -v_splat(x, 1), x)) )
UNARY_FLOAT( exp, 5, v_exp(x) )
UNARY_FLOAT( expm1, 8, v_expm1(x) )
UNARY_FLOAT( log, 6, v_log(x) )
UNARY_FLOAT( log1p, 12, v_log1p(x) )
UNARY_FLOAT( sqrt, 4, v_sqrt(x) )
UNARY_FLOAT( rsqrt, 8, 1.0f / v_sqrt(x) )
UNARY_FLOAT( reciprocal, 4, 1.0f / x )
UNARY_FLOAT( sin, 100, v_libm(sin, x) )
UNARY_FLOAT( cos, 100, v_libm(cos, x) )
UNARY_FLOAT( tanh, 10, v_tanh(x) )
UNARY_FLOAT( sigmoid, 8, v_sigmoid(x) )
UNARY_FLOAT( erf, 12, v_erf(x) )
UNARY_FLOAT( floor, 20, v_libm(floor, x) )
UNARY_FLOAT( ceil, 20, v_libm(ceil, x) )
UNARY_FLOAT( round, 20, v_libm(rint, x) )
UNARY_FLOAT( softplus, 20, v_select(x > 0, x, ZERO) + v_log1p(v_exp(v_select(x > 0, -x, x))) )
UNARY_FLOAT( silu, 10, v_select(x == -INFINITY, -ZERO, x * v_sigmoid(x)) )
UNARY_FLOAT( gelu, 15, v_select(x == -INFINITY, -ZERO,
                                0.5f * x * (1.0f + v_erf(x * v_splat(x, SQRT_HALF)))) )
UNARY_TEST( isfinite, 2, (x - x) == 0 )
UNARY_TEST( logical_not, 2, x == 0 )

#define ATTRIBUTE(op, field) v_splat(x, ((const pl_##op##_attrs *)attrs)->field)
UNARY_FLOAT( leaky_relu, 3, v_select(x > 0, x, x * ATTRIBUTE(leaky_relu, slope)) )
UNARY_FLOAT( elu, 10, v_select(x > 0, x, ATTRIBUTE(elu, alpha) * v_expm1(x)) )

/* The bound in the dtype of x: an integer keeps to what a fractional bound allows. */
static inline double bound(double value, double least, double most, bool lower) {
  value = lower ? ceil(value) : floor(value);
  return value < least ? least : value > most ? most : value;
}
#define BOUND_f32(value, lower) ((float)(value))
#define BOUND_f64(value, lower) (value)
#define BOUND_u8(value, lower) ((uint8_t)bound(value, 0, UINT8_MAX, lower))
#define BOUND_i32(value, lower) ((int32_t)bound(value, INT32_MIN, INT32_MAX, lower))
#define BOUND_i64(value, lower) \
  ((value) >= 0x1p63 ? INT64_MAX : (int64_t)bound(value, (double)INT64_MIN, 0x1p63, lower))
#define CLAMP(T) LOOP_HEAD(clamp, T) \
  const pl_clamp_attrs *a = attrs; \
  v_##T least = splat_##T(BOUND_##T(a->min, true)), most = splat_##T(BOUND_##T(a->max, false)); \
  for (int64_t i = 0; i < n; i += lanes_##T) { \
    v_##T x = load_##T(in[0], i); \
    x = v_select(x < least, least, x); \
    store_##T(out, i, v_select(x > most, most, x)); \
  } }
CLAMP( f32 )
CLAMP( f64 )
CLAMP( i32 )
CLAMP( i64 )
CLAMP( u8 )
NUMBER_TABLE( clamp, 3, NULL )

/* ---- two operands ---- */
LOOP_2( or, u8, store, x | y )
LOOP_2( and, u8, store, x & y )
BINARY( add, 2, loop_or_u8, x + y )
BINARY( sub, 2, NULL, x - y )
BINARY( mul, 2, loop_and_u8, x * y )
BINARY_FLOAT( div, 4, x / y )
BINARY( maximum, 3, loop_or_u8, v_select((x > y) | v_is_nan(x), x, y) )
BINARY( minimum, 3, loop_and_u8, v_select((x < y) | v_is_nan(x), x, y) )
BINARY_TEST( eq, 2, x == y )
BINARY_TEST( ne, 2, x != y )
BINARY_TEST( lt, 2, x < y )
BINARY_TEST( le, 2, x <= y )
BINARY_TEST( gt, 2, x > y )
BINARY_TEST( ge, 2, x >= y )
BINARY_TEST( logical_and, 2, (x != 0) & (y != 0) )
BINARY_TEST( logical_or, 2, (x != 0) | (y != 0) )
BINARY( relu_backward, 2, NULL, v_select(x > 0, y, ZERO) )

static inline v_f32 power_f32(v_f32 x, v_f32 y) {
  v_f32 z = { 0 };
  for (int i = 0; i < lanes_f32; i++) z[i] = powf(x[i], y[i]);
  return z;
}
static inline v_f64 power_f64(v_f64 x, v_f64 y) {
  v_f64 z = { 0 };
  for (int i = 0; i < lanes_f64; i++) z[i] = pow(x[i], y[i]);
  return z;
}
#define v_pow(x, y) _Generic((x), v_f32: power_f32, v_f64: power_f64)(x, y)
BINARY_FLOAT( pow, 200, v_pow(x, y) )

/* ---- three operands: the condition is bool, whatever the dtype of the others ---- */
#define WHERE(T) LOOP_HEAD(where, T) \
  for (int64_t i = 0; i < n; i += lanes_##T) \
    store_##T(out, i, v_select(load_mask_##T(in[0], i), load_##T(in[1], i), load_##T(in[2], i))); }
WHERE( f32 )
WHERE( f64 )
WHERE( i32 )
WHERE( i64 )
WHERE( u8 )
NUMBER_TABLE( where, 3, loop_where_u8 )
