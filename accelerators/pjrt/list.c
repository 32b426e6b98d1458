/*
** list.c -- the program that is being written. Its text depends on ops, attributes and shapes
** alone, never on values or offsets, so the text is the key of what was compiled.
*/
#include "pjrt.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct compiled {
  struct compiled *next;
  PJRT_LoadedExecutable *program;
  uint64_t hash;
  text key;
} compiled;

/* ---- text ---- */

void text_free(text *t) {
  free(t->bytes);
  *t = (text){ 0 };
}

static bool text_room(text *t, size_t more) {
  if (t->size + more + 1 <= t->capacity) return true;
  size_t capacity = 2 * (t->size + more) + 4096;
  char *bytes = realloc(t->bytes, capacity);
  if (!bytes) return false;
  t->bytes = bytes;
  t->capacity = capacity;
  return true;
}

static bool text_add_list(text *t, const char *format, va_list list) {
  va_list again;
  va_copy(again, list);
  int n = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (n < 0 || !text_room(t, (size_t)n)) return false;
  vsnprintf(t->bytes + t->size, (size_t)n + 1, format, list);
  t->size += (size_t)n;
  return true;
}

static bool __attribute__((format(printf, 2, 3))) text_add(text *t, const char *format, ...) {
  va_list list;
  va_start(list, format);
  bool ok = text_add_list(t, format, list);
  va_end(list);
  return ok;
}

/* ---- writing ---- */

void list_fail(pjrt *d, pl_status status) {
  if (!d->list.failed) d->list.failed = status;
}

int emit(pjrt *d, const char *format, ...) {
  list *l = &d->list;
  va_list arguments;
  va_start(arguments, format);
  if (!text_add(&l->body, "  %%%d = ", l->values) || !text_add_list(&l->body, format, arguments)
      || !text_add(&l->body, "\n"))
    list_fail(d, PL_EMEMORY);
  va_end(arguments);
  return l->values++;
}

static int add_argument(pjrt *d, array *a, int32_t dtype, int64_t count) {
  list *l = &d->list;
  char type[TYPE_TEXT];
  if (l->n_arguments == l->capacity) {
    int capacity = l->capacity ? 2 * l->capacity : 64;
    array **grown = realloc(l->arguments, (size_t)capacity * sizeof *grown);
    if (!grown) {
      list_fail(d, PL_EMEMORY);
      return 0;
    }
    l->arguments = grown;
    l->capacity = capacity;
  }
  type_text(type, dtype, count < 0 ? 0 : 1, &count);
  if (!text_add(&l->heads, "%s%%arg%d: %s", l->n_arguments ? ", " : "", l->n_arguments, type))
    list_fail(d, PL_EMEMORY);
  l->arguments[l->n_arguments] = array_ref(a);
  return l->n_arguments++;
}

int list_argument(pjrt *d, pl_buffer *cell) {
  if (cell->list == d->list.number) return cell->argument;
  cell->argument = add_argument(d, cell->array, cell->dtype, cell->count);
  cell->list = d->list.number;
  return cell->argument;
}

int emit_number(pjrt *d, int64_t value) {
  array *a;
  pl_status status = array_new(d, &value, PL_I64, -1, &a);
  if (status) {
    list_fail(d, status);
    return emit(d, "stablehlo.constant dense<0> : tensor<i64>");
  }
  int argument = add_argument(d, a, PL_I64, -1);
  array_unref(a);
  return emit(d, "stablehlo.reshape %%arg%d : (tensor<i64>) -> tensor<i64>", argument);
}

/* ---- running ---- */

static void list_reset(pjrt *d) {
  list *l = &d->list;
  for (int i = 0; i < l->n_arguments; i++) array_unref(l->arguments[i]);
  l->body.size = l->heads.size = 0;
  l->n_arguments = l->values = 0;
  l->ends = false;
  l->failed = PL_OK;
  l->number++;
}

static bool write_program(pjrt *d, text *out, int *n_results) {
  char type[TYPE_TEXT];
  text results = { 0 }, types = { 0 };
  bool ok = true;
  *n_results = 0;
  for (pl_buffer *cell = d->pending; cell; cell = cell->next, ++*n_results) {
    type_text(type, cell->dtype, 1, &cell->count);
    ok = ok && text_add(&results, "%s%%%d", *n_results ? ", " : "", cell->value)
      && text_add(&types, "%s%s", *n_results ? ", " : "", type);
  }
  ok = ok && text_add(out, "module {\nfunc.func @main(%s) -> (%s) {\n%s  return %s : %s\n}\n}\n",
                      d->list.heads.size ? d->list.heads.bytes : "", types.bytes,
                      d->list.body.bytes, results.bytes, types.bytes);
  text_free(&results);
  text_free(&types);
  return ok;
}

/* FNV-1a. */
static uint64_t hash_of(const text *t) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < t->size; i++) hash = (hash ^ (uint8_t)t->bytes[i]) * 1099511628211u;
  return hash;
}

/* Takes the key over, one way or the other. */
static pl_status program_for(pjrt *d, text *key, PJRT_LoadedExecutable **out) {
  uint64_t hash = hash_of(key);
  for (compiled *c = d->programs; c; c = c->next)
    if (c->hash == hash && c->key.size == key->size
        && !memcmp(c->key.bytes, key->bytes, key->size)) {
      text_free(key);
      *out = c->program;
      return PL_OK;
    }
  compiled *c = calloc(1, sizeof *c);
  pl_status status = c ? program_compile(d, key->bytes, key->size, &c->program) : PL_EMEMORY;
  if (status) {
    free(c);
    text_free(key);
    return status;
  }
  c->hash = hash;
  c->key = *key;
  c->next = d->programs;
  d->programs = c;
  d->compiled++;
  *out = c->program;
  return PL_OK;
}

static pl_status run_pending(pjrt *d) {
  text program = { 0 };
  int n = 0, i = 0;
  PJRT_LoadedExecutable *compiled;
  if (d->list.failed) return d->list.failed;
  if (!write_program(d, &program, &n)) {
    text_free(&program);
    return PL_EMEMORY;
  }
  pl_status status = program_for(d, &program, &compiled);
  if (status) return status;
  array **results = calloc((size_t)n, sizeof *results);
  if (!results) return PL_EMEMORY;
  status = program_run(d, compiled, d->list.arguments, d->list.n_arguments, results, n);
  if (!status)
    for (pl_buffer *cell = d->pending, *next; cell; cell = next, i++) {
      next = cell->next;
      cell->holds = CELL_ARRAY;
      cell->array = results[i];
      cell->list = 0;
    }
  else
    for (i = 0; i < n; i++) array_unref(results[i]);
  free(results);
  return status;
}

/* After a failure what the pending cells waited for is lost, and whoever reads one is told. */
pl_status list_run(pjrt *d) {
  pl_status status = d->pending ? run_pending(d) : PL_OK;
  while (status && d->pending) cell_lose(d, d->pending);
  d->pending = NULL;
  list_reset(d);
  return status;
}
