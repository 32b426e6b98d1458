/*
** random.c -- seed, stream and step of this thread's generator, and numbers for the engine itself.
** A row marked random reads the state from a small tensor, so that a captured step stays valid.
*/
#include "random.h"
#include <sys/random.h>
#include "context.h"
#include "philox.h"
#include "status.h"

static _Thread_local struct { int64_t seed, stream, step; bool set; } generator;

static void generator_ready(void) {
  if (generator.set) return;
  uint32_t drawn = 0;
  if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) drawn = (uint32_t)pl_clock();
  generator.seed = drawn;
  generator.set = true;
}

pl_status pl_random_set(int64_t seed, int64_t stream, int64_t step) {
  context *c = context_here();
  generator.seed = seed;
  generator.stream = stream;
  generator.step = step;
  generator.set = true;
  c->generator_stale = true;
  c->shared.random_calls = 0;
  return PL_OK;
}

void pl_random_get(int64_t *seed, int64_t *stream, int64_t *step) {
  generator_ready();
  *seed = generator.seed;
  *stream = generator.stream;
  *step = generator.step;
}

pl_status random_state(device *d, tensor **out) {
  context *c = context_here();
  generator_ready();
  if (c->generator && tensor_device(c->generator) != d) {
    tensor_unref(c->generator);
    c->generator = NULL;
  }
  if (!c->generator) {
    pl_operand like = { .dtype = PL_I64, .rank = 1, .sizes = { 3 } };
    pl_status s = tensor_make(d, &like, &c->generator);
    if (s) return s;
    c->generator_stale = true;
  }
  if (c->generator_stale) {
    int64_t state[3] = { generator.seed, generator.stream, generator.step };
    pl_status s = d->table->write(d->state, c->generator->view.buffer, 0, state, sizeof state);
    if (s) return s;
    tensor_touch(c->generator, -1);
    c->generator_stale = false;
  }
  *out = c->generator;
  return PL_OK;
}

__extension__ typedef unsigned __int128 wide;

/* Fisher-Yates; position i draws from 0..i by multiply and shift, 64 bits keep the bias below 2^-32
** for any length that fits memory. */
void pl_random_permutation(uint64_t seed, uint64_t stream, uint64_t step, int64_t n, int64_t *out) {
  for (int64_t i = 0; i < n; i++) out[i] = i;
  uint32_t words[4];
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t draw = n - 1 - i;
    if (draw % 2 == 0) philox_words(seed, stream, step, 0, (uint64_t)(draw / 2), words);
    const uint32_t *w = words + 2 * (draw % 2);
    uint64_t number = (uint64_t)w[0] << 32 | w[1];
    int64_t j = (int64_t)(((wide)number * (uint64_t)(i + 1)) >> 64);
    int64_t kept = out[i];
    out[i] = out[j];
    out[j] = kept;
  }
}

void pl_random_fill(uint64_t seed, uint64_t stream, uint64_t step, int64_t n, uint32_t *out) {
  uint32_t words[4];
  for (int64_t i = 0; i < n; i++) {
    if (i % 4 == 0) philox_words(seed, stream, step, 0, (uint64_t)(i / 4), words);
    out[i] = words[i % 4];
  }
}
