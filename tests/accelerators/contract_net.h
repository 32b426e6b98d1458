/*
** contract_net.h -- a training step on any device: linear, relu, linear, cross entropy, backward,
** SGD with momentum. What it answers is settled: nothing of it waits for Lua.
*/
#pragma once
#include "contract.h"
#include <math.h>

typedef struct net { pl_tensor weight[2], momentum[2], x, target, hyper; } net;

/* Numbers without pattern enough that no two gradients agree. */
static pl_tensor scattered(int32_t where, int64_t rows, int64_t columns, double scale) {
  float data[256];
  for (int64_t i = 0; i < rows * columns; i++)
    data[i] = (float)(scale * ((double)((i * 7919 + 13) % 101) / 50 - 1));
  pl_tensor t = make(where, PL_F32, 2, SIZES(rows, columns));
  OK(pl_tensor_write(t, data, rows * columns * 4));
  return t;
}

static net net_new(int32_t where) {
  net n = { { scattered(where, 6, 5, 0.5), scattered(where, 4, 6, 0.7) },
            { scattered(where, 6, 5, 0), scattered(where, 4, 6, 0) }, scattered(where, 3, 5, 1),
            make(where, PL_I64, 1, SIZES(3)), make(where, PL_F64, 1, SIZES(4)) };
  OK(pl_tensor_write(n.target, (int64_t[]){ 1, 4, 2 }, 24));
  OK(pl_tensor_write(n.hyper, (double[]){ 0.1, 0.9, 0, 0.01 }, 32));
  for (int i = 0; i < 2; i++) OK(pl_tensor_set_requires_grad(n.weight[i], 1));
  return n;
}

static void net_free(const net *n) {
  pl_tensor all[] = { n->weight[0], n->weight[1], n->momentum[0], n->momentum[1], n->x, n->target,
                      n->hyper };
  for (int i = 0; i < 7; i++) pl_tensor_release(all[i]);
}

static pl_status forward(const net *n, pl_tensor *loss) {
  pl_linear_attrs relu, none;
  pl_cross_entropy_attrs mean;
  memset(&relu, 0, sizeof relu);
  memset(&none, 0, sizeof none);
  memset(&mean, 0, sizeof mean);
  relu.activation = PL_ACTIVATION_RELU;
  mean.ignore_index = -100;
  mean.base = 1;
  pl_tensor hidden, logits, in[3] = { n->x, n->weight[0], 0 };
  pl_status s = settled(pl_apply(OP_linear, &relu, in, NULL, 3, &hidden));
  if (s) return s;
  in[0] = hidden;
  in[1] = n->weight[1];
  if ((s = settled(pl_apply(OP_linear, &none, in, NULL, 3, &logits)))) return s;
  in[0] = logits;
  in[1] = n->target;
  return settled(pl_apply(OP_cross_entropy, &mean, in, NULL, 3, loss));
}

static pl_status step(const net *n) {
  pl_tensor loss, grads[2] = { 0 };
  pl_status s = forward(n, &loss);
  if (s || (s = backward(loss, 0))) return s;
  for (int i = 0; i < 2; i++) OK(pl_tensor_grad(n->weight[i], &grads[i]));
  pl_sgd_step_attrs at;
  memset(&at, 0, sizeof at);
  pl_tensor in[] = { n->weight[0], n->weight[1], grads[0], grads[1], n->momentum[0],
                     n->momentum[1], n->hyper };
  pl_context_get()->grad = 0;
  s = settled(pl_apply(OP_sgd_step, &at, in, (int32_t[]){ 2, 2, 2, 1 }, 7, NULL));
  pl_context_get()->grad = 1;
  return s;
}

static void drop_gradients(const net *n) {
  for (int i = 0; i < 2; i++) OK(pl_tensor_set_grad(n->weight[i], 0));
}

/* In a scope, so that whatever a failure leaves behind is given back. */
static pl_status step_in_scope(const net *n) {
  int32_t scope;
  OK(pl_scope_new(&scope));
  OK(pl_scope_enter(scope));
  pl_status s = step(n);
  drop_gradients(n);
  OK(pl_scope_close(scope));
  pl_scope_free(scope);
  return s;
}

static void read_weights(const net *n, float *out) {
  OK(pl_tensor_read(n->weight[0], out, 30 * 4));
  OK(pl_tensor_read(n->weight[1], out + 30, 24 * 4));
}

static bool alike(const float *a, const float *b, int n) {
  for (int i = 0; i < n && computes; i++)
    if (!(fabs(a[i] - b[i]) <= 1e-5)) return false;
  return true;
}

static void trained_weights(int32_t where, int steps, float *out) {
  net n = net_new(where);
  for (int i = 0; i < steps; i++) OK(step_in_scope(&n));
  read_weights(&n, out);
  net_free(&n);
}
