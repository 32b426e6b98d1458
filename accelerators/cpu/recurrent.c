/*
** recurrent.c -- LSTM, GRU and plain RNN over a sequence: a product per step, then the gates of all
** rows in one pass. What the gradients need is the activated gates (LSTM: input, forget, cell,
** output; GRU: reset, update, new, and the new gate's product) and the states of every step.
*/
#include "cpu.h"
#include "gemm.h"
#include "real.h"
#include "vecmath.h"

typedef struct recurrent {
  int32_t dtype;
  bool relu;
  int64_t steps, n, hidden, step;    /* step: the one at work */
  const void *gates, *h0, *c0, *dy, *dcell;
  void *y, *last_cell, *active, *cells;
  void *dgates, *dproducts;
  void *dh, *dc;                     /* what flows to the step before */
  void *product_dh;                  /* GRU: the part of dh that the product gives */
  gemm_args product;
} recurrent;

#define REAL f32
#include "recurrent_real.h"
#undef REAL
#define REAL f64
#include "recurrent_real.h"
#undef REAL

static void *data_of(const pl_operand *o) { return o ? operand_data(o) : NULL; }

static bool recurrent_takes(const pl_call *call) {
  int32_t dtype = call->in[0]->dtype;
  if (dtype != PL_F32 && dtype != PL_F64) return false;
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->dtype != dtype) return false;
  return true;
}

/* h times the transposed weight (count * hidden x hidden), as rows of ldc. */
static gemm_args forward_product(const pl_operand *weight, const pl_operand *bias, int64_t n,
                                 int64_t ldc) {
  int64_t hidden = weight->sizes[1];
  return (gemm_args){ .m = n, .n = weight->sizes[0], .k = hidden, .a_rs = hidden, .a_cs = 1,
                      .b = operand_data(weight), .b_rs = 1, .b_cs = hidden, .ldc = ldc,
                      .bias = data_of(bias) };
}

