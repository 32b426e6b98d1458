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

static void sgd_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const sgd *s = context;
  int64_t begin, n;
  int32_t i = chunk_find(s->params, index, &begin, &n);
  float room[3][CHUNK];
  void *p = chunk_open(s->params[i], begin, n, room[0]);
  void *g = chunk_open(s->grads[i], begin, n, room[1]);
  void *b = s->buffered ? chunk_open(s->buffers[i], begin, n, room[2]) : NULL;
  if (s->params[i]->dtype == PL_F64) sgd_range_f64(s, p, g, b, n);
  else sgd_range_f32(s, p, g, b, n);
  chunk_close(s->params[i], begin, n, room[0]);
  if (b) chunk_close(s->buffers[i], begin, n, room[2]);
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
  int64_t elements, chunks = chunks_total(s.params, n, &elements);
  parallel_for_backwards(chunks, elements / 4, sgd_chunk, &s);   /* the last gradient is warm */
  return PL_OK;
}

/* ---- the norm of all elements ---- */

enum { PARTS = 4096 };   /* chunk sums kept at a time */

typedef struct norm {
  const pl_operand *const *list;
  int64_t first;         /* chunk of part 0 */
  double parts[PARTS];
} norm;

static void norm_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  norm *s = context;
  int64_t begin, n;
  const pl_operand *o = s->list[chunk_find(s->list, s->first + index, &begin, &n)];
  float room[CHUNK];
  const void *data = chunk_open(o, begin, n, room);
  s->parts[index] = o->dtype == PL_F64 ? square_range_f64(data, n) : square_range_f32(data, n);
}

KERNEL(total_norm) {
  norm s;
  s.list = call->in;
  int32_t n = call->counts ? call->counts[0] : call->n_in;
  const pl_operand *out = call->out[0];
  if (!list_plain(s.list, n) || (out->dtype != PL_F32 && out->dtype != PL_F64))
    return PL_EUNSUPPORTED;
  int64_t elements, chunks = chunks_total(s.list, n, &elements);
  double total = 0;
  for (s.first = 0; s.first < chunks; s.first += PARTS) {
    int64_t part = min_i64(PARTS, chunks - s.first);
    parallel_for(part, elements / 4, norm_chunk, &s);
    for (int64_t i = 0; i < part; i++) total += s.parts[i];
  }
  if (out->dtype == PL_F32) *(float *)operand_data(out) = (float)sqrt(total);
  else *(double *)operand_data(out) = sqrt(total);
  return PL_OK;
}

/* ---- every tensor times a factor ---- */

typedef struct scaling {
  const pl_operand *const *list;
  double factor;
} scaling;

static void scale_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const scaling *s = context;
  int64_t begin, n;
  const pl_operand *o = s->list[chunk_find(s->list, index, &begin, &n)];
  float room[CHUNK];
  void *data = chunk_open(o, begin, n, room);
  if (o->dtype == PL_F64) scale_range_f64(data, s->factor, n);
  else scale_range_f32(data, s->factor, n);
  chunk_close(o, begin, n, room);
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
  int64_t elements, chunks = chunks_total(s.list, n, &elements);
  parallel_for(chunks, elements / 4, scale_chunk, &s);
  return PL_OK;
}

/* ---- every tensor part of the way to another ---- */

typedef struct lerping {
  const pl_operand *const *list, *const *others;
  double weight;
} lerping;

static void lerp_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const lerping *s = context;
  int64_t begin, n;
  int32_t i = chunk_find(s->list, index, &begin, &n);
  float room[2][CHUNK];
  void *x = chunk_open(s->list[i], begin, n, room[0]);
  void *other = chunk_open(s->others[i], begin, n, room[1]);
  if (s->list[i]->dtype == PL_F64) lerp_range_f64(x, other, s->weight, n);
  else lerp_range_f32(x, other, s->weight, n);
  chunk_close(s->list[i], begin, n, room[0]);
}

KERNEL(lerp_all) {
  int32_t n = call->counts[0];
  const pl_operand *weight = call->in[call->n_in - 1];
  lerping s = { .list = call->in, .others = call->in + n };
  if (!list_plain(s.list, n) || !list_like(s.others, s.list, n) || !list_plain(&weight, 1))
    return PL_EUNSUPPORTED;
  s.weight = number_of(weight);
  int64_t elements, chunks = chunks_total(s.list, n, &elements);
  parallel_for(chunks, elements / 4, lerp_chunk, &s);
  return PL_OK;
}
