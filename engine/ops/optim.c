/* optim.c -- updates of many tensors in one launch. They are not differentiated. */
#include "../rule.h"

static pl_status check_alike(infer *c, int a, int b, const char *argument) {
  char p[SHAPE_TEXT], q[SHAPE_TEXT];
  if (shape_equal(c->in[a], c->in[b]) && c->in[a]->dtype == c->in[b]->dtype) return PL_OK;
  return infer_error(c, argument, PL_ESHAPE, "tensor %d of %s is %s %s, its parameter %s %s",
                     a - b + 1, argument, pl_dtype_name(c->in[a]->dtype), shape_text(c->in[a], p),
                     pl_dtype_name(c->in[b]->dtype), shape_text(c->in[b], q));
}

/* Every list is as long as the first (or absent), and its tensors are shaped like the first's. */
INFER(optimizer) {
  int n = c->counts[0], at = 0;
  for (int i = 0; i < c->op->n_in; i++) {
    const pl_argument *a = &c->op->in[i];
    if (!(a->marks & PL_LIST)) continue;
    if (c->counts[i] != n && !(c->counts[i] == 0 && (a->marks & PL_OPTIONAL)))
      return infer_error(c, a->name, PL_EARGUMENT, "%s has %d tensors, %s has %d", a->name,
                         c->counts[i], c->op->in[0].name, n);
    for (int k = 0; k < c->counts[i]; k++) {
      if (!dtype_is_float(c->in[at + k]->dtype))
        return infer_error(c, a->name, PL_EDTYPE, "%s holds a tensor of %s", a->name,
                           pl_dtype_name(c->in[at + k]->dtype));
      if (c->in[at + k]->dtype != c->in[k]->dtype || !shape_equal(c->in[at + k], c->in[k]))
        return check_alike(c, at + k, k, a->name);
    }
    at += c->counts[i];
  }
  return PL_OK;
}

INFER(total_norm) {
  for (int i = 0; i < c->n_in; i++)
    if (!dtype_is_float(c->in[i]->dtype))
      return infer_error(c, "xs", PL_EDTYPE, "xs holds a tensor of %s",
                         pl_dtype_name(c->in[i]->dtype));
  c->out->dtype = PL_F32;
  c->out->rank = 0;
  return PL_OK;
}
