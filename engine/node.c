/*
** node.c -- the nodes of the tape: made, saved into, freed; leaves and their gradients; edges of
** tensors that are updated in place. Nothing recurses: freeing uses a work list.
*/
#include "autograd.h"
#include <stdlib.h>
#include <string.h>
#include "cell.h"
#include "context.h"
#include "region.h"
#include "rule.h"

/* ---- nodes ---- */

static void release_saved(node *n, node **dead);

static void drop_node(node *n, node **dead) {
  if (!n || --n->refs) return;
  n->link = *dead;
  *dead = n;
}

static void keep_ticket(int32_t ticket) {
  context *c = context_here();
  if (c->n_tickets == c->tickets_capacity) {
    int32_t capacity = c->tickets_capacity ? 2 * c->tickets_capacity : 64;
    int32_t *grown = realloc(c->tickets, (size_t)capacity * sizeof *grown);
    if (!grown) return;
    c->tickets = grown;
    c->tickets_capacity = capacity;
  }
  c->tickets[c->n_tickets++] = ticket;
}

int32_t pl_node_tickets(int32_t *tickets, int32_t capacity) {
  context *c = context_here();
  int32_t n = 0;
  while (n < capacity && c->n_tickets) tickets[n++] = c->tickets[--c->n_tickets];
  return n;
}

void node_unref(node *first) {
  node *dead = NULL;
  drop_node(first, &dead);
  while (dead) {
    node *n = dead;
    dead = n->link;
    release_saved(n, &dead);
    for (int i = 0; i < n->n_in; i++) drop_node(n->edges[i].node, &dead);
    for (int j = 0; j < n->n_out; j++) tensor_unref(n->grads[j]);
    tensor_unref(n->leaf_grad);
    if (n->op == NODE_CUSTOM) keep_ticket(n->ticket);
    cell_free(n, n->bytes);
  }
}

/* Room for a part of a node's cell: parts are multiples of 8 bytes. */
static void *cut(char **at, size_t bytes) {
  void *p = *at;
  *at += (bytes + 7) & ~(size_t)7;
  return p;
}

static size_t part(size_t bytes) { return (bytes + 7) & ~(size_t)7; }

static node *node_blank(int op, int n_in, int n_out, int n_saved, int n_counts, size_t attrs) {
  size_t bytes = part(sizeof(node)) + part((size_t)n_in * sizeof(edge))
               + part((size_t)n_in * sizeof(input_shape)) + part((size_t)n_out * sizeof(tensor *))
               + part((size_t)n_saved * sizeof(saved)) + part((size_t)n_counts * sizeof(int32_t))
               + part(attrs);
  node *n = cell_new(bytes);
  if (!n) {
    status_fail(PL_EMEMORY, NULL, NULL, "out of memory while recording gradients");
    return NULL;
  }
  char *at = (char *)n + part(sizeof(node));
  n->bytes = (uint32_t)bytes;
  n->refs = 1;
  n->op = op;
  n->sequence = ++context_here()->sequence;
  n->origin = context_here()->shared.origin;
  n->n_in = n_in;
  n->n_out = n_out;
  n->n_saved = n_saved;
  n->edges = cut(&at, (size_t)n_in * sizeof(edge));
  n->shapes = cut(&at, (size_t)n_in * sizeof(input_shape));
  n->grads = cut(&at, (size_t)n_out * sizeof(tensor *));
  n->saved = cut(&at, (size_t)n_saved * sizeof(saved));
  if (n_counts) n->counts = cut(&at, (size_t)n_counts * sizeof(int32_t));
  if (attrs) n->attrs = cut(&at, attrs);
  return n;
}

static pl_status connect(node *n, int i, tensor *t) {
  if (!t) return PL_OK;
  input_shape *s = &n->shapes[i];
  s->dtype = t->view.dtype;
  s->rank = t->view.rank;
  memcpy(s->sizes, t->view.sizes, (size_t)s->rank * sizeof *s->sizes);
  pl_status status = edge_of(t, &n->edges[i]);
  if (n->edges[i].node) node_ref(n->edges[i].node);
  return status;
}

pl_status node_new(int op, const void *attrs, size_t attrs_size, tensor *const *x,
                   const int32_t *counts, int n_counts, int n_x, int n_out, int n_saved,
                   node **out) {
  node *n = node_blank(op, n_x, n_out, n_saved, counts ? n_counts : 0, attrs ? attrs_size : 0);
  if (!n) return PL_EMEMORY;
  if (attrs) memcpy(n->attrs, attrs, attrs_size);
  if (counts) memcpy(n->counts, counts, (size_t)n_counts * sizeof *counts);
  for (int i = 0; i < n_x; i++) {
    pl_status s = connect(n, i, x[i]);
    if (s) {
      node_unref(n);
      return s;
    }
  }
  *out = n;
  return PL_OK;
}

