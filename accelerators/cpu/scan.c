/* scan.c -- cumsum, argmax and argmin: along one axis, in order. */
#include "convert.h"
#include "view.h"
#include <string.h>

enum { COLUMNS = 64 };   /* positions behind the axis that are walked together */

/* Running sums of n rows of `inner` elements; f32 adds up in f64. */
#define CUMSUM(name, type, sum) \
  static void cumsum_##name(const void *in, void *out, int64_t n, int64_t inner, \
                            int64_t columns) { \
    sum total[COLUMNS] = { 0 }; \
    for (int64_t i = 0; i < n; i++) \
      for (int64_t j = 0; j < columns; j++) \
        ((type *)out)[i * inner + j] = (type)(total[j] += ((const type *)in)[i * inner + j]); \
  }
CUMSUM( f32, float, double )
CUMSUM( f64, double, double )
CUMSUM( i64, int64_t, int64_t )

KERNEL(cumsum) {
  const pl_operand *x = call->in[0], *out = call->out[0];
  void (*run)(const void *, void *, int64_t, int64_t, int64_t) =
    out->dtype == PL_F32 ? cumsum_f32 : out->dtype == PL_F64 ? cumsum_f64
                         : out->dtype == PL_I64 ? cumsum_i64 : NULL;
  if (!run) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  int32_t axis = ((const pl_cumsum_attrs *)call->attrs)->axis;
  if (axis < 0) axis += x->rank;
  int64_t n = x->rank > 0 ? x->sizes[axis] : 1, inner = 1, size = dtype_size(out->dtype);
  for (int i = axis + 1; i < x->rank; i++) inner *= x->sizes[i];
  const char *from = operand_data(x);
  char *to = operand_data(out);
  if (x->dtype != out->dtype) {
    LEVEL(convert_loop)(x->dtype, out->dtype)(to, from, x->count);
    from = to;
  }
  for (int64_t at = 0; at < x->count; at += n * inner)
    for (int64_t j = 0; j < inner; j += COLUMNS)
      run(from + (at + j) * size, to + (at + j) * size, n, inner, min_i64(COLUMNS, inner - j));
  return PL_OK;
}

/* The first largest (or smallest) of n elements; a NaN counts as more extreme than any number. */
#define ARG(name, type) \
  static int64_t arg_##name(const char *x, int64_t stride, int64_t n, bool smallest) { \
    int64_t best = 0; \
    type top = *(const type *)x; \
    for (int64_t i = 1; i < n && top == top; i++) { \
      type value = *(const type *)(x + i * stride); \
      if (value != value || (smallest ? value < top : value > top)) { \
        top = value; \
        best = i; \
      } \
    } \
    return best; \
  }
ARG( f32, float )
ARG( f64, double )
ARG( i32, int32_t )
ARG( i64, int64_t )
ARG( u8, uint8_t )

typedef struct search {
  int64_t (*arg)(const char *, int64_t, int64_t, bool);
  bool smallest;
  int64_t n, stride, base;             /* of the axis; stride in bytes */
  const char *x;
  int64_t *out;
  int rank;                            /* without the axis */
  int64_t sizes[PL_MAX_RANK], strides[PL_MAX_RANK];
} search;

static void search_one(void *context, int64_t index, int worker) {
  (void)worker;
  const search *s = context;
  const char *x = s->x;
  int64_t rest = index;
  for (int d = s->rank - 1; d >= 0; d--) {
    x += rest % s->sizes[d] * s->strides[d];
    rest /= s->sizes[d];
  }
  s->out[index] = s->arg(x, s->stride, s->n, s->smallest) + s->base;
}

static pl_status arg_run(const pl_call *call, int32_t axis, int64_t base, bool smallest) {
  static int64_t (*const table[PL_DTYPES])(const char *, int64_t, int64_t, bool) = {
    [PL_BOOL] = arg_u8, [PL_U8] = arg_u8, [PL_I32] = arg_i32, [PL_I64] = arg_i64,
    [PL_F32] = arg_f32, [PL_F64] = arg_f64 };
  const pl_operand *x = call->in[0];
  search s = { .arg = table[x->dtype], .smallest = smallest, .base = base, .x = operand_data(x),
               .n = 1, .out = (int64_t *)operand_data(call->out[0]) };
  if (!s.arg) return PL_EUNSUPPORTED;
  if (axis < 0) axis += x->rank;
  for (int i = 0; i < x->rank; i++) {
    int64_t stride = x->strides[i] * dtype_size(x->dtype);
    if (i == axis) {
      s.n = x->sizes[i];
      s.stride = stride;
    } else {
      s.sizes[s.rank] = x->sizes[i];
      s.strides[s.rank++] = stride;
    }
  }
  parallel_for(call->out[0]->count, x->count, search_one, &s);
  return PL_OK;
}

KERNEL(argmax) {
  const pl_argmax_attrs *a = call->attrs;
  return arg_run(call, a->axis, a->base, false);
}

KERNEL(argmin) {
  const pl_argmin_attrs *a = call->attrs;
  return arg_run(call, a->axis, a->base, true);
}
