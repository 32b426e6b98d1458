/*
** tensor.h -- the objects: storage (counted bytes of a device), tensor (geometry over a storage,
** a handle's slot), node (how values came about), context (one thread's state).
** Tensors, nodes and contexts belong to one thread; storages may be shared between threads.
*/
#pragma once
#include "device.h"
#include "shape.h"
#include <stdatomic.h>

typedef struct node node;
typedef struct tensor tensor;

typedef struct storage {
  atomic_int refs;
  int32_t device;
  int32_t writer;              /* op of the last update, -1: written from outside */
  bool reused;                 /* its owner rewrites it (loader batches): keep() copies */
  pl_buffer *buffer;
  int64_t bytes;               /* rounded, as the pool gave it */
  int64_t version;             /* bumped by every update */
  struct storage *low;         /* a weight's values in the half type `low_dtype`: autocast.c */
  int64_t low_version;         /* of the values it was made from */
  int32_t low_dtype;
} storage;

/* Output number `output` of a node; a leaf that wants a gradient has a node of its own. */
typedef struct edge { node *node; int32_t output; } edge;

struct tensor {
  pl_operand view;             /* view.buffer is the storage's */
  storage *storage;            /* NULL for a number */
  edge edge;                   /* counted */
  struct node *off;            /* of a leaf whose gradients are switched off: its node; counted */
  tensor *base;                /* of a view: the tensor whose storage it looks at; counted */
  tensor *previous, *next;     /* neighbours in the scope, or the free list */
  double number;
  int32_t refs;
  int32_t slot;
  uint32_t generation;         /* handles of another generation are stale */
  int32_t scope;
  int32_t updates;             /* of a base: updates its graph has seen */
  int32_t seen;                /* of a view: how many of them its edge knows */
  bool is_number;
  bool handled;                /* a handle holds one of refs */
};

typedef struct scope {
  tensor *first;
  int32_t below;               /* entered before it, while it is entered itself */
  int32_t parent;              /* innermost when it was entered last */
  bool used, entered;
} scope;

typedef struct context {
  pl_context shared;           /* first: pl_context_get answers its address */
  tensor **chunks;
  int32_t n_slots, n_chunks;
  tensor *free_slots;
  scope *scopes;
  int32_t n_scopes;
  tensor **temps;              /* tensors rules made and nobody owns yet */
  int32_t n_temps, temps_capacity;
  pl_status rule_status;       /* the first failure inside a rule sticks */
  int64_t sequence;            /* of the last node */
  int32_t *tickets;            /* of custom nodes freed */
  int32_t n_tickets, tickets_capacity;
  node **spare_heap;           /* backward's, kept between runs */
  int32_t spare_capacity;
  tensor *generator;           /* i64 (seed, stream, step) on the device that asked last */
  bool generator_stale;
} context;

context *context_here(void);
/* Frees this thread's context; no handle of it may be left in use. */
void context_end(void);

/* tensors */
tensor *tensor_find(pl_tensor handle);                   /* NULL if stale */
pl_status tensor_get(pl_tensor handle, const char *op, const char *argument, tensor **out);
tensor *tensor_blank(void);                              /* refs 1, no storage; NULL: no memory */
pl_status tensor_make(device *d, const pl_operand *like, tensor **out);  /* dense, like's shape */
pl_status tensor_alias(tensor *t, tensor **out);         /* same storage and geometry, no history */
pl_status tensor_number(double value, tensor **out);
pl_tensor tensor_handle(tensor *t);                      /* takes over the caller's reference */
void tensor_unref(tensor *t);
static inline tensor *tensor_ref(tensor *t) { t->refs++; return t; }
void tensor_set_edge(tensor *t, node *n, int32_t output);  /* takes over a reference to n */
static inline device *tensor_device(const tensor *t) { return device_at(t->storage->device); }
/* Note an update by op: the version moves on. */
void tensor_touch(tensor *t, int32_t op);
pl_status tensor_read_dense(tensor *t, void *dst);

storage *storage_ref(storage *s);
void storage_unref(storage *s);

/* frames: rules push what they make, closing a frame drops it */
int32_t frame_open(void);
pl_status frame_push(tensor *t);                          /* takes over the reference */
void frame_close(int32_t mark);
