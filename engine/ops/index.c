/* index.c -- ops that pick, place, join and pad. Index tensors made here count from 0. */
#include "../rule.h"
#include "../autograd.h"
#include "../dispatch.h"

static bool is_index(const pl_operand *o) {
  return o->dtype == PL_I64 || o->dtype == PL_I32 || o->dtype == PL_U8;
}

static pl_status check_index(infer *c, int i) {
  if (is_index(c->in[i])) return PL_OK;
  return infer_error(c, c->op->in[i].name, PL_EDTYPE,
                     "%s must hold integers (i64, i32 or u8), got %s; t:long() makes them",
                     c->op->in[i].name, pl_dtype_name(c->in[i]->dtype));
}

static pl_status check_same_dtype(infer *c, int i) {
  if (c->in[i]->dtype == c->in[0]->dtype) return PL_OK;
  return infer_error(c, c->op->in[i].name, PL_EDTYPE, "%s is %s, %s is %s", c->op->in[i].name,
                     pl_dtype_name(c->in[i]->dtype), c->op->in[0].name,
                     pl_dtype_name(c->in[0]->dtype));
}

static pl_status shape_clash(infer *c, int i, const char *why) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  return infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s (%s %s, %s %s)", why, c->op->in[0].name,
                     shape_text(c->in[0], a), c->op->in[i].name, shape_text(c->in[i], b));
}

INFER(index_select) {
  const pl_operand *x = c->in[0], *index = c->in[1];
  int32_t wanted = INFER_ATTRS(index_select).axis;
  int axis = infer_axis(wanted, x->rank);
  pl_status s = check_index(c, 1);
  if (s) return s;
  if (axis < 0) return infer_axis_error(c, "axis", wanted, x->rank);
  if (index->rank != 1) return shape_clash(c, 1, "index must have one dimension");
  infer_like(c->out, x);
  c->out->sizes[axis] = index->sizes[0];
  return PL_OK;
}

INFER(index_add) {
  const pl_operand *x = c->in[0], *source = c->in[1], *index = c->in[2];
  int32_t wanted = INFER_ATTRS(index_add).axis;
  int axis = infer_axis(wanted, x->rank);
  pl_status s = check_index(c, 2);
  if (s || (s = check_same_dtype(c, 1))) return s;
  if (axis < 0) return infer_axis_error(c, "axis", wanted, x->rank);
  if (index->rank != 1) return shape_clash(c, 2, "index must have one dimension");
  pl_operand expected = *x;
  expected.sizes[axis] = index->sizes[0];
  if (!shape_equal(&expected, source))
    return shape_clash(c, 1, "source must be shaped like x with one slice per index");
  infer_like(c->out, x);
  return PL_OK;
}

/* index may be smaller than x in every dimension but axis, where it is free. */
static pl_status check_within(infer *c, int i, int32_t wanted) {
  const pl_operand *x = c->in[0], *index = c->in[i];
  int axis = infer_axis(wanted, x->rank);
  if (axis < 0) return infer_axis_error(c, "axis", wanted, x->rank);
  bool fits = index->rank == x->rank;
  for (int k = 0; k < x->rank && fits; k++) fits = k == axis || index->sizes[k] <= x->sizes[k];
  return fits ? PL_OK : shape_clash(c, i, "index must have x's dimensions, none larger but axis");
}

INFER(gather) {
  pl_status s = check_index(c, 1);
  if (s || (s = check_within(c, 1, INFER_ATTRS(gather).axis))) return s;
  infer_like(c->out, c->in[1]);
  c->out->dtype = c->in[0]->dtype;
  return PL_OK;
}

INFER(scatter_add) {
  pl_status s = check_index(c, 2);
  if (s || (s = check_same_dtype(c, 1)) || (s = check_within(c, 2, INFER_ATTRS(scatter_add).axis)))
    return s;
  if (!shape_equal(c->in[1], c->in[2]))
    return shape_clash(c, 1, "source must be shaped like index");
  infer_like(c->out, c->in[0]);
  return PL_OK;
}

INFER(sort) {
  int32_t wanted = INFER_ATTRS(sort).axis;
  const pl_operand *x = c->in[0];
  if (x->rank && infer_axis(wanted, x->rank) < 0)
    return infer_axis_error(c, "axis", wanted, x->rank);
  infer_like(&c->out[0], x);
  infer_like(&c->out[1], x);
  c->out[1].dtype = PL_I64;
  return PL_OK;
}

