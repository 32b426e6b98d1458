/*
** opencl.h -- the parts of the OpenCL device: one context and one in-order queue each, so launches
** run in the order they were made. Kernels take dense f32 unless they say otherwise.
*/
#pragma once
#define CL_TARGET_OPENCL_VERSION 120
#include "accelerator.h"
#include <CL/cl.h>
#include <pthread.h>

struct pl_buffer { cl_mem memory; };

enum { FAULT_WORDS = 5 };            /* found, position, value, first and last that are allowed */

typedef struct opencl {
  const pl_host *host;
  int index;
  cl_device_id id;
  cl_context context;
  cl_command_queue queue;
  cl_program program;
  bool doubles;                      /* cl_khr_fp64 */
  pthread_mutex_t lock;              /* of the kernels: arguments are theirs, not a launch's */
  struct named *kernels;             /* those made so far */
  cl_mem fault;                      /* what a kernel found wrong with its operands' values */
  const char *may_fault;             /* the op that may have written there since the last look */
  const char *last;                  /* the op launched last, for failures that show later */
} opencl;

/* ---- program.c ---- */

pl_status program_build(opencl *device);
void program_free(opencl *device);
/* NULL, and the sentence is kept, if the program has no such kernel. */
cl_kernel program_kernel(opencl *device, const char *name);

/* ---- launch.c: arguments one after the other, then as many items as there are results ---- */

typedef struct launch {
  opencl *device;
  cl_kernel kernel;
  cl_uint n;
  cl_int error;
  const char *op;
} launch;

launch launch_begin(void *state, const pl_call *call, const char *kernel);
void launch_operand(launch *l, const pl_operand *o);          /* NULL: absent */
void launch_int(launch *l, int64_t value);
void launch_real(launch *l, double value);                    /* as float */
void launch_bytes(launch *l, const void *bytes, size_t size); /* a struct of longs */
void launch_fault(launch *l);                                 /* where to say what is wrong */
pl_status launch_run(launch *l, int64_t items);

/* The sentence for an error of OpenCL; late: it shows after the launch of device->last. */
pl_status opencl_failed(opencl *device, const char *doing, cl_int error, bool late);

/* All operands that are there, but the first `apart` inputs, are dense f32. */
bool all_f32(const pl_call *call, int apart);
