/*
** queue.c -- the launches that wait for Lua, those of all its devices in one order, and the end of
** each: run by Lua, refused and run by the CPU, or failed, and then nothing behind it runs.
** Only the thread that owns the devices comes here.
*/
#include "queue.h"
#include <stdio.h>
#include <string.h>
#include "call.h"
#include "cell.h"
#include "status.h"

/* A kernel's call, or bytes to write into a buffer; what it points to lies behind it. */
typedef struct launch {
  struct launch *next;
  size_t bytes;                      /* of this cell */
  queue_device *device;
  pl_call call;                      /* op NULL: a write */
  pl_buffer *buffer;
  size_t at, n_written;
  pl_launch_operand *shown;          /* the operands as Lua sees them */
  bool in_lua;
} launch;

static launch *first, **end = &first;
static launch *running;              /* taken by Lua */

atomic_bool queue_waits_for_lua;

bool queue_waits(void) { return first || running; }

static void tell(bool waits) {
  context_here()->shared.queued = waits;
  atomic_store_explicit(&queue_waits_for_lua, waits, memory_order_relaxed);
}

/* ---- failures ---- */

pl_status queue_check(const queue_device *q) {
  if (q->owner != context_here())
    return status_fail_device(PL_EDEVICE, "%s has kernels in Lua: only the thread that opened it "
                              "may use it", q->self->name);
  if (running)
    return status_fail_device(PL_EDEVICE, "a kernel in Lua may not use %s, it works on the "
                              "pointers of its call", q->self->name);
  if (!q->failed) return PL_OK;
  return status_fail_late(q->failed, q->failed_op, "%s (%s answers this until it is set up again)",
                          q->sentence, q->self->name);
}

static pl_status stick(queue_device *q, const char *op, pl_status status, const char *sentence) {
  snprintf(q->sentence, sizeof q->sentence, "%s: the kernel of %s failed: %s", op, q->self->name,
           sentence);
  q->failed = status;
  q->failed_op = op;
  return status_fail_late(status, op, "%s", q->sentence);
}

void pl_queue_reset(int32_t id) {
  device *d = device_at(id);
  if (d && device_is_queue(d)) ((queue_device *)d->state)->failed = PL_OK;
}

/* ---- waiting ---- */

typedef struct pieces {
  pl_operand *operands;
  const pl_operand **pointers;
  pl_launch_operand *shown;
  void *attrs;
  int32_t *counts;
} pieces;

static void *piece(char *cell, size_t *at, size_t bytes) {
  size_t start = (*at + 15) & ~(size_t)15;
  *at = start + bytes;
  return cell ? cell + start : NULL;
}

/* How a call lies in its cell; answers the bytes it takes. Without a cell it only measures. */
static size_t lay_out(const pl_call *c, char *cell, pieces *p) {
  size_t at = sizeof(launch), n = (size_t)(c->n_in + c->n_out);
  p->operands = piece(cell, &at, n * sizeof *p->operands);
  p->pointers = piece(cell, &at, n * sizeof *p->pointers);
  p->shown = piece(cell, &at, n * sizeof *p->shown);
  p->attrs = piece(cell, &at, c->attrs ? (size_t)c->op->attrs_size : 0);
  p->counts = piece(cell, &at, c->counts ? (size_t)c->op->n_in * sizeof *p->counts : 0);
  return at;
}

static void keep_operand(const pl_operand *from, const pieces *p, int i) {
  p->pointers[i] = NULL;
  if (!from) return;
  p->operands[i] = *from;
  p->pointers[i] = &p->operands[i];
}

static void keep_call(const pl_call *c, launch *l, const pieces *p) {
  l->call = *c;
  for (int i = 0; i < c->n_in; i++) keep_operand(c->in[i], p, i);
  for (int j = 0; j < c->n_out; j++) keep_operand(c->out[j], p, c->n_in + j);
  l->call.in = p->pointers;
  l->call.out = p->pointers + c->n_in;
  l->shown = p->shown;
  if (c->attrs) l->call.attrs = memcpy(p->attrs, c->attrs, (size_t)c->op->attrs_size);
  if (c->counts)
    l->call.counts = memcpy(p->counts, c->counts, (size_t)c->op->n_in * sizeof *p->counts);
}

