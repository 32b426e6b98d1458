/* shape.h -- geometry of operands: sizes, strides, counts, text. Nothing here allocates. */
#pragma once
#include "accelerator.h"

enum { SHAPE_TEXT = 160 };

/* From dtype, rank and sizes: row-major strides, offset 0, count. */
void shape_make_dense(pl_operand *o);
/* Sets count and dense from sizes, strides and offset. */
void shape_refresh(pl_operand *o);
/* Row-major without gaps, wherever it begins. */
bool shape_is_contiguous(const pl_operand *o);
bool shape_equal(const pl_operand *a, const pl_operand *b);       /* rank and sizes */
bool shape_same_place(const pl_operand *a, const pl_operand *b);  /* sizes, strides, offset too */
/* to = from seen with the rank and sizes of like: broadcast dimensions get stride 0. */
void shape_expand(const pl_operand *from, const pl_operand *like, pl_operand *to);
/* The joint shape of a and b under broadcasting into out (sizes only); false if they disagree. */
bool shape_broadcast(const pl_operand *a, const pl_operand *b, pl_operand *out);
/* Does some element appear more than once (stride 0)? */
bool shape_overlaps(const pl_operand *o);
int64_t shape_bytes(const pl_operand *o);
/* "32x784", "scalar" for rank 0; text has room for SHAPE_TEXT. */
const char *shape_text(const pl_operand *o, char *text);
/* The product of the sizes fits an int64 of bytes? */
bool shape_is_sane(const pl_operand *o);

int dtype_promote(int a, int b);         /* PyTorch's table */
/* As a cast of the CPU: truncated, no further than the integers go; NaN is 0. */
static inline int64_t dtype_whole(double value) {
  if (value > -0x1p63 && value < 0x1p63) return (int64_t)value;
  return value > 0 ? INT64_MAX : value < 0 ? INT64_MIN : 0;
}
static inline bool dtype_is_float(int dtype) { return dtype >= PL_F16; }
static inline bool dtype_is_half(int dtype) { return dtype == PL_F16 || dtype == PL_BF16; }
