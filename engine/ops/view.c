/*
** view.c -- other geometries over the same storage. A rule sets sizes, strides and offset; one that
** answers PL_EUNSUPPORTED asks for a dense copy of its input first.
*/
#include "../rule.h"
#include <string.h>
#include "../autograd.h"
#include "../dispatch.h"

static void set_dense_strides(pl_operand *out, int64_t offset) {
  shape_make_dense(out);
  out->offset = offset;
}

/* Strides for the new sizes over x as it lies, where each group of new dimensions stays inside a
** run of x's dimensions without gaps; false where that is impossible. */
static bool stride_over(const pl_operand *x, pl_operand *out) {
  int64_t run = 1;                         /* elements of the open run of x's dimensions */
  int64_t taken = 1;                       /* of these already given to new dimensions */
  int j = out->rank - 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    if (x->sizes[i] == 1) continue;
    int64_t stride = x->strides[i];
    run = x->sizes[i];
    while (i > 0 && (x->sizes[i - 1] == 1 || x->strides[i - 1] == x->strides[i] * x->sizes[i])) {
      if (x->sizes[i - 1] == 1) {
        if (i - 1 == 0) { i--; break; }
        int k = i - 1;                     /* skip ones: compare with the next larger dimension */
        while (k > 0 && x->sizes[k] == 1) k--;
        if (x->sizes[k] == 1 || x->strides[k] != x->strides[i] * x->sizes[i]) break;
        i = k;
      } else {
        i--;
      }
      run *= x->sizes[i];
    }
    for (taken = 1; j >= 0 && taken < run; j--) {
      out->strides[j] = stride * taken;
      taken *= out->sizes[j];
    }
    if (taken != run) return false;
  }
  for (; j >= 0; j--) {
    if (out->sizes[j] != 1) return false;
    out->strides[j] = 1;
  }
  return true;
}

static pl_status view_as(infer *c) {
  const pl_operand *x = c->in[0];
  if (shape_is_contiguous(x) || x->count == 0) {
    set_dense_strides(c->out, x->offset);
    return PL_OK;
  }
  c->out->offset = x->offset;
  return stride_over(x, c->out) ? PL_OK : PL_EUNSUPPORTED;
}

INFER(reshape) {
  const pl_sizes *want = &INFER_ATTRS(reshape).sizes;
  const pl_operand *x = c->in[0];
  int64_t known = 1;
  int open = -1;
  pl_operand asked = { .rank = (int32_t)want->n };
  for (int i = 0; i < want->n; i++) {
    asked.sizes[i] = want->size[i];
    if (want->size[i] == -1 && open < 0) open = i;
    else if (want->size[i] < 0)
      return infer_error(c, "sizes", PL_ESHAPE, "one size may be -1, got %lld at place %d",
                         (long long)want->size[i], i + 1);
    else if (__builtin_mul_overflow(known, want->size[i], &known))
      return infer_error(c, "sizes", PL_ESHAPE, "the sizes are too large");
  }
  if (open >= 0 && known) asked.sizes[open] = x->count / known;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (open >= 0 && !known)
    return infer_error(c, "sizes", PL_ESHAPE, "without elements a size of -1 could be anything: "
                       "write it");
  if (!shape_is_sane(&asked)) return infer_error(c, "sizes", PL_ESHAPE, "the sizes are too large");
  if ((open >= 0 ? known * asked.sizes[open] : known) != x->count)
    return infer_error(c, "sizes", PL_ESHAPE, "%lld elements (%s) do not fit into %s",
                       (long long)x->count, shape_text(x, a), shape_text(&asked, b));
  c->out->dtype = x->dtype;
  c->out->rank = asked.rank;
  memcpy(c->out->sizes, asked.sizes, sizeof asked.sizes);
  return view_as(c);
}

INFER(flatten) {
  const pl_operand *x = c->in[0];
  const pl_flatten_attrs *at = c->attrs;
  int rank = x->rank ? x->rank : 1;
  int first = infer_axis(at->first, rank), last = infer_axis(at->last, rank);
  if (first < 0) return infer_axis_error(c, "first", at->first, x->rank);
  if (last < 0) return infer_axis_error(c, "last", at->last, x->rank);
  if (first > last)
    return infer_error(c, "first", PL_EARGUMENT, "first (%d) comes after last (%d)", first + 1,
                       last + 1);
  c->out->dtype = x->dtype;
  c->out->rank = 0;
  int64_t joined = 1;
  for (int i = 0; i < x->rank; i++) {
    if (i >= first && i <= last) joined *= x->sizes[i];
    if (i < first || i > last) c->out->sizes[c->out->rank++] = x->sizes[i];
    if (i == last) c->out->sizes[c->out->rank++] = joined;
  }
  if (!x->rank) c->out->sizes[c->out->rank++] = 1;
  return view_as(c);
}

