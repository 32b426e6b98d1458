/*
** walk.h -- pointwise kernels. An op is a loop over whole vectors of contiguous memory, made from
** one line of arithmetic; walk brings every operand into that form (strides, broadcasting, half
** types, tails) and shares large calls out. out[0] may be in[0].
*/
#pragma once
#include "cpu.h"
#include "vecmath.h"

/* n is a whole number of vectors of the compute dtype. */
typedef void (*walk_loop)(void *out, const void *const *in, int64_t n, const void *attrs);

typedef struct walk_loops {
  int32_t cost;                    /* of an element, in tenths of a nanosecond */
  walk_loop loop[PL_DTYPES];       /* by the dtype of the last input; NULL: unsupported */
} walk_loops;

pl_status LEVEL(walk)(const pl_call *call, const walk_loops *loops);

#define LOOP_HEAD(name, T) \
  static void loop_##name##_##T(void *out, const void *const *in, int64_t n, const void *attrs) { \
    (void)attrs;

#define LOOP_1(name, T, store, value) LOOP_HEAD(name, T) const void *a = in[0]; \
  for (int64_t i = 0; i < n; i += lanes_##T) { \
    v_##T x = load_##T(a, i); \
    store##_##T(out, i, value); \
  } }
#define LOOP_2(name, T, store, value) LOOP_HEAD(name, T) const void *a = in[0], *b = in[1]; \
  for (int64_t i = 0; i < n; i += lanes_##T) { \
    v_##T x = load_##T(a, i), y = load_##T(b, i); \
    store##_##T(out, i, value); \
  } }

/* Tables: of floats only, and of every dtype with arithmetic. */
#define FLOAT_TABLE(name, price) \
  static const walk_loops loops_##name = { .cost = price, .loop = { \
    [PL_F32] = loop_##name##_f32, [PL_F64] = loop_##name##_f64 } }; \
  KERNEL(name) { return LEVEL(walk)(call, &loops_##name); }
#define NUMBER_TABLE(name, price, on_bool) \
  static const walk_loops loops_##name = { .cost = price, .loop = { \
    [PL_F32] = loop_##name##_f32, [PL_F64] = loop_##name##_f64, [PL_I32] = loop_##name##_i32, \
    [PL_I64] = loop_##name##_i64, [PL_U8] = loop_##name##_u8, [PL_BOOL] = on_bool } }; \
  KERNEL(name) { return LEVEL(walk)(call, &loops_##name); }

#define ALL_LOOPS(LOOP, name, store, value) \
  LOOP(name, f32, store, value) LOOP(name, f64, store, value) LOOP(name, i32, store, value) \
  LOOP(name, i64, store, value) LOOP(name, u8, store, value)

/* UNARY(abs, ...) defines the kernel of every dtype from an expression of x, BINARY of x and y. */
#define UNARY_FLOAT(name, price, value) \
  LOOP_1(name, f32, store, value) LOOP_1(name, f64, store, value) FLOAT_TABLE(name, price)
#define UNARY(name, price, on_bool, value) \
  ALL_LOOPS(LOOP_1, name, store, value) NUMBER_TABLE(name, price, on_bool)
#define UNARY_TEST(name, price, value) \
  ALL_LOOPS(LOOP_1, name, store_mask, value) NUMBER_TABLE(name, price, loop_##name##_u8)
#define BINARY_FLOAT(name, price, value) \
  LOOP_2(name, f32, store, value) LOOP_2(name, f64, store, value) FLOAT_TABLE(name, price)
#define BINARY(name, price, on_bool, value) \
  ALL_LOOPS(LOOP_2, name, store, value) NUMBER_TABLE(name, price, on_bool)
#define BINARY_TEST(name, price, value) \
  ALL_LOOPS(LOOP_2, name, store_mask, value) NUMBER_TABLE(name, price, loop_##name##_u8)
