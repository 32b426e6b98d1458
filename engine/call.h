/*
** call.h -- one op on its way from pl_apply to a kernel, and the rooms it passes through: unify.c
** (device and dtypes), autocast.c (half or f32 by the row's class), launch.c (shapes, kernels),
** record.c (tape, checks), update.c (in place).
*/
#pragma once
#include "autograd.h"
#include "dispatch.h"
#include "rule.h"

/* x starts as the caller's and is replaced by what was cast, made dense or moved; all of it is
** owned by the open frame or by the caller. */
typedef struct call {
  context *here;              /* of the calling thread: asked for once */
  const op_row *row;
  const void *attrs;
  const int32_t *counts;
  device *device;
  int n_x;                    /* tensors, without the generator's state */
  tensor **x;
  pl_operand out[PL_MAX_OUT];
  tensor *y[PL_MAX_OUT];
} call;

/* A call of an op on the tensors in x. Only the outputs that the op has are cleared: all four would
** show in the time of a small op. */
static inline void call_open(call *c, int op, const void *attrs, const int32_t *counts, int n,
                             tensor **x) {
  c->here = context_here();
  c->row = &op_table[op];
  c->attrs = attrs;
  c->counts = counts;
  c->device = NULL;
  c->n_x = n;
  c->x = x;
  for (int j = 0; j < c->row->info.n_out; j++) {
    c->out[j] = (pl_operand){ 0 };
    c->y[j] = NULL;
  }
}

static inline const char *call_name(const call *c) { return c->row->info.name; }
static inline int call_flags(const call *c) { return c->row->info.flags; }

/* The input of the signature that tensor i of the call belongs to. */
static inline const pl_argument *call_argument(const call *c, int i) {
  int input = 0;
  if (!c->counts) return &c->row->info.in[i];
  while (input < c->row->info.n_in - 1 && i >= c->counts[input]) i -= c->counts[input++];
  return &c->row->info.in[input];
}

pl_status call_check(const call *c);                 /* inputs, attributes, Ctrl-C */
pl_status call_find_device(call *c);
pl_status call_bring(call *c, int i, int dtype);     /* x[i] in that dtype, by a recorded cast */
pl_status call_unify(call *c);                       /* one dtype where the row wants that */
pl_status call_cast_class(call *c);                  /* where autocast is on: its class's dtype */
pl_status call_infer(call *c);                       /* fills out */
pl_status call_run(call *c);                         /* fills y: kernel, composite or host */
pl_status call_run_view(call *c);
static inline pl_status call_autocast(call *c) {
  return call_flags(c) & (PL_CAST_LOW | PL_CAST_F32) ? call_cast_class(c) : PL_OK;
}
/* PL_EUNSUPPORTED if this device has no kernel that takes the call. */
pl_status call_run_kernel(call *c, const pl_operand *const *out);

bool call_records(const call *c);
/* A node with the inputs' edges and values; call_record_outputs saves the outputs. */
pl_status call_record_inputs(const call *c, node **out);
void call_record_outputs(const call *c, node *n);
pl_status call_record(call *c);
void call_touch_updated(const call *c);              /* inputs marked ! have a new version */
pl_status call_check_finite(const call *c, tensor *y);
pl_status call_check_outputs(const call *c);

/* In place: x, which is in[0], takes the result. */
pl_status apply_in_place(int op, const void *attrs, tensor *const *in, int n_in);
