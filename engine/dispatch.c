/*
** dispatch.c -- an op from inside (apply), from rules (op1, op2 ..) and from outside (pl_apply).
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

pl_status call_check(const call *c) {
  const pl_op_info *op = &c->row->info;
  if (pl_interrupt_pending() >= c->here->shared.interrupts)
    return status_fail(PL_EINTERRUPTED, op->name, NULL, "interrupted");
  if (c->counts ? op->list_count == 0 : c->n_x != op->n_in)
    return status_fail(PL_EARGUMENT, op->name, NULL, "%s takes %d inputs, got %d", op->name,
                       op->n_in, c->n_x);
  for (int i = 0; i < c->n_x; i++)
    if (!c->x[i] && !(call_argument(c, i)->marks & PL_OPTIONAL))
      return status_fail(PL_EARGUMENT, op->name, call_argument(c, i)->name, "%s: %s is missing",
                         op->name, call_argument(c, i)->name);
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

/* ---- rules call ops as functions ---- */

tensor *rule_apply(int op, const void *attrs, int n, tensor *const *x) {
  context *c = context_here();
  const pl_op_info *info = pl_op(op);
  tensor *all[8] = { NULL }, *out[PL_MAX_OUT];
  for (int i = 0; i < n; i++) {
    all[i] = x[i];
    if (!x[i] && !(info->in[i].marks & PL_OPTIONAL)) return NULL;
  }
  if (c->rule_status) return NULL;
  pl_status s = apply(op, attrs, all, NULL, info->n_in, out);
  for (int j = 0; !s && j < info->n_out; j++) s = frame_push(out[j]);
  c->rule_status = s;
  return s ? NULL : out[0];
}

tensor *rule_number(double value) {
  tensor *t;
  context *c = context_here();
  if (c->rule_status) return NULL;
  c->rule_status = tensor_number(value, &t);
  if (!c->rule_status) c->rule_status = frame_push(t);
  return c->rule_status ? NULL : t;
}

void rule_fail(pl_status status) {
  context *c = context_here();
  if (!c->rule_status) c->rule_status = status;
}

bool rule_failed(void) { return context_here()->rule_status != PL_OK; }

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

static pl_status no_op(int32_t op) {
  return status_fail(PL_EARGUMENT, NULL, NULL, "op %d does not exist", op);
}

pl_status pl_apply(int32_t op, const void *attrs, const pl_tensor *in, const int32_t *counts,
                   int32_t n_in, pl_tensor *out) {
  if (op < 0 || op >= OP_COUNT) return no_op(op);
  const pl_op_info *info = pl_op(op);
  tensor *x[n_in + 1], *y[PL_MAX_OUT];
  pl_status s = resolve(info, counts, in, n_in, x);
  if (s || (s = apply(op, attrs, x, counts, n_in, y))) return s;
  for (int j = 0, k = 0; j < info->n_out; j++) {
    if (info->out[j].marks & PL_HIDDEN) tensor_unref(y[j]);
    else out[k++] = tensor_handle(y[j]);
  }
  return queue_status();
}

pl_status pl_apply_in_place(int32_t op, const void *attrs, const pl_tensor *in, int32_t n_in) {
  if (op < 0 || op >= OP_COUNT) return no_op(op);
  tensor *x[n_in + 1];
  pl_status s = resolve(pl_op(op), NULL, in, n_in, x);
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
