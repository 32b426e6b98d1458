/*
** loss.c -- cross-entropy of rows of logits. Targets are checked while they are the host's, which
** those of a batch are; one that lies outside the classes later makes its row NaN.
*/
#include "pjrt.h"
#include <math.h>
#include <stdio.h>

/* What both kernels work with: values of the program, rows x classes or a number a row. */
typedef struct loss {
  pjrt *d;
  const pl_operand *x, *target, *weight;
  pl_operand rows, flags, table;     /* shapes: n f32, n bool, n x classes bool */
  int64_t n, classes;
  int logits, is_target, counts;     /* counts: the row is not ignored */
  int weights, class_weights;        /* of the rows' targets, and the row of all; ones if absent */
} loss;

static pl_operand shape_of(int32_t dtype, int rank, int64_t rows, int64_t columns) {
  pl_operand o = { .dtype = dtype, .rank = rank, .count = rank == 2 ? rows * columns : rows };
  o.sizes[0] = rows;
  o.sizes[1] = columns;
  return o;
}

static int op1(loss *l, const char *name, const pl_operand *o, int a) {
  char type[TYPE_TEXT];
  return emit(l->d, "stablehlo.%s %%%d : %s", name, a, type_of(type, o));
}

static int op2(loss *l, const char *name, const pl_operand *o, int a, int b) {
  char type[TYPE_TEXT];
  return emit(l->d, "stablehlo.%s %%%d, %%%d : %s", name, a, b, type_of(type, o));
}

/* A number a row, or (across) a row for all, as rows x classes. */
static int spread(loss *l, const pl_operand *from, const pl_operand *to, int value, int dim) {
  char a[TYPE_TEXT], b[TYPE_TEXT];
  return emit(l->d, "stablehlo.broadcast_in_dim %%%d, dims = [%d] : (%s) -> %s", value, dim,
              type_of(a, from), type_of(b, to));
}

/* Over the classes of each row. */
static int over_classes(loss *l, const char *name, const char *start, int value) {
  char a[TYPE_TEXT], b[TYPE_TEXT];
  int first = emit(l->d, "stablehlo.constant dense<%s> : tensor<f32>", start);
  return emit(l->d, "stablehlo.reduce(%%%d init: %%%d) applies stablehlo.%s across dimensions = "
              "[1] : (%s, tensor<f32>) -> %s", value, first, name, type_of(a, l->x),
              type_of(b, &l->rows));
}

static int chosen(loss *l, const pl_operand *flags, const pl_operand *o, int flag, int a, int b) {
  char p[TYPE_TEXT], q[TYPE_TEXT];
  return emit(l->d, "stablehlo.select %%%d, %%%d, %%%d : %s, %s", flag, a, b, type_of(p, flags),
              type_of(q, o));
}

static int compared(loss *l, const char *direction, const pl_operand *o, const pl_operand *flags,
                    int a, int b) {
  char p[TYPE_TEXT], q[TYPE_TEXT];
  return emit(l->d, "stablehlo.compare %s, %%%d, %%%d : (%s, %s) -> %s", direction, a, b,
              type_of(p, o), p, type_of(q, flags));
}

static void write_targets(loss *l, int64_t base, int64_t ignored) {
  char a[TYPE_TEXT], b[TYPE_TEXT], c[TYPE_TEXT];
  pl_operand wide = shape_of(PL_I64, 1, l->n, 0), table = shape_of(PL_I64, 2, l->n, l->classes);
  int target = value_of(l->d, l->target);
  target = emit(l->d, "stablehlo.convert %%%d : (%s) -> %s", target, type_of(a, l->target),
                type_of(b, &wide));
  l->counts = compared(l, "NE", &wide, &l->flags, target,
                       constant_number(l->d, &wide, (double)ignored));
  int class = op2(l, "subtract", &wide, target, constant_number(l->d, &wide, (double)base));
  int wanted = spread(l, &wide, &table, class, 0);
  int number = emit(l->d, "stablehlo.iota dim = 1 : %s", type_of(c, &table));
  l->is_target = compared(l, "EQ", &table, &l->table, wanted, number);
}

