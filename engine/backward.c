/*
** backward.c -- backward as an object. Nodes wait in a heap by sequence number: one runs when
** everything made after it has, so its gradients are complete. It stops at nodes whose gradient is
** Lua and is fed the result.
*/
#include "autograd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cell.h"
#include "context.h"
#include "dispatch.h"
#include "node_heap.h"
#include "profile.h"
#include "queue.h"
#include "rule.h"

struct pl_backward {
  node_heap heap;
  int32_t flags;
  node *running;               /* the custom node Lua works on */
};

static pl_status push(pl_backward *b, node *n) {
  if (!node_heap_push(&b->heap, n))
    return status_fail(PL_EMEMORY, "backward", NULL, "backward: out of memory");
  n->owner = b;
  return PL_OK;
}

static node *pop(pl_backward *b) {
  node *n = node_heap_pop(&b->heap);
  n->owner = NULL;
  return n;
}

/* Nobody else can see this tensor's memory: it may be kept or written over. */
static bool is_ours(const tensor *g) {
  return g->refs == 1 && !g->handled && !g->base && g->view.dense && g->storage
      && atomic_load_explicit(&g->storage->refs, memory_order_relaxed) == 1;
}

/* *sum += g; takes over the reference to g. */
static pl_status add_to(tensor **sum, tensor *g, bool create_graph) {
  if (!*sum) {
    *sum = g;
    return PL_OK;
  }
  tensor *x[2] = { *sum, g }, *y;
  pl_status s;
  if (!create_graph && is_ours(*sum)) {
    s = tensor_add_into(*sum, g);
    tensor_unref(g);
    return s;
  }
  s = apply(OP_add, NULL, x, NULL, 2, &y);
  tensor_unref(g);
  if (s) return s;
  tensor_unref(*sum);
  *sum = y;
  return PL_OK;
}

/* The first gradient of a leaf is kept as it is if nobody else holds it, else copied. */
static pl_status accumulate_leaf(node *leaf, tensor *g, bool create_graph) {
  pl_status s = PL_OK;
  if (leaf->leaf_grad) {
    if (create_graph) return add_to(&leaf->leaf_grad, g, true);
    s = tensor_add_into(leaf->leaf_grad, g);
    tensor_unref(g);
    return s;
  }
  if (!create_graph && !is_ours(g)) {
    tensor *copy;
    s = tensor_dense(g, &copy);
    tensor_unref(g);
    g = copy;
  }
  if (!s) leaf->leaf_grad = g;
  return s;
}

/* Hands g, whose reference it takes, to what made the value it belongs to. */
static pl_status send(pl_backward *b, edge to, tensor *g) {
  bool create = (b->flags & PL_CREATE_GRAPH) != 0;
  node *n = to.node;
  if (n->op == NODE_LEAF) return accumulate_leaf(n, g, create);
  if (n->owner && n->owner != b) {
    tensor_unref(g);
    return status_fail(PL_EARGUMENT, "backward", NULL, "backward: another backward is inside this "
                       "graph; finish it first");
  }
  pl_status s = add_to(&n->grads[to.output], g, create);
  return s || n->owner ? s : push(b, n);
}

/* dx as big as its input: what broadcasting repeated is summed. In the open frame. */
static tensor *sum_to(tensor *dx, const input_shape *shape) {
  pl_operand want = { .rank = shape->rank };
  memcpy(want.sizes, shape->sizes, sizeof want.sizes);
  if (!dx || shape_equal(&dx->view, &want)) return dx;
  pl_sum_attrs over = { .keepdim = 0 };
  int shift = dx->view.rank - shape->rank;
  for (int i = 0; i < dx->view.rank; i++)
    if (i < shift || (shape->sizes[i - shift] == 1 && dx->view.sizes[i] != 1))
      over.axes.dim[over.axes.n++] = i;
  if (over.axes.n) dx = rule_apply(OP_sum, &over, 1, &dx);
  pl_reshape_attrs as = { .sizes = { .n = shape->rank } };
  memcpy(as.sizes.size, shape->sizes, sizeof as.sizes.size);
  return rule_apply(OP_reshape, &as, 1, &dx);
}

static const char *saved_name(const node *n, const saved *s) {
  if (n->op == NODE_CUSTOM) return "a saved tensor";
  const pl_op_info *op = pl_op(n->op);
  return s->argument >= 8 ? op->out[s->argument - 8].name : op->in[(int)s->argument].name;
}

