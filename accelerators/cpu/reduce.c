/*
** reduce.c -- sum, mean, prod, max, min, any, all over any axes of any strides. The dimension with
** the smallest stride is folded as rows if it is reduced, as columns if it is kept. Work is shared
** out by outputs, or by chunks of one large row: both cut by shape alone. Half types pass through
** blocks of f32 and are folded as such.
*/
#include "convert.h"
#include "fold.h"
#include <string.h>

enum {
  ROW_CHUNK = 1 << 16, ROW_CHUNKS = 256,   /* elements; partial results of one row */
  COLUMNS = 256, ROWS = 64, STAGE = 512,   /* columns at a time, rows at a time; elements */
};

/* x_stride in bytes, out_stride in elements. */
typedef struct dimension { int64_t size, x_stride, out_stride; } dimension;

typedef struct reduction {
  const fold *fold;
  convert_fn widen, narrow;        /* of half elements and half results, else NULL */
  const char *x;
  char *out;
  int64_t x_size, out_size;        /* bytes of an element, of a result */
  double count;                    /* elements that make one result */
  dimension inner;                 /* the fastest of x */
  bool columns;                    /* inner is kept */
  int32_t n_kept, n_reduced;       /* without inner */
  dimension kept[PL_MAX_RANK], reduced[PL_MAX_RANK];
} reduction;

/* Elements with a stride, or too few for a vector, made contiguous and padded to whole vectors. */
static void stage_row(const reduction *r, const char *x, int64_t stride, int64_t n, char *stage) {
  const fold *f = r->fold;
  char raw[2 * STAGE], *to = r->widen ? raw : stage;
  if (stride != r->x_size || !r->widen) {
    for (int64_t i = 0; i < n; i++)
      memcpy(to + i * r->x_size, x + i * stride, (size_t)r->x_size);
    x = raw;
  }
  if (r->widen) r->widen(stage, x, n);
  f->pad(stage + n * f->x_size, -n & (f->lanes - 1));
}

/* As many elements as the fold can read where they lie. */
static int64_t whole_vectors(const reduction *r, int64_t stride, int64_t n) {
  return stride == r->x_size && !r->widen ? n & -(int64_t)r->fold->lanes : 0;
}

/* n accumulators become results, out_stride elements apart. */
static void put_results(const reduction *r, const void *acc, int64_t n, char *out,
                        int64_t out_stride) {
  float wide[COLUMNS];
  uint16_t half[COLUMNS];
  if (!r->narrow) {
    r->fold->finish(acc, n, r->count, out, out_stride);
    return;
  }
  r->fold->finish(acc, n, r->count, wide, 1);
  r->narrow(half, wide, n);
  for (int64_t i = 0; i < n; i++) ((uint16_t *)out)[i * out_stride] = half[i];
}

/* n in whole vectors. */
static int64_t rounded(const fold *f, int64_t n) {
  return (n + f->lanes - 1) & -(int64_t)f->lanes;
}

/* n elements into the accumulators of a row. */
static void take_row(const reduction *r, const char *x, int64_t stride, int64_t n, char *acc) {
  const fold *f = r->fold;
  char stage[STAGE * 8] __attribute__((aligned(64)));
  int64_t whole = whole_vectors(r, stride, n);
  if (whole) f->row(x, whole, acc);
  for (int64_t i = whole; i < n; i += STAGE) {
    int64_t part = min_i64(STAGE, n - i);
    stage_row(r, x + i * stride, stride, part, stage);
    f->row(stage, rounded(f, part), acc);
  }
}

/* `rows` rows of n columns into n accumulators (there is room for whole vectors). */
static void take_columns(const reduction *r, const char *x, int64_t row_stride, int64_t rows,
                         int64_t stride, int64_t n, char *acc) {
  const fold *f = r->fold;
  char stage[COLUMNS * 8 + 64] __attribute__((aligned(64)));
  int64_t whole = whole_vectors(r, stride, n);
  if (whole) f->columns(x, row_stride, rows, whole, acc);
  if (whole == n) return;
  for (int64_t i = 0; i < rows; i++) {
    stage_row(r, x + i * row_stride + whole * stride, stride, n - whole, stage);
    f->columns(stage, 0, 1, rounded(f, n - whole), acc + whole * f->acc_size);
  }
}

