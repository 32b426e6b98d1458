/*
** half.c -- calls in f16 and bf16 for kernels that compute in f32: half operands are converted on
** the way in and results on the way out, once, so sums are f32's. Where a row computes images,
** rows or channels apart from each other they go through a few at a time, so that the copies stay
** within the cache; how many follows from the shape alone.
*/
#include "convert.h"
#include <string.h>

enum { SLICE_BYTES = 1 << 20, MAX_IN = 12, MAX_ALL = MAX_IN + PL_MAX_OUT };

/* What is cut: the first dimension, or dimension 1 of tensors and the one of vectors. SHARES: the
** first, and results, which are sums over it, add up. */
enum { FIRST, CHANNELS, SHARES };

/* `in`: bits of the inputs that are cut; outputs all are, but those of SHARES. `rank`: of the first
** input at least. */
static const struct cut { const char *op; int how, rank; uint32_t in; } cuts[] = {
  { "linear", FIRST, 2, 1 },
  { "matmul", FIRST, 3, 3 },
  { "matmul", FIRST, 2, 1 },
  { "conv2d", FIRST, 4, 1 },
  { "conv_transpose2d", FIRST, 4, 1 },
  { "conv2d_weight_grad", SHARES, 4, 3 },
  { "max_pool2d", FIRST, 4, 1 },
  { "max_pool2d_backward", FIRST, 4, 3 },
  { "avg_pool2d", FIRST, 4, 1 },
  { "avg_pool2d_backward", FIRST, 4, 1 },
  { "adaptive_max_pool2d", FIRST, 4, 1 },
  { "adaptive_avg_pool2d", FIRST, 4, 1 },
  { "adaptive_avg_pool2d_backward", FIRST, 4, 1 },
  { "batch_norm", CHANNELS, 2, 31 },
  { "batch_norm_backward", CHANNELS, 2, 31 },
};

/* An operand as the kernel sees it: f32 in staged memory, or the slice where it lies. */
typedef struct staged {
  const pl_operand *given;
  pl_operand seen;
  pl_buffer buffer;
  int axis;                           /* that is cut, -1: none */
  bool half, updated;
} staged;

typedef struct half_plan {
  pl_call call;                       /* on what is seen */
  staged all[MAX_ALL];                /* inputs, then outputs */
  const pl_operand *in[MAX_IN], *out[PL_MAX_OUT];
  const struct cut *cut;              /* NULL: all at once */
  int64_t size, step;                 /* of the axis that is cut; as much at a time */
} half_plan;

static bool adds_up(const half_plan *p) { return p->cut && p->cut->how == SHARES; }

static int64_t aligned(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

/* Elements of an operand that are seen together. */
static int64_t seen_count(const half_plan *p, const staged *s) {
  return s->axis < 0 ? s->given->count : s->given->count / p->size * p->step;
}

static int64_t staged_bytes(const half_plan *p, const staged *s) {
  return s->given && s->half ? aligned(seen_count(p, s) * 4) : 0;
}

static void make_dense_f32(pl_operand *o) {
  int64_t stride = 1;
  for (int d = o->rank - 1; d >= 0; d--) {
    o->strides[d] = stride;
    stride *= o->sizes[d];
  }
  o->dtype = PL_F32;
  o->dense = 1;
  o->offset = 0;
}

static bool staged_open(half_plan *p, staged *s, const pl_operand *given, bool cut,
                        bool updated) {
  s->given = given;
  if (!given) return false;
  s->seen = *given;
  s->half = dtype_is_half(given->dtype);
  s->axis = !cut ? -1 : p->cut->how == CHANNELS && given->rank > 1 ? 1 : 0;
  s->updated = updated;
  if (s->half || cut) s->seen.buffer = &s->buffer;
  return s->half;
}

/* False where nothing is half or the call has lists: their kernels take half types themselves. */
static bool plan_operands(half_plan *p, const pl_call *call) {
  bool any = false;
  uint32_t cut = p->cut ? p->cut->in : 0;
  if (call->n_in > MAX_IN || call->op->list_count > 0) return false;
  for (int i = 0; i < call->n_in; i++) {
    bool updated = i < call->op->n_in && (call->op->in[i].marks & PL_UPDATED);
    any |= staged_open(p, &p->all[i], call->in[i], cut >> i & 1, updated);
    p->in[i] = call->in[i] ? &p->all[i].seen : NULL;
  }
  for (int j = 0; j < call->n_out; j++) {
    staged *s = &p->all[call->n_in + j];
    any |= staged_open(p, s, call->out[j], p->cut && !adds_up(p), true);
    p->out[j] = call->out[j] ? &s->seen : NULL;
  }
  return any;
}

/* Whether all that would be cut has the first input's size there. */
static bool cut_fits(const struct cut *c, const pl_call *call) {
  const pl_operand *x = call->in[0], *out = call->out[0];
  if (strcmp(c->op, call->op->name) != 0 || x->rank < c->rank) return false;
  if (c->how == CHANNELS) return true;
  if (c->how == FIRST && (out->rank != x->rank || out->sizes[0] != x->sizes[0])) return false;
  for (int i = 1; i < call->n_in; i++)
    if ((c->in >> i & 1) && (call->in[i]->rank != x->rank || call->in[i]->sizes[0] != x->sizes[0]))
      return false;
  return true;
}

/* The first row that fits. What is cut passes through the stage: the first input must be half. */
static void plan_cut(half_plan *p, const pl_call *call) {
  const pl_operand *x = call->n_in > 0 ? call->in[0] : NULL;
  p->cut = NULL;
  p->size = 1;
  if (!x || !dtype_is_half(x->dtype) || x->count == 0) return;
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts && !p->cut; i++)
    if (cut_fits(&cuts[i], call)) {
      p->cut = &cuts[i];
      p->size = x->sizes[cuts[i].how == CHANNELS];
    }
}

