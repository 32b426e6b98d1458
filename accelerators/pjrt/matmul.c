/* matmul.c -- products of two matrices; other ranks are left to the CPU. */
#include "pjrt.h"

KERNEL(matmul) {
  char a[TYPE_TEXT], b[TYPE_TEXT], y[TYPE_TEXT];
  const pl_operand *x = call->in[0], *other = call->in[1];
  pl_status status;
  if (!all_floats(call) || x->rank != 2 || other->rank != 2 || x->dtype != other->dtype)
    return PL_EUNSUPPORTED;
  if (!launch_begin(state, call, &status)) return status;
  int left = value_of(state, x), right = value_of(state, other);
  value_to(state, call->out[0],
           emit(state, "stablehlo.dot_general %%%d, %%%d, contracting_dims = [1] x [0], "
                "precision = [HIGHEST, HIGHEST] : (%s, %s) -> %s", left, right, type_of(a, x),
                type_of(b, other), type_of(y, call->out[0])));
  return launch_end(state);
}
