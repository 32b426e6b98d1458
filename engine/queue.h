/*
** queue.h -- devices whose kernels are Lua. C never calls Lua, so their launches wait in a queue
** until the binding takes them; every call of the binding ends with an empty one. Memory is the
** host's, and what Lua has no kernel for the CPU's kernels compute in its turn.
** Copies and the CPU's launches run at once while nothing waits.
*/
#pragma once
#include "context.h"

/* ---- for device.c ---- */

int32_t queue_devices(const char *name);     /* of the kind of that name; 0: there is none */
void queue_each(void (*visit)(const char *name));
extern const pl_accelerator queue_table;     /* without count and open: */
pl_status queue_open(const char *name, device *d, void **state);

static inline bool device_is_queue(const device *d) { return d->table->find == queue_table.find; }

/* ---- for calls of the binding ---- */

/* What a call that may have launched something answers when all went well. */
static inline pl_status queue_status(void) {
  extern atomic_bool queue_waits_for_lua;   /* of whatever thread: spares others the look below */
  if (!atomic_load_explicit(&queue_waits_for_lua, memory_order_relaxed)) return PL_OK;
  return context_here()->shared.queued ? PL_QUEUED : PL_OK;
}

/* ---- queue.c and queue_device.c ---- */

typedef struct queue_device {
  const device *self;
  device *cpu;                       /* whose memory and kernels it uses */
  const struct queue_kind *kind;
  const context *owner;              /* of the thread that may use it */
  pl_status failed;                  /* every later call answers it, with op and sentence */
  const char *failed_op;
  char sentence[512];
} queue_device;

/* PL_OK where the device may be used now. */
pl_status queue_check(const queue_device *q);
bool queue_waits(void);
pl_status queue_append_call(queue_device *q, const pl_call *call, bool in_lua);
pl_status queue_append_write(queue_device *q, pl_buffer *buffer, size_t at, const void *src,
                             size_t bytes);
/* Without waiting, by the CPU's kernel; PL_EUNSUPPORTED if it has none. */
pl_status queue_run_on_cpu(const queue_device *q, const pl_call *call);
/* The queue has run empty: buffers that were freed meanwhile go back. */
void queue_release_freed(void);
