/*
** pjrt.h -- a device that compiles: launches are written down as StableHLO, and a list of them is
** compiled and run when somebody reads. A buffer is a cell that holds bytes of the host, an array
** of the device, or a value of the list that has not run.
**
** One lock guards a device with its cells and its list.
*/
#pragma once
#include "accelerator.h"
#include "pjrt_api.h"
#include <pthread.h>

/* ---- plugin.c: the plug-in, its arrays and programs ---- */

/* An array on the device, flat; cells and lists share it. */
typedef struct array {
  int refs;
  PJRT_Buffer *buffer;
} array;

typedef struct pjrt pjrt;

int plugin_devices(void);                         /* 0: none, and plugin_why says why */
const char *plugin_why(void);
const char *plugin_platform(void);
pl_status array_new(pjrt *d, const void *bytes, int32_t dtype, int64_t count, array **out);
array *array_ref(array *a);
void array_unref(array *a);
pl_status array_read(pjrt *d, array *a, void *to, size_t bytes);
pl_status program_compile(pjrt *d, const char *text, size_t size, PJRT_LoadedExecutable **out);
/* Results are new arrays. */
pl_status program_run(pjrt *d, PJRT_LoadedExecutable *program, array *const *arguments, int n,
                      array **results, int n_results);

/* ---- cell.c ---- */

/* LOST: its computation failed; a write makes it good again. */
enum { CELL_EMPTY, CELL_HOST, CELL_ARRAY, CELL_PENDING, CELL_LOST };

struct pl_buffer {
  size_t bytes;
  int holds;
  char *host;                      /* CELL_HOST: bytes of them, of which `used` were written */
  size_t used;
  int32_t dtype;                   /* else what it holds: so many numbers of this dtype */
  int64_t count;
  array *array;                    /* CELL_ARRAY */
  int value;                       /* CELL_PENDING: of the list */
  uint64_t list;                   /* the list in which it is argument number `argument` */
  int argument;
  pl_buffer *next, **link;         /* among the pending */
};

size_t cell_used(const pl_buffer *cell);          /* bytes that mean something */
void cell_clear(pjrt *d, pl_buffer *cell);
void cell_lose(pjrt *d, pl_buffer *cell);
/* The cell comes to hold bytes of the host, whatever it held. */
pl_status cell_to_host(pjrt *d, pl_buffer *cell);
pl_status cell_to_array(pjrt *d, pl_buffer *cell, int32_t dtype);
void cell_to_value(pjrt *d, pl_buffer *cell, int value, int32_t dtype, int64_t count);

/* ---- list.c ---- */

typedef struct text { char *bytes; size_t size, capacity; } text;

typedef struct list {
  uint64_t number;
  text body;
  int values;                      /* values written so far are %0 .. %values-1 */
  array **arguments;
  text heads;                      /* their types, as the program's head lists them */
  int n_arguments, capacity;
  bool ends;                       /* parameters were updated: the next launch begins a new list */
  pl_status failed;                /* what went wrong while it was written, the first of it */
} list;

struct pjrt {
  const pl_host *host;
  int index;
  PJRT_Device *device;
  pthread_mutex_t lock;
  list list;
  pl_buffer *pending;
  struct compiled *programs;
  int64_t compiled;                /* programs, for property "compiled" */
  const char *last;                /* op launched last */
};

pl_status list_run(pjrt *d);
void list_fail(pjrt *d, pl_status status);
/* Writes "%n = ..." and answers n. */
int emit(pjrt *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A scalar i64 that is given at run time, so that another one is no other program. */
int emit_number(pjrt *d, int64_t value);
int list_argument(pjrt *d, pl_buffer *cell);
void text_free(text *t);

/* ---- shapes.c: between operands and values ---- */

enum { TYPE_TEXT = 160 };
const char *type_text(char *out, int32_t dtype, int rank, const int64_t *sizes);
const char *type_of(char *out, const pl_operand *o);
/* The operand as a value of its shape. */
int value_of(pjrt *d, const pl_operand *o);
/* The value, of o's shape and dtype, becomes what o shows of its cell. */
void value_to(pjrt *d, const pl_operand *o, int value);
/* A constant of o's shape; text as StableHLO writes it. */
int constant_like(pjrt *d, const pl_operand *o, const char *text);
int constant_number(pjrt *d, const pl_operand *o, double value);

/* ---- kernels ---- */

/* Takes the lock and begins the launch: false, with *status set, where that failed or an operand
** is empty, which is left to others. */
bool launch_begin(void *state, const pl_call *call, pl_status *status);
pl_status launch_end(void *state);
bool all_floats(const pl_call *call);
