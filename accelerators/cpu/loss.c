/*
** loss.c -- cross-entropy and negative log-likelihood of n rows of classes. Targets are checked
** before anything is written. Rows form blocks by shape, so sums do not depend on threads.
*/
#include "cpu.h"
#include "real.h"
#include "target.h"
#include "vecmath.h"
#include <string.h>

enum { BLOCK = 8192, BLOCKS = 256 };   /* elements in a block of rows, and how many blocks */

typedef struct loss {
  int32_t dtype;
  int64_t n, classes;
  const void *x, *weight;
  positions target;
  double smoothing, weights;           /* weights: the sum over classes */
  void *each, *log_sum;                /* outputs of the forward pass; each may be NULL */
  const void *grad;
  bool each_grad;
  double scale;                        /* of grad: 1 over the divisor of the mean */
  void *dx;
  int64_t rows;                        /* in a block */
  double (*run)(const struct loss *l, int64_t begin, int64_t end);
  double parts[BLOCKS];
} loss;

#define REAL f32
#include "row_real.h"
#include "loss_real.h"
#undef REAL
#define REAL f64
#include "row_real.h"
#include "loss_real.h"
#undef REAL

static void loss_block(void *context, int64_t index, int worker) {
  (void)worker;
  loss *l = context;
  l->parts[index] = l->run(l, index * l->rows, min_i64((index + 1) * l->rows, l->n));
}

static double loss_rows(loss *l, double (*f32)(const loss *, int64_t, int64_t),
                        double (*f64)(const loss *, int64_t, int64_t)) {
  if (l->n == 0) return 0;
  l->run = l->dtype == PL_F32 ? f32 : f64;
  l->rows = max_i64(max_i64(1, BLOCK / max_i64(1, l->classes)), (l->n + BLOCKS - 1) / BLOCKS);
  int64_t blocks = (l->n + l->rows - 1) / l->rows;
  parallel_for(blocks, l->n * l->classes, loss_block, l);
  double total = 0;
  for (int64_t i = 0; i < blocks; i++) total += l->parts[i];
  return total;
}

/* What all four rows share: x, target and weight are the first three inputs. */
static pl_status loss_open(loss *l, const pl_call *call, int64_t ignore_index, int64_t base) {
  const pl_operand *x = call->in[0], *target = call->in[1], *weight = call->in[2];
  if (x->dtype != PL_F32 && x->dtype != PL_F64) return PL_EUNSUPPORTED;
  if (weight && weight->dtype != x->dtype) return PL_EUNSUPPORTED;
  l->dtype = x->dtype;
  l->classes = x->sizes[x->rank - 1];
  l->n = target->count;
  l->x = operand_data(x);
  l->weight = weight ? operand_data(weight) : NULL;
  l->target = (positions){ operand_data(target), target->dtype, base, l->classes, true,
                           ignore_index };
  l->smoothing = 0;
  l->each = l->log_sum = l->dx = NULL;
  l->grad = NULL;
  l->each_grad = false;
  l->scale = 1;
  return LEVEL(positions_check)(&l->target, call->op->name, "target", l->n);
}

/* The divisor of a mean: the targets' weights. */
static double loss_divisor(const loss *l) {
  return l->dtype == PL_F32 ? target_weights_f32(l, 0, l->n) : target_weights_f64(l, 0, l->n);
}

static void loss_finish(const loss *l, double total, pl_reduction reduction,
                        const pl_operand *out) {
  if (reduction == PL_REDUCTION_NONE) return;
  if (reduction == PL_REDUCTION_MEAN) total /= loss_divisor(l);
  if (l->dtype == PL_F32) *(float *)operand_data(out) = (float)total;
  else *(double *)operand_data(out) = total;
}

static void loss_set_grad(loss *l, const pl_operand *grad, pl_reduction reduction) {
  l->grad = operand_data(grad);
  l->each_grad = reduction == PL_REDUCTION_NONE;
  if (reduction == PL_REDUCTION_MEAN) l->scale = 1 / loss_divisor(l);
}

KERNEL(cross_entropy) {
  const pl_cross_entropy_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_open(&l, call, a->ignore_index, a->base);
  if (status != PL_OK) return status;
  l.smoothing = a->label_smoothing;
  l.log_sum = operand_data(call->out[1]);
  if (a->reduction == PL_REDUCTION_NONE) l.each = operand_data(call->out[0]);
  double total = loss_rows(&l, cross_entropy_rows_f32, cross_entropy_rows_f64);
  loss_finish(&l, total, a->reduction, call->out[0]);
  return PL_OK;
}

KERNEL(cross_entropy_backward) {
  const pl_cross_entropy_backward_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_open(&l, call, a->ignore_index, a->base);
  if (status != PL_OK) return status;
  l.smoothing = a->label_smoothing;
  l.log_sum = operand_data(call->in[3]);
  l.weights = l.dtype == PL_F32 ? weights_f32(&l) : weights_f64(&l);
  loss_set_grad(&l, call->in[4], a->reduction);
  l.dx = operand_data(call->out[0]);
  loss_rows(&l, cross_entropy_backward_rows_f32, cross_entropy_backward_rows_f64);
  return PL_OK;
}

KERNEL(nll_loss) {
  const pl_nll_loss_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_open(&l, call, a->ignore_index, a->base);
  if (status != PL_OK) return status;
  if (a->reduction == PL_REDUCTION_NONE) l.each = operand_data(call->out[0]);
  loss_finish(&l, loss_rows(&l, nll_rows_f32, nll_rows_f64), a->reduction, call->out[0]);
  return PL_OK;
}

KERNEL(nll_loss_backward) {
  const pl_nll_loss_backward_attrs *a = call->attrs;
  loss l;
  pl_status status = loss_open(&l, call, a->ignore_index, a->base);
  if (status != PL_OK) return status;
  loss_set_grad(&l, call->in[3], a->reduction);
  l.dx = operand_data(call->out[0]);
  loss_rows(&l, nll_backward_rows_f32, nll_backward_rows_f64);
  return PL_OK;
}
