/*
** recurrent.c -- a layer of LSTM over a whole sequence, the product with the inputs already done:
** gates is steps x n x 4 hidden, in PyTorch's order (input, forget, cell, output).
*/
#include "../rule.h"
#include "../autograd.h"
#include "../dispatch.h"

static pl_status shape_error(infer *c, int i, const char *expected) {
  char text[SHAPE_TEXT];
  return infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s must be %s, it is %s", c->op->in[i].name,
                     expected, shape_text(c->in[i], text));
}

static bool is_matrix(const pl_operand *o, int64_t rows, int64_t columns) {
  return o->rank == 2 && o->sizes[0] == rows && o->sizes[1] == columns;
}

static bool is_sequence(const pl_operand *o, const pl_operand *like, int64_t last) {
  return o->rank == 3 && o->sizes[0] == like->sizes[0] && o->sizes[1] == like->sizes[1]
      && o->sizes[2] == last;
}

static void set_shape(infer *c, int j, int rank, const int64_t *sizes) {
  c->out[j].dtype = c->in[0]->dtype;
  c->out[j].rank = rank;
  for (int d = 0; d < rank; d++) c->out[j].sizes[d] = sizes[d];
}

INFER(lstm) {
  const pl_operand *gates = c->in[0];
  if (gates->rank != 3 || gates->sizes[2] % 4)
    return shape_error(c, 0, "steps x n x 4 hidden");
  if (gates->sizes[0] < 1) return shape_error(c, 0, "a sequence of at least one step");
  int64_t n = gates->sizes[1], hidden = gates->sizes[2] / 4;
  for (int i = 1; i < 3; i++)
    if (!is_matrix(c->in[i], n, hidden)) return shape_error(c, i, "n x hidden");
  if (!is_matrix(c->in[3], 4 * hidden, hidden)) return shape_error(c, 3, "4 hidden x hidden");
  const int64_t sequence[3] = { gates->sizes[0], n, hidden };
  set_shape(c, 0, 3, sequence);
  set_shape(c, 1, 2, sequence + 1);
  set_shape(c, 2, 3, gates->sizes);
  set_shape(c, 3, 3, sequence);
  return PL_OK;
}

INFER(lstm_backward) {
  const pl_operand *c0 = c->in[0], *active = c->in[2];
  if (c0->rank != 2) return shape_error(c, 0, "n x hidden");
  int64_t n = c0->sizes[0], hidden = c0->sizes[1];
  if (!is_matrix(c->in[1], 4 * hidden, hidden)) return shape_error(c, 1, "4 hidden x hidden");
  if (active->rank != 3 || active->sizes[0] < 1 || active->sizes[1] != n
      || active->sizes[2] != 4 * hidden)
    return shape_error(c, 2, "steps x n x 4 hidden");
  if (!is_sequence(c->in[3], active, hidden)) return shape_error(c, 3, "steps x n x hidden");
  if (c->in[4] && !is_sequence(c->in[4], active, hidden))
    return shape_error(c, 4, "steps x n x hidden");
  if (c->in[5] && !is_matrix(c->in[5], n, hidden)) return shape_error(c, 5, "n x hidden");
  set_shape(c, 0, 3, active->sizes);
  set_shape(c, 1, 2, c0->sizes);
  set_shape(c, 2, 2, c0->sizes);
  return PL_OK;
}

/* Steps as rows: all but the first, or all but the last. */
static tensor *steps(tensor *t, int32_t start, int64_t count) {
  tensor *some = op1(narrow, t, .axis = 0, .start = start, .length = count, .step = 1);
  return op1(flatten, some, .first = 0, .last = 1);
}

/* The sum over steps of dgates^T times the output before the step. */
static tensor *weight_grad(tensor *dgates, tensor *h0, tensor *y, int64_t count) {
  tensor *first = op1(select, dgates, .axis = 0, .index = 0);
  tensor *dw = op2(matmul, op1(transpose, first, .first = 0, .second = 1), h0);
  if (count == 1) return dw;
  tensor *after = op1(transpose, steps(dgates, 1, count - 1), .first = 0, .second = 1);
  return op2(add, dw, op2(matmul, after, steps(y, 0, count - 1)));
}

GRAD(lstm) {
  if (context_here()->shared.grad) {
    rule_fail(status_fail(PL_EARGUMENT, "lstm", NULL, "lstm: its gradient cannot be differentiated again; "
                          "backward without create_graph"));
    return;
  }
  tensor *x[6] = { r->x[2], r->x[3], r->y[2], r->y[3], r->dy[0], r->dy[1] }, *out[3];
  if (rule_failed()) return;
  pl_status s = apply(OP_lstm_backward, NULL, x, NULL, 6, out);
  for (int j = 0; !s && j < 3; j++) s = frame_push(out[j]);
  if (s) {
    rule_fail(s);
    return;
  }
  for (int i = 0; i < 3; i++) D(i) = out[i];
  D(3) = weight_grad(out[0], b, y, r->shapes[0].sizes[0]);
}
