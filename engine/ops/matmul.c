/* matmul.c -- products of matrices, and the affine layer fused from one. */
#include "../rule.h"
#include "../autograd.h"

static pl_status matmul_error(infer *c, const char *why) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  return infer_error(c, "other", PL_ESHAPE, "%s (x %s, other %s)", why, shape_text(c->in[0], a),
                     shape_text(c->in[1], b));
}

/* Vectors join as a row on the left, a column on the right; leading dimensions broadcast. */
INFER(matmul) {
  const pl_operand *a = c->in[0], *b = c->in[1];
  if (a->rank == 0 || b->rank == 0) return matmul_error(c, "a scalar is no matrix; use :mul()");
  int64_t inner_a = a->sizes[a->rank - 1];
  int64_t inner_b = b->sizes[b->rank == 1 ? 0 : b->rank - 2];
  if (inner_a != inner_b)
    return matmul_error(c, "the last dimension of x must equal the one before the last of other");
  pl_operand batch_a = *a, batch_b = *b, joint = { 0 };
  batch_a.rank = a->rank > 2 ? a->rank - 2 : 0;
  batch_b.rank = b->rank > 2 ? b->rank - 2 : 0;
  if (!shape_broadcast(&batch_a, &batch_b, &joint))
    return matmul_error(c, "the leading dimensions do not broadcast");
  if (joint.rank + 2 > PL_MAX_RANK) return matmul_error(c, "the result has too many dimensions");
  *c->out = joint;
  c->out->dtype = a->dtype;
  if (a->rank > 1) c->out->sizes[c->out->rank++] = a->sizes[a->rank - 2];
  if (b->rank > 1) c->out->sizes[c->out->rank++] = b->sizes[b->rank - 1];
  return PL_OK;
}

static tensor *swapped(tensor *t) { return op1(transpose, t, .first = -1, .second = -2); }

/* dA = dY B^T and dB = A^T dY; vectors take part as one row or one column. */
GRAD(matmul) {
  int rank_a = r->shapes[0].rank, rank_b = r->shapes[1].rank;
  tensor *A = rank_a == 1 ? op1(unsqueeze, a, .axis = 0) : a;
  tensor *B = rank_b == 1 ? op1(unsqueeze, b, .axis = 1) : b;
  tensor *dY = dy;
  if (rank_b == 1) dY = op1(unsqueeze, dY, .axis = -1);
  if (rank_a == 1) dY = op1(unsqueeze, dY, .axis = -2);
  if (r->need[0]) {
    tensor *dA = op2(matmul, dY, swapped(B));
    r->dx[0] = rank_a == 1 ? op1(squeeze, dA, .axes = { 1, { -2 } }) : dA;
  }
  if (r->need[1]) {
    tensor *dB = op2(matmul, swapped(A), dY);
    r->dx[1] = rank_b == 1 ? op1(squeeze, dB, .axes = { 1, { -1 } }) : dB;
  }
}

static pl_status linear_error(infer *c, const char *argument, const char *why, int64_t got,
                              int64_t want) {
  char x[SHAPE_TEXT], w[SHAPE_TEXT];
  return infer_error(c, argument, PL_ESHAPE, "%s %lld, weight expects %lld (input %s, weight %s)",
                     why, (long long)got, (long long)want, shape_text(c->in[0], x),
                     shape_text(c->in[1], w));
}

INFER(linear) {
  const pl_operand *x = c->in[0], *w = c->in[1], *bias = c->in[2];
  if (w->rank != 2)
    return infer_error(c, "weight", PL_ESHAPE, "weight must be out x in, it has %d dimension%s",
                       w->rank, w->rank == 1 ? "" : "s");
  if (x->rank == 0) return infer_error(c, "x", PL_ESHAPE, "input is a scalar, expected features");
  if (x->sizes[x->rank - 1] != w->sizes[1])
    return linear_error(c, "x", "input has features", x->sizes[x->rank - 1], w->sizes[1]);
  if (bias && (bias->rank != 1 || bias->sizes[0] != w->sizes[0]))
    return linear_error(c, "bias", "bias has elements", bias->count, w->sizes[0]);
  infer_like(c->out, x);
  c->out->sizes[x->rank - 1] = w->sizes[0];
  return PL_OK;
}

/* All leading dimensions as one: rows x features. */
static tensor *rows(tensor *t) {
  if (!t || t->view.rank == 2) return t;
  return op1(reshape, t, .sizes = { 2, { -1, t->view.sizes[t->view.rank - 1] } });
}

/* With dz the gradient before the activation: dx = dz W, dW = dz^T x, db = sum of dz's rows. */
GRAD(linear) {
  tensor *dz = ATTRS(linear).activation == PL_ACTIVATION_RELU ? op2(relu_backward, y, dy) : dy;
  if (r->need[0]) r->dx[0] = op2(matmul, dz, b);
  if (r->need[1]) r->dx[1] = op2(matmul, swapped(rows(dz)), rows(a));
  if (r->n_in > 2 && r->need[2]) r->dx[2] = op1(sum, rows(dz), .axes = { 1, { 0 } });
}

COMPOSE(linear) {
  tensor *z = op2(matmul, a, swapped(b));
  if (r->x[2]) z = op2(add, z, r->x[2]);
  r->y[0] = ATTRS(linear).activation == PL_ACTIVATION_RELU ? op1(relu, z) : z;
}
