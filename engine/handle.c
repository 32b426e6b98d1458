/*
** handle.c -- what the binding does with tensors: make, describe, read, write, keep, swap.
** Every function resolves its handles first; a stale one is PL_ESTALE.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "autograd.h"
#include "cell.h"
#include "context.h"
#include "dispatch.h"
#include "status.h"

static pl_status get(pl_tensor handle, tensor **out) { return tensor_get(handle, NULL, NULL, out); }

pl_status pl_tensor_empty(int32_t id, int32_t dtype, int32_t rank, const int64_t *sizes,
                          pl_tensor *out) {
  device *d = device_at(id);
  pl_operand like = { .dtype = dtype, .rank = rank };
  if (!d) return status_fail(PL_EDEVICE, NULL, NULL, "device %d is not open", id);
  if (dtype < 0 || dtype >= PL_DTYPES)
    return status_fail(PL_EDTYPE, NULL, "dtype", "dtype %d does not exist", dtype);
  if (rank < 0 || rank > PL_MAX_RANK)
    return status_fail(PL_ESHAPE, NULL, "sizes", "%d dimensions asked for, at most %d are possible",
                       rank, PL_MAX_RANK);
  memcpy(like.sizes, sizes, (size_t)rank * sizeof *sizes);
  if (!shape_is_sane(&like)) {
    char text[SHAPE_TEXT];
    return status_fail(PL_ESHAPE, NULL, "sizes", "no tensor can be %s: a size is negative or their "
                       "product is too large", shape_text(&like, text));
  }
  tensor *t;
  pl_status s = tensor_make(d, &like, &t);
  if (!s) *out = tensor_handle(t);
  return s;
}

pl_status pl_tensor_number(double value, pl_tensor *out) {
  tensor *t;
  pl_status s = tensor_number(value, &t);
  if (!s) *out = tensor_handle(t);
  return s;
}

pl_status pl_tensor_describe(pl_tensor handle, pl_tensor_info *out) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s) return s;
  const pl_operand *v = &t->view;
  *out = (pl_tensor_info){
    .dtype = v->dtype, .rank = v->rank, .device = t->storage ? t->storage->device : -1,
    .requires_grad = wants_grad(t), .is_leaf = !t->edge.node || t->edge.node->op == NODE_LEAF,
    .is_dense = shape_is_contiguous(v), .is_number = t->is_number,
    .has_grad = leaf_of(t) && leaf_of(t)->leaf_grad,
    .offset = v->offset, .count = v->count, .version = t->storage ? t->storage->version : 0,
  };
  memcpy(out->sizes, v->sizes, (size_t)v->rank * sizeof *v->sizes);
  memcpy(out->strides, v->strides, (size_t)v->rank * sizeof *v->strides);
  return PL_OK;
}

static pl_status check_bytes(const tensor *t, int64_t bytes) {
  if (bytes == shape_bytes(&t->view)) return PL_OK;
  return status_fail(PL_EARGUMENT, NULL, "bytes", "%lld bytes given, the tensor holds %lld",
                     (long long)bytes, (long long)shape_bytes(&t->view));
}

pl_status pl_tensor_write(pl_tensor handle, const void *src, int64_t bytes) {
  tensor *t, *dense;
  pl_status s = get(handle, &t);
  if (s || (s = check_bytes(t, bytes)) || (s = tensor_check_update(t, "write"))) return s;
  if (t->is_number)
    return status_fail(PL_EARGUMENT, NULL, NULL, "write: a number has no storage to write to");
  device *d = tensor_device(t);
  size_t at = (size_t)t->view.offset * (size_t)pl_dtype_size(t->view.dtype);
  if (shape_is_contiguous(&t->view)) {
    s = bytes ? d->table->write(d->state, t->view.buffer, at, src, (size_t)bytes) : PL_OK;
    if (!s) tensor_touch(t, -1);
    return s;
  }
  if ((s = tensor_make(d, &t->view, &dense))) return s;
  s = d->table->write(d->state, dense->view.buffer, 0, src, (size_t)bytes);
  if (!s) s = tensor_assign(t, dense);
  tensor_unref(dense);
  return s;
}

pl_status pl_tensor_read(pl_tensor handle, void *dst, int64_t bytes) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s || (s = check_bytes(t, bytes))) return s;
  return tensor_read_dense(t, dst);
}

/* LuaJIT keeps pointers in the spare bits of NaNs: one that comes from a file must not be read as
** a value of Lua. */
pl_status pl_tensor_numbers(pl_tensor handle, void *dst, int64_t bytes) {
  tensor *t;
  pl_status s = pl_tensor_read(handle, dst, bytes);
  if (s || (s = get(handle, &t))) return s;
  float *f32 = t->view.dtype == PL_F32 ? dst : NULL;
  double *f64 = t->view.dtype == PL_F64 ? dst : NULL;
  for (int64_t i = 0; f32 && i < t->view.count; i++)
    if (isnan(f32[i])) f32[i] = NAN;
  for (int64_t i = 0; f64 && i < t->view.count; i++)
    if (isnan(f64[i])) f64[i] = NAN;
  return PL_OK;
}

