/*
** queue_test.c -- devices whose kernels are Lua, with this file in the place of Lua: launches come
** in order with what C does between them, a failed one drops what waits, and memory given back
** stays until nothing waits.
*/
#include <pthread.h>
#include "engine_unit.h"
#include "tensor.h"        /* context_end */

static int32_t moon;

static pl_tensor there(float value) {
  pl_tensor t = 0;
  int64_t two = 2;
  OK(pl_tensor_empty(moon, PL_F32, 1, &two, &t));
  OK(pl_tensor_write(t, (float[]){ value, value }, 8));
  return t;
}

static bool holds(pl_tensor t, float value) {
  float got[2];
  return pl_tensor_read(t, got, 8) == PL_OK && got[0] == value && got[1] == value;
}

static pl_tensor sum_of(pl_tensor a, pl_tensor b) {
  pl_tensor y = 0;
  CHECK(pl_apply(OP_add, NULL, (pl_tensor[]){ a, b }, NULL, 2, &y) == PL_QUEUED);
  return y;
}

static void add(const pl_launch *l) {
  const float *a = l->in[0].data, *b = l->in[1].data;
  float *y = l->out[0].data;
  for (int64_t i = 0; i < l->out[0].count; i++) y[i] = a[i] + b[i];
}

/* Runs what waits; the number of launches that were Lua's. */
static int drain(void) {
  const pl_launch *l;
  int n = 0;
  pl_status s;
  while ((s = pl_queue_take(&l)) == PL_QUEUED) {
    add(l);
    OK(pl_queue_done(PL_OK, NULL));
    n++;
  }
  OK(s);
  return n;
}

static void launches_wait_in_order(void) {
  pl_tensor a = there(1), b = sum_of(a, a), c = sum_of(b, a), d = 0;
  CHECK(pl_context_get()->queued);
  CHECK(pl_tensor_write(a, (float[]){ 5, 5 }, 8) == PL_OK);          /* behind them */
  CHECK(pl_apply(OP_neg, NULL, &c, NULL, 1, &d) == PL_QUEUED);
  CHECK(pl_tensor_assign(b, a) == PL_QUEUED);
  float got[2];
  CHECK(pl_tensor_read(c, got, 8) == PL_EDEVICE);
  CHECK(drain() == 2);
  CHECK(!pl_context_get()->queued);
  CHECK(holds(c, 3) && holds(d, -3) && holds(a, 5) && holds(b, 5));
  pl_tensor all[] = { a, b, c, d };
  for (int i = 0; i < 4; i++) pl_tensor_release(all[i]);
}

static void a_refused_launch_is_the_cpus(void) {
  const pl_launch *l;
  pl_tensor a = there(2), b = sum_of(a, a);
  CHECK(pl_queue_take(&l) == PL_QUEUED);
  CHECK(l->device == moon && l->op == OP_add && l->in[0].sizes[0] == 2);
  CHECK(pl_queue_done(PL_EUNSUPPORTED, NULL) == PL_OK);
  CHECK(holds(b, 4));
  pl_tensor_release(a);
  pl_tensor_release(b);
}

static void a_failed_launch_drops_what_waits(void) {
  const pl_launch *l;
  pl_memory before, after;
  pl_tensor a = there(2);
  OK(pl_device_memory(moon, &before));
  pl_tensor b = sum_of(a, a), c = sum_of(b, a);
  CHECK(pl_queue_take(&l) == PL_QUEUED);
  CHECK(pl_queue_done(PL_EDEVICE, "no moon") == PL_EDEVICE);
  CHECK(!strcmp(pl_error_op(), "add") && strstr(pl_error(), "no moon"));
  CHECK(!pl_context_get()->queued);
  CHECK(pl_queue_take(&l) == PL_OK);
  CHECK(!holds(a, 2) && strstr(pl_error(), "until it is set up again"));
  pl_queue_reset(moon);
  CHECK(holds(a, 2));
  pl_tensor_release(b);
  pl_tensor_release(c);
  OK(pl_device_memory(moon, &after));
  CHECK(before.in_use == after.in_use);
  pl_tensor_release(a);
}

static void a_launch_that_never_ends_is_a_failure(void) {
  const pl_launch *l;
  pl_tensor a = there(2), b = sum_of(a, a);
  CHECK(pl_queue_take(&l) == PL_QUEUED);
  CHECK(pl_queue_take(&l) == PL_EDEVICE);
  CHECK(strstr(pl_error(), "did not come to an end"));
  CHECK(pl_queue_done(PL_OK, NULL) == PL_EARGUMENT);
  pl_queue_reset(moon);
  pl_tensor_release(a);
  pl_tensor_release(b);
}

static void released_memory_outlives_what_waits(void) {
  pl_tensor a = there(3), b = sum_of(a, a), c = sum_of(b, b);
  pl_tensor_release(a);
  pl_tensor_release(b);
  pl_device_trim(moon);
  pl_tensor d = sum_of(c, c);
  CHECK(drain() == 3);
  CHECK(holds(c, 12) && holds(d, 24));
  pl_tensor_release(c);
  pl_tensor_release(d);
}

static void *use(void *answer) {
  pl_tensor t = 0;
  int64_t two = 2;
  OK(pl_tensor_empty(moon, PL_F32, 1, &two, &t));
  *(pl_status *)answer = pl_tensor_write(t, (float[]){ 1, 1 }, 8);
  CHECK(strstr(pl_error(), "only the thread that opened it"));
  pl_tensor_release(t);
  context_end();
  return NULL;
}

static void another_thread_may_not_use_it(void) {
  pthread_t thread;
  pl_status answer = PL_OK;
  CHECK(!pthread_create(&thread, NULL, use, &answer));
  CHECK(!pthread_join(thread, NULL));
  CHECK(answer == PL_EDEVICE);
}

static void definitions_are_checked(void) {
  int32_t copy = OP_copy, add_op = OP_add, none = -1, other;
  CHECK(pl_queue_define("", 1, NULL, 0) == PL_EARGUMENT);
  CHECK(pl_queue_define("cpu", 1, NULL, 0) == PL_EARGUMENT);
  CHECK(pl_queue_define("queue", 0, NULL, 0) == PL_EARGUMENT);
  CHECK(pl_queue_define("queue", 2, &copy, 1) == PL_EARGUMENT);
  CHECK(pl_queue_define("queue", 2, &none, 1) == PL_EARGUMENT);
  OK(pl_queue_define("queue", 2, NULL, 0));
  OK(pl_device_open("queue:1", &moon));
  pl_tensor a = there(1), y = 0;
  OK(pl_apply(add_op, NULL, (pl_tensor[]){ a, a }, NULL, 2, &y));       /* the CPU's, at once */
  CHECK(holds(y, 2));
  OK(pl_queue_define("queue", 2, &add_op, 1));
  pl_tensor z = sum_of(a, y);
  CHECK(drain() == 1 && holds(z, 3));
  CHECK(pl_device_open("queue:2", &other) == PL_EDEVICE);
  pl_tensor_release(a);
  pl_tensor_release(y);
  pl_tensor_release(z);
}

int main(void) {
  cpu();
  UNIT(definitions_are_checked);
  UNIT(launches_wait_in_order);
  UNIT(a_refused_launch_is_the_cpus);
  UNIT(a_failed_launch_drops_what_waits);
  UNIT(a_launch_that_never_ends_is_a_failure);
  UNIT(released_memory_outlives_what_waits);
  UNIT(another_thread_may_not_use_it);
  return units_end();
}
