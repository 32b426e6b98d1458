/*
** optim.h -- what multi-tensor steps share: tensors are cut into chunks by their size alone, and
** all chunks of all tensors form one parallel loop. A step is one pass over parameter, gradient
** and state; those in f16 and bf16 pass through f32, a chunk at a time.
*/
#pragma once
#include "convert.h"

enum { CHUNK = 8192 };   /* elements */

static inline int64_t chunks_of(const pl_operand *o) { return (o->count + CHUNK - 1) / CHUNK; }

static inline int64_t chunks_total(const pl_operand *const *list, int32_t n, int64_t *elements) {
  int64_t total = 0;
  *elements = 0;
  for (int32_t i = 0; i < n; i++) {
    total += chunks_of(list[i]);
    *elements += list[i]->count;
  }
  return total;
}

/* The tensor that chunk `index` of all belongs to; its first element and how many. */
static inline int32_t chunk_find(const pl_operand *const *list, int64_t index, int64_t *begin,
                          int64_t *n) {
  int32_t i = 0;
  for (; index >= chunks_of(list[i]); i++) index -= chunks_of(list[i]);
  *begin = index * CHUNK;
  *n = min_i64(CHUNK, list[i]->count - *begin);
  return i;
}

/* All tensors of the list are dense and of floats. */
static inline bool list_plain(const pl_operand *const *list, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (!list[i]->dense || list[i]->dtype < PL_F16) return false;
  return true;
}

/* The chunk as the loops take it, f64 or f32; a half one is converted into room. */
static inline void *chunk_open(const pl_operand *o, int64_t begin, int64_t n, float *room) {
  char *data = operand_data(o) + begin * dtype_size(o->dtype);
  if (!dtype_is_half(o->dtype)) return data;
  LEVEL(convert_loop)(o->dtype, PL_F32)(room, data, n);
  return room;
}

/* An updated chunk back to where it lies. */
static inline void chunk_close(const pl_operand *o, int64_t begin, int64_t n, const float *room) {
  if (!dtype_is_half(o->dtype)) return;
  LEVEL(convert_loop)(PL_F32, o->dtype)(operand_data(o) + begin * 2, room, n);
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
