/*
** gemm_tile.h -- the innermost kernels, all accumulators in registers.
** A tile is `rows` x `columns` of a product S V: numbers of S are broadcast, V is read as vectors
** along its columns, which are contiguous. Rows are at most TILE_ROWS, columns TILE_COLUMNS.
*/
#pragma once
#include <stdbool.h>
#include "gemm_vec.h"

enum {
  TILE_ROWS = VEC_REGISTERS == 32 ? 12 : 6,
  TILE_VECTORS = 2,
  TILE_COLUMNS = TILE_VECTORS * VL,
};

typedef struct tile {
  const real *s;
  int64_t s_stride;        /* between rows when S is contiguous along k, else between steps of k */
  const real *v;
  int64_t v_stride;        /* between steps of k */
  int64_t k;
  real *c;
  int64_t c_stride;
  const real *bias;        /* one per column, or NULL */
  bool accumulate, relu;
  vec_mask last;           /* columns of the last vector that exist, where a kernel is masked */
} tile;

typedef void (*tile_kernel)(const tile *);

/* How S lies in memory. */
enum { S_ROWS, S_STEPS, S_FORMS };          /* contiguous along k; contiguous along its rows */
/* Two whole vectors, one whole vector, one vector of which only the first columns exist. */
enum { WIDTH_TWO, WIDTH_ONE, WIDTH_PART, WIDTHS };

INLINE vec tile_load(const real *p, bool masked, vec_mask mask) {
  return masked ? vec_load_first(p, mask) : vec_load(p);
}

#define EACH_ROW _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)
#define EACH_VECTOR _Pragma("GCC unroll 2") for (int j = 0; j < vectors; j++)

/* What follows the product, and the only stores. */
INLINE void tile_finish(const tile *t, vec sum[TILE_ROWS][TILE_VECTORS], int rows, int vectors,
                        bool masked) {
  const vec_mask last = t->last;
  real *const c = t->c;
  const int64_t stride = t->c_stride;
  if (t->accumulate)
    EACH_ROW EACH_VECTOR sum[i][j] += tile_load(c + i * stride + j * VL, masked, last);
  if (t->bias)
    EACH_VECTOR {
      const vec bias = tile_load(t->bias + j * VL, masked, last);
      EACH_ROW sum[i][j] += bias;
    }
  if (t->relu)
    EACH_ROW EACH_VECTOR sum[i][j] = vec_relu(sum[i][j]);
  EACH_ROW EACH_VECTOR {
    if (masked) vec_store_first(c + i * stride + j * VL, last, sum[i][j]);
    else vec_store(c + i * stride + j * VL, sum[i][j]);
  }
}

/* A result that is added to is fetched while the product is computed: it left L1 long ago. */
INLINE void tile_fetch(const tile *t, int rows, int vectors) {
  EACH_ROW {
    __builtin_prefetch(t->c + i * t->c_stride);
    if (vectors * VEC_BYTES > 64) __builtin_prefetch(t->c + i * t->c_stride + VL);
  }
}

INLINE void tile_compute(const tile *t, int rows, int vectors, int form, bool masked) {
  vec sum[TILE_ROWS][TILE_VECTORS];
  const int64_t k = t->k, v_stride = t->v_stride;
  const int64_t row = form == S_ROWS ? t->s_stride : 1, step = form == S_ROWS ? 1 : t->s_stride;
  const real *s = t->s, *v = t->v;
  const vec_mask last = t->last;
  EACH_ROW EACH_VECTOR sum[i][j] = (vec){0};
  if (t->accumulate) tile_fetch(t, rows, vectors);
#pragma GCC unroll 1
  for (int64_t p = 0; p < k; p++, s += step, v += v_stride) {
    vec column[TILE_VECTORS];
    EACH_VECTOR column[j] = tile_load(v + j * VL, masked, last);
    EACH_ROW {
      const vec x = vec_set(s[i * row]);
      EACH_VECTOR sum[i][j] = vec_fma(x, column[j], sum[i][j]);
    }
  }
  tile_finish(t, sum, rows, vectors, masked);
}

#define TILE_KERNEL(rows) \
  static void tile_two_rows_##rows(const tile *t) { tile_compute(t, rows, 2, S_ROWS, false); } \
  static void tile_one_rows_##rows(const tile *t) { tile_compute(t, rows, 1, S_ROWS, false); } \
  static void tile_part_rows_##rows(const tile *t) { tile_compute(t, rows, 1, S_ROWS, true); } \
  static void tile_two_steps_##rows(const tile *t) { tile_compute(t, rows, 2, S_STEPS, false); } \
  static void tile_one_steps_##rows(const tile *t) { tile_compute(t, rows, 1, S_STEPS, false); } \
  static void tile_part_steps_##rows(const tile *t) { tile_compute(t, rows, 1, S_STEPS, true); }

#define TILE_ROW(rows) { \
  { tile_two_rows_##rows, tile_one_rows_##rows, tile_part_rows_##rows }, \
  { tile_two_steps_##rows, tile_one_steps_##rows, tile_part_steps_##rows } }

TILE_KERNEL(1) TILE_KERNEL(2) TILE_KERNEL(3) TILE_KERNEL(4) TILE_KERNEL(5) TILE_KERNEL(6)
#if defined(__AVX512F__)
TILE_KERNEL(7) TILE_KERNEL(8) TILE_KERNEL(9) TILE_KERNEL(10) TILE_KERNEL(11) TILE_KERNEL(12)
#endif

static const tile_kernel tile_kernels[TILE_ROWS][S_FORMS][WIDTHS] = {
  TILE_ROW(1), TILE_ROW(2), TILE_ROW(3), TILE_ROW(4), TILE_ROW(5), TILE_ROW(6),
#if defined(__AVX512F__)
  TILE_ROW(7), TILE_ROW(8), TILE_ROW(9), TILE_ROW(10), TILE_ROW(11), TILE_ROW(12),
#endif
};
