/*
** index.c -- picking and placing by position. Operands are dense. Every position is checked before
** anything is written; sums run in the order of the index, so they are always the same.
*/
#include "add.h"
#include "target.h"
#include <string.h>

static pl_status index_open(positions *p, const pl_call *call, const pl_operand *index,
                            const char *name, int64_t base, int64_t limit) {
  *p = (positions){ .data = operand_data(index), .dtype = index->dtype, .base = base,
                    .limit = limit };
  return LEVEL(positions_check)(p, call->op->name, name, index->count);
}

static int normal_axis(int32_t axis, int32_t rank) { return axis < 0 ? axis + rank : axis; }

static int64_t product(const int64_t *sizes, int begin, int end) {
  int64_t n = 1;
  for (int i = begin; i < end; i++) n *= sizes[i];
  return n;
}

/* ---- slices: memory seen as outer x positions x bytes ---- */

typedef struct slices {
  positions index;
  const char *from;
  char *to;
  int64_t n, bytes;                    /* of the index; of a slice */
  int64_t from_rows, to_rows;          /* slices of one outer element on each side */
  int64_t dtype_size;
  add_fn add;                          /* NULL: copy slice index[k] to k, else add k to index[k] */
} slices;

enum { SPAN = 1024 };                  /* bytes of a slice that one block adds */

static void select_block(void *context, int64_t i, int worker) {
  (void)worker;
  const slices *s = context;
  int64_t outer = i / s->n, k = i % s->n;
  memcpy(s->to + i * s->bytes,
         s->from + (outer * s->from_rows + position_get(&s->index, k)) * s->bytes,
         (size_t)s->bytes);
}

static void add_block(void *context, int64_t i, int worker) {
  (void)worker;
  const slices *s = context;
  int64_t spans = (s->bytes + SPAN - 1) / SPAN, outer = i / spans, at = i % spans * SPAN;
  int64_t count = min_i64(SPAN, s->bytes - at) / s->dtype_size;
  for (int64_t k = 0; k < s->n; k++)
    s->add(s->to + (outer * s->to_rows + position_get(&s->index, k)) * s->bytes + at,
           s->from + (outer * s->from_rows + k) * s->bytes + at, count);
}

static pl_status select_run(const pl_call *call, int axis, int64_t base) {
  const pl_operand *x = call->in[0], *index = call->in[1], *out = call->out[0];
  slices s = { .from = operand_data(x), .to = operand_data(out), .n = index->count,
               .from_rows = x->sizes[axis] };
  pl_status status = index_open(&s.index, call, index, "index", base, x->sizes[axis]);
  if (status != PL_OK || out->count == 0) return status;
  s.bytes = product(x->sizes, axis + 1, x->rank) * dtype_size(x->dtype);
  parallel_for(product(x->sizes, 0, axis) * s.n, out->count, select_block, &s);
  return PL_OK;
}

KERNEL(index_select) {
  const pl_index_select_attrs *a = call->attrs;
  return select_run(call, normal_axis(a->axis, call->in[0]->rank), a->base);
}

KERNEL(embedding) {
  return select_run(call, 0, ((const pl_embedding_attrs *)call->attrs)->base);
}

KERNEL(index_add) {
  const pl_index_add_attrs *a = call->attrs;
  const pl_operand *x = call->in[0], *source = call->in[1], *index = call->in[2];
  int axis = normal_axis(a->axis, x->rank);
  slices s = { .from = operand_data(source), .to = operand_data(call->out[0]), .n = index->count,
               .from_rows = index->count, .to_rows = x->sizes[axis],
               .dtype_size = dtype_size(x->dtype), .add = add_of(x->dtype) };
  if (!s.add) return PL_EUNSUPPORTED;
  pl_status status = index_open(&s.index, call, index, "index", a->base, x->sizes[axis]);
  if (status != PL_OK || x->count == 0) return status;
  memcpy(s.to, operand_data(x), (size_t)(x->count * s.dtype_size));
  s.bytes = product(x->sizes, axis + 1, x->rank) * s.dtype_size;
  int64_t spans = (s.bytes + SPAN - 1) / SPAN;
  parallel_for(product(x->sizes, 0, axis) * spans, source->count, add_block, &s);
  return PL_OK;
}

/* ---- single elements: the index has x's dimensions, none larger but the axis ---- */

typedef struct elements {
  positions index;
  int rank, axis;
  int64_t sizes[PL_MAX_RANK];          /* of the index */
  int64_t strides[PL_MAX_RANK];        /* of x, in elements */
  int64_t count;
} elements;

static pl_status elements_open(elements *e, const pl_call *call, const pl_operand *index,
                               int32_t axis, int64_t base) {
  const pl_operand *x = call->in[0];
  e->rank = x->rank;
  e->axis = normal_axis(axis, x->rank);
  e->count = index->count;
  for (int i = 0; i < x->rank; i++) {
    e->sizes[i] = index->sizes[i];
    e->strides[i] = x->strides[i];
  }
  int64_t limit = x->rank > 0 ? x->sizes[e->axis] : 1;
  return index_open(&e->index, call, index, "index", base, limit);
}

/* Where in x element i of the index points. */
static int64_t element_at(const elements *e, int64_t i) {
  int64_t at = 0, rest = i;
  for (int d = e->rank - 1; d >= 0; d--) {
    int64_t k = rest % e->sizes[d];
    rest /= e->sizes[d];
    at += (d == e->axis ? position_get(&e->index, i) : k) * e->strides[d];
  }
  return at;
}

KERNEL(gather) {
  const pl_gather_attrs *a = call->attrs;
  elements e;
  pl_status status = elements_open(&e, call, call->in[1], a->axis, a->base);
  if (status != PL_OK) return status;
  size_t size = (size_t)dtype_size(call->in[0]->dtype);
  const char *x = operand_data(call->in[0]);
  char *out = operand_data(call->out[0]);
  for (int64_t i = 0; i < e.count; i++)
    memcpy(out + (size_t)i * size, x + (size_t)element_at(&e, i) * size, size);
  return PL_OK;
}

KERNEL(scatter_add) {
  const pl_scatter_add_attrs *a = call->attrs;
  const pl_operand *x = call->in[0];
  add_fn add = add_of(x->dtype);
  if (!add) return PL_EUNSUPPORTED;
  elements e;
  pl_status status = elements_open(&e, call, call->in[2], a->axis, a->base);
  if (status != PL_OK) return status;
  size_t size = (size_t)dtype_size(x->dtype);
  const char *source = operand_data(call->in[1]);
  char *out = operand_data(call->out[0]);
  memcpy(out, operand_data(x), (size_t)x->count * size);
  for (int64_t i = 0; i < e.count; i++)
    add(out + (size_t)element_at(&e, i) * size, source + (size_t)i * size, 1);
  return PL_OK;
}

KERNEL(one_hot) {
  const pl_one_hot_attrs *a = call->attrs;
  positions p;
  pl_status status = index_open(&p, call, call->in[0], "index", a->base, a->classes);
  if (status != PL_OK) return status;
  int64_t *out = (int64_t *)operand_data(call->out[0]);
  memset(out, 0, (size_t)call->out[0]->count * sizeof *out);
  for (int64_t i = 0; i < call->in[0]->count; i++) out[i * a->classes + position_get(&p, i)] = 1;
  return PL_OK;
}
