/* optim.c -- SGD, and what is done to many tensors at once: norm, scaling, averaging (optim.h). */
#include "optim.h"
#include "real.h"
#include <string.h>

typedef struct sgd {
  double lr, momentum, dampening, decay;
  bool nesterov, maximize, first, buffered;
  const pl_operand *const *params, *const *grads, *const *buffers;
  int32_t n;
} sgd;

#define REAL f32
#include "optim_real.h"
#undef REAL
#define REAL f64
#include "optim_real.h"
#undef REAL

static void sgd_piece(void *context, piece at) {
  const sgd *s = context;
  const int32_t i = at.tensor;
  float room[3][CHUNK];
  void *p = piece_open(s->params[i], at, room[0]);
  void *g = piece_open(s->grads[i], at, room[1]);
  void *b = s->buffered ? piece_open(s->buffers[i], at, room[2]) : NULL;
  if (s->params[i]->dtype == PL_F64) sgd_range_f64(s, p, g, b, at.n);
  else sgd_range_f32(s, p, g, b, at.n);
  piece_close(s->params[i], at, room[0]);
  if (b) piece_close(s->buffers[i], at, room[2]);
}

KERNEL(sgd_step) {
  const pl_sgd_step_attrs *a = call->attrs;
  int32_t n = call->counts[0];
  sgd s = { .nesterov = a->nesterov, .maximize = a->maximize, .first = a->first, .n = n,
            .params = call->in, .grads = call->in + n, .buffers = call->in + 2 * n };
  s.buffered = n > 0 && call->counts[2] == n && s.buffers[0];
  const pl_operand *hyper = call->in[call->n_in - 1];
  if (hyper->dtype != PL_F64 || hyper->count < 4) return PL_EUNSUPPORTED;
  if (!list_plain(s.params, n) || !list_like(s.grads, s.params, n) ||
      (s.buffered && !list_like(s.buffers, s.params, n)))
    return PL_EUNSUPPORTED;
  const double *h = (const double *)operand_data(hyper);
  s.lr = h[0];
  s.momentum = h[1];
  s.dampening = h[2];
  s.decay = h[3];
  sweep_run(s.params, n, 1, sgd_piece, &s);
  return PL_OK;
}

/* ---- the norm of all elements ---- */

typedef struct norm {
  const pl_operand *const *list;
  double part[SLICES];   /* of each slice, added up in their order */
} norm;

static void norm_piece(void *context, piece at) {
  norm *s = context;
  const pl_operand *o = s->list[at.tensor];
  float room[CHUNK];
  const void *data = piece_open(o, at, room);
  s->part[at.slice] += o->dtype == PL_F64 ? square_range_f64(data, at.n)
                                          : square_range_f32(data, at.n);
}

KERNEL(total_norm) {
  norm s = { .list = call->in };
  int32_t n = call->counts ? call->counts[0] : call->n_in;
  const pl_operand *out = call->out[0];
  if (!list_plain(s.list, n) || (out->dtype != PL_F32 && out->dtype != PL_F64))
    return PL_EUNSUPPORTED;
  sweep_run(s.list, n, 1, norm_piece, &s);
  double total = 0;
  for (int i = 0; i < SLICES; i++) total += s.part[i];
  if (out->dtype == PL_F32) *(float *)operand_data(out) = (float)sqrt(total);
  else *(double *)operand_data(out) = sqrt(total);
  return PL_OK;
}

/* ---- every tensor times a factor ---- */

typedef struct scaling {
  const pl_operand *const *list;
  double factor;
} scaling;

static void scale_piece(void *context, piece at) {
  const scaling *s = context;
  const pl_operand *o = s->list[at.tensor];
  float room[CHUNK];
  void *data = piece_open(o, at, room);
  if (o->dtype == PL_F64) scale_range_f64(data, s->factor, at.n);
  else scale_range_f32(data, s->factor, at.n);
  piece_close(o, at, room);
}

static double number_of(const pl_operand *o) {
  double value;
  LEVEL(convert_loop)(o->dtype, PL_F64)(&value, operand_data(o), 1);
  return value;
}

KERNEL(scale_all) {
  int32_t n = call->counts[0];
  const pl_operand *factor = call->in[call->n_in - 1];
  scaling s = { .list = call->in };
  if (!list_plain(s.list, n) || !list_plain(&factor, 1)) return PL_EUNSUPPORTED;
  s.factor = number_of(factor);
  sweep_run(s.list, n, 1, scale_piece, &s);
  return PL_OK;
}

/* ---- every tensor part of the way to another ---- */

typedef struct lerping {
  const pl_operand *const *list, *const *others;
  double weight;
} lerping;

static void lerp_piece(void *context, piece at) {
  const lerping *s = context;
  const int32_t i = at.tensor;
  float room[2][CHUNK];
  void *x = piece_open(s->list[i], at, room[0]);
  void *other = piece_open(s->others[i], at, room[1]);
  if (s->list[i]->dtype == PL_F64) lerp_range_f64(x, other, s->weight, at.n);
  else lerp_range_f32(x, other, s->weight, at.n);
  piece_close(s->list[i], at, room[0]);
}

KERNEL(lerp_all) {
  int32_t n = call->counts[0];
  const pl_operand *weight = call->in[call->n_in - 1];
  lerping s = { .list = call->in, .others = call->in + n };
  if (!list_plain(s.list, n) || !list_like(s.others, s.list, n) || !list_plain(&weight, 1))
    return PL_EUNSUPPORTED;
  s.weight = number_of(weight);
  sweep_run(s.list, n, 1, lerp_piece, &s);
  return PL_OK;
}
