/* pointwise.c -- element by element: one instruction of StableHLO, or a few. */
#include "pjrt.h"

/* The one form every kernel here has: inputs as values, an expression, the output. */
#define POINTWISE(name, takes, expression) \
  KERNEL(name) { \
    pl_status status; \
    if (!(takes)) return PL_EUNSUPPORTED; \
    if (!launch_begin(state, call, &status)) return status; \
    pjrt *d = state; \
    const pl_operand *y = call->out[0]; \
    int a = value_of(d, call->in[0]), b = call->n_in > 1 ? value_of(d, call->in[1]) : 0; \
    (void)b; \
    value_to(d, y, expression); \
    return launch_end(state); \
  }

static int unary(pjrt *d, const pl_operand *o, const char *instruction, int a) {
  char type[TYPE_TEXT];
  return emit(d, "stablehlo.%s %%%d : %s", instruction, a, type_of(type, o));
}

static int binary(pjrt *d, const pl_operand *o, const char *instruction, int a, int b) {
  char type[TYPE_TEXT];
  return emit(d, "stablehlo.%s %%%d, %%%d : %s", instruction, a, b, type_of(type, o));
}

/* x's elements compared with another's, as booleans. */
static int test(pjrt *d, const pl_operand *x, const char *direction, int a, int b) {
  char type[TYPE_TEXT], flags[TYPE_TEXT];
  return emit(d, "stablehlo.compare %s, %%%d, %%%d : (%s, %s) -> %s", direction, a, b,
              type_of(type, x), type, type_text(flags, PL_BOOL, x->rank, x->sizes));
}

static int choose(pjrt *d, const pl_operand *o, int flags, int a, int b) {
  char type[TYPE_TEXT], bools[TYPE_TEXT];
  return emit(d, "stablehlo.select %%%d, %%%d, %%%d : %s, %s", flags, a, b,
              type_text(bools, PL_BOOL, o->rank, o->sizes), type_of(type, o));
}

static bool same_floats(const pl_call *call) {
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i]->dtype != call->out[0]->dtype) return false;
  return all_floats(call);
}

#define UNARY(name, instruction) \
  POINTWISE( name, same_floats(call), unary(d, y, instruction, a) )
#define BINARY(name, instruction) \
  POINTWISE( name, same_floats(call), binary(d, y, instruction, a, b) )
UNARY( neg, "negate" )
UNARY( abs, "abs" )
UNARY( exp, "exponential" )
UNARY( sqrt, "sqrt" )
UNARY( rsqrt, "rsqrt" )
UNARY( tanh, "tanh" )
UNARY( sigmoid, "logistic" )
BINARY( add, "add" )
BINARY( sub, "subtract" )
BINARY( mul, "multiply" )
BINARY( div, "divide" )
BINARY( maximum, "maximum" )
BINARY( minimum, "minimum" )
POINTWISE( square, same_floats(call), binary(d, y, "multiply", a, a) )
POINTWISE( relu, same_floats(call), binary(d, y, "maximum", a, constant_number(d, y, 0)) )

static int relu_back(pjrt *d, const pl_operand *y, int a, int grad) {
  int zero = constant_number(d, y, 0);
  return choose(d, y, test(d, y, "GT", a, zero), grad, zero);
}
POINTWISE( relu_backward, same_floats(call), relu_back(d, y, a, b) )

/* XLA's CPU answers -inf for the logarithm of -inf, which has none, and for that of a NaN one with
** all bits set, which LuaJIT takes for a nil. */
static int logarithm(pjrt *d, const pl_operand *y, int a) {
  int negative = test(d, y, "LT", a, constant_number(d, y, 0));
  int log = unary(d, y, "log", choose(d, y, negative, constant_number(d, y, -1), a));
  return choose(d, y, test(d, y, "NE", a, a), a, log);
}
POINTWISE( log, same_floats(call), logarithm(d, y, a) )

static bool comparable(const pl_call *call) {
  return call->in[0]->dtype == call->in[1]->dtype && call->in[0]->dtype >= PL_I32
    && call->out[0]->dtype == PL_BOOL;
}
#define TEST(name, direction) \
  POINTWISE( name, comparable(call), test(d, call->in[0], direction, a, b) )
TEST( eq, "EQ" )
TEST( ne, "NE" )
TEST( lt, "LT" )
TEST( le, "LE" )
TEST( gt, "GT" )
TEST( ge, "GE" )

static int convert(pjrt *d, const pl_operand *x, const pl_operand *y, int a) {
  char from[TYPE_TEXT], to[TYPE_TEXT];
  return emit(d, "stablehlo.convert %%%d : (%s) -> %s", a, type_of(from, x), type_of(to, y));
}

/* Between floats, and from whole numbers to what holds them: the rest rounds in its own ways. */
static bool converts(const pl_call *call) {
  int32_t from = call->in[0]->dtype, to = call->out[0]->dtype;
  return (from >= PL_F16 && to >= PL_F16) || (from < PL_F16 && to >= PL_F16)
    || (from < to && to <= PL_I64);
}
POINTWISE( cast, converts(call), convert(d, call->in[0], y, a) )

/* The one that must always work: of nothing too. */
KERNEL(copy) {
  pl_status status;
  if (call->out[0]->count == 0) return PL_OK;
  if (!launch_begin(state, call, &status)) return status;
  value_to(state, call->out[0], value_of(state, call->in[0]));
  return launch_end(state);
}
