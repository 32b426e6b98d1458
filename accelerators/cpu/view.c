/* view.c -- strided operands to and from contiguous memory, one innermost run at a time. */
#include "view.h"
#include <string.h>

void LEVEL(view_open_strided)(view *v, const pl_operand *o) {
  int rank = 0;
  for (int i = 0; i < o->rank; i++) {
    int64_t size = o->sizes[i], stride = o->strides[i] * v->size;
    if (size == 1) continue;
    if (rank > 0 && v->strides[rank - 1] == stride * size) {
      v->sizes[rank - 1] *= size;
      v->strides[rank - 1] = stride;
    } else {
      v->sizes[rank] = size;
      v->strides[rank++] = stride;
    }
  }
  if (rank == 0) {
    v->sizes[0] = 1;
    v->strides[0] = v->size;
    rank = 1;
  }
  v->rank = rank;
  v->flat = rank == 1 && v->strides[0] == v->size;
  v->constant = rank == 1 && v->strides[0] == 0;
}

/* n elements of a constant size between a strided run and contiguous memory. */
static inline __attribute__((always_inline)) void
run_copy(char *strided, int64_t stride, char *flat, int64_t n, int size, bool gather) {
  if (stride == size) {
    if (gather) memcpy(flat, strided, (size_t)(n * size));
    else memcpy(strided, flat, (size_t)(n * size));
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    if (gather) memcpy(flat + i * size, strided + i * stride, (size_t)size);
    else memcpy(strided + i * stride, flat + i * size, (size_t)size);
  }
}

/* Walks the runs of elements start .. start + n - 1. */
static inline __attribute__((always_inline)) void
transfer(const view *v, int64_t start, int64_t n, char *flat, int size, bool gather) {
  int64_t index[PL_MAX_RANK];
  char *at = v->data;
  for (int d = v->rank - 1; d >= 0; d--) {
    int64_t rest = d > 0 ? start / v->sizes[d] : 0;
    index[d] = start - rest * v->sizes[d];
    at += index[d] * v->strides[d];
    start = rest;
  }
  int last = v->rank - 1;
  for (;;) {
    int64_t run = min_i64(n, v->sizes[last] - index[last]);
    run_copy(at, v->strides[last], flat, run, size, gather);
    if ((n -= run) == 0) return;
    flat += run * size;
    at -= index[last] * v->strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; d--) {
      at += v->strides[d];
      if (++index[d] < v->sizes[d]) break;
      at -= v->sizes[d] * v->strides[d];
      index[d] = 0;
    }
  }
}

void LEVEL(view_gather)(const view *v, int64_t start, int64_t n, char *to) {
  if (n <= 0) return;
  switch (v->size) {
    case 1: transfer(v, start, n, to, 1, true); break;
    case 2: transfer(v, start, n, to, 2, true); break;
    case 4: transfer(v, start, n, to, 4, true); break;
    default: transfer(v, start, n, to, 8, true); break;
  }
}

void LEVEL(view_scatter)(const view *v, int64_t start, int64_t n, const char *from) {
  if (n <= 0) return;
  switch (v->size) {
    case 1: transfer(v, start, n, (char *)from, 1, false); break;
    case 2: transfer(v, start, n, (char *)from, 2, false); break;
    case 4: transfer(v, start, n, (char *)from, 4, false); break;
    default: transfer(v, start, n, (char *)from, 8, false); break;
  }
}
