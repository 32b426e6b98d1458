/*
** autograd.h -- the tape. A node remembers how its outputs were made: edges to what its inputs
** came from, attributes, and saved values. A saved value is storage, geometry, version and edge,
** never a tensor: handles may die, and a node that saves its own output is no cycle.
*/
#pragma once
#include "tensor.h"

enum { NODE_LEAF = -1, NODE_CUSTOM = -2 };

typedef struct saved {
  storage *storage;            /* NULL: nothing was saved here */
  pl_operand view;
  int64_t version;
  edge edge;                   /* counted; unused for the node's own outputs */
  int8_t argument;             /* index in the signature, outputs from 8 on */
} saved;

typedef struct input_shape { int32_t dtype, rank; int64_t sizes[PL_MAX_RANK]; } input_shape;

struct node {
  int32_t refs, op;            /* a row, NODE_LEAF or NODE_CUSTOM */
  int64_t sequence;            /* grows with every node: backward runs from high to low */
  int32_t n_in, n_out, n_saved, ticket;
  int32_t origin;              /* the context's when it was made */
  uint32_t bytes;              /* of this cell */
  bool released;               /* its saved values are gone */
  node *link;                  /* in a work list of nodes to free */
  pl_backward *owner;          /* the backward that has gradients waiting here */
  tensor *leaf_grad;
  edge *edges;                 /* n_in */
  input_shape *shapes;         /* n_in */
  tensor **grads;              /* n_out: waiting */
  saved *saved;                /* n_saved */
  int32_t *counts;             /* per input of the signature, for rows with lists */
  void *attrs;
};

void node_unref(node *n);
void node_release_saved(node *n);      /* after its gradient ran and nobody retains the graph */
static inline node *node_ref(node *n) { n->refs++; return n; }

/* The edge of t, brought up to date if t is a view whose base was updated meanwhile. */
pl_status edge_of(tensor *t, edge *out);
static inline bool wants_grad(const tensor *t) {
  return t && (t->edge.node || (t->base && t->base->edge.node && t->seen != t->base->updates));
}

/* The node that holds t's gradient, whether it is switched on or off; NULL: t is no leaf. */
static inline node *leaf_of(const tensor *t) {
  if (!t->edge.node) return t->off;
  return t->edge.node->op == NODE_LEAF ? t->edge.node : NULL;
}

/* A node for a call that just ran. saved values of inputs must be of before an update, see
** node_save. Output edges are set by the caller. */
pl_status node_new(int op, const void *attrs, size_t attrs_size, tensor *const *x,
                   const int32_t *counts, int n_counts, int n_x, int n_out, int n_saved,
                   node **out);
void node_save(node *n, int index, tensor *t, int argument, bool own_output);

/* t's value was replaced in place by output 0 of n: views and bases learn of it. */
pl_status tensor_rebase(tensor *t, node *n);
pl_status tensor_check_update(tensor *t, const char *op);   /* may t be updated in place now? */
