/*
** stream.c -- jobs in the order of their launch, run by a thread of the device. It runs late on
** purpose: not before somebody waits or LATE jobs have gathered, so that whoever relies on a launch
** being over finds out.
*/
#include "xpu.h"
#include <stdio.h>
#include <stdlib.h>

enum { LATE = 32 };

job *job_new(xpu *device, const char *op, size_t data, void (*run)(const job *)) {
  job *j = calloc(1, sizeof *j + data);
  if (!j) return NULL;
  j->device = device;
  j->op = op;
  j->run = run;
  j->size = data;
  return j;
}

static job *pop(stream *s) {
  job *j = s->first;
  s->first = j->next;
  if (!s->first) s->last = &s->first;
  s->waiting--;
  return j;
}

/* A launch that was told to fail loses the device; what follows is dropped. */
static void run_job(job *j) {
  xpu *device = j->device;
  if (j->op && atomic_load(&device->fail_launch) > 0
      && atomic_fetch_sub(&device->fail_launch, 1) == 1 && !atomic_load(&device->failed)) {
    snprintf(device->failed_op, sizeof device->failed_op, "%s", j->op);
    snprintf(device->failed_because, SENTENCE, "the device was lost while it computed %s", j->op);
    atomic_store(&device->failed, 1);
  }
  if (!j->op || !atomic_load(&device->failed)) j->run(j);
  free(j);
}

static void *stream_main(void *argument) {
  xpu *device = argument;
  stream *s = &device->stream;
  pthread_mutex_lock(&s->lock);
  while (!s->ends || s->first) {
    if (s->first && (s->wanted || s->ends || s->waiting >= LATE)) {
      job *j = pop(s);
      s->idle = false;
      pthread_mutex_unlock(&s->lock);
      run_job(j);
      pthread_mutex_lock(&s->lock);
      s->idle = true;
      continue;
    }
    if (!s->first) {
      s->wanted = false;
      pthread_cond_broadcast(&s->changed);
    }
    if (!s->ends) pthread_cond_wait(&s->changed, &s->lock);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

pl_status stream_start(xpu *device) {
  stream *s = &device->stream;
  *s = (stream){ .last = &s->first, .idle = true };
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  if (pthread_create(&s->thread, NULL, stream_main, device) == 0) return PL_OK;
  return device->host->fail(PL_EDEVICE, "xpu:%d: its thread does not start", device->index);
}

void stream_end(xpu *device) {
  stream *s = &device->stream;
  pthread_mutex_lock(&s->lock);
  s->ends = true;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
}

void stream_push(job *j) {
  stream *s = &j->device->stream;
  pthread_mutex_lock(&s->lock);
  *s->last = j;
  s->last = &j->next;
  if (++s->waiting >= LATE) pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

void stream_wait(xpu *device) {
  stream *s = &device->stream;
  pthread_mutex_lock(&s->lock);
  s->wanted = true;
  pthread_cond_broadcast(&s->changed);
  while (s->first || !s->idle) pthread_cond_wait(&s->changed, &s->lock);
  pthread_mutex_unlock(&s->lock);
}
