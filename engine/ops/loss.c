/* loss.c -- what training minimises. Class targets are positions, counted from the row's base. */
#include "../rule.h"
#include <math.h>
#include "../autograd.h"

static pl_status check_class_weight(infer *c) {
  const pl_operand *x = c->in[0], *w = c->in[2];
  char text[SHAPE_TEXT];
  if (!w || (w->rank == 1 && w->sizes[0] == x->sizes[x->rank - 1])) return PL_OK;
  return infer_error(c, "weight", PL_ESHAPE,
                     "weight must have one element per class (%lld), it is %s",
                     (long long)x->sizes[x->rank - 1], shape_text(w, text));
}

static pl_status check_smoothing(infer *c, double share) {
  if (share >= 0 && share <= 1) return PL_OK;
  return infer_error(c, "label_smoothing", PL_EARGUMENT,
                     "label_smoothing must lie in 0..1, got %g", share);
}

static pl_status check_target(infer *c) {
  const pl_operand *x = c->in[0], *t = c->in[1];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (t->dtype != PL_I64 && t->dtype != PL_I32 && t->dtype != PL_U8)
    return infer_error(c, "target", PL_EDTYPE, "target must hold class positions (i64, i32 or u8), "
                       "got %s", pl_dtype_name(t->dtype));
  bool fits = x->rank >= 1 && x->rank <= 2 && t->rank == x->rank - 1
           && (x->rank == 1 || t->sizes[0] == x->sizes[0]);
  if (!fits)
    return infer_error(c, "target", PL_ESHAPE,
                       "%s must be n x classes and target n (%s %s, target %s); "
                       "more dimensions: permute classes last and flatten", c->op->in[0].name,
                       c->op->in[0].name, shape_text(x, a), shape_text(t, b));
  return check_class_weight(c);
}

static pl_status loss_shape(infer *c, pl_reduction reduction) {
  infer_like(c->out, c->in[1]);
  c->out->dtype = c->in[0]->dtype;
  if (reduction != PL_REDUCTION_NONE) c->out->rank = 0;
  return PL_OK;
}

INFER(cross_entropy) {
  const pl_cross_entropy_attrs *at = c->attrs;
  pl_status s = check_target(c);
  if (!s) s = check_smoothing(c, at->label_smoothing);
  if (s) return s;
  loss_shape(c, at->reduction);
  infer_like(&c->out[1], c->in[1]);
  c->out[1].dtype = dtype_is_half(c->in[0]->dtype) ? PL_F32 : c->in[0]->dtype;
  return PL_OK;
}

/* The forward's inputs, what it saved for each row, and the gradient of its output. */
static pl_status backward_shape(infer *c, pl_reduction reduction) {
  const pl_operand *target = c->in[1];
  pl_status s = check_target(c);
  for (int i = 3; i < c->n_in && !s; i++) {
    const pl_operand *x = c->in[i];
    bool each = i < c->n_in - 1 || reduction == PL_REDUCTION_NONE;
    bool known = x->dtype == c->in[0]->dtype
              || (i < c->n_in - 1 && dtype_is_half(c->in[0]->dtype) && x->dtype == PL_F32);
    if (!known || !(each ? shape_equal(x, target) : x->rank == 0))
      s = infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s must be %s and %s", c->op->in[i].name,
                      pl_dtype_name(c->in[0]->dtype), each ? "shaped like target" : "0-d");
  }
  if (!s) infer_like(c->out, c->in[0]);
  return s;
}

INFER(cross_entropy_backward) {
  return backward_shape(c, INFER_ATTRS(cross_entropy_backward).reduction);
}

INFER(nll_loss_backward) {
  return backward_shape(c, INFER_ATTRS(nll_loss_backward).reduction);
}

INFER(nll_loss) {
  pl_status s = check_target(c);
  return s ? s : loss_shape(c, INFER_ATTRS(nll_loss).reduction);
}

GRAD(cross_entropy) {
  const pl_cross_entropy_attrs *at = r->attrs;
  tensor *x[5] = { a, b, r->x[2], r->y[1], dy };
  pl_cross_entropy_backward_attrs back = { at->ignore_index, at->label_smoothing, at->reduction,
                                           at->base, 0 };
  D(0) = rule_apply(OP_cross_entropy_backward, &back, 5, x);
}

GRAD(nll_loss) {
  const pl_nll_loss_attrs *at = r->attrs;
  tensor *x[4] = { a, b, r->x[2], dy };
  pl_nll_loss_backward_attrs back = { at->ignore_index, at->reduction, at->base, 0 };
  D(0) = rule_apply(OP_nll_loss_backward, &back, 4, x);
}

static const pl_dims last = { 1, { -1 } };

