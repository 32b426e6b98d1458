/*
** xpu.c -- the table of the pretend device. Two of them, 1 GiB each unless property "memory" says
** otherwise. Property "fail_launch" = n loses the device at the n-th launch from then on.
*/
#include "xpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t MEMORY = (size_t)1 << 30;

static int32_t xpu_count(void) { return XPU_DEVICES; }

static pl_status xpu_open(int32_t index, const pl_host *host, void **state) {
  xpu *device = calloc(1, sizeof *device);
  if (!device) return PL_EMEMORY;
  device->index = index;
  device->host = host;
  heap_init(&device->heap, index, MEMORY);
  pl_status status = stream_start(device);
  if (status) {
    heap_free(&device->heap);
    free(device);
    return status;
  }
  *state = device;
  return PL_OK;
}

static void xpu_close(void *state) {
  xpu *device = state;
  stream_end(device);
  heap_free(&device->heap);
  free(device);
}

static pl_status xpu_describe(void *state, pl_device_info *out) {
  const xpu *device = state;
  out->caps = PL_CAP_ASYNC;
  out->dtypes = 1u << PL_F32;
  out->memory = (int64_t)device->heap.limit;
  snprintf(out->description, sizeof out->description, "pretend device %d of %d", device->index,
           XPU_DEVICES);
  return PL_OK;
}

pl_status xpu_alive(const xpu *device) {
  if (!atomic_load(&device->failed)) return PL_OK;
  return device->host->fail_late(PL_EDEVICE, device->failed_op, "xpu:%d: %s", device->index,
                                 device->failed_because);
}

static pl_status xpu_create(void *state, size_t bytes, pl_buffer **out) {
  xpu *device = state;
  pl_status status = xpu_alive(device);
  return status ? status : heap_take(&device->heap, bytes, out);
}

/* ---- what touches memory goes through the stream, in order with the launches ---- */

static void run_release(const job *j) { heap_give(&j->device->heap, j->buffer); }

static void xpu_release(void *state, pl_buffer *buffer) {
  xpu *device = state;
  job *j = job_new(device, NULL, 0, run_release);
  if (j) {
    j->buffer = buffer;
    stream_push(j);
  } else {
    stream_wait(device);
    heap_give(&device->heap, buffer);
  }
}

static void run_write(const job *j) {
  char *memory = heap_at(&j->device->heap, j->buffer);
  memcpy(memory + j->at, j->data, j->size);
}

static pl_status xpu_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                           size_t bytes) {
  xpu *device = state;
  pl_status status = xpu_alive(device);
  if (status) return status;
  job *j = job_new(device, NULL, bytes, run_write);
  if (!j) return PL_EMEMORY;
  memcpy(j->data, src, bytes);
  j->buffer = buffer;
  j->at = at;
  stream_push(j);
  return PL_OK;
}

static pl_status xpu_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  xpu *device = state;
  stream_wait(device);
  pl_status status = xpu_alive(device);
  if (status) return status;
  memcpy(dst, heap_at(&device->heap, buffer) + at, bytes);
  return PL_OK;
}

static pl_status xpu_synchronize(void *state) {
  stream_wait(state);
  return xpu_alive(state);
}

/* ---- properties ---- */

static pl_status no_property(const xpu *device, const char *property) {
  return device->host->fail(PL_EARGUMENT, "xpu:%d has no property '%s'; it has memory, fail_launch",
                            device->index, property);
}

static pl_status xpu_set(void *state, const char *property, int64_t value) {
  xpu *device = state;
  if (!strcmp(property, "fail_launch")) {
    stream_wait(device);
    atomic_store(&device->fail_launch, value);
  } else if (!strcmp(property, "memory")) {
    if (value < 0) return device->host->fail(PL_EARGUMENT, "xpu: memory is below 0");
    heap_set_limit(&device->heap, (size_t)value);
  } else {
    return no_property(device, property);
  }
  return PL_OK;
}

static pl_status xpu_get(void *state, const char *property, int64_t *out) {
  xpu *device = state;
  if (!strcmp(property, "memory")) *out = (int64_t)device->heap.limit;
  else if (!strcmp(property, "fail_launch")) *out = atomic_load(&device->fail_launch);
  else return no_property(device, property);
  return PL_OK;
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = xpu_count, .open = xpu_open, .close = xpu_close, .describe = xpu_describe,
  .create = xpu_create, .release = xpu_release, .write = xpu_write, .read = xpu_read,
  .synchronize = xpu_synchronize, .set = xpu_set, .get = xpu_get,
};
