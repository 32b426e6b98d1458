/*
** xpu.h -- the parts of the pretend device. A buffer is an address of the device, which the host
** cannot follow; launches are jobs on the device's stream, which runs them late, in order.
*/
#pragma once
#include "accelerator.h"
#include <pthread.h>
#include <stdatomic.h>

enum { XPU_DEVICES = 2, MAX_OPERANDS = 4, SENTENCE = 256 };

/* ---- heap.c: memory of one device ---- */

typedef struct block { char *bytes; size_t size; } block;

typedef struct heap {
  pthread_mutex_t lock;
  int index;                         /* of the device, part of its addresses */
  block *blocks;                     /* block i is address i; free ones have no bytes */
  size_t count, capacity;
  size_t used, limit;                /* bytes */
} heap;

void heap_init(heap *h, int index, size_t limit);
void heap_free(heap *h);
pl_status heap_take(heap *h, size_t bytes, pl_buffer **out);   /* PL_EMEMORY beyond the limit */
void heap_give(heap *h, pl_buffer *address);
void heap_set_limit(heap *h, size_t limit);                    /* not below what is used */
/* The bytes behind an address, for code that runs on the device; NULL if there are none. */
char *heap_at(heap *h, pl_buffer *address);

/* ---- stream.c: what was launched and has not run ---- */

typedef struct job {
  struct job *next;
  struct xpu *device;
  void (*run)(const struct job *);
  const char *op;
  int n_in, n_out;
  pl_operand in[MAX_OPERANDS], out[MAX_OPERANDS];
  pl_buffer *buffer;                 /* of a write or a release */
  size_t at, size;
  char data[];                       /* of a write */
} job;

typedef struct stream {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  job *first, **last;
  int waiting;                       /* jobs queued */
  bool wanted, ends, idle;           /* somebody waits; the device closes; nothing is running */
} stream;

typedef struct xpu {
  int index;
  const pl_host *host;
  heap heap;
  stream stream;
  atomic_llong fail_launch;          /* launches until one fails on the stream, 0: none will */
  atomic_int failed;                 /* then the device is lost, and these say why */
  char failed_op[48], failed_because[SENTENCE];
} xpu;

pl_status stream_start(xpu *device);
void stream_end(xpu *device);
job *job_new(xpu *device, const char *op, size_t data, void (*run)(const job *));
void stream_push(job *j);
void stream_wait(xpu *device);

/* PL_OK, or the failure that ended the device, worded again. */
pl_status xpu_alive(const xpu *device);
