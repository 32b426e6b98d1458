/* norm.c -- launches of norm.cl: channels first, then elements. */
#include "opencl.h"

typedef struct shape { int64_t images, channels, plane; } shape;

static shape shape_of(const pl_operand *x) {
  shape s = { x->sizes[0], x->sizes[1], 1 };
  for (int d = 2; d < x->rank; d++) s.plane *= x->sizes[d];
  return s;
}

KERNEL(batch_norm) {
  const pl_batch_norm_attrs *a = call->attrs;
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  shape s = shape_of(call->in[0]);
  launch l = launch_begin(state, call, "batch_statistics");
  launch_operand(&l, call->in[0]);
  launch_operand(&l, call->in[3]);
  launch_operand(&l, call->in[4]);
  launch_operand(&l, call->out[1]);
  launch_operand(&l, call->out[2]);
  launch_int(&l, s.images);
  launch_int(&l, s.channels);
  launch_int(&l, s.plane);
  launch_int(&l, a->training);
  launch_real(&l, a->momentum);
  launch_real(&l, a->eps);
  pl_status status = launch_run(&l, s.channels);
  if (status) return status;
  l = launch_begin(state, call, "batch_apply");
  for (int i = 0; i < 3; i++) launch_operand(&l, call->in[i]);
  launch_operand(&l, call->out[1]);
  launch_operand(&l, call->out[2]);
  launch_operand(&l, call->out[0]);
  launch_int(&l, s.channels);
  launch_int(&l, s.plane);
  return launch_run(&l, call->out[0]->count);
}

KERNEL(batch_norm_backward) {
  const pl_batch_norm_backward_attrs *a = call->attrs;
  const pl_operand *x = call->in[0], *weight = call->in[1], *mean = call->in[2];
  const pl_operand *rstd = call->in[3], *grad = call->in[4];
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  shape s = shape_of(x);
  launch l = launch_begin(state, call, "batch_sums");
  launch_operand(&l, x);
  launch_operand(&l, mean);
  launch_operand(&l, rstd);
  launch_operand(&l, grad);
  launch_operand(&l, call->out[1]);
  launch_operand(&l, call->out[2]);
  launch_int(&l, s.images);
  launch_int(&l, s.channels);
  launch_int(&l, s.plane);
  pl_status status = launch_run(&l, s.channels);
  if (status) return status;
  const pl_operand *operands[] = { x, weight, mean, rstd, grad, call->out[1], call->out[2],
                                   call->out[0] };
  l = launch_begin(state, call, "batch_back");
  for (int i = 0; i < 8; i++) launch_operand(&l, operands[i]);
  launch_int(&l, s.images);
  launch_int(&l, s.channels);
  launch_int(&l, s.plane);
  launch_int(&l, a->training);
  return launch_run(&l, x->count);
}
