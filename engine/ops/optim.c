/* optim.c -- updates of many tensors in one launch. They are not differentiated. */
#include "../rule.h"

/* Tensor k of a list, which is input `at` of all, against the first list's. */
static pl_status check_alike(infer *c, int at, int k, const char *argument) {
  const pl_operand *t = c->in[at], *first = c->in[k];
  char p[SHAPE_TEXT], q[SHAPE_TEXT];
  if (shape_equal(t, first) && t->dtype == first->dtype) return PL_OK;
  return infer_error(c, argument, PL_ESHAPE, "tensor %d of %s is %s %s, its parameter %s %s", k + 1,
                     argument, pl_dtype_name(t->dtype), shape_text(t, p),
                     pl_dtype_name(first->dtype), shape_text(first, q));
}

/* List number i, whose tensors begin at `at`: as long as the first, or absent if it may be. */
static pl_status check_length(infer *c, int i) {
  const pl_argument *a = &c->op->in[i];
  int n = c->counts[0];
  if (c->counts[i] == n || (c->counts[i] == 0 && (a->marks & PL_OPTIONAL))) return PL_OK;
  return infer_error(c, a->name, PL_EARGUMENT, "%s has %d tensors, %s has %d", a->name,
                     c->counts[i], c->op->in[0].name, n);
}

/* Its tensors are floating and shaped like the first list's. */
static pl_status check_list(infer *c, int i, int at) {
  const char *name = c->op->in[i].name;
  pl_status s = check_length(c, i);
  for (int k = 0; !s && k < c->counts[i]; k++) {
    if (!dtype_is_float(c->in[at + k]->dtype))
      return infer_error(c, name, PL_EDTYPE, "%s holds a tensor of %s", name,
                         pl_dtype_name(c->in[at + k]->dtype));
    s = check_alike(c, at + k, k, name);
  }
  return s;
}

/* Its tensors are single f64 numbers, one for each of the first list's. */
static pl_status check_counts(infer *c, int i, int at) {
  const char *name = c->op->in[i].name;
  pl_status s = check_length(c, i);
  for (int k = 0; !s && k < c->counts[i]; k++) {
    char shape[SHAPE_TEXT];
    const pl_operand *t = c->in[at + k];
    if (t->dtype != PL_F64 || t->rank != 0)
      s = infer_error(c, name, PL_ESHAPE, "tensor %d of %s is %s %s, must be one number of f64",
                      k + 1, name, pl_dtype_name(t->dtype), shape_text(t, shape));
  }
  return s;
}

/* All lists, the last of which holds the numbers of steps made if `counted`, and what follows. */
static pl_status check_lists(infer *c, bool counted) {
  const pl_argument *in = c->op->in;
  int i = 0, at = 0;
  for (; i < c->op->n_in && (in[i].marks & PL_LIST); i++) {
    bool last = i + 1 == c->op->n_in || !(in[i + 1].marks & PL_LIST);
    pl_status s = counted && last ? check_counts(c, i, at) : check_list(c, i, at);
    if (s) return s;
    at += c->counts[i];
  }
  if (i < c->op->n_in && c->counts[i] == 0)
    return infer_error(c, in[i].name, PL_EARGUMENT, "%s is missing", in[i].name);
  return PL_OK;
}

INFER(optimizer) { return check_lists(c, false); }

INFER(counted_optimizer) { return check_lists(c, true); }

INFER(total_norm) {
  for (int i = 0; i < c->n_in; i++)
    if (!dtype_is_float(c->in[i]->dtype))
      return infer_error(c, "xs", PL_EDTYPE, "xs holds a tensor of %s",
                         pl_dtype_name(c->in[i]->dtype));
  c->out->dtype = PL_F32;
  c->out->rank = 0;
  return PL_OK;
}
