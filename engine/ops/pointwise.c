/* pointwise.c -- ops whose element i needs only elements i. dy is the gradient of y. */
#include "../rule.h"
#include <math.h>
#include "../autograd.h"

INFER(same)    { infer_like(c->out, c->in[0]); return PL_OK; }
INFER(boolean) { infer_like(c->out, c->in[0]); c->out->dtype = PL_BOOL; return PL_OK; }

INFER(cast) {
  int dtype = INFER_ATTRS(cast).dtype;
  infer_like(c->out, c->in[0]);
  c->out->dtype = dtype;
  if (dtype >= 0 && dtype < PL_DTYPES) return PL_OK;
  return infer_error(c, "dtype", PL_EDTYPE, "dtype %d does not exist", dtype);
}

static pl_status broadcast_error(infer *c, int i) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  return infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s of shape %s and %s of shape %s do not "
                     "broadcast (sizes must be equal or 1, counted from the last)",
                     c->op->in[0].name, shape_text(c->in[0], a), c->op->in[i].name,
                     shape_text(c->in[i], b));
}

INFER(broadcast) {
  infer_like(c->out, c->in[0]);
  for (int i = 1; i < c->n_in; i++)
    if (!shape_broadcast(c->out, c->in[i], c->out)) return broadcast_error(c, i);
  return PL_OK;
}

INFER(compare) {
  pl_status s = infer_broadcast(c);
  c->out->dtype = PL_BOOL;
  return s;
}

INFER(where) {
  pl_status s = infer_broadcast(c);
  c->out->dtype = c->in[1]->dtype;
  if (s || c->in[0]->dtype == PL_BOOL) return s;
  return infer_error(c, "condition", PL_EDTYPE, "condition must be bool, got %s; compare it, as in "
                     "t:ne(0)", pl_dtype_name(c->in[0]->dtype));
}

/* Zeros shaped like what the gradient is for: a pass through which nothing flows. */
GRAD(zero)       { D(0) = op2(mul, dy, num(0)); }
GRAD(copy)       { D(0) = dy; }
GRAD(cast)       { D(0) = op1(cast, dy, .dtype = r->shapes[0].dtype); }

GRAD(neg)        { D(0) = op1(neg, dy); }
GRAD(abs)        { D(0) = op2(mul, dy, op1(sign, a)); }
GRAD(square)     { D(0) = op2(mul, dy, op2(mul, a, num(2))); }
GRAD(relu)       { D(0) = op2(relu_backward, y, dy); }
GRAD(relu_backward) { D(1) = op2(relu_backward, a, dy); }
GRAD(exp)        { D(0) = op2(mul, dy, y); }
GRAD(expm1)      { D(0) = op2(mul, dy, op2(add, y, num(1))); }
GRAD(log)        { D(0) = op2(div, dy, a); }
GRAD(log1p)      { D(0) = op2(div, dy, op2(add, a, num(1))); }
GRAD(sqrt)       { D(0) = op2(div, dy, op2(mul, y, num(2))); }
GRAD(rsqrt)      { D(0) = op2(mul, dy, op2(mul, op2(pow, y, num(3)), num(-0.5))); }
GRAD(reciprocal) { D(0) = op1(neg, op2(mul, dy, op1(square, y))); }
GRAD(sin)        { D(0) = op2(mul, dy, op1(cos, a)); }
GRAD(cos)        { D(0) = op1(neg, op2(mul, dy, op1(sin, a))); }
GRAD(tanh)       { D(0) = op2(mul, dy, op2(sub, num(1), op1(square, y))); }
GRAD(sigmoid)    { D(0) = op2(mul, dy, op2(mul, y, op2(sub, num(1), y))); }
GRAD(softplus)   { D(0) = op2(mul, dy, op1(sigmoid, a)); }

/* 2 / sqrt(pi) * exp(-x^2) */
GRAD(erf) {
  D(0) = op2(mul, dy, op2(mul, op1(exp, op1(neg, op1(square, a))), num(M_2_SQRTPI)));
}

/* s + x s (1 - s), s = sigmoid(x) */
GRAD(silu) {
  tensor *s = op1(sigmoid, a);
  D(0) = op2(mul, dy, op2(mul, s, op2(add, op2(mul, a, op2(sub, num(1), s)), num(1))));
}

/* Phi(x) + x phi(x), the normal distribution and its density */
GRAD(gelu) {
  tensor *cdf = op2(mul, op2(add, op1(erf, op2(mul, a, num(M_SQRT1_2))), num(1)), num(0.5));
  tensor *pdf = op2(mul, op1(exp, op2(mul, op1(square, a), num(-0.5))),
                    num(M_2_SQRTPI * M_SQRT1_2 / 2));
  D(0) = op2(mul, dy, op2(add, cdf, op2(mul, a, pdf)));
}

GRAD(leaky_relu) {
  D(0) = op3(where, op2(gt, a, num(0)), dy, op2(mul, dy, num(ATTRS(leaky_relu).slope)));
}

GRAD(elu) {
  tensor *below = op2(mul, dy, op2(mul, op1(exp, a), num(ATTRS(elu).alpha)));
  D(0) = op3(where, op2(gt, a, num(0)), dy, below);
}

GRAD(clamp) {
  tensor *inside = op2(logical_and, op2(ge, a, num(ATTRS(clamp).min)),
                       op2(le, a, num(ATTRS(clamp).max)));
  D(0) = op3(where, inside, dy, num(0));
}

GRAD(add) { D(0) = dy; D(1) = dy; }
GRAD(sub) { D(0) = dy; D(1) = op1(neg, dy); }
GRAD(mul) { D(0) = op2(mul, dy, b); D(1) = op2(mul, dy, a); }
GRAD(div) {
  D(0) = op2(div, dy, b);
  D(1) = op1(neg, op2(div, op2(mul, dy, a), op1(square, b)));
}

/* b a^(b-1) and y log a; where a is 0 the second is 0, as the limit for b > 0 */
GRAD(pow) {
  D(0) = op2(mul, dy, op3(where, op2(eq, b, num(0)), num(0),
                          op2(mul, b, op2(pow, a, op2(sub, b, num(1))))));
  D(1) = op2(mul, dy, op3(where, op2(eq, a, num(0)), num(0), op2(mul, y, op1(log, a))));
}

/* Where both are equal each gets half, as in PyTorch. */
static tensor *share(tensor *dy, tensor *wins, tensor *ties) {
  return op3(where, wins, dy, op3(where, ties, op2(mul, dy, num(0.5)), num(0)));
}

GRAD(maximum) {
  tensor *ties = op2(eq, a, b);
  D(0) = share(dy, op2(gt, a, b), ties);
  D(1) = share(dy, op2(lt, a, b), ties);
}

GRAD(minimum) {
  tensor *ties = op2(eq, a, b);
  D(0) = share(dy, op2(lt, a, b), ties);
  D(1) = share(dy, op2(gt, a, b), ties);
}

GRAD(where) {
  if (r->need[1]) r->dx[1] = op3(where, a, dy, num(0));
  if (r->need[2]) r->dx[2] = op3(where, a, num(0), dy);
}
