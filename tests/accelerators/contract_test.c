/*
** contract_test.c -- what the engine expects of every accelerator, tried on each that is found (or
** on one named as argument), those with kernels in Lua included: bytes come back, views, copies to
** and from other devices, a training step with the CPU's numbers, and the same step with every
** call to its library failing in turn. A device whose values are all zero (null) is held to shapes,
** errors and memory alone.
*/
#include "contract_faults.h"
#include "contract_lua.h"
#include "contract_net.h"

/* Reads f32 elements and compares; anything goes on a device that computes nothing. */
static bool holds(pl_tensor t, int64_t n, const float *want) {
  float got[64];
  if (pl_tensor_read(t, got, n * 4) != PL_OK) return false;
  for (int64_t i = 0; i < n && computes; i++)
    if (got[i] != want[i]) return false;
  return true;
}

#define HOLDS(t, n, ...) CHECK(holds(t, n, (float[]){ __VA_ARGS__ }))

/* ---- bytes ---- */

static void bytes_come_back(void) {
  uint8_t sent[4096], got[4096];
  for (int i = 0; i < 4096; i++) sent[i] = (uint8_t)(i * 7 + i / 256);
  for (int dtype = 0; dtype < PL_DTYPES; dtype++) {
    int64_t size = pl_dtype_size(dtype), counts[] = { 0, 1, 3, 64, 4096 / size };
    for (int i = 0; i < 5; i++) {
      pl_tensor t = make(device, dtype, 1, &counts[i]);
      OK(pl_tensor_write(t, sent, counts[i] * size));
      memset(got, 0xee, sizeof got);
      OK(pl_tensor_read(t, got, counts[i] * size));
      CHECK(!computes || !memcmp(got, sent, (size_t)(counts[i] * size)));
      pl_tensor_release(t);
    }
  }
}

static void later_writes_win(void) {
  pl_tensor t = numbers(device, 1, SIZES(3), 1, 1), sum = apply2(OP_add, t, t);
  OK(pl_tensor_write(t, (float[]){ 7, 8, 9 }, 12));
  HOLDS(sum, 3, 2, 4, 6);
  HOLDS(t, 3, 7, 8, 9);
  pl_tensor_release(sum);
  pl_tensor_release(t);
}

static void tensors_travel_between_devices(void) {
  const char *name;
  for (int i = 0; pl_device_available(i, &name) == PL_OK; i++) {
    int32_t other;
    if (pl_device_open(name, &other) != PL_OK) continue;
    pl_tensor here = numbers(device, 2, SIZES(2, 3), 1, 1), there = 0, back = 0;
    OK(pl_tensor_to_device(here, other, &there));
    OK(pl_tensor_to_device(there, device, &back));
    float got[6];
    OK(pl_tensor_read(back, got, sizeof got));
    CHECK(!computes || !keeps(other) || got[5] == 6);
    pl_tensor_release(back);
    pl_tensor_release(there);
    pl_tensor_release(here);
  }
}

/* ---- views ---- */

static pl_tensor transpose(pl_tensor t) {
  return apply1(OP_transpose, &(pl_transpose_attrs){ .first = 0, .second = 1 }, t);
}

static pl_tensor column(pl_tensor t, int index) {
  return apply1(OP_select, &(pl_select_attrs){ .axis = 1, .index = index }, t);
}

static void views_are_read(void) {
  pl_tensor t = numbers(device, 2, SIZES(2, 3), 1, 1), turned = transpose(t), two = column(t, 1);
  HOLDS(turned, 6, 1, 4, 2, 5, 3, 6);
  HOLDS(two, 2, 2, 5);
  pl_tensor sum = apply2(OP_add, turned, turned);
  HOLDS(sum, 6, 2, 8, 4, 10, 6, 12);
  pl_tensor wide = apply1(OP_unsqueeze, &(pl_unsqueeze_attrs){ .axis = 0 }, two);
  pl_tensor both = apply2(OP_add, wide, turned);        /* 1x2 against 3x2 */
  HOLDS(both, 6, 3, 9, 4, 10, 5, 11);
  pl_tensor all[] = { both, wide, sum, two, turned, t };
  for (int i = 0; i < 6; i++) pl_tensor_release(all[i]);
}

