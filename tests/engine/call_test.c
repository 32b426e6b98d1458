/* call_test.c -- calls from outside: bad arguments, limits, interrupts, devices, random numbers. */
#include "engine_unit.h"
#include "device.h"
#include "philox.h"
#include <signal.h>

static void wrong_calls_are_errors(void) {
  pl_tensor x = vector(3, 1), wild = 1e15, y = 7, many[9] = {x, x, x, x, x, x, x, x, x};
  CHECK(pl_apply(-1, NULL, &x, NULL, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_COUNT, NULL, &x, NULL, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_add, NULL, &x, NULL, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_neg, NULL, many, NULL, 9, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_neg, NULL, &wild, NULL, 1, &y) != PL_OK);
  CHECK(pl_apply_in_place(OP_sum, NULL, &x, 1) != PL_OK);
  pl_tensor in[2] = {x, 0};
  CHECK(pl_apply(OP_add, NULL, in, NULL, 2, &y) == PL_EARGUMENT);
  CHECK(strcmp(pl_error_op(), "add") == 0 && strcmp(pl_error_argument(), "other") == 0);
  CHECK(y == 7);
  pl_tensor_release(x);
}

/* Rows with lists say how many tensors each input has, and the counts are those of the tensors. */
static void counts_are_checked(void) {
  pl_tensor x = vector(3, 1), y = 7, many[3] = {x, x, x};
  pl_cat_attrs cat;
  pl_total_norm_attrs norm;
  memset(&cat, 0, sizeof cat);
  memset(&norm, 0, sizeof norm);
  CHECK(pl_apply(OP_total_norm, &norm, many, NULL, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_cat, &cat, many, (int32_t[]){2}, 3, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_cat, &cat, many, (int32_t[]){4}, 3, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_cat, &cat, many, (int32_t[]){-1}, 3, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_neg, NULL, many, (int32_t[]){1}, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_cat, &cat, many, (int32_t[]){-1}, -1, &y) == PL_EARGUMENT);
  CHECK(y == 7);
  OK(pl_apply(OP_cat, &cat, many, (int32_t[]){3}, 3, &y));
  pl_tensor_release(y);
  pl_tensor_release(x);
}

static pl_status says_nothing(void *state, const pl_call *call) {
  (void)state;
  return call->in[0]->count == 1 ? PL_EMEMORY : PL_EDEVICE;
}

/* Its failure must not be told with the sentence of the one before. */
static void a_kernel_that_says_nothing_is_named(void) {
  device *d = device_at(cpu());
  pl_kernel kept = d->kernels[OP_exp];
  pl_tensor one = vector(1, 1), three = vector(3, 1), y = 7;
  d->kernels[OP_exp] = says_nothing;
  CHECK(pl_apply(-1, NULL, &one, NULL, 1, &y) == PL_EARGUMENT);
  CHECK(pl_apply(OP_exp, NULL, &one, NULL, 1, &y) == PL_EMEMORY);
  CHECK(strcmp(pl_error(), "exp: out of memory for what cpu needs to compute it") == 0);
  CHECK(pl_apply(OP_exp, NULL, &three, NULL, 1, &y) == PL_EDEVICE);
  CHECK(strcmp(pl_error(), "exp: the kernel of cpu failed and gave no reason") == 0);
  d->kernels[OP_exp] = kept;
  OK(pl_apply(OP_exp, NULL, &one, NULL, 1, &y));
  pl_tensor_release(one);
  pl_tensor_release(three);
}

/* A Lua number is a tensor without storage. */
static void numbers_have_no_storage(void) {
  pl_tensor number, x = vector(3, 1);
  float data = 0;
  OK(pl_tensor_number(0.5, &number));
  CHECK(pl_tensor_write(number, &data, sizeof data) == PL_EARGUMENT);
  CHECK(pl_tensor_read(number, &data, sizeof data) == PL_EARGUMENT);
  CHECK(pl_tensor_swap(number, x) == PL_EARGUMENT && pl_tensor_swap(x, number) == PL_EARGUMENT);
  pl_tensor_release(number);
  pl_tensor_release(x);
}