INFER(embedding) {
  const pl_operand *weight = c->in[0], *index = c->in[1];
  pl_status s = check_index(c, 1);
  if (s) return s;
  if (weight->rank != 2)
    return infer_error(c, "weight", PL_ESHAPE, "weight must be rows x features");
  if (index->rank == PL_MAX_RANK) return shape_clash(c, 1, "index has too many dimensions");
  infer_like(c->out, index);
  c->out->dtype = weight->dtype;
  c->out->sizes[c->out->rank++] = weight->sizes[1];
  return PL_OK;
}

INFER(one_hot) {
  pl_status s = check_index(c, 0);
  int64_t classes = INFER_ATTRS(one_hot).classes;
  if (s) return s;
  if (classes < 1) return infer_error(c, "classes", PL_EARGUMENT,
                                      "classes must be at least 1, got %lld", (long long)classes);
  if (c->in[0]->rank == PL_MAX_RANK)
    return infer_error(c, "index", PL_ESHAPE, "index has %d dimensions, the result would have one "
                       "more than are possible", PL_MAX_RANK);
  infer_like(c->out, c->in[0]);
  c->out->dtype = PL_I64;
  c->out->sizes[c->out->rank++] = classes;
  return PL_OK;
}

INFER(cat) {
  int32_t wanted = INFER_ATTRS(cat).axis;
  if (c->n_in == 0) return infer_error(c, "xs", PL_EARGUMENT, "there is nothing to join");
  int axis = infer_axis(wanted, c->in[0]->rank);
  if (axis < 0) return infer_axis_error(c, "axis", wanted, c->in[0]->rank);
  infer_like(c->out, c->in[0]);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  for (int i = 1; i < c->n_in; i++) {
    pl_operand expected = *c->in[0];
    if (c->in[i]->rank == expected.rank) expected.sizes[axis] = c->in[i]->sizes[axis];
    if (!shape_equal(&expected, c->in[i]))
      return infer_error(c, "xs", PL_ESHAPE,
                         "tensor %d of shape %s does not join tensor 1 of shape %s "
                         "along axis %d", i + 1, shape_text(c->in[i], a), shape_text(c->in[0], b),
                         axis + 1);
    if (__builtin_add_overflow(c->out->sizes[axis], c->in[i]->sizes[axis], &c->out->sizes[axis]))
      return infer_error(c, "xs", PL_ESHAPE, "the result would be too large along axis %d",
                         axis + 1);
  }
  return PL_OK;
}

enum { LONGEST = INT32_MAX };              /* positions inside are pl_dims */

/* What padding says of a dimension: [0] before it, [1] after it. */
static const int64_t *padding_at(const pl_sizes *padding, int rank, int axis) {
  static const int64_t none[2];
  int place = 2 * (rank - 1 - axis);
  return place < padding->n ? padding->size + place : none;
}

INFER(pad) {
  const pl_sizes *padding = &INFER_ATTRS(pad).padding;
  const pl_operand *x = c->in[0];
  if (padding->n % 2 || padding->n > 2 * x->rank)
    return infer_error(c, "padding", PL_EARGUMENT, "padding has two sizes for each of the last "
                       "dimensions, got %d for %d dimensions", (int)padding->n, x->rank);
  infer_like(c->out, x);
  for (int i = 0; i < x->rank; i++) {
    const int64_t *p = padding_at(padding, x->rank, i);
    if (p[0] < -LONGEST || p[0] > LONGEST || p[1] < -LONGEST || p[1] > LONGEST)
      return infer_error(c, "padding", PL_ESHAPE, "padding of dimension %d must lie in -%d..%d",
                         i + 1, LONGEST, LONGEST);
    int64_t cut = (p[0] < 0 ? p[0] : 0) + (p[1] < 0 ? p[1] : 0);
    if (x->sizes[i] + cut < 0)
      return infer_error(c, "padding", PL_ESHAPE, "dimension %d has %lld elements, padding cuts "
                         "off %lld", i + 1, (long long)x->sizes[i], (long long)-cut);
    c->out->sizes[i] += p[0] + p[1];
  }
  return PL_OK;
}

