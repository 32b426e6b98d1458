/*
** copy.c -- copy, flip and cat: same dtype, any strides on both sides. A transposed source is read
** in square tiles, so that both sides touch whole cache lines.
*/
#include "view.h"
#include <string.h>

enum { BLOCK = 4096, CHUNK = 1 << 16, TILE = 32 };   /* bytes, elements, elements */

typedef struct copy_plan { view in, out; } copy_plan;

static void copy_range(const copy_plan *p, int64_t begin, int64_t end) {
  char block[BLOCK] __attribute__((aligned(64)));
  int64_t size = p->in.size, step = BLOCK / size;
  if (p->out.flat) {
    LEVEL(view_gather)(&p->in, begin, end - begin, p->out.data + begin * size);
  } else if (p->in.flat) {
    LEVEL(view_scatter)(&p->out, begin, end - begin, p->in.data + begin * size);
  } else {
    for (int64_t at = begin; at < end; at += step) {
      int64_t n = min_i64(step, end - at);
      LEVEL(view_gather)(&p->in, at, n, block);
      LEVEL(view_scatter)(&p->out, at, n, block);
    }
  }
}

static void copy_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const copy_plan *p = context;
  copy_range(p, index * CHUNK, min_i64((index + 1) * CHUNK, p->out.count));
}

/* A source whose unit stride is along dimension `fast`, not along the last. */
typedef struct transpose_plan {
  const view *in;
  char *out;
  int fast;
  int64_t rows, columns;            /* sizes of `fast` and of the last dimension */
  int64_t out_stride[PL_MAX_RANK];  /* bytes */
  int64_t bands;                    /* of TILE rows, in one matrix */
} transpose_plan;

static inline __attribute__((always_inline)) void
band_copy(const char *in, int64_t in_stride, char *out, int64_t out_stride, int64_t rows,
          int64_t columns, int size) {
  for (int64_t j0 = 0; j0 < columns; j0 += TILE) {
    int64_t j1 = min_i64(j0 + TILE, columns);
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = j0; j < j1; j++)
        memcpy(out + i * out_stride + j * size, in + i * size + j * in_stride, (size_t)size);
  }
}

static void transpose_band(void *context, int64_t index, int worker) {
  (void)worker;
  const transpose_plan *p = context;
  const view *v = p->in;
  int last = v->rank - 1;
  int64_t row = index % p->bands * TILE, matrix = index / p->bands;
  const char *in = v->data + row * v->size;
  char *out = p->out + row * p->out_stride[p->fast];
  for (int d = last - 1; d >= 0; d--) {
    if (d == p->fast) continue;
    int64_t i = matrix % v->sizes[d];
    matrix /= v->sizes[d];
    in += i * v->strides[d];
    out += i * p->out_stride[d];
  }
  int64_t rows = min_i64(TILE, p->rows - row), from = v->strides[last];
  int64_t to = p->out_stride[p->fast];
  switch (v->size) {
    case 1: band_copy(in, from, out, to, rows, p->columns, 1); break;
    case 2: band_copy(in, from, out, to, rows, p->columns, 2); break;
    case 4: band_copy(in, from, out, to, rows, p->columns, 4); break;
    default: band_copy(in, from, out, to, rows, p->columns, 8); break;
  }
}

/* The dimension of a transposed source that is contiguous, -1 where there is none. */
static int fast_dimension(const view *v) {
  if (v->strides[v->rank - 1] == v->size || v->strides[v->rank - 1] == 0) return -1;
  for (int d = 0; d < v->rank - 1; d++)
    if (v->strides[d] == v->size && v->sizes[d] > 1) return d;
  return -1;
}

static void transpose_copy(const copy_plan *c, int fast) {
  const view *in = &c->in;
  transpose_plan p = { .in = in, .out = c->out.data, .fast = fast };
  int64_t stride = in->size;
  for (int d = in->rank - 1; d >= 0; d--) {
    p.out_stride[d] = stride;
    stride *= in->sizes[d];
  }
  p.rows = in->sizes[fast];
  p.columns = in->sizes[in->rank - 1];
  p.bands = (p.rows + TILE - 1) / TILE;
  int64_t matrices = in->count / (p.rows * p.columns);
  parallel_for(matrices * p.bands, in->count, transpose_band, &p);
}

void LEVEL(operand_copy)(const pl_operand *from, const pl_operand *to) {
  if (to->count == 0) return;
  copy_plan p;
  view_open(&p.in, from);
  view_open(&p.out, to);
  int fast = p.out.flat ? fast_dimension(&p.in) : -1;
  if (fast >= 0) transpose_copy(&p, fast);
  else if (to->count <= CHUNK) copy_range(&p, 0, to->count);
  else parallel_for((to->count + CHUNK - 1) / CHUNK, to->count / 4, copy_chunk, &p);
}

KERNEL(copy) {
  if (call->in[0]->dtype != call->out[0]->dtype) return PL_EUNSUPPORTED;
  LEVEL(operand_copy)(call->in[0], call->out[0]);
  return PL_OK;
}

/* Reversed axes are walked backwards from their last element. */
KERNEL(flip) {
  const pl_dims *axes = &((const pl_flip_attrs *)call->attrs)->axes;
  pl_operand x = *call->in[0];
  bool reversed[PL_MAX_RANK];
  for (int i = 0; i < x.rank; i++) reversed[i] = axes->n == 0;
  for (int i = 0; i < axes->n && x.rank > 0; i++)
    reversed[axes->dim[i] < 0 ? axes->dim[i] + x.rank : axes->dim[i]] = true;
  for (int i = 0; i < x.rank; i++) {
    if (!reversed[i]) continue;
    x.offset += (x.sizes[i] - 1) * x.strides[i];
    x.strides[i] = -x.strides[i];
    x.dense = 0;
  }
  LEVEL(operand_copy)(&x, call->out[0]);
  return PL_OK;
}

/* Each tensor into its part of the output. */
KERNEL(cat) {
  const pl_operand *out = call->out[0];
  int axis = ((const pl_cat_attrs *)call->attrs)->axis;
  if (axis < 0) axis += out->rank;
  pl_operand part = *out;
  part.dense = 0;
  for (int i = 0; i < call->n_in; i++) {
    const pl_operand *x = call->in[i];
    part.sizes[axis] = x->sizes[axis];
    part.count = x->count;
    LEVEL(operand_copy)(x, &part);
    part.offset += x->sizes[axis] * out->strides[axis];
  }
  return PL_OK;
}
