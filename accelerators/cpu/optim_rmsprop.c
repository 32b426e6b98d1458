/* optim_rmsprop.c -- RMSprop: parameter, gradient and all averages in one pass. */
#include "optim.h"
#include "real.h"
#include <string.h>

typedef struct rmsprop {
  double lr, alpha, eps, decay, momentum;
  bool maximize;
  int32_t n;
  const pl_operand *const *params, *const *grads, *const *squares;
  const pl_operand *const *means, *const *buffers;   /* NULL: not centered, no momentum */
  const pl_operand *const *steps;
} rmsprop;

#define REAL f32
#include "optim_rmsprop_real.h"
#undef REAL
#define REAL f64
#include "optim_rmsprop_real.h"
#undef REAL

static void rmsprop_piece(void *context, piece at) {
  const rmsprop *s = context;
  const int32_t i = at.tensor;
  float room[5][CHUNK];
  void *p = piece_open(s->params[i], at, room[0]);
  void *g = piece_open(s->grads[i], at, room[1]);
  void *v = piece_open(s->squares[i], at, room[2]);
  void *m = s->means ? piece_open(s->means[i], at, room[3]) : NULL;
  void *b = s->buffers ? piece_open(s->buffers[i], at, room[4]) : NULL;
  if (s->params[i]->dtype == PL_F64) rmsprop_range_f64(*s, p, g, v, m, b, at.n);
  else rmsprop_range_f32(*s, p, g, v, m, b, at.n);
  piece_close(s->params[i], at, room[0]);
  piece_close(s->squares[i], at, room[2]);
  if (m) piece_close(s->means[i], at, room[3]);
  if (b) piece_close(s->buffers[i], at, room[4]);
}

static bool rmsprop_fits(const rmsprop *s) {
  int32_t n = s->n;
  return list_plain(s->params, n) && list_like(s->grads, s->params, n) &&
         list_like(s->squares, s->params, n) && (!s->means || list_like(s->means, s->params, n)) &&
         (!s->buffers || list_like(s->buffers, s->params, n)) && list_counts(s->steps, n);
}

KERNEL(rmsprop_step) {
  const pl_rmsprop_step_attrs *a = call->attrs;
  const pl_operand *hyper = call->in[call->n_in - 1];
  rmsprop s = { .maximize = a->maximize, .n = call->counts[0], .params = list_at(call, 0),
                .grads = list_at(call, 1), .squares = list_at(call, 2), .means = list_at(call, 3),
                .buffers = list_at(call, 4), .steps = list_at(call, 5) };
  if (s.n == 0) return PL_OK;
  if (hyper->dtype != PL_F64 || hyper->count < 5 || !rmsprop_fits(&s)) return PL_EUNSUPPORTED;
  const double *h = (const double *)operand_data(hyper);
  s.lr = h[0];
  s.alpha = h[1];
  s.eps = h[2];
  s.decay = h[3];
  s.momentum = h[4];
  sweep_run(s.params, s.n, 4, rmsprop_piece, &s);
  for (int32_t i = 0; i < s.n; i++) *count_of(s.steps[i]) += 1;
  return PL_OK;
}