/* Of what a kernel made, dense and copied by the kernel that every device has. */
static void views_of_results_are_read(void) {
  pl_tensor t = numbers(device, 2, SIZES(2, 3), 1, 1), sum = apply2(OP_add, t, t);
  pl_tensor turned = transpose(sum), two = column(sum, 1);
  pl_tensor copy = apply1(OP_copy, NULL, turned), line = apply1(OP_copy, NULL, two);
  HOLDS(copy, 6, 2, 8, 4, 10, 6, 12);
  HOLDS(line, 2, 4, 10);
  HOLDS(turned, 6, 2, 8, 4, 10, 6, 12);
  pl_tensor all[] = { line, copy, two, turned, sum, t };
  for (int i = 0; i < 6; i++) pl_tensor_release(all[i]);
}

static void views_are_written_through(void) {
  pl_tensor t = numbers(device, 2, SIZES(2, 3), 1, 1), two = column(t, 1), turned = transpose(t);
  pl_tensor src = numbers(device, 1, SIZES(2), -1, -1);
  OK(pl_tensor_assign(two, src));
  HOLDS(t, 6, 1, -1, 3, 4, -2, 6);
  pl_tensor in[2] = { turned, turned };
  OK(pl_apply_in_place(OP_add, NULL, in, 2));
  HOLDS(t, 6, 2, -2, 6, 8, -4, 12);
  pl_tensor third = column(t, 2);
  OK(pl_apply_in_place(OP_neg, NULL, &third, 1));
  HOLDS(t, 6, 2, -2, -6, 8, -4, -12);
  pl_tensor all[] = { third, src, turned, two, t };
  for (int i = 0; i < 5; i++) pl_tensor_release(all[i]);
}

/* ---- errors ---- */

static void mixing_devices_says_which_is_where(void) {
  pl_tensor here = numbers(device, 1, SIZES(3), 0, 1), there = numbers(cpu(), 1, SIZES(3), 0, 1);
  pl_tensor in[2] = { there, here }, out = 7;
  pl_status s = pl_apply(OP_add, NULL, in, NULL, 2, &out);
  if (device == cpu()) {
    OK(s);
    pl_tensor_release(out);
  } else {
    CHECK(s == PL_EDEVICE && out == 7);
    CHECK(!strcmp(pl_error_op(), "add") && !strcmp(pl_error_argument(), "other"));
    CHECK(strstr(pl_error(), "x is on cpu") && strstr(pl_error(), pl_device_name(device)));
  }
  pl_tensor_release(here);
  pl_tensor_release(there);
}

static void properties_nobody_has_are_errors(void) {
  int64_t value = 7;
  CHECK(pl_device_set(device, "colour", 1) == PL_EARGUMENT);
  CHECK(pl_device_get(device, "colour", &value) == PL_EARGUMENT && value == 7);
  int32_t none = -1;
  char beyond[64];
  snprintf(beyond, sizeof beyond, "%.20s:999", pl_device_name(device));
  char *colon = strchr(beyond, ':');
  snprintf(colon, 8, ":999");
  CHECK(pl_device_open(beyond, &none) == PL_EDEVICE && none == -1);
}

/* ---- a training step ---- */

static void a_step_gives_the_numbers_of_the_cpu(void) {
  float here[54], there[54];
  trained_weights(device, 3, here);
  trained_weights(cpu(), 3, there);
  CHECK(alike(here, there, 54));
}