static pl_status launch_new(queue_device *q, size_t bytes, launch **out) {
  if (!(*out = cell_new(bytes)))
    return status_fail_device(PL_EMEMORY, "%s: out of memory", q->self->name);
  (*out)->bytes = bytes;
  (*out)->device = q;
  return PL_OK;
}

static void append(launch *l) {
  *end = l;
  end = &l->next;
  tell(true);
}

pl_status queue_append_call(queue_device *q, const pl_call *call, bool in_lua) {
  pieces p;
  launch *l;
  pl_status s = launch_new(q, lay_out(call, NULL, &p), &l);
  if (s) return s;
  lay_out(call, (char *)l, &p);
  keep_call(call, l, &p);
  l->in_lua = in_lua;
  append(l);
  return PL_OK;
}

pl_status queue_append_write(queue_device *q, pl_buffer *buffer, size_t at, const void *src,
                             size_t bytes) {
  launch *l;
  pl_status s = launch_new(q, sizeof *l + bytes, &l);
  if (s) return s;
  l->buffer = buffer;
  l->at = at;
  l->n_written = bytes;
  memcpy(l + 1, src, bytes);
  append(l);
  return PL_OK;
}

/* ---- on the CPU ---- */

static pl_status copy_elements(device *cpu, const pl_operand *from, const pl_operand *to) {
  const pl_operand *in[1] = { from }, *out[1] = { to };
  pl_call copy = { sizeof copy, 1, 1, 0, pl_op(OP_copy), NULL, NULL, in, out };
  return cpu->kernels[OP_copy](cpu->state, &copy);
}

/* A tensor of the CPU's with an operand's elements, in the open frame. */
static pl_status copy_operand(device *cpu, const pl_operand *from, tensor **out) {
  pl_status s = tensor_make(cpu, from, out);
  if (s) return s;
  s = copy_elements(cpu, from, &(*out)->view);
  pl_status pushed = frame_push(*out);
  return s ? s : pushed;
}

/* What the CPU has no kernel for either, by its composite: operands are copied, and results. */
static pl_status apply_copies(const queue_device *q, const pl_call *launched) {
  int n = launched->n_in - ((launched->op->flags & PL_RANDOM) != 0);
  tensor *x[n + 1], *y[PL_MAX_OUT] = { NULL };
  call c = { .here = context_here(), .row = &op_table[launched->op->id],
             .counts = launched->counts };
  pl_status s = PL_OK;
  memset(x, 0, sizeof x);
  for (int i = 0; i < n && !s; i++)
    if (launched->in[i]) s = copy_operand(q->cpu, launched->in[i], &x[i]);
  if (!s) s = apply(launched->op->id, launched->attrs, x, launched->counts, n, y);
  for (int j = 0; j < launched->n_out && !s; j++) {
    s = copy_elements(q->cpu, &y[j]->view, launched->out[j]);
    tensor_unref(y[j]);
  }
  for (int i = 0; i < n && !s; i++)
    if (x[i] && (call_argument(&c, i)->marks & PL_UPDATED))
      s = copy_elements(q->cpu, &x[i]->view, launched->in[i]);
  return s;
}

/* pl.detect_anomaly can look at values only once the launch has run. */
static pl_status check_finite(const queue_device *q, const pl_call *launched) {
  call c = { .here = context_here(), .row = &op_table[launched->op->id] };
  pl_status s = PL_OK;
  for (int j = 0; j < launched->n_out && !s; j++) {
    tensor *y;
    s = copy_operand(q->cpu, launched->out[j], &y);
    if (!s) s = call_check_finite(&c, y);
  }
  return s;
}

