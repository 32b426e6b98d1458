/* random.c -- ops that draw numbers. */
#include "../rule.h"
#include "../autograd.h"

INFER(dropout) {
  double p = INFER_ATTRS(dropout).p;
  if (!(p >= 0 && p <= 1))
    return infer_error(c, "p", PL_EARGUMENT, "p must lie in 0..1, got %g", p);
  infer_like(&c->out[0], c->in[0]);
  infer_like(&c->out[1], c->in[0]);
  c->out[1].dtype = PL_BOOL;
  return PL_OK;
}

/* What was kept was scaled by 1 / (1 - p). */
GRAD(dropout) {
  double p = ATTRS(dropout).p;
  D(0) = op3(where, r->y[1], op2(mul, dy, num(p < 1 ? 1 / (1 - p) : 0)), num(0));
}
