/*
** record.c -- what the tape keeps of a call that ran, and the check for values that are not finite.
*/
#include "call.h"
#include "queue.h"

static int count_saved(const pl_op_info *op) {
  int n = 0;
  for (int i = 0; i < op->n_in; i++) n += (op->in[i].marks & PL_SAVED) != 0;
  for (int j = 0; j < op->n_out; j++) n += (op->out[j].marks & (PL_SAVED | PL_HIDDEN)) != 0;
  return n;
}

bool call_records(const call *c) {
  if (!c->here->shared.grad || c->row->grad == grad_none || c->row->grad == grad_via)
    return false;
  for (int i = 0; i < c->n_x; i++)
    if (wants_grad(c->x[i])) return true;
  return false;
}

/* A node with the inputs' edges and values; outputs are saved by record_outputs. */
pl_status call_record_inputs(const call *c, node **out) {
  const pl_op_info *op = &c->row->info;
  pl_status s = node_new(op->id, c->attrs, (size_t)op->attrs_size, c->x, c->counts, op->n_in,
                         c->n_x, op->n_out, count_saved(op), out);
  if (s) return s;
  int k = 0;
  for (int i = 0; i < op->n_in && !op->list_count; i++)
    if (op->in[i].marks & PL_SAVED) node_save(*out, k++, c->x[i], i, false);
  return PL_OK;
}

void call_record_outputs(const call *c, node *n) {
  const pl_op_info *op = &c->row->info;
  int k = n->n_saved;
  for (int j = op->n_out - 1; j >= 0; j--)
    if (op->out[j].marks & (PL_SAVED | PL_HIDDEN)) node_save(n, --k, c->y[j], 8 + j, true);
}

pl_status call_record(call *c) {
  node *n;
  pl_status s = call_record_inputs(c, &n);
  if (s) return s;
  call_record_outputs(c, n);
  for (int j = 0; j < c->row->info.n_out; j++)
    if (dtype_is_float(c->y[j]->view.dtype) && !(c->row->info.out[j].marks & PL_HIDDEN))
      tensor_set_edge(c->y[j], node_ref(n), j);
  node_unref(n);
  return PL_OK;
}

void call_touch_updated(const call *c) {
  for (int i = 0; i < c->n_x; i++)
    if (c->x[i] && (call_argument(c, i)->marks & PL_UPDATED))
      tensor_touch(c->x[i], c->row->info.id);
}

pl_status call_check_finite(const call *c, tensor *y) {
  if (!dtype_is_float(y->view.dtype) || y->view.count == 0) return PL_OK;
  if (device_is_queue(tensor_device(y))) return PL_OK;    /* checked when its launch has run */
  context *here = c->here;
  int32_t recording = here->shared.grad;
  tensor *finite, *all;
  uint8_t fine = 1;
  here->shared.anomaly = here->shared.grad = 0;
  pl_status s = apply(OP_isfinite, NULL, &y, NULL, 1, &finite);
  if (!s) {
    s = apply(OP_all, &(pl_all_attrs){ .keepdim = 0 }, &finite, NULL, 1, &all);
    if (!s) {
      s = tensor_read_dense(all, &fine);
      tensor_unref(all);
    }
    tensor_unref(finite);
  }
  here->shared.anomaly = 1;
  here->shared.grad = recording;
  char text[SHAPE_TEXT];
  if (!s && !fine)
    s = status_fail(PL_EUSER, call_name(c), NULL, "%s: the result (%s %s) has values that are not "
                    "finite; no op before it had", call_name(c), pl_dtype_name(y->view.dtype),
                    shape_text(&y->view, text));
  return s;
}

pl_status call_check_outputs(const call *c) {
  pl_status s = PL_OK;
  for (int j = 0; j < c->row->info.n_out && !s; j++) s = call_check_finite(c, c->y[j]);
  return s;
}
