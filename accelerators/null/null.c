/*
** null.c -- the device that computes nothing: shapes, dtypes, errors and the tape work, values are
** zeros. It proves that the engine needs no more of a device than accelerator.h says.
*/
#include "accelerator.h"
#include <stdlib.h>
#include <string.h>

struct pl_buffer { size_t bytes; };

static const pl_host *null_host;

static int32_t null_count(void) { return 1; }

static pl_status null_open(int32_t index, const pl_host *host, void **state) {
  null_host = host;
  if (index != 0) return host->fail(PL_EDEVICE, "null:%d: there is one null device", index);
  *state = &null_host;
  return PL_OK;
}

static void null_close(void *state) { (void)state; }

static pl_status null_describe(void *state, pl_device_info *out) {
  (void)state;
  *out = (pl_device_info){ .size = out->size, .caps = PL_CAP_STRIDED,
                           .dtypes = (1u << PL_DTYPES) - 1,
                           .description = "shapes only, every value is zero" };
  return PL_OK;
}

static pl_status null_create(void *state, size_t bytes, pl_buffer **out) {
  (void)state;
  pl_buffer *buffer = malloc(sizeof *buffer);
  if (!buffer) return PL_EMEMORY;
  buffer->bytes = bytes;
  *out = buffer;
  return PL_OK;
}

static void null_release(void *state, pl_buffer *buffer) {
  (void)state;
  free(buffer);
}

/* Nothing is kept, but reaching past the end is said, so that tests see it. */
static pl_status null_check(const pl_buffer *buffer, size_t at, size_t bytes) {
  if (at <= buffer->bytes && bytes <= buffer->bytes - at) return PL_OK;
  return null_host->fail(PL_EARGUMENT, "null: bytes %zu..%zu of a buffer of %zu", at, at + bytes,
                         buffer->bytes);
}

static pl_status null_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                            size_t bytes) {
  (void)state;
  (void)src;
  return null_check(buffer, at, bytes);
}

static pl_status null_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  (void)state;
  pl_status status = null_check(buffer, at, bytes);
  if (status == PL_OK && bytes) memset(dst, 0, bytes);
  return status;
}

static pl_status null_kernel(void *state, const pl_call *call) {
  (void)state;
  (void)call;
  return PL_OK;
}

static pl_kernel null_find(void *state, const pl_op_info *op) {
  (void)state;
  (void)op;
  return null_kernel;
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = null_count, .open = null_open, .close = null_close, .describe = null_describe,
  .create = null_create, .release = null_release, .write = null_write, .read = null_read,
  .find = null_find,
};