/* Bytes from the first element to that of reduced index `index`; dimensions below `n`. */
static int64_t reduced_offset(const reduction *r, int n, int64_t index) {
  int64_t offset = 0;
  for (int d = n - 1; d >= 0; d--) {
    offset += index % r->reduced[d].size * r->reduced[d].x_stride;
    index /= r->reduced[d].size;
  }
  return offset;
}

static int64_t reduced_count(const reduction *r, int n) {
  int64_t count = 1;
  for (int d = 0; d < n; d++) count *= r->reduced[d].size;
  return count;
}

static void fold_rows(const reduction *r, const char *x, char *acc) {
  int64_t rows = reduced_count(r, r->n_reduced);
  for (int64_t i = 0; i < rows; i++)
    take_row(r, x + reduced_offset(r, r->n_reduced, i), r->inner.x_stride, r->inner.size,
             acc);
}

static void fold_columns(const reduction *r, const char *x, int64_t n, char *acc) {
  int last = r->n_reduced - 1;
  dimension row = last >= 0 ? r->reduced[last] : (dimension){ 1, 0, 0 };
  int64_t outer = reduced_count(r, max_i64(last, 0));
  for (int64_t i = 0; i < outer; i++) {
    const char *at = x + reduced_offset(r, (int)max_i64(last, 0), i);
    for (int64_t k = 0; k < row.size; k += ROWS)
      take_columns(r, at + k * row.x_stride, row.x_stride, min_i64(ROWS, row.size - k),
                   r->inner.x_stride, n, acc);
  }
}

/* One result (rows), or a block of at most COLUMNS results (columns). */
static void reduce_block(void *context, int64_t index, int worker) {
  (void)worker;
  const reduction *r = context;
  const fold *f = r->fold;
  char acc[COLUMNS * 8 + FOLD_BYTES] __attribute__((aligned(64)));
  int64_t blocks = r->columns ? (r->inner.size + COLUMNS - 1) / COLUMNS : 1;
  int64_t column = index % blocks * COLUMNS, rest = index / blocks, to = 0;
  const char *x = r->x;
  for (int d = r->n_kept - 1; d >= 0; d--) {
    int64_t i = rest % r->kept[d].size;
    rest /= r->kept[d].size;
    x += i * r->kept[d].x_stride;
    to += i * r->kept[d].out_stride;
  }
  if (!r->columns) {
    f->start(acc, FOLD_BYTES / f->acc_size);
    fold_rows(r, x, acc);
    f->merge(acc);
    put_results(r, acc, 1, r->out + to * r->out_size, 1);
    return;
  }
  int64_t n = min_i64(COLUMNS, r->inner.size - column);
  f->start(acc, rounded(f, n));
  fold_columns(r, x + column * r->inner.x_stride, n, acc);
  put_results(r, acc, n, r->out + (to + column * r->inner.out_stride) * r->out_size,
              r->inner.out_stride);
}

/* ---- one long row ---- */

typedef struct long_row {
  const reduction *r;
  int64_t chunk;                                             /* elements */
  int64_t parts[ROW_CHUNKS];                                 /* 8 bytes for an accumulator */
} long_row;

static void long_row_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  long_row *l = context;
  const reduction *r = l->r;
  const fold *f = r->fold;
  char acc[FOLD_BYTES] __attribute__((aligned(64)));
  int64_t begin = index * l->chunk, n = min_i64(l->chunk, r->inner.size - begin);
  f->start(acc, FOLD_BYTES / f->acc_size);
  take_row(r, r->x + begin * r->inner.x_stride, r->inner.x_stride, n, acc);
  f->merge(acc);
  memcpy(&l->parts[index], acc, (size_t)f->acc_size);
}

static void long_row_reduce(const reduction *r) {
  long_row l;
  l.r = r;
  l.chunk = max_i64(ROW_CHUNK, (r->inner.size + ROW_CHUNKS - 1) / ROW_CHUNKS);
  int64_t chunks = (r->inner.size + l.chunk - 1) / l.chunk;
  parallel_for(chunks, r->inner.size / 8, long_row_chunk, &l);
  for (int64_t i = 1; i < chunks; i++) r->fold->join(&l.parts[0], &l.parts[i]);
  put_results(r, &l.parts[0], 1, r->out, 1);
}

/* ---- shapes ---- */