/* Linear in grad, so its share is the result for a gradient of one. For the logits: a row of the
** result is s p - (what does not depend on them), p its softmax, and with an endless log_sum p is
** 0 and the row adds up to -s; the gradient is s p (dy - sum(p dy)), log_sum's part included. */
GRAD(cross_entropy_backward) {
  tensor *x[5] = { a, b, r->x[2], r->x[3], r->x[4] };
  if (r->need[0]) {
    x[3] = op2(add, r->x[3], num(INFINITY));
    tensor *minus_s = op1(sum, rule_apply(r->op->id, r->attrs, 5, x), .axes = last, .keepdim = 1);
    tensor *p = op1(softmax, a, .axis = -1);
    tensor *centred = op2(sub, op1(sum, op2(mul, p, dy), .axes = last, .keepdim = 1), dy);
    r->dx[0] = op2(mul, minus_s, op2(mul, p, centred));
    x[3] = r->x[3];
  }
  if (r->need[4]) {
    x[4] = rule_filled(&r->shapes[4], 1);
    tensor *product = op2(mul, dy, rule_apply(r->op->id, r->attrs, 5, x));
    bool each = ATTRS(cross_entropy_backward).reduction == PL_REDUCTION_NONE;
    r->dx[4] = each ? op1(sum, product, .axes = last) : op1(sum, product);
  }
}

/* Linear in grad: what weighs dy at the targets is nll_loss itself. */
GRAD(nll_loss_backward) {
  const pl_nll_loss_backward_attrs *at = r->attrs;
  tensor *x[3] = { dy, b, r->x[2] };
  pl_nll_loss_attrs forward = { at->ignore_index, at->reduction, at->base, 0 };
  D(3) = rule_apply(OP_nll_loss, &forward, 3, x);
}

INFER(soft_cross_entropy) {
  const pl_soft_cross_entropy_attrs *at = c->attrs;
  const pl_operand *x = c->in[0];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (x->rank < 1 || x->rank > 2 || !shape_equal(x, c->in[1]))
    return infer_error(c, "target", PL_ESHAPE, "logits and target must both be n x classes, they "
                       "are %s and %s; more dimensions: permute classes last and flatten",
                       shape_text(x, a), shape_text(c->in[1], b));
  pl_status s = check_class_weight(c);
  if (!s) s = check_smoothing(c, at->label_smoothing);
  if (s) return s;
  infer_like(c->out, x);
  c->out->rank = at->reduction == PL_REDUCTION_NONE ? x->rank - 1 : 0;
  return PL_OK;
}

/* Losses of two tensors of one shape; broadcasting them is nearly always a mistake. */
INFER(pair_loss) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!shape_equal(c->in[0], c->in[1]))
    return infer_error(c, "other", PL_ESHAPE,
                       "prediction of shape %s and target of shape %s differ",
                       shape_text(c->in[0], a), shape_text(c->in[1], b));
  infer_like(c->out, c->in[0]);
  if (*(const pl_reduction *)c->attrs != PL_REDUCTION_NONE) c->out->rank = 0;
  return PL_OK;
}

static tensor *reduced(tensor *t, pl_reduction reduction) {
  if (reduction == PL_REDUCTION_MEAN) return op1(mean, t);
  return reduction == PL_REDUCTION_SUM ? op1(sum, t) : t;
}

COMPOSE(mse_loss) { r->y[0] = reduced(op1(square, op2(sub, a, b)), ATTRS(mse_loss).reduction); }
COMPOSE(l1_loss)  { r->y[0] = reduced(op1(abs, op2(sub, a, b)), ATTRS(l1_loss).reduction); }

/* A mean counts rows, whatever the weights, as in PyTorch. */
COMPOSE(soft_cross_entropy) {
  const pl_soft_cross_entropy_attrs *at = r->attrs;
  double smoothing = at->label_smoothing, classes = (double)a->view.sizes[a->view.rank - 1];
  tensor *share = b;
  if (smoothing > 0)
    share = op2(add, op2(mul, share, num(1 - smoothing)), num(smoothing / classes));
  if (r->x[2]) share = op2(mul, share, r->x[2]);
  tensor *each = op1(sum, op2(mul, share, op1(log_softmax, a, .axis = -1)), .axes = last);
  r->y[0] = reduced(op1(neg, each), at->reduction);
}

COMPOSE(huber_loss) {
  double delta = ATTRS(huber_loss).delta;
  tensor *d = op1(abs, op2(sub, a, b));
  tensor *near = op2(mul, op1(square, d), num(0.5));
  tensor *far = op2(mul, op2(sub, d, num(delta / 2)), num(delta));
  r->y[0] = reduced(op3(where, op2(le, d, num(delta)), near, far), ATTRS(huber_loss).reduction);
}

/* softplus(x) - x t */
COMPOSE(bce_with_logits) {
  tensor *each = op2(sub, op1(softplus, a), op2(mul, a, b));
  r->y[0] = reduced(each, ATTRS(bce_with_logits).reduction);
}