static void write_weights(loss *l) {
  pl_operand row = shape_of(PL_F32, 1, l->classes, 0);
  int zeros = constant_number(l->d, l->x, 0);
  int given = l->weight ? value_of(l->d, l->weight) : constant_number(l->d, &row, 1);
  l->class_weights = spread(l, &row, l->x, given, 1);
  l->weights = over_classes(l, "add", "0.0", chosen(l, &l->table, l->x, l->is_target,
                                                    l->class_weights, zeros));
}

static void write_inputs(loss *l, int64_t base, int64_t ignored) {
  l->logits = value_of(l->d, l->x);
  write_targets(l, base, ignored);
  write_weights(l);
}

/* Of the rows that count: the sum of a number a row, as a scalar. */
static int total(loss *l, int value) {
  char a[TYPE_TEXT];
  int zeros = constant_number(l->d, &l->rows, 0);
  int counted = chosen(l, &l->flags, &l->rows, l->counts, value, zeros);
  int first = emit(l->d, "stablehlo.constant dense<0.0> : tensor<f32>");
  return emit(l->d, "stablehlo.reduce(%%%d init: %%%d) applies stablehlo.add across dimensions = "
              "[0] : (%s, tensor<f32>) -> tensor<f32>", counted, first, type_of(a, &l->rows));
}

static bool takes(const pl_call *call) {
  const pl_operand *x = call->in[0], *target = call->in[1];
  for (int i = 0; i < call->n_in; i++)
    if (i != 1 && call->in[i] && call->in[i]->dtype != PL_F32) return false;
  return x->rank == 2 && target->rank == 1 && target->dtype >= PL_U8 && target->dtype <= PL_I64
    && call->out[0]->dtype == PL_F32;
}

/* ---- targets that the host still has ---- */

static int64_t target_at(const pl_operand *target, int64_t i) {
  const char *host = target->buffer->host;
  if (target->dtype == PL_U8) return ((const uint8_t *)host)[i];
  if (target->dtype == PL_I32) return ((const int32_t *)host)[i];
  return ((const int64_t *)host)[i];
}

static pl_status check_targets(pjrt *d, const pl_call *call, int64_t base, int64_t ignored) {
  const pl_operand *target = call->in[1];
  int64_t classes = call->in[0]->sizes[1];
  if (target->buffer->holds != CELL_HOST || !target->dense) return PL_OK;
  for (int64_t i = 0; i < target->count; i++) {
    int64_t value = target_at(target, i);
    if (value == ignored || (value >= base && value < base + classes)) continue;
    return d->host->fail(PL_EARGUMENT, "%s: target %lld at position %lld is outside %lld..%lld",
                         call->op->name, (long long)value, (long long)(i + 1), (long long)base,
                         (long long)(base + classes - 1));
  }
  return PL_OK;
}

static pl_status loss_begin(loss *l, void *state, const pl_call *call, int64_t base,
                            int64_t ignored) {
  pl_status status;
  const pl_operand *x = call->in[0];
  if (!takes(call)) return PL_EUNSUPPORTED;
  if (!launch_begin(state, call, &status)) return status;
  *l = (loss){ .d = state, .x = x, .target = call->in[1], .weight = call->in[2],
               .n = x->sizes[0], .classes = x->sizes[1] };
  l->rows = shape_of(PL_F32, 1, l->n, 0);
  l->flags = shape_of(PL_BOOL, 1, l->n, 0);
  l->table = shape_of(PL_BOOL, 2, l->n, l->classes);
  if (!(status = check_targets(state, call, base, ignored))) {
    write_inputs(l, base, ignored);
    return PL_OK;
  }
  launch_end(state);
  return status;
}

/* ---- kernels ---- */

static int write_log_sum(loss *l) {
  int most = over_classes(l, "maximum", "0xFF800000", l->logits);
  int less = op2(l, "subtract", l->x, l->logits, spread(l, &l->rows, l->x, most, 0));
  int sum = over_classes(l, "add", "0.0", op1(l, "exponential", l->x, less));
  return op2(l, "add", &l->rows, most, op1(l, "log", &l->rows, sum));
}