static const char *node_name(const node *n) {
  return n->op == NODE_CUSTOM ? "custom function" : pl_op(n->op)->name;
}

static const char *writer_name(const storage *s) {
  return s->writer >= 0 ? pl_op(s->writer)->name : "a write from outside";
}

static bool is_changed(const saved *s) {
  return s->storage && s->storage->version != s->version;
}

static pl_status changed(const node *n, const saved *s) {
  return status_fail(PL_EARGUMENT, node_name(n), saved_name(n, s),
                     "backward of %s: its %s was changed "
                     "in place by %s after %s used it; use the form without _ or :clone()",
                     node_name(n), saved_name(n, s), writer_name(s->storage), node_name(n));
}

/* The saved value as a tensor of the open frame. */
static pl_status unpack(node *n, const saved *s, tensor **out) {
  *out = NULL;
  if (!s->storage) return PL_OK;
  tensor *t = tensor_blank();
  if (!t) return PL_EMEMORY;
  t->view = s->view;
  t->storage = storage_ref(s->storage);
  if (s->edge.node) t->edge = (edge){ node_ref(s->edge.node), s->edge.output };
  else if (s->argument >= 8) t->edge = (edge){ node_ref(n), s->argument - 8 };
  *out = t;
  return frame_push(t);
}

static pl_status already_used(const node *n) {
  return status_fail(PL_EARGUMENT, "backward", NULL, "backward: this graph was used already (%s "
                     "released what it had saved); pass { retain_graph = true } the first time",
                     node_name(n));
}

static bool is_optional(const node *n, const saved *s) {
  return s->argument < 8 && (pl_op(n->op)->in[(int)s->argument].marks & PL_OPTIONAL);
}

/* A saved value that changed since is NULL to the rule: an error only where a gradient needs it. An
** optional one would pass for absent, so it is an error at once. */
static pl_status run_rule(node *n, tensor **dx, bool *need) {
  const op_row *row = &op_table[n->op];
  tensor *x[n->n_in + 1], *y[PL_MAX_OUT] = { NULL };
  for (int i = 0; i < n->n_in; i++) {
    x[i] = dx[i] = NULL;
    need[i] = n->edges[i].node != NULL;
  }
  const saved *stale = NULL;
  for (int k = 0; k < n->n_saved; k++) {
    tensor *t = NULL;
    bool gone = is_changed(&n->saved[k]);
    if (gone) stale = &n->saved[k];
    if (gone && is_optional(n, stale)) return changed(n, stale);
    pl_status s = gone ? PL_OK : unpack(n, &n->saved[k], &t);
    if (s) return s;
    if (n->saved[k].argument >= 8) y[n->saved[k].argument - 8] = t;
    else x[(int)n->saved[k].argument] = t;
  }
  rule r = { .op = &row->info, .attrs = n->attrs, .counts = n->counts, .n_in = n->n_in, .x = x,
             .y = y, .dy = n->grads, .dx = dx, .need = need, .shapes = n->shapes };
  row->grad(&r, n->grads[0], n->n_in > 0 ? x[0] : NULL, n->n_in > 1 ? x[1] : NULL, y[0]);
  context *c = context_here();
  pl_status s = c->rule_status;
  c->rule_status = PL_OK;
  for (int i = 0; !s && stale && i < n->n_in; i++)
    if (need[i] && !dx[i]) s = changed(n, stale);
  return s;
}

static bool used_again(const node *n, tensor *const *dx, int i) {
  for (int j = i + 1; j < n->n_in; j++)
    if (dx[j] == dx[i]) return true;
  return false;
}

/* The frame's own reference where it has one, so that a gradient nobody else holds can be kept. */
static tensor *take_temp(context *c, tensor *g) {
  for (int32_t k = c->n_temps - 1; k >= 0; k--)
    if (c->temps[k] == g) {
      c->temps[k] = NULL;
      return g;
    }
  return tensor_ref(g);
}

static pl_status send_all(pl_backward *b, node *n, tensor **dx) {
  context *c = context_here();
  for (int i = 0; i < n->n_in; i++) {
    if (!n->edges[i].node || !dx[i]) continue;
    tensor *g = sum_to(dx[i], &n->shapes[i]);
    if (!g) {
      pl_status s = c->rule_status;
      c->rule_status = PL_OK;
      return s;
    }
    pl_status s = send(b, n->edges[i], used_again(n, dx, i) ? tensor_ref(g) : take_temp(c, g));
    if (s) return s;
  }
  return PL_OK;
}

