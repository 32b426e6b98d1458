/* launch.c -- what every kernel begins and ends with. */
#include "pjrt.h"

bool all_floats(const pl_call *call) {
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->dtype < PL_F16) return false;
  return call->n_out == 0 || call->out[0]->dtype >= PL_F16;
}

static bool some_empty(const pl_operand *const *operands, int n) {
  for (int i = 0; i < n; i++)
    if (operands[i] && operands[i]->count == 0) return true;
  return false;
}

/* A cell that waits for numbers of one dtype is about to be seen as another: the list must run
** before this launch writes its first line, for afterwards its values are gone. */
static bool some_change_dtype(const pl_operand *const *operands, int n) {
  for (int i = 0; i < n; i++)
    if (operands[i] && operands[i]->buffer->holds == CELL_PENDING
        && operands[i]->buffer->dtype != operands[i]->dtype) return true;
  return false;
}

/* A list ends where parameters were updated, but no sooner than the next launch: by then what only
** that step needed is gone, and the program does not return it. */
bool launch_begin(void *state, const pl_call *call, pl_status *status) {
  pjrt *d = state;
  *status = PL_EUNSUPPORTED;
  if (some_empty(call->in, call->n_in) || some_empty(call->out, call->n_out)) return false;
  pthread_mutex_lock(&d->lock);
  bool runs = d->list.ends || some_change_dtype(call->in, call->n_in)
    || some_change_dtype(call->out, call->n_out);
  *status = runs ? list_run(d) : PL_OK;
  d->last = call->op->name;
  if (*status) pthread_mutex_unlock(&d->lock);
  return *status == PL_OK;
}

pl_status launch_end(void *state) {
  pjrt *d = state;
  pl_status status = d->list.failed ? list_run(d) : PL_OK;
  pthread_mutex_unlock(&d->lock);
  return status;
}