/* (1-s) w_t (log_sum - x_t) + s/C sum of w (log_sum - x); NaN where no class is the target. */
static int write_rows(loss *l, int log_sum, double smoothing) {
  int zeros = constant_number(l->d, l->x, 0);
  int gap = op2(l, "subtract", l->x, spread(l, &l->rows, l->x, log_sum, 0), l->logits);
  int weighted = op2(l, "multiply", l->x, gap, l->class_weights);
  int hard = over_classes(l, "add", "0.0", chosen(l, &l->table, l->x, l->is_target, weighted,
                                                  zeros));
  int value = op2(l, "multiply", &l->rows, hard, constant_number(l->d, &l->rows, 1 - smoothing));
  if (smoothing != 0) {
    int soft = over_classes(l, "add", "0.0", weighted);
    int share = constant_number(l->d, &l->rows, smoothing / (double)l->classes);
    value = op2(l, "add", &l->rows, value, op2(l, "multiply", &l->rows, soft, share));
  }
  int ones = constant_number(l->d, l->x, 1);
  int found = over_classes(l, "maximum", "0.0", chosen(l, &l->table, l->x, l->is_target, ones,
                                                       zeros));
  int none = compared(l, "EQ", &l->rows, &l->flags, found, constant_number(l->d, &l->rows, 0));
  int nan = constant_like(l->d, &l->rows, "0x7FC00000");
  return chosen(l, &l->flags, &l->rows, none, nan, value);
}

KERNEL(cross_entropy) {
  const pl_cross_entropy_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_begin(&l, state, call, a->base, a->ignore_index);
  if (status) return status;
  int log_sum = write_log_sum(&l), rows = write_rows(&l, log_sum, a->label_smoothing);
  value_to(l.d, call->out[1], log_sum);
  if (a->reduction == PL_REDUCTION_NONE) {
    int zeros = constant_number(l.d, &l.rows, 0);
    value_to(l.d, call->out[0], chosen(&l, &l.flags, &l.rows, l.counts, rows, zeros));
    return launch_end(state);
  }
  int sum = total(&l, rows);
  if (a->reduction == PL_REDUCTION_MEAN)
    sum = emit(l.d, "stablehlo.divide %%%d, %%%d : tensor<f32>", sum, total(&l, l.weights));
  value_to(l.d, call->out[0], sum);
  return launch_end(state);
}

/* The gradient of each row's loss: grad, over the divisor of a mean, 0 where a row is ignored. */
static int row_grads(loss *l, const pl_operand *grad, int64_t reduction) {
  char a[TYPE_TEXT];
  int g = value_of(l->d, grad);
  if (reduction == PL_REDUCTION_MEAN)
    g = emit(l->d, "stablehlo.divide %%%d, %%%d : tensor<f32>", g, total(l, l->weights));
  if (reduction != PL_REDUCTION_NONE)
    g = emit(l->d, "stablehlo.broadcast_in_dim %%%d, dims = [] : (tensor<f32>) -> %s", g,
             type_of(a, &l->rows));
  return chosen(l, &l->flags, &l->rows, l->counts, g, constant_number(l->d, &l->rows, 0));
}

/* dx = g ((1-s) w_t + s/C W) exp(x - log_sum) - g s/C w, and at the target less g (1-s) w_t. */
KERNEL(cross_entropy_backward) {
  const pl_cross_entropy_backward_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_begin(&l, state, call, a->base, a->ignore_index);
  if (status) return status;
  const pl_operand *x = l.x;
  double s = a->label_smoothing;
  int g = row_grads(&l, call->in[4], a->reduction), log_sum = value_of(l.d, call->in[3]);
  int hard = op2(&l, "multiply", &l.rows, l.weights, constant_number(l.d, &l.rows, 1 - s));
  int mix = constant_number(l.d, &l.rows, s / (double)l.classes);
  int all = over_classes(&l, "add", "0.0", l.class_weights);
  int scale = op2(&l, "add", &l.rows, hard, op2(&l, "multiply", &l.rows, all, mix));
  int gap = op2(&l, "subtract", x, l.logits, spread(&l, &l.rows, x, log_sum, 0));
  int dx = op2(&l, "multiply", x, op1(&l, "exponential", x, gap),
               spread(&l, &l.rows, x, scale, 0));
  int soft = op2(&l, "multiply", x, l.class_weights,
                 constant_number(l.d, x, s / (double)l.classes));
  int less = chosen(&l, &l.table, x, l.is_target, spread(&l, &l.rows, x, hard, 0),
                    constant_number(l.d, x, 0));
  dx = op2(&l, "subtract", x, op2(&l, "subtract", x, dx, soft), less);
  value_to(l.d, call->out[0], op2(&l, "multiply", x, dx, spread(&l, &l.rows, x, g, 0)));
  return launch_end(state);
}
