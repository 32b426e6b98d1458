/*
** sort.c -- sort: each line along one axis by a stable merge sort. Elements of every dtype become
** 64-bit keys in the same order, so one sort serves all; a NaN counts as larger than any number.
*/
#include "cpu.h"
#include "parallel.h"
#include <string.h>

typedef struct item { uint64_t key; int64_t place; } item;

enum { RUN = 16 };                     /* elements that are put in order by insertion */

#define SIGN UINT64_C(0x8000000000000000)

static uint64_t key_of_real(double value) {
  if (value != value) return UINT64_MAX;
  if (value == 0) return SIGN;         /* -0 and 0 are equal */
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits & SIGN ? ~bits : bits | SIGN;
}

static uint64_t key_of_integer(int64_t value) { return (uint64_t)value ^ SIGN; }

static uint64_t key_f32(const char *x) { return key_of_real(*(const float *)x); }
static uint64_t key_f64(const char *x) { return key_of_real(*(const double *)x); }
static uint64_t key_i32(const char *x) { return key_of_integer(*(const int32_t *)x); }
static uint64_t key_i64(const char *x) { return key_of_integer(*(const int64_t *)x); }
static uint64_t key_u8(const char *x) { return key_of_integer(*(const uint8_t *)x); }

typedef struct sorting {
  uint64_t (*key)(const char *);
  uint64_t flip;                       /* all ones: from the largest */
  int64_t n, stride, base;             /* of the axis; stride in bytes, as all strides here */
  int64_t out_stride;                  /* of the axis in the results, in elements */
  int32_t size;
  const char *x;
  char *values;
  int64_t *positions;
  int rank;                            /* without the axis */
  int64_t sizes[PL_MAX_RANK], strides[PL_MAX_RANK], out_strides[PL_MAX_RANK];
  bool failed;
} sorting;

static void insertion_sort(item *items, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    item moving = items[i];
    int64_t at = i;
    for (; at > 0 && items[at - 1].key > moving.key; at--) items[at] = items[at - 1];
    items[at] = moving;
  }
}

static void merge(const item *a, int64_t n, const item *b, int64_t m, item *to) {
  int64_t i = 0, j = 0;
  while (i < n && j < m) *to++ = b[j].key < a[i].key ? b[j++] : a[i++];
  while (i < n) *to++ = a[i++];
  while (j < m) *to++ = b[j++];
}

/* Sorts n items; spare has room for as many. Returns where the result is. */
static item *merge_sort(item *items, item *spare, int64_t n) {
  for (int64_t at = 0; at < n; at += RUN) insertion_sort(items + at, min_i64(RUN, n - at));
  for (int64_t width = RUN; width < n; width *= 2) {
    for (int64_t at = 0; at < n; at += 2 * width) {
      int64_t left = min_i64(width, n - at), right = min_i64(width, n - at - left);
      merge(items + at, left, items + at + left, right, spare + at);
    }
    item *sorted = spare;
    spare = items;
    items = sorted;
  }
  return items;
}

static void sort_line(void *context, int64_t index, int worker) {
  (void)worker;
  sorting *s = context;
  item *items = cpu_scratch((size_t)s->n * 2 * sizeof *items);
  if (!items) {
    __atomic_store_n(&s->failed, true, __ATOMIC_RELAXED);
    return;
  }
  const char *x = s->x;
  int64_t out = 0, rest = index;
  for (int d = s->rank - 1; d >= 0; d--) {
    x += rest % s->sizes[d] * s->strides[d];
    out += rest % s->sizes[d] * s->out_strides[d];
    rest /= s->sizes[d];
  }
  for (int64_t i = 0; i < s->n; i++) items[i] = (item){ s->key(x + i * s->stride) ^ s->flip, i };
  const item *sorted = merge_sort(items, items + s->n, s->n);
  for (int64_t i = 0; i < s->n; i++) {
    int64_t at = out + i * s->out_stride;
    memcpy(s->values + at * s->size, x + sorted[i].place * s->stride, (size_t)s->size);
    s->positions[at] = sorted[i].place + s->base;
  }
}

/* The lines along the axis: how many places there are beside it, and where they lie. */
static void split_axis(sorting *s, const pl_operand *x, int axis) {
  int64_t step = 1;
  for (int i = x->rank - 1, d = s->rank; i >= 0; i--) {
    if (i == axis) {
      s->n = x->sizes[i];
      s->stride = x->strides[i] * s->size;
      s->out_stride = step;
    } else {
      d--;
      s->sizes[d] = x->sizes[i];
      s->strides[d] = x->strides[i] * s->size;
      s->out_strides[d] = step;
    }
    step *= x->sizes[i];
  }
}

KERNEL(sort) {
  static uint64_t (*const keys[PL_DTYPES])(const char *) = {
    [PL_BOOL] = key_u8, [PL_U8] = key_u8, [PL_I32] = key_i32, [PL_I64] = key_i64,
    [PL_F32] = key_f32, [PL_F64] = key_f64 };
  const pl_sort_attrs *at = call->attrs;
  const pl_operand *x = call->in[0];
  sorting s = { .key = keys[x->dtype], .flip = at->descending ? UINT64_MAX : 0, .n = 1,
                .base = at->base, .size = (int32_t)dtype_size(x->dtype), .x = operand_data(x),
                .rank = x->rank ? x->rank - 1 : 0, .values = operand_data(call->out[0]),
                .positions = (int64_t *)operand_data(call->out[1]) };
  if (!s.key) return PL_EUNSUPPORTED;
  if (x->count == 0) return PL_OK;
  split_axis(&s, x, at->axis < 0 ? at->axis + x->rank : at->axis);
  parallel_for(x->count / s.n, 20 * x->count, sort_line, &s);
  return s.failed ? PL_EMEMORY : PL_OK;
}
