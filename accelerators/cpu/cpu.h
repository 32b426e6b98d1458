/*
** cpu.h -- what every kernel of the CPU device includes. KERNEL(add) defines kernel_add_<level>,
** which runs with denormals flushed to zero and gives the caller's floating-point mode back. What a
** kernel does not take in f16 and bf16 it computes in f32, on operands that half.c converts.
*/
#pragma once
#include "base.h"
#include "level.h"
#include "parallel.h"
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#define KERNEL(name) \
  static pl_status run_##name(const pl_call *call); \
  pl_status LEVEL(kernel_##name)(void *state, const pl_call *call) { \
    (void)state; \
    unsigned mode = denormals_flush(); \
    pl_status status = run_##name(call); \
    if (status == PL_EUNSUPPORTED) status = LEVEL(half_call)(call, run_##name); \
    denormals_restore(mode); \
    return status; \
  } \
  static pl_status run_##name(const pl_call *call)

#include "accelerator.h"
#include "op.h"

enum { FLUSH_MODE = 0x8040 };   /* MXCSR: flush to zero, denormals are zero */

struct pl_buffer {
  void *data;
  size_t size;
};

extern const pl_host *cpu_host;   /* set by open, before any kernel runs */
#define FAIL(...) (cpu_host->fail(__VA_ARGS__))

/* 64-aligned memory of this thread until its next call, NULL if there is none. It grows once
** and stays, so a step in steady state allocates nothing. */
void *cpu_scratch(size_t bytes);

/* The same, a second piece: what half.c converts while a kernel uses cpu_scratch. */
void *cpu_stage(size_t bytes);

/* run on f32 copies of the call's half operands; PL_EUNSUPPORTED if it has none or run refuses. */
pl_status LEVEL(half_call)(const pl_call *call, pl_status (*run)(const pl_call *));

/* Bytes of an element. */
static inline int64_t dtype_size(int32_t dtype) {
  static const int8_t size[PL_DTYPES] = { 1, 1, 4, 8, 2, 2, 4, 8 };
  return size[dtype];
}

static inline bool dtype_is_half(int32_t dtype) { return dtype == PL_F16 || dtype == PL_BF16; }

/* The operand's first element. */
static inline char *operand_data(const pl_operand *o) {
  return (char *)o->buffer->data + o->offset * dtype_size(o->dtype);
}

static inline int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

static inline unsigned denormals_flush(void) {
#ifdef __SSE2__
  unsigned mode = _mm_getcsr();
  if ((mode & FLUSH_MODE) != FLUSH_MODE) _mm_setcsr(mode | FLUSH_MODE);
  return mode;
#else
  return FLUSH_MODE;
#endif
}

static inline void denormals_restore(unsigned mode) {
#ifdef __SSE2__
  if ((mode & FLUSH_MODE) != FLUSH_MODE) _mm_setcsr(mode);
#else
  (void)mode;
#endif
}
