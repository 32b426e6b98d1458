/*
** engine_unit.h -- what the engine's C units share: checks that count, ops by name. Units use the
** public API only; a failed check prints its line and the engine's sentence, and main answers 1.
*/
#pragma once
#include "base.h"
#include "op.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures;
static pl_status (*run_queue)(void);   /* what was launched for Lua; units without such: NULL */

#define CHECK(condition) \
  ((condition) ? (void)0 \
               : (void)(failures++, fprintf(stderr, "%s:%d: not so: %s (last failure: %s)\n", \
                                            __FILE__, __LINE__, #condition, pl_error())))
#define OK(call) CHECK(settled(call) == PL_OK)

/* What a call answers when nothing that it launched waits any more. A failure has a sentence, which
** what still waits may replace. */
static inline pl_status settled(pl_status s) {
  CHECK(!s || s == PL_QUEUED || *pl_error());
  if (!run_queue || !pl_context_get()->queued) return s;
  pl_status ran = run_queue();
  return s == PL_QUEUED ? ran : s;
}

/* Run a unit and say its name; for main: return units_end(). */
#define UNIT(name) (fprintf(stderr, "  %s\n", #name), name())

static inline int units_end(void) {
  fprintf(stderr, failures ? "%d failed\n" : "all passed\n", failures);
  return failures ? 1 : 0;
}

static inline int32_t cpu(void) {
  int32_t device = -1;
  OK(pl_device_open("cpu", &device));
  return device;
}

/* f32 of one dimension, every element value. */
static inline pl_tensor vector(int64_t n, double value) {
  pl_tensor t = 0;
  float data[64];
  for (int i = 0; i < 64; i++) data[i] = (float)value;
  OK(pl_tensor_empty(cpu(), PL_F32, 1, &n, &t));
  OK(pl_tensor_write(t, data, n * 4));
  return t;
}

static inline pl_tensor leaf(int64_t n, double value) {
  pl_tensor t = vector(n, value);
  OK(pl_tensor_set_requires_grad(t, 1));
  return t;
}

/* The first element. */
static inline double first(pl_tensor t) {
  float data[64] = {NAN};
  pl_tensor_info info;
  OK(pl_tensor_describe(t, &info));
  CHECK(info.dtype == PL_F32 && info.count <= 64);
  OK(pl_tensor_read(t, data, info.count * 4));
  return data[0];
}

static inline pl_tensor apply1(int op, const void *attrs, pl_tensor x) {
  pl_tensor y = 0;
  OK(pl_apply(op, attrs, &x, NULL, 1, &y));
  return y;
}

static inline pl_tensor apply2(int op, pl_tensor a, pl_tensor b) {
  pl_tensor in[2] = {a, b}, y = 0;
  OK(pl_apply(op, NULL, in, NULL, 2, &y));
  return y;
}

static inline pl_tensor total(pl_tensor x) {
  pl_sum_attrs at;
  memset(&at, 0, sizeof at);
  return apply1(OP_sum, &at, x);
}

/* A whole backward pass from a root of one element. */
static inline pl_status backward(pl_tensor root, int32_t flags) {
  pl_backward *b = NULL;
  pl_work work;
  int32_t state = PL_WORK;
  pl_status status = pl_backward_begin(&root, NULL, 1, flags, &b);
  if (status != PL_OK) return status;
  status = settled(pl_backward_next(b, &work, &state));
  if (status == PL_OK) CHECK(state == PL_FINISHED);
  pl_backward_end(b);
  return status;
}

static inline pl_tensor grad_of(pl_tensor t) {
  pl_tensor g = 0;
  OK(pl_tensor_grad(t, &g));
  return g;
}