INFER(permute) {
  const pl_dims *axes = &INFER_ATTRS(permute).axes;
  const pl_operand *x = c->in[0];
  bool mask[PL_MAX_RANK];
  if (axes->n != x->rank)
    return infer_error(c, "axes", PL_EARGUMENT, "%d axes given for %d dimensions", axes->n,
                       x->rank);
  pl_status s = infer_mask(c, "axes", axes, x->rank, mask);
  if (s) return s;
  *c->out = *x;
  for (int i = 0; i < x->rank; i++) {
    int a = infer_axis(axes->dim[i], x->rank);
    c->out->sizes[i] = x->sizes[a];
    c->out->strides[i] = x->strides[a];
  }
  return PL_OK;
}

INFER(transpose) {
  const pl_transpose_attrs *at = c->attrs;
  const pl_operand *x = c->in[0];
  int i = infer_axis(at->first, x->rank), j = infer_axis(at->second, x->rank);
  if (i < 0) return infer_axis_error(c, "first", at->first, x->rank);
  if (j < 0) return infer_axis_error(c, "second", at->second, x->rank);
  *c->out = *x;
  c->out->sizes[i] = x->sizes[j];
  c->out->strides[i] = x->strides[j];
  c->out->sizes[j] = x->sizes[i];
  c->out->strides[j] = x->strides[i];
  return PL_OK;
}

INFER(expand) {
  const pl_sizes *want = &INFER_ATTRS(expand).sizes;
  const pl_operand *x = c->in[0];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  pl_operand like = { .rank = (int32_t)want->n, .count = 1 };
  int shift = (int)want->n - x->rank;
  bool fits = shift >= 0;
  for (int i = 0; i < want->n; i++) {
    int64_t have = i < shift || shift < 0 ? 1 : x->sizes[i - shift];
    like.sizes[i] = want->size[i] == -1 && i >= shift ? have : want->size[i];
    fits &= like.sizes[i] >= 0 && (have == like.sizes[i] || have == 1);
  }
  if (!fits)
    return infer_error(c, "sizes", PL_ESHAPE,
                       "%s cannot expand to %s (only dimensions of size 1 repeat)",
                       shape_text(x, a), shape_text(&like, b));
  shape_expand(x, &like, c->out);
  return PL_OK;
}

INFER(narrow) {
  const pl_narrow_attrs *at = c->attrs;
  const pl_operand *x = c->in[0];
  int axis = infer_axis(at->axis, x->rank);
  if (axis < 0) return infer_axis_error(c, "axis", at->axis, x->rank);
  int64_t n = x->sizes[axis], start = at->start < 0 ? at->start + n : at->start;
  if (at->step < 1) return infer_error(c, "step", PL_EARGUMENT, "step must be at least 1");
  bool fits = start >= 0 && start <= n && at->length >= 0;
  if (at->length > 0) fits = fits && start < n && at->length - 1 <= (n - 1 - start) / at->step;
  if (!fits)
    return infer_error(c, "length", PL_ESHAPE, "%lld positions from %lld do not lie in 1..%lld of "
                       "dimension %d", (long long)at->length, (long long)start + 1, (long long)n,
                       axis + 1);
  *c->out = *x;
  c->out->sizes[axis] = at->length;
  if (at->length > 1) c->out->strides[axis] = x->strides[axis] * at->step;
  c->out->offset = x->offset + (at->length ? start * x->strides[axis] : 0);
  return PL_OK;
}

static void drop_axis(pl_operand *out, int axis) {
  for (int i = axis; i < out->rank - 1; i++) {
    out->sizes[i] = out->sizes[i + 1];
    out->strides[i] = out->strides[i + 1];
  }
  out->rank--;
}

INFER(select) {
  const pl_select_attrs *at = c->attrs;
  const pl_operand *x = c->in[0];
  int axis = infer_axis(at->axis, x->rank);
  if (axis < 0) return infer_axis_error(c, "axis", at->axis, x->rank);
  int64_t n = x->sizes[axis], index = at->index < 0 ? at->index + n : at->index;
  if (index < 0 || index >= n)
    return infer_error(c, "index", PL_ESHAPE, "position %d is outside 1..%lld of dimension %d",
                       at->index < 0 ? at->index : at->index + 1, (long long)n, axis + 1);
  *c->out = *x;
  c->out->offset += index * x->strides[axis];
  drop_axis(c->out, axis);
  return PL_OK;
}

INFER(squeeze) {
  const pl_dims *axes = &INFER_ATTRS(squeeze).axes;
  bool mask[PL_MAX_RANK];
  pl_status s = infer_mask(c, "axes", axes, c->in[0]->rank, mask);
  if (s) return s;
  *c->out = *c->in[0];
  for (int i = c->in[0]->rank - 1; i >= 0; i--)
    if (mask[i] && c->in[0]->sizes[i] == 1) drop_axis(c->out, i);
  return PL_OK;
}

INFER(unsqueeze) {
  const pl_operand *x = c->in[0];
  int axis = infer_axis(INFER_ATTRS(unsqueeze).axis, x->rank + 1);
  if (x->rank == PL_MAX_RANK)
    return infer_error(c, "axis", PL_ESHAPE, "the input has %d dimensions already, no more are "
                       "possible", PL_MAX_RANK);
  if (axis < 0)
    return infer_axis_error(c, "axis", INFER_ATTRS(unsqueeze).axis, x->rank + 1);
  *c->out = *x;
  for (int i = x->rank; i > axis; i--) {
    c->out->sizes[i] = x->sizes[i - 1];
    c->out->strides[i] = x->strides[i - 1];
  }
  c->out->sizes[axis] = 1;
  c->out->strides[axis] = axis < x->rank ? x->sizes[axis] * x->strides[axis] : 1;
  c->out->rank = x->rank + 1;
  return PL_OK;
}

