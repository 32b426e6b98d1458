/*
** contract_test.c -- what the engine expects of every accelerator, tried on each that is found (or
** on those named as arguments): bytes come back, views, copies to and from other devices, a
** training step with the CPU's numbers, and the same step with every allocation failing in turn.
** A device whose values are all zero (null) is held to shapes, errors and memory alone.
*/
#include "../engine/engine_unit.h"
#include <stdlib.h>

static int32_t device;
static bool computes;           /* what is written comes back */

static pl_tensor make(int32_t where, int32_t dtype, int rank, const int64_t *sizes) {
  pl_tensor t = 0;
  OK(pl_tensor_empty(where, dtype, rank, sizes, &t));
  return t;
}

/* f32 of these sizes holding from, from + step, ... */
static pl_tensor numbers(int32_t where, int rank, const int64_t *sizes, double from, double step) {
  pl_tensor t = make(where, PL_F32, rank, sizes);
  int64_t n = 1;
  for (int i = 0; i < rank; i++) n *= sizes[i];
  float *data = malloc((size_t)n * sizeof *data + 1);
  for (int64_t i = 0; i < n; i++) data[i] = (float)(from + step * (double)i);
  OK(pl_tensor_write(t, data, n * 4));
  free(data);
  return t;
}

#define SIZES(...) (int64_t[]){ __VA_ARGS__ }

/* Does what is written there come back? */
static bool keeps(int32_t where) {
  pl_tensor t = numbers(where, 1, SIZES(1), 5, 0);
  float got = 0;
  OK(pl_tensor_read(t, &got, 4));
  pl_tensor_release(t);
  return got == 5;
}

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

/* ---- a training step: linear, relu, linear, cross entropy, backward, SGD with momentum ---- */

typedef struct net { pl_tensor weight[2], momentum[2], x, target, hyper; } net;

/* Numbers without pattern enough that no two gradients agree. */
static pl_tensor scattered(int32_t where, int64_t rows, int64_t columns, double scale) {
  float data[256];
  for (int64_t i = 0; i < rows * columns; i++)
    data[i] = (float)(scale * ((double)((i * 7919 + 13) % 101) / 50 - 1));
  pl_tensor t = make(where, PL_F32, 2, SIZES(rows, columns));
  OK(pl_tensor_write(t, data, rows * columns * 4));
  return t;
}

static net net_new(int32_t where) {
  net n = { { scattered(where, 6, 5, 0.5), scattered(where, 4, 6, 0.7) },
            { scattered(where, 6, 5, 0), scattered(where, 4, 6, 0) }, scattered(where, 3, 5, 1),
            make(where, PL_I64, 1, SIZES(3)), make(where, PL_F64, 1, SIZES(4)) };
  OK(pl_tensor_write(n.target, (int64_t[]){ 1, 4, 2 }, 24));
  OK(pl_tensor_write(n.hyper, (double[]){ 0.1, 0.9, 0, 0.01 }, 32));
  for (int i = 0; i < 2; i++) OK(pl_tensor_set_requires_grad(n.weight[i], 1));
  return n;
}

static void net_free(const net *n) {
  pl_tensor all[] = { n->weight[0], n->weight[1], n->momentum[0], n->momentum[1], n->x, n->target,
                      n->hyper };
  for (int i = 0; i < 7; i++) pl_tensor_release(all[i]);
}

static pl_status forward(const net *n, pl_tensor *loss) {
  pl_linear_attrs relu, none;
  pl_cross_entropy_attrs mean;
  memset(&relu, 0, sizeof relu);
  memset(&none, 0, sizeof none);
  memset(&mean, 0, sizeof mean);
  relu.activation = PL_ACTIVATION_RELU;
  mean.ignore_index = -100;
  mean.base = 1;
  pl_tensor hidden, logits, in[3] = { n->x, n->weight[0], 0 };
  pl_status s = pl_apply(OP_linear, &relu, in, NULL, 3, &hidden);
  if (s) return s;
  in[0] = hidden;
  in[1] = n->weight[1];
  if ((s = pl_apply(OP_linear, &none, in, NULL, 3, &logits))) return s;
  return pl_apply(OP_cross_entropy, &mean, (pl_tensor[]){ logits, n->target, 0 }, NULL, 3, loss);
}

static pl_status step(const net *n) {
  pl_tensor loss, grads[2] = { 0 };
  pl_status s = forward(n, &loss);
  if (s || (s = backward(loss, 0))) return s;
  for (int i = 0; i < 2; i++) OK(pl_tensor_grad(n->weight[i], &grads[i]));
  pl_sgd_step_attrs at;
  memset(&at, 0, sizeof at);
  pl_tensor in[] = { n->weight[0], n->weight[1], grads[0], grads[1], n->momentum[0],
                     n->momentum[1], n->hyper };
  pl_context_get()->grad = 0;
  s = pl_apply(OP_sgd_step, &at, in, (int32_t[]){ 2, 2, 2, 1 }, 7, NULL);
  pl_context_get()->grad = 1;
  return s;
}

static void drop_gradients(const net *n) {
  for (int i = 0; i < 2; i++) OK(pl_tensor_set_grad(n->weight[i], 0));
}

