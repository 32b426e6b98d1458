/*
** half.c -- calls in f16 and bf16 for kernels that compute in f32: half operands are converted on
** the way in and results on the way out, once, so sums are f32's. Where images are independent
** they go through a few at a time, so that the copies stay within the cache; how many follows from
** the shape alone.
*/
#include "convert.h"
#include <string.h>

enum { SLICE_BYTES = 1 << 20, MAX_IN = 12, MAX_ALL = MAX_IN + PL_MAX_OUT };

/* The rows that work image by image, by bits of the inputs that hold images. Outputs all do, but
** the gradient of a weight, which is the sum of the images' shares. */
static const struct { const char *op; uint32_t in; bool sum; } by_image[] = {
  { "conv2d", 1, false },
  { "conv_transpose2d", 1, false },
  { "conv2d_weight_grad", 3, true },
  { "max_pool2d", 1, false },
  { "max_pool2d_backward", 3, false },
  { "avg_pool2d", 1, false },
  { "avg_pool2d_backward", 1, false },
  { "adaptive_max_pool2d", 1, false },
  { "adaptive_avg_pool2d", 1, false },
  { "adaptive_avg_pool2d_backward", 1, false },
};

/* An operand as the kernel sees it: f32 in staged memory, or the slice where it lies. */
typedef struct staged {
  const pl_operand *given;
  pl_operand seen;
  pl_buffer buffer;
  bool half, sliced, updated;
} staged;

typedef struct half_plan {
  pl_call call;                       /* on what is seen */
  staged all[MAX_ALL];                /* inputs, then outputs */
  const pl_operand *in[MAX_IN], *out[PL_MAX_OUT];
  int64_t images, step;               /* all of them; as many at a time */
  bool sum;
} half_plan;

static int64_t aligned(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

/* The bytes an operand takes on the stage. */
static int64_t staged_bytes(const half_plan *p, const staged *s) {
  if (!s->given || !s->half) return 0;
  int64_t count = s->sliced ? s->given->count / p->images * p->step : s->given->count;
  return aligned(count * 4);
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

static bool staged_open(staged *s, const pl_operand *given, bool sliced, bool updated) {
  s->given = given;
  if (!given) return false;
  s->seen = *given;
  s->half = dtype_is_half(given->dtype);
  s->sliced = sliced;
  s->updated = updated;
  if (s->half || sliced) s->seen.buffer = &s->buffer;
  if (s->half) make_dense_f32(&s->seen);
  return s->half;
}

/* False where nothing is half or the call has lists: their kernels take half types themselves. */
static bool plan_operands(half_plan *p, const pl_call *call, uint32_t images_in) {
  bool any = false, sliced = images_in != 0;
  if (call->n_in > MAX_IN || call->op->list_count > 0) return false;
  for (int i = 0; i < call->n_in; i++) {
    bool updated = i < call->op->n_in && (call->op->in[i].marks & PL_UPDATED);
    any |= staged_open(&p->all[i], call->in[i], images_in >> i & 1, updated);
    p->in[i] = call->in[i] ? &p->all[i].seen : NULL;
  }
  for (int j = 0; j < call->n_out; j++) {
    any |= staged_open(&p->all[call->n_in + j], call->out[j], sliced && !p->sum, true);
    p->out[j] = call->out[j] ? &p->all[call->n_in + j].seen : NULL;
  }
  return any;
}

static uint32_t images_of(const pl_call *call, half_plan *p) {
  for (size_t i = 0; i < sizeof by_image / sizeof *by_image; i++)
    if (strcmp(by_image[i].op, call->op->name) == 0 && call->in[0]->rank == 4
        && call->in[0]->sizes[0] > 0) {
      p->images = call->in[0]->sizes[0];
      p->sum = by_image[i].sum;
      return by_image[i].in;
    }
  p->images = 1;
  p->sum = false;
  return 0;
}

/* Images at a time, and memory for what is staged; a sum has room for one slice's share behind. */
static bool plan_memory(half_plan *p, int n) {
  int64_t each = 0, bytes = 0;
  for (int i = 0; i < n; i++)
    if (p->all[i].given && p->all[i].sliced) each += p->all[i].given->count / p->images * 4;
  p->step = max_i64(1, min_i64(p->images, SLICE_BYTES / max_i64(1, each)));
  for (int i = 0; i < n; i++) bytes += staged_bytes(p, &p->all[i]);
  char *memory = cpu_stage((size_t)(bytes + (p->sum ? staged_bytes(p, &p->all[n - 1]) : 0)));
  if (!memory) return false;
  for (int i = 0; i < n; i++) {
    staged *s = &p->all[i];
    if (!s->given || !s->half) continue;
    s->buffer.data = memory;
    memory += staged_bytes(p, s);
  }
  return true;
}

/* Images at .. at + n - 1 of what was given, as it lies there. */
static pl_operand slice_of(const pl_operand *o, int64_t at, int64_t n) {
  pl_operand slice = *o;
  slice.offset += at * o->strides[0];
  slice.sizes[0] = n;
  slice.count = o->count / o->sizes[0] * n;
  return slice;
}

/* Points what is sliced at its images; inputs are converted as they come into sight. */
static void slice_open(half_plan *p, int64_t at, int64_t n) {
  for (int i = 0; i < p->call.n_in + p->call.n_out; i++) {
    staged *s = &p->all[i];
    if (!s->given) continue;
    pl_operand from = s->sliced ? slice_of(s->given, at, n) : *s->given;
    if (s->sliced) {
      s->seen.sizes[0] = n;
      s->seen.count = from.count;
      if (!s->half) s->buffer.data = operand_data(s->given) + at * s->given->strides[0]
                                   * dtype_size(s->given->dtype);
      if (!s->half) s->seen.offset = 0;
    }
    if (s->half && i < p->call.n_in && (s->sliced || at == 0))
      LEVEL(operand_cast)(&from, &s->seen);
  }
}

static void slice_close(half_plan *p, int64_t at, int64_t n) {
  bool last = at + n == p->images;
  for (int i = 0; i < p->call.n_in + p->call.n_out; i++) {
    staged *s = &p->all[i];
    if (!s->given || !s->half || !s->updated || !(s->sliced || last)) continue;
    pl_operand to = s->sliced ? slice_of(s->given, at, n) : *s->given;
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
  uint32_t images_in = images_of(call, &p);
  if (!plan_operands(&p, call, images_in)) return PL_EUNSUPPORTED;
  if (!plan_memory(&p, call->n_in + call->n_out)) return PL_EMEMORY;
  p.call = *call;
  p.call.in = p.in;
  p.call.out = p.out;
  for (int64_t at = 0; at < p.images; at += p.step) {
    int64_t n = min_i64(p.step, p.images - at);
    slice_open(&p, at, n);
    pl_status status = p.sum ? share_run(&p, run, at == 0) : run(&p.call);
    if (status != PL_OK) return status;
    slice_close(&p, at, n);
  }
  return PL_OK;
}
