// loss.cl -- cross-entropy of rows of logits. A target outside the classes is told through `fault`
// and counts as ignored meanwhile.

typedef struct rows {
  long n, classes, size, base, ignored;      // size: bytes of a target
  long reduction;                            // 0 mean, 1 sum, 2 none
} rows;

static long target_value(global const uchar *target, const rows *r, long i) {
  if (r->size == 1) return target[i];
  if (r->size == 4) return ((global const int *)target)[i];
  return ((global const long *)target)[i];
}

// The class from 0, or -1 where the row does not count.
static long target_class(global const uchar *target, const rows *r, long i) {
  const long value = target_value(target, r, i), c = value - r->base;
  return value == r->ignored || c < 0 || c >= r->classes ? -1 : c;
}

static void check_target(global const uchar *target, const rows *r, long i, global int *fault) {
  const long value = target_value(target, r, i);
  if (value != r->ignored && target_class(target, r, i) < 0)
    tell_fault(fault, i, value, r->base, r->base + r->classes - 1);
}

static float divisor(global const uchar *target, global const float *weight, const rows *r) {
  total t = { 0, 0 };
  if (r->reduction != 0) return 1;
  for (long i = 0; i < r->n; i++) {
    const long c = target_class(target, r, i);
    if (c >= 0) add_to(&t, weight ? weight[c] : 1);
  }
  return t.sum;
}

kernel void row_log_sum(global const float *logits, global const uchar *target,
                        global float *log_sum, const rows r, global int *fault) {
  ITEM;
  global const float *x = logits + i * r.classes;
  float most = -INFINITY;
  total t = { 0, 0 };
  check_target(target, &r, i, fault);
  for (long c = 0; c < r.classes; c++) most = x[c] > most || isnan(x[c]) ? x[c] : most;
  for (long c = 0; c < r.classes; c++) add_to(&t, exp(x[c] - most));
  log_sum[i] = most + log(t.sum);
}

static float row_loss(global const float *logits, global const uchar *target,
                      global const float *weight, global const float *log_sum, const rows *r,
                      float smoothing, long i) {
  const long c = target_class(target, r, i);
  global const float *x = logits + i * r->classes;
  if (c < 0) return 0;
  float value = (1 - smoothing) * (weight ? weight[c] : 1) * (log_sum[i] - x[c]);
  if (smoothing != 0) {
    total t = { 0, 0 };
    for (long k = 0; k < r->classes; k++) add_to(&t, (weight ? weight[k] : 1) * (log_sum[i] - x[k]));
    value += smoothing / (float)r->classes * t.sum;
  }
  return value;
}

// One item for a mean or a sum, one a row where each loss is asked for.
kernel void cross_entropy(global const float *logits, global const uchar *target,
                          global const float *weight, global const float *log_sum,
                          global float *loss, const rows r, const float smoothing) {
  ITEM;
  if (r.reduction == 2) {
    loss[i] = row_loss(logits, target, weight, log_sum, &r, smoothing, i);
    return;
  }
  total t = { 0, 0 };
  for (long k = 0; k < r.n; k++)
    add_to(&t, row_loss(logits, target, weight, log_sum, &r, smoothing, k));
  loss[0] = t.sum / divisor(target, weight, &r);
}

// dx = g ((1-s) w_t + s/C W) exp(x - log_sum) - g s/C w, and at the target less g (1-s) w_t.
kernel void cross_entropy_backward(global const float *logits, global const uchar *target,
                                   global const float *weight, global const float *log_sum,
                                   global const float *grad, global float *dx, const rows r,
                                   const float smoothing) {
  ITEM;
  const long c = target_class(target, &r, i);
  const float g = grad[r.reduction == 2 ? i : 0] / divisor(target, weight, &r);
  const float hard = g * (1 - smoothing) * (weight && c >= 0 ? weight[c] : 1);
  const float soft = g * smoothing / (float)r.classes;
  float weights = (float)r.classes;
  if (weight) {
    total t = { 0, 0 };
    for (long k = 0; k < r.classes; k++) add_to(&t, weight[k]);
    weights = t.sum;
  }
  for (long k = 0; k < r.classes; k++) {
    const float share = exp(logits[i * r.classes + k] - log_sum[i]);
    const float less = soft * (weight ? weight[k] : 1) + (k == c ? hard : 0);
    dx[i * r.classes + k] = c < 0 ? 0 : (hard + soft * weights) * share - less;
  }
}
