/* conv.c -- launches of conv.cl. An image without a first dimension counts as one. */
#include "opencl.h"

typedef struct window {
  cl_long images, channels, height, width, filters, out_height, out_width;
  cl_long kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, step_h, step_w, groups;
} window;

/* large is what conv2d takes, small what it gives. */
static window window_of(const pl_operand *large, const pl_operand *small, int64_t kernel_h,
                        int64_t kernel_w, const pl_sizes *stride, const pl_sizes *padding,
                        const pl_sizes *dilation, int64_t groups) {
  const int64_t *x = large->sizes + large->rank - 3, *y = small->sizes + small->rank - 3;
  return (window){
    large->rank == 4 ? large->sizes[0] : 1, x[0], x[1], x[2], y[0], y[1], y[2], kernel_h, kernel_w,
    pl_sizes_at(stride, 0), pl_sizes_at(stride, 1), pl_sizes_at(padding, 0),
    pl_sizes_at(padding, 1), pl_sizes_at(dilation, 0), pl_sizes_at(dilation, 1), groups,
  };
}

static pl_status run(void *state, const pl_call *call, const char *kernel, const window *w) {
  launch l = launch_begin(state, call, kernel);
  for (int i = 0; i < call->n_in; i++) launch_operand(&l, call->in[i]);
  launch_operand(&l, call->out[0]);
  launch_bytes(&l, w, sizeof *w);
  return launch_run(&l, call->out[0]->count);
}

KERNEL(conv2d) {
  const pl_conv2d_attrs *a = call->attrs;
  const pl_operand *k = call->in[1];
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  window w = window_of(call->in[0], call->out[0], k->sizes[2], k->sizes[3], &a->stride,
                       &a->padding, &a->dilation, a->groups);
  return run(state, call, "conv2d", &w);
}

KERNEL(conv_transpose2d) {
  const pl_conv_transpose2d_attrs *a = call->attrs;
  const pl_operand *k = call->in[1];
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  window w = window_of(call->out[0], call->in[0], k->sizes[2], k->sizes[3], &a->stride,
                       &a->padding, &a->dilation, a->groups);
  return run(state, call, "conv_transpose2d", &w);
}

KERNEL(conv2d_weight_grad) {
  const pl_conv2d_weight_grad_attrs *a = call->attrs;
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  window w = window_of(call->in[0], call->in[1], pl_sizes_at(&a->kernel, 0),
                       pl_sizes_at(&a->kernel, 1), &a->stride, &a->padding, &a->dilation,
                       a->groups);
  return run(state, call, "conv2d_weight_grad", &w);
}
