/*
** norm.c -- normalisation. Mean and 1 / deviation of the forward pass are saved in the input's
** dtype, in f32 where that is a half type; beside a half input parameters may be f32 too. The
** backward rows give the gradients of input, weight and bias in one launch. Where backward is
** recorded itself the same gradients are made of ops, from the input on, so that they have theirs.
*/
#include "../rule.h"
#include "../autograd.h"

/* What x is normalised with has its dtype, or f32 beside a half one. */
static bool belongs(int32_t dtype, int32_t x) {
  return dtype == x || (dtype_is_half(x) && dtype == PL_F32);
}

/* An absent or a 1-d operand of n elements. */
static pl_status check_vector(infer *c, int i, int64_t n) {
  const pl_operand *o = c->in[i];
  char text[SHAPE_TEXT];
  if (o && (o->rank != 1 || o->sizes[0] != n))
    return infer_error(c, c->op->in[i].name, PL_ESHAPE,
                       "%s must have one element per channel (%lld), "
                       "it is %s",
                       c->op->in[i].name, (long long)n, shape_text(o, text));
  if (o && !belongs(o->dtype, c->in[0]->dtype))
    return infer_error(c, c->op->in[i].name, PL_EDTYPE, "%s is %s, %s is %s", c->op->in[i].name,
                       pl_dtype_name(o->dtype), c->op->in[0].name, pl_dtype_name(c->in[0]->dtype));
  return PL_OK;
}

static pl_status check_channels(infer *c, int least_rank) {
  const pl_operand *x = c->in[0];
  char text[SHAPE_TEXT];
  if (x->rank >= least_rank) return PL_OK;
  return infer_error(c, "x", PL_ESHAPE, "x must be n x channels x ..., it is %s",
                     shape_text(x, text));
}

/* Outputs 1 and 2: statistics, or the gradients of weight and bias. */
static void set_vectors(infer *c, int32_t dtype, int rank, const int64_t *sizes) {
  for (int j = 1; j < 3; j++) {
    c->out[j].dtype = dtype;
    c->out[j].rank = rank;
    for (int d = 0; d < rank; d++) c->out[j].sizes[d] = sizes[d];
  }
}

static void set_statistics(infer *c, int rank, const int64_t *sizes) {
  int32_t dtype = c->in[0]->dtype;
  set_vectors(c, dtype_is_half(dtype) ? PL_F32 : dtype, rank, sizes);
}

/* In the backward rows: the dtype of the weight, of x where there is none. */
static void set_gradients(infer *c, int rank, const int64_t *sizes) {
  set_vectors(c, c->in[c->in[1] ? 1 : 0]->dtype, rank, sizes);
}

INFER(batch_norm) {
  const pl_batch_norm_attrs *a = c->attrs;
  const pl_operand *x = c->in[0];
  pl_status s = check_channels(c, 2);
  for (int i = 1; i < 5 && !s; i++) s = check_vector(c, i, x->sizes[1]);
  if (s) return s;
  if (!a->training && (!c->in[3] || !c->in[4]))
    return infer_error(c, "running_mean", PL_EARGUMENT, "running_mean and running_var are needed "
                       "unless training");
  if (!c->in[3] != !c->in[4])
    return infer_error(c, "running_var", PL_EARGUMENT, "running_mean and running_var go together");
  int64_t n = x->sizes[1] ? x->count / x->sizes[1] : 2;
  char text[SHAPE_TEXT];
  if (a->training && n < 2)
    return infer_error(c, "x", PL_ESHAPE, "training needs more than one value per channel, x is %s",
                       shape_text(x, text));
  infer_like(c->out, x);
  set_statistics(c, 1, x->sizes + 1);
  return PL_OK;
}

INFER(batch_norm_backward) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  pl_status s = check_channels(c, 2);
  for (int i = 1; i < 4 && !s; i++) s = check_vector(c, i, c->in[0]->sizes[1]);
  if (s) return s;
  if (!shape_equal(c->in[0], c->in[4]))
    return infer_error(c, "grad", PL_ESHAPE, "grad is %s, x is %s", shape_text(c->in[4], a),
                       shape_text(c->in[0], b));
  infer_like(c->out, c->in[0]);
  set_gradients(c, 1, c->in[0]->sizes + 1);
  return PL_OK;
}

