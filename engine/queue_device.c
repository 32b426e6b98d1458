/*
** queue_device.c -- kinds of devices with kernels in Lua, and their table over the CPU's memory.
** A buffer that is freed may serve the next tensor at once, since whatever touches it waits in
** order; what goes back to the host waits for an empty queue.
*/
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "queue.h"
#include "status.h"

enum { MAX_KINDS = 16 };

typedef struct queue_kind {
  char name[24];
  int32_t devices;
  bool has[OP_COUNT];                /* Lua has a kernel */
} queue_kind;

static queue_kind kinds[MAX_KINDS];
static int32_t n_kinds;
static device *cpu;                  /* open before the first kind is */

/* ---- kinds ---- */

static queue_kind *kind_named(const char *name) {
  for (int i = 0; i < n_kinds; i++)
    if (!strcmp(kinds[i].name, name)) return &kinds[i];
  return NULL;
}

int32_t queue_devices(const char *name) {
  const queue_kind *k = kind_named(name);
  return k ? k->devices : 0;
}

void queue_each(void (*visit)(const char *name)) {
  for (int i = 0; i < n_kinds; i++) visit(kinds[i].name);
}

static pl_status check_kind(const char *name, int32_t devices, const int32_t *ops, int32_t n_ops) {
  size_t length = strlen(name);
  if (!length || length >= sizeof kinds->name
      || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
    return status_fail(PL_EARGUMENT, NULL, NULL, "'%s' is no accelerator's name: 1 to %zu of "
                       "a-z, 0-9 and _", name, sizeof kinds->name - 1);
  if (devices < 1)
    return status_fail(PL_EARGUMENT, NULL, NULL, "%s: %d devices; expected at least one", name,
                       devices);
  for (int i = 0; i < n_ops; i++)
    if (ops[i] < 0 || ops[i] >= OP_COUNT || ops[i] == OP_copy || (pl_op(ops[i])->flags & PL_VIEW))
      return status_fail(PL_EARGUMENT, NULL, NULL, "%s: %s takes no kernel in Lua, the engine does "
                         "it", name, ops[i] < 0 || ops[i] >= OP_COUNT ? "?" : pl_op(ops[i])->name);
  if (!kind_named(name) && device_has_library(name))
    return status_fail(PL_EARGUMENT, NULL, NULL, "%s: that is the name of libperilune_%s.so", name,
                       name);
  return PL_OK;
}

static void tell_open_devices(const queue_kind *k) {
  device *d;
  for (int i = 0; (d = device_at(i)); i++)
    if (device_is_queue(d) && ((queue_device *)d->state)->kind == k) {
      device_find_kernels(d);
      pl_queue_reset(i);
    }
}

pl_status pl_queue_define(const char *name, int32_t devices, const int32_t *ops, int32_t n_ops) {
  int32_t id;
  pl_status s = check_kind(name, devices, ops, n_ops);
  if (s || (s = pl_device_open("cpu", &id))) return s;
  cpu = device_at(id);
  queue_kind *k = kind_named(name);
  if (!k) {
    if (n_kinds == MAX_KINDS)
      return status_fail(PL_EDEVICE, NULL, NULL, "%s: there are %d accelerators in Lua, no more "
                         "fit", name, MAX_KINDS);
    k = &kinds[n_kinds++];
    strcpy(k->name, name);
  }
  k->devices = devices;
  memset(k->has, 0, sizeof k->has);
  for (int i = 0; i < n_ops; i++) k->has[ops[i]] = true;
  tell_open_devices(k);
  return PL_OK;
}

pl_status queue_open(const char *name, device *d, void **state) {
  queue_device *q = calloc(1, sizeof *q);
  if (!q) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  *q = (queue_device){ .self = d, .cpu = cpu, .kind = kind_named(name), .owner = context_here() };
  *state = q;
  return PL_OK;
}

static void queue_close(void *state) { free(state); }

static pl_status queue_describe(void *state, pl_device_info *out) {
  (void)state;
  *out = (pl_device_info){ .size = out->size, .caps = PL_CAP_HOST, .dtypes = cpu->info.dtypes,
                           .memory = cpu->info.memory, .description = "kernels in Lua" };
  return PL_OK;
}

/* ---- kernels ---- */

static pl_status launch_in_lua(void *state, const pl_call *call) {
  pl_status s = queue_check(state);
  return s ? s : queue_append_call(state, call, true);
}

/* At once where nothing waits. Results are looked at for pl.detect_anomaly as launches come to
** their end, so under it all but a copy, which makes no values, goes through the queue. */
static pl_status launch_on_cpu(void *state, const pl_call *call) {
  pl_status s = queue_check(state);
  if (s) return s;
  bool looked_at = context_here()->shared.anomaly && call->op->id != OP_copy;
  return queue_waits() || looked_at ? queue_append_call(state, call, false)
                                    : queue_run_on_cpu(state, call);
}

/* A row with a composite and no kernel in Lua runs as its composite. */
static pl_kernel queue_find(void *state, const pl_op_info *op) {
  const queue_device *q = state;
  if (q->kind->has[op->id]) return launch_in_lua;
  return cpu->kernels[op->id] && !op->composite ? launch_on_cpu : NULL;
}

/* ---- memory ---- */

/* Buffers that wait for an empty queue. There is a place for every buffer, so freeing cannot fail;
** tensors may die on any thread. */
static struct {
  pl_buffer **buffers;
  int32_t waiting, existing, capacity;
  pthread_mutex_t lock;
} freed = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool reserve_place(void) {
  if (freed.existing == freed.capacity) {
    int32_t capacity = freed.capacity ? 2 * freed.capacity : 64;
    pl_buffer **grown = realloc(freed.buffers, (size_t)capacity * sizeof *grown);
    if (!grown) return false;
    freed.buffers = grown;
    freed.capacity = capacity;
  }
  freed.existing++;
  return true;
}

static pl_status queue_create(void *state, size_t bytes, pl_buffer **out) {
  (void)state;
  pthread_mutex_lock(&freed.lock);
  pl_status s = reserve_place() ? PL_OK : PL_EMEMORY;
  if (!s && (s = cpu->table->create(cpu->state, bytes, out))) freed.existing--;
  pthread_mutex_unlock(&freed.lock);
  return s;
}

static void release(pl_buffer *buffer) {
  cpu->table->release(cpu->state, buffer);
  freed.existing--;
}

static void queue_release(void *state, pl_buffer *buffer) {
  const queue_device *q = state;
  pthread_mutex_lock(&freed.lock);
  if (q->owner != context_here() || queue_waits()) freed.buffers[freed.waiting++] = buffer;
  else release(buffer);
  pthread_mutex_unlock(&freed.lock);
}

void queue_release_freed(void) {
  pthread_mutex_lock(&freed.lock);
  while (freed.waiting) release(freed.buffers[--freed.waiting]);
  pthread_mutex_unlock(&freed.lock);
}

static pl_status queue_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                             size_t bytes) {
  pl_status s = queue_check(state);
  if (s) return s;
  return queue_waits() ? queue_append_write(state, buffer, at, src, bytes)
                       : cpu->table->write(cpu->state, buffer, at, src, bytes);
}

static pl_status queue_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  const queue_device *q = state;
  pl_status s = queue_check(q);
  if (!s && queue_waits())
    s = status_fail_device(PL_EDEVICE, "%s: read while launches wait for Lua", q->self->name);
  return s ? s : cpu->table->read(cpu->state, buffer, at, dst, bytes);
}

static void *queue_map(void *state, pl_buffer *buffer) {
  (void)state;
  return cpu->table->map(cpu->state, buffer);
}

const pl_accelerator queue_table = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator), .close = queue_close,
  .describe = queue_describe, .create = queue_create, .release = queue_release,
  .write = queue_write, .read = queue_read, .map = queue_map, .find = queue_find,
};
