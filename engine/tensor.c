/*
** tensor.c -- slots, storages, scopes' members and frames.
** Invariant: a handle is valid while its slot's generation matches; the object behind it lives on
** while the engine itself refers to it.
*/
#include "tensor.h"
#include <stdlib.h>
#include <string.h>
#include "autograd.h"
#include "cell.h"
#include "dispatch.h"
#include "context.h"
#include "status.h"

enum { CHUNK = 256, SLOT_BITS = 24, MAX_SLOTS = 1 << SLOT_BITS };

/* ---- storages ---- */

storage *storage_ref(storage *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void storage_unref(storage *s) {
  if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  pool_give(device_at(s->device), s->buffer, s->bytes);
  storage_unref(s->low);
  cell_free(s, sizeof *s);
}

static pl_status storage_new(device *d, int64_t bytes, storage **out) {
  pl_buffer *buffer;
  int64_t rounded;
  pl_status status = pool_take(d, bytes, &buffer, &rounded);
  if (status) return status;
  storage *s = cell_new(sizeof *s);
  if (!s) {
    pool_give(d, buffer, rounded);
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  }
  atomic_init(&s->refs, 1);
  s->device = d->id;
  s->writer = -1;
  s->buffer = buffer;
  s->bytes = rounded;
  context_here()->shared.allocated += rounded;
  *out = s;
  return PL_OK;
}

/* ---- slots ---- */

static bool slots_grow(context *c) {
  if (c->n_slots + CHUNK > MAX_SLOTS) return false;
  tensor **chunks = realloc(c->chunks, (size_t)(c->n_chunks + 1) * sizeof *chunks);
  if (!chunks) return false;
  c->chunks = chunks;
  tensor *chunk = calloc(CHUNK, sizeof *chunk);
  if (!chunk) return false;
  chunks[c->n_chunks++] = chunk;
  for (int i = CHUNK - 1; i >= 0; i--) {
    chunk[i].slot = c->n_slots + i;
    chunk[i].generation = 1;
    chunk[i].next = c->free_slots;
    c->free_slots = &chunk[i];
  }
  c->n_slots += CHUNK;
  return true;
}

tensor *tensor_blank(void) {
  context *c = context_here();
  if (!c->free_slots && !slots_grow(c)) {
    status_fail(PL_EMEMORY, NULL, NULL, "out of memory: %d tensors exist", c->n_slots);
    return NULL;
  }
  tensor *t = c->free_slots;
  c->free_slots = t->next;
  t->next = NULL;
  t->refs = 1;
  return t;
}

static void slot_free(tensor *t) {
  context *c = context_here();
  int32_t slot = t->slot;
  uint32_t generation = t->generation;
  t->storage = NULL;
  t->edge = (edge){ 0 };
  t->off = NULL;
  t->base = t->previous = NULL;
  t->updates = t->seen = t->scope = 0;
  t->is_number = t->handled = false;
  t->slot = slot;
  t->generation = generation;
  t->next = c->free_slots;
  c->free_slots = t;
}

void tensor_unref(tensor *t) {
  while (t && --t->refs == 0) {
    tensor *base = t->base;
    node_unref(t->edge.node);
    node_unref(t->off);
    storage_unref(t->storage);
    slot_free(t);
    t = base;
  }
}

pl_status tensor_make(device *d, const pl_operand *like, tensor **out) {
  tensor *t = tensor_blank();
  if (!t) return PL_EMEMORY;
  t->view.dtype = like->dtype;
  t->view.rank = like->rank;
  memcpy(t->view.sizes, like->sizes, (size_t)like->rank * sizeof *like->sizes);
  shape_make_dense(&t->view);
  pl_status s = storage_new(d, shape_bytes(&t->view), &t->storage);
  if (s) {
    tensor_unref(t);
    return s;
  }
  t->view.buffer = t->storage->buffer;
  *out = t;
  return PL_OK;
}

pl_status tensor_alias(tensor *t, tensor **out) {
  tensor *a = tensor_blank();
  if (!a) return PL_EMEMORY;
  a->view = t->view;
  a->is_number = t->is_number;
  a->number = t->number;
  if (t->storage) a->storage = storage_ref(t->storage);
  *out = a;
  return PL_OK;
}

pl_status tensor_number(double value, tensor **out) {
  tensor *t = tensor_blank();
  if (!t) return PL_EMEMORY;
  t->is_number = true;
  t->number = value;
  bool fits = value > -0x1p63 && value < 0x1p63;
  t->view.dtype = fits && value == (double)(int64_t)value ? PL_I64 : PL_F32;
  t->view.rank = 0;
  shape_make_dense(&t->view);
  t->view.buffer = NULL;
  *out = t;
  return PL_OK;
}

void tensor_set_edge(tensor *t, node *n, int32_t output) {
  node *old = t->edge.node;
  t->edge = (edge){ n, output };
  node_unref(old);
}

void tensor_touch(tensor *t, int32_t op) {
  t->storage->version++;
  t->storage->writer = op;
}

/* ---- handles ---- */

pl_tensor tensor_handle(tensor *t) {
  context *c = context_here();
  t->handled = true;
  scope_add(t, c->shared.scope);
  return (double)((int64_t)t->generation << SLOT_BITS | t->slot);
}

tensor *tensor_find(pl_tensor handle) {
  context *c = context_here();
  int64_t h = (int64_t)handle;
  int32_t slot = (int32_t)(h & (MAX_SLOTS - 1));
  if (slot >= c->n_slots) return NULL;
  tensor *t = &c->chunks[slot / CHUNK][slot % CHUNK];
  return t->handled && t->generation == (uint32_t)(h >> SLOT_BITS) ? t : NULL;
}

pl_status tensor_get(pl_tensor handle, const char *op, const char *argument, tensor **out) {
  if ((*out = tensor_find(handle))) return PL_OK;
  return status_fail(PL_ESTALE, op, argument, "%s%sthe tensor is used after its scope has closed",
                     op ? op : "", op ? ": " : "");
}

/* Ends the handle; the object goes when nothing else refers to it. */
void tensor_end_handle(tensor *t) {
  scope_remove(t);
  t->handled = false;
  t->generation = (t->generation + 1) & 0xfffffff;
  if (!t->generation) t->generation = 1;
  tensor_unref(t);
}

/* ---- frames ---- */

int32_t frame_open(void) { return context_here()->n_temps; }

pl_status frame_push(tensor *t) {
  context *c = context_here();
  if (c->n_temps == c->temps_capacity) {
    int32_t capacity = c->temps_capacity ? 2 * c->temps_capacity : 256;
    tensor **grown = realloc(c->temps, (size_t)capacity * sizeof *grown);
    if (!grown) {
      tensor_unref(t);
      return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
    }
    c->temps = grown;
    c->temps_capacity = capacity;
  }
  c->temps[c->n_temps++] = t;
  return PL_OK;
}

void frame_close(int32_t mark) {
  context *c = context_here();
  while (c->n_temps > mark) tensor_unref(c->temps[--c->n_temps]);
}

/* ---- reading and writing ---- */

enum { SMALL = 64 * 1024 };          /* bytes whose way to the host costs less than a launch */

/* Bytes from the first element of o to the end of its last; -1 where strides go backwards. */
static int64_t span_of(const pl_operand *o) {
  int64_t last = 0;
  for (int d = 0; d < o->rank; d++) {
    if (o->strides[d] < 0) return -1;
    last += (o->sizes[d] - 1) * o->strides[d];
  }
  return (last + 1) * pl_dtype_size(o->dtype);
}

/* The elements of o, whose first is at `from`, in row-major order. */
static void gather(const pl_operand *o, const char *from, char *to) {
  int64_t at[PL_MAX_RANK] = { 0 }, place = 0;
  size_t size = (size_t)pl_dtype_size(o->dtype);
  for (int64_t i = 0; i < o->count; i++) {
    memcpy(to + (size_t)i * size, from + place * (int64_t)size, size);
    for (int d = o->rank - 1; d >= 0; d--) {
      place += o->strides[d];
      if (++at[d] < o->sizes[d]) break;
      place -= at[d] * o->strides[d];
      at[d] = 0;
    }
  }
}

/* What lies between the elements travels too. */
static pl_status read_span(device *d, const pl_operand *o, size_t bytes, void *dst) {
  char *span = malloc(bytes);
  if (!span) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory: %zu bytes on the host",
                                bytes);
  size_t at = (size_t)o->offset * (size_t)pl_dtype_size(o->dtype);
  pl_status s = d->table->read(d->state, o->buffer, at, span, bytes);
  if (!s) gather(o, span, dst);
  free(span);
  return s;
}

/* A small view is put in order here: a device need not launch a copy for it, or compile one. */
pl_status tensor_read_dense(tensor *t, void *dst) {
  if (t->is_number)
    return status_fail(PL_EARGUMENT, NULL, NULL, "a number has no storage to read");
  device *d = tensor_device(t);
  size_t size = (size_t)pl_dtype_size(t->view.dtype), bytes = (size_t)shape_bytes(&t->view);
  if (!bytes) return PL_OK;
  if (shape_is_contiguous(&t->view))
    return d->table->read(d->state, t->view.buffer, (size_t)t->view.offset * size, dst, bytes);
  int64_t span = span_of(&t->view);
  if (span > 0 && span <= SMALL) return read_span(d, &t->view, (size_t)span, dst);
  tensor *dense;
  pl_status s = tensor_dense(t, &dense);
  if (s) return s;
  s = d->table->read(d->state, dense->view.buffer, 0, dst, bytes);
  tensor_unref(dense);
  return s;
}