static void random_numbers_are_those_of_the_cpu(void) {
  float got[2][8];
  int32_t before = pl_context_get()->device, where[2] = { device, cpu() };
  for (int i = 0; i < 2; i++) {
    pl_rand_attrs at;
    memset(&at, 0, sizeof at);
    at.sizes = (pl_sizes){ 1, { 8 } };
    at.dtype = PL_F32;
    pl_tensor t = 0;
    pl_context_get()->device = where[i];
    OK(pl_random_set(7, 0, 1));
    OK(pl_apply(OP_rand, &at, NULL, NULL, 0, &t));
    OK(pl_tensor_read(t, got[i], sizeof got[i]));
    pl_tensor_release(t);
  }
  pl_context_get()->device = before;
  CHECK(!computes || !memcmp(got[0], got[1], sizeof got[0]));
}

/* ---- two devices at once ---- */

static void devices_of_one_kind_work_side_by_side(void) {
  char name[64];
  int32_t second;
  snprintf(name, sizeof name, "%.20s", pl_device_name(device));
  name[strcspn(name, ":")] = 0;
  strcat(name, ":1");
  if (pl_device_open(name, &second) != PL_OK) return;      /* there is only one */
  net a = net_new(device), b = net_new(second);
  for (int i = 0; i < 3; i++) {
    OK(step_in_scope(&a));
    OK(step_in_scope(&b));
  }
  float here[54], there[54];
  read_weights(&a, here);
  read_weights(&b, there);
  CHECK(!memcmp(here, there, sizeof here));
  net_free(&a);
  net_free(&b);
}

/* ---- all of it ---- */

static void try(void) {
  UNIT(bytes_come_back);
  UNIT(later_writes_win);
  UNIT(tensors_travel_between_devices);
  UNIT(views_are_read);
  UNIT(views_of_results_are_read);
  UNIT(views_are_written_through);
  UNIT(mixing_devices_says_which_is_where);
  UNIT(properties_nobody_has_are_errors);
  UNIT(a_step_gives_the_numbers_of_the_cpu);
  UNIT(random_numbers_are_those_of_the_cpu);
  UNIT(devices_of_one_kind_work_side_by_side);
}

static void try_device(const char *self, const char *build_folder, const char *name, bool faulty) {
  if (pl_device_open(name, &device) != PL_OK) {
    fprintf(stderr, "%s: skipped: %s\n", name, pl_error());
    return;
  }
  computes = keeps(device);
  fprintf(stderr, "%s%s: %s\n", name, faulty ? " with faults" : "",
          pl_device_description(device));
  if (faulty) {
    try_faults(name, build_folder);
  } else {
    try();
    try_with_faults(self, name, build_folder);
  }
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

/* LeakSanitizer dies in a process that has the threads of a PJRT plug-in beside those of xpu: with
** it, the plug-in is there for its own device only. */
static const char *environment_of(const char *name) {
  return SANITIZED && strcmp(name, "pjrt") ? "PERILUNE_PJRT_PLUGIN= " : "";
}

/* A process for each: what one leaves behind is no other's matter. */
static void try_each(const char *self) {
  char command[2 * PATH];
  const char *name;
  for (int i = 0; pl_device_available(i, &name) == PL_OK; i++) {
    if (!strcmp(name, "proxy") || !strncmp(name, "wrong_", 6)) continue;
    snprintf(command, sizeof command, "%s'%s' %s", environment_of(name), self, name);
    CHECK(system(command) == 0);
  }
}

/* contract [device [faults]] */
int main(int n, char **arguments) {
  char self[PATH], build_folder[PATH];
  if (!realpath(arguments[0], self)) return 1;
  snprintf(build_folder, sizeof build_folder, "%s", self);
  for (int i = 0; i < 2; i++) *strrchr(build_folder, '/') = 0;
  if (!lua_begin(build_folder)) return 1;
  if (n > 1) try_device(self, build_folder, arguments[1], n > 2);
  else try_each(self);
  lua_end();
  return units_end();
}