typedef union element { uint8_t u8; int32_t i32; int64_t i64; float f32; double f64; } element;

static double element_value(const element *cell, int dtype) {
  switch (dtype) {
    case PL_BOOL: case PL_U8: return cell->u8;
    case PL_I32: return cell->i32;
    case PL_I64: return (double)cell->i64;
    case PL_F32: return (double)cell->f32;
    default: return cell->f64;
  }
}

/* The CPU casts it: an op on the tensor's own device may have to wait for Lua. */
static pl_status half_item(tensor *t, double *out) {
  int32_t cpu;
  float cell;
  tensor *half, *wide;
  pl_status s = pl_device_open("cpu", &cpu);
  if (s || (s = tensor_to_device(t, device_at(cpu), &half))) return s;
  s = apply(OP_cast, &(pl_cast_attrs){ .dtype = PL_F32 }, &half, NULL, 1, &wide);
  if (!s) {
    s = tensor_read_dense(wide, &cell);
    tensor_unref(wide);
  }
  tensor_unref(half);
  if (!s) *out = (double)cell;
  return s;
}

static pl_status item_of(tensor *t, double *out) {
  element cell;
  pl_status s;
  if (t->view.count != 1)
    return status_fail(PL_ESHAPE, "item", NULL,
                       "item: the tensor has %lld elements, item() reads one; "
                       "use :totable()", (long long)t->view.count);
  if (t->is_number) {
    *out = t->number;
    return PL_OK;
  }
  int dtype = t->view.dtype;
  if (dtype != PL_F16 && dtype != PL_BF16) {
    if ((s = tensor_read_dense(t, &cell))) return s;
    *out = element_value(&cell, dtype);
    return PL_OK;
  }
  return half_item(t, out);
}

pl_status pl_tensor_item(pl_tensor handle, double *out) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s || (s = item_of(t, out))) return s;
  if (isnan(*out)) *out = NAN;
  return PL_OK;
}

pl_status pl_tensor_data(pl_tensor handle, void **out) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s) return s;
  device *d = t->storage ? tensor_device(t) : NULL;
  if (!d || !device_is(d, PL_CAP_HOST) || !d->table->map)
    return status_fail(PL_EDEVICE, NULL, NULL,
                       "the memory of %s cannot be pointed at; use :to(\"cpu\")",
                       d ? d->name : "a number");
  char *data = d->table->map(d->state, t->view.buffer);
  *out = data + t->view.offset * pl_dtype_size(t->view.dtype);
  return PL_OK;
}

pl_status pl_tensor_touch(pl_tensor handle) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (!s && t->storage) tensor_touch(t, -1);
  return s;
}

pl_status pl_tensor_set_reused(pl_tensor handle) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (!s && t->storage) t->storage->reused = true;
  return s;
}

