/*
** dispatch.c -- from a call to a kernel: device, dtypes, shapes, kernel or composite or host, tape.
** Outputs are handed out only when everything went well; whatever was made on the way lies in a
** frame that is closed before returning.
*/
#include "dispatch.h"
#include <math.h>
#include <string.h>
#include "autograd.h"
#include "random.h"
#include "rule.h"

enum { MAX_PLAIN = 10 };      /* tensors of a call without lists, generator state included */

/* One op on its way through this file. x starts as the caller's and is replaced by what was cast,
** made dense or moved; all of it is owned by the open frame or by the caller. */
typedef struct call {
  const op_row *row;
  const void *attrs;
  const int32_t *counts;
  device *device;
  int n_x;                    /* tensors, without the generator's state */
  tensor **x;
  pl_operand out[PL_MAX_OUT];
  tensor *y[PL_MAX_OUT];
} call;

static const char *call_name(const call *c) { return c->row->info.name; }
static int call_flags(const call *c) { return c->row->info.flags; }

/* The input of the signature that tensor i of the call belongs to. */
static int argument_of(const call *c, int i) {
  if (!c->counts) return i;
  int input = 0;
  while (input < c->row->info.n_in - 1 && i >= c->counts[input]) i -= c->counts[input++];
  return input;
}

static const pl_argument *argument(const call *c, int i) {
  return &c->row->info.in[argument_of(c, i)];
}

/* ---- device ---- */

static pl_status find_device(call *c) {
  int first = -1;
  c->device = NULL;
  for (int i = 0; i < c->n_x; i++) {
    if (!c->x[i] || c->x[i]->is_number) continue;
    device *d = tensor_device(c->x[i]);
    if (!c->device) {
      c->device = d;
      first = i;
    } else if (d != c->device) {
      return status_fail(PL_EDEVICE, call_name(c), argument(c, i)->name,
                         "%s: %s is on %s, %s is on %s; move one with :to()", call_name(c),
                         argument(c, first)->name, c->device->name, argument(c, i)->name, d->name);
    }
  }
  if (!c->device) c->device = device_at(context_here()->shared.device);
  return c->device ? PL_OK : status_fail(PL_EDEVICE, call_name(c), NULL, "no device is open");
}

/* ---- dtypes ---- */

pl_status tensor_from_number(double value, int dtype, device *d, tensor **out) {
  union { uint8_t u8; int32_t i32; int64_t i64; float f32; double f64; } cell;
  int made = dtype == PL_F16 || dtype == PL_BF16 ? PL_F32 : dtype;
  pl_operand scalar = { .dtype = made };
  switch (made) {
    case PL_BOOL: cell.u8 = value != 0; break;
    case PL_U8: cell.u8 = (uint8_t)(int64_t)value; break;
    case PL_I32: cell.i32 = (int32_t)(int64_t)value; break;
    case PL_I64: cell.i64 = (int64_t)value; break;
    case PL_F32: cell.f32 = (float)value; break;
    default: cell.f64 = value;
  }
  tensor *t;
  pl_status s = tensor_make(d, &scalar, &t);
  if (s) return s;
  s = d->table->write(d->state, t->view.buffer, 0, &cell, (size_t)pl_dtype_size(made));
  if (!s && made != dtype) {
    tensor *half;
    s = apply(OP_cast, &(pl_cast_attrs){ .dtype = dtype }, &t, NULL, 1, &half);
    tensor_unref(t);
    t = half;
  }
  if (!s) *out = t;
  return s;
}

/* Gives x[i] the dtype, through a recorded cast; a number is made on the device. */
static pl_status bring(call *c, int i, int dtype) {
  tensor *t = c->x[i], *made;
  if (!t->is_number && t->view.dtype == dtype) return PL_OK;
  pl_status s = t->is_number
    ? tensor_from_number(t->number, dtype, c->device, &made)
    : apply(OP_cast, &(pl_cast_attrs){ .dtype = dtype }, &t, NULL, 1, &made);
  if (s) return s;
  c->x[i] = made;
  return frame_push(made);
}

static bool is_fixed(const call *c, int i) {
  return (argument(c, i)->marks & (PL_FIXED | PL_POSITIONS)) != 0;
}

