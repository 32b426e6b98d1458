/*
** kernels.c -- what the device computes itself: a few ops on dense f32, and copy, which every
** device must have for any dtype and any strides. For the rest the engine finds a composite or the
** CPU.
*/
#include "xpu.h"
#include <string.h>

/* ---- launching ---- */

static pl_status launch(xpu *device, const pl_call *call, void (*run)(const job *)) {
  pl_status status = xpu_alive(device);
  if (status) return status;
  job *j = job_new(device, call->op->name, 0, run);
  if (!j) return PL_EMEMORY;
  j->n_in = call->n_in;
  j->n_out = call->n_out;
  for (int i = 0; i < call->n_in; i++) j->in[i] = *call->in[i];
  for (int i = 0; i < call->n_out; i++) j->out[i] = *call->out[i];
  stream_push(j);
  return PL_OK;
}

/* Only dense f32: the device does not claim strides, so dense is what arrives. */
static bool takes(const pl_call *call) {
  if (call->n_in > MAX_OPERANDS || call->n_out > MAX_OPERANDS) return false;
  for (int i = 0; i < call->n_in; i++)
    if (!call->in[i] || call->in[i]->dtype != PL_F32) return false;
  return call->out[0]->dtype == PL_F32;
}

/* LATE(add) { body } defines the kernel, which launches, and the body, which runs on the stream. */
#define LATE(name) \
  static void run_##name(const job *j); \
  KERNEL(name) { return takes(call) ? launch(state, call, run_##name) : PL_EUNSUPPORTED; } \
  static void run_##name(const job *j)

static float *f32_at(const job *j, const pl_operand *o) {
  return (float *)heap_at(&j->device->heap, o->buffer) + o->offset;
}

#define EACH(j) for (int64_t i = 0; i < (j)->out[0].count; i++)

/* ---- arithmetic ---- */

#define UNARY(name, expression) \
  LATE(name) { \
    const float *a = f32_at(j, &j->in[0]); \
    float *y = f32_at(j, &j->out[0]); \
    EACH(j) { const float x = a[i]; y[i] = expression; } \
  }

#define BINARY(name, expression) \
  LATE(name) { \
    const float *a = f32_at(j, &j->in[0]), *b = f32_at(j, &j->in[1]); \
    float *y = f32_at(j, &j->out[0]); \
    EACH(j) { const float x = a[i], other = b[i]; y[i] = expression; } \
  }

UNARY(neg, -x)
UNARY(square, x * x)
UNARY(relu, x < 0 ? 0 : x)
BINARY(add, x + other)
BINARY(sub, x - other)
BINARY(mul, x * other)
BINARY(div, x / other)
BINARY(relu_backward, x > 0 ? other : 0)

/* ---- products: two matrices; batches of them are the CPU's ---- */

static void run_matmul(const job *j) {
  const int64_t rows = j->in[0].sizes[0], inner = j->in[0].sizes[1], columns = j->in[1].sizes[1];
  const float *a = f32_at(j, &j->in[0]), *b = f32_at(j, &j->in[1]);
  float *y = f32_at(j, &j->out[0]);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++) {
      float sum = 0;
      for (int64_t p = 0; p < inner; p++) sum += a[i * inner + p] * b[p * columns + k];
      y[i * columns + k] = sum;
    }
}

KERNEL(matmul) {
  if (!takes(call) || call->in[0]->rank != 2 || call->in[1]->rank != 2) return PL_EUNSUPPORTED;
  return launch(state, call, run_matmul);
}

/* ---- copy ---- */

static size_t element_size(int32_t dtype) {
  static const size_t sizes[PL_DTYPES] = { 1, 1, 4, 8, 2, 2, 4, 8 };
  return sizes[dtype];
}

static void run_copy(const job *j) {
  const pl_operand *x = &j->in[0], *y = &j->out[0];
  const size_t size = element_size(x->dtype);
  const char *from = heap_at(&j->device->heap, x->buffer);
  char *to = heap_at(&j->device->heap, y->buffer);
  int64_t at[PL_MAX_RANK] = { 0 };
  for (int64_t n = 0; n < y->count; n++) {
    int64_t f = x->offset, t = y->offset;
    for (int d = 0; d < y->rank; d++) {
      f += at[d] * x->strides[d];
      t += at[d] * y->strides[d];
    }
    memcpy(to + t * (int64_t)size, from + f * (int64_t)size, size);
    for (int d = y->rank - 1; d >= 0 && ++at[d] == y->sizes[d]; d--) at[d] = 0;
  }
}

KERNEL(copy) { return launch(state, call, run_copy); }
