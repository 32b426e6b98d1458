/* random.c -- launches of random.cl; the generator's state is the last input. */
#include "opencl.h"
#include <math.h>

KERNEL(rand) {
  if (call->out[0]->dtype != PL_F32) return PL_EUNSUPPORTED;
  launch l = launch_begin(state, call, "rand");
  launch_operand(&l, call->in[0]);
  launch_operand(&l, call->out[0]);
  launch_int(&l, ((const pl_rand_attrs *)call->attrs)->call);
  return launch_run(&l, call->out[0]->count);
}

KERNEL(dropout) {
  const pl_dropout_attrs *a = call->attrs;
  if (call->in[0]->dtype != PL_F32 || call->out[1]->dtype != PL_BOOL) return PL_EUNSUPPORTED;
  launch l = launch_begin(state, call, "dropout");
  launch_operand(&l, call->in[0]);
  launch_operand(&l, call->in[1]);
  launch_operand(&l, call->out[0]);
  launch_operand(&l, call->out[1]);
  launch_int(&l, a->call);
  launch_int(&l, a->p <= 0 ? 0 : a->p >= 1 ? 1 << 24 : (int64_t)ceil(a->p * 0x1p24));
  launch_real(&l, a->p >= 1 ? 0 : 1 / (1 - a->p));
  return launch_run(&l, call->out[0]->count);
}
