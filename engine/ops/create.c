/* create.c -- tensors from nothing but attributes. */
#include "../rule.h"
#include <string.h>

static pl_status make(infer *c, const pl_sizes *sizes, int dtype) {
  if (dtype < 0 || dtype >= PL_DTYPES)
    return infer_error(c, "dtype", PL_EDTYPE, "dtype %d does not exist", dtype);
  c->out->dtype = dtype;
  c->out->rank = (int32_t)sizes->n;
  memcpy(c->out->sizes, sizes->size, sizeof c->out->sizes);
  return PL_OK;
}

/* rand, randn and full begin their attributes with sizes and dtype. */
INFER(make) {
  const pl_rand_attrs *at = c->attrs;
  pl_status s = make(c, &at->sizes, at->dtype);
  if (!s && c->op->id != OP_full && !dtype_is_float(at->dtype))
    s = infer_error(c, "dtype", PL_EDTYPE, "%s gives floating numbers, not %s", c->op->name,
                    pl_dtype_name(at->dtype));
  if (!s && c->op->id == OP_full && c->in[0]->count != 1)
    s = infer_error(c, "value", PL_ESHAPE, "value must be one element");
  return s;
}

INFER(make_i64) {
  const pl_randint_attrs *at = c->attrs;
  if (at->low > at->high)
    return infer_error(c, "low", PL_EARGUMENT, "low (%lld) is above high (%lld)",
                       (long long)at->low, (long long)at->high);
  return make(c, &at->sizes, PL_I64);
}

INFER(make_length) {
  const pl_arange_attrs *at = c->attrs;
  pl_sizes sizes = { 1, { at->length } };
  return make(c, &sizes, at->dtype);
}

COMPOSE(full) {
  const pl_full_attrs *at = r->attrs;
  tensor *one = op1(cast, a, .dtype = at->dtype);
  one = op1(reshape, one, .sizes = { 0 });
  r->y[0] = op1(copy, op1(expand, one, .sizes = at->sizes));
}
