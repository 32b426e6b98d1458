/*
** launch.c -- a call's shapes, operands and kernel; where the device has none, the row's composite,
** and where that is missing too the CPU.
*/
#include "call.h"
#include <string.h>
#include "attrs.h"
#include "random.h"

enum { MAX_PLAIN = 10 };      /* tensors of a call without lists, generator state included */

pl_status call_infer(call *c) {
  const pl_operand *in[c->n_x + 1];
  for (int i = 0; i < c->n_x; i++) in[i] = c->x[i] ? &c->x[i]->view : NULL;
  infer request = { &c->row->info, c->attrs, c->counts, c->n_x, in, c->out };
  pl_status s = c->row->infer(&request);
  if (s) return s;
  for (int j = 0; j < c->row->info.n_out; j++) {
    if (c->out[j].rank > PL_MAX_RANK)
      return status_fail(PL_ESHAPE, call_name(c), NULL, "%s: the result would have %d dimensions, "
                         "at most %d are possible", call_name(c), c->out[j].rank, PL_MAX_RANK);
    if (!shape_is_sane(&c->out[j]))
      return status_fail(PL_ESHAPE, call_name(c), NULL, "%s: the result would have a negative or "
                         "impossible size", call_name(c));
  }
  return PL_OK;
}

/* ---- kernels ---- */

pl_status tensor_dense(tensor *t, tensor **out) {
  device *d = tensor_device(t);
  tensor *y;
  pl_status s = tensor_make(d, &t->view, &y);
  if (s) return s;
  const pl_operand *in[1] = { &t->view }, *to[1] = { &y->view };
  pl_call copy = { sizeof copy, 1, 1, 0, pl_op(OP_copy), NULL, NULL, in, to };
  s = d->kernels[OP_copy](d->state, &copy);
  if (s) tensor_unref(y);
  else *out = y;
  return s;
}

/* Strided operands only where both the row and the device take them. */
static pl_status make_dense(call *c) {
  if ((call_flags(c) & PL_STRIDED) && device_is(c->device, PL_CAP_STRIDED)) return PL_OK;
  for (int i = 0; i < c->n_x; i++) {
    tensor *t = c->x[i], *made;
    if (!t || t->view.dense) continue;
    pl_status s = call_argument(c, i)->marks & PL_UPDATED
      ? status_fail(PL_ESHAPE, call_name(c), call_argument(c, i)->name, "%s: %s must be dense; use "
                    ":contiguous()", call_name(c), call_argument(c, i)->name)
      : tensor_dense(t, &made);
    if (s) return s;
    c->x[i] = made;
    if ((s = frame_push(made))) return s;
  }
  return PL_OK;
}

/* Fills operands with pointers to x's geometry, or to an expanded copy of it in room. */
static pl_status make_operands(call *c, const pl_operand **operands, pl_operand *room) {
  bool broadcast = call_flags(c) & PL_BROADCAST;
  for (int i = 0; i < c->n_x; i++) {
    if (!c->x[i]) {
      operands[i] = NULL;
    } else if (!broadcast || shape_equal(&c->x[i]->view, &c->out[0])) {
      operands[i] = &c->x[i]->view;
    } else {
      shape_expand(&c->x[i]->view, &c->out[0], &room[i]);
      operands[i] = &room[i];
      if (!device_is(c->device, PL_CAP_STRIDED)) {
        tensor wide = { .view = room[i], .storage = c->x[i]->storage }, *made;
        pl_status s = tensor_dense(&wide, &made);
        if (s) return s;
        if ((s = frame_push(made))) return s;
        operands[i] = &made->view;
      }
    }
  }
  return PL_OK;
}

/* Whether something is said of an op for the first time. */
static bool first_of(const call *c, bool said[OP_COUNT]) {
  bool before = said[c->row->info.id];
  said[c->row->info.id] = true;
  return !before;
}

/* A kernel whose results may differ from run to run, where that is not wanted. */
static pl_status refuse_or_say(const call *c, bool refuse) {
  static bool said[OP_COUNT];
  if (refuse)
    return status_fail(PL_EDEVICE, call_name(c), NULL, "%s: the kernel of %s gives results that "
                       "may differ from run to run, and deterministic results were asked for; "
                       "deterministic = \"warn\" lets it run", call_name(c), c->device->name);
  if (first_of(c, said))
    status_log("%s: the kernel of %s gives results that may differ from run to run", call_name(c),
               c->device->name);
  return PL_OK;
}