static gemm_args backward_product(const pl_operand *weight, int64_t n) {
  int64_t hidden = weight->sizes[1];
  return (gemm_args){ .m = n, .n = hidden, .k = weight->sizes[0], .a_rs = weight->sizes[0],
                      .a_cs = 1, .b = operand_data(weight), .b_rs = hidden, .b_cs = 1,
                      .ldc = hidden };
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* The sizes, and scratch for the product that every step repeats, `more` bytes behind it. The
** weight is packed once for all steps; few of them, or a row or two, would not pay for it. */
static bool prepare(recurrent *l, const pl_operand *sequence, int64_t hidden, size_t more,
                    void **behind) {
  l->dtype = sequence->dtype;
  l->steps = sequence->sizes[0];
  l->n = sequence->sizes[1];
  l->hidden = hidden;
  const bool f32 = l->dtype == PL_F32;
  const gemm_args plain = l->product;
  gemm_args *g = &l->product;
  g->packed = l->steps > 3 && l->n > 2;
  g->scratch_bytes = f32 ? LEVEL(gemm_f32_scratch)(g) : LEVEL(gemm_f64_scratch)(g);
  size_t packed = !g->packed ? 0 : f32 ? LEVEL(gemm_f32_packed)(g) : LEVEL(gemm_f64_packed)(g);
  size_t b_at = whole_lines(g->scratch_bytes), more_at = b_at + whole_lines(packed);
  if (more_at + more == 0) return true;
  char *scratch = cpu_scratch(more_at + more);
  if (!scratch) return false;
  if (g->scratch_bytes) g->scratch = scratch;
  if (behind) *behind = scratch + more_at;
  if (g->packed) {
    g->b = scratch + b_at;
    (f32 ? LEVEL(gemm_f32_pack) : LEVEL(gemm_f64_pack))(&plain, scratch + b_at);
  }
  return true;
}

typedef void (*pass)(recurrent *);

static pl_status run(recurrent *l, pass f32, pass f64) {
  (l->dtype == PL_F32 ? f32 : f64)(l);
  return PL_OK;
}

KERNEL(lstm) {
  const pl_operand *gates = call->in[0];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (gates->count == 0) return PL_OK;
  recurrent l = { .gates = data_of(gates), .h0 = data_of(call->in[1]), .c0 = data_of(call->in[2]),
                  .y = data_of(call->out[0]), .last_cell = data_of(call->out[1]),
                  .active = data_of(call->out[2]), .cells = data_of(call->out[3]),
                  .product = forward_product(call->in[3], NULL, gates->sizes[1],
                                             gates->sizes[2]) };
  if (!prepare(&l, gates, gates->sizes[2] / 4, 0, NULL)) return PL_EMEMORY;
  return run(&l, lstm_forward_f32, lstm_forward_f64);
}

KERNEL(lstm_backward) {
  const pl_operand *active = call->in[2];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (active->count == 0) return PL_OK;
  recurrent l = { .c0 = data_of(call->in[0]), .active = data_of(active),
                  .cells = data_of(call->in[3]), .dy = data_of(call->in[4]),
                  .dcell = data_of(call->in[5]), .dgates = data_of(call->out[0]),
                  .dh = data_of(call->out[1]), .dc = data_of(call->out[2]),
                  .product = backward_product(call->in[1], active->sizes[1]) };
  if (!prepare(&l, active, active->sizes[2] / 4, 0, NULL)) return PL_EMEMORY;
  return run(&l, lstm_back_f32, lstm_back_f64);
}

KERNEL(gru) {
  const pl_operand *gates = call->in[0], *active = call->out[1];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (gates->count == 0) return PL_OK;
  recurrent l = { .gates = data_of(gates), .h0 = data_of(call->in[1]), .y = data_of(call->out[0]),
                  .active = data_of(active),
                  .product = forward_product(call->in[2], call->in[3], gates->sizes[1],
                                             active->sizes[2]) };
  if (!prepare(&l, gates, gates->sizes[2] / 3, 0, NULL)) return PL_EMEMORY;
  return run(&l, gru_forward_f32, gru_forward_f64);
}

KERNEL(gru_backward) {
  const pl_operand *h0 = call->in[0], *active = call->in[2];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (active->count == 0) return PL_OK;
  recurrent l = { .h0 = data_of(h0), .active = data_of(active), .y = data_of(call->in[3]),
                  .dy = data_of(call->in[4]), .dgates = data_of(call->out[0]),
                  .dproducts = data_of(call->out[1]), .dh = data_of(call->out[2]),
                  .product = backward_product(call->in[1], active->sizes[1]) };
  size_t more = (size_t)h0->count * (active->dtype == PL_F32 ? sizeof(float) : sizeof(double));
  if (!prepare(&l, active, active->sizes[2] / 4, more, &l.product_dh)) return PL_EMEMORY;
  return run(&l, gru_back_f32, gru_back_f64);
}

KERNEL(rnn) {
  const pl_operand *gates = call->in[0];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (gates->count == 0) return PL_OK;
  recurrent l = { .relu = ((const pl_rnn_attrs *)call->attrs)->relu, .gates = data_of(gates),
                  .h0 = data_of(call->in[1]), .y = data_of(call->out[0]),
                  .product = forward_product(call->in[2], NULL, gates->sizes[1],
                                             gates->sizes[2]) };
  if (!prepare(&l, gates, gates->sizes[2], 0, NULL)) return PL_EMEMORY;
  return run(&l, rnn_forward_f32, rnn_forward_f64);
}

KERNEL(rnn_backward) {
  const pl_operand *y = call->in[1];
  if (!recurrent_takes(call)) return PL_EUNSUPPORTED;
  if (y->count == 0) return PL_OK;
  recurrent l = { .relu = ((const pl_rnn_backward_attrs *)call->attrs)->relu, .y = data_of(y),
                  .dy = data_of(call->in[2]), .dgates = data_of(call->out[0]),
                  .dh = data_of(call->out[1]),
                  .product = backward_product(call->in[0], y->sizes[1]) };
  if (!prepare(&l, y, y->sizes[2], 0, NULL)) return PL_EMEMORY;
  return run(&l, rnn_back_f32, rnn_back_f64);
}
