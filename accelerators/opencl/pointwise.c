/* pointwise.c -- launches of pointwise.cl: an item for each element of the result. */
#include "opencl.h"
#include <string.h>

static pl_status run(void *state, const pl_call *call, const char *kernel) {
  launch l = launch_begin(state, call, kernel);
  for (int i = 0; i < call->n_in; i++) launch_operand(&l, call->in[i]);
  launch_operand(&l, call->out[0]);
  return launch_run(&l, call->out[0]->count);
}

#define FLOATS(name, kernel) \
  KERNEL(name) { return all_f32(call, 0) ? run(state, call, kernel) : PL_EUNSUPPORTED; }

FLOATS( neg, "neg" )
FLOATS( abs, "abs_" )
FLOATS( square, "square" )
FLOATS( relu, "relu" )
FLOATS( exp, "exp_" )
FLOATS( log, "log_" )
FLOATS( sqrt, "sqrt_" )
FLOATS( rsqrt, "rsqrt_" )
FLOATS( tanh, "tanh_" )
FLOATS( sigmoid, "sigmoid" )
FLOATS( add, "add" )
FLOATS( sub, "sub" )
FLOATS( mul, "mul" )
FLOATS( div, "div" )
FLOATS( maximum, "maximum" )
FLOATS( minimum, "minimum" )
FLOATS( relu_backward, "relu_backward" )

/* f32 against f32, to bool. */
#define TEST(name) \
  KERNEL(name) { \
    bool floats = call->in[0]->dtype == PL_F32 && call->in[1]->dtype == PL_F32; \
    return floats ? run(state, call, #name) : PL_EUNSUPPORTED; \
  }

TEST( eq )
TEST( ne )
TEST( lt )
TEST( le )
TEST( gt )
TEST( ge )

KERNEL(where) {
  bool bools = call->in[0]->dtype == PL_BOOL || call->in[0]->dtype == PL_U8;
  return bools && all_f32(call, 1) ? run(state, call, "where_") : PL_EUNSUPPORTED;
}

KERNEL(cast) {
  static const struct { int32_t from, to; const char *kernel; } casts[] = {
    { PL_BOOL, PL_F32, "cast_uchar_float" }, { PL_U8, PL_F32, "cast_uchar_float" },
    { PL_I32, PL_F32, "cast_int_float" }, { PL_I64, PL_F32, "cast_long_float" },
    { PL_F32, PL_I32, "cast_float_int" }, { PL_F32, PL_I64, "cast_float_long" },
    { PL_F32, PL_BOOL, "cast_float_flag" }, { PL_BOOL, PL_I64, "cast_uchar_long" },
    { PL_U8, PL_I64, "cast_uchar_long" }, { PL_I32, PL_I64, "cast_int_long" },
    { PL_I64, PL_I32, "cast_long_int" },
  };
  for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
    if (casts[i].from == call->in[0]->dtype && casts[i].to == call->out[0]->dtype)
      return run(state, call, casts[i].kernel);
  return PL_EUNSUPPORTED;
}

typedef struct geometry {
  cl_long rank, from, to;
  cl_long sizes[PL_MAX_RANK], from_strides[PL_MAX_RANK], to_strides[PL_MAX_RANK];
} geometry;

KERNEL(copy) {
  static const char *const kernels[PL_DTYPES] = { "copy_1", "copy_1", "copy_4", "copy_8", "copy_2",
                                                  "copy_2", "copy_4", "copy_8" };
  const pl_operand *x = call->in[0], *y = call->out[0];
  geometry g = { .rank = x->rank, .from = x->offset, .to = y->offset };
  for (int d = 0; d < x->rank; d++) {
    g.sizes[d] = x->sizes[d];
    g.from_strides[d] = x->strides[d];
    g.to_strides[d] = y->strides[d];
  }
  launch l = launch_begin(state, call, kernels[x->dtype]);
  launch_operand(&l, x);
  launch_operand(&l, y);
  launch_bytes(&l, &g, sizeof g);
  return launch_run(&l, x->count);
}
