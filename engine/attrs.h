/*
** attrs.h -- what the engine knows of attribute structs beyond their bytes: where vectors lie, what
** the defaults are. Both are read once from the row's text in ops.def.
*/
#pragma once
#include "rule.h"

/* Fills the row's dims_at, sizes_at and defaults. */
void attrs_describe(op_row *row);

/* May a kernel that was built when the attributes ended at `known` bytes take these? Only if every
** attribute added since has its default. */
bool attrs_fit_kernel(const op_row *row, const void *attrs, uint32_t known);