/* How much at a time, and memory for what is staged; a sum has room for a share behind it. */
static bool plan_memory(half_plan *p, int n) {
  int64_t each = 0, bytes = 0;
  for (int i = 0; i < n; i++)
    if (p->all[i].given && p->all[i].axis >= 0) each += p->all[i].given->count / p->size * 4;
  p->step = max_i64(1, min_i64(p->size, SLICE_BYTES / max_i64(1, each)));
  for (int i = 0; i < n; i++) bytes += staged_bytes(p, &p->all[i]);
  char *memory = cpu_stage((size_t)(bytes + (adds_up(p) ? staged_bytes(p, &p->all[n - 1]) : 0)));
  if (!memory) return false;
  for (int i = 0; i < n; i++) {
    staged *s = &p->all[i];
    if (!s->given || !s->half) continue;
    s->buffer.data = memory;
    memory += staged_bytes(p, s);
  }
  return true;
}

/* at .. at + n - 1 of the axis of what was given, as it lies there. */
static pl_operand slice_of(const staged *s, int64_t at, int64_t n) {
  pl_operand slice = *s->given;
  if (s->axis < 0) return slice;
  slice.offset += at * slice.strides[s->axis];
  slice.count = slice.count / slice.sizes[s->axis] * n;
  slice.sizes[s->axis] = n;
  slice.dense = slice.dense && s->axis == 0;
  return slice;
}

/* Points what is cut at its slice; inputs are converted as they come into sight. */
static void slice_open(half_plan *p, int64_t at, int64_t n) {
  for (int i = 0; i < p->call.n_in + p->call.n_out; i++) {
    staged *s = &p->all[i];
    if (!s->given || (at > 0 && s->axis < 0)) continue;
    pl_operand from = slice_of(s, at, n);
    if (s->half) {
      s->seen.count = from.count;
      memcpy(s->seen.sizes, from.sizes, sizeof from.sizes);
      make_dense_f32(&s->seen);
      if (i < p->call.n_in) LEVEL(operand_cast)(&from, &s->seen);
    } else if (s->axis >= 0) {
      s->seen = from;
      s->seen.buffer = &s->buffer;
      s->seen.offset = 0;
      s->buffer.data = operand_data(&from);
    }
  }
}

static void slice_close(half_plan *p, int64_t at, int64_t n) {
  bool last = at + n == p->size;
  for (int i = 0; i < p->call.n_in + p->call.n_out; i++) {
    staged *s = &p->all[i];
    if (!s->given || !s->half || !s->updated || !(s->axis >= 0 || last)) continue;
    pl_operand to = slice_of(s, at, n);
    LEVEL(operand_cast)(&s->seen, &to);
  }
}

/* A slice's share comes to lie behind the sum, and is added to it. */
static pl_status share_run(half_plan *p, pl_status (*run)(const pl_call *), bool first) {
  staged *s = &p->all[p->call.n_in];
  if (first) return run(&p->call);
  float *sum = s->buffer.data, *share = sum + aligned(s->seen.count * 4) / 4;
  s->buffer.data = share;
  pl_status status = run(&p->call);
  s->buffer.data = sum;
  for (int64_t i = 0; i < s->seen.count; i++) sum[i] += share[i];
  return status;
}

pl_status LEVEL(half_call)(const pl_call *call, pl_status (*run)(const pl_call *)) {
  half_plan p;
  plan_cut(&p, call);
  if (!plan_operands(&p, call)) return PL_EUNSUPPORTED;
  if (!plan_memory(&p, call->n_in + call->n_out)) return PL_EMEMORY;
  p.call = *call;
  p.call.in = p.in;
  p.call.out = p.out;
  for (int64_t at = 0; at < p.size; at += p.step) {
    int64_t n = min_i64(p.step, p.size - at);
    slice_open(&p, at, n);
    pl_status status = adds_up(&p) ? share_run(&p, run, at == 0) : run(&p.call);
    if (status != PL_OK) return status;
    slice_close(&p, at, n);
  }
  return PL_OK;
}
