/*
** gemm_dot.h -- products with few rows or few columns whose operands both lie along k: vectors
** run along k and each result is the sum of one vector. Nothing is packed.
*/
#pragma once
#include "gemm_pack.h"

enum { DOT_ROWS = 3, DOT_COLUMNS = 4 };

typedef struct dot {
  const real *a, *b;
  int64_t a_stride, b_stride;   /* between rows of A, between columns of B */
  int64_t k;
} dot;

INLINE void dot_step(vec sum[DOT_ROWS][DOT_COLUMNS], const dot *d, int64_t p, int rows,
                     int columns, bool masked, vec_mask mask) {
  vec a[DOT_ROWS];
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) a[i] = tile_load(d->a + i * d->a_stride + p, masked, mask);
#pragma GCC unroll 4
  for (int j = 0; j < columns; j++) {
    vec b = tile_load(d->b + j * d->b_stride + p, masked, mask);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) sum[i][j] = vec_fma(a[i], b, sum[i][j]);
  }
}

/* out[i][j] = row i of A times column j of B. */
INLINE void dot_compute(const dot *d, int rows, int columns, real out[DOT_ROWS][DOT_COLUMNS]) {
  vec sum[DOT_ROWS][DOT_COLUMNS];
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) sum[i][j] = (vec){0};
  int64_t p = 0;
#pragma GCC unroll 1
  for (; p + VL <= d->k; p += VL) dot_step(sum, d, p, rows, columns, false, vec_first(0));
  if (p < d->k) dot_step(sum, d, p, rows, columns, true, vec_first(d->k - p));
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) out[i][j] = vec_sum(sum[i][j]);
}

typedef void (*dot_kernel)(const dot *, real out[DOT_ROWS][DOT_COLUMNS]);

#define DOT_KERNEL(rows) \
  static void dot_##rows##_one(const dot *d, real out[DOT_ROWS][DOT_COLUMNS]) { \
    dot_compute(d, rows, 1, out); \
  } \
  static void dot_##rows##_all(const dot *d, real out[DOT_ROWS][DOT_COLUMNS]) { \
    dot_compute(d, rows, DOT_COLUMNS, out); \
  }

DOT_KERNEL(1) DOT_KERNEL(2) DOT_KERNEL(3)

static const dot_kernel dot_kernels[DOT_ROWS][2] = {
  { dot_1_one, dot_1_all }, { dot_2_one, dot_2_all }, { dot_3_one, dot_3_all },
};

/* A rectangle of C, `c` its first element; bias starts at its first column. */
static void dot_rectangle(dot d, int64_t rows, int64_t columns, real *c, int64_t ldc, finish f) {
  const real *a = d.a;
  for (int64_t j = 0, wide; j < columns; j += wide, d.b += wide * d.b_stride) {
    wide = columns - j >= DOT_COLUMNS ? DOT_COLUMNS : 1;
    d.a = a;
    for (int64_t i = 0, high; i < rows; i += high, d.a += high * d.a_stride) {
      high = rows - i >= DOT_ROWS ? DOT_ROWS : rows - i;
      real out[DOT_ROWS][DOT_COLUMNS];
      dot_kernels[high - 1][wide > 1](&d, out);
      for (int64_t y = 0; y < high; y++)
        for (int64_t x = 0; x < wide; x++) {
          real *to = c + (i + y) * ldc + j + x, sum = out[y][x];
          if (f.accumulate) sum += *to;
          if (f.bias) sum += f.bias[j + x];
          *to = f.relu && sum < 0 ? 0 : sum;
        }
    }
  }
}
