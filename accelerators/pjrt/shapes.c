/*
** shapes.c -- operands as values of a program. A cell is a flat array; an operand shows a part of
** it in its own shape. Offsets are arguments of the program, strides are part of its text.
*/
#include "pjrt.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[PL_DTYPES] = { "i1", "ui8", "i32", "i64", "f16", "bf16", "f32",
                                                   "f64" };

static const size_t dtype_bytes[PL_DTYPES] = { 1, 1, 4, 8, 2, 2, 4, 8 };

const char *type_text(char *out, int32_t dtype, int rank, const int64_t *sizes) {
  size_t at = (size_t)snprintf(out, TYPE_TEXT, "tensor<");
  for (int d = 0; d < rank; d++)
    at += (size_t)snprintf(out + at, TYPE_TEXT - at, "%lldx", (long long)sizes[d]);
  snprintf(out + at, TYPE_TEXT - at, "%s>", type_names[dtype]);
  return out;
}

const char *type_of(char *out, const pl_operand *o) {
  return type_text(out, o->dtype, o->rank, o->sizes);
}

int constant_like(pjrt *d, const pl_operand *o, const char *text) {
  char type[TYPE_TEXT];
  return emit(d, "stablehlo.constant dense<%s> : %s", text, type_of(type, o));
}

int constant_number(pjrt *d, const pl_operand *o, double value) {
  char text[40];
  if (o->dtype < PL_F16) snprintf(text, sizeof text, "%lld", (long long)value);
  else if (isinf(value)) snprintf(text, sizeof text, "0x%s", value > 0 ? "7F800000" : "FF800000");
  else snprintf(text, sizeof text, "%.17e", value);
  return constant_like(d, o, text);
}

/* ---- reading ---- */

static int reshaped(pjrt *d, int value, int32_t dtype, int from_rank, const int64_t *from,
                    int to_rank, const int64_t *to) {
  char a[TYPE_TEXT], b[TYPE_TEXT];
  return emit(d, "stablehlo.reshape %%%d : (%s) -> %s", value,
              type_text(a, dtype, from_rank, from), type_text(b, dtype, to_rank, to));
}

/* All of the cell, flat; *count numbers. */
static int flat_of(pjrt *d, const pl_operand *o, int64_t *count) {
  pl_buffer *cell = o->buffer;
  char type[TYPE_TEXT];
  bool fits = cell->holds == CELL_PENDING && cell->dtype == o->dtype;
  pl_status status = fits ? PL_OK : cell_to_array(d, cell, o->dtype);
  if (status) list_fail(d, status);
  *count = cell->count;
  if (fits) return cell->value;
  type_text(type, o->dtype, 1, count);
  return emit(d, "stablehlo.reshape %%arg%d : (%s) -> %s", list_argument(d, cell), type, type);
}

/* n numbers from `offset` on. */
static int part_of(pjrt *d, int flat, int32_t dtype, int64_t count, int64_t offset, int64_t n) {
  char a[TYPE_TEXT], b[TYPE_TEXT];
  if (offset == 0 && n == count) return flat;
  if (offset == 0)
    return emit(d, "stablehlo.slice %%%d [0:%lld] : (%s) -> %s", flat, (long long)n,
                type_text(a, dtype, 1, &count), type_text(b, dtype, 1, &n));
  int at = emit_number(d, offset);
  return emit(d, "stablehlo.dynamic_slice %%%d, %%%d, sizes = [%lld] : (%s, tensor<i64>) -> %s",
              flat, at, (long long)n, type_text(a, dtype, 1, &count), type_text(b, dtype, 1, &n));
}

/* The dimensions that move, outermost first, if they lie densely in some order: -1 if not. */
static int dense_order(const pl_operand *o, int order[PL_MAX_RANK]) {
  int n = 0;
  for (int i = 0; i < o->rank; i++)
    if (o->strides[i] != 0 && o->sizes[i] > 1) order[n++] = i;
  for (int i = 1; i < n; i++)
    for (int k = i; k > 0 && o->strides[order[k]] > o->strides[order[k - 1]]; k--) {
      int swap = order[k];
      order[k] = order[k - 1];
      order[k - 1] = swap;
    }
  int64_t stride = 1;
  for (int i = n - 1; i >= 0; i--) {
    if (o->strides[order[i]] != stride) return -1;
    stride *= o->sizes[order[i]];
  }
  return n;
}

/* Dense in another order, or repeated: a transpose and a broadcast. */
static int reordered(pjrt *d, const pl_operand *o, int flat, int64_t count, const int *order,
                     int n) {
  char a[TYPE_TEXT], b[TYPE_TEXT], dims[64] = "", place[64] = "";
  int64_t sizes[PL_MAX_RANK], moved[PL_MAX_RANK], all = 1;
  int k = 0;
  for (int i = 0; i < n; i++) all *= sizes[i] = o->sizes[order[i]];
  int value = part_of(d, flat, o->dtype, count, o->offset, all);
  value = reshaped(d, value, o->dtype, 1, &all, n, sizes);
  for (int dim = 0; dim < o->rank; dim++)
    for (int i = 0; i < n; i++)
      if (order[i] == dim) {
        sprintf(dims + strlen(dims), "%s%d", k ? ", " : "", i);
        sprintf(place + strlen(place), "%s%d", k ? ", " : "", dim);
        moved[k++] = o->sizes[dim];
      }
  value = emit(d, "stablehlo.transpose %%%d, dims = [%s] : (%s) -> %s", value, dims,
               type_text(a, o->dtype, n, sizes), type_text(b, o->dtype, n, moved));
  return emit(d, "stablehlo.broadcast_in_dim %%%d, dims = [%s] : (%s) -> %s", value, place,
              type_text(a, o->dtype, n, moved), type_of(b, o));
}

