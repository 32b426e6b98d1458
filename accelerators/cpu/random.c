/*
** random.c -- rand, randn, randint, dropout. The numbers are those of philox.h: the same at every
** level, for any number of threads and on every device, so this file is built without contraction.
*/
#include "cpu.h"
#include "philox.h"
#include "vec.h"

/* CHUNK elements go to a thread at a time; WIDE blocks are drawn together. */
enum { CHUNK = 4096, WIDE = 2 * lanes_u64, WORDS = 4 * WIDE };

typedef struct draw {
  uint64_t key;
  uint32_t call, step;
} draw;

/* The state is the last input: i64 (seed, stream, step). */
static draw draw_open(const pl_call *call, int64_t number) {
  const int64_t *state = (const int64_t *)operand_data(call->in[call->n_in - 1]);
  return (draw){ philox_key((uint64_t)state[0], (uint64_t)state[1], (uint64_t)state[2]),
                 (uint32_t)number, (uint32_t)state[2] };
}

/* One round on lanes_u64 blocks. Words are the low halves of lanes; the high halves are noise. */
static inline void round_run(v_u64 c[4], v_u64 k0, v_u64 k1) {
  v_u64 a = mul_low_u64(c[0], (v_u64){ 0 } + PHILOX_M0);
  v_u64 b = mul_low_u64(c[2], (v_u64){ 0 } + PHILOX_M1);
  c[0] = (b >> 32) ^ c[1] ^ k0;
  c[1] = b;
  c[2] = (a >> 32) ^ c[3] ^ k1;
  c[3] = a;
}

/* The words of WIDE blocks from `block` on, one after the other: philox_block on vectors. */
static void draw_words(const draw *d, int64_t block, uint32_t words[WORDS]) {
  v_u64 first[4], second[4], order;
  v_u64 k0 = (v_u64){ 0 } + (uint32_t)d->key, k1 = (v_u64){ 0 } + (d->key >> 32);
  for (int i = 0; i < lanes_u64; i++) order[i] = (uint64_t)block + (uint64_t)i;
  first[0] = order;
  second[0] = order + lanes_u64;
  first[1] = first[0] >> 32;
  second[1] = second[0] >> 32;
  first[2] = second[2] = (v_u64){ 0 } + d->call;
  first[3] = second[3] = (v_u64){ 0 } + d->step;
  for (int round = 0; round < 10; round++) {
    round_run(first, k0, k1);
    round_run(second, k0, k1);
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  for (int k = 0; k < 4; k++)
    for (int i = 0; i < lanes_u64; i++) {
      words[4 * i + k] = (uint32_t)first[k][i];
      words[4 * (lanes_u64 + i) + k] = (uint32_t)second[k][i];
    }
}

static inline uint64_t pair_bits(const uint32_t *w) { return (uint64_t)w[0] << 32 | w[1]; }

/* Four normal numbers of a block. */
static void normals(const uint32_t w[4], double out[4]) {
  for (int i = 0; i < 4; i += 2) {
    double radius = sqrt(-2.0 * log(((double)w[i] + 1.0) * 0x1p-32));
    double angle = 6.283185307179586476925 * ((double)w[i + 1] * 0x1p-32);
    out[i] = radius * cos(angle);
    out[i + 1] = radius * sin(angle);
  }
}

/* A filler writes elements begin .. end - 1, begin being a multiple of CHUNK. */
typedef struct fill {
  draw source;
  const void *attrs;
  const void *in;
  void *out;
  uint8_t *mask;
  int64_t count;
  void (*run)(const struct fill *f, int64_t begin, int64_t end);
} fill;

static void fill_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const fill *f = context;
  f->run(f, index * CHUNK, min_i64((index + 1) * CHUNK, f->count));
}

static pl_status fill_run(fill *f) {
  parallel_for((f->count + CHUNK - 1) / CHUNK, f->count * 2, fill_chunk, f);
  return PL_OK;
}

static void rand_f32(const fill *f, int64_t begin, int64_t end) {
  float *out = f->out;
  uint32_t w[WORDS];
  for (int64_t at = begin; at < end; at += WORDS) {
    int64_t n = min_i64(WORDS, end - at);
    draw_words(&f->source, at / 4, w);
    for (int64_t k = 0; k < n; k++) out[at + k] = (float)(int32_t)(w[k] >> 8) * 0x1p-24f;
  }
}

static void rand_f64(const fill *f, int64_t begin, int64_t end) {
  double *out = f->out;
  uint32_t w[WORDS];
  for (int64_t at = begin; at < end; at += WORDS / 2) {
    int64_t n = min_i64(WORDS / 2, end - at);
    draw_words(&f->source, at / 2, w);
    for (int64_t k = 0; k < n; k++) out[at + k] = (double)(pair_bits(w + 2 * k) >> 11) * 0x1p-53;
  }
}

static void randn_f32(const fill *f, int64_t begin, int64_t end) {
  float *out = f->out;
  uint32_t w[WORDS];
  double values[4];
  for (int64_t i = begin; i < end; i++) {
    int64_t k = (i - begin) % WORDS;
    if (k == 0) draw_words(&f->source, i / 4, w);
    if (k % 4 == 0) normals(w + k, values);
    out[i] = (float)values[k % 4];
  }
}

