/*
** pool.c -- windows of the last two dimensions folded to one element. A lone size counts for both
** dimensions; no stride means the kernel's. The saved positions of a maximum are i32, from 0,
** within a plane.
*/
#include "../rule.h"
#include "../autograd.h"

/* Images with or without a first dimension, not empty in the last two. */
static pl_status check_image(infer *c) {
  const pl_operand *x = c->in[0];
  char text[SHAPE_TEXT];
  if (x->rank != 3 && x->rank != 4)
    return infer_error(c, c->op->in[0].name, PL_ESHAPE, "%s must be images x channels x height x "
                       "width, or one image without the first, it is %s", c->op->in[0].name,
                       shape_text(x, text));
  int64_t h = x->sizes[x->rank - 2], w = x->sizes[x->rank - 1];
  if (h < 1 || w < 1 || h > INT32_MAX / w)
    return infer_error(c, c->op->in[0].name, PL_ESHAPE, "its planes are %lld x %lld; they need 1 "
                       "to %d elements", (long long)h, (long long)w, INT32_MAX);
  return PL_OK;
}

typedef struct window {
  const pl_sizes *kernel, *stride, *padding;
  const pl_sizes *dilation;          /* NULL: none */
  bool ceil_mode;
} window;

static int64_t span(const window *w, int axis) {
  return (w->dilation ? pl_sizes_at(w->dilation, axis) : 1) * (pl_sizes_at(w->kernel, axis) - 1) +
         1;
}

static pl_status check_window(infer *c, const window *w) {
  pl_status s = infer_pair(c, "kernel", w->kernel, 1);
  if (!s && w->stride->n) s = infer_pair(c, "stride", w->stride, 1);
  if (!s) s = infer_pair(c, "padding", w->padding, 0);
  if (!s && w->dilation) s = infer_pair(c, "dilation", w->dilation, 1);
  for (int axis = 0; axis < 2 && !s; axis++)
    if (pl_sizes_at(w->padding, axis) > pl_sizes_at(w->kernel, axis) / 2)
      s = infer_error(c, "padding", PL_EARGUMENT, "padding %lld is more than half of kernel %lld",
                      (long long)pl_sizes_at(w->padding, axis),
                      (long long)pl_sizes_at(w->kernel, axis));
  return s;
}

/* With ceil_mode a last window may begin inside the input or its left padding, as in PyTorch. */
static int64_t positions(const window *w, int axis, int64_t size) {
  int64_t padding = pl_sizes_at(w->padding, axis);
  int64_t stride = w->stride->n ? pl_sizes_at(w->stride, axis) : pl_sizes_at(w->kernel, axis);
  int64_t room = size + 2 * padding - span(w, axis);
  if (room < 0 && !(w->ceil_mode && room + stride > 0)) return 0;
  int64_t n = w->ceil_mode ? (room + stride - 1) / stride + 1 : room / stride + 1;
  if (w->ceil_mode && (n - 1) * stride >= size + padding) n--;
  return n;
}

static pl_status pool_shape(infer *c, const window *w) {
  pl_status s = check_window(c, w);
  if (s || (s = check_image(c))) return s;
  const pl_operand *x = c->in[0];
  infer_like(c->out, x);
  for (int axis = 0; axis < 2; axis++) {
    int64_t size = x->sizes[x->rank - 2 + axis], n = positions(w, axis, size);
    if (n < 1)
      return infer_error(c, "x", PL_ESHAPE,
                         "a kernel that spans %lld does not fit into %s %lld with "
                         "padding %lld",
                         (long long)span(w, axis), axis ? "width" : "height", (long long)size,
                         (long long)pl_sizes_at(w->padding, axis));
    c->out->sizes[x->rank - 2 + axis] = n;
  }
  return PL_OK;
}

static pl_status with_positions(infer *c, pl_status s) {
  if (s) return s;
  infer_like(&c->out[1], c->out);
  c->out[1].dtype = PL_I32;
  return PL_OK;
}

INFER(max_pool2d) {
  const pl_max_pool2d_attrs *a = c->attrs;
  const window w = { &a->kernel, &a->stride, &a->padding, &a->dilation, a->ceil_mode };
  return with_positions(c, pool_shape(c, &w));
}

INFER(avg_pool2d) {
  const pl_avg_pool2d_attrs *a = c->attrs;
  const window w = { &a->kernel, &a->stride, &a->padding, NULL, a->ceil_mode };
  return pool_shape(c, &w);
}

