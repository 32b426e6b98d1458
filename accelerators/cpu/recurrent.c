/*
** recurrent.c -- LSTM over a sequence: a product per step, then the gates of all rows in one pass.
** What the gradient needs is the activated gates and the cells of every step.
*/
#include "cpu.h"
#include "gemm.h"
#include "real.h"
#include "vecmath.h"

typedef struct lstm {
  int32_t dtype;
  int64_t steps, n, hidden, step;    /* step: the one at work */
  const void *gates, *h0, *c0, *weight;
  void *y, *last_cell, *active, *cells;
  const void *dy, *dcell;
  void *dgates, *dh, *dc;            /* dh and dc: what flows to the step before */
  gemm_args product;
} lstm;

#define REAL f32
#include "recurrent_real.h"
#undef REAL
#define REAL f64
#include "recurrent_real.h"
#undef REAL

static void *data_of(const pl_operand *o) { return o ? operand_data(o) : NULL; }

static bool lstm_takes(const pl_call *call) {
  int32_t dtype = call->in[0]->dtype;
  if (dtype != PL_F32 && dtype != PL_F64) return false;
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->dtype != dtype) return false;
  return true;
}

/* The sizes, and scratch for the product that every step repeats. */
static bool lstm_prepare(lstm *l, const pl_operand *gates) {
  l->dtype = gates->dtype;
  l->steps = gates->sizes[0];
  l->n = gates->sizes[1];
  l->hidden = gates->sizes[2] / 4;
  gemm_args *g = &l->product;
  g->scratch_bytes = l->dtype == PL_F32 ? LEVEL(gemm_f32_scratch)(g) : LEVEL(gemm_f64_scratch)(g);
  g->scratch = g->scratch_bytes ? cpu_scratch(g->scratch_bytes) : NULL;
  return !g->scratch_bytes || g->scratch;
}

KERNEL(lstm) {
  const pl_operand *gates = call->in[0];
  if (!lstm_takes(call)) return PL_EUNSUPPORTED;
  if (gates->count == 0) return PL_OK;
  int64_t hidden = gates->sizes[2] / 4;
  lstm l = { .gates = data_of(gates), .h0 = data_of(call->in[1]), .c0 = data_of(call->in[2]),
             .weight = data_of(call->in[3]), .y = data_of(call->out[0]),
             .last_cell = data_of(call->out[1]), .active = data_of(call->out[2]),
             .cells = data_of(call->out[3]),
             .product = { .m = gates->sizes[1], .n = 4 * hidden, .k = hidden, .a_rs = hidden,
                          .a_cs = 1, .b_rs = 1, .b_cs = hidden, .ldc = 4 * hidden } };
  if (!lstm_prepare(&l, gates)) return PL_EMEMORY;
  if (l.dtype == PL_F32) lstm_forward_f32(&l);
  else lstm_forward_f64(&l);
  return PL_OK;
}

KERNEL(lstm_backward) {
  const pl_operand *active = call->in[2];
  if (!lstm_takes(call)) return PL_EUNSUPPORTED;
  if (active->count == 0) return PL_OK;
  int64_t hidden = active->sizes[2] / 4;
  lstm l = { .c0 = data_of(call->in[0]), .weight = data_of(call->in[1]), .active = data_of(active),
             .cells = data_of(call->in[3]), .dy = data_of(call->in[4]),
             .dcell = data_of(call->in[5]), .dgates = data_of(call->out[0]),
             .dh = data_of(call->out[1]), .dc = data_of(call->out[2]),
             .product = { .m = active->sizes[1], .n = hidden, .k = 4 * hidden, .a_rs = 4 * hidden,
                          .a_cs = 1, .b_rs = hidden, .b_cs = 1, .ldc = hidden } };
  if (!lstm_prepare(&l, active)) return PL_EMEMORY;
  if (l.dtype == PL_F32) lstm_back_f32(&l);
  else lstm_back_f64(&l);
  return PL_OK;
}
