/* wrong_test.c -- libraries that are no accelerator of this engine are refused with a sentence that
** says why; those that are merely older work. */
#include "../engine/engine_unit.h"

static void refused(const char *name, const char *word) {
  int32_t device = -1;
  CHECK(pl_device_open(name, &device) == PL_EDEVICE);
  CHECK(strstr(pl_error(), name) && strstr(pl_error(), word));
  CHECK(device == -1);
}

static void libraries_of_another_abi_are_refused(void) {
  refused("wrong_old", "ABI 0");
  refused("wrong_new", "ABI 1000");
  refused("wrong_short", "rebuild");
}

static void libraries_that_lack_something_are_refused(void) {
  refused("wrong_table", "pl_accelerator_table");
  refused("wrong_read", "lacks one of");
  refused("wrong_copy", "no kernel for copy");
}

static void refusing_twice_is_no_different(void) {
  refused("wrong_old", "ABI 0");
  refused("wrong_copy", "no kernel for copy");
}

static pl_tensor three_on(int32_t device) {
  int64_t n = 3;
  float data[3] = { -1, 0, 2 };
  pl_tensor t = 0;
  OK(pl_tensor_empty(device, PL_F32, 1, &n, &t));
  OK(pl_tensor_write(t, data, sizeof data));
  return t;
}

/* A table that ends before the entries that may be NULL belongs to an older header. */
static void a_shorter_table_works(void) {
  int32_t device = -1;
  int64_t threads;
  OK(pl_device_open("wrong_least", &device));
  CHECK(first(three_on(device)) == -1);
  OK(pl_device_synchronize(device));
  CHECK(pl_device_get(device, "threads", &threads) == PL_EARGUMENT);
}

/* The small device's leaky_relu answers -1000 where it was called: its default only. */
static void a_kernel_older_than_an_attribute_runs_at_its_default(void) {
  int32_t device = -1;
  OK(pl_device_open("wrong_least", &device));
  pl_tensor x = three_on(device);
  CHECK(first(apply1(OP_leaky_relu, &(pl_leaky_relu_attrs){ .slope = 0.01 }, x)) == -1000);
  CHECK(first(apply1(OP_leaky_relu, &(pl_leaky_relu_attrs){ .slope = 0.5 }, x)) == -0.5);
  CHECK(first(apply1(OP_leaky_relu, &(pl_leaky_relu_attrs){ .slope = 0 }, x)) == 0);
}

int main(void) {
  UNIT(libraries_of_another_abi_are_refused);
  UNIT(libraries_that_lack_something_are_refused);
  UNIT(refusing_twice_is_no_different);
  UNIT(a_shorter_table_works);
  UNIT(a_kernel_older_than_an_attribute_runs_at_its_default);
  return units_end();
}
