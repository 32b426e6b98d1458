/* dispatch.h -- running ops from inside the engine; pl_apply is the same from outside. */
#pragma once
#include "tensor.h"

/* One op. x: every tensor of every input, NULL for an absent one; counts: per input of the
** signature, NULL if one each. out gets new references, one per output, hidden ones included. */
pl_status apply(int op, const void *attrs, tensor *const *x, const int32_t *counts, int n_x,
                tensor **out);

pl_status tensor_dense(tensor *t, tensor **out);       /* a dense copy, outside the graph */
pl_status tensor_assign(tensor *t, tensor *src);       /* t's elements = src, broadcast, recorded */
pl_status tensor_to_device(tensor *t, device *d, tensor **out);
pl_status tensor_add_into(tensor *sum, tensor *g);     /* sum += g, nobody records */
/* A number as a 0-d tensor. */
pl_status tensor_from_number(double value, int dtype, device *d, tensor **out);
