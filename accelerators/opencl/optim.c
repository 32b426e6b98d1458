/* optim.c -- launches of optim.cl, one for each tensor of the lists. */
#include "opencl.h"

static bool list_f32(const pl_operand *const *list, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (list[i]->dtype != PL_F32) return false;
  return true;
}

static bool has_doubles(void *state) { return ((opencl *)state)->doubles; }

KERNEL(sgd_step) {
  const pl_sgd_step_attrs *a = call->attrs;
  const int32_t n = call->counts[0], buffers = call->counts[2];
  const pl_operand *const *params = call->in, *const *grads = params + n;
  const pl_operand *const *momentums = grads + n, *hyper = momentums[buffers];
  if (!has_doubles(state) || !list_f32(call->in, 2 * n + buffers)) return PL_EUNSUPPORTED;
  pl_status status = PL_OK;
  for (int32_t i = 0; i < n && !status; i++) {
    launch l = launch_begin(state, call, "sgd");
    launch_operand(&l, params[i]);
    launch_operand(&l, grads[i]);
    launch_operand(&l, buffers ? momentums[i] : NULL);
    launch_operand(&l, hyper);
    launch_int(&l, a->nesterov);
    launch_int(&l, a->maximize);
    launch_int(&l, a->first);
    status = launch_run(&l, params[i]->count);
  }
  return status;
}

KERNEL(adam_step) {
  const pl_adam_step_attrs *a = call->attrs;
  const int32_t n = call->counts[0], tops = call->counts[4];
  const pl_operand *const *in = call->in, *const *top = in + 4 * n, *const *steps = top + tops;
  if (!has_doubles(state) || !list_f32(in, 4 * n + tops)) return PL_EUNSUPPORTED;
  pl_status status = PL_OK;
  for (int32_t i = 0; i < n && !status; i++) {
    launch l = launch_begin(state, call, "adam");
    for (int k = 0; k < 4; k++) launch_operand(&l, in[k * n + i]);
    launch_operand(&l, tops ? top[i] : NULL);
    launch_operand(&l, steps[i]);
    launch_operand(&l, steps[n]);
    launch_int(&l, a->decoupled);
    launch_int(&l, a->maximize);
    if ((status = launch_run(&l, in[i]->count))) return status;
    l = launch_begin(state, call, "count_up");
    launch_operand(&l, steps[i]);
    status = launch_run(&l, 1);
  }
  return status;
}

KERNEL(scale_all) {
  const int32_t n = call->counts[0];
  pl_status status = PL_OK;
  if (!list_f32(call->in, n + 1)) return PL_EUNSUPPORTED;
  for (int32_t i = 0; i < n && !status; i++) {
    launch l = launch_begin(state, call, "scale");
    launch_operand(&l, call->in[i]);
    launch_operand(&l, call->in[n]);
    status = launch_run(&l, call->in[i]->count);
  }
  return status;
}

KERNEL(total_norm) {
  const int32_t n = call->counts[0];
  pl_status status = PL_OK;
  if (n == 0 || !list_f32(call->in, n)) return PL_EUNSUPPORTED;
  for (int32_t i = 0; i < n && !status; i++) {
    launch l = launch_begin(state, call, "norm_add");
    launch_operand(&l, call->in[i]);
    launch_operand(&l, call->out[0]);
    launch_int(&l, call->in[i]->count);
    launch_int(&l, i == 0);
    launch_int(&l, i == n - 1);
    status = launch_run(&l, 1);
  }
  return status;
}