static void attributes_have_limits(void) {
  pl_tensor x = vector(3, 1), y = 7;
  pl_sum_attrs sum;
  memset(&sum, 0, sizeof sum);
  sum.axes.n = 1000;
  CHECK(pl_apply(OP_sum, &sum, &x, NULL, 1, &y) != PL_OK);
  sum.axes.n = 1;
  sum.axes.dim[0] = -5;
  CHECK(pl_apply(OP_sum, &sum, &x, NULL, 1, &y) != PL_OK);
  pl_reshape_attrs reshape;
  memset(&reshape, 0, sizeof reshape);
  reshape.sizes.n = 99;
  CHECK(pl_apply(OP_reshape, &reshape, &x, NULL, 1, &y) != PL_OK);
  reshape.sizes.n = -1;
  CHECK(pl_apply(OP_reshape, &reshape, &x, NULL, 1, &y) != PL_OK);
  reshape.sizes = (pl_sizes){3, {(int64_t)1 << 32, (int64_t)1 << 32, 3}};
  CHECK(pl_apply(OP_reshape, &reshape, &x, NULL, 1, &y) != PL_OK);
  pl_expand_attrs expand;
  memset(&expand, 0, sizeof expand);
  expand.sizes = (pl_sizes){4, {(int64_t)1 << 40, (int64_t)1 << 40, 1, 3}};
  CHECK(pl_apply(OP_expand, &expand, &x, NULL, 1, &y) != PL_OK);
  pl_full_attrs full;
  memset(&full, 0, sizeof full);
  full.dtype = PL_F32;
  full.sizes = (pl_sizes){2, {-1, 3}};
  CHECK(pl_apply(OP_full, &full, &x, NULL, 1, &y) != PL_OK);
  full.sizes = (pl_sizes){1, {3}};
  full.dtype = 99;
  CHECK(pl_apply(OP_full, &full, &x, NULL, 1, &y) != PL_OK);
  pl_as_strided_attrs strided;   /* 2 * 2^63 elements away is 0 elements away */
  memset(&strided, 0, sizeof strided);
  strided.sizes = (pl_sizes){1, {3}};
  strided.strides = (pl_sizes){1, {INT64_MAX}};
  CHECK(pl_apply(OP_as_strided, &strided, &x, NULL, 1, &y) == PL_ESHAPE);
  pl_narrow_attrs narrow;
  memset(&narrow, 0, sizeof narrow);
  narrow.length = 3;
  narrow.step = INT64_MAX;
  CHECK(pl_apply(OP_narrow, &narrow, &x, NULL, 1, &y) == PL_ESHAPE);
  CHECK(y == 7);
  pl_tensor_release(x);
}

/* Bytes must be those of the tensor. */
static void reads_and_writes_are_checked(void) {
  pl_tensor x = vector(3, 1);
  float data[4] = {0};
  double one;
  CHECK(pl_tensor_write(x, data, 16) != PL_OK);
  CHECK(pl_tensor_read(x, data, 8) != PL_OK);
  CHECK(pl_tensor_item(x, &one) != PL_OK);
  pl_tensor_release(x);
}

static void interrupts_stop_the_next_op(void) {
  pl_tensor x = vector(3, 1), y = 7;
  pl_interrupt_raise(SIGINT);
  CHECK(pl_interrupt_pending() == 1);
  CHECK(pl_apply(OP_neg, NULL, &x, NULL, 1, &y) == PL_EINTERRUPTED);
  pl_context_get()->interrupts = 2;
  OK(pl_apply(OP_neg, NULL, &x, NULL, 1, &y));
  pl_interrupt_raise(SIGINT);
  CHECK(pl_apply(OP_neg, NULL, &x, NULL, 1, &y) == PL_EINTERRUPTED);
  pl_context_get()->interrupts = 1;
  pl_interrupt_clear();
  OK(pl_apply(OP_neg, NULL, &x, NULL, 1, &y));
  pl_tensor_release(x);
}

static void anomalies_name_the_op(void) {
  pl_tensor x = vector(3, 0), y = 7;
  pl_context_get()->anomaly = 1;
  CHECK(pl_apply(OP_log, NULL, &x, NULL, 1, &y) != PL_OK);
  CHECK(strcmp(pl_error_op(), "log") == 0);
  pl_context_get()->anomaly = 0;
  pl_tensor_release(x);
}