/* A recorded gradient's pieces: a, w and dy broadcast; statistics over `axes` of a, or given. */
typedef struct pieces {
  pl_dims axes, others;              /* normalised over; summed over for weight and bias */
  double eps;
  tensor *w, *mean, *rstd;           /* mean NULL: they follow from a */
} pieces;

static tensor *mean_over(tensor *t, const pl_dims *axes) {
  return op1(mean, t, .axes = *axes, .keepdim = 1);
}

static tensor *sum_over(tensor *t, const pl_dims *axes) {
  return axes->n ? op1(sum, t, .axes = *axes) : t;
}

/* dx = rstd (g - mean of g - xhat mean of g xhat) with g = w dy; fixed statistics: rstd g. */
static void recorded(rule *r, tensor *dy, tensor *a, const pieces *p) {
  tensor *mean = p->mean ? p->mean : mean_over(a, &p->axes), *centred = op2(sub, a, mean);
  tensor *rstd = p->rstd;
  if (!p->mean)
    rstd = op1(rsqrt, op2(add, mean_over(op1(square, centred), &p->axes), num(p->eps)));
  tensor *hat = op2(mul, centred, rstd), *g = p->w ? op2(mul, dy, p->w) : dy;
  if (r->need[0]) {
    tensor *part = g;
    if (!p->mean)
      part = op2(sub, op2(sub, g, mean_over(g, &p->axes)),
                 op2(mul, hat, mean_over(op2(mul, g, hat), &p->axes)));
    r->dx[0] = op2(mul, part, rstd);
  }
  D(1) = sum_over(op2(mul, dy, hat), &p->others);
  D(2) = sum_over(dy, &p->others);
}

/* One value per channel, so that it broadcasts to x. */
static tensor *per_channel(tensor *t, int rank) {
  pl_reshape_attrs shape = { .sizes = { .n = rank - 1, .size = { -1 } } };
  for (int d = 1; d < rank - 1; d++) shape.sizes.size[d] = 1;
  return t ? rule_apply(OP_reshape, &shape, 1, &t) : NULL;
}

static bool is_recorded(void) { return context_here()->shared.grad != 0; }

static void batch_norm_recorded(rule *r, tensor *dy, tensor *a, tensor *b) {
  const pl_batch_norm_attrs *t = r->attrs;
  int rank = r->shapes[0].rank;
  pieces p = { .eps = t->eps, .w = per_channel(b, rank) };
  for (int d = 0; d < rank; d++)
    if (d != 1) p.axes.dim[p.axes.n++] = d;
  p.others = p.axes;
  if (!t->training) {
    p.mean = per_channel(r->y[1], rank);
    p.rstd = per_channel(r->y[2], rank);
  }
  recorded(r, dy, a, &p);
}

GRAD(batch_norm) {
  const pl_batch_norm_attrs *t = r->attrs;
  if (is_recorded()) {
    batch_norm_recorded(r, dy, a, b);
    return;
  }
  tensor *x[5] = { a, b, r->y[1], r->y[2], dy }, *out[3];
  pl_batch_norm_backward_attrs back = { .training = t->training };
  if (!rule_apply_all(OP_batch_norm_backward, &back, 5, x, out)) return;
  for (int i = 0; i < 3; i++) D(i) = out[i];
}

/* How many leading dimensions layer_norm leaves, or -1: axes must be the last ones. */
static int leading(infer *c, const pl_dims *axes) {
  const pl_operand *x = c->in[0];
  bool mask[PL_MAX_RANK];
  if (infer_mask(c, "axes", axes, x->rank, mask)) return -1;
  int rank = x->rank;
  while (rank > 0 && mask[rank - 1]) rank--;
  for (int d = 0; d < rank; d++)
    if (mask[d]) {
      infer_error(c, "axes", PL_EARGUMENT,
                  "axes must be the last dimensions; permute the input first");
      return -1;
    }
  return rank;
}

