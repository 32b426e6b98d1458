/*
** accelerator.h -- the ABI between the engine and an accelerator (libperilune_<name>.so).
** Buffers are opaque and a kernel only fills the operands it is given, so a device may run,
** queue or compile. Structs open with their size and grow at the end. Op names are ABI, ids are
** not. The library exports one pl_accelerator named pl_accelerator_table and links nothing of ours.
*/
#pragma once
#include "op.h"

enum { PL_ABI = 1 };

/* A cell: what it holds may be replaced by the device, its identity stays. */
typedef struct pl_buffer pl_buffer;

/* One tensor of a call. Element (i0, i1, ..) lies at offset + sum(i * stride), in elements.
** A broadcast dimension has stride 0. Dense: row-major without gaps and offset 0. */
typedef struct pl_operand {
  uint32_t size;
  int32_t dtype, rank;
  int32_t dense;
  pl_buffer *buffer;
  int64_t count, offset;
  int64_t sizes[PL_MAX_RANK], strides[PL_MAX_RANK];
} pl_operand;

/* in: every tensor of every input in signature order; a random row's generator state comes last.
** An absent optional operand is NULL. Inputs marked '!' are written in place and do not appear
** in out. Outputs never overlap inputs, except that a pointwise op's out[0] may be its in[0]. */
typedef struct pl_call {
  uint32_t size;
  int32_t n_in, n_out;
  uint32_t unused;
  const pl_op_info *op;
  const void *attrs;                 /* pl_<op>_attrs of op.h */
  const int32_t *counts;             /* tensors per input of the signature */
  const pl_operand *const *in;
  const pl_operand *const *out;
} pl_call;

/* PL_EUNSUPPORTED, before touching an output, says: not for this dtype or shape. */
typedef pl_status (*pl_kernel)(void *state, const pl_call *call);

/* What the engine lends a device at open. */
typedef struct pl_host {
  uint32_t size;
  pl_status (*fail)(pl_status status, const char *format, ...)  /* keeps the sentence */
    __attribute__((format(printf, 2, 3)));
  void (*log)(const char *format, ...) __attribute__((format(printf, 1, 2)));
  /* For a failure that shows after the launch: of which op. Every later call answers it again. */
  pl_status (*fail_late)(pl_status status, const char *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
} pl_host;

enum {
  PL_CAP_STRIDED = 1,
  PL_CAP_HOST = 2,                   /* map() gives pointers */
  PL_CAP_ASYNC = 4,
  PL_CAP_LAZY = 8,                   /* told of every release at once: buffers are not cached */
  PL_CAP_NONDETERMINISTIC = 16       /* any result may differ from run to run */
};

typedef struct pl_device_info {
  uint32_t size;
  uint32_t caps;
  uint64_t dtypes;                   /* bit i: dtype i */
  int64_t memory;                    /* bytes, 0 unknown */
  char description[128];
} pl_device_info;

/* Up to `read` every entry is there; those below may be NULL, as they are where a table ends. */
typedef struct pl_accelerator {
  uint32_t abi, size;                /* PL_ABI, sizeof(pl_accelerator) */
  int32_t (*count)(void);            /* devices present */
  pl_status (*open)(int32_t index, const pl_host *host, void **state);
  void (*close)(void *state);
  pl_status (*describe)(void *state, pl_device_info *out);
  pl_status (*create)(void *state, size_t bytes, pl_buffer **out);
  void (*release)(void *state, pl_buffer *buffer);
  /* write takes effect after earlier launches and src may be reused on return; read waits. */
  pl_status (*write)(void *state, pl_buffer *buffer, size_t at, const void *src, size_t bytes);
  pl_status (*read)(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes);
  void *(*map)(void *state, pl_buffer *buffer);
  pl_status (*synchronize)(void *state);
  pl_kernel (*find)(void *state, const pl_op_info *op);           /* NULL: symbol kernel_<op> */
  pl_status (*set)(void *state, const char *property, int64_t value);
  pl_status (*get)(void *state, const char *property, int64_t *out);
  const char *(*absent)(void);       /* where count is 0: why, as a sentence without its end */
} pl_accelerator;

#define PL_EXPORT __attribute__((visibility("default")))
#define ACCELERATOR PL_EXPORT const pl_accelerator pl_accelerator_table

/* NONDETERMINISTIC(scatter_add), once in the library, says that results of this kernel may differ
** from run to run, however it is found; contexts that want the same bits refuse it. */
#define NONDETERMINISTIC(name) PL_EXPORT const uint32_t kernel_##name##_nondeterministic = 1

/* KERNEL(add) defines kernel_add and records where the attributes ended when it was built: a kernel
** older than an attribute runs only while that attribute has its default. */
#ifndef KERNEL
#define KERNEL(name) \
  PL_EXPORT const uint32_t kernel_##name##_attrs = offsetof(pl_##name##_attrs, end); \
  PL_EXPORT pl_status kernel_##name(void *state, const pl_call *call)
#endif
