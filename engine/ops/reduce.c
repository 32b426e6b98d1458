/* reduce.c -- ops that fold elements together along axes. */
#include "../rule.h"
#include <string.h>
#include "../autograd.h"

/* The reducing rows begin their attributes alike. */
typedef struct reduce_attrs { pl_dims axes; pl_flag keepdim; } reduce_attrs;

static pl_status reduce_shape(infer *c, const pl_dims *axes, bool keepdim) {
  const pl_operand *x = c->in[0];
  bool mask[PL_MAX_RANK];
  pl_status s = infer_mask(c, "axes", axes, x->rank, mask);
  if (s) return s;
  int rank = 0;
  for (int i = 0; i < x->rank; i++) {
    if (mask[i] && !keepdim) continue;
    c->out->sizes[rank++] = mask[i] ? 1 : x->sizes[i];
  }
  c->out->rank = rank;
  c->out->dtype = x->dtype;
  return PL_OK;
}

static pl_status refuse_empty(infer *c, const pl_dims *axes) {
  const pl_operand *x = c->in[0];
  bool mask[PL_MAX_RANK];
  pl_status s = infer_mask(c, "axes", axes, x->rank, mask);
  for (int i = 0; i < x->rank && !s; i++)
    if (mask[i] && x->sizes[i] == 0)
      s = infer_error(c, "x", PL_ESHAPE, "dimension %d is empty, so there is no element to pick",
                      i + 1);
  return s;
}

INFER(reduce) {
  const reduce_attrs *at = c->attrs;
  bool keepdim = c->op->id == OP_var ? INFER_ATTRS(var).keepdim : at->keepdim;
  pl_status s = reduce_shape(c, &at->axes, keepdim);
  int id = c->op->id;
  if (!s && (id == OP_max || id == OP_min || id == OP_logsumexp)) s = refuse_empty(c, &at->axes);
  return s;
}

INFER(sum) {
  pl_status s = infer_reduce(c);
  if (!dtype_is_float(c->out->dtype)) c->out->dtype = PL_I64;
  return s;
}

INFER(boolean_reduce) {
  pl_status s = infer_reduce(c);
  c->out->dtype = PL_BOOL;
  return s;
}

INFER(arg) {
  const pl_argmax_attrs *at = c->attrs;
  pl_dims one = { 1, { at->axis } };
  if (infer_axis(at->axis, c->in[0]->rank) < 0)
    return infer_axis_error(c, "axis", at->axis, c->in[0]->rank);
  pl_status s = reduce_shape(c, &one, at->keepdim);
  if (!s) s = refuse_empty(c, &one);
  c->out->dtype = PL_I64;
  return s;
}

/* Same shape, along one axis, the first attribute; a scalar counts as one line of one element. */
INFER(along) {
  int rank = c->in[0]->rank;
  int32_t axis = *(const pl_dim *)c->attrs;
  infer_like(c->out, c->in[0]);
  return infer_axis(axis, rank ? rank : 1) < 0 ? infer_axis_error(c, "axis", axis, rank) : PL_OK;
}

INFER(cumsum) {
  pl_status s = infer_along(c);
  if (!dtype_is_float(c->out->dtype)) c->out->dtype = PL_I64;
  return s;
}

INFER(along_axes) {
  bool mask[PL_MAX_RANK];
  infer_like(c->out, c->in[0]);
  return infer_mask(c, "axes", &INFER_ATTRS(flip).axes, c->in[0]->rank, mask);
}

/* The input's sizes with 1 where it was reduced: the shape from which it broadcasts back. */
static tensor *with_dims(rule *r, tensor *t, const pl_dims *axes) {
  const input_shape *x = &r->shapes[0];
  pl_reshape_attrs at = { .sizes = rule_sizes(x) };
  for (int i = 0; i < x->rank; i++) {
    bool reduced = axes->n == 0;
    for (int k = 0; k < axes->n; k++) reduced |= infer_axis(axes->dim[k], x->rank) == i;
    if (reduced) at.sizes.size[i] = 1;
  }
  return rule_apply(OP_reshape, &at, 1, &t);
}

static tensor *spread(rule *r, tensor *dy, const pl_dims *axes) {
  return op1(expand, with_dims(r, dy, axes), .sizes = rule_sizes(&r->shapes[0]));
}

static const pl_dims *axes_of(rule *r) { return &((const reduce_attrs *)r->attrs)->axes; }