/* weight and bias are shaped like the axes. */
static pl_status check_affine(infer *c, int i, int rank) {
  const pl_operand *x = c->in[0], *w = c->in[i];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!w) return PL_OK;
  bool fits = w->rank == x->rank - rank;
  for (int d = rank; d < x->rank && fits; d++) fits = w->sizes[d - rank] == x->sizes[d];
  if (fits) return PL_OK;
  return infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s %s is not shaped like the normalised "
                     "dimensions of x %s", c->op->in[i].name, shape_text(w, a), shape_text(x, b));
}

INFER(layer_norm) {
  int rank = leading(c, &INFER_ATTRS(layer_norm).axes);
  if (rank < 0) return PL_ESHAPE;
  pl_status s = check_affine(c, 1, rank);
  if (s || (s = check_affine(c, 2, rank))) return s;
  infer_like(c->out, c->in[0]);
  set_statistics(c, rank, c->in[0]->sizes);
  return PL_OK;
}

INFER(layer_norm_backward) {
  const pl_operand *x = c->in[0];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  int rank = leading(c, &INFER_ATTRS(layer_norm_backward).axes);
  if (rank < 0) return PL_ESHAPE;
  pl_status s = check_affine(c, 1, rank);
  if (s) return s;
  bool fits = shape_equal(x, c->in[4]);
  for (int i = 2; i < 4 && fits; i++) {
    fits = c->in[i]->rank == rank && belongs(c->in[i]->dtype, x->dtype);
    for (int d = 0; d < rank && fits; d++) fits = c->in[i]->sizes[d] == x->sizes[d];
  }
  if (!fits)
    return infer_error(c, "grad", PL_ESHAPE, "grad %s or the statistics do not belong to x %s",
                       shape_text(c->in[4], a), shape_text(x, b));
  infer_like(c->out, x);
  set_gradients(c, x->rank - rank, x->sizes + rank);
  return PL_OK;
}

static void layer_norm_recorded(rule *r, tensor *dy, tensor *a, tensor *b) {
  const pl_layer_norm_attrs *t = r->attrs;
  int rank = r->shapes[0].rank;
  pieces p = { .axes = t->axes, .eps = t->eps, .w = b };
  for (int d = 0; d < rank - (t->axes.n ? t->axes.n : rank); d++) p.others.dim[p.others.n++] = d;
  recorded(r, dy, a, &p);
}

GRAD(layer_norm) {
  if (is_recorded()) {
    layer_norm_recorded(r, dy, a, b);
    return;
  }
  tensor *x[5] = { a, b, r->y[1], r->y[2], dy }, *out[3];
  pl_layer_norm_backward_attrs back = { .axes = ATTRS(layer_norm).axes };
  if (!rule_apply_all(OP_layer_norm_backward, &back, 5, x, out)) return;
  for (int i = 0; i < 3; i++) D(i) = out[i];
}

INFER(group_norm) {
  const pl_operand *x = c->in[0];
  int64_t groups = INFER_ATTRS(group_norm).groups;
  pl_status s = check_channels(c, 2);
  if (s || (s = check_vector(c, 1, x->sizes[1])) || (s = check_vector(c, 2, x->sizes[1]))) return s;
  bool fit = groups >= 1 && groups <= (x->sizes[1] ? x->sizes[1] : 1);
  if (!fit || x->sizes[1] % groups)
    return infer_error(c, "groups", PL_EARGUMENT, "%lld channels do not form %lld groups",
                       (long long)x->sizes[1], (long long)groups);
  infer_like(c->out, x);
  return PL_OK;
}

COMPOSE(group_norm) {
  const pl_group_norm_attrs *t = r->attrs;
  int rank = a->view.rank;
  int64_t rows = a->view.sizes[0] * t->groups;
  tensor *flat = op1(reshape, a, .sizes = { 2, { rows, rows ? a->view.count / rows : 1 } });
  tensor *y = op1(layer_norm, flat, .axes = { 1, { -1 } }, .eps = t->eps);
  pl_reshape_attrs back = { .sizes = { .n = rank } };
  for (int d = 0; d < rank; d++) back.sizes.size[d] = a->view.sizes[d];
  if (y) y = rule_apply(OP_reshape, &back, 1, &y);
  if (b) y = op2(mul, y, per_channel(b, rank));
  if (r->x[2]) y = op2(add, y, per_channel(r->x[2], rank));
  r->y[0] = y;
}
