/*
** rule.c -- ops as functions on tensors, for composites and gradients. What they make belongs to
** the open frame; the first failure sticks in the context and NULL flows through the rest.
*/
#include "rule.h"
#include <string.h>
#include "autograd.h"
#include "dispatch.h"

bool rule_apply_all(int op, const void *attrs, int n, tensor *const *x, tensor **out) {
  context *c = context_here();
  const pl_op_info *info = pl_op(op);
  tensor *all[8] = { NULL };
  for (int i = 0; i < n; i++) {
    all[i] = x[i];
    if (!x[i] && !(info->in[i].marks & PL_OPTIONAL)) return false;
  }
  if (c->rule_status) return false;
  pl_status s = apply(op, attrs, all, NULL, info->n_in, out);
  for (int j = 0; !s && j < info->n_out; j++)
    if ((s = frame_push(out[j])))
      for (int k = j + 1; k < info->n_out; k++) tensor_unref(out[k]);
  c->rule_status = s;
  return s == PL_OK;
}

tensor *rule_apply(int op, const void *attrs, int n, tensor *const *x) {
  tensor *out[PL_MAX_OUT];
  return rule_apply_all(op, attrs, n, x, out) ? out[0] : NULL;
}

tensor *rule_number(double value) {
  tensor *t;
  context *c = context_here();
  if (c->rule_status) return NULL;
  c->rule_status = tensor_number(value, &t);
  if (!c->rule_status) c->rule_status = frame_push(t);
  return c->rule_status ? NULL : t;
}

void rule_fail(pl_status status) {
  context *c = context_here();
  if (!c->rule_status) c->rule_status = status;
}

bool rule_failed(void) { return context_here()->rule_status != PL_OK; }

pl_sizes rule_sizes(const struct input_shape *s) {
  pl_sizes sizes = { .n = s->rank };
  memcpy(sizes.size, s->sizes, sizeof sizes.size);
  return sizes;
}

tensor *rule_filled(const struct input_shape *s, double value) {
  return op1(full, rule_number(value), .sizes = rule_sizes(s), .dtype = s->dtype);
}
