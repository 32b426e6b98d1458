/* op.h -- ops.def expanded: ids, attribute structs and the marks of their types. */
#pragma once
#include "base.h"

/* The closed set of attribute types. The type is the mark: the Lua binding converts pl_dim and
** pl_dims from positions (1.., negative from the end) to 0.., the others stay as written. */
typedef int32_t pl_dim;
typedef struct pl_dims { int32_t n; int32_t dim[PL_MAX_RANK]; } pl_dims;   /* n = 0: all */
typedef struct pl_sizes { int64_t n; int64_t size[PL_MAX_RANK]; } pl_sizes;
/* Of sizes for height and width; a lone one counts for both. */
static inline int64_t pl_sizes_at(const pl_sizes *s, int axis) {
  return s->size[s->n > 1 ? axis : 0];
}
typedef int32_t pl_flag;
typedef int64_t pl_int;
typedef double pl_real;
typedef int32_t pl_dtype;                        /* PL_F32 .. */
typedef int32_t pl_reduction;
typedef int32_t pl_activation;
enum { PL_REDUCTION_MEAN, PL_REDUCTION_SUM, PL_REDUCTION_NONE };
enum { PL_ACTIVATION_NONE, PL_ACTIVATION_RELU };

/* Attributes are plain bytes with zeroed padding: equal bytes, equal launch. */
#define OP(name, signature, fields, ...) typedef struct { fields int32_t end; } pl_##name##_attrs;
#include "ops.def"
#undef OP

enum {
#define OP(name, ...) OP_##name,
#include "ops.def"
#undef OP
  OP_COUNT
};
