/*
** optim.c -- optimizer steps. Cells take their new values, so what the program returns replaces the
** arrays it was given. A list ends with the step: one program a training step.
*/
#include "pjrt.h"

typedef struct step {
  pjrt *d;
  const pl_operand *o;               /* the tensor whose shape everything has */
  int hyper;                         /* f64 numbers of the group */
  int64_t n_hyper;
} step;

/* Number i of the group, in the shape of the tensor. */
static int number_of(const step *s, int i) {
  char a[TYPE_TEXT], b[TYPE_TEXT];
  int one = emit(s->d, "stablehlo.slice %%%d [%d:%d] : (%s) -> tensor<1xf64>", s->hyper, i, i + 1,
                 type_text(a, PL_F64, 1, &s->n_hyper));
  int scalar = emit(s->d, "stablehlo.reshape %%%d : (tensor<1xf64>) -> tensor<f64>", one);
  int x = emit(s->d, "stablehlo.convert %%%d : (tensor<f64>) -> tensor<f32>", scalar);
  return emit(s->d, "stablehlo.broadcast_in_dim %%%d, dims = [] : (tensor<f32>) -> %s", x,
              type_of(b, s->o));
}

static int op2(const step *s, const char *name, int a, int b) {
  char type[TYPE_TEXT];
  return emit(s->d, "stablehlo.%s %%%d, %%%d : %s", name, a, b, type_of(type, s->o));
}

static int negated(const step *s, int a) {
  char type[TYPE_TEXT];
  return emit(s->d, "stablehlo.negate %%%d : %s", a, type_of(type, s->o));
}

static void sgd(const step *s, const pl_sgd_step_attrs *a, const pl_operand *param,
                const pl_operand *grad, const pl_operand *momentum) {
  int x = value_of(s->d, param), g = value_of(s->d, grad);
  if (a->maximize) g = negated(s, g);
  g = op2(s, "add", g, op2(s, "multiply", x, number_of(s, 3)));
  if (momentum) {
    int m = g, share = op2(s, "subtract", constant_number(s->d, s->o, 1), number_of(s, 2));
    if (!a->first)
      m = op2(s, "add", op2(s, "multiply", value_of(s->d, momentum), number_of(s, 1)),
              op2(s, "multiply", g, share));
    g = a->nesterov ? op2(s, "add", g, op2(s, "multiply", m, number_of(s, 1))) : m;
    value_to(s->d, momentum, m);
  }
  value_to(s->d, param, op2(s, "subtract", x, op2(s, "multiply", g, number_of(s, 0))));
}

static bool list_f32(const pl_operand *const *list, int32_t n) {
  for (int32_t i = 0; i < n; i++)
    if (list[i]->dtype != PL_F32) return false;
  return true;
}

KERNEL(sgd_step) {
  const int32_t n = call->counts[0], buffers = call->counts[2];
  const pl_operand *const *params = call->in, *const *grads = params + n;
  const pl_operand *const *momentums = grads + n, *hyper = momentums[buffers];
  pl_status status;
  if (!list_f32(call->in, 2 * n + buffers)) return PL_EUNSUPPORTED;
  if (!launch_begin(state, call, &status)) return status;
  pjrt *d = state;
  step s = { d, NULL, value_of(d, hyper), hyper->count };
  for (int32_t i = 0; i < n; i++) {
    s.o = params[i];
    sgd(&s, call->attrs, params[i], grads[i], buffers ? momentums[i] : NULL);
  }
  d->list.ends = true;
  return launch_end(state);
}
