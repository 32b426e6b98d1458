/*
** view.h -- an operand as a sequence of elements in row-major order, whatever its strides.
** Runs of it are copied to (gather) and from (scatter) contiguous memory.
*/
#pragma once
#include "cpu.h"

typedef struct view {
  char *data;
  int32_t size, rank;              /* bytes of an element; rank is at least 1 */
  bool flat, constant;             /* contiguous; one value for all elements */
  int64_t count;
  int64_t sizes[PL_MAX_RANK], strides[PL_MAX_RANK];   /* collapsed; strides in bytes */
} view;

void LEVEL(view_open_strided)(view *v, const pl_operand *o);

static inline void view_open(view *v, const pl_operand *o) {
  v->size = (int32_t)dtype_size(o->dtype);
  v->count = o->count;
  v->data = operand_data(o);
  if (o->dense) {
    v->flat = true;
    v->constant = false;
    v->rank = 1;
    v->sizes[0] = o->count;
    v->strides[0] = v->size;
  } else {
    LEVEL(view_open_strided)(v, o);
  }
}

/* Elements start .. start + n - 1 to or from contiguous memory. */
void LEVEL(view_gather)(const view *v, int64_t start, int64_t n, char *to);
void LEVEL(view_scatter)(const view *v, int64_t start, int64_t n, const char *from);

/* to = from: same dtype and count, element by element in row-major order (copy.c). */
void LEVEL(operand_copy)(const pl_operand *from, const pl_operand *to);