/* Rows whose first attribute is the size of the result's planes. */
INFER(adaptive_pool) {
  const pl_sizes *sizes = c->attrs;
  pl_status s = infer_pair(c, "sizes", sizes, 1);
  if (s || (s = check_image(c))) return s;
  infer_like(c->out, c->in[0]);
  for (int axis = 0; axis < 2; axis++)
    c->out->sizes[c->out->rank - 2 + axis] = pl_sizes_at(sizes, axis);
  return PL_OK;
}

INFER(adaptive_max_pool2d) { return with_positions(c, infer_adaptive_pool(c)); }

INFER(max_pool2d_backward) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  pl_status s = infer_adaptive_pool(c);
  if (s) return s;
  if (c->in[1]->dtype != PL_I32 || !shape_equal(c->in[0], c->in[1]))
    return infer_error(c, "position", PL_ESHAPE,
                       "position must be i32 and shaped like grad (%s), it is "
                       "%s",
                       shape_text(c->in[0], a), shape_text(c->in[1], b));
  return PL_OK;
}

/* grad must be what pooling an input of `sizes` gives. */
INFER(avg_pool2d_backward) {
  const pl_avg_pool2d_backward_attrs *t = c->attrs;
  const window w = { &t->kernel, &t->stride, &t->padding, NULL, t->ceil_mode };
  char text[SHAPE_TEXT];
  pl_status s = check_window(c, &w);
  if (s || (s = infer_adaptive_pool(c))) return s;
  const pl_operand *grad = c->in[0];
  for (int axis = 0; axis < 2; axis++)
    if (positions(&w, axis, pl_sizes_at(&t->sizes, axis)) != grad->sizes[grad->rank - 2 + axis])
      return infer_error(c, "grad", PL_ESHAPE, "grad %s is no result of pooling %lld x %lld",
                         shape_text(grad, text), (long long)pl_sizes_at(&t->sizes, 0),
                         (long long)pl_sizes_at(&t->sizes, 1));
  return PL_OK;
}

static pl_sizes plane_of(const input_shape *x) {
  return (pl_sizes){ 2, { x->sizes[x->rank - 2], x->sizes[x->rank - 1] } };
}

GRAD(max_pool2d) {
  D(0) = op2(max_pool2d_backward, dy, r->y[1], .sizes = plane_of(&r->shapes[0]));
}

GRAD(avg_pool2d) {
  const pl_avg_pool2d_attrs *t = r->attrs;
  D(0) = op1(avg_pool2d_backward, dy, .sizes = plane_of(&r->shapes[0]), .kernel = t->kernel,
             .stride = t->stride, .padding = t->padding, .ceil_mode = t->ceil_mode,
             .count_include_pad = t->count_include_pad);
}

GRAD(adaptive_avg_pool2d) {
  D(0) = op1(adaptive_avg_pool2d_backward, dy, .sizes = plane_of(&r->shapes[0]));
}

GRAD(adaptive_avg_pool2d_backward) {
  D(0) = op1(adaptive_avg_pool2d, dy, .sizes = plane_of(&r->shapes[0]));
}

GRAD(avg_pool2d_backward) {
  const pl_avg_pool2d_backward_attrs *t = r->attrs;
  D(0) = op1(avg_pool2d, dy, .kernel = t->kernel, .stride = t->stride, .padding = t->padding,
             .ceil_mode = t->ceil_mode, .count_include_pad = t->count_include_pad);
}

/* Picked from where the largest elements were: planes as rows, positions in them. */
GRAD(max_pool2d_backward) {
  const input_shape *small = &r->shapes[0];
  const pl_sizes *plane = &ATTRS(max_pool2d_backward).sizes;
  int64_t size = small->sizes[small->rank - 2] * small->sizes[small->rank - 1];
  int64_t large = pl_sizes_at(plane, 0) * pl_sizes_at(plane, 1);
  pl_reshape_attrs back = { .sizes = { .n = small->rank } };
  for (int d = 0; d < small->rank; d++) back.sizes.size[d] = small->sizes[d];
  if (!r->need[0]) return;
  tensor *rows = op1(reshape, dy, .sizes = { 2, { -1, large } });
  tensor *position = op1(reshape, b, .sizes = { 2, { -1, size } });
  tensor *picked = op2(gather, rows, position, .axis = 1, .base = 0);
  r->dx[0] = rule_apply(OP_reshape, &back, 1, &picked);
}
