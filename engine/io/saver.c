/*
** saver.c -- a thread that saves. Its owner copies what is to be saved, hands it over and goes on;
** the thread does one thing after another and keeps the answers until the owner asks. There are two
** snapshots: one on its way to the disk, one waiting, and whoever wants a third waits.
*/
#include "save.h"
#include "status.h"
#include "thread.h"
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOTS = 2 };

typedef struct queue { save *first, *last; } queue;

struct pl_saver {
  struct pl_saver *next;             /* of all savers */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  queue wanted, done;
  save *running;
  save *begun;                       /* the owner's alone */
  snapshot snapshots[SNAPSHOTS];
  bool stop;
};

static void push(queue *q, save *s) {
  s->next = NULL;
  if (q->last) q->last->next = s;
  else q->first = s;
  q->last = s;
}

static save *pop(queue *q) {
  save *s = q->first;
  if (s && !(q->first = s->next)) q->last = NULL;
  return s;
}

/* ---- the thread --------------------------------------------------------------------------- */

static void run_one(save *s) {
  s->status = save_run(s);
  if (s->status) strncpy(s->sentence, pl_error(), SAVE_SENTENCE - 1);
}

static void *run(void *argument) {
  pl_saver *saver = argument;
  pthread_mutex_lock(&saver->lock);
  for (;;) {
    while (!saver->wanted.first && !saver->stop) pthread_cond_wait(&saver->changed, &saver->lock);
    save *s = saver->running = pop(&saver->wanted);
    if (!s) break;
    pthread_mutex_unlock(&saver->lock);
    run_one(s);
    pthread_mutex_lock(&saver->lock);
    if (s->snapshot) s->snapshot->used = false;
    s->snapshot = NULL;
    saver->running = NULL;
    push(&saver->done, s);
    pthread_cond_broadcast(&saver->changed);
  }
  pthread_mutex_unlock(&saver->lock);
  return NULL;
}

/* ---- all savers: nothing is lost when the process ends in order ----------------------------- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static pl_saver *all;

static void wait_until_idle(pl_saver *s) {
  pthread_mutex_lock(&s->lock);
  while (s->wanted.first || s->running) pthread_cond_wait(&s->changed, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

static void finish_all(void) {
  pthread_mutex_lock(&all_lock);
  for (pl_saver *s = all; s; s = s->next) wait_until_idle(s);
  pthread_mutex_unlock(&all_lock);
}

static void register_saver(pl_saver *s) {
  static bool at_exit;
  pthread_mutex_lock(&all_lock);
  if (!at_exit) at_exit = atexit(finish_all) == 0;
  s->next = all;
  all = s;
  pthread_mutex_unlock(&all_lock);
}

static void unregister_saver(pl_saver *s) {
  pthread_mutex_lock(&all_lock);
  for (pl_saver **at = &all; *at; at = &(*at)->next)
    if (*at == s) {
      *at = s->next;
      break;
    }
  pthread_mutex_unlock(&all_lock);
}

/* ---- the owner's side --------------------------------------------------------------------- */

static void saver_drop(pl_saver *s) {
  for (save *one; (one = pop(&s->done));) save_free(one);
  save_free(s->begun);
  for (int i = 0; i < SNAPSHOTS; i++) snapshot_free(&s->snapshots[i]);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

pl_status pl_saver_new(pl_saver **out) {
  pl_saver *s = calloc(1, sizeof *s);
  if (!s) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while saving");
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  int error = thread_start(&s->thread, run, s);
  if (error) {
    saver_drop(s);
    return status_fail(PL_EIO, NULL, NULL, "cannot start a thread that saves: %s",
                       strerror(error));
  }
  register_saver(s);
  *out = s;
  return PL_OK;
}

void pl_saver_free(pl_saver *s) {
  if (!s) return;
  unregister_saver(s);
  pthread_mutex_lock(&s->lock);
  s->stop = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  saver_drop(s);
}

static snapshot *unused_snapshot(pl_saver *s) {
  for (int i = 0; i < SNAPSHOTS; i++)
    if (!s->snapshots[i].used) return &s->snapshots[i];
  return NULL;
}

static snapshot *take_snapshot(pl_saver *s) {
  snapshot *found;
  pthread_mutex_lock(&s->lock);
  while (!(found = unused_snapshot(s))) pthread_cond_wait(&s->changed, &s->lock);
  found->used = true;
  pthread_mutex_unlock(&s->lock);
  return found;
}

static void drop_begun(pl_saver *s) {
  if (!s->begun) return;
  pthread_mutex_lock(&s->lock);
  s->begun->snapshot->used = false;
  pthread_mutex_unlock(&s->lock);
  save_free(s->begun);
  s->begun = NULL;
}

pl_status pl_saver_begin(pl_saver *s, const char *path, int32_t is_directory) {
  drop_begun(s);
  save *one = save_new(path);
  if (!one) return PL_EMEMORY;
  one->is_directory = is_directory != 0;
  one->snapshot = take_snapshot(s);
  s->begun = one;
  return PL_OK;
}

static pl_status nothing_begun(void) {
  return status_fail(PL_EARGUMENT, NULL, NULL, "no save was begun");
}

/* Half a save is none. */
static pl_status added(pl_saver *s, pl_status status) {
  if (status) drop_begun(s);
  return status;
}

pl_status pl_saver_add_tensors(pl_saver *s, const char *name, const char *const *names,
                               const pl_tensor *tensors, int32_t n,
                               const pl_safetensors_note *notes, int32_t n_notes) {
  if (!s->begun) return nothing_begun();
  return added(s, save_add_tensors(s->begun, name, names, tensors, n, notes, n_notes));
}

pl_status pl_saver_add_text(pl_saver *s, const char *name, const char *text, int64_t size) {
  return s->begun ? added(s, save_add_text(s->begun, name, text, size)) : nothing_begun();
}

static void hand_over(pl_saver *s, save *one) {
  pthread_mutex_lock(&s->lock);
  push(&s->wanted, one);
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

pl_status pl_saver_commit(pl_saver *s) {
  if (!s->begun || s->begun->n_files == 0) return nothing_begun();
  hand_over(s, s->begun);
  s->begun = NULL;
  return PL_OK;
}

pl_status pl_saver_remove(pl_saver *s, const char *path, const char *const *names, int32_t n) {
  save *one = save_new(path);
  pl_status status = one ? PL_OK : PL_EMEMORY;
  if (one) one->removes = true;
  for (int32_t i = 0; i < n && !status; i++) status = save_add_name(one, names[i]);
  if (status) {
    save_free(one);
    return status;
  }
  hand_over(s, one);
  return PL_OK;
}

int32_t pl_saver_next(pl_saver *s, int32_t wait, pl_status *status) {
  pthread_mutex_lock(&s->lock);
  while (wait && !s->done.first && (s->wanted.first || s->running))
    pthread_cond_wait(&s->changed, &s->lock);
  save *one = pop(&s->done);
  pthread_mutex_unlock(&s->lock);
  if (!one) return 0;
  *status = one->status ? status_fail(one->status, NULL, "path", "%s", one->sentence) : PL_OK;
  save_free(one);
  return 1;
}
