/* optim_adam.c -- Adam and AdamW: parameter, gradient and both averages in one pass. */
#include "optim.h"
#include "real.h"
#include <string.h>

typedef struct adam {
  double lr, beta1, beta2, eps, decay;
  bool decoupled, maximize;
  int32_t n;
  const pl_operand *const *params, *const *grads, *const *means, *const *squares;
  const pl_operand *const *tops, *const *steps;   /* tops: NULL without amsgrad */
} adam;

/* What one tensor's step needs; correction is 1 / sqrt(1 - beta2^step). */
typedef struct adam_numbers {
  double keep, penalty, share1, beta2, share2, correction, eps, step_size;
  bool maximize;
} adam_numbers;

#define REAL f32
#include "optim_adam_real.h"
#undef REAL
#define REAL f64
#include "optim_adam_real.h"
#undef REAL

static adam_numbers adam_prepare(const adam *s, double step) {
  return (adam_numbers){
    .keep = s->decoupled ? 1 - s->lr * s->decay : 1,
    .penalty = s->decoupled ? 0 : s->decay,
    .share1 = 1 - s->beta1, .beta2 = s->beta2, .share2 = 1 - s->beta2,
    .correction = 1 / sqrt(1 - pow(s->beta2, step)), .eps = s->eps,
    .step_size = s->lr / (1 - pow(s->beta1, step)), .maximize = s->maximize,
  };
}

static void adam_piece(void *context, piece at) {
  const adam *s = context;
  const int32_t i = at.tensor;
  adam_numbers a = adam_prepare(s, *count_of(s->steps[i]) + 1);
  float room[5][CHUNK];
  void *p = piece_open(s->params[i], at, room[0]);
  void *g = piece_open(s->grads[i], at, room[1]);
  void *m = piece_open(s->means[i], at, room[2]);
  void *v = piece_open(s->squares[i], at, room[3]);
  void *top = s->tops ? piece_open(s->tops[i], at, room[4]) : NULL;
  if (s->params[i]->dtype == PL_F64) adam_range_f64(a, p, g, m, v, top, at.n);
  else adam_range_f32(a, p, g, m, v, top, at.n);
  piece_close(s->params[i], at, room[0]);
  piece_close(s->means[i], at, room[2]);
  piece_close(s->squares[i], at, room[3]);
  if (top) piece_close(s->tops[i], at, room[4]);
}

static bool adam_fits(const adam *s) {
  int32_t n = s->n;
  return list_plain(s->params, n) && list_like(s->grads, s->params, n) &&
         list_like(s->means, s->params, n) && list_like(s->squares, s->params, n) &&
         (!s->tops || list_like(s->tops, s->params, n)) && list_counts(s->steps, n);
}

KERNEL(adam_step) {
  const pl_adam_step_attrs *a = call->attrs;
  const pl_operand *hyper = call->in[call->n_in - 1];
  adam s = { .decoupled = a->decoupled, .maximize = a->maximize, .n = call->counts[0],
             .params = list_at(call, 0), .grads = list_at(call, 1), .means = list_at(call, 2),
             .squares = list_at(call, 3), .tops = list_at(call, 4), .steps = list_at(call, 5) };
  if (s.n == 0) return PL_OK;
  if (hyper->dtype != PL_F64 || hyper->count < 5 || !adam_fits(&s)) return PL_EUNSUPPORTED;
  const double *h = (const double *)operand_data(hyper);
  s.lr = h[0];
  s.beta1 = h[1];
  s.beta2 = h[2];
  s.eps = h[3];
  s.decay = h[4];
  sweep_run(s.params, s.n, 4, adam_piece, &s);
  for (int32_t i = 0; i < s.n; i++) *count_of(s.steps[i]) += 1;
  return PL_OK;
}
