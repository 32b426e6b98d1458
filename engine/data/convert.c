/*
** convert.c -- what transforms do to a row: copy, multiply, look up, or the plain loop that defines
** the others. A faster form is taken only after all 256 of its results proved equal.
*/
#include "convert.h"
#include "shape.h"
#include "status.h"
#include <string.h>

/* ---- the definition: element by element, each step rounded to its dtype -------------------- */

static double load(int32_t dtype, const void *src, int64_t i) {
  switch (dtype) {
  case PL_F32: return ((const float *)src)[i];
  case PL_F64: return ((const double *)src)[i];
  case PL_I32: return ((const int32_t *)src)[i];
  case PL_I64: return (double)((const int64_t *)src)[i];
  default: return ((const uint8_t *)src)[i];
  }
}

static void store(int32_t dtype, void *dst, int64_t i, double value) {
  switch (dtype) {
  case PL_F32: ((float *)dst)[i] = (float)value; break;
  case PL_F64: ((double *)dst)[i] = value; break;
  case PL_I32: ((int32_t *)dst)[i] = (int32_t)dtype_whole(value); break;
  case PL_I64: ((int64_t *)dst)[i] = dtype_whole(value); break;
  default: ((uint8_t *)dst)[i] = (uint8_t)dtype_whole(value);
  }
}

static double rounded(int32_t dtype, double value) {
  return dtype == PL_F32 ? (double)(float)value : value;
}

static void row_plain(const convert *c, const void *src, void *dst, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double value = load(c->from, src, i);
    int32_t dtype = c->from;
    for (int32_t k = 0; k < c->count; k++) {
      const pl_transform *t = &c->steps[k];
      if (t->kind == PL_TRANSFORM_CAST) dtype = t->dtype;
      if (t->kind == PL_TRANSFORM_DIVIDE) value /= t->value;
      if (t->kind == PL_TRANSFORM_ADD) value += t->value;
      value = rounded(dtype, value);
    }
    store(c->to, dst, i, value);
  }
}

/* ---- u8 ----------------------------------------------------------------------------------- */

static void row_copy(const convert *c, const void *src, void *dst, int64_t n) {
  memcpy(dst, src, (size_t)(n * pl_dtype_size(c->from)));
}

static void row_u8_to_f32(const convert *c, const void *src, void *dst, int64_t n) {
  const uint8_t *from = src;
  float *to = dst;
  for (int64_t i = 0; i < n; i++) to[i] = c->table.f32[from[i]];
}

static void row_u8_to_f64(const convert *c, const void *src, void *dst, int64_t n) {
  const uint8_t *from = src;
  double *to = dst;
  for (int64_t i = 0; i < n; i++) to[i] = c->table.f64[from[i]];
}

static void row_u8_to_i32(const convert *c, const void *src, void *dst, int64_t n) {
  const uint8_t *from = src;
  int32_t *to = dst;
  for (int64_t i = 0; i < n; i++) to[i] = c->table.i32[from[i]];
}

static void row_u8_to_i64(const convert *c, const void *src, void *dst, int64_t n) {
  const uint8_t *from = src;
  int64_t *to = dst;
  for (int64_t i = 0; i < n; i++) to[i] = c->table.i64[from[i]];
}

/* x * high + x * low. high has 16 bits, so the first product is exact and the sum rounds once: this
** is how x / 255 is reached, which no single factor gives. */
static void row_u8_scaled(const convert *c, const void *src, void *dst, int64_t n) {
  const uint8_t *restrict from = src;
  float *restrict to = dst;
  float high = c->high, low = c->low;
  for (int64_t i = 0; i < n; i++) {
    float x = (float)from[i];
    to[i] = x * high + x * low;
  }
}

static float first_16_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits &= 0xffffff00u;
  memcpy(&x, &bits, sizeof bits);
  return x;
}

static convert_row choose_f32(convert *c) {
  uint8_t all[256];
  float result[256];
  double factor = c->table.f32[255] / 255.0;
  for (int i = 0; i < c->count; i++)
    if (c->steps[i].kind == PL_TRANSFORM_DIVIDE) factor = 1 / c->steps[i].value;
  for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
  c->high = first_16_bits((float)factor);
  c->low = (float)(factor - (double)c->high);
  row_u8_scaled(c, all, result, 256);
  return memcmp(result, c->table.f32, sizeof result) ? row_u8_to_f32 : row_u8_scaled;
}

static convert_row choose_u8(convert *c) {
  uint8_t all[256];
  for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
  row_plain(c, all, c->table.bytes, 256);
  switch (c->to) {
  case PL_F32: return choose_f32(c);
  case PL_F64: return row_u8_to_f64;
  case PL_I32: return row_u8_to_i32;
  case PL_I64: return row_u8_to_i64;
  default: return row_plain;
  }
}

/* ---- making one --------------------------------------------------------------------------- */

static bool is_computable(int32_t dtype) {
  return dtype == PL_U8 || dtype == PL_I32 || dtype == PL_I64 || dtype == PL_F32 || dtype == PL_F64;
}

static pl_status add_step(convert *c, const pl_transform *t) {
  if (t->kind < PL_TRANSFORM_CAST || t->kind > PL_TRANSFORM_ADD)
    return status_fail(PL_EARGUMENT, NULL, "transforms", "there is no transform %d", t->kind);
  int32_t dtype = t->kind == PL_TRANSFORM_CAST ? t->dtype : c->to;
  if (!is_computable(c->from) || !is_computable(dtype))
    return status_fail(PL_EDTYPE, NULL, "transforms", "transforms take u8, i32, i64, f32 and f64, "
                       "not %s", pl_dtype_name(is_computable(c->from) ? dtype : c->from));
  if (t->kind == PL_TRANSFORM_DIVIDE && dtype != PL_F32 && dtype != PL_F64)
    return status_fail(PL_EDTYPE, NULL, "transforms",
                       "only f32 and f64 are divided, not %s: cast first", pl_dtype_name(dtype));
  c->to = dtype;
  c->steps[c->count++] = *t;
  return PL_OK;
}

pl_status convert_make(int32_t from, const pl_transform *steps, int32_t n, convert *out) {
  if (n < 0 || n > PL_MAX_TRANSFORMS)
    return status_fail(PL_EARGUMENT, NULL, "transforms",
                       "a field has at most %d transforms, not %d", PL_MAX_TRANSFORMS, n);
  memset(out, 0, sizeof *out);
  out->from = out->to = from;
  for (int32_t i = 0; i < n; i++) {
    pl_status s = add_step(out, &steps[i]);
    if (s) return s;
  }
  out->row = n == 0 ? row_copy : from == PL_U8 ? choose_u8(out) : row_plain;
  return PL_OK;
}