/* Do all elements of the geometry lie among the first `count`? */
static bool reaches_inside(const pl_as_strided_attrs *at, int64_t count) {
  int64_t last = at->offset, way;
  if (last < 0) return false;
  for (int i = 0; i < at->sizes.n; i++) {
    if (at->sizes.size[i] == 0) return true;
    if (at->sizes.size[i] < 0 || at->strides.size[i] < 0
        || __builtin_mul_overflow(at->sizes.size[i] - 1, at->strides.size[i], &way)
        || __builtin_add_overflow(last, way, &last)) return false;
  }
  return last < count;
}

/* Strides reach anywhere in x: the rules that use it hand over a geometry that exists. */
INFER(as_strided) {
  const pl_as_strided_attrs *at = c->attrs;
  c->out->dtype = c->in[0]->dtype;
  c->out->rank = (int32_t)at->sizes.n;
  memcpy(c->out->sizes, at->sizes.size, sizeof c->out->sizes);
  memcpy(c->out->strides, at->strides.size, sizeof c->out->strides);
  c->out->offset = at->offset;
  if (at->sizes.n != at->strides.n || !reaches_inside(at, c->in[0]->count))
    return infer_error(c, "strides", PL_ESHAPE, "the geometry reaches outside x");
  return PL_OK;
}

static tensor *zeros_like_input(rule *r, tensor *dy) {
  input_shape shape = r->shapes[0];
  shape.dtype = dy ? dy->view.dtype : PL_F32;
  return rule_filled(&shape, 0);
}

/* Zeros with dy in the region that the view looked at. */
static tensor *put_back(rule *r, tensor *dy, const pl_operand *region) {
  pl_write_view_attrs at = { .sizes = { .n = region->rank }, .strides = { .n = region->rank },
                             .offset = region->offset };
  memcpy(at.sizes.size, region->sizes, sizeof at.sizes.size);
  memcpy(at.strides.size, region->strides, sizeof at.strides.size);
  return rule_apply(OP_write_view, &at, 2, (tensor *[]){ zeros_like_input(r, dy), dy });
}

/* The view's rule once more, over a dense tensor of the input's shape: where the region lies. */
static tensor *put_back_view(rule *r, tensor *dy) {
  pl_operand x = { .dtype = PL_F32, .rank = r->shapes[0].rank }, region = { 0 };
  memcpy(x.sizes, r->shapes[0].sizes, sizeof x.sizes);
  shape_make_dense(&x);
  const pl_operand *in[1] = { &x };
  infer again = { r->op, r->attrs, NULL, 1, in, &region };
  pl_status s = op_table[r->op->id].infer(&again);
  if (s) rule_fail(s);
  return s ? NULL : put_back(r, dy, &region);
}

GRAD(reshape)   { D(0) = op1(reshape, dy, .sizes = rule_sizes(&r->shapes[0])); }
GRAD(transpose) { D(0) = op1(transpose, dy, .first = ATTRS(transpose).first,
                             .second = ATTRS(transpose).second); }
GRAD(expand)    { D(0) = dy; }                 /* the tape sums to the input's shape */
GRAD(narrow)    { D(0) = put_back_view(r, dy); }
GRAD(select)    { D(0) = put_back_view(r, dy); }
GRAD(as_strided) { D(0) = put_back_view(r, dy); }

GRAD(permute) {
  const pl_dims *axes = &ATTRS(permute).axes;
  pl_dims inverse = { .n = axes->n };
  for (int i = 0; i < axes->n; i++) inverse.dim[infer_axis(axes->dim[i], axes->n)] = i;
  D(0) = op1(permute, dy, .axes = inverse);
}

/* The old value keeps its gradient outside the region, the new one has the region's. */
GRAD(write_view) {
  const pl_write_view_attrs *at = r->attrs;
  tensor *dense = dy && !dy->view.dense ? op1(copy, dy) : dy;
  tensor *region = op1(as_strided, dense, .sizes = at->sizes, .strides = at->strides,
                       .offset = at->offset);
  if (r->need[0])
    r->dx[0] = rule_apply(OP_write_view, at, 2, (tensor *[]){ dense, op2(mul, region, num(0)) });
  if (r->need[1]) r->dx[1] = region;
}

/* A copy of x, then other over the region. */
COMPOSE(write_view) {
  const pl_write_view_attrs *at = r->attrs;
  tensor *y = op1(copy, a);
  tensor *region = op1(as_strided, y, .sizes = at->sizes, .strides = at->strides,
                       .offset = at->offset);
  if (!region) return;
  pl_status s = tensor_assign(region, b);
  if (s) rule_fail(s);
  r->y[0] = y;
}
