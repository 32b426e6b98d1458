/*
** proxy.c -- a device that is another one (PERILUNE_PROXY: its library) but fails when told to:
** property "fail_create" = n means that from the n-th buffer on memory is full, until it is set to
** 0; "fail_write", "fail_read" and "fail_launch" = n fail once, at the n-th call. "faults" counts
** what failed so, "buffers" those that were created and not released.
*/
#include "accelerator.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;
static const pl_accelerator *real;
static const pl_host *lender;

enum { CREATE, WRITE, READ, LAUNCH, FAULTS };
static const char *const fault_names[FAULTS] = { "fail_create", "fail_write", "fail_read",
                                                 "fail_launch" };
static pl_kernel kernels[OP_COUNT];    /* the other device's */
static int64_t until[FAULTS];          /* calls until the fault, 0: none is due */

static int64_t faults, buffers;

static bool due(int fault) {
  bool now = until[fault] > 0 && --until[fault] == 0;
  faults += now;
  return now;
}

static bool memory_is_full(void) {
  bool full = due(CREATE);
  if (full) until[CREATE] = 1;
  return full;
}

static bool load(void) {
  const char *path = getenv("PERILUNE_PROXY");
  if (!real && path && (library = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
    real = dlsym(library, "pl_accelerator_table");
  return real != NULL;
}

static int32_t proxy_count(void) { return load() ? real->count() : 0; }

static pl_status proxy_open(int32_t index, const pl_host *host, void **state) {
  lender = host;
  return real->open(index, host, state);
}

static void proxy_close(void *state) { real->close(state); }
static pl_status proxy_describe(void *state, pl_device_info *out) {
  return real->describe(state, out);
}

static pl_status proxy_create(void *state, size_t bytes, pl_buffer **out) {
  pl_status s = memory_is_full() ? PL_EMEMORY : real->create(state, bytes, out);
  buffers += !s;
  return s;
}

static void proxy_release(void *state, pl_buffer *buffer) {
  buffers--;
  real->release(state, buffer);
}

static pl_status proxy_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                             size_t bytes) {
  if (due(WRITE)) return lender->fail(PL_EDEVICE, "proxy: the write was told to fail");
  return real->write(state, buffer, at, src, bytes);
}

static pl_status proxy_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  if (due(READ)) return lender->fail(PL_EDEVICE, "proxy: the read was told to fail");
  return real->read(state, buffer, at, dst, bytes);
}

static void *proxy_map(void *state, pl_buffer *buffer) {
  return real->map ? real->map(state, buffer) : NULL;
}

static pl_status proxy_synchronize(void *state) {
  return real->synchronize ? real->synchronize(state) : PL_OK;
}

static pl_status launch(void *state, const pl_call *call) {
  if (due(LAUNCH)) return lender->fail(PL_EDEVICE, "proxy: the launch was told to fail");
  return kernels[call->op->id](state, call);
}

static pl_kernel symbol_of(const pl_op_info *op) {
  char symbol[96];
  snprintf(symbol, sizeof symbol, "kernel_%s", op->name);
  void *address = dlsym(library, symbol);
  pl_kernel kernel;
  memcpy(&kernel, &address, sizeof kernel);
  return kernel;
}

static pl_kernel proxy_find(void *state, const pl_op_info *op) {
  pl_kernel kernel = real->find ? real->find(state, op) : symbol_of(op);
  kernels[op->id] = kernel;
  return kernel ? launch : NULL;
}

static pl_status proxy_set(void *state, const char *property, int64_t value) {
  for (int i = 0; i < FAULTS; i++)
    if (!strcmp(property, fault_names[i])) {
      until[i] = value;
      return PL_OK;
    }
  if (real->set) return real->set(state, property, value);
  return lender->fail(PL_EARGUMENT, "proxy has no property '%s'", property);
}

static pl_status proxy_get(void *state, const char *property, int64_t *out) {
  if (!strcmp(property, "faults") || !strcmp(property, "buffers")) {
    *out = *property == 'f' ? faults : buffers;
    return PL_OK;
  }
  if (real->get) return real->get(state, property, out);
  return lender->fail(PL_EARGUMENT, "proxy has no property '%s'", property);
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = proxy_count, .open = proxy_open, .close = proxy_close, .describe = proxy_describe,
  .create = proxy_create, .release = proxy_release, .write = proxy_write, .read = proxy_read,
  .map = proxy_map, .synchronize = proxy_synchronize, .find = proxy_find, .set = proxy_set,
  .get = proxy_get,
};
