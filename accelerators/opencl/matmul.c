/* matmul.c -- launches of matmul.cl; products of batches are left to the CPU. */
#include "opencl.h"

KERNEL(matmul) {
  const pl_operand *a = call->in[0], *b = call->in[1];
  if (!all_f32(call, 0) || a->rank != 2 || b->rank != 2) return PL_EUNSUPPORTED;
  launch l = launch_begin(state, call, "matmul");
  launch_operand(&l, a);
  launch_operand(&l, b);
  launch_operand(&l, call->out[0]);
  launch_int(&l, a->sizes[1]);
  launch_int(&l, b->sizes[1]);
  return launch_run(&l, call->out[0]->count);
}