/* The dtype of numbers among tensors: theirs, unless a fraction meets integers. */
static int weak_dtype(int strong, double value) {
  if (strong < 0) return value == floor(value) && fabs(value) < 9e15 ? PL_I64 : PL_F32;
  if (dtype_is_float(strong)) return strong;
  if (value != floor(value)) return PL_F32;
  return strong == PL_BOOL && value != 0 && value != 1 ? PL_I64 : strong;
}

static pl_status unify(call *c) {
  int flags = call_flags(c), strong = -1;
  if (!(flags & (PL_PROMOTE | PL_FLOAT))) {
    for (int i = 0; i < c->n_x; i++)
      if (c->x[i] && c->x[i]->is_number) {
        pl_status s = bring(c, i, weak_dtype(-1, c->x[i]->number));
        if (s) return s;
      }
    return PL_OK;
  }
  for (int i = 0; i < c->n_x; i++)
    if (c->x[i] && !is_fixed(c, i) && !c->x[i]->is_number)
      strong = strong < 0 ? c->x[i]->view.dtype : dtype_promote(strong, c->x[i]->view.dtype);
  int joint = strong;
  for (int i = 0; i < c->n_x; i++)
    if (c->x[i] && !is_fixed(c, i) && c->x[i]->is_number) {
      int d = weak_dtype(strong, c->x[i]->number);
      joint = joint < 0 ? d : dtype_promote(joint, d);
    }
  if ((flags & PL_FLOAT) && !dtype_is_float(joint)) joint = PL_F32;
  for (int i = 0; i < c->n_x; i++)
    if (c->x[i] && !is_fixed(c, i)) {
      pl_status s = bring(c, i, joint);
      if (s) return s;
    }
  return PL_OK;
}

/* ---- shapes ---- */

static pl_status infer_call(call *c) {
  const pl_operand *in[c->n_x + 1];
  for (int i = 0; i < c->n_x; i++) in[i] = c->x[i] ? &c->x[i]->view : NULL;
  infer request = { &c->row->info, c->attrs, c->counts, c->n_x, in, c->out };
  pl_status s = c->row->infer(&request);
  if (s) return s;
  for (int j = 0; j < c->row->info.n_out; j++) {
    if (c->out[j].rank > PL_MAX_RANK)
      return status_fail(PL_ESHAPE, call_name(c), NULL, "%s: the result would have %d dimensions, "
                         "at most %d are possible", call_name(c), c->out[j].rank, PL_MAX_RANK);
    if (!shape_is_sane(&c->out[j]))
      return status_fail(PL_ESHAPE, call_name(c), NULL, "%s: the result would have a negative or "
                         "impossible size", call_name(c));
  }
  return PL_OK;
}

/* ---- kernels ---- */

pl_status tensor_dense(tensor *t, tensor **out) {
  device *d = tensor_device(t);
  tensor *y;
  pl_status s = tensor_make(d, &t->view, &y);
  if (s) return s;
  const pl_operand *in[1] = { &t->view }, *to[1] = { &y->view };
  pl_call copy = { sizeof copy, 1, 1, 0, pl_op(OP_copy), NULL, NULL, in, to };
  s = d->kernels[OP_copy](d->state, &copy);
  if (s) tensor_unref(y);
  else *out = y;
  return s;
}

/* Strided operands only where both the row and the device take them. */
static pl_status make_dense(call *c) {
  if ((call_flags(c) & PL_STRIDED) && device_is(c->device, PL_CAP_STRIDED)) return PL_OK;
  for (int i = 0; i < c->n_x; i++) {
    tensor *t = c->x[i], *made;
    if (!t || t->view.dense) continue;
    pl_status s = argument(c, i)->marks & PL_UPDATED
      ? status_fail(PL_ESHAPE, call_name(c), argument(c, i)->name, "%s: %s must be dense; use "
                    ":contiguous()", call_name(c), argument(c, i)->name)
      : tensor_dense(t, &made);
    if (s) return s;
    c->x[i] = made;
    if ((s = frame_push(made))) return s;
  }
  return PL_OK;
}

