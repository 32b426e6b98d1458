/*
** optim.h -- what multi-tensor steps share. A pass over lists of tensors is cut into slices, and a
** slice is the same share of every tensor: neighbouring slices go to one worker, so it meets the
** rows of a weight here that it has read and made the gradient of in the products. Cut otherwise,
** those lines travel from core to core, which took three times as long as the step itself.
** Tensors in f16 and bf16 pass through f32, a chunk at a time.
*/
#pragma once
#include "convert.h"
#include "parallel.h"

enum { CHUNK = 8192, WHOLE = 2 * CHUNK, SLICE_UNIT = 16 };   /* elements */
enum { SLICES = 256 };                                       /* at most */

/* What a body computes at a time: at most CHUNK elements of one tensor. */
typedef struct piece {
  int64_t slice, begin, n;
  int32_t tensor;
} piece;

typedef void (*piece_body)(void *context, piece at);

typedef struct sweep {
  const pl_operand *const *list;
  int32_t n;
  int64_t slices;
  piece_body body;
  void *context;
} sweep;

static inline int64_t elements_of(const pl_operand *const *list, int32_t n) {
  int64_t sum = 0;
  for (int32_t i = 0; i < n; i++) sum += list[i]->count;
  return sum;
}

/* A power of two, by size alone. */
static inline int64_t slices_of(int64_t elements) {
  int64_t slices = 1;
  while (slices < SLICES && 2 * slices * CHUNK <= elements) slices *= 2;
  return slices;
}

/* Where the slice's share of tensor i of n begins. A small tensor is not cut. */
static inline int64_t slice_begin(const sweep *s, int32_t i, int64_t slice) {
  const int64_t count = s->list[i]->count;
  if (count < WHOLE) return slice > i * s->slices / s->n ? count : 0;
  return slice == s->slices ? count : count / s->slices * slice / SLICE_UNIT * SLICE_UNIT;
}

static inline void sweep_slice(void *context, int64_t index, int worker) {
  const sweep *s = context;
  (void)worker;
  for (int32_t i = 0; i < s->n; i++) {
    const int64_t end = slice_begin(s, i, index + 1);
    for (int64_t at = slice_begin(s, i, index); at < end; at += CHUNK)
      s->body(s->context, (piece){ index, at, min_i64(CHUNK, end - at), i });
  }
}

/* Calls body for every piece of the list's tensors; `cost` is ns for four elements. Backwards: the
** end of the gradient made last is still in the cache. */
static inline void sweep_run(const pl_operand *const *list, int32_t n, int64_t cost,
                             piece_body body, void *context) {
  const int64_t elements = elements_of(list, n);
  sweep s = { list, n, slices_of(elements), body, context };
  parallel_for_backwards(s.slices, elements * cost / 4, sweep_slice, &s);
}

/* All tensors of the list are dense and of floats. */
static inline bool list_plain(const pl_operand *const *list, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (!list[i]->dense || list[i]->dtype < PL_F16) return false;
  return true;
}

/* The piece as the loops take it, f64 or f32; a half one is converted into room. */
static inline void *piece_open(const pl_operand *o, piece at, float *room) {
  char *data = operand_data(o) + at.begin * dtype_size(o->dtype);
  if (!dtype_is_half(o->dtype)) return data;
  LEVEL(convert_loop)(o->dtype, PL_F32)(room, data, at.n);
  return room;
}

/* An updated piece back to where it lies. */
static inline void piece_close(const pl_operand *o, piece at, const float *room) {
  if (!dtype_is_half(o->dtype)) return;
  LEVEL(convert_loop)(PL_F32, o->dtype)(operand_data(o) + at.begin * 2, room, at.n);
}

/* A list whose tensors are plain and have the dtypes of another's. */
static inline bool list_like(const pl_operand *const *list, const pl_operand *const *other,
                             int32_t n) {
  if (!list_plain(list, n)) return false;
  for (int32_t i = 0; i < n; i++)
    if (list[i]->dtype != other[i]->dtype) return false;
  return true;
}

/* The operands of argument i of a call with lists; NULL for a list that is absent. */
static inline const pl_operand *const *list_at(const pl_call *call, int i) {
  const pl_operand *const *list = call->in;
  for (int k = 0; k < i; k++) list += call->counts[k];
  return call->counts[i] > 0 ? list : NULL;
}

/* Counts of updates, one f64 number a tensor. */
static inline bool list_counts(const pl_operand *const *list, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (list[i]->dtype != PL_F64 || list[i]->count != 1) return false;
  return true;
}

static inline double *count_of(const pl_operand *o) { return (double *)operand_data(o); }
