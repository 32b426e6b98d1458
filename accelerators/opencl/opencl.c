/*
** opencl.c -- the table: the devices of all platforms, GPUs first, and their memory. Nothing of
** OpenCL is loaded before the first device is asked for. Reading is the only wait; what a kernel
** found wrong (a target out of range) is told there, with the op's name.
*/
#include "opencl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

/* ---- devices ---- */

static cl_device_id found[MAX_DEVICES];
static cl_uint n_found;

static void find_kind(const cl_platform_id *platforms, cl_uint n, cl_device_type kind) {
  for (cl_uint i = 0; i < n && n_found < MAX_DEVICES; i++) {
    cl_uint more = 0;
    if (clGetDeviceIDs(platforms[i], kind, MAX_DEVICES - n_found, found + n_found, &more)) continue;
    n_found += more < MAX_DEVICES - n_found ? more : MAX_DEVICES - n_found;
  }
}

static int32_t opencl_count(void) {
  cl_platform_id platforms[MAX_PLATFORMS];
  cl_uint n = 0;
  n_found = 0;
  if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &n)) return 0;
  if (n > MAX_PLATFORMS) n = MAX_PLATFORMS;
  find_kind(platforms, n, CL_DEVICE_TYPE_GPU);
  find_kind(platforms, n, CL_DEVICE_TYPE_ACCELERATOR);
  find_kind(platforms, n, CL_DEVICE_TYPE_CPU);
  return (int32_t)n_found;
}

static const char *opencl_absent(void) {
  return "no platform of OpenCL has a device here; a driver brings one (pocl-opencl-icd: the CPU)";
}

pl_status opencl_failed(opencl *device, const char *doing, cl_int error, bool late) {
  static const struct { cl_int error; const char *words; } known[] = {
    { CL_MEM_OBJECT_ALLOCATION_FAILURE, "out of memory" },
    { CL_OUT_OF_RESOURCES, "out of resources" }, { CL_OUT_OF_HOST_MEMORY, "out of host memory" },
    { CL_INVALID_KERNEL_NAME, "no such kernel" }, { CL_DEVICE_NOT_AVAILABLE, "not available" },
  };
  const char *words = "an error of OpenCL";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].error == error) words = known[i].words;
  if (late && device->last)
    return device->host->fail_late(PL_EDEVICE, device->last, "opencl:%d: %s (%d) after %s",
                                   device->index, words, error, device->last);
  return device->host->fail(PL_EDEVICE, "opencl:%d: %s: %s (%d)", device->index, doing, words,
                            error);
}

static pl_status make(opencl *device) {
  cl_int error;
  size_t n = 0;
  device->context = clCreateContext(NULL, 1, &device->id, NULL, NULL, &error);
  if (error) return opencl_failed(device, "its context", error, false);
  device->queue = clCreateCommandQueue(device->context, device->id, 0, &error);
  if (error) return opencl_failed(device, "its queue", error, false);
  cl_int nothing[FAULT_WORDS] = { 0 };
  device->fault = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                 sizeof nothing, nothing, &error);
  if (error) return opencl_failed(device, "its memory", error, false);
  clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, 0, NULL, &n);
  char *extensions = calloc(1, n + 1);
  if (!extensions) return PL_EMEMORY;
  clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, n, extensions, NULL);
  device->doubles = strstr(extensions, "cl_khr_fp64") != NULL;
  free(extensions);
  return program_build(device);
}

static void opencl_close(void *state) {
  opencl *device = state;
  if (device->queue) clFinish(device->queue);
  program_free(device);
  if (device->fault) clReleaseMemObject(device->fault);
  if (device->queue) clReleaseCommandQueue(device->queue);
  if (device->context) clReleaseContext(device->context);
  pthread_mutex_destroy(&device->lock);
  free(device);
}

static pl_status opencl_open(int32_t index, const pl_host *host, void **state) {
  opencl *device = calloc(1, sizeof *device);
  if (!device) return PL_EMEMORY;
  device->host = host;
  device->index = index;
  device->id = found[index];
  pthread_mutex_init(&device->lock, NULL);
  pl_status status = make(device);
  if (status) opencl_close(device);
  else *state = device;
  return status;
}

