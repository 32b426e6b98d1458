/*
** device.h -- an open accelerator: its table, its kernels by op, its pool of buffers.
** Devices are opened once and stay until the process ends; ids are small numbers from 0.
*/
#pragma once
#include "accelerator.h"
#include <pthread.h>
#include "op.h"
#include "pool.h"

typedef struct device {
  const pl_accelerator *table;        /* own_table */
  pl_accelerator own_table;           /* its library's, entries it lacks are NULL */
  void *state, *library;
  char name[32];
  pl_device_info info;
  int32_t id;
  pool pool;
  pl_kernel kernels[OP_COUNT];        /* NULL: composite, then host */
  uint8_t repeats[OP_COUNT];          /* see device_repeats; 0: not looked up yet */
  uint32_t kernel_attrs[OP_COUNT];    /* where attributes ended when it was built */
} device;

device *device_at(int32_t id);        /* NULL if there is none */
void device_find_kernels(device *d);
bool device_has_library(const char *name);   /* could an accelerator of that name be loaded? */

bool device_repeats(device *d, int op);  /* same operands, same bits, run after run? */

static inline bool device_is(const device *d, uint32_t cap) { return (d->info.caps & cap) != 0; }