/* Where each of o's elements lies in its cell, as count x 1 numbers. */
static int places_of(pjrt *d, const pl_operand *o) {
  char type[TYPE_TEXT];
  int64_t list[2] = { o->count, 1 };
  type_text(type, PL_I64, o->rank, o->sizes);
  int at = emit_number(d, o->offset);
  int place = emit(d, "stablehlo.broadcast_in_dim %%%d, dims = [] : (tensor<i64>) -> %s", at, type);
  for (int i = 0; i < o->rank; i++) {
    int step = emit(d, "stablehlo.constant dense<%lld> : %s", (long long)o->strides[i], type);
    int count = emit(d, "stablehlo.iota dim = %d : %s", i, type);
    int product = emit(d, "stablehlo.multiply %%%d, %%%d : %s", count, step, type);
    place = emit(d, "stablehlo.add %%%d, %%%d : %s", place, product, type);
  }
  return reshaped(d, place, PL_I64, o->rank, o->sizes, 2, list);
}

static int gathered(pjrt *d, const pl_operand *o, int flat, int64_t count) {
  char a[TYPE_TEXT], b[TYPE_TEXT], c[TYPE_TEXT];
  int64_t list[2] = { o->count, 1 };
  int place = places_of(d, o);
  int value = emit(d, "\"stablehlo.gather\"(%%%d, %%%d) <{dimension_numbers = #stablehlo.gather<"
                   "collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, "
                   "slice_sizes = array<i64: 1>}> : (%s, %s) -> %s", flat, place,
                   type_text(a, o->dtype, 1, &count), type_text(b, PL_I64, 2, list),
                   type_text(c, o->dtype, 1, &o->count));
  return reshaped(d, value, o->dtype, 1, &o->count, o->rank, o->sizes);
}

int value_of(pjrt *d, const pl_operand *o) {
  int order[PL_MAX_RANK];
  int64_t count;
  int flat = flat_of(d, o, &count);
  if (o->dense) {
    int value = part_of(d, flat, o->dtype, count, 0, o->count);
    return reshaped(d, value, o->dtype, 1, &o->count, o->rank, o->sizes);
  }
  int n = dense_order(o, order);
  return n < 0 ? gathered(d, o, flat, count) : reordered(d, o, flat, count, order, n);
}

/* ---- writing ---- */

/* The cell as it is, for an update of a part: zeros where nothing was written. A lost one may be
** another tensor's by now, memory being used again. */
static int before_of(pjrt *d, const pl_operand *o, int64_t *count) {
  pl_buffer *cell = o->buffer;
  if (cell->holds == CELL_LOST) cell_clear(d, cell);
  pl_status status = cell->holds == CELL_EMPTY ? cell_to_host(d, cell) : PL_OK;
  if (status) list_fail(d, status);
  return flat_of(d, o, count);
}

void value_to(pjrt *d, const pl_operand *o, int value) {
  char a[TYPE_TEXT], b[TYPE_TEXT], c[TYPE_TEXT], t[TYPE_TEXT];
  pl_buffer *cell = o->buffer;
  int64_t count, list[2] = { o->count, 1 };
  value = reshaped(d, value, o->dtype, o->rank, o->sizes, 1, &o->count);
  bool holds_more = cell_used(cell) > (size_t)o->count * dtype_bytes[o->dtype];
  if (o->dense && !holds_more) {
    cell_to_value(d, cell, value, o->dtype, o->count);
    return;
  }
  int before = before_of(d, o, &count);
  type_text(a, o->dtype, 1, &count);
  type_text(b, o->dtype, 1, &o->count);
  if (o->dense) {
    int at = emit_number(d, 0);
    value = emit(d, "stablehlo.dynamic_update_slice %%%d, %%%d, %%%d : (%s, %s, tensor<i64>) -> %s",
                 before, value, at, a, b, a);
  } else {
    int place = places_of(d, o);
    type_text(t, o->dtype, 0, NULL);
    value = emit(d, "\"stablehlo.scatter\"(%%%d, %%%d, %%%d) <{scatter_dimension_numbers = "
                 "#stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = "
                 "[0], index_vector_dim = 1>, unique_indices = true}> ({\n  ^bb0(%%old: %s, "
                 "%%new: %s):\n    stablehlo.return %%new : %s\n  }) : (%s, %s, %s) -> %s", before,
                 place, value, t, t, t, a, type_text(c, PL_I64, 2, list), b, a);
  }
  cell_to_value(d, cell, value, o->dtype, count);
}
