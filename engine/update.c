/*
** update.c -- ops in place: the kernel writes over its first operand where dtype, memory and device
** allow it, else it computes beside it and copies. Inputs are recorded before, outputs after.
*/
#include "call.h"
#include "profile.h"
#include <string.h>

/* May the kernel write over x while it reads the other operands? */
static bool aliases(const call *c) {
  for (int i = 1; i < c->n_x; i++)
    if (c->x[i] && c->x[i]->storage == c->x[0]->storage
        && !shape_same_place(&c->x[i]->view, &c->x[0]->view)) return true;
  return false;
}

static pl_status check_in_place(call *c, tensor *x) {
  char got[SHAPE_TEXT], want[SHAPE_TEXT];
  if (x->is_number || !(call_flags(c) & PL_POINTWISE))
    return status_fail(PL_EARGUMENT, call_name(c), "x", "%s cannot work in place", call_name(c));
  if (shape_overlaps(&x->view))
    return status_fail(PL_ESHAPE, call_name(c), "x", "%s_: x is expanded, so one element stands in "
                       "several places; use :clone() first", call_name(c));
  pl_status s = tensor_check_update(x, call_name(c));
  if (s || (s = call_find_device(c)) || (s = call_unify(c)) || (s = call_infer(c))) return s;
  if (!shape_equal(&c->out[0], &x->view))
    return status_fail(PL_ESHAPE, call_name(c), "x",
                       "%s_: the result has shape %s and does not fit "
                       "into x (%s)", call_name(c), shape_text(&c->out[0], got),
                       shape_text(&x->view, want));
  if (c->out[0].dtype != x->view.dtype
      && (dtype_is_float(c->out[0].dtype) > dtype_is_float(x->view.dtype)
          || x->view.dtype == PL_BOOL))
    return status_fail(PL_EDTYPE, call_name(c), "x",
                       "%s_: the result is %s and x is %s; use :to() or "
                       "the form without _", call_name(c), pl_dtype_name(c->out[0].dtype),
                       pl_dtype_name(x->view.dtype));
  return PL_OK;
}

/* The kernel writes where x lies. Inputs are recorded before, outputs after the update. */
static pl_status run_over(call *c, tensor *x) {
  node *n = NULL;
  pl_status s = call_records(c) ? call_record_inputs(c, &n) : PL_OK;
  if (s) return s;
  const pl_operand *out[1] = { &x->view };
  c->out[0].count = x->view.count;
  s = call_run_kernel(c, out);
  if (s) {
    node_unref(n);
    return s;
  }
  tensor_touch(x, c->row->info.id);
  if (n) {
    c->y[0] = x;
    call_record_outputs(c, n);
    c->y[0] = NULL;
  }
  return n ? tensor_rebase(x, n) : PL_OK;
}

static pl_status apply_over(call *c, tensor *x) {
  pl_status s = check_in_place(c, x);
  if (s) return s;
  bool strided = device_is(c->device, PL_CAP_STRIDED) && (call_flags(c) & PL_STRIDED);
  if (c->x[0] == x && c->out[0].dtype == x->view.dtype && !aliases(c)
      && (strided || x->view.dense)) {
    s = run_over(c, x);
    if (s != PL_EUNSUPPORTED) return s;
  }
  tensor *y;
  if ((s = apply(c->row->info.id, c->attrs, c->x, c->counts, c->n_x, &y))) return s;
  s = tensor_assign(x, y);
  tensor_unref(y);
  return s;
}

pl_status apply_in_place(int op, const void *attrs, tensor *const *in, int n_in) {
  tensor *x[n_in + 1];
  call c;
  call_open(&c, op, attrs, NULL, n_in, x);
  for (int i = 0; i < n_in; i++) x[i] = in[i];
  bool timed = profile_is_on();
  if (timed) profile_enter(op, false);
  int32_t mark = frame_open();
  pl_status s = call_check(&c);
  if (!s) s = apply_over(&c, in[0]);
  if (!s && c.here->shared.anomaly) s = call_check_finite(&c, in[0]);
  frame_close(mark);
  if (timed) profile_leave();
  return s;
}

pl_status tensor_add_into(tensor *sum, tensor *g) {
  context *c = context_here();
  int32_t recording = c->shared.grad;
  c->shared.grad = 0;
  pl_status s = apply_in_place(OP_add, NULL, (tensor *[]){ sum, g }, 2);
  c->shared.grad = recording;
  return s;
}

/* src as a tensor of t's device, dtype and shape; in the open frame. */
static pl_status conform(tensor *t, tensor *src, tensor **out) {
  call c;
  call_open(&c, OP_copy, NULL, NULL, 1, &src);
  c.device = tensor_device(t);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  pl_operand joint;
  if (!src->is_number && tensor_device(src) != c.device) {
    tensor *there;
    pl_status s = tensor_to_device(src, c.device, &there);
    if (s || (s = frame_push(there))) return s;
    src = there;
  }
  if (!shape_broadcast(&src->view, &t->view, &joint) || !shape_equal(&joint, &t->view))
    return status_fail(PL_ESHAPE, "copy", "src", "copy_: source of shape %s does not fit into %s",
                       shape_text(&src->view, a), shape_text(&t->view, b));
  pl_status s = call_bring(&c, 0, t->view.dtype);
  if (s || shape_equal(&src->view, &t->view)) {
    *out = src;
    return s;
  }
  pl_expand_attrs wide = { .sizes = { .n = t->view.rank } };
  memcpy(wide.sizes.size, t->view.sizes, sizeof wide.sizes.size);
  if ((s = apply(OP_expand, &wide, &src, NULL, 1, out))) return s;
  return frame_push(*out);
}

static pl_status assign(tensor *t, tensor *src) {
  if (shape_overlaps(&t->view))
    return status_fail(PL_ESHAPE, "copy", "x",
                       "copy_: x is expanded, so one element stands in several "
                       "places; use :clone() first");
  int32_t mark = frame_open();
  tensor *from;
  pl_status s = tensor_check_update(t, "copy");
  if (!s) s = conform(t, src, &from);
  if (!s && from->storage == t->storage && !shape_same_place(&from->view, &t->view)) {
    if (!(s = apply(OP_copy, NULL, &from, NULL, 1, &from))) s = frame_push(from);
  }
  if (!s) {
    call c;
    call_open(&c, OP_copy, NULL, NULL, 1, &from);
    c.device = tensor_device(t);
    node *n = NULL;
    const pl_operand *in[1] = { &from->view }, *out[1] = { &t->view };
    pl_call copy = { sizeof copy, 1, 1, 0, pl_op(OP_copy), NULL, NULL, in, out };
    if (call_records(&c)) s = call_record_inputs(&c, &n);
    if (!s) s = c.device->kernels[OP_copy](c.device->state, &copy);
    if (s) {
      node_unref(n);
    } else {
      tensor_touch(t, OP_copy);
      if (n || (c.here->shared.grad && wants_grad(t))) s = tensor_rebase(t, n);
    }
  }
  frame_close(mark);
  return s;
}

pl_status tensor_assign(tensor *t, tensor *src) {
  bool timed = profile_is_on();
  if (timed) profile_enter(OP_copy, false);
  pl_status s = assign(t, src);
  if (timed) profile_leave();
  return s;
}