/* Runs f with nothing recorded, cast or checked, in a frame of its own. */
static pl_status aside(pl_status (*f)(const queue_device *q, const pl_call *launched),
                       const launch *l) {
  context *here = context_here();
  pl_context before = here->shared;
  here->shared.grad = here->shared.autocast = here->shared.anomaly = 0;
  here->shared.device = l->device->cpu->id;
  int32_t mark = frame_open();
  pl_status s = f(l->device, &l->call);
  frame_close(mark);
  here->shared.grad = before.grad;
  here->shared.autocast = before.autocast;
  here->shared.anomaly = before.anomaly;
  here->shared.device = before.device;
  return s;
}

pl_status queue_run_on_cpu(const queue_device *q, const pl_call *launched) {
  pl_kernel kernel = q->cpu->kernels[launched->op->id];
  return kernel ? kernel(q->cpu->state, launched) : PL_EUNSUPPORTED;
}

static pl_status compute(const launch *l) {
  status_running(l->call.op->name);
  pl_status s = queue_run_on_cpu(l->device, &l->call);
  if (s == PL_EUNSUPPORTED) s = aside(apply_copies, l);
  status_running(NULL);
  return s;
}

/* ---- taking ---- */

static launch *pop(void) {
  launch *l = first;
  if (!(first = l->next)) end = &first;
  return l;
}

static void drop_rest(void) {
  while (first) {
    launch *l = pop();
    cell_free(l, l->bytes);
  }
}

/* The launch is over: what waits behind a failed one would compute with what it did not make. */
static pl_status settle(launch *l, pl_status s) {
  cell_free(l, l->bytes);
  if (s) drop_rest();
  tell(first != NULL);
  if (!first) queue_release_freed();
  return s;
}

static char *address(const queue_device *q, pl_buffer *buffer) {
  return q->cpu->table->map(q->cpu->state, buffer);
}

/* A launch that does not need Lua. */
static pl_status run(launch *l) {
  if (!l->call.op) {
    memcpy(address(l->device, l->buffer) + l->at, l + 1, l->n_written);
    return settle(l, PL_OK);
  }
  pl_status s = compute(l);
  if (!s && context_here()->shared.anomaly) s = aside(check_finite, l);
  return settle(l, s);
}

static void show(const queue_device *q, const pl_operand *o, pl_launch_operand *out) {
  *out = (pl_launch_operand){ 0 };
  if (!o) return;
  out->data = address(q, o->buffer) + o->offset * pl_dtype_size(o->dtype);
  out->dtype = o->dtype;
  out->rank = o->rank;
  out->count = o->count;
  memcpy(out->sizes, o->sizes, sizeof out->sizes);
}

static const pl_launch *show_launch(const launch *l) {
  static pl_launch shown;
  const pl_call *c = &l->call;
  for (int i = 0; i < c->n_in; i++) show(l->device, c->in[i], &l->shown[i]);
  for (int j = 0; j < c->n_out; j++) show(l->device, c->out[j], &l->shown[c->n_in + j]);
  shown = (pl_launch){ c->op->id, l->device->self->id, c->n_in, c->n_out, c->attrs, c->counts,
                       l->shown, l->shown + c->n_in };
  return &shown;
}

pl_status pl_queue_done(pl_status s, const char *sentence) {
  launch *l = running;
  if (!l) return status_fail(PL_EARGUMENT, NULL, NULL, "no launch was taken");
  running = NULL;
  if (s == PL_EUNSUPPORTED) return run(l);
  if (s) s = stick(l->device, l->call.op->name, s, sentence ? sentence : "it gave no reason");
  else if (context_here()->shared.anomaly) s = aside(check_finite, l);
  return settle(l, s);
}

pl_status pl_queue_take(const pl_launch **out) {
  if (running) return pl_queue_done(PL_EDEVICE, "it did not come to an end");
  while (first) {
    launch *l = pop();
    if (l->in_lua) {
      running = l;
      tell(false);                             /* what the kernel calls finds nothing to take */
      *out = show_launch(l);
      return PL_QUEUED;
    }
    pl_status s = run(l);
    if (s) return s;
  }
  return PL_OK;
}
