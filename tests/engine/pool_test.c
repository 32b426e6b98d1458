/* pool_test.c -- a device's memory is reused: steps of one shape allocate only in the first. */
#include "engine_unit.h"
#include "tensor.h"        /* context_end */
#include <malloc.h>
#include <pthread.h>

static pl_memory memory(void) {
  pl_memory m = {0};
  OK(pl_device_memory(cpu(), &m));
  return m;
}

static void step(int32_t scope, pl_tensor weight) {
  OK(pl_scope_enter(scope));
  pl_tensor x = vector(48, 0.5);
  pl_tensor loss = total(apply1(OP_tanh, NULL, apply2(OP_mul, x, weight)));
  OK(backward(loss, 0));
  OK(pl_tensor_set_grad(weight, 0));
  OK(pl_scope_close(scope));
}

static void steady_state_allocates_nothing(void) {
  int32_t scope;
  OK(pl_scope_new(&scope));
  pl_tensor weight = leaf(48, 0.25);
  for (int i = 0; i < 3; i++) step(scope, weight);
  pl_memory before = memory();
  for (int i = 0; i < 200; i++) step(scope, weight);
  pl_memory after = memory();
  CHECK(after.allocations == before.allocations);
  CHECK(after.in_use == before.in_use);
  pl_tensor_release(weight);
  pl_scope_free(scope);
}

static void counts_follow_tensors(void) {
  pl_memory before = memory();
  int64_t sizes[2] = {1024, 1024};
  pl_tensor t = 0;
  OK(pl_tensor_empty(cpu(), PL_F32, 2, sizes, &t));
  pl_memory during = memory();
  CHECK(during.in_use >= before.in_use + (4 << 20) && during.peak >= during.in_use);
  pl_tensor_release(t);
  CHECK(memory().in_use == before.in_use);
  pl_device_trim(cpu());
  CHECK(memory().cached == 0);
}

static void the_thread_counts_what_it_allocates(void) {
  pl_context_get()->allocated = 0;
  int64_t n = 1 << 20;
  pl_tensor t = 0;
  OK(pl_tensor_empty(cpu(), PL_F32, 1, &n, &t));
  CHECK(pl_context_get()->allocated >= 4 << 20);
  pl_tensor_release(t);
}

static void impossible_sizes_are_errors(void) {
  int64_t huge[2] = {(int64_t)1 << 40, (int64_t)1 << 40}, negative = -3, large = (int64_t)1 << 50;
  pl_tensor t = 7;
  CHECK(pl_tensor_empty(cpu(), PL_F32, 2, huge, &t) != PL_OK);
  CHECK(pl_tensor_empty(cpu(), PL_F32, 1, &negative, &t) != PL_OK);
  CHECK(pl_tensor_empty(cpu(), PL_F32, 1, &large, &t) == PL_EMEMORY);
  CHECK(pl_tensor_empty(cpu(), PL_DTYPES, 1, &large, &t) != PL_OK);
  CHECK(pl_tensor_empty(cpu(), PL_F32, PL_MAX_RANK + 1, huge, &t) != PL_OK);
  CHECK(t == 7);
}

static void *visit(void *unused) {
  pl_tensor_release(vector(48, 0.5));
  context_end();
  return unused;
}

/* Their cells go to the threads that come: the process does not grow with the number of threads. */
static void threads_leave_their_cells_behind(void) {
  size_t before = 0;
  for (int i = 0; i < 100; i++) {
    pthread_t thread;
    if (i == 2) before = mallinfo2().uordblks;
    CHECK(!pthread_create(&thread, NULL, visit, NULL));
    CHECK(!pthread_join(thread, NULL));
  }
  CHECK(mallinfo2().uordblks < before + 64 * 1024);
}

int main(void) {
  UNIT(steady_state_allocates_nothing);
  UNIT(counts_follow_tensors);
  UNIT(the_thread_counts_what_it_allocates);
  UNIT(impossible_sizes_are_errors);
  UNIT(threads_leave_their_cells_behind);
  return units_end();
}
