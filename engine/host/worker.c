/*
** worker.c -- Lua states in threads, for loaders. One request is under way at a time: send, then
** receive. What is said is bytes; their meaning is the Lua side's (perilune/data/pack.lua). This
** and main.c are where C runs Lua; lua_* come from the process that loads the engine.
*/
#include "base.h"
#include "data.h"
#include "status.h"
#include "tensor.h"
#include "thread.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

typedef struct text { char *bytes; size_t size; } text;

struct pl_worker {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  text code, request, answer;  /* owned; a request is the thread's once taken */
  bool asked, answered, failed, stop;
};

static bool text_set(text *t, const char *bytes, size_t size) {
  free(t->bytes);
  t->bytes = malloc(size + 1);
  t->size = t->bytes ? size : 0;
  if (!t->bytes) return false;
  memcpy(t->bytes, bytes, size);
  t->bytes[size] = '\0';
  return true;
}

/* ---- the thread --------------------------------------------------------------------------- */

static void answer(pl_worker *w, lua_State *L, int status) {
  size_t size = 0;
  const char *bytes = L ? lua_tolstring(L, -1, &size) : NULL;
  if (!bytes) {
    bytes = "a worker has no memory for its answer", status = 1;
    size = strlen(bytes);
  }
  pthread_mutex_lock(&w->lock);
  w->failed = status != 0 || !text_set(&w->answer, bytes, size);
  w->answered = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

/* Leaves the function that answers on the stack. */
static int start(lua_State *L, const text *code) {
  luaL_openlibs(L);
  int status = luaL_loadbuffer(L, code->bytes, code->size, "=perilune.worker");
  return status ? status : lua_pcall(L, 0, 1, 0);
}

static bool next_request(pl_worker *w, lua_State *L) {
  pthread_mutex_lock(&w->lock);
  while (!w->asked && !w->stop) pthread_cond_wait(&w->changed, &w->lock);
  bool go_on = !w->stop;
  w->asked = false;
  pthread_mutex_unlock(&w->lock);
  if (go_on && L) {
    lua_pushvalue(L, 1);
    lua_pushlstring(L, w->request.bytes, w->request.size);
  }
  return go_on;
}

static void *run(void *argument) {
  pl_worker *w = argument;
  lua_State *L = luaL_newstate();
  int status = L ? start(L, &w->code) : 1;
  if (status) {
    while (next_request(w, NULL)) answer(w, L, status);
  } else {
    while (next_request(w, L)) {
      answer(w, L, lua_pcall(L, 1, 1, 0));
      lua_settop(L, 1);
    }
  }
  if (L) lua_close(L);
  context_end();
  return NULL;
}

/* ---- the owner's side --------------------------------------------------------------------- */

static void worker_drop(pl_worker *w) {
  pthread_cond_destroy(&w->changed);
  pthread_mutex_destroy(&w->lock);
  free(w->code.bytes);
  free(w->request.bytes);
  free(w->answer.bytes);
  free(w);
}

pl_status pl_worker_new(const char *code, int64_t size, pl_worker **out) {
  pl_worker *w = calloc(1, sizeof *w);
  if (!w) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while starting a worker");
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->changed, NULL);
  if (!text_set(&w->code, code, (size_t)size)) {
    worker_drop(w);
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while starting a worker");
  }
  int error = thread_start(&w->thread, run, w);
  if (error) {
    worker_drop(w);
    return status_fail(PL_EIO, NULL, "num_workers", "cannot start a worker: %s", strerror(error));
  }
  *out = w;
  return PL_OK;
}

pl_status pl_worker_send(pl_worker *w, const char *bytes, int64_t size) {
  if (!text_set(&w->request, bytes, (size_t)size))
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory: a request of %lld bytes",
                       (long long)size);
  pthread_mutex_lock(&w->lock);
  w->asked = true;
  w->answered = false;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  return PL_OK;
}

int32_t pl_worker_receive(pl_worker *w, const char **bytes, int64_t *size) {
  pthread_mutex_lock(&w->lock);
  while (!w->answered) pthread_cond_wait(&w->changed, &w->lock);
  pthread_mutex_unlock(&w->lock);
  *bytes = w->answer.bytes;
  *size = (int64_t)w->answer.size;
  return !w->failed;
}

void pl_worker_free(pl_worker *w) {
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->stop = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  pthread_join(w->thread, NULL);
  worker_drop(w);
}