/* A kernel that failed and did not say why. */
static pl_status name_failure(const call *c, pl_status s) {
  return status_fail(s, call_name(c), NULL, s == PL_EMEMORY
                     ? "%s: out of memory for what %s needs to compute it"
                     : "%s: the kernel of %s failed and gave no reason", call_name(c),
                     c->device->name);
}

static pl_status launch_kernel(call *c, const pl_operand *const *out) {
  int id = c->row->info.id;
  pl_kernel kernel = c->device->kernels[id];
  uint32_t known = c->device->kernel_attrs[id];
  bool older = known < (uint32_t)c->row->info.attrs_size;
  if (!kernel || (older && !attrs_fit_kernel(c->row, c->attrs, known)))
    return PL_EUNSUPPORTED;
  int32_t deterministic = c->here->shared.deterministic;
  pl_status s = deterministic && !device_repeats(c->device, id)
    ? refuse_or_say(c, deterministic > 1) : PL_OK;
  if (s || (s = make_dense(c))) return s;
  const pl_operand *in[c->n_x + 1];
  pl_operand room[MAX_PLAIN];
  if ((s = make_operands(c, in, room))) return s;
  int n = c->n_x;
  if (call_flags(c) & PL_RANDOM) {
    tensor *state;
    if ((s = random_state(c->device, &state))) return s;
    in[n++] = &state->view;
  }
  pl_call launch = { sizeof launch, n, c->row->info.n_out, 0, &c->row->info, c->attrs, c->counts,
                     in, out };
  status_running(call_name(c));
  s = kernel(c->device->state, &launch);
  status_running(NULL);
  return s == PL_OK || s == PL_EUNSUPPORTED || *pl_error() ? s : name_failure(c, s);
}

/* PL_EUNSUPPORTED if this device has no kernel that takes the call. What the kernel computes with
** instead of the caller's inputs (dense copies) has no history: the tape and later attempts must
** see the caller's, so the launch works on a list of its own. */
pl_status call_run_kernel(call *c, const pl_operand *const *out) {
  tensor **given = c->x, *x[c->n_x + 1];
  for (int i = 0; i < c->n_x; i++) x[i] = given[i];
  c->x = x;
  pl_status s = launch_kernel(c, out);
  c->x = given;
  return s;
}

/* The shape rule speaks for kernels of all devices, so a composite keeps to it too. */
static pl_status check_made(const call *c, int j, const pl_operand *made) {
  char says[SHAPE_TEXT], is[SHAPE_TEXT];
  const pl_operand *rule = &c->out[j];
  if (shape_equal(made, rule) && made->dtype == rule->dtype) return PL_OK;
  return status_fail(PL_ESHAPE, call_name(c), NULL, "%s: its composite makes %s %s, its shape rule "
                     "says %s %s", call_name(c), pl_dtype_name(made->dtype), shape_text(made, is),
                     pl_dtype_name(rule->dtype), shape_text(rule, says));
}

static pl_status run_composite(call *c) {
  if (!c->row->info.composite) return PL_EUNSUPPORTED;
  context *here = c->here;
  int32_t recording = here->shared.grad, autocast = here->shared.autocast;
  if (c->row->grad != grad_via) here->shared.grad = 0;
  here->shared.autocast = 0;
  tensor *made[PL_MAX_OUT] = { NULL };
  rule r = { .op = &c->row->info, .attrs = c->attrs, .counts = c->counts, .n_in = c->n_x,
             .x = c->x, .y = made };
  c->row->compose(&r, c->n_x > 0 ? c->x[0] : NULL, c->n_x > 1 ? c->x[1] : NULL);
  here->shared.grad = recording;
  here->shared.autocast = autocast;
  pl_status s = here->rule_status;
  here->rule_status = PL_OK;
  for (int j = 0; !s && j < c->row->info.n_out; j++) s = check_made(c, j, &made[j]->view);
  for (int j = 0; !s && j < c->row->info.n_out; j++) c->y[j] = tensor_ref(made[j]);
  return s;
}

static void say_once(const call *c) {
  static bool said[OP_COUNT];
  if (first_of(c, said))
    status_log("%s has no kernel for %s: the CPU computes it", c->device->name, call_name(c));
}

/* Copies of the inputs on the CPU, in the open frame. */
static pl_status bring_inputs(call *c, device *cpu) {
  for (int i = 0; i < c->n_x; i++) {
    tensor *there;
    if (!c->x[i]) continue;
    pl_status s = tensor_to_device(c->x[i], cpu, &there);
    if (s) return s;
    c->x[i] = there;
    if ((s = frame_push(there))) return s;
  }
  return PL_OK;
}

