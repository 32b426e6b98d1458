/* pool.c -- launches of pool.cl. Positions that come back were made by max_pool2d. */
#include "opencl.h"

typedef struct pool {
  cl_long height, width, out_height, out_width;
  cl_long kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, step_h, step_w;
} pool;

static int64_t last(const pl_operand *o, int back) { return o->sizes[o->rank - back]; }

KERNEL(max_pool2d) {
  const pl_max_pool2d_attrs *a = call->attrs;
  const pl_operand *x = call->in[0], *y = call->out[0];
  const pl_sizes *stride = a->stride.n ? &a->stride : &a->kernel;
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  pool p = {
    last(x, 2), last(x, 1), last(y, 2), last(y, 1), pl_sizes_at(&a->kernel, 0),
    pl_sizes_at(&a->kernel, 1), pl_sizes_at(stride, 0), pl_sizes_at(stride, 1),
    pl_sizes_at(&a->padding, 0), pl_sizes_at(&a->padding, 1), pl_sizes_at(&a->dilation, 0),
    pl_sizes_at(&a->dilation, 1),
  };
  launch l = launch_begin(state, call, "max_pool2d");
  launch_operand(&l, x);
  launch_operand(&l, y);
  launch_operand(&l, call->out[1]);
  launch_bytes(&l, &p, sizeof p);
  return launch_run(&l, y->count);
}

KERNEL(max_pool2d_backward) {
  const pl_operand *grad = call->in[0], *dx = call->out[0];
  if (grad->dtype != PL_F32 || call->in[1]->dtype != PL_I32) return PL_EUNSUPPORTED;
  int64_t large = last(dx, 1) * last(dx, 2), small = last(grad, 1) * last(grad, 2);
  launch l = launch_begin(state, call, "max_pool2d_backward");
  launch_operand(&l, grad);
  launch_operand(&l, call->in[1]);
  launch_operand(&l, dx);
  launch_int(&l, large);
  launch_int(&l, small);
  launch_fault(&l);
  return launch_run(&l, dx->count / large);
}
