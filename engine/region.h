/* region.h -- where a view lies in its base, as the geometry of a dense tensor of its shape. */
#pragma once
#include "shape.h"

typedef struct region { pl_sizes sizes, strides; int64_t offset; } region;

/* False where no strides say it: the base is a view itself that was detached, and the view runs
** through it in an order of its own, or the base is expanded. */
bool region_of(const pl_operand *view, const pl_operand *base, region *out);
