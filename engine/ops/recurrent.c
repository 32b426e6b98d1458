/*
** recurrent.c -- a layer of LSTM, GRU or plain RNN over a whole sequence, the product with the
** inputs already done: gates is steps x n x 4, 3 or 1 times hidden, in PyTorch's order (LSTM input,
** forget, cell, output; GRU reset, update, new). Their gradients are ops without a gradient.
*/
#include "../rule.h"
#include "../autograd.h"

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

/* What all layers take: gates, h0 and further states, the recurrent weight. */
static pl_status check_layer(infer *c, int gates_count, int states) {
  static const char *gates_form[] = { NULL, "steps x n x hidden", NULL, "steps x n x 3 hidden",
                                      "steps x n x 4 hidden" };
  static const char *weight_form[] = { NULL, "hidden x hidden", NULL, "3 hidden x hidden",
                                       "4 hidden x hidden" };
  const pl_operand *gates = c->in[0];
  if (gates->rank != 3 || gates->sizes[2] % gates_count)
    return shape_error(c, 0, gates_form[gates_count]);
  if (gates->sizes[0] < 1) return shape_error(c, 0, "a sequence of at least one step");
  int64_t hidden = gates->sizes[2] / gates_count;
  for (int i = 1; i <= states; i++)
    if (!is_matrix(c->in[i], gates->sizes[1], hidden)) return shape_error(c, i, "n x hidden");
  if (!is_matrix(c->in[states + 1], gates->sizes[2], hidden))
    return shape_error(c, states + 1, weight_form[gates_count]);
  return PL_OK;
}

static bool is_steps(const pl_operand *o, int64_t n, int64_t last) {
  return o->rank == 3 && o->sizes[0] >= 1 && o->sizes[1] == n && o->sizes[2] == last;
}

INFER(lstm) {
  const pl_operand *gates = c->in[0];
  pl_status s = check_layer(c, 4, 2);
  if (s) return s;
  int64_t n = gates->sizes[1], hidden = gates->sizes[2] / 4;
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
  if (!is_steps(active, n, 4 * hidden))
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

INFER(gru) {
  const pl_operand *gates = c->in[0], *bias = c->in[3];
  pl_status s = check_layer(c, 3, 1);
  if (s) return s;
  if (bias && (bias->rank != 1 || bias->sizes[0] != gates->sizes[2]))
    return shape_error(c, 3, "3 hidden");
  int64_t hidden = gates->sizes[2] / 3;
  set_shape(c, 0, 3, (const int64_t[]){ gates->sizes[0], gates->sizes[1], hidden });
  set_shape(c, 1, 3, (const int64_t[]){ gates->sizes[0], gates->sizes[1], 4 * hidden });
  return PL_OK;
}

INFER(gru_backward) {
  const pl_operand *h0 = c->in[0], *active = c->in[2];
  if (h0->rank != 2) return shape_error(c, 0, "n x hidden");
  int64_t n = h0->sizes[0], hidden = h0->sizes[1];
  if (!is_matrix(c->in[1], 3 * hidden, hidden)) return shape_error(c, 1, "3 hidden x hidden");
  if (!is_steps(active, n, 4 * hidden)) return shape_error(c, 2, "steps x n x 4 hidden");
  for (int i = 3; i < 5; i++)
    if (!is_sequence(c->in[i], active, hidden)) return shape_error(c, i, "steps x n x hidden");
  const int64_t gates[3] = { active->sizes[0], n, 3 * hidden };
  set_shape(c, 0, 3, gates);
  set_shape(c, 1, 3, gates);
  set_shape(c, 2, 2, h0->sizes);
  return PL_OK;
}

INFER(rnn) {
  pl_status s = check_layer(c, 1, 1);
  if (!s) set_shape(c, 0, 3, c->in[0]->sizes);
  return s;
}

INFER(rnn_backward) {
  const pl_operand *weight = c->in[0], *y = c->in[1];
  int64_t hidden = weight->sizes[0];
  if (!is_matrix(weight, hidden, hidden)) return shape_error(c, 0, "hidden x hidden");
  if (y->rank != 3 || !is_steps(y, y->sizes[1], hidden))
    return shape_error(c, 1, "steps x n x hidden");
  if (!is_sequence(c->in[2], y, hidden)) return shape_error(c, 2, "steps x n x hidden");
  set_shape(c, 0, 3, y->sizes);
  set_shape(c, 1, 2, y->sizes + 1);
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

/* Runs the op that makes the gradients; false where it has none. */
static bool backward_op(rule *r, int op, const void *attrs, tensor **x, int n, tensor **out) {
  const char *name = r->op->name;
  if (context_here()->shared.grad) {
    rule_fail(status_fail(PL_EARGUMENT, name, NULL,
                          "%s: its gradient cannot be differentiated again; "
                          "backward without create_graph", name));
    return false;
  }
  return rule_apply_all(op, attrs, n, x, out);
}

GRAD(lstm) {
  tensor *x[6] = { r->x[2], r->x[3], r->y[2], r->y[3], r->dy[0], r->dy[1] }, *out[3];
  if (!backward_op(r, OP_lstm_backward, NULL, x, 6, out)) return;
  for (int i = 0; i < 3; i++) D(i) = out[i];
  D(3) = weight_grad(out[0], b, y, r->shapes[0].sizes[0]);
}

GRAD(gru) {
  tensor *x[5] = { b, r->x[2], r->y[1], y, dy }, *out[3];
  if (!backward_op(r, OP_gru_backward, NULL, x, 5, out)) return;
  D(0) = out[0];
  D(1) = out[2];
  D(2) = weight_grad(out[1], b, y, r->shapes[0].sizes[0]);
  D(3) = op1(sum, out[1], .axes = { 2, { 0, 1 } });
}

GRAD(rnn) {
  pl_rnn_backward_attrs back = { .relu = ATTRS(rnn).relu };
  tensor *x[3] = { r->x[2], y, dy }, *out[2];
  if (!backward_op(r, OP_rnn_backward, &back, x, 3, out)) return;
  for (int i = 0; i < 2; i++) D(i) = out[i];
  D(2) = weight_grad(out[0], b, y, r->shapes[0].sizes[0]);
}