/* Outputs, and the inputs that the op updated, to where they belong. Memory is taken before the
** first input changes, so that a failure changes none. */
static pl_status take_back(call *c, tensor *const *given, tensor *const *y) {
  pl_status s = PL_OK;
  for (int j = 0; !s && j < c->row->info.n_out; j++)
    s = tensor_to_device(y[j], c->device, &c->y[j]);
  for (int i = 0; !s && i < c->n_x; i++) {
    tensor *here;
    if (!c->x[i] || !(call_argument(c, i)->marks & PL_UPDATED)) continue;
    if ((s = tensor_to_device(c->x[i], c->device, &here))) return s;
    c->x[i] = here;
    s = frame_push(here);
  }
  for (int i = 0; !s && i < c->n_x; i++)
    if (c->x[i] && (call_argument(c, i)->marks & PL_UPDATED)) s = tensor_assign(given[i], c->x[i]);
  return s;
}

/* The CPU computes what this device cannot: operands travel there and back. */
static pl_status run_on_host(call *c) {
  int32_t id;
  pl_status s = pl_device_open("cpu", &id);
  if (s) return s;
  device *cpu = device_at(id);
  if (cpu == c->device)
    return status_fail(PL_EDTYPE, call_name(c), NULL, "%s: no kernel on %s takes %s; use :to() "
                       "for another dtype", call_name(c), c->device->name,
                       pl_dtype_name(c->n_x && c->x[0] ? c->x[0]->view.dtype : c->out[0].dtype));
  say_once(c);
  tensor **given = c->x, *x[c->n_x + 1], *y[PL_MAX_OUT] = { NULL };
  for (int i = 0; i < c->n_x; i++) x[i] = given[i];
  c->x = x;
  context *here = c->here;
  int32_t recording = here->shared.grad, device = here->shared.device;
  here->shared.grad = 0;
  here->shared.device = id;
  s = bring_inputs(c, cpu);
  if (!s) s = apply(c->row->info.id, c->attrs, x, c->counts, c->n_x, y);
  for (int j = 0; !s && j < c->row->info.n_out; j++) s = frame_push(y[j]);
  if (!s) s = take_back(c, given, y);
  here->shared.grad = recording;
  here->shared.device = device;
  c->x = given;
  return s;
}

/* A row whose gradient is that of its composite needs the composite while gradients are recorded,
** whatever kernel a device has. */
static bool may_launch(const call *c) {
  if (!c->device->kernels[c->row->info.id]) return false;
  return c->row->grad != grad_via || !c->here->shared.grad;
}

pl_status call_run(call *c) {
  pl_status s = PL_OK;
  int n_out = c->row->info.n_out;
  if (may_launch(c)) {
    const pl_operand *out[PL_MAX_OUT] = { NULL };
    for (int j = 0; j < n_out && !s; j++) {
      s = tensor_make(c->device, &c->out[j], &c->y[j]);
      out[j] = s ? NULL : &c->y[j]->view;
      c->out[j].count = s ? 0 : c->y[j]->view.count;
    }
    if (!s) s = call_run_kernel(c, out);
    if (!s) return PL_OK;
    for (int j = 0; j < n_out; j++) {
      tensor_unref(c->y[j]);
      c->y[j] = NULL;
    }
    if (s != PL_EUNSUPPORTED) return s;
  }
  s = run_composite(c);
  return s == PL_EUNSUPPORTED ? run_on_host(c) : s;
}

/* ---- views ---- */

static pl_status make_view(call *c) {
  tensor *x = c->x[0], *y;
  if (x->is_number)
    return status_fail(PL_EARGUMENT, call_name(c), "x", "%s: a number has no dimensions",
                       call_name(c));
  if (!(y = tensor_blank())) return PL_EMEMORY;
  y->view = c->out[0];
  y->view.dtype = x->view.dtype;
  y->view.buffer = x->view.buffer;
  shape_refresh(&y->view);
  y->storage = storage_ref(x->storage);
  y->base = tensor_ref(x->base ? x->base : x);
  y->seen = y->base->updates;
  c->y[0] = y;
  return PL_OK;
}

/* A view where strides allow it, else of a copy (reshape of a transpose). */
pl_status call_run_view(call *c) {
  pl_status s = call_infer(c);
  if (s == PL_EUNSUPPORTED) {
    tensor *copy;
    if ((s = apply(OP_copy, NULL, c->x, NULL, 1, &copy))) return s;
    c->x[0] = copy;
    if (!(s = frame_push(copy))) s = call_infer(c);
  }
  return s ? s : make_view(c);
}