static void randn_f64(const fill *f, int64_t begin, int64_t end) {
  double *out = f->out;
  uint32_t w[WORDS];
  double values[4];
  for (int64_t i = begin; i < end; i++) {
    int64_t k = (i - begin) % WORDS;
    if (k == 0) draw_words(&f->source, i / 4, w);
    if (k % 4 == 0) normals(w + k, values);
    out[i] = values[k % 4];
  }
}

static void randint_i64(const fill *f, int64_t begin, int64_t end) {
  const pl_randint_attrs *a = f->attrs;
  uint64_t width = (uint64_t)a->high - (uint64_t)a->low + 1;   /* 0 stands for 2^64 */
  int64_t *out = f->out;
  uint32_t w[WORDS];
  for (int64_t at = begin; at < end; at += WORDS / 2) {
    int64_t n = min_i64(WORDS / 2, end - at);
    draw_words(&f->source, at / 2, w);
    for (int64_t k = 0; k < n; k++)
      out[at + k] = (int64_t)((uint64_t)a->low + philox_below(pair_bits(w + 2 * k), width));
  }
}

/* An element stays when its uniform f32 is not below p; all lie below 1. */
static inline uint32_t keep_from(const fill *f) {
  double p = ((const pl_dropout_attrs *)f->attrs)->p;
  return p <= 0 ? 0 : p >= 1 ? 1u << 24 : (uint32_t)ceil(p * 0x1p24);
}

static inline double keep_scale(const fill *f) {
  double p = ((const pl_dropout_attrs *)f->attrs)->p;
  return p >= 1 ? 0 : 1 / (1 - p);
}

static void dropout_f32(const fill *f, int64_t begin, int64_t end) {
  const float *in = f->in;
  float *out = f->out, scale = (float)keep_scale(f);
  uint8_t *restrict mask = f->mask;
  uint32_t w[WORDS], least = keep_from(f);
  for (int64_t at = begin; at < end; at += WORDS) {
    int64_t n = min_i64(WORDS, end - at);
    draw_words(&f->source, at / 4, w);
    for (int64_t k = 0; k < n; k++) mask[at + k] = w[k] >> 8 >= least;
    for (int64_t k = 0; k < n; k++) {
      float kept = in[at + k] * scale;
      out[at + k] = w[k] >> 8 >= least ? kept : 0;
    }
  }
}

static void dropout_f64(const fill *f, int64_t begin, int64_t end) {
  const double *in = f->in;
  double *out = f->out, scale = keep_scale(f);
  uint8_t *restrict mask = f->mask;
  uint32_t w[WORDS], least = keep_from(f);
  for (int64_t at = begin; at < end; at += WORDS) {
    int64_t n = min_i64(WORDS, end - at);
    draw_words(&f->source, at / 4, w);
    for (int64_t k = 0; k < n; k++) mask[at + k] = w[k] >> 8 >= least;
    for (int64_t k = 0; k < n; k++) {
      double kept = in[at + k] * scale;
      out[at + k] = w[k] >> 8 >= least ? kept : 0;
    }
  }
}

static pl_status make(const pl_call *call, int64_t number,
                      void (*f32)(const fill *, int64_t, int64_t),
                      void (*f64)(const fill *, int64_t, int64_t)) {
  const pl_operand *out = call->out[0];
  fill f = { .source = draw_open(call, number), .attrs = call->attrs, .out = operand_data(out),
             .count = out->count };
  f.run = out->dtype == PL_F32 ? f32 : out->dtype == PL_F64 ? f64 : NULL;
  return f.run ? fill_run(&f) : PL_EUNSUPPORTED;
}

KERNEL(rand) {
  return make(call, ((const pl_rand_attrs *)call->attrs)->call, rand_f32, rand_f64);
}

KERNEL(randn) {
  return make(call, ((const pl_randn_attrs *)call->attrs)->call, randn_f32, randn_f64);
}

KERNEL(randint) {
  const pl_randint_attrs *a = call->attrs;
  if (a->high < a->low)
    return FAIL(PL_EARGUMENT, "randint: high %lld is below low %lld", (long long)a->high,
                (long long)a->low);
  fill f = { .source = draw_open(call, a->call), .attrs = a, .out = operand_data(call->out[0]),
             .count = call->out[0]->count, .run = randint_i64 };
  return fill_run(&f);
}

KERNEL(dropout) {
  const pl_operand *x = call->in[0], *mask = call->out[1];
  if (mask->dtype != PL_BOOL) return PL_EUNSUPPORTED;
  fill f = { .source = draw_open(call, ((const pl_dropout_attrs *)call->attrs)->call),
             .attrs = call->attrs, .in = operand_data(x), .out = operand_data(call->out[0]),
             .mask = (uint8_t *)operand_data(mask), .count = x->count };
  f.run = x->dtype == PL_F32 ? dropout_f32 : x->dtype == PL_F64 ? dropout_f64 : NULL;
  return f.run ? fill_run(&f) : PL_EUNSUPPORTED;
}
