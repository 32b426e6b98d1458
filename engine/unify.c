/*
** unify.c -- one device and one dtype for the inputs of a call: PyTorch's promotion through
** recorded casts, numbers made on the device in the dtype they meet.
*/
#include "call.h"
#include <math.h>

pl_status call_find_device(call *c) {
  int first = -1;
  c->device = NULL;
  for (int i = 0; i < c->n_x; i++) {
    if (!c->x[i] || c->x[i]->is_number) continue;
    device *d = tensor_device(c->x[i]);
    if (!c->device) {
      c->device = d;
      first = i;
    } else if (d != c->device) {
      return status_fail(PL_EDEVICE, call_name(c), call_argument(c, i)->name,
                         "%s: %s is on %s, %s is on %s; move one with :to()", call_name(c),
                         call_argument(c, first)->name, c->device->name, call_argument(c, i)->name,
                         d->name);
    }
  }
  if (!c->device) c->device = device_at(c->here->shared.device);
  return c->device ? PL_OK : status_fail(PL_EDEVICE, call_name(c), NULL, "no device is open");
}

pl_status tensor_from_number(double value, int dtype, device *d, tensor **out) {
  union { uint8_t u8; int32_t i32; int64_t i64; float f32; double f64; } cell;
  int made = dtype_is_half(dtype) ? PL_F32 : dtype;
  pl_operand scalar = { .dtype = made };
  switch (made) {
    case PL_BOOL: cell.u8 = value != 0; break;
    case PL_U8: cell.u8 = (uint8_t)dtype_whole(value); break;
    case PL_I32: cell.i32 = (int32_t)dtype_whole(value); break;
    case PL_I64: cell.i64 = dtype_whole(value); break;
    case PL_F32: cell.f32 = (float)value; break;
    default: cell.f64 = value;
  }
  tensor *t;
  pl_status s = tensor_make(d, &scalar, &t);
  if (s) return s;
  s = d->table->write(d->state, t->view.buffer, 0, &cell, (size_t)pl_dtype_size(made));
  if (!s && made == dtype) {
    *out = t;
    return PL_OK;
  }
  if (!s) s = apply(OP_cast, &(pl_cast_attrs){ .dtype = dtype }, &t, NULL, 1, out);
  tensor_unref(t);
  return s;
}

/* Gives x[i] the dtype, through a recorded cast; a number is made on the device. */
pl_status call_bring(call *c, int i, int dtype) {
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
  return (call_argument(c, i)->marks & (PL_FIXED | PL_POSITIONS)) != 0;
}

/* The dtype of numbers among tensors: theirs, unless a fraction meets integers, or what no integer
** holds. */
static int weak_dtype(int strong, double value) {
  if (strong < 0) return value == floor(value) && fabs(value) < 9e15 ? PL_I64 : PL_F32;
  if (dtype_is_float(strong)) return strong;
  if (value != floor(value) || fabs(value) >= 0x1p63) return PL_F32;
  return strong == PL_BOOL && value != 0 && value != 1 ? PL_I64 : strong;
}

pl_status call_unify(call *c) {
  int flags = call_flags(c), strong = -1;
  if (!(flags & (PL_PROMOTE | PL_FLOAT))) {
    for (int i = 0; i < c->n_x; i++)
      if (c->x[i] && c->x[i]->is_number) {
        pl_status s = call_bring(c, i, weak_dtype(-1, c->x[i]->number));
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
      pl_status s = call_bring(c, i, joint);
      if (s) return s;
    }
  return PL_OK;
}
