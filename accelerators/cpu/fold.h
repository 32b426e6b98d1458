/*
** fold.h -- what reducing an axis means for one op and dtype: how accumulators start, take
** contiguous elements in, come together and become results. reduce.c knows the strides.
*/
#pragma once
#include "cpu.h"

enum { FOLD_VECTORS = 4, FOLD_BYTES = 64 * FOLD_VECTORS };   /* accumulators of a row */

typedef struct fold {
  int32_t x_size, acc_size;        /* bytes of an element and of an accumulator */
  int32_t lanes;                   /* row and columns take multiples of this */
  void (*start)(void *acc, int64_t n);
  void (*pad)(void *x, int64_t n);                          /* elements that change nothing */
  void (*row)(const void *x, int64_t n, void *acc);         /* acc: FOLD_BYTES */
  void (*merge)(void *acc);                                 /* FOLD_BYTES into its first */
  void (*join)(void *acc, const void *other);               /* one and one */
  void (*columns)(const void *x, int64_t stride, int64_t rows, int64_t n, void *acc);
  void (*finish)(const void *acc, int64_t n, double count, void *out, int64_t out_stride);
} fold;

extern const fold *const LEVEL(folds)[7][PL_DTYPES];
enum { FOLD_SUM, FOLD_MEAN, FOLD_PROD, FOLD_MAX, FOLD_MIN, FOLD_ANY, FOLD_ALL };