void node_save(node *n, int index, tensor *t, int argument, bool own_output) {
  saved *s = &n->saved[index];
  s->argument = (int8_t)argument;
  if (!t) return;
  s->storage = storage_ref(t->storage);
  s->view = t->view;
  s->version = t->storage->version;
  if (own_output || !t->edge.node) return;
  s->edge = t->edge;
  node_ref(s->edge.node);
}

static void release_saved(node *n, node **dead) {
  for (int i = 0; i < n->n_saved; i++) {
    storage_unref(n->saved[i].storage);
    drop_node(n->saved[i].edge.node, dead);
    n->saved[i].storage = NULL;
    n->saved[i].edge.node = NULL;
  }
}

void node_release_saved(node *n) {
  node *dead = NULL;
  release_saved(n, &dead);
  n->released = true;
  while (dead) {                       /* hand them to node_unref one by one */
    node *next = dead->link;
    dead->refs = 1;
    node_unref(dead);
    dead = next;
  }
}

/* ---- leaves ---- */

pl_status pl_tensor_set_requires_grad(pl_tensor handle, int32_t flag) {
  tensor *t;
  pl_status s = tensor_get(handle, "requires_grad_", NULL, &t);
  if (s) return s;
  bool leaf = t->edge.node && t->edge.node->op == NODE_LEAF;
  if (t->edge.node && !leaf)
    return flag ? PL_OK : status_fail(PL_EARGUMENT, "requires_grad_", NULL, "requires_grad_: only "
                                      "leaves can be switched off; use :detach()");
  if (!flag) {                         /* what was recorded still ends in its node */
    if (leaf) t->off = t->edge.node;
    t->edge.node = NULL;
    return PL_OK;
  }
  if (!dtype_is_float(t->view.dtype) || t->is_number)
    return status_fail(PL_EDTYPE, "requires_grad_", NULL,
                       "requires_grad_: only floating tensors have "
                       "gradients, this one is %s", pl_dtype_name(t->view.dtype));
  if (leaf) return PL_OK;
  node *n = t->off ? t->off : node_blank(NODE_LEAF, 0, 1, 0, 0, 0);
  if (!n) return PL_EMEMORY;
  t->off = NULL;
  tensor_set_edge(t, n, 0);
  return PL_OK;
}

pl_status pl_tensor_grad(pl_tensor handle, pl_tensor *out) {
  tensor *t, *alias;
  pl_status s = tensor_get(handle, "grad", NULL, &t);
  if (s) return s;
  *out = 0;
  node *leaf = leaf_of(t);
  if (!leaf || !leaf->leaf_grad) return PL_OK;
  if ((s = tensor_alias(leaf->leaf_grad, &alias))) return s;
  edge from = leaf->leaf_grad->edge;
  if (from.node) tensor_set_edge(alias, node_ref(from.node), from.output);
  *out = tensor_handle(alias);
  return PL_OK;
}

pl_status pl_tensor_set_grad(pl_tensor handle, pl_tensor grad) {
  tensor *t, *g = NULL;
  pl_status s = tensor_get(handle, "grad", NULL, &t);
  if (s || (grad != 0 && (s = tensor_get(grad, "grad", NULL, &g)))) return s;
  node *leaf = leaf_of(t);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!leaf)
    return g ? status_fail(PL_EARGUMENT, "grad", NULL,
                           "grad: only a leaf that requires grad holds a "
                           "gradient") : PL_OK;
  if (g && (!shape_equal(&g->view, &t->view) || g->view.dtype != t->view.dtype || !g->storage))
    return status_fail(PL_ESHAPE, "grad", NULL, "grad: gradient is %s %s, the tensor %s %s",
                       pl_dtype_name(g->view.dtype), shape_text(&g->view, a),
                       pl_dtype_name(t->view.dtype), shape_text(&t->view, b));
  tensor *alias = NULL;
  if (g && (s = tensor_alias(g, &alias))) return s;
  tensor_unref(leaf->leaf_grad);
  leaf->leaf_grad = alias;
  return PL_OK;
}

/* ---- updates in place ---- */