GRAD(index_select) {
  const pl_index_select_attrs *at = r->attrs;
  D(0) = op3(index_add, rule_filled(&r->shapes[0], 0), dy, b, .axis = at->axis, .base = at->base);
}

GRAD(index_add) {
  const pl_index_add_attrs *at = r->attrs;
  D(0) = dy;
  D(1) = op2(index_select, dy, r->x[2], .axis = at->axis, .base = at->base);
}

GRAD(gather) {
  const pl_gather_attrs *at = r->attrs;
  D(0) = op3(scatter_add, rule_filled(&r->shapes[0], 0), dy, b, .axis = at->axis, .base = at->base);
}

/* Each element's gradient goes back to where it stood. */
GRAD(sort) {
  const pl_sort_attrs *at = r->attrs;
  D(0) = r->shapes[0].rank == 0 ? dy
       : op3(scatter_add, rule_filled(&r->shapes[0], 0), dy, r->y[1], .axis = at->axis,
             .base = at->base);
}

GRAD(scatter_add) {
  const pl_scatter_add_attrs *at = r->attrs;
  D(0) = dy;
  D(1) = op2(gather, dy, r->x[2], .axis = at->axis, .base = at->base);
}

/* Rows of dy added where they came from; the padding row's share is taken out first. */
GRAD(embedding) {
  const pl_embedding_attrs *at = r->attrs;
  int64_t features = r->shapes[0].sizes[1];
  tensor *index = op1(reshape, b, .sizes = { 1, { -1 } });
  tensor *flat = op1(reshape, dy, .sizes = { 2, { -1, features } });
  if (at->padding != 0) {
    tensor *padded = op2(eq, op1(unsqueeze, index, .axis = 1), num((double)at->padding));
    flat = op3(where, padded, num(0), flat);
  }
  D(0) = op3(index_add, rule_filled(&r->shapes[0], 0), flat, index, .axis = 0, .base = at->base);
}

GRAD(cat) {
  int axis = infer_axis(ATTRS(cat).axis, r->shapes[0].rank);
  int64_t start = 0;
  for (int i = 0; i < r->n_in; i++) {
    int64_t length = r->shapes[i].sizes[axis];
    if (start > INT32_MAX)             /* a pl_dim says no more */
      rule_fail(status_fail(PL_ESHAPE, "cat", "xs", "cat: gradients of tensors behind position "
                            "2^31 of the result are not possible"));
    if (r->need[i])
      r->dx[i] = op1(narrow, dy, .axis = axis, .start = (int32_t)start, .length = length,
                     .step = 1);
    start += length;
  }
}

/* What padding added is cut off again, and what it cut off gets zeros. */
GRAD(pad) {
  pl_pad_attrs back = { .padding = ATTRS(pad).padding };
  for (int i = 0; i < back.padding.n; i++) back.padding.size[i] = -back.padding.size[i];
  D(0) = rule_apply(OP_pad, &back, 1, &dy);
}

/* Values everywhere, then what stays of x over its region. */
COMPOSE(pad) {
  const pl_pad_attrs *at = r->attrs;
  int rank = a->view.rank;
  pl_full_attrs whole = { .sizes = { .n = rank }, .dtype = a->view.dtype };
  for (int i = 0; i < rank; i++) {
    const int64_t *p = padding_at(&at->padding, rank, i);
    whole.sizes.size[i] = a->view.sizes[i] + p[0] + p[1];
  }
  tensor *y = rule_apply(OP_full, &whole, 1, (tensor *[]){ num(at->value) });
  tensor *kept = a, *region = y;
  for (int i = 0; i < rank; i++) {
    const int64_t *p = padding_at(&at->padding, rank, i);
    int64_t before = p[0] > 0 ? p[0] : 0, cut = p[0] < 0 ? -p[0] : 0;
    int64_t length = a->view.sizes[i] - cut + (p[1] < 0 ? p[1] : 0);
    kept = op1(narrow, kept, .axis = i, .start = (int32_t)cut, .length = length, .step = 1);
    region = op1(narrow, region, .axis = i, .start = (int32_t)before, .length = length, .step = 1);
  }
  if (!kept || !region) return;
  pl_status s = tensor_assign(region, kept);
  if (s) rule_fail(s);
  r->y[0] = y;
}
