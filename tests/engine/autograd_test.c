/*
** autograd_test.c -- the tape: long chains, shared nodes, version checks, updates in place and
** through views, nodes whose gradient is the caller's.
*/
#include "engine_unit.h"

static void a_long_chain_needs_no_stack(void) {
  int32_t scope;
  OK(pl_scope_new(&scope));
  OK(pl_scope_enter(scope));
  pl_tensor x = leaf(1, 1), y = x;
  for (int i = 0; i < 300000; i++) {
    pl_tensor next = apply1(OP_neg, NULL, y);
    if (i) pl_tensor_release(y);
    y = next;
  }
  OK(backward(total(y), 0));
  CHECK(first(grad_of(x)) == 1);
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
}

/* Freed without ever running backward. */
static void a_long_chain_is_freed_without_stack(void) {
  int32_t scope;
  OK(pl_scope_new(&scope));
  OK(pl_scope_enter(scope));
  pl_tensor y = leaf(1, 1);
  for (int i = 0; i < 300000; i++) y = apply1(OP_square, NULL, y);
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
}

static void gradients_add_up(void) {
  pl_tensor x = leaf(3, 2);
  OK(backward(total(apply2(OP_mul, x, x)), 0));
  CHECK(first(grad_of(x)) == 4);
  OK(backward(total(apply2(OP_add, x, apply1(OP_neg, NULL, x))), 0));
  CHECK(first(grad_of(x)) == 4);
  OK(backward(total(x), 0));
  CHECK(first(grad_of(x)) == 5);
  pl_tensor_release(x);
}

static void a_graph_is_used_once_unless_retained(void) {
  pl_tensor x = leaf(3, 2), loss = total(apply1(OP_square, NULL, x));
  OK(backward(loss, PL_RETAIN_GRAPH));
  OK(backward(loss, 0));
  CHECK(first(grad_of(x)) == 8);
  CHECK(backward(loss, 0) != PL_OK);
  pl_tensor_release(loss);
  pl_tensor_release(x);
}

/* A root that is refused costs the others nothing. */
static void a_refused_root_keeps_the_graph(void) {
  pl_tensor x = leaf(3, 2), loss = total(apply1(OP_square, NULL, x)), plain = vector(1, 1);
  pl_backward *b = NULL;
  CHECK(pl_backward_begin((pl_tensor[]){loss, plain}, NULL, 2, 0, &b) == PL_EARGUMENT);
  OK(backward(loss, 0));
  CHECK(first(grad_of(x)) == 4);
  pl_tensor_release(plain);
  pl_tensor_release(loss);
  pl_tensor_release(x);
}

static void roots_are_checked(void) {
  pl_tensor plain = vector(1, 1), wide = apply1(OP_neg, NULL, leaf(3, 1));
  CHECK(backward(plain, 0) == PL_EARGUMENT);
  CHECK(backward(wide, 0) != PL_OK); /* three elements and no gradient given */
  pl_tensor_release(plain);
}

static void a_second_derivative(void) {
  pl_tensor x = leaf(1, 3), y = apply2(OP_mul, x, apply2(OP_mul, x, x));
  OK(backward(total(y), PL_CREATE_GRAPH));
  pl_tensor slope = grad_of(x);
  CHECK(first(slope) == 27);
  OK(pl_tensor_set_grad(x, 0));
  OK(backward(total(slope), 0));
  CHECK(first(grad_of(x)) == 18);
}

static void changed_saved_values_are_errors(void) {
  pl_tensor x = leaf(3, 2), h = apply1(OP_neg, NULL, x), y = total(apply1(OP_square, NULL, h));
  pl_tensor in[2] = {h, vector(3, 1)};
  OK(pl_apply_in_place(OP_add, NULL, in, 2));
  CHECK(backward(y, 0) != PL_OK);
  CHECK(strstr(pl_error(), "square") && strstr(pl_error(), "x") && strstr(pl_error(), "add"));
}