/* Fills operands with pointers to x's geometry, or to an expanded copy of it in room. */
static pl_status make_operands(call *c, const pl_operand **operands, pl_operand *room) {
  bool broadcast = call_flags(c) & PL_BROADCAST;
  for (int i = 0; i < c->n_x; i++) {
    if (!c->x[i]) {
      operands[i] = NULL;
    } else if (!broadcast || shape_equal(&c->x[i]->view, &c->out[0])) {
      operands[i] = &c->x[i]->view;
    } else {
      shape_expand(&c->x[i]->view, &c->out[0], &room[i]);
      operands[i] = &room[i];
      if (!device_is(c->device, PL_CAP_STRIDED)) {
        tensor wide = { .view = room[i], .storage = c->x[i]->storage }, *made;
        pl_status s = tensor_dense(&wide, &made);
        if (s) return s;
        if ((s = frame_push(made))) return s;
        operands[i] = &made->view;
      }
    }
  }
  return PL_OK;
}

static bool attributes_newer_than_kernel(const call *c) {
  uint32_t known = c->device->kernel_attrs[c->row->info.id];
  uint32_t size = (uint32_t)c->row->info.attrs_size;
  if (known >= size) return false;
  const char *bytes = c->attrs;
  for (uint32_t i = known; i < size; i++)
    if (bytes[i]) return true;
  return false;
}

static pl_status launch_kernel(call *c, const pl_operand *const *out) {
  int id = c->row->info.id;
  pl_kernel kernel = c->device->kernels[id];
  if (!kernel || attributes_newer_than_kernel(c)) return PL_EUNSUPPORTED;
  pl_status s = make_dense(c);
  if (s) return s;
  const pl_operand *in[c->n_x + 1];
  pl_operand room[MAX_PLAIN];
  if ((s = make_operands(c, in, room))) return s;
  int n = c->n_x;
  if (call_flags(c) & PL_RANDOM) {
    tensor *state;
    if ((s = random_state(c->device, &state))) return s;
    in[n++] = &state->view;
  }
  pl_call launch = { sizeof launch, n, c->row->info.n_out, 0, &c->row->info, c->attrs, c->counts,
                     in, out };
  status_running(call_name(c));
  s = kernel(c->device->state, &launch);
  status_running(NULL);
  return s;
}

/* f on a copy of the list of inputs: what it puts there to compute with (dense copies, copies on
** another device) has no history, so the tape and later attempts must see the caller's. */
static pl_status with_own_inputs(call *c, pl_status (*f)(call *, const pl_operand *const *),
                                 const pl_operand *const *out) {
  tensor **given = c->x;
  tensor *x[c->n_x + 1];
  for (int i = 0; i < c->n_x; i++) x[i] = given[i];
  c->x = x;
  pl_status s = f(c, out);
  c->x = given;
  return s;
}

/* PL_EUNSUPPORTED if this device has no kernel that takes the call. */
static pl_status run_kernel(call *c, const pl_operand *const *out) {
  return with_own_inputs(c, launch_kernel, out);
}

static pl_status run_composite(call *c) {
  if (!c->row->info.composite) return PL_EUNSUPPORTED;
  context *here = context_here();
  int32_t recording = here->shared.grad;
  if (c->row->grad != grad_via) here->shared.grad = 0;
  tensor *made[PL_MAX_OUT] = { NULL };
  rule r = { .op = &c->row->info, .attrs = c->attrs, .counts = c->counts, .n_in = c->n_x,
             .x = c->x, .y = made };
  c->row->compose(&r, c->n_x > 0 ? c->x[0] : NULL, c->n_x > 1 ? c->x[1] : NULL);
  here->shared.grad = recording;
  pl_status s = here->rule_status;
  here->rule_status = PL_OK;
  for (int j = 0; !s && j < c->row->info.n_out; j++) c->y[j] = tensor_ref(made[j]);
  return s;
}

