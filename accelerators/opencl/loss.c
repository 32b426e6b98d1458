/* loss.c -- launches of loss.cl: targets are whole numbers of any size, logits rows of classes. */
#include "opencl.h"

typedef struct rows { cl_long n, classes, size, base, ignored, reduction; } rows;

static int64_t size_of_positions(int32_t dtype) {
  return dtype == PL_U8 ? 1 : dtype == PL_I32 ? 4 : dtype == PL_I64 ? 8 : 0;
}

static bool takes(const pl_call *call) {
  for (int i = 0; i < call->n_in; i++)
    if (i != 1 && call->in[i] && call->in[i]->dtype != PL_F32) return false;
  return size_of_positions(call->in[1]->dtype) > 0 && call->in[1]->count > 0
    && call->out[0]->dtype == PL_F32;
}

static rows rows_of(const pl_call *call, int64_t base, int64_t ignored, int64_t reduction) {
  const pl_operand *x = call->in[0], *target = call->in[1];
  return (rows){ target->count, x->sizes[x->rank - 1], size_of_positions(target->dtype), base,
                 ignored, reduction };
}

KERNEL(cross_entropy) {
  const pl_cross_entropy_attrs *a = call->attrs;
  if (!takes(call)) return PL_EUNSUPPORTED;
  rows r = rows_of(call, a->base, a->ignore_index, a->reduction);
  launch l = launch_begin(state, call, "row_log_sum");
  launch_operand(&l, call->in[0]);
  launch_operand(&l, call->in[1]);
  launch_operand(&l, call->out[1]);
  launch_bytes(&l, &r, sizeof r);
  launch_fault(&l);
  pl_status status = launch_run(&l, r.n);
  if (status) return status;
  l = launch_begin(state, call, "cross_entropy");
  for (int i = 0; i < 3; i++) launch_operand(&l, call->in[i]);
  launch_operand(&l, call->out[1]);
  launch_operand(&l, call->out[0]);
  launch_bytes(&l, &r, sizeof r);
  launch_real(&l, a->label_smoothing);
  return launch_run(&l, call->out[0]->count);
}

KERNEL(cross_entropy_backward) {
  const pl_cross_entropy_backward_attrs *a = call->attrs;
  if (!takes(call)) return PL_EUNSUPPORTED;
  rows r = rows_of(call, a->base, a->ignore_index, a->reduction);
  launch l = launch_begin(state, call, "cross_entropy_backward");
  for (int i = 0; i < 5; i++) launch_operand(&l, call->in[i]);
  launch_operand(&l, call->out[0]);
  launch_bytes(&l, &r, sizeof r);
  launch_real(&l, a->label_smoothing);
  return launch_run(&l, r.n);
}