static void leaves_change_only_without_recording(void) {
  pl_tensor x = leaf(3, 2), in[2] = {x, vector(3, 1)};
  CHECK(pl_apply_in_place(OP_add, NULL, in, 2) != PL_OK);
  CHECK(strstr(pl_error(), "no_grad"));
  pl_context_get()->grad = 0;
  OK(pl_apply_in_place(OP_add, NULL, in, 2));
  pl_context_get()->grad = 1;
  CHECK(first(x) == 3);
}

static void an_update_joins_the_graph(void) {
  pl_tensor x = leaf(3, 2), h = apply1(OP_neg, NULL, x), in[2] = {h, vector(3, 5)};
  OK(pl_apply_in_place(OP_mul, NULL, in, 2));
  OK(backward(total(h), 0));
  CHECK(first(h) == -10 && first(grad_of(x)) == -5);
}

static pl_tensor row(pl_tensor matrix, int index) {
  pl_select_attrs at;
  memset(&at, 0, sizeof at);
  at.index = index;
  return apply1(OP_select, &at, matrix);
}

/* Writing through a view changes the base, its gradient and other views of it. */
static void an_update_through_a_view(void) {
  pl_tensor x = leaf(3, 2), base = apply1(OP_neg, NULL, x);
  pl_tensor one = row(base, 0), same = row(base, 0), in[2] = {one, 0};
  OK(pl_tensor_number(10, &in[1]));
  OK(pl_apply_in_place(OP_mul, NULL, in, 2));
  CHECK(first(base) == -20 && first(same) == -20);
  OK(backward(total(apply2(OP_mul, base, same)), 0));
  float g[3];
  OK(pl_tensor_read(grad_of(x), g, sizeof g));
  /* base = (-10 x0, -x1, -x2); loss = base0^2 + (base1 + base2) base0 */
  CHECK(g[0] == -10 * (2 * -20 + -2 + -2) && g[1] == 20 && g[2] == 20);
}

static void a_custom_node_waits_for_its_gradient(void) {
  pl_tensor x = leaf(3, 2), h = apply1(OP_neg, NULL, x);
  pl_context_get()->grad = 0;
  pl_tensor y = apply1(OP_exp, NULL, h);
  pl_context_get()->grad = 1;
  OK(pl_node_custom(&h, 1, &y, 1, &y, 1, 77));
  pl_tensor loss = total(y);
  pl_backward *b = NULL;
  pl_work work;
  int32_t state;
  OK(pl_backward_begin(&loss, NULL, 1, 0, &b));
  OK(pl_backward_next(b, &work, &state));
  CHECK(state == PL_WORK && work.ticket == 77 && work.n_in == 1 && work.n_out == 1);
  CHECK(work.n_saved == 1 && work.needs[0] && first(work.grads[0]) == 1);
  pl_tensor g = apply2(OP_mul, work.grads[0], work.saved[0]);
  OK(pl_backward_feed(b, &g, 1));
  OK(pl_backward_next(b, &work, &state));
  CHECK(state == PL_FINISHED);
  pl_backward_end(b);
  CHECK(fabs(first(grad_of(x)) + exp(-2)) < 1e-6);
  pl_tensor_release(loss);
  pl_tensor_release(y);
  int32_t ticket = 0;
  CHECK(pl_node_tickets(&ticket, 1) == 1 && ticket == 77);
}

int main(void) {
  UNIT(a_long_chain_needs_no_stack);
  UNIT(a_long_chain_is_freed_without_stack);
  UNIT(gradients_add_up);
  UNIT(a_graph_is_used_once_unless_retained);
  UNIT(a_refused_root_keeps_the_graph);
  UNIT(roots_are_checked);
  UNIT(a_second_derivative);
  UNIT(changed_saved_values_are_errors);
  UNIT(leaves_change_only_without_recording);
  UNIT(an_update_joins_the_graph);
  UNIT(an_update_through_a_view);
  UNIT(a_custom_node_waits_for_its_gradient);
  return units_end();
}
