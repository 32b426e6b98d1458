/*
** softmax.c -- softmax and log_softmax along one axis of dense operands. An axis that is not the
** last is gathered into scratch memory, a column at a time.
*/
#include "cpu.h"
#include "real.h"
#include "vecmath.h"
#include <string.h>

#define REAL f32
#include "row_real.h"
#include "softmax_real.h"
#undef REAL
#define REAL f64
#include "row_real.h"
#include "softmax_real.h"
#undef REAL

enum { BLOCK = 4096 };   /* elements; whole rows of that many go to one worker */

typedef void (*row_fn)(const void *in, int64_t n, void *out);

typedef struct rows {
  row_fn row;
  const char *in;
  char *out;
  int64_t size, n, inner, count, per_block;   /* bytes, axis, after the axis, rows, rows a block */
  bool failed;
} rows;

static void column_run(rows *r, int64_t index) {
  int64_t at = (index / r->inner * r->n * r->inner + index % r->inner) * r->size;
  int64_t stride = r->inner * r->size;
  char *column = cpu_scratch((size_t)(r->n * r->size));
  if (!column) {
    __atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t i = 0; i < r->n; i++)
    memcpy(column + i * r->size, r->in + at + i * stride, (size_t)r->size);
  r->row(column, r->n, column);
  for (int64_t i = 0; i < r->n; i++)
    memcpy(r->out + at + i * stride, column + i * r->size, (size_t)r->size);
}

static void rows_block(void *context, int64_t index, int worker) {
  (void)worker;
  rows *r = context;
  int64_t end = min_i64((index + 1) * r->per_block, r->count);
  for (int64_t i = index * r->per_block; i < end; i++) {
    int64_t at = i * r->n * r->size;
    if (r->inner == 1) r->row(r->in + at, r->n, r->out + at);
    else column_run(r, i);
  }
}

static pl_status rows_run(const pl_call *call, int32_t axis, row_fn f32, row_fn f64) {
  const pl_operand *x = call->in[0], *out = call->out[0];
  rows r = { .row = x->dtype == PL_F32 ? f32 : x->dtype == PL_F64 ? f64 : NULL,
             .in = operand_data(x), .out = operand_data(out), .size = dtype_size(x->dtype),
             .n = 1, .inner = 1 };
  if (!r.row) return PL_EUNSUPPORTED;
  if (x->count == 0) return PL_OK;
  if (axis < 0) axis += x->rank;
  if (x->rank > 0) r.n = x->sizes[axis];
  for (int i = axis + 1; i < x->rank; i++) r.inner *= x->sizes[i];
  r.count = x->count / r.n;
  r.per_block = max_i64(1, BLOCK / r.n);
  parallel_for((r.count + r.per_block - 1) / r.per_block, x->count, rows_block, &r);
  return r.failed ? PL_EMEMORY : PL_OK;
}

KERNEL(softmax) {
  int32_t axis = ((const pl_softmax_attrs *)call->attrs)->axis;
  return rows_run(call, axis, softmax_row_f32, softmax_row_f64);
}

KERNEL(log_softmax) {
  int32_t axis = ((const pl_log_softmax_attrs *)call->attrs)->axis;
  return rows_run(call, axis, log_softmax_row_f32, log_softmax_row_f64);
}
