/*
** kernels.c -- the table of this level's kernels, by op id. A row nobody defines is NULL: the
** references are weak, so a kernel is added by writing it.
*/
#include "cpu.h"

#define OP(name, ...) \
  pl_status LEVEL(kernel_##name)(void *, const pl_call *) \
    __attribute__((weak, visibility("hidden")));
#include "ops.def"
#undef OP

extern const pl_kernel LEVEL(kernels)[OP_COUNT];
const pl_kernel LEVEL(kernels)[OP_COUNT] = {
#define OP(name, ...) LEVEL(kernel_##name),
#include "ops.def"
#undef OP
};
