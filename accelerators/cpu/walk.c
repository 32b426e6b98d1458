/*
** walk.c -- brings the operands of a pointwise call into contiguous whole vectors. A call whose
** operands are contiguous runs its loop on them directly; others pass through blocks on the stack.
*/
#include "walk.h"
#include "convert.h"
#include "view.h"
#include <string.h>

enum { BLOCK = 512, CHUNK = 8192, MAX_IN = 3 };   /* elements */

typedef struct walk_plan {
  walk_loop loop;
  const void *attrs;
  int n_in, lanes;
  int32_t half_dtype;                /* computes f16 and bf16 in f32 */
  bool staged;                       /* some operand passes through the stage */
  bool in_half[MAX_IN], out_half;
  view in[MAX_IN], out;
} walk_plan;

typedef struct walk_stage {
  char in[MAX_IN][BLOCK * 8] __attribute__((aligned(64)));
  char out[BLOCK * 8] __attribute__((aligned(64)));
  uint16_t raw[BLOCK];
} walk_stage;

/* A tail; most are one number long. */
static inline void few_copy(void *to, const void *from, int64_t bytes) {
  if (bytes == 4) memcpy(to, from, 4);
  else if (bytes == 8) memcpy(to, from, 8);
  else memcpy(to, from, (size_t)bytes);
}

static void stage_in(const walk_plan *p, walk_stage *stage, int i, int64_t at, int64_t n) {
  const view *v = &p->in[i];
  if (!p->in_half[i]) {
    if (v->flat) few_copy(stage->in[i], v->data + at * v->size, n * v->size);
    else LEVEL(view_gather)(v, at, n, stage->in[i]);
    return;
  }
  const void *from = v->data + at * v->size;
  if (!v->flat) {
    LEVEL(view_gather)(v, at, n, (char *)stage->raw);
    from = stage->raw;
  }
  LEVEL(convert_loop)(p->half_dtype, PL_F32)(stage->in[i], from, n);
}

static void stage_out(const walk_plan *p, walk_stage *stage, int64_t at, int64_t n) {
  const view *v = &p->out;
  if (!p->out_half) {
    if (v->flat) few_copy(v->data + at * v->size, stage->out, n * v->size);
    else LEVEL(view_scatter)(v, at, n, stage->out);
    return;
  }
  convert_fn narrow = LEVEL(convert_loop)(PL_F32, p->half_dtype);
  if (v->flat) {
    narrow(v->data + at * v->size, stage->out, n);
  } else {
    narrow(stage->raw, stage->out, n);
    LEVEL(view_scatter)(v, at, n, (char *)stage->raw);
  }
}

/* One loop call: n elements from `at`, all through the stage where tail, else only the operands
** that are not flat. Constants lie in the stage from the start. */
static void piece_run(const walk_plan *p, walk_stage *stage, int64_t at, int64_t n, bool tail) {
  const void *in[MAX_IN];
  for (int i = 0; i < p->n_in; i++) {
    const view *v = &p->in[i];
    if (v->flat && !tail && !p->in_half[i]) {
      in[i] = v->data + at * v->size;
      continue;
    }
    if (!v->constant) stage_in(p, stage, i, at, n);
    in[i] = stage->in[i];
  }
  bool direct = p->out.flat && !tail && !p->out_half;
  char *out = direct ? p->out.data + at * p->out.size : stage->out;
  p->loop(out, in, tail ? p->lanes : n, p->attrs);
  if (!direct) stage_out(p, stage, at, n);
}

static void walk_range(const walk_plan *p, int64_t begin, int64_t end) {
  walk_stage stage;
  for (int i = 0; i < p->n_in; i++) {
    memset(stage.in[i], 0, VEC_BYTES);   /* the lanes behind a tail */
    if (p->in[i].constant) stage_in(p, &stage, i, 0, min_i64(BLOCK, p->in[i].count));
  }
  for (int64_t at = begin; at < end;) {
    int64_t left = end - at, whole = left - left % p->lanes;
    int64_t n = p->staged ? min_i64(whole, BLOCK) : whole;
    bool tail = whole == 0;
    if (tail) n = left;
    piece_run(p, &stage, at, n, tail);
    at += n;
  }
}

static void walk_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const walk_plan *p = context;
  walk_range(p, index * CHUNK, min_i64((index + 1) * CHUNK, p->out.count));
}

pl_status LEVEL(walk)(const pl_call *call, const walk_loops *loops) {
  const pl_operand *out = call->out[0];
  int32_t dtype = call->in[call->n_in - 1]->dtype;
  bool half = dtype_is_half(dtype) && !loops->loop[dtype];
  walk_plan p;   /* not initialised as a whole: a call on one element should cost little */
  p.loop = loops->loop[half ? PL_F32 : dtype];
  if (!p.loop || call->n_in > MAX_IN) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  p.attrs = call->attrs;
  p.half_dtype = dtype;
  p.n_in = call->n_in;
  p.lanes = VEC_BYTES / (half ? 4 : (int)dtype_size(dtype));
  view_open(&p.out, out);
  p.out_half = half && dtype_is_half(out->dtype);
  p.staged = !p.out.flat || p.out_half;
  for (int i = 0; i < p.n_in; i++) {
    view_open(&p.in[i], call->in[i]);
    p.in_half[i] = half && dtype_is_half(call->in[i]->dtype);
    p.staged |= !p.in[i].flat || p.in_half[i];
  }
  int64_t work = out->count * loops->cost / 10;
  if (out->count <= CHUNK) walk_range(&p, 0, out->count);
  else parallel_for((out->count + CHUNK - 1) / CHUNK, work, walk_chunk, &p);
  return PL_OK;
}
