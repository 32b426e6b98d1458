/*
** autocast.c -- the dtype a row computes in while autocast is on: the half type where that pays
** (products, convolutions), f32 where range or sums need it; other rows promote as always.
** Casts are recorded, so gradients reach f32 parameters. The half values of a parameter are made
** once per version and kept beside its storage; each use records a cast of its own.
*/
#include "call.h"

/* A dense f32 leaf that wants a gradient and is all of its storage. */
static bool is_weight(const tensor *t) {
  return t->view.dtype == PL_F32 && t->edge.node && t->edge.node->op == NODE_LEAF && !t->base
      && t->view.dense && !t->storage->reused;
}

/* The storage of t's values in `dtype`, which t's own storage keeps until they change. */
static pl_status low_values(tensor *t, int32_t dtype) {
  storage *own = t->storage;
  if (own->low && own->low_dtype == dtype && own->low_version == own->version) return PL_OK;
  context *here = context_here();
  int32_t recording = here->shared.grad;
  tensor *made;
  here->shared.grad = 0;
  pl_status s = apply(OP_cast, &(pl_cast_attrs){ .dtype = dtype }, &t, NULL, 1, &made);
  here->shared.grad = recording;
  if (s) return s;
  storage_unref(own->low);
  own->low = storage_ref(made->storage);
  own->low_dtype = dtype;
  own->low_version = own->version;
  tensor_unref(made);
  return PL_OK;
}

/* x[i] becomes a tensor over its kept half values, recorded as the cast it stands for. */
static pl_status bring_weight(call *c, int i, int32_t dtype) {
  tensor *t = c->x[i], *low;
  pl_status s = low_values(t, dtype);
  if (s) return s;
  if (!(low = tensor_blank())) return PL_EMEMORY;
  low->view = t->view;
  low->view.dtype = dtype;
  low->view.buffer = t->storage->low->buffer;
  low->storage = storage_ref(t->storage->low);
  pl_cast_attrs attrs = { .dtype = dtype };
  call cast;
  call_open(&cast, OP_cast, &attrs, NULL, 1, &t);
  cast.y[0] = low;
  if (call_records(&cast)) s = call_record(&cast);
  if (s) {
    tensor_unref(low);
    return s;
  }
  c->x[i] = low;
  return frame_push(low);
}

static bool takes_part(const call *c, int i) {
  const tensor *t = c->x[i];
  return t && !t->is_number && dtype_is_float(t->view.dtype) && t->view.dtype != PL_F64
      && !(call_argument(c, i)->marks & (PL_FIXED | PL_POSITIONS));
}

pl_status call_cast_class(call *c) {
  int32_t low = c->here->shared.autocast;
  if (!low) return PL_OK;
  int32_t dtype = call_flags(c) & PL_CAST_LOW ? low : PL_F32;
  pl_status s = PL_OK;
  for (int i = 0; i < c->n_x && !s; i++) {
    if (!takes_part(c, i) || c->x[i]->view.dtype == dtype) continue;
    s = dtype != PL_F32 && is_weight(c->x[i]) ? bring_weight(c, i, dtype) : call_bring(c, i, dtype);
  }
  return s;
}
