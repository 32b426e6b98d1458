/* launch.c -- one kernel of OpenCL on its way to the queue. The lock is held from begin to run. */
#include "opencl.h"

launch launch_begin(void *state, const pl_call *call, const char *kernel) {
  launch l = { .device = state, .op = call->op->name };
  pthread_mutex_lock(&l.device->lock);
  l.kernel = program_kernel(l.device, kernel);
  if (!l.kernel) l.error = CL_INVALID_KERNEL_NAME;
  return l;
}

void launch_bytes(launch *l, const void *bytes, size_t size) {
  if (!l->error) l->error = clSetKernelArg(l->kernel, l->n++, size, bytes);
}

void launch_operand(launch *l, const pl_operand *o) {
  launch_bytes(l, o ? &o->buffer->memory : NULL, sizeof(cl_mem));
}

void launch_int(launch *l, int64_t value) {
  cl_long v = value;
  launch_bytes(l, &v, sizeof v);
}

void launch_real(launch *l, double value) {
  cl_float v = (cl_float)value;
  launch_bytes(l, &v, sizeof v);
}

void launch_fault(launch *l) {
  launch_bytes(l, &l->device->fault, sizeof(cl_mem));
  l->device->may_fault = l->op;
}

pl_status launch_run(launch *l, int64_t items) {
  opencl *device = l->device;
  size_t size = (size_t)items;
  if (!l->error && items > 0)
    l->error = clEnqueueNDRangeKernel(device->queue, l->kernel, 1, NULL, &size, NULL, 0, NULL,
                                      NULL);
  device->last = l->op;
  pthread_mutex_unlock(&device->lock);
  return l->error ? opencl_failed(device, l->op, l->error, false) : PL_OK;
}

bool all_f32(const pl_call *call, int apart) {
  for (int i = apart; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->dtype != PL_F32) return false;
  return call->n_out == 0 || call->out[0]->dtype == PL_F32;
}
