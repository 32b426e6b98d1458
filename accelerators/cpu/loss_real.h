/* loss_real.h -- rows of loss.c, once for f32 and once for f64. */

static inline double R(class_weight)(const loss *l, int64_t c) {
  return l->weight ? (double)((const R(t) *)l->weight)[c] : 1;
}

/* The sum of the classes' weights for a target's row. */
static double R(weights)(const loss *l) {
  double total = 0;
  for (int64_t c = 0; c < l->classes; c++) total += R(class_weight)(l, c);
  return total;
}

/* Sum over classes of weight (log_sum - x): what label smoothing mixes in. */
static double R(smooth)(const loss *l, const R(t) *x, double log_sum) {
  double total = 0;
  for (int64_t c = 0; c < l->classes; c++)
    total += R(class_weight)(l, c) * (log_sum - (double)x[c]);
  return total;
}

static double R(target_weights)(const loss *l, int64_t begin, int64_t end) {
  double total = 0;
  for (int64_t i = begin; i < end; i++) {
    int64_t c = position_get(&l->target, i);
    if (c >= 0) total += R(class_weight)(l, c);
  }
  return total;
}

/* The loss of row i, whose target is class c. */
static inline double R(cross_entropy_row)(const loss *l, int64_t i, int64_t c, R(t) log_sum) {
  const R(t) *x = (const R(t) *)l->x + i * l->classes;
  double value = (1 - l->smoothing) * R(class_weight)(l, c) * (double)(log_sum - x[c]);
  if (l->smoothing != 0)
    value += l->smoothing / (double)l->classes * R(smooth)(l, x, (double)log_sum);
  return value;
}

/* Losses of rows begin..end-1; each where they are asked for, and their sum. */
static double R(cross_entropy_rows)(const loss *l, int64_t begin, int64_t end) {
  R(t) *log_sums = l->log_sum, *each = l->each;
  double total = 0;
  for (int64_t at = begin; at < end; at += ROWS)
    R(rows_log_sum)((const R(t) *)l->x + at * l->classes, min_i64(ROWS, end - at), l->classes,
                    log_sums + at);
  for (int64_t i = begin; i < end; i++) {
    int64_t c = position_get(&l->target, i);
    double value = c < 0 ? 0 : R(cross_entropy_row)(l, i, c, log_sums[i]);
    if (each) each[i] = (R(t))value;
    total += value;
  }
  return total;
}

/* dx = g ((1-s) w_t + s/C W) exp(x - log_sum) - g s/C w, and at the target less g (1-s) w_t. */
static double R(cross_entropy_backward_rows)(const loss *l, int64_t begin, int64_t end) {
  const R(t) *grads = l->grad, *log_sums = l->log_sum;
  double mix = l->smoothing / (double)l->classes;
  for (int64_t i = begin; i < end; i++) {
    const R(t) *x = (const R(t) *)l->x + i * l->classes;
    R(t) *dx = (R(t) *)l->dx + i * l->classes;
    int64_t c = position_get(&l->target, i);
    if (c < 0) {
      memset(dx, 0, (size_t)l->classes * sizeof *dx);
      continue;
    }
    double g = (double)grads[l->each_grad ? i : 0] * l->scale;
    double hard = g * (1 - l->smoothing) * R(class_weight)(l, c);
    double soft = g * mix;
    R(t) less = l->weight ? 0 : (R(t))soft;
    R(row_exp)(x, l->classes, log_sums[i], (R(t))(hard + soft * l->weights), less, dx);
    if (l->weight && soft != 0)
      for (int64_t k = 0; k < l->classes; k++) dx[k] -= (R(t))(soft * R(class_weight)(l, k));
    dx[c] -= (R(t))hard;
  }
  return 0;
}

static double R(nll_rows)(const loss *l, int64_t begin, int64_t end) {
  R(t) *each = l->each;
  double total = 0;
  for (int64_t i = begin; i < end; i++) {
    int64_t c = position_get(&l->target, i);
    double value = 0;
    if (c >= 0) value = -R(class_weight)(l, c) * (double)((const R(t) *)l->x)[i * l->classes + c];
    if (each) each[i] = (R(t))value;
    total += value;
  }
  return total;
}

static double R(nll_backward_rows)(const loss *l, int64_t begin, int64_t end) {
  const R(t) *grads = l->grad;
  R(t) *dx = (R(t) *)l->dx;
  memset(dx + begin * l->classes, 0, (size_t)((end - begin) * l->classes) * sizeof *dx);
  for (int64_t i = begin; i < end; i++) {
    int64_t c = position_get(&l->target, i);
    if (c < 0) continue;
    double g = (double)grads[l->each_grad ? i : 0] * l->scale;
    dx[i * l->classes + c] = (R(t))(-g * R(class_weight)(l, c));
  }
  return 0;
}
