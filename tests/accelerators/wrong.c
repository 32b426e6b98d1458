/*
** wrong.c -- libraries that are no accelerator of this engine, one for each way to be wrong; the
** build names the way (WRONG_...). Apart from it each is a small device in the host's memory.
*/
#include "accelerator.h"
#include <stdlib.h>
#include <string.h>

#ifndef WRONG_ABI
#define WRONG_ABI PL_ABI
#endif
#ifndef WRONG_SIZE
#define WRONG_SIZE sizeof(pl_accelerator)
#endif
#ifndef WRONG_TABLE
#define WRONG_TABLE pl_accelerator_table
#endif
#ifndef WRONG_READ
#define WRONG_READ 1
#endif
#ifndef WRONG_COPY
#define WRONG_COPY kernel_copy
#endif

struct pl_buffer { char bytes[1]; };

static int32_t small_count(void) { return 1; }

static pl_status small_open(int32_t index, const pl_host *host, void **state) {
  (void)index;
  *state = (void *)host;
  return PL_OK;
}

static void small_close(void *state) { (void)state; }

static pl_status small_describe(void *state, pl_device_info *out) {
  (void)state;
  out->dtypes = (1u << PL_DTYPES) - 1;
  return PL_OK;
}

static pl_status small_create(void *state, size_t bytes, pl_buffer **out) {
  (void)state;
  return (*out = malloc(bytes ? bytes : 1)) ? PL_OK : PL_EMEMORY;
}

static void small_release(void *state, pl_buffer *buffer) {
  (void)state;
  free(buffer);
}

static pl_status small_write(void *state, pl_buffer *b, size_t at, const void *src, size_t n) {
  (void)state;
  memcpy((char *)b + at, src, n);
  return PL_OK;
}

static pl_status small_read(void *state, pl_buffer *b, size_t at, void *dst, size_t n) {
  (void)state;
  memcpy(dst, (char *)b + at, n);
  return PL_OK;
}

/* Dense f32 is all the unit copies here. */
PL_EXPORT pl_status WRONG_COPY(void *state, const pl_call *call);
pl_status WRONG_COPY(void *state, const pl_call *call) {
  (void)state;
  const pl_operand *x = call->in[0], *y = call->out[0];
  memcpy(y->buffer, x->buffer, (size_t)y->count * sizeof(float));
  return PL_OK;
}

/* Built when leaky_relu had no attribute yet: a slope of 0.01 was all there was. */
PL_EXPORT const uint32_t kernel_leaky_relu_attrs = 0;
PL_EXPORT pl_status kernel_leaky_relu(void *state, const pl_call *call);
pl_status kernel_leaky_relu(void *state, const pl_call *call) {
  (void)state;
  const float *x = (const float *)call->in[0]->buffer;
  float *y = (float *)call->out[0]->buffer;
  for (int64_t i = 0; i < call->out[0]->count; i++) y[i] = x[i] > 0 ? x[i] : -1000;
  return PL_OK;
}

PL_EXPORT const pl_accelerator WRONG_TABLE = {
  .abi = WRONG_ABI, .size = WRONG_SIZE,
  .count = small_count, .open = small_open, .close = small_close, .describe = small_describe,
  .create = small_create, .release = small_release, .write = small_write,
  .read = WRONG_READ ? small_read : NULL,
};
