/*
** program.c -- the sources in kernels/, one program per device. The build puts them into this
** file one after the other, common.cl first.
*/
#include "opencl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char kernels_begin[], kernels_end[];
__asm__(".pushsection .rodata\n"
        ".globl kernels_begin\n.hidden kernels_begin\nkernels_begin:\n"
        ".incbin \"opencl_kernels.cl\"\n"
        ".globl kernels_end\n.hidden kernels_end\nkernels_end:\n"
        ".popsection\n");

typedef struct named { struct named *next; cl_kernel kernel; char name[64]; } named;

/* The compiler's log is asked for whole: it answers nothing where room is short. */
static pl_status build_failed(opencl *device) {
  size_t size = 0;
  clGetProgramBuildInfo(device->program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
  char *log = calloc(1, size + 1);
  if (log)
    clGetProgramBuildInfo(device->program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
  pl_status status = device->host->fail(PL_EDEVICE, "opencl:%d: its compiler refuses our kernels: "
                                        "%s", device->index, log ? log : "no memory for its log");
  free(log);
  return status;
}

pl_status program_build(opencl *device) {
  const char *source = kernels_begin;
  size_t size = (size_t)(kernels_end - kernels_begin);
  cl_int error;
  device->program = clCreateProgramWithSource(device->context, 1, &source, &size, &error);
  if (error) return opencl_failed(device, "its program", error, false);
  error = clBuildProgram(device->program, 1, &device->id, "-cl-std=CL1.2", NULL, NULL);
  return error ? build_failed(device) : PL_OK;
}

void program_free(opencl *device) {
  for (named *k = device->kernels, *next; k; k = next) {
    next = k->next;
    clReleaseKernel(k->kernel);
    free(k);
  }
  if (device->program) clReleaseProgram(device->program);
}

cl_kernel program_kernel(opencl *device, const char *name) {
  for (named *k = device->kernels; k; k = k->next)
    if (!strcmp(k->name, name)) return k->kernel;
  named *made = calloc(1, sizeof *made);
  cl_int error;
  if (!made) return NULL;
  made->kernel = clCreateKernel(device->program, name, &error);
  if (error) {
    free(made);
    return NULL;
  }
  snprintf(made->name, sizeof made->name, "%s", name);
  made->next = device->kernels;
  device->kernels = made;
  return made->kernel;
}