/* The CPU computes what this device cannot: operands travel there and back. */
static pl_status launch_on_host(call *c, const pl_operand *const *out) {
  (void)out;
  int32_t cpu;
  pl_status s = pl_device_open("cpu", &cpu);
  if (s) return s;
  if (device_at(cpu) == c->device)
    return status_fail(PL_EDTYPE, call_name(c), NULL, "%s: no kernel on %s takes %s", call_name(c),
                       c->device->name,
                       pl_dtype_name(c->n_x && c->x[0] ? c->x[0]->view.dtype : c->out[0].dtype));
  static uint8_t said[OP_COUNT];
  if (!said[c->row->info.id]++)
    status_log("%s has no kernel for %s: the CPU computes it", c->device->name, call_name(c));
  for (int i = 0; i < c->n_x; i++) {
    if (!c->x[i]) continue;
    if (argument(c, i)->marks & PL_UPDATED)
      return status_fail(PL_EDEVICE, call_name(c), NULL,
                         "%s: %s lacks this kernel, and it updates in "
                         "place", call_name(c), c->device->name);
    tensor *there;
    if ((s = tensor_to_device(c->x[i], device_at(cpu), &there))) return s;
    c->x[i] = there;
    if ((s = frame_push(there))) return s;
  }
  tensor *y[PL_MAX_OUT] = { NULL };
  context *here = context_here();
  int32_t recording = here->shared.grad, device = here->shared.device;
  here->shared.grad = 0;
  here->shared.device = cpu;
  s = apply(c->row->info.id, c->attrs, c->x, c->counts, c->n_x, y);
  here->shared.grad = recording;
  here->shared.device = device;
  for (int j = 0; !s && j < c->row->info.n_out; j++) {
    s = frame_push(y[j]);
    if (!s) s = tensor_to_device(y[j], c->device, &c->y[j]);
  }
  return s;
}

static pl_status run_on_host(call *c) { return with_own_inputs(c, launch_on_host, NULL); }

static pl_status run(call *c) {
  pl_status s = PL_OK;
  int n_out = c->row->info.n_out;
  if (c->device->kernels[c->row->info.id]) {
    const pl_operand *out[PL_MAX_OUT];
    for (int j = 0; j < n_out && !s; j++) {
      s = tensor_make(c->device, &c->out[j], &c->y[j]);
      out[j] = s ? NULL : &c->y[j]->view;
      c->out[j].count = s ? 0 : c->y[j]->view.count;
    }
    if (!s) s = run_kernel(c, out);
    if (!s) return PL_OK;
    for (int j = 0; j < n_out; j++) {
      tensor_unref(c->y[j]);
      c->y[j] = NULL;
    }
    if (s != PL_EUNSUPPORTED) return s;
  }
  s = run_composite(c);
  return s == PL_EUNSUPPORTED ? run_on_host(c) : s;
}

/* ---- views ---- */

static pl_status make_view(call *c) {
  tensor *x = c->x[0], *y;
  if (x->is_number)
    return status_fail(PL_EARGUMENT, call_name(c), "x", "%s: a number has no dimensions",
                       call_name(c));
  if (!(y = tensor_blank())) return PL_EMEMORY;
  y->view = c->out[0];
  y->view.dtype = x->view.dtype;
  y->view.buffer = x->view.buffer;
  shape_refresh(&y->view);
  y->storage = storage_ref(x->storage);
  y->base = tensor_ref(x->base ? x->base : x);
  y->seen = y->base->updates;
  c->y[0] = y;
  return PL_OK;
}

/* A view where strides allow it, else of a copy (reshape of a transpose). */
static pl_status run_view(call *c) {
  pl_status s = infer_call(c);
  if (s == PL_EUNSUPPORTED) {
    tensor *copy;
    if ((s = apply(OP_copy, NULL, c->x, NULL, 1, &copy))) return s;
    c->x[0] = copy;
    if (!(s = frame_push(copy))) s = infer_call(c);
  }
  return s ? s : make_view(c);
}

/* ---- the tape ---- */

static int count_saved(const pl_op_info *op) {
  int n = 0;
  for (int i = 0; i < op->n_in; i++) n += (op->in[i].marks & PL_SAVED) != 0;
  for (int j = 0; j < op->n_out; j++) n += (op->out[j].marks & (PL_SAVED | PL_HIDDEN)) != 0;
  return n;
}