static void finish_node(pl_backward *b, node *n) {
  for (int j = 0; j < n->n_out; j++) {
    tensor_unref(n->grads[j]);
    n->grads[j] = NULL;
  }
  if (!(b->flags & (PL_RETAIN_GRAPH | PL_CREATE_GRAPH))) node_release_saved(n);
  node_unref(n);
}

/* Which op's gradient is not finite; the context's origin is then where that op was called. */
static pl_status blame(const node *n, pl_status s) {
  context *c = context_here();
  if (s != PL_EUSER || !c->shared.anomaly) return s;
  const char *name = op_table[n->op].info.name;
  char inner[512];
  snprintf(inner, sizeof inner, "%s", pl_error());
  c->shared.origin = n->origin;
  return status_fail(s, name, NULL, "the gradient of %s: %s", name, inner);
}

static pl_status run_node(pl_backward *b, node *n) {
  tensor *dx[n->n_in + 1];
  bool need[n->n_in + 1], timed = profile_is_on();
  if (timed) profile_enter(n->op, true);
  int32_t mark = frame_open();
  pl_status s = n->released && n->n_saved ? already_used(n) : run_rule(n, dx, need);
  if (!s) s = send_all(b, n, dx);
  frame_close(mark);
  if (timed) profile_leave();
  return s ? blame(n, s) : PL_OK;
}

static pl_status start_custom(pl_backward *b, node *n, pl_work *work) {
  if (n->released && n->n_saved) return already_used(n);
  *work = (pl_work){ .ticket = n->ticket, .n_out = n->n_out, .n_in = n->n_in,
                    .n_saved = n->n_saved };
  for (int k = 0; k < n->n_saved; k++) {
    tensor *t = NULL;
    int32_t mark = frame_open();
    pl_status s = is_changed(&n->saved[k]) ? changed(n, &n->saved[k]) : unpack(n, &n->saved[k], &t);
    if (!s && t) work->saved[k] = tensor_handle(tensor_ref(t));
    frame_close(mark);
    if (s) return s;
  }
  for (int j = 0; j < n->n_out; j++)
    if (n->grads[j]) {
      tensor *alias;
      pl_status s = tensor_alias(n->grads[j], &alias);
      if (s) return s;
      edge from = n->grads[j]->edge;
      if (from.node) tensor_set_edge(alias, node_ref(from.node), from.output);
      work->grads[j] = tensor_handle(alias);
    }
  for (int i = 0; i < n->n_in; i++) work->needs[i] = n->edges[i].node != NULL;
  b->running = n;
  return PL_OK;
}

pl_status pl_backward_next(pl_backward *b, pl_work *work, int32_t *state) {
  context *c = context_here();
  int32_t recording = c->shared.grad, autocast = c->shared.autocast;
  pl_status s = PL_OK;
  c->shared.grad = (b->flags & PL_CREATE_GRAPH) != 0;
  c->shared.autocast = 0;                  /* a gradient computes in the dtypes of its forward */
  *state = PL_FINISHED;
  while (!s && b->heap.count) {
    node *n = pop(b);
    if (n->op == NODE_CUSTOM) {
      s = start_custom(b, n, work);
      if (!s) *state = PL_WORK;
      else finish_node(b, n);
      break;
    }
    s = run_node(b, n);
    finish_node(b, n);
  }
  c->shared.grad = recording;
  c->shared.autocast = autocast;
  return s ? s : queue_status();
}

/* A gradient that Lua made, in the dtype of its input. */
static pl_status bring_gradient(tensor **g, int32_t dtype) {
  tensor *made;
  if ((*g)->view.dtype == dtype) return PL_OK;
  pl_status s = apply(OP_cast, &(pl_cast_attrs){ .dtype = dtype }, g, NULL, 1, &made);
  if (s) return s;
  *g = made;
  return frame_push(made);
}