/* In a scope, so that whatever a failure leaves behind is given back. */
static pl_status step_in_scope(const net *n) {
  int32_t scope;
  OK(pl_scope_new(&scope));
  OK(pl_scope_enter(scope));
  pl_status s = step(n);
  drop_gradients(n);
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
  return s;
}

static void read_weights(const net *n, float *out) {
  OK(pl_tensor_read(n->weight[0], out, 30 * 4));
  OK(pl_tensor_read(n->weight[1], out + 30, 24 * 4));
}

static bool alike(const float *a, const float *b, int n) {
  for (int i = 0; i < n && computes; i++)
    if (!(fabs(a[i] - b[i]) <= 1e-5)) return false;
  return true;
}

static void trained_weights(int32_t where, int steps, float *out) {
  net n = net_new(where);
  for (int i = 0; i < steps; i++) OK(step_in_scope(&n));
  read_weights(&n, out);
  net_free(&n);
}

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

/* ---- every allocation fails once: PERILUNE_PROXY makes "proxy" this device ---- */

static int64_t in_use(int32_t where) {
  pl_memory memory;
  OK(pl_device_memory(where, &memory));
  return memory.in_use;
}

/* A failed step must leave the parameters as they were; a later one must go well. */
static void every_allocation_may_fail(int32_t proxy) {
  float before[54], after[54], wanted[54];
  trained_weights(proxy, 1, wanted);
  pl_status s = PL_EMEMORY;
  int n = 0;
  while (s && ++n < 500) {
    net net = net_new(proxy);
    OK(step_in_scope(&net));
    net_free(&net);
    net = net_new(proxy);
    read_weights(&net, before);
    int64_t used = in_use(proxy);
    pl_device_trim(proxy);
    OK(pl_device_set(proxy, "fail_create", n));
    s = step_in_scope(&net);
    CHECK(s == PL_OK || s == PL_EMEMORY);
    OK(pl_device_set(proxy, "fail_create", 0));
    CHECK(in_use(proxy) == used);
    read_weights(&net, after);
    if (s) CHECK(!computes || !memcmp(before, after, sizeof before));
    if (s) OK(step_in_scope(&net));
    read_weights(&net, after);
    CHECK(alike(after, wanted, 54));
    net_free(&net);
  }
  CHECK(n > 3 && n < 500);
}

static void every_read_and_write_may_fail(int32_t proxy) {
  net net = net_new(proxy);
  float data[64];
  OK(pl_device_set(proxy, "fail_read", 1));
  CHECK(pl_tensor_read(net.x, data, 60) == PL_EDEVICE);
  OK(pl_tensor_read(net.x, data, 60));
  OK(pl_device_set(proxy, "fail_write", 1));
  CHECK(pl_tensor_write(net.x, data, 60) == PL_EDEVICE);
  OK(pl_tensor_write(net.x, data, 60));
  OK(step_in_scope(&net));
  net_free(&net);
}

/* The library of a device, found as the engine finds it. */
static bool library_of(const char *name, char *path, size_t size) {
  const char *p = getenv("PERILUNE_ACCELERATORS");
  for (; p && *p; p += strcspn(p, ":"), p += *p == ':') {
    snprintf(path, size, "%.*s/libperilune_%s.so", (int)strcspn(p, ":"), p, name);
    FILE *f = fopen(path, "r");
    if (f) fclose(f);
    if (f) return true;
  }
  return false;
}

/* ---- all of it ---- */

static void try_with_faults(const char *name) {
  char path[4096];
  int32_t proxy;
  if (!library_of(name, path, sizeof path)) {
    fprintf(stderr, "  %s: its library is not on PERILUNE_ACCELERATORS; faults not tried\n", name);
    return;
  }
  setenv("PERILUNE_PROXY", path, 1);
  if (pl_device_open("proxy", &proxy) != PL_OK) {
    CHECK(!"the proxy opens");
    return;
  }
  fprintf(stderr, "  with faults\n");
  every_allocation_may_fail(proxy);
  every_read_and_write_may_fail(proxy);
}

static void try(const char *name) {
  if (pl_device_open(name, &device) != PL_OK) {
    fprintf(stderr, "%s: skipped: %s\n", name, pl_error());
    return;
  }
  computes = keeps(device);
  fprintf(stderr, "%s: %s\n", name, pl_device_description(device));
  UNIT(bytes_come_back);
  UNIT(later_writes_win);
  UNIT(tensors_travel_between_devices);
  UNIT(views_are_read);
  UNIT(views_are_written_through);
  UNIT(mixing_devices_says_which_is_where);
  UNIT(properties_nobody_has_are_errors);
  UNIT(a_step_gives_the_numbers_of_the_cpu);
  UNIT(random_numbers_are_those_of_the_cpu);
  UNIT(devices_of_one_kind_work_side_by_side);
  try_with_faults(name);
}

/* One process per device: the proxy is one device for the life of its process. */
static int try_in_a_process(const char *self, const char *name) {
  char command[4096];
  snprintf(command, sizeof command, "'%s' %s", self, name);
  return system(command);
}

int main(int n, char **arguments) {
  const char *name;
  if (n > 1) {
    try(arguments[1]);
    return units_end();
  }
  for (int i = 0; pl_device_available(i, &name) == PL_OK; i++)
    if (strcmp(name, "proxy") && strncmp(name, "wrong_", 6))
      CHECK(try_in_a_process(arguments[0], name) == 0);
  return units_end();
}
