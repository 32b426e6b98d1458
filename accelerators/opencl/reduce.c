/* reduce.c -- launches of reduce.cl: an item for each result. */
#include "opencl.h"

typedef struct reduction {
  cl_long kept, reduced, count;
  cl_long kept_sizes[PL_MAX_RANK], kept_strides[PL_MAX_RANK], sizes[PL_MAX_RANK],
    strides[PL_MAX_RANK];
} reduction;

static reduction reduction_of(const pl_operand *x, const bool *reduced) {
  reduction r = { .count = 1 };
  for (int d = 0; d < x->rank; d++) {
    if (reduced[d]) {
      r.sizes[r.reduced] = x->sizes[d];
      r.strides[r.reduced++] = x->strides[d];
      r.count *= x->sizes[d];
    } else {
      r.kept_sizes[r.kept] = x->sizes[d];
      r.kept_strides[r.kept++] = x->strides[d];
    }
  }
  return r;
}

static void mark(const pl_dims *axes, int rank, bool *reduced) {
  for (int d = 0; d < rank; d++) reduced[d] = axes->n == 0;
  for (int i = 0; i < axes->n && rank > 0; i++)
    reduced[axes->dim[i] < 0 ? axes->dim[i] + rank : axes->dim[i]] = true;
}

/* Without elements a sum is 0 and the rest is not defined here. */
static pl_status reduce(void *state, const pl_call *call, const char *kernel) {
  const pl_sum_attrs *a = call->attrs;
  bool reduced[PL_MAX_RANK] = { false };
  if (!all_f32(call, 0)) return PL_EUNSUPPORTED;
  mark(&a->axes, call->in[0]->rank, reduced);
  reduction r = reduction_of(call->in[0], reduced);
  if (r.count == 0) return PL_EUNSUPPORTED;
  launch l = launch_begin(state, call, kernel);
  launch_operand(&l, call->in[0]);
  launch_operand(&l, call->out[0]);
  launch_bytes(&l, &r, sizeof r);
  return launch_run(&l, call->out[0]->count);
}

KERNEL(sum) { return reduce(state, call, "sum"); }
KERNEL(mean) { return reduce(state, call, "mean"); }
KERNEL(max) { return reduce(state, call, "max_"); }
KERNEL(min) { return reduce(state, call, "min_"); }

KERNEL(argmax) {
  const pl_argmax_attrs *a = call->attrs;
  const pl_operand *x = call->in[0];
  bool reduced[PL_MAX_RANK] = { false };
  if (x->dtype != PL_F32 || x->rank == 0) return PL_EUNSUPPORTED;
  reduced[a->axis < 0 ? a->axis + x->rank : a->axis] = true;
  reduction r = reduction_of(x, reduced);
  if (r.count == 0) return PL_EUNSUPPORTED;
  launch l = launch_begin(state, call, "argmax");
  launch_operand(&l, x);
  launch_operand(&l, call->out[0]);
  launch_bytes(&l, &r, sizeof r);
  launch_int(&l, a->base);
  return launch_run(&l, call->out[0]->count);
}
