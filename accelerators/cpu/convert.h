/* convert.h -- contiguous elements of one dtype to another. */
#pragma once
#include "cpu.h"

typedef void (*convert_fn)(void *to, const void *from, int64_t n);

/* Never NULL. Floats become integers by truncation, saturating; NaN becomes 0. */
convert_fn LEVEL(convert_loop)(int32_t from, int32_t to);

/* to = from, element by element in row-major order, whatever dtypes and strides. */
void LEVEL(operand_cast)(const pl_operand *from, const pl_operand *to);
