/*
** dispatch.c -- an op from inside (apply) and from outside (pl_apply); rule.c is for rules.
** Outputs are handed out only when everything went well; whatever was made on the way lies in a
** frame that is closed before returning.
*/
#include "dispatch.h"
#include "call.h"
#include "profile.h"
#include "queue.h"

/* Lengths of lists among the attributes: a caller in C may have written anything. */
static pl_status check_vectors(const call *c) {
  const char *bytes = c->attrs;
  for (int i = 0; i < 4; i++) {
    int64_t dims = 0, sizes = 0;
    if (c->row->dims_at[i] >= 0) dims = ((const pl_dims *)(bytes + c->row->dims_at[i]))->n;
    if (c->row->sizes_at[i] >= 0) sizes = ((const pl_sizes *)(bytes + c->row->sizes_at[i]))->n;
    if (dims < 0 || dims > PL_MAX_RANK || sizes < 0 || sizes > PL_MAX_RANK)
      return status_fail(PL_EARGUMENT, call_name(c), NULL,
                         "%s: an attribute lists %lld dimensions, at "
                         "most %d are possible", call_name(c), (long long)(dims ? dims : sizes),
                         PL_MAX_RANK);
  }
  return PL_OK;
}

static bool counts_add_up(const call *c) {
  int64_t sum = 0;
  for (int i = 0; i < c->row->info.n_in; i++) {
    if (c->counts[i] < 0) return false;
    sum += c->counts[i];
  }
  return sum == c->n_x;
}

pl_status call_check(const call *c) {
  const pl_op_info *op = &c->row->info;
  if (pl_interrupt_pending() >= c->here->shared.interrupts)
    return status_fail(PL_EINTERRUPTED, op->name, NULL, "interrupted");
  if (!c->counts != !op->list_count || (!c->counts && c->n_x != op->n_in))
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s takes %d inputs, got %d", op->name,
                       op->n_in, c->n_x);
  for (int i = 0; i < c->n_x; i++)
    if (!c->x[i] && !(call_argument(c, i)->marks & PL_OPTIONAL))
      return status_fail(PL_EARGUMENT, op->name, call_argument(c, i)->name, "%s: %s is missing",
                         op->name, call_argument(c, i)->name);
  if (c->counts && !counts_add_up(c))
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s: the counts of its inputs are not those "
                       "of %d tensors", op->name, c->n_x);
  for (int i = 0; c->counts && i < op->n_in; i++)
    if (!(op->in[i].marks & PL_LIST) && c->counts[i] != 1
        && !(c->counts[i] == 0 && (op->in[i].marks & PL_OPTIONAL)))
      return status_fail(PL_EARGUMENT, op->name, op->in[i].name, "%s: %s is missing", op->name,
                         op->in[i].name);
  if (!c->attrs && op->fields[0])
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s: the attributes are missing", op->name);
  return c->row->dims_at[0] < 0 && c->row->sizes_at[0] < 0 ? PL_OK : check_vectors(c);
}

static pl_status apply_call(call *c) {
  pl_status s = call_check(c);
  if (s || (s = call_find_device(c)) || (s = call_autocast(c)) || (s = call_unify(c))) return s;
  if (call_flags(c) & PL_VIEW) s = call_run_view(c);
  else if (!(s = call_infer(c))) s = call_run(c);
  if (s) return s;
  call_touch_updated(c);
  if (call_records(c)) s = call_record(c);
  if (!s && c->here->shared.anomaly) s = call_check_outputs(c);
  return s;
}

pl_status apply(int op, const void *attrs, tensor *const *in, const int32_t *counts, int n_in,
                tensor **out) {
  tensor *x[n_in + 1];
  call c;
  call_open(&c, op, attrs, counts, n_in, x);
  for (int i = 0; i < n_in; i++) x[i] = in[i];
  bool timed = c.here->shared.profile != 0;
  if (timed) profile_enter(op, false);
  int32_t mark = frame_open();
  pl_status s = apply_call(&c);
  frame_close(mark);
  if (timed) profile_leave();
  for (int j = 0; j < c.row->info.n_out; j++) {
    if (!s) out[j] = c.y[j];
    else tensor_unref(c.y[j]);
  }
  return s;
}

/* ---- from outside ---- */

static pl_status resolve(const pl_op_info *op, const int32_t *counts, const pl_tensor *in, int n_in,
                         tensor **x) {
  call c = { .row = &op_table[op->id], .counts = counts };
  for (int i = 0; i < n_in; i++) {
    x[i] = NULL;
    if (in[i] == 0) continue;
    const char *name = i < op->n_in || counts ? call_argument(&c, i)->name : "";
    pl_status s = tensor_get(in[i], op->name, name, &x[i]);
    if (s) return s;
  }
  return PL_OK;
}

enum { MAX_TENSORS = 1 << 16 };      /* of a call: lists of them lie on the stack */

static pl_status check_size(int32_t op, int32_t n_in) {
  if (op < 0 || op >= OP_COUNT)
    return status_fail(PL_EARGUMENT, NULL, NULL, "op %d does not exist", op);
  if (n_in >= 0 && n_in <= MAX_TENSORS) return PL_OK;
  return status_fail(PL_EARGUMENT, pl_op(op)->name, NULL, "%s: %d tensors given, at most %d are "
                     "possible in one call; make parts first", pl_op(op)->name, n_in, MAX_TENSORS);
}

pl_status pl_apply(int32_t op, const void *attrs, const pl_tensor *in, const int32_t *counts,
                   int32_t n_in, pl_tensor *out) {
  pl_status s = check_size(op, n_in);
  if (s) return s;
  const pl_op_info *info = pl_op(op);
  tensor *x[n_in + 1], *y[PL_MAX_OUT];
  s = resolve(info, counts, in, n_in, x);
  if (s || (s = apply(op, attrs, x, counts, n_in, y))) return s;
  for (int j = 0, k = 0; j < info->n_out; j++) {
    if (info->out[j].marks & PL_HIDDEN) tensor_unref(y[j]);
    else out[k++] = tensor_handle(y[j]);
  }
  return queue_status();
}

pl_status pl_apply_in_place(int32_t op, const void *attrs, const pl_tensor *in, int32_t n_in) {
  pl_status s = check_size(op, n_in);
  if (s) return s;
  tensor *x[n_in + 1];
  s = resolve(pl_op(op), NULL, in, n_in, x);
  if (!s) s = apply_in_place(op, attrs, x, n_in);
  return s ? s : queue_status();
}

pl_status pl_tensor_assign(pl_tensor t, pl_tensor src) {
  tensor *to, *from;
  pl_status s = tensor_get(t, "copy", "x", &to);
  if (s || (s = tensor_get(src, "copy", "src", &from))) return s;
  s = tensor_assign(to, from);
  return s ? s : queue_status();
}