static bool records(const call *c) {
  if (!context_here()->shared.grad || c->row->grad == grad_none || c->row->grad == grad_via)
    return false;
  for (int i = 0; i < c->n_x; i++)
    if (wants_grad(c->x[i])) return true;
  return false;
}

/* A node with the inputs' edges and values; outputs are saved by record_outputs. */
static pl_status record_inputs(const call *c, node **out) {
  const pl_op_info *op = &c->row->info;
  pl_status s = node_new(op->id, c->attrs, (size_t)op->attrs_size, c->x, c->counts, op->n_in,
                         c->n_x, op->n_out, count_saved(op), out);
  if (s) return s;
  int k = 0;
  for (int i = 0; i < op->n_in && !op->list_count; i++)
    if (op->in[i].marks & PL_SAVED) node_save(*out, k++, c->x[i], i, false);
  return PL_OK;
}

static void record_outputs(const call *c, node *n) {
  const pl_op_info *op = &c->row->info;
  int k = n->n_saved;
  for (int j = op->n_out - 1; j >= 0; j--)
    if (op->out[j].marks & (PL_SAVED | PL_HIDDEN)) node_save(n, --k, c->y[j], 8 + j, true);
}

static pl_status record(call *c) {
  node *n;
  pl_status s = record_inputs(c, &n);
  if (s) return s;
  record_outputs(c, n);
  for (int j = 0; j < c->row->info.n_out; j++)
    if (dtype_is_float(c->y[j]->view.dtype) && !(c->row->info.out[j].marks & PL_HIDDEN))
      tensor_set_edge(c->y[j], node_ref(n), j);
  node_unref(n);
  return PL_OK;
}

static void touch_updated(call *c) {
  for (int i = 0; i < c->n_x; i++)
    if (c->x[i] && (argument(c, i)->marks & PL_UPDATED)) tensor_touch(c->x[i], c->row->info.id);
}

/* ---- values that are not finite ---- */

static pl_status check_finite(const call *c, tensor *y) {
  if (!dtype_is_float(y->view.dtype) || y->view.count == 0) return PL_OK;
  context *here = context_here();
  int32_t recording = here->shared.grad;
  tensor *finite, *all;
  uint8_t fine = 1;
  here->shared.anomaly = here->shared.grad = 0;
  pl_status s = apply(OP_isfinite, NULL, &y, NULL, 1, &finite);
  if (!s) {
    s = apply(OP_all, &(pl_all_attrs){ .keepdim = 0 }, &finite, NULL, 1, &all);
    if (!s) {
      s = tensor_read_dense(all, &fine);
      tensor_unref(all);
    }
    tensor_unref(finite);
  }
  here->shared.anomaly = 1;
  here->shared.grad = recording;
  char text[SHAPE_TEXT];
  if (!s && !fine)
    s = status_fail(PL_EUSER, call_name(c), NULL, "%s: the result (%s %s) has values that are not "
                    "finite; no op before it had", call_name(c), pl_dtype_name(y->view.dtype),
                    shape_text(&y->view, text));
  return s;
}

static pl_status check_outputs(const call *c) {
  pl_status s = PL_OK;
  for (int j = 0; j < c->row->info.n_out && !s; j++) s = check_finite(c, c->y[j]);
  return s;
}

/* ---- the way through ---- */

/* Lengths of lists among the attributes: a caller in C may have written anything. */
static pl_status check_vectors(const call *c) {
  const char *bytes = c->attrs;
  for (int i = 0; i < 4; i++) {
    int64_t dims = 0, sizes = 0;
    if (c->row->dims_at[i] >= 0) dims = ((const pl_dims *)(bytes + c->row->dims_at[i]))->n;
    if (c->row->sizes_at[i] >= 0) sizes = ((const pl_sizes *)(bytes + c->row->sizes_at[i]))->n;
    if (dims < 0 || dims > PL_MAX_RANK || sizes < 0 || sizes > PL_MAX_RANK)
      return status_fail(PL_EARGUMENT, call_name(c), NULL,
                         "%s: an attribute lists %lld dimensions, at "
                         "most %d are possible", call_name(c), (long long)(dims ? dims : sizes),
                         PL_MAX_RANK);
  }
  return PL_OK;
}