static void mark_axes(const pl_dims *axes, int rank, bool *reduced) {
  for (int i = 0; i < rank; i++) reduced[i] = axes->n == 0;
  for (int i = 0; i < axes->n; i++) {
    int axis = axes->dim[i] < 0 ? axes->dim[i] + rank : axes->dim[i];
    if (axis >= 0 && axis < rank) reduced[axis] = true;
  }
}

/* Appends a dimension to the list, or widens its last one where both walk on. */
static void push(dimension *list, int32_t *n, dimension d) {
  dimension *last = &list[*n - 1];
  if (*n > 0 && last->x_stride == d.x_stride * d.size
      && last->out_stride == d.out_stride * d.size) {
    d.size *= last->size;
    *last = d;
  } else {
    list[(*n)++] = d;
  }
}

/* Takes the dimension of smallest stride out of its list. */
static dimension pop_fastest(reduction *r, bool *kept) {
  dimension *best = NULL;
  *kept = false;
  for (int i = 0; i < r->n_reduced; i++)
    if (!best || r->reduced[i].x_stride <= best->x_stride) best = &r->reduced[i];
  for (int i = 0; i < r->n_kept; i++)
    if (!best || (r->kept[i].x_stride > 0 && r->kept[i].x_stride < best->x_stride)) {
      best = &r->kept[i];
      *kept = true;
    }
  if (!best) return (dimension){ 1, r->x_size, 0 };
  dimension fastest = *best;
  dimension *end = *kept ? r->kept + --r->n_kept : r->reduced + --r->n_reduced;
  memmove(best, best + 1, (size_t)((char *)end - (char *)best));
  return fastest;
}

static void shape_reduction(reduction *r, const pl_operand *x, const bool *reduced) {
  int64_t out_stride = 1, strides[PL_MAX_RANK];
  for (int i = x->rank - 1; i >= 0; i--) {
    strides[i] = reduced[i] ? 0 : out_stride;
    if (!reduced[i]) out_stride *= x->sizes[i];
  }
  r->n_kept = r->n_reduced = 0;
  r->count = 1;
  for (int i = 0; i < x->rank; i++) {
    dimension d = { x->sizes[i], x->strides[i] * r->x_size, strides[i] };
    if (reduced[i]) r->count *= (double)d.size;
    if (d.size == 1) continue;
    if (reduced[i]) push(r->reduced, &r->n_reduced, d);
    else push(r->kept, &r->n_kept, d);
  }
  r->inner = pop_fastest(r, &r->columns);
}

static pl_status reduce(const pl_call *call, int which, const pl_dims *axes) {
  const pl_operand *x = call->in[0], *out = call->out[0];
  bool reduced[PL_MAX_RANK];
  reduction r;
  bool half = dtype_is_half(x->dtype);
  r.fold = LEVEL(folds)[which][half ? PL_F32 : x->dtype];
  if (!r.fold) return PL_EUNSUPPORTED;
  r.widen = half ? LEVEL(convert_loop)(x->dtype, PL_F32) : NULL;
  r.narrow = dtype_is_half(out->dtype) ? LEVEL(convert_loop)(PL_F32, out->dtype) : NULL;
  r.x_size = dtype_size(x->dtype);
  if (out->count == 0) return PL_OK;
  r.x = operand_data(x);
  r.out = operand_data(out);
  r.out_size = dtype_size(out->dtype);
  mark_axes(axes, x->rank, reduced);
  shape_reduction(&r, x, reduced);
  int64_t blocks = r.columns ? (r.inner.size + COLUMNS - 1) / COLUMNS : 1;
  for (int i = 0; i < r.n_kept; i++) blocks *= r.kept[i].size;
  if (blocks == 1 && !r.columns && r.n_reduced == 0 && r.inner.size > ROW_CHUNK)
    long_row_reduce(&r);
  else parallel_for(blocks, x->count / 4, reduce_block, &r);
  return PL_OK;
}

#define REDUCE(name, which) \
  KERNEL(name) { return reduce(call, which, &((const pl_##name##_attrs *)call->attrs)->axes); }
REDUCE( sum, FOLD_SUM )
REDUCE( mean, FOLD_MEAN )
REDUCE( prod, FOLD_PROD )
REDUCE( max, FOLD_MAX )
REDUCE( min, FOLD_MIN )
REDUCE( any, FOLD_ANY )
REDUCE( all, FOLD_ALL )
