/* scope_test.c -- scopes own what is made in them; handles of the dead are stale, never wild. */
#include "engine_unit.h"

static int32_t scope_new(void) {
  int32_t scope = 0;
  OK(pl_scope_new(&scope));
  return scope;
}

static pl_status state_of(pl_tensor t) {
  pl_tensor_info info;
  return pl_tensor_describe(t, &info);
}

static void closing_frees(void) {
  int32_t scope = scope_new();
  OK(pl_scope_enter(scope));
  pl_tensor inside = vector(3, 1);
  OK(pl_scope_close(scope));
  CHECK(state_of(inside) == PL_ESTALE);
  pl_tensor y = 0;
  CHECK(pl_apply(OP_neg, NULL, &inside, NULL, 1, &y) == PL_ESTALE);
  CHECK(strcmp(pl_error_op(), "neg") == 0);
  CHECK(pl_tensor_read(inside, &y, 4) == PL_ESTALE);
  pl_scope_free(scope);
}

static void stale_slots_are_reused_safely(void) {
  int32_t scope = scope_new();
  OK(pl_scope_enter(scope));
  pl_tensor old = vector(3, 1);
  OK(pl_scope_close(scope));
  OK(pl_scope_enter(scope));
  pl_tensor new = vector(3, 2);
  CHECK(old != new &&state_of(old) == PL_ESTALE &&state_of(new) == PL_OK);
  pl_tensor_release(old); /* releasing a dead handle frees nobody else's tensor */
  CHECK(first(new) == 2);
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
}

static void leaving_keeps_alive(void) {
  int32_t scope = scope_new();
  OK(pl_scope_enter(scope));
  pl_tensor inside = vector(3, 5);
  OK(pl_scope_leave(scope));
  pl_tensor outside = vector(3, 6);
  CHECK(first(inside) == 5);
  OK(pl_scope_close(scope));
  CHECK(state_of(inside) == PL_ESTALE && first(outside) == 6);
  pl_tensor_release(outside);
  pl_scope_free(scope);
}

static void closing_the_outer_closes_the_inner(void) {
  int32_t outer = scope_new(), inner = scope_new();
  OK(pl_scope_enter(outer));
  pl_tensor a = vector(3, 1);
  OK(pl_scope_enter(inner));
  pl_tensor b = vector(3, 2);
  OK(pl_scope_close(outer));
  CHECK(state_of(a) == PL_ESTALE && state_of(b) == PL_ESTALE);
  CHECK(pl_context_get()->scope == 0);
  pl_scope_free(inner);
  pl_scope_free(outer);
}

static void kept_and_adopted_tensors_live_on(void) {
  int32_t outer = scope_new(), inner = scope_new();
  OK(pl_scope_enter(outer));
  OK(pl_scope_enter(inner));
  pl_tensor x = leaf(3, 1), y = apply1(OP_neg, NULL, x), kept = 0;
  OK(pl_tensor_keep(y, &kept));
  pl_tensor handed = apply1(OP_neg, NULL, y);
  OK(pl_tensor_adopt(handed, outer));
  OK(pl_scope_close(inner));
  CHECK(state_of(x) == PL_ESTALE && first(handed) == 1);
  OK(pl_scope_close(outer));
  CHECK(state_of(handed) == PL_ESTALE && first(kept) == -1);
  pl_tensor_info info;
  OK(pl_tensor_describe(kept, &info));
  CHECK(info.is_leaf && !info.requires_grad);
  pl_tensor_release(kept);
  pl_scope_free(inner);
  pl_scope_free(outer);
}

static void closing_twice_is_harmless(void) {
  int32_t scope = scope_new();
  OK(pl_scope_enter(scope));
  OK(pl_scope_close(scope));
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
  CHECK(pl_scope_enter(123456) == PL_EARGUMENT);
}

/* A graph whose handles are all gone still runs backward: saved values are not handles. */
static void a_graph_outlives_its_handles(void) {
  int32_t scope = scope_new();
  pl_tensor x = leaf(4, 3), root = 0;
  OK(pl_scope_enter(scope));
  root = total(apply1(OP_square, NULL, apply1(OP_square, NULL, x)));
  OK(pl_tensor_adopt(root, 0));
  OK(pl_scope_close(scope));
  OK(backward(root, 0));
  CHECK(first(grad_of(x)) == 4 * 27);
  pl_tensor_release(root);
  pl_tensor_release(x);
  pl_scope_free(scope);
}

int main(void) {
  UNIT(closing_frees);
  UNIT(stale_slots_are_reused_safely);
  UNIT(leaving_keeps_alive);
  UNIT(closing_the_outer_closes_the_inner);
  UNIT(kept_and_adopted_tensors_live_on);
  UNIT(closing_twice_is_harmless);
  UNIT(a_graph_outlives_its_handles);
  return units_end();
}