pl_status tensor_to_device(tensor *t, device *d, tensor **out) {
  if (t->is_number) return tensor_from_number(t->number, t->view.dtype, d, out);
  if (tensor_device(t) == d) {
    *out = tensor_ref(t);
    return PL_OK;
  }
  tensor *y;
  pl_status s = tensor_make(d, &t->view, &y);
  if (s) return s;
  size_t bytes = (size_t)shape_bytes(&t->view);
  void *host = malloc(bytes ? bytes : 1);
  if (!host) s = status_fail(PL_EMEMORY, NULL, NULL, "out of memory: %zu bytes on the host", bytes);
  if (!s) s = tensor_read_dense(t, host);
  if (!s && bytes) s = d->table->write(d->state, y->view.buffer, 0, host, bytes);
  free(host);
  if (s) tensor_unref(y);
  else *out = y;
  return s;
}

pl_status pl_tensor_to_device(pl_tensor handle, int32_t id, pl_tensor *out) {
  tensor *t, *y;
  device *d = device_at(id);
  pl_status s = get(handle, &t);
  if (s) return s;
  if (!d) return status_fail(PL_EDEVICE, NULL, NULL, "device %d is not open", id);
  if (context_here()->shared.grad && wants_grad(t) && t->storage->device != id)
    return status_fail(PL_EDEVICE, "to", NULL, "to: gradients do not travel between devices; move "
                       "before requires_grad_, or use :detach()");
  if (t->storage && t->storage->device == id) s = tensor_alias(t, &y);
  else s = tensor_to_device(t, d, &y);
  if (!s) *out = tensor_handle(y);
  return s;
}

pl_status pl_tensor_detach(pl_tensor handle, pl_tensor *out) {
  tensor *t, *y;
  pl_status s = get(handle, &t);
  if (s || (s = tensor_alias(t, &y))) return s;
  *out = tensor_handle(y);
  return PL_OK;
}

static void cut_history(tensor *t) {
  if (t->edge.node && t->edge.node->op != NODE_LEAF) tensor_set_edge(t, NULL, 0);
  tensor *base = t->base;
  t->base = NULL;
  tensor_unref(base);
}

pl_status pl_tensor_keep(pl_tensor handle, pl_tensor *out) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s) return s;
  if (t->storage && t->storage->reused) {
    tensor *copy;
    if ((s = tensor_dense(t, &copy))) return s;
    *out = tensor_handle(copy);
    t = copy;
  } else {
    cut_history(t);
    *out = handle;
  }
  scope_remove(t);
  return PL_OK;
}

pl_status pl_tensor_adopt(pl_tensor handle, int32_t scope) {
  tensor *t;
  pl_status s = get(handle, &t);
  if (s) return s;
  context *c = context_here();
  if (scope < 0 || scope >= c->n_scopes ? scope != 0 : scope && !c->scopes[scope].used)
    return status_fail(PL_EARGUMENT, NULL, NULL, "scope %d does not exist", scope);
  scope_remove(t);
  scope_add(t, scope);
  return PL_OK;
}

pl_status pl_tensor_swap(pl_tensor handle, pl_tensor other) {
  tensor *t, *o;
  pl_status s = get(handle, &t);
  if (s || (s = get(other, &o))) return s;
  if (t->is_number || o->is_number)
    return status_fail(PL_EARGUMENT, NULL, NULL, "swap: a number has no storage");
  node *leaf = leaf_of(t);
  bool alike = t->storage && shape_equal(&t->view, &o->view) && t->view.dtype == o->view.dtype
            && t->storage->device == o->storage->device;
  if (leaf && !alike) {
    tensor_unref(leaf->leaf_grad);
    leaf->leaf_grad = NULL;
  }
  cut_history(t);
  storage *old = t->storage;
  t->storage = storage_ref(o->storage);
  t->view = o->view;
  storage_unref(old);
  return PL_OK;
}

void pl_tensor_release(pl_tensor handle) {
  tensor *t = tensor_find(handle);
  if (t) tensor_end_handle(t);
}

struct pl_reference { pl_tensor handle; };

pl_status pl_reference_new(pl_tensor handle, pl_reference **out) {
  pl_reference *r = cell_new(sizeof *r);
  if (!r) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  r->handle = handle;
  *out = r;
  return PL_OK;
}

void pl_reference_free(pl_reference *r) {
  if (!r) return;
  pl_tensor_release(r->handle);
  cell_free(r, sizeof *r);
}
