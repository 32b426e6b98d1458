/*
** norm.c -- batch_norm and layer_norm with their gradients. Sums are made in pieces of at most
** PIECE elements in the dtype's vectors and added up as doubles, in an order that follows from the
** shape. A task of batch_norm is a channel, or a block of channels where planes are single
** elements; a task of layer_norm is a row, or a block of columns for the sums over rows.
*/
#include "cpu.h"
#include "real.h"
#include <math.h>

enum { PIECE = 512, CHANNELS = 32, COLUMNS = 64, ROW_BLOCK = 4096 };

typedef struct norm {
  int32_t dtype;
  int64_t n, channels, plane;        /* batch: n x channels x plane */
  int64_t rows, length;              /* layer: rows x length */
  const void *x, *weight, *bias, *grad;
  void *y, *mean, *rstd;             /* mean and rstd: results, or given to the gradient */
  void *running_mean, *running_var;
  void *dx, *dweight, *dbias;
  double momentum, eps;
  bool training;
  int64_t per_task;
} norm;

#define REAL f32
#include "norm_real.h"
#undef REAL
#define REAL f64
#include "norm_real.h"
#undef REAL

static void *data_of(const pl_operand *o) { return o ? operand_data(o) : NULL; }

static bool norm_takes(const pl_call *call) {
  int32_t dtype = call->in[0]->dtype;
  if (dtype != PL_F32 && dtype != PL_F64) return false;
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i] && (call->in[i]->dtype != dtype || !call->in[i]->dense)) return false;
  return true;
}

static norm batch_of(const pl_call *call) {
  const pl_operand *x = call->in[0];
  norm t = { .dtype = x->dtype, .n = x->sizes[0], .channels = x->sizes[1], .plane = 1,
             .x = data_of(x), .weight = data_of(call->in[1]) };
  for (int d = 2; d < x->rank; d++) t.plane *= x->sizes[d];
  t.per_task = t.plane == 1 ? CHANNELS : 1;
  return t;
}

static void batch_run(norm *t, parallel_body planes_f32, parallel_body planes_f64,
                      parallel_body columns_f32, parallel_body columns_f64) {
  int64_t tasks = (t->channels + t->per_task - 1) / t->per_task;
  parallel_body planes = t->dtype == PL_F32 ? planes_f32 : planes_f64;
  parallel_body columns = t->dtype == PL_F32 ? columns_f32 : columns_f64;
  parallel_for(tasks, t->n * t->channels * t->plane, t->plane == 1 ? columns : planes, t);
}

KERNEL(batch_norm) {
  const pl_batch_norm_attrs *a = call->attrs;
  if (!norm_takes(call)) return PL_EUNSUPPORTED;
  norm t = batch_of(call);
  t.bias = data_of(call->in[2]);
  t.running_mean = data_of(call->in[3]);
  t.running_var = data_of(call->in[4]);
  t.y = data_of(call->out[0]);
  t.mean = data_of(call->out[1]);
  t.rstd = data_of(call->out[2]);
  t.momentum = a->momentum;
  t.eps = a->eps;
  t.training = a->training;
  batch_run(&t, batch_planes_f32, batch_planes_f64, batch_columns_f32, batch_columns_f64);
  return PL_OK;
}

KERNEL(batch_norm_backward) {
  if (!norm_takes(call)) return PL_EUNSUPPORTED;
  norm t = batch_of(call);
  t.mean = data_of(call->in[2]);
  t.rstd = data_of(call->in[3]);
  t.grad = data_of(call->in[4]);
  t.dx = data_of(call->out[0]);
  t.dweight = data_of(call->out[1]);
  t.dbias = data_of(call->out[2]);
  t.training = ((const pl_batch_norm_backward_attrs *)call->attrs)->training;
  batch_run(&t, batch_back_planes_f32, batch_back_planes_f64, batch_back_columns_f32,
            batch_back_columns_f64);
  return PL_OK;
}

static norm layer_of(const pl_call *call, const pl_operand *statistics) {
  const pl_operand *x = call->in[0];
  norm t = { .dtype = x->dtype, .rows = statistics->count, .length = 1, .x = data_of(x),
             .weight = data_of(call->in[1]) };
  for (int d = statistics->rank; d < x->rank; d++) t.length *= x->sizes[d];
  t.per_task = max_i64(1, ROW_BLOCK / max_i64(1, t.length));
  return t;
}

static void layer_run(norm *t, parallel_body f32, parallel_body f64) {
  parallel_for((t->rows + t->per_task - 1) / t->per_task, t->rows * t->length,
               t->dtype == PL_F32 ? f32 : f64, t);
}

KERNEL(layer_norm) {
  if (!norm_takes(call)) return PL_EUNSUPPORTED;
  norm t = layer_of(call, call->out[1]);
  t.bias = data_of(call->in[2]);
  t.y = data_of(call->out[0]);
  t.mean = data_of(call->out[1]);
  t.rstd = data_of(call->out[2]);
  t.eps = ((const pl_layer_norm_attrs *)call->attrs)->eps;
  layer_run(&t, layer_rows_f32, layer_rows_f64);
  return PL_OK;
}

KERNEL(layer_norm_backward) {
  if (!norm_takes(call)) return PL_EUNSUPPORTED;
  norm t = layer_of(call, call->in[2]);
  t.mean = data_of(call->in[2]);
  t.rstd = data_of(call->in[3]);
  t.grad = data_of(call->in[4]);
  t.dx = data_of(call->out[0]);
  t.dweight = data_of(call->out[1]);
  t.dbias = data_of(call->out[2]);
  layer_run(&t, layer_back_rows_f32, layer_back_rows_f64);
  parallel_for((t.length + COLUMNS - 1) / COLUMNS, t.rows * t.length,
               t.dtype == PL_F32 ? layer_back_columns_f32 : layer_back_columns_f64, &t);
  return PL_OK;
}