pl_status tensor_check_update(tensor *t, const char *op) {
  if (!context_here()->shared.grad) return PL_OK;
  bool leaf = t->edge.node && t->edge.node->op == NODE_LEAF;
  bool leaf_base = t->base && t->base->edge.node && t->base->edge.node->op == NODE_LEAF;
  if (!leaf && !leaf_base) return PL_OK;
  return status_fail(PL_EARGUMENT, op, "x", "%s_: %s that requires grad is updated in place; do it "
                     "inside pl.no_grad", op, leaf ? "a leaf" : "a view of a leaf");
}

static pl_status find_region(const tensor *t, region *out) {
  if (region_of(&t->view, &t->base->view, out)) return PL_OK;
  return status_fail(PL_EARGUMENT, NULL, NULL, "a view of a detached view was changed in place in "
                     "a way that gradients cannot follow; use :clone() after :detach()");
}

/* A view's edge after its base moved on: the same region of the base's new value. */
static pl_status refresh_view(tensor *t) {
  region r;
  node *n;
  pl_status s = find_region(t, &r);
  if (s) return s;
  pl_as_strided_attrs at = { .sizes = r.sizes, .strides = r.strides, .offset = r.offset };
  s = node_new(OP_as_strided, &at, sizeof at, &t->base, NULL, 1, 1, 1, 0, &n);
  if (s) return s;
  tensor_set_edge(t, n, 0);
  t->seen = t->base->updates;
  return PL_OK;
}

pl_status edge_of(tensor *t, edge *out) {
  if (t->base && t->seen != t->base->updates && t->base->edge.node) {
    pl_status s = refresh_view(t);
    if (s) return s;
  }
  *out = t->edge;
  return PL_OK;
}

/* The base's value is now write_view(old base, new value of the region). */
static pl_status rebase_view(tensor *t, node *n) {
  tensor *base = t->base, *new_value, *x[2];
  node *write;
  region r;
  pl_status s = find_region(t, &r);
  if (s || (s = tensor_alias(t, &new_value))) return s;
  pl_write_view_attrs at = { .sizes = r.sizes, .strides = r.strides, .offset = r.offset };
  if (n) tensor_set_edge(new_value, node_ref(n), 0);
  x[0] = base;
  x[1] = new_value;
  s = node_new(OP_write_view, &at, sizeof at, x, NULL, 2, 2, 1, 0, &write);
  tensor_unref(new_value);
  if (s) return s;
  tensor_set_edge(base, write, 0);
  base->updates++;
  return PL_OK;
}

pl_status tensor_rebase(tensor *t, node *n) {
  pl_status s = PL_OK;
  if (t->base) {
    s = rebase_view(t, n);
    if (!s) t->seen = t->base->updates;
  } else {
    t->updates++;
  }
  if (s) node_unref(n);
  else tensor_set_edge(t, n, 0);
  return s;
}

/* ---- gradients written in Lua ---- */

enum { MAX_CUSTOM = 16 };

pl_status pl_node_custom(const pl_tensor *in, int32_t n_in, const pl_tensor *out, int32_t n_out,
                         const pl_tensor *kept, int32_t n_saved, int32_t ticket) {
  if (n_in > MAX_CUSTOM || n_out > MAX_CUSTOM || n_saved > MAX_CUSTOM)
    return status_fail(PL_EARGUMENT, NULL, NULL,
                       "a custom function has at most %d inputs, outputs and "
                       "saved tensors", MAX_CUSTOM);
  tensor *x[MAX_CUSTOM], *t;
  pl_status s;
  for (int i = 0; i < n_in; i++) {
    x[i] = NULL;
    if (in[i] != 0 && (s = tensor_get(in[i], NULL, NULL, &x[i]))) return s;
  }
  node *n = node_blank(NODE_CUSTOM, n_in, n_out, n_saved, 0, 0);
  if (!n) return PL_EMEMORY;
  n->ticket = ticket;
  s = PL_OK;
  for (int i = 0; i < n_in && !s; i++) s = connect(n, i, x[i]);
  for (int k = 0; k < n_saved && !s; k++) {
    if ((s = tensor_get(kept[k], NULL, NULL, &t))) break;
    bool own = false;
    for (int j = 0; j < n_out; j++) own |= kept[k] == out[j];
    node_save(n, k, t, own ? 0 : k % 8, own);
    if (own) n->saved[k].edge.node = NULL;
  }
  for (int j = 0; j < n_out && !s; j++) {
    if ((s = tensor_get(out[j], NULL, NULL, &t))) break;
    if (dtype_is_float(t->view.dtype)) tensor_set_edge(t, node_ref(n), j);
  }
  node_unref(n);
  return s;
}
