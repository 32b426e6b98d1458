/*
** profile.c -- how long ops take: counts and seconds by row of the op table, those of gradient
** rules apart, and events for a trace. One profile per thread; what other threads do is not in it.
** An op that another one is made of counts in both totals and in the inner one's own time alone.
*/
#include "profile.h"
#include <stdlib.h>
#include "op.h"
#include "status.h"

enum { MAX_DEPTH = 128 };

typedef struct timed { pl_profile_op sums; int32_t open; } timed;
typedef struct frame { int32_t op, backward; double begin, inside; } frame;

static _Thread_local struct {
  timed *times;                         /* forward, then backward: 2 * OP_COUNT */
  pl_profile_event *events;
  int64_t n_events, capacity, most, dropped;
  frame stack[MAX_DEPTH];
  int32_t depth;                        /* may be above MAX_DEPTH: those are not timed */
} here;

static timed *timed_of(int op, int backward) { return &here.times[backward ? OP_COUNT + op : op]; }

void profile_enter(int op, bool backward) {
  if (here.depth < MAX_DEPTH) {
    here.stack[here.depth] = (frame){ op, backward, pl_clock(), 0 };
    timed_of(op, backward)->open++;
  }
  here.depth++;
}

static bool make_room(void) {
  if (here.n_events >= here.most) return false;
  if (here.n_events < here.capacity) return true;
  int64_t capacity = here.capacity ? 2 * here.capacity : 1024;
  if (capacity > here.most) capacity = here.most;
  pl_profile_event *grown = realloc(here.events, (size_t)capacity * sizeof *grown);
  if (!grown) return false;
  here.events = grown;
  here.capacity = capacity;
  return true;
}

void profile_leave(void) {
  if (--here.depth >= MAX_DEPTH) return;
  double end = pl_clock();
  frame f = here.stack[here.depth];
  timed *t = timed_of(f.op, f.backward);
  double seconds = end - f.begin;
  t->sums.self += seconds - f.inside;
  if (--t->open == 0) {
    t->sums.count++;
    t->sums.total += seconds;
  }
  if (here.depth > 0) here.stack[here.depth - 1].inside += seconds;
  if (make_room())
    here.events[here.n_events++] = (pl_profile_event){ f.begin, end, f.op, f.backward };
  else here.dropped++;
}

pl_status pl_profile_start(int64_t events) {
  if (context_here()->shared.profile)
    return status_fail(PL_EUSER, NULL, NULL, "a profile is being taken already");
  if (events < 0)
    return status_fail(PL_EARGUMENT, NULL, NULL, "a profile keeps 0 events or more, not %lld",
                       (long long)events);
  free(here.times);
  here.times = calloc(2 * OP_COUNT, sizeof *here.times);
  if (!here.times) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  here.n_events = here.dropped = 0;
  here.most = events;
  here.depth = 0;
  context_here()->shared.profile = 1;
  return PL_OK;
}

void pl_profile_stop(void) { context_here()->shared.profile = 0; }

void pl_profile_free(void) {
  pl_profile_stop();
  free(here.times);
  free(here.events);
  here.times = NULL;
  here.events = NULL;
  here.n_events = here.capacity = 0;
}

pl_status pl_profile_read(int32_t op, int32_t backward, pl_profile_op *out) {
  if (!here.times || op < 0 || op >= OP_COUNT)
    return status_fail(PL_EARGUMENT, NULL, NULL, here.times ? "op %d does not exist"
                       : "no profile has been taken (op %d)", op);
  *out = timed_of(op, backward)->sums;
  return PL_OK;
}

int64_t pl_profile_events(const pl_profile_event **out, int64_t *dropped) {
  *out = here.events;
  *dropped = here.dropped;
  return here.n_events;
}