static pl_status check_call(const call *c, int n_x) {
  context *here = context_here();
  const pl_op_info *op = &c->row->info;
  if (pl_interrupt_pending() >= here->shared.interrupts)
    return status_fail(PL_EINTERRUPTED, op->name, NULL, "interrupted");
  if (c->counts ? op->list_count == 0 : n_x != op->n_in)
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s takes %d inputs, got %d", op->name,
                       op->n_in, n_x);
  for (int i = 0; i < n_x; i++)
    if (!c->x[i] && !(argument(c, i)->marks & PL_OPTIONAL))
      return status_fail(PL_EARGUMENT, op->name, argument(c, i)->name, "%s: %s is missing",
                         op->name, argument(c, i)->name);
  for (int i = 0; c->counts && i < op->n_in; i++)
    if (!(op->in[i].marks & PL_LIST) && c->counts[i] != 1
        && !(c->counts[i] == 0 && (op->in[i].marks & PL_OPTIONAL)))
      return status_fail(PL_EARGUMENT, op->name, op->in[i].name, "%s: %s is missing", op->name,
                         op->in[i].name);
  if (!c->attrs && op->fields[0])
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s: the attributes are missing", op->name);
  return c->row->dims_at[0] < 0 && c->row->sizes_at[0] < 0 ? PL_OK : check_vectors(c);
}

static pl_status apply_call(call *c) {
  pl_status s = check_call(c, c->n_x);
  if (s || (s = find_device(c)) || (s = unify(c))) return s;
  if (call_flags(c) & PL_VIEW) s = run_view(c);
  else if (!(s = infer_call(c))) s = run(c);
  if (s) return s;
  touch_updated(c);
  if (records(c)) s = record(c);
  if (!s && context_here()->shared.anomaly) s = check_outputs(c);
  return s;
}

pl_status apply(int op, const void *attrs, tensor *const *in, const int32_t *counts, int n_in,
                tensor **out) {
  tensor *x[n_in + 1];
  call c = { .row = &op_table[op], .attrs = attrs, .counts = counts, .n_x = n_in, .x = x };
  for (int i = 0; i < n_in; i++) x[i] = in[i];
  int32_t mark = frame_open();
  pl_status s = apply_call(&c);
  frame_close(mark);
  for (int j = 0; j < c.row->info.n_out; j++) {
    if (!s) out[j] = c.y[j];
    else tensor_unref(c.y[j]);
  }
  return s;
}

/* ---- in place ---- */

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
  if (s || (s = find_device(c)) || (s = unify(c)) || (s = infer_call(c))) return s;
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
  pl_status s = records(c) ? record_inputs(c, &n) : PL_OK;
  if (s) return s;
  const pl_operand *out[1] = { &x->view };
  c->out[0].count = x->view.count;
  s = run_kernel(c, out);
  if (s) {
    node_unref(n);
    return s;
  }
  tensor_touch(x, c->row->info.id);
  if (n) {
    c->y[0] = x;
    record_outputs(c, n);
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

static pl_status apply_in_place(int op, const void *attrs, tensor *const *in, int n_in) {
  tensor *x[n_in + 1];
  call c = { .row = &op_table[op], .attrs = attrs, .n_x = n_in, .x = x };
  for (int i = 0; i < n_in; i++) x[i] = in[i];
  int32_t mark = frame_open();
  pl_status s = check_call(&c, n_in);
  if (!s) s = apply_over(&c, in[0]);
  if (!s && context_here()->shared.anomaly) s = check_finite(&c, in[0]);
  frame_close(mark);
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
  call c = { .row = &op_table[OP_copy], .n_x = 1, .x = &src, .device = tensor_device(t) };
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
  pl_status s = bring(&c, 0, t->view.dtype);
  if (s || shape_equal(&src->view, &t->view)) {
    *out = src;
    return s;
  }
  pl_expand_attrs wide = { .sizes = { .n = t->view.rank } };
  memcpy(wide.sizes.size, t->view.sizes, sizeof wide.sizes.size);
  if ((s = apply(OP_expand, &wide, &src, NULL, 1, out))) return s;
  return frame_push(*out);
}

pl_status tensor_assign(tensor *t, tensor *src) {
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
    call c = { .row = &op_table[OP_copy], .n_x = 1, .x = &from, .device = tensor_device(t) };
    node *n = NULL;
    const pl_operand *in[1] = { &from->view }, *out[1] = { &t->view };
    pl_call copy = { sizeof copy, 1, 1, 0, pl_op(OP_copy), NULL, NULL, in, out };
    if (records(&c)) s = record_inputs(&c, &n);
    if (!s) s = c.device->kernels[OP_copy](c.device->state, &copy);
    if (s) {
      node_unref(n);
    } else {
      tensor_touch(t, OP_copy);
      if (n || (context_here()->shared.grad && wants_grad(t))) s = tensor_rebase(t, n);
    }
  }
  frame_close(mark);
  return s;
}

