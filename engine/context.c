/*
** context.c -- the context of a thread and its scopes.
** A scope's tensors form a list through the tensors; entered scopes form a stack through `below`.
** Id 0 is no scope.
*/
#include "context.h"
#include <stdlib.h>
#include "cell.h"
#include "status.h"

static _Thread_local context *here;

static context *context_new(void) {
  here = calloc(1, sizeof *here);
  if (!here) abort();  /* a thread that cannot have its first 200 bytes cannot say so either */
  here->shared.grad = 1;
  here->shared.interrupts = 1;
  return here;
}

context *context_here(void) { return here ? here : context_new(); }
void context_end(void) {
  context *c = here;
  if (!c) return;
  for (int32_t id = 1; id < c->n_scopes; id++)
    if (c->scopes[id].used) pl_scope_close(id);
  tensor_unref(c->generator);
  for (int32_t i = 0; i < c->n_chunks; i++) free(c->chunks[i]);
  free(c->chunks);
  free(c->scopes);
  free(c->temps);
  free(c->tickets);
  free(c->spare_heap);
  free(c);
  here = NULL;
  cell_end();
}

pl_context *pl_context_get(void) { return &context_here()->shared; }

static scope *scope_at(int32_t id) {
  context *c = context_here();
  return id > 0 && id < c->n_scopes && c->scopes[id].used ? &c->scopes[id] : NULL;
}

static pl_status no_scope(int32_t id) {
  return status_fail(PL_EARGUMENT, NULL, NULL, "scope %d does not exist or was freed", id);
}

pl_status pl_scope_new(int32_t *out) {
  context *c = context_here();
  int32_t id = 1;
  while (id < c->n_scopes && c->scopes[id].used) id++;
  if (id >= c->n_scopes) {
    int32_t n = c->n_scopes ? 2 * c->n_scopes : 16;
    scope *grown = realloc(c->scopes, (size_t)n * sizeof *grown);
    if (!grown) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
    for (int32_t i = c->n_scopes; i < n; i++) grown[i] = (scope){ 0 };
    if (!c->n_scopes) id = 1;
    c->scopes = grown;
    c->n_scopes = n;
  }
  c->scopes[id] = (scope){ .used = true };
  *out = id;
  return PL_OK;
}

pl_status pl_scope_enter(int32_t id) {
  context *c = context_here();
  scope *s = scope_at(id);
  if (!s) return no_scope(id);
  if (s->entered) return status_fail(PL_EARGUMENT, NULL, NULL, "scope %d is entered already", id);
  s->entered = true;
  s->below = s->parent = c->shared.scope;
  c->shared.scope = id;
  return PL_OK;
}

pl_status pl_scope_leave(int32_t id) {
  context *c = context_here();
  scope *s = scope_at(id);
  if (!s) return no_scope(id);
  while (s->entered) {                     /* whatever was entered inside is left with it */
    scope *top = &c->scopes[c->shared.scope];
    top->entered = false;
    c->shared.scope = top->below;
  }
  return PL_OK;
}

static void close_children(int32_t id) {
  context *c = context_here();
  for (int32_t i = 1; i < c->n_scopes; i++)
    if (i != id && c->scopes[i].used && c->scopes[i].parent == id) {
      c->scopes[i].parent = 0;
      pl_scope_close(i);
    }
}

pl_status pl_scope_close(int32_t id) {
  pl_status status = pl_scope_leave(id);
  if (status) return status;
  close_children(id);
  scope *s = scope_at(id);
  while (s->first) tensor_end_handle(s->first);
  return PL_OK;
}

void pl_scope_free(int32_t id) {
  if (pl_scope_close(id)) return;
  scope_at(id)->used = false;
}

void scope_add(tensor *t, int32_t id) {
  t->scope = id;
  if (!id) return;
  scope *s = &context_here()->scopes[id];
  t->previous = NULL;
  t->next = s->first;
  if (s->first) s->first->previous = t;
  s->first = t;
}

void scope_remove(tensor *t) {
  if (!t->scope) return;
  if (t->previous) t->previous->next = t->next;
  else context_here()->scopes[t->scope].first = t->next;
  if (t->next) t->next->previous = t->previous;
  t->previous = t->next = NULL;
  t->scope = 0;
}