static double count_reduced(rule *r, const pl_dims *axes) {
  const input_shape *x = &r->shapes[0];
  double n = 1;
  for (int i = 0; i < x->rank; i++) {
    bool reduced = axes->n == 0;
    for (int k = 0; k < axes->n; k++) reduced |= infer_axis(axes->dim[k], x->rank) == i;
    if (reduced) n *= (double)x->sizes[i];
  }
  return n;
}

GRAD(sum)  { D(0) = spread(r, dy, axes_of(r)); }
GRAD(mean) { D(0) = spread(r, op2(div, dy, num(count_reduced(r, axes_of(r)))), axes_of(r)); }

/* The product of the others, through y / x where x is not 0; a single 0 gets the product of the
** rest, which a product with the zeros replaced by 1 gives. */
GRAD(prod) {
  const pl_dims *axes = axes_of(r);
  tensor *zero = op2(eq, a, num(0));
  tensor *filled = op3(where, zero, num(1), a);
  tensor *zeros = with_dims(r, op1(sum, zero, .axes = *axes), axes);
  tensor *rest = with_dims(r, op1(prod, filled, .axes = *axes), axes);
  tensor *none = op2(mul, op2(div, rest, filled), op2(eq, zeros, num(0)));
  tensor *single = op2(mul, op2(mul, rest, zero), op2(eq, zeros, num(1)));
  D(0) = op2(mul, with_dims(r, dy, axes), op2(add, none, single));
}

/* Shared evenly by the elements that are as large as the result, as PyTorch's amax does. */
GRAD(extremum) {
  const pl_dims *axes = axes_of(r);
  tensor *hit = op2(eq, a, with_dims(r, y, axes));
  tensor *hits = with_dims(r, op1(sum, hit, .axes = *axes), axes);
  D(0) = op2(div, op2(mul, with_dims(r, dy, axes), hit), hits);
}

/* A running sum from the end. */
GRAD(cumsum) {
  pl_dims axis = { 1, { ATTRS(cumsum).axis } };
  tensor *reversed = op1(cumsum, op1(flip, dy, .axes = axis), .axis = axis.dim[0]);
  D(0) = op1(flip, reversed, .axes = axis);
}

GRAD(flip) { D(0) = op1(flip, dy, .axes = ATTRS(flip).axes); }

static pl_dims one_axis(int32_t axis) { return (pl_dims){ 1, { axis } }; }

/* y (dy - sum(y dy)) */
GRAD(softmax) {
  tensor *dot = op1(sum, op2(mul, y, dy), .axes = one_axis(ATTRS(softmax).axis), .keepdim = 1);
  D(0) = op2(mul, y, op2(sub, dy, dot));
}

/* dy - softmax sum(dy) */
GRAD(log_softmax) {
  tensor *total = op1(sum, dy, .axes = one_axis(ATTRS(log_softmax).axis), .keepdim = 1);
  D(0) = op2(sub, dy, op2(mul, op1(exp, y), total));
}

/* m + log sum exp(x - m), m the largest element, or 0 where that is infinite */
COMPOSE(logsumexp) {
  const pl_logsumexp_attrs *at = r->attrs;
  tensor *top = op1(max, a, .axes = at->axes, .keepdim = 1);
  context *c = context_here();
  int32_t recording = c->shared.grad;
  c->shared.grad = 0;
  tensor *shift = op3(where, op1(isfinite, top), top, num(0));
  if (shift) tensor_set_edge(shift, NULL, 0);
  tensor *flat = op1(sum, shift, .axes = at->axes, .keepdim = at->keepdim);
  c->shared.grad = recording;
  tensor *total = op1(sum, op1(exp, op2(sub, a, shift)), .axes = at->axes, .keepdim = at->keepdim);
  r->y[0] = op2(add, op1(log, total), flat);
}

COMPOSE(var) {
  const pl_var_attrs *at = r->attrs;
  input_shape shape = { .rank = a->view.rank };
  memcpy(shape.sizes, a->view.sizes, sizeof shape.sizes);
  rule sized = *r;
  sized.shapes = &shape;
  double n = count_reduced(&sized, &at->axes) - at->correction;
  tensor *centred = op2(sub, a, op1(mean, a, .axes = at->axes, .keepdim = 1));
  tensor *total = op1(sum, op1(square, centred), .axes = at->axes, .keepdim = at->keepdim);
  r->y[0] = op2(div, total, num(n > 0 ? n : 0));
}