static pl_status opencl_describe(void *state, pl_device_info *out) {
  opencl *device = state;
  cl_ulong memory = 0;
  char name[96] = "";
  clGetDeviceInfo(device->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
  clGetDeviceInfo(device->id, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
  out->caps = PL_CAP_ASYNC;
  out->dtypes = 1u << PL_F32;
  out->memory = (int64_t)memory;
  snprintf(out->description, sizeof out->description, "OpenCL: %s", name);
  return PL_OK;
}

/* ---- memory ---- */

static pl_status opencl_create(void *state, size_t bytes, pl_buffer **out) {
  opencl *device = state;
  cl_int error;
  pl_buffer *buffer = malloc(sizeof *buffer);
  if (!buffer) return PL_EMEMORY;
  buffer->memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL,
                                  &error);
  if (!error) {
    *out = buffer;
    return PL_OK;
  }
  free(buffer);
  return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_INVALID_BUFFER_SIZE
    || error == CL_OUT_OF_HOST_MEMORY ? PL_EMEMORY
                                      : opencl_failed(device, "a buffer", error, false);
}

/* OpenCL keeps the memory until launches that use it are over. */
static void opencl_release(void *state, pl_buffer *buffer) {
  (void)state;
  clReleaseMemObject(buffer->memory);
  free(buffer);
}

static void CL_CALLBACK free_staged(cl_event event, cl_int status, void *staged) {
  (void)status;
  clReleaseEvent(event);
  free(staged);
}

/* From a copy, so that the caller need not wait for the launches before. */
static pl_status opencl_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                              size_t bytes) {
  opencl *device = state;
  cl_event done;
  if (!bytes) return PL_OK;
  void *staged = malloc(bytes);
  if (!staged) return PL_EMEMORY;
  memcpy(staged, src, bytes);
  cl_int error = clEnqueueWriteBuffer(device->queue, buffer->memory, CL_FALSE, at, bytes, staged, 0,
                                      NULL, &done);
  if (!error) error = clSetEventCallback(done, CL_COMPLETE, free_staged, staged);
  else free(staged);
  return error ? opencl_failed(device, "a write", error, false) : PL_OK;
}

static pl_status look_for_fault(opencl *device) {
  cl_int fault[FAULT_WORDS], nothing[FAULT_WORDS] = { 0 };
  const char *op = device->may_fault;
  if (!op) return PL_OK;
  device->may_fault = NULL;
  cl_int error = clEnqueueReadBuffer(device->queue, device->fault, CL_TRUE, 0, sizeof fault, fault,
                                     0, NULL, NULL);
  if (error) return opencl_failed(device, op, error, true);
  if (!fault[0]) return PL_OK;
  clEnqueueWriteBuffer(device->queue, device->fault, CL_TRUE, 0, sizeof nothing, nothing, 0, NULL,
                       NULL);
  return device->host->fail_late(PL_EARGUMENT, op, "%s: %d at position %d is outside %d..%d",
                                 op, fault[2], fault[1], fault[3], fault[4]);
}

static pl_status opencl_synchronize(void *state) {
  opencl *device = state;
  cl_int error = clFinish(device->queue);
  return error ? opencl_failed(device, "waiting", error, true) : look_for_fault(device);
}

static pl_status opencl_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  opencl *device = state;
  if (!bytes) return opencl_synchronize(state);
  cl_int error = clEnqueueReadBuffer(device->queue, buffer->memory, CL_TRUE, at, bytes, dst, 0,
                                     NULL, NULL);
  return error ? opencl_failed(device, "a read", error, true) : look_for_fault(device);
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = opencl_count, .open = opencl_open, .close = opencl_close, .describe = opencl_describe,
  .create = opencl_create, .release = opencl_release, .write = opencl_write, .read = opencl_read,
  .synchronize = opencl_synchronize, .absent = opencl_absent,
};