pl_status pl_backward_feed(pl_backward *b, const pl_tensor *grads, int32_t count) {
  node *n = b->running;
  if (!n || count != n->n_in)
    return status_fail(PL_EARGUMENT, "backward", NULL, "backward: the function has %d inputs, its "
                       "backward returned %d gradients", n ? n->n_in : 0, count);
  b->running = NULL;
  tensor *dx[n->n_in + 1];
  char got[SHAPE_TEXT], want[SHAPE_TEXT];
  int32_t mark = frame_open();
  pl_status s = PL_OK;
  for (int i = 0; i < n->n_in && !s; i++) {
    dx[i] = NULL;
    if (grads[i] == 0) continue;
    s = tensor_get(grads[i], "backward", NULL, &dx[i]);
    pl_operand shape = { .rank = n->shapes[i].rank };
    memcpy(shape.sizes, n->shapes[i].sizes, sizeof shape.sizes);
    if (!s && !shape_equal(&dx[i]->view, &shape))
      s = status_fail(PL_ESHAPE, "backward", NULL, "backward: gradient %d of a custom function has "
                      "shape %s, its input %s", i + 1, shape_text(&dx[i]->view, got),
                      shape_text(&shape, want));
    if (!s) s = bring_gradient(&dx[i], n->shapes[i].dtype);
  }
  if (!s) s = send_all(b, n, dx);
  frame_close(mark);
  finish_node(b, n);
  return s ? s : queue_status();
}

static pl_status ones_like(tensor *t, tensor **out) {
  tensor *one, *y;
  pl_status s = tensor_from_number(1, t->view.dtype, tensor_device(t), &one);
  if (s || t->view.rank == 0) {
    if (!s) *out = one;
    return s;
  }
  pl_reshape_attrs as = { .sizes = { .n = t->view.rank } };
  memcpy(as.sizes.size, t->view.sizes, sizeof as.sizes.size);
  s = apply(OP_reshape, &as, &one, NULL, 1, &y);
  tensor_unref(one);
  if (!s) *out = y;
  return s;
}

static pl_status start_root(pl_backward *b, pl_tensor root, pl_tensor grad) {
  tensor *t, *g;
  edge e;
  char a[SHAPE_TEXT], c[SHAPE_TEXT];
  pl_status s = tensor_get(root, "backward", NULL, &t);
  if (s || (s = edge_of(t, &e))) return s;
  if (!e.node)
    return status_fail(PL_EARGUMENT, "backward", NULL, "backward: the tensor does not depend on "
                       "anything that requires grad");
  if (grad == 0 && t->view.count != 1)
    return status_fail(PL_ESHAPE, "backward", NULL,
                       "backward: the tensor has %lld elements; pass a "
                       "gradient of its shape, or reduce it to one (sum, mean)",
                       (long long)t->view.count);
  if (grad == 0) {
    if ((s = ones_like(t, &g))) return s;
  } else {
    if ((s = tensor_get(grad, "backward", NULL, &g))) return s;
    if (!shape_equal(&g->view, &t->view) || g->view.dtype != t->view.dtype)
      return status_fail(PL_ESHAPE, "backward", NULL,
                         "backward: gradient is %s %s, the tensor %s %s",
                         pl_dtype_name(g->view.dtype), shape_text(&g->view, a),
                         pl_dtype_name(t->view.dtype), shape_text(&t->view, c));
    tensor_ref(g);
  }
  return send(b, e, g);
}

pl_status pl_backward_begin(const pl_tensor *roots, const pl_tensor *grads, int32_t n,
                            int32_t flags, pl_backward **out) {
  pl_backward *b = cell_new(sizeof *b);
  if (!b) return status_fail(PL_EMEMORY, "backward", NULL, "backward: out of memory");
  b->flags = flags;
  context *c = context_here();
  b->heap.nodes = c->spare_heap;         /* what the last backward used; NULL while one nests */
  b->heap.capacity = c->spare_capacity;
  c->spare_heap = NULL;
  c->spare_capacity = 0;
  int32_t recording = c->shared.grad;
  c->shared.grad = 0;
  pl_status s = PL_OK;
  for (int i = 0; i < n && !s; i++) s = start_root(b, roots[i], grads ? grads[i] : 0);
  c->shared.grad = recording;
  if (s) {
    b->flags |= PL_RETAIN_GRAPH;         /* nothing ran: the graph may be asked again */
    pl_backward_end(b);
  } else {
    *out = b;
  }
  return s;
}

void pl_backward_end(pl_backward *b) {
  if (!b) return;
  if (b->running) finish_node(b, b->running);
  while (b->heap.count) finish_node(b, pop(b));
  context *c = context_here();
  node **spare = c->spare_heap;
  if (b->heap.capacity > c->spare_capacity) {
    c->spare_heap = b->heap.nodes;
    c->spare_capacity = b->heap.capacity;
    free(spare);
  } else {
    free(b->heap.nodes);
  }
  cell_free(b, sizeof *b);
}
