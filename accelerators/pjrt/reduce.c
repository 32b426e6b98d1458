/* reduce.c -- sums, means and extremes over some dimensions, and the place of the largest. */
#include "pjrt.h"
#include <stdio.h>
#include <string.h>

static void mark(const pl_dims *axes, int rank, bool *reduced) {
  for (int d = 0; d < rank; d++) reduced[d] = axes->n == 0;
  for (int i = 0; i < axes->n && rank > 0; i++)
    reduced[axes->dim[i] < 0 ? axes->dim[i] + rank : axes->dim[i]] = true;
}

/* The result has the kept sizes alone; o, of the call, may also show sizes of 1. */
static int reduce(pjrt *d, const pl_operand *x, const pl_operand *o, const bool *reduced,
                  const char *instruction, const char *start) {
  char from[TYPE_TEXT], to[TYPE_TEXT], scalar[TYPE_TEXT], shape[TYPE_TEXT], dims[64] = "";
  int64_t kept[PL_MAX_RANK];
  int n = 0;
  for (int i = 0; i < x->rank; i++) {
    if (!reduced[i]) kept[n++] = x->sizes[i];
    else sprintf(dims + strlen(dims), "%s%d", *dims ? ", " : "", i);
  }
  int value = value_of(d, x);
  type_text(scalar, x->dtype, 0, NULL);
  int first = emit(d, "stablehlo.constant dense<%s> : %s", start, scalar);
  type_text(to, x->dtype, n, kept);
  value = emit(d, "stablehlo.reduce(%%%d init: %%%d) applies stablehlo.%s across dimensions = [%s] "
               ": (%s, %s) -> %s", value, first, instruction, dims, type_of(from, x), scalar, to);
  return emit(d, "stablehlo.reshape %%%d : (%s) -> %s", value, to, type_of(shape, o));
}

static bool takes(const pl_call *call) {
  return call->in[0]->dtype == call->out[0]->dtype
    && (call->in[0]->dtype == PL_F32 || call->in[0]->dtype == PL_F64);
}

static pl_status reduced_by(void *state, const pl_call *call, const char *instruction,
                            const char *start, bool mean) {
  const pl_operand *x = call->in[0], *y = call->out[0];
  char type[TYPE_TEXT];
  bool reduced[PL_MAX_RANK] = { false };
  pl_status status;
  if (!takes(call)) return PL_EUNSUPPORTED;
  if (!launch_begin(state, call, &status)) return status;
  mark(&((const pl_sum_attrs *)call->attrs)->axes, x->rank, reduced);
  int value = reduce(state, x, y, reduced, instruction, start);
  if (mean) {
    int count = constant_number(state, y, (double)x->count / (double)y->count);
    value = emit(state, "stablehlo.divide %%%d, %%%d : %s", value, count, type_of(type, y));
  }
  value_to(state, y, value);
  return launch_end(state);
}

KERNEL(sum) { return reduced_by(state, call, "add", "0.0", false); }
KERNEL(mean) { return reduced_by(state, call, "add", "0.0", true); }

static const char *least(const pl_call *call, bool largest) {
  static const char *const texts[2][2] = { { "0xFF800000", "0x7F800000" },
                                           { "0xFFF0000000000000", "0x7FF0000000000000" } };
  return texts[call->in[0]->dtype == PL_F64][!largest];
}

KERNEL(max) { return reduced_by(state, call, "maximum", least(call, true), false); }
KERNEL(min) { return reduced_by(state, call, "minimum", least(call, false), false); }