static void devices_that_are_not_there(void) {
  int32_t device = -1;
  CHECK(pl_device_open("abacus", &device) == PL_EDEVICE);
  CHECK(pl_device_open("cpu:7", &device) == PL_EDEVICE);
  CHECK(pl_device_open("../cpu", &device) != PL_OK);
  CHECK(pl_device_open("null:0x", &device) == PL_EARGUMENT);
  CHECK(pl_device_open("null:", &device) == PL_EARGUMENT);
  CHECK(pl_device_open("null: 0", &device) == PL_EARGUMENT);
  CHECK(pl_device_open("null:-0", &device) == PL_EARGUMENT);
  CHECK(pl_device_open("null:0001", &device) == PL_EARGUMENT);  /* not the first three digits */
  CHECK(device == -1);
  CHECK(pl_device_set(cpu(), "threads", 0) != PL_OK);
  CHECK(pl_device_set(cpu(), "colour", 1) != PL_OK);
}

/* Random123's known answers for philox4x32-10. */
static void philox_is_philox(void) {
  const uint64_t ones = ~(uint64_t)0;
  static const uint32_t known[3][4] = {
      {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
  };
  uint32_t got[3][4];
  philox_block(0, 0, 0, 0, got[0]);
  philox_block(ones, ones, ~0u, ~0u, got[1]);
  philox_block(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x13198a2e, 0x03707344, got[2]);
  CHECK(memcmp(known, got, sizeof got) == 0);
}

static pl_tensor rand64(int64_t call) {
  pl_rand_attrs at;
  pl_tensor y = 0;
  memset(&at, 0, sizeof at);
  at.sizes = (pl_sizes){1, {64}};
  at.dtype = PL_F32;
  at.call = call;
  OK(pl_apply(OP_rand, &at, NULL, NULL, 0, &y));
  return y;
}

static bool same_numbers(pl_tensor a, pl_tensor b) {
  float x[64], y[64];
  OK(pl_tensor_read(a, x, sizeof x));
  OK(pl_tensor_read(b, y, sizeof y));
  return memcmp(x, y, sizeof x) == 0;
}

static void random_numbers_follow_seed_stream_step_and_call(void) {
  OK(pl_random_set(42, 1, 7));
  pl_tensor base = rand64(0), again, other;
  again = rand64(0);
  CHECK(same_numbers(base, again));
  other = rand64(1);
  CHECK(!same_numbers(base, other));
  const int64_t states[3][3] = {{43, 1, 7}, {42, 2, 7}, {42, 1, 8}};
  for (int i = 0; i < 3; i++) {
    OK(pl_random_set(states[i][0], states[i][1], states[i][2]));
    other = rand64(0);
    CHECK(!same_numbers(base, other));
  }
  OK(pl_random_set(42, 1, 7));
  other = rand64(0);
  CHECK(same_numbers(base, other));
  int64_t seed, stream, step;
  pl_random_get(&seed, &stream, &step);
  CHECK(seed == 42 && stream == 1 && step == 7);
}

static void permutations_are_permutations(void) {
  int64_t order[1000], again[1000];
  char seen[1000] = {0};
  int fixed = 0;
  pl_random_permutation(5, 6, 7, 1000, order);
  pl_random_permutation(5, 6, 7, 1000, again);
  CHECK(memcmp(order, again, sizeof order) == 0);
  for (int i = 0; i < 1000; i++) {
    CHECK(order[i] >= 0 && order[i] < 1000 && !seen[order[i]]);
    seen[order[i]] = 1;
    fixed += order[i] == i;
  }
  CHECK(fixed < 20);
  pl_random_permutation(5, 6, 8, 1000, again);
  CHECK(memcmp(order, again, sizeof order) != 0);
}

int main(void) {
  UNIT(wrong_calls_are_errors);
  UNIT(counts_are_checked);
  UNIT(a_kernel_that_says_nothing_is_named);
  UNIT(numbers_have_no_storage);
  UNIT(attributes_have_limits);
  UNIT(reads_and_writes_are_checked);
  UNIT(interrupts_stop_the_next_op);
  UNIT(anomalies_name_the_op);
  UNIT(devices_that_are_not_there);
  UNIT(philox_is_philox);
  UNIT(random_numbers_follow_seed_stream_step_and_call);
  UNIT(permutations_are_permutations);
  return units_end();
}