/* ---- rules call ops as functions ---- */

tensor *rule_apply(int op, const void *attrs, int n, tensor *const *x) {
  context *c = context_here();
  const pl_op_info *info = pl_op(op);
  tensor *all[8] = { NULL }, *out[PL_MAX_OUT];
  for (int i = 0; i < n; i++) {
    all[i] = x[i];
    if (!x[i] && !(info->in[i].marks & PL_OPTIONAL)) return NULL;
  }
  if (c->rule_status) return NULL;
  pl_status s = apply(op, attrs, all, NULL, info->n_in, out);
  for (int j = 0; !s && j < info->n_out; j++) s = frame_push(out[j]);
  c->rule_status = s;
  return s ? NULL : out[0];
}

tensor *rule_number(double value) {
  tensor *t;
  context *c = context_here();
  if (c->rule_status) return NULL;
  c->rule_status = tensor_number(value, &t);
  if (!c->rule_status) c->rule_status = frame_push(t);
  return c->rule_status ? NULL : t;
}

void rule_fail(pl_status status) {
  context *c = context_here();
  if (!c->rule_status) c->rule_status = status;
}

bool rule_failed(void) { return context_here()->rule_status != PL_OK; }

/* ---- from outside ---- */

static pl_status resolve(const pl_op_info *op, const int32_t *counts, const pl_tensor *in, int n_in,
                         tensor **x) {
  call c = { .row = &op_table[op->id], .counts = counts };
  for (int i = 0; i < n_in; i++) {
    x[i] = NULL;
    if (in[i] == 0) continue;
    pl_status s = tensor_get(in[i], op->name, i < op->n_in || counts ? argument(&c, i)->name : "",
                             &x[i]);
    if (s) return s;
  }
  return PL_OK;
}

static pl_status no_op(int32_t op) {
  return status_fail(PL_EARGUMENT, NULL, NULL, "op %d does not exist", op);
}

pl_status pl_apply(int32_t op, const void *attrs, const pl_tensor *in, const int32_t *counts,
                   int32_t n_in, pl_tensor *out) {
  if (op < 0 || op >= OP_COUNT) return no_op(op);
  const pl_op_info *info = pl_op(op);
  tensor *x[n_in + 1], *y[PL_MAX_OUT];
  pl_status s = resolve(info, counts, in, n_in, x);
  if (s || (s = apply(op, attrs, x, counts, n_in, y))) return s;
  for (int j = 0, k = 0; j < info->n_out; j++) {
    if (info->out[j].marks & PL_HIDDEN) tensor_unref(y[j]);
    else out[k++] = tensor_handle(y[j]);
  }
  return PL_OK;
}

pl_status pl_apply_in_place(int32_t op, const void *attrs, const pl_tensor *in, int32_t n_in) {
  if (op < 0 || op >= OP_COUNT) return no_op(op);
  tensor *x[n_in + 1];
  pl_status s = resolve(pl_op(op), NULL, in, n_in, x);
  return s ? s : apply_in_place(op, attrs, x, n_in);
}

pl_status pl_tensor_assign(pl_tensor t, pl_tensor src) {
  tensor *to, *from;
  pl_status s = tensor_get(t, "copy", "x", &to);
  if (s || (s = tensor_get(src, "copy", "src", &from))) return s;
  return tensor_assign(to, from);
}
