/*
** gemm_pack.h -- copies of operands in the order the tiles read them, and results back.
** A panel of V is [k][TILE_COLUMNS]; a block of S is tile after tile, each [k][rows].
*/
#pragma once
#include "fetch.h"
#include "gemm_tile.h"

/* Reads up to VL rows of up to VL numbers, rows `stride` apart, and transposes them. */
INLINE void block_read(vec r[VL], const real *p, int64_t stride, int64_t rows, int64_t width) {
  if (rows >= VL && width >= VL) {
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++) r[i] = vec_load(p + i * stride);
  } else {
    const vec_mask mask = vec_first(width < VL ? width : VL);
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
      r[i] = i < rows ? vec_load_first(p + i * stride, mask) : (vec){0};
  }
  vec_transpose(r);
}

/* to[p * to_stride + i] = from[i * from_stride + p], i < rows <= VL, p < k. Writes whole vectors:
** up to VL - rows numbers after each step, so steps go upwards and `to` has VL to spare. */
static void transpose_rows(real *to, int64_t to_stride, const real *from, int64_t from_stride,
                           int64_t rows, int64_t k) {
  for (int64_t p = 0; p < k; p += VL) {
    vec r[VL];
    block_read(r, from + p, from_stride, rows, k - p);
    const int64_t width = k - p;
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
      if (i < width) vec_store(to + (p + i) * to_stride, r[i]);
  }
}

/* to[p * to_stride + i] = from[p * from_stride + i], i < columns <= VL. Same overhang. */
static void copy_columns(real *to, int64_t to_stride, const real *from, int64_t from_stride,
                         int64_t columns, int64_t k) {
  const vec_mask mask = vec_first(columns);
  for (int64_t p = 0; p < k; p++) {
    const real *row = from + p * from_stride;
    fetch_ahead(row, from_stride * (int)sizeof(real), CACHE_LINE);
    vec_store(to + p * to_stride, columns == VL ? vec_load(row) : vec_load_first(row, mask));
  }
}

/* Writes whole vectors: up to VL - 1 numbers more than count. */
INLINE void copy_numbers(real *to, const real *from, int64_t count) {
  for (; count > 0; count -= VL, to += VL, from += VL)
    vec_store(to, count >= VL ? vec_load(from) : vec_load_first(from, vec_first(count)));
}

static void gather(real *to, int64_t to_stride, const real *from, int64_t rs, int64_t cs,
                   int64_t rows, int64_t k) {
  for (int64_t p = 0; p < k; p++)
    for (int64_t i = 0; i < rows; i++) to[p * to_stride + i] = from[i * rs + p * cs];
}

/* to[p * to_stride + i] = from[i * rs + p * cs] for i < rows, any strides, any rows. From the last
** group of rows to the first: what one group writes over the next step the first group repairs. */
static void pack(real *to, int64_t to_stride, const real *from, int64_t rs, int64_t cs,
                 int64_t rows, int64_t k) {
  for (int64_t i = (rows - 1) / VL * VL; i >= 0; i -= VL) {
    const int64_t n = rows - i < VL ? rows - i : VL;
    if (rs == 1) copy_columns(to + i, to_stride, from + i, cs, n, k);
    else if (cs == 1) transpose_rows(to + i, to_stride, from + i * rs, rs, n, k);
    else gather(to + i, to_stride, from + i * rs, rs, cs, n, k);
  }
}

typedef struct finish {
  const real *bias;        /* one per column of the result, or NULL */
  bool accumulate, relu;
} finish;

/* c(j,i) = act(c(j,i) + t(i,j) + bias(i)) for a block of t with `rows` x `columns`; without
** `accumulate` c is not read. */
static void transpose_out(real *c, int64_t c_stride, const real *t, int64_t t_stride,
                          int64_t rows, int64_t columns, finish f) {
  for (int64_t i = 0; i < rows; i += VL) {
    const bool whole = rows - i >= VL;
    const vec_mask mask = vec_first(whole ? VL : rows - i);
    const vec add = f.bias ? vec_load_first(f.bias + i, mask) : (vec){0};
    for (int64_t j = 0; j < columns; j += VL) {
      vec r[VL];
      block_read(r, t + i * t_stride + j, t_stride, rows - i, columns - j);
      const int64_t width = columns - j;
#pragma GCC unroll 16
      for (int q = 0; q < VL; q++) {
        if (q >= width) continue;
        real *to = c + (j + q) * c_stride + i;
        vec x = r[q];
        if (f.accumulate) x += whole ? vec_load(to) : vec_load_first(to, mask);
        if (f.bias) x += add;
        if (f.relu) x = vec_relu(x);
        if (whole) vec_store(to, x);
        else vec_store_first(to, mask, x);
      }
    }
  }
}
