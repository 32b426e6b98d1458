/* shape.c -- geometry of operands and the dtypes. */
#include "shape.h"
#include <stdio.h>
#include <string.h>

void shape_make_dense(pl_operand *o) {
  int64_t n = 1;
  for (int i = o->rank - 1; i >= 0; i--) {
    o->strides[i] = n;
    n *= o->sizes[i];
  }
  o->size = sizeof *o;
  o->count = n;
  o->offset = 0;
  o->dense = 1;
}

bool shape_is_contiguous(const pl_operand *o) {
  int64_t n = 1;
  for (int i = o->rank - 1; i >= 0; i--) {
    if (o->sizes[i] != 1 && o->strides[i] != n) return o->count == 0;
    n *= o->sizes[i];
  }
  return true;
}

void shape_refresh(pl_operand *o) {
  o->size = sizeof *o;
  o->count = 1;
  for (int i = 0; i < o->rank; i++) o->count *= o->sizes[i];
  o->dense = o->offset == 0 && shape_is_contiguous(o);
}

bool shape_equal(const pl_operand *a, const pl_operand *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->sizes[i] != b->sizes[i]) return false;
  return true;
}

bool shape_same_place(const pl_operand *a, const pl_operand *b) {
  if (!shape_equal(a, b) || a->offset != b->offset) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->strides[i] != b->strides[i] && a->sizes[i] > 1) return false;
  return true;
}

void shape_expand(const pl_operand *from, const pl_operand *like, pl_operand *to) {
  int shift = like->rank - from->rank;
  to->size = sizeof *to;
  to->dtype = from->dtype;
  to->rank = like->rank;
  to->buffer = from->buffer;
  to->count = like->count;
  to->offset = from->offset;
  to->dense = 0;
  for (int i = 0; i < like->rank; i++) {
    bool repeated = i < shift || (from->sizes[i - shift] == 1 && like->sizes[i] != 1);
    to->sizes[i] = like->sizes[i];
    to->strides[i] = repeated ? 0 : from->strides[i - shift];
  }
}

bool shape_broadcast(const pl_operand *a, const pl_operand *b, pl_operand *out) {
  int rank = a->rank > b->rank ? a->rank : b->rank;
  int64_t sizes[PL_MAX_RANK];
  for (int i = 0; i < rank; i++) {
    int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
    int64_t na = ia < 0 ? 1 : a->sizes[ia], nb = ib < 0 ? 1 : b->sizes[ib];
    if (na != nb && na != 1 && nb != 1) return false;
    sizes[i] = na == 1 ? nb : na;
  }
  out->rank = rank;
  memcpy(out->sizes, sizes, (size_t)rank * sizeof *sizes);
  return true;
}

bool shape_overlaps(const pl_operand *o) {
  if (o->count == 0) return false;
  for (int i = 0; i < o->rank; i++)
    if (o->sizes[i] > 1 && o->strides[i] == 0) return true;
  return false;
}

int64_t shape_bytes(const pl_operand *o) { return o->count * pl_dtype_size(o->dtype); }

const char *shape_text(const pl_operand *o, char *text) {
  int at = 0;
  if (o->rank == 0) snprintf(text, SHAPE_TEXT, "scalar");
  for (int i = 0; i < o->rank; i++)
    at += snprintf(text + at, (size_t)(SHAPE_TEXT - at), i ? "x%lld" : "%lld",
                   (long long)o->sizes[i]);
  return text;
}

bool shape_is_sane(const pl_operand *o) {
  int64_t n = 8;
  for (int i = 0; i < o->rank; i++)
    if (o->sizes[i] < 0 || (o->sizes[i] && __builtin_mul_overflow(n, o->sizes[i], &n)))
      return false;
  return true;
}

static const struct { const char *name; int32_t size; } dtypes[PL_DTYPES] = {
  { "bool", 1 }, { "u8", 1 }, { "i32", 4 }, { "i64", 8 },
  { "f16", 2 }, { "bf16", 2 }, { "f32", 4 }, { "f64", 8 },
};

int32_t pl_dtype_size(int32_t dtype) {
  return dtype >= 0 && dtype < PL_DTYPES ? dtypes[dtype].size : 0;
}

const char *pl_dtype_name(int32_t dtype) {
  return dtype >= 0 && dtype < PL_DTYPES ? dtypes[dtype].name : "unknown";
}

/* The dtypes are ordered so that the larger holds the smaller, but for the two halves. */
int dtype_promote(int a, int b) {
  if ((a == PL_F16 && b == PL_BF16) || (a == PL_BF16 && b == PL_F16)) return PL_F32;
  return a > b ? a : b;
}
