/* norm_real.h -- the bodies of norm.c, once for f32 and once for f64. */

/* sum of x[i] - shift */
static inline double R(sum_of)(const R(t) *x, R(t) shift, int64_t n) {
  double total = 0;
  for (int64_t at = 0; at < n; at += PIECE) {
    int64_t end = min_i64(at + PIECE, n), i = at;
    R(v) sum = { 0 };
    for (; i + R(lanes) <= end; i += R(lanes)) sum += R(load)(x, i) - shift;
    if (i < end) sum += R(load_part)(x + i, end - i, shift) - shift;
    total += (double)R(lanes_sum)(sum);
  }
  return total;
}

/* sum of (x[i] - mean)^2 */
static inline double R(squares_of)(const R(t) *x, R(t) mean, int64_t n) {
  double total = 0;
  for (int64_t at = 0; at < n; at += PIECE) {
    int64_t end = min_i64(at + PIECE, n), i = at;
    R(v) sum = { 0 };
    for (; i + R(lanes) <= end; i += R(lanes)) {
      R(v) d = R(load)(x, i) - mean;
      sum = v_fma(d, d, sum);
    }
    if (i < end) {
      R(v) d = R(load_part)(x + i, end - i, mean) - mean;
      sum = v_fma(d, d, sum);
    }
    total += (double)R(lanes_sum)(sum);
  }
  return total;
}

/* sum of g[i] and of g[i] (x[i] - mean), g times w where there is one */
static inline void R(products_of)(const R(t) *x, const R(t) *g, const R(t) *w, R(t) mean, int64_t n,
                                  double *sums, double *products) {
  for (int64_t at = 0; at < n; at += PIECE) {
    int64_t end = min_i64(at + PIECE, n), i = at;
    R(v) sum = { 0 }, product = { 0 };
    for (; i + R(lanes) <= end; i += R(lanes)) {
      R(v) v = R(load)(g, i);
      if (w) v *= R(load)(w, i);
      sum += v;
      product = v_fma(v, R(load)(x, i) - mean, product);
    }
    if (i < end) {
      R(v) v = R(load_part)(g + i, end - i, 0);
      if (w) v *= R(load_part)(w + i, end - i, 0);
      sum += v;
      product = v_fma(v, R(load_part)(x + i, end - i, mean) - mean, product);
    }
    *sums += (double)R(lanes_sum)(sum);
    *products += (double)R(lanes_sum)(product);
  }
}

/* y = (x - mean) scale + bias: the difference first, or little of x is left if scale is large. */
typedef struct R(line) { R(t) mean, scale, bias; } R(line);

static inline void R(line_to)(R(t) *restrict y, const R(t) *restrict x, R(line) l, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (x[i] - l.mean) * l.scale + l.bias;
}

static inline R(t) R(element)(const void *data, int64_t i, R(t) absent) {
  return data ? ((const R(t) *)data)[i] : absent;
}

/* A channel's statistics are known: running ones move, what normalises is kept and answered. */
static inline R(line) R(batch_settle)(const norm *t, int64_t channel, double mean, double squares) {
  R(t) *running_mean = t->running_mean, *running_var = t->running_var;
  double count = (double)(t->n * t->plane), var = squares / count;
  if (!t->training) {
    mean = (double)running_mean[channel];
    var = (double)running_var[channel];
  } else if (running_mean) {
    double m = t->momentum, unbiased = squares / (count - 1);
    running_mean[channel] = (R(t))((1 - m) * (double)running_mean[channel] + m * mean);
    running_var[channel] = (R(t))((1 - m) * (double)running_var[channel] + m * unbiased);
  }
  double rstd = 1 / sqrt(var + t->eps);
  ((R(t) *)t->mean)[channel] = (R(t))mean;
  ((R(t) *)t->rstd)[channel] = (R(t))rstd;
  double w = (double)R(element)(t->weight, channel, 1);
  return (R(line)){ (R(t))mean, (R(t))(w * rstd), R(element)(t->bias, channel, 0) };
}

static void R(batch_planes)(void *context, int64_t channel, int worker) {
  (void)worker;
  const norm *t = context;
  const R(t) *x = (const R(t) *)t->x + channel * t->plane;
  R(t) *y = (R(t) *)t->y + channel * t->plane;
  int64_t step = t->channels * t->plane;
  double mean = 0, squares = 0;
  if (t->training) {
    for (int64_t i = 0; i < t->n; i++) mean += R(sum_of)(x + i * step, 0, t->plane);
    mean /= (double)(t->n * t->plane);
    for (int64_t i = 0; i < t->n; i++) squares += R(squares_of)(x + i * step, (R(t))mean, t->plane);
  }
  const R(line) l = R(batch_settle)(t, channel, mean, squares);
  for (int64_t i = 0; i < t->n; i++) R(line_to)(y + i * step, x + i * step, l, t->plane);
}

/* Planes of one element: a few channels at a time, row by row. */
static void R(batch_columns)(void *context, int64_t index, int worker) {
  (void)worker;
  const norm *t = context;
  int64_t first = index * CHANNELS, n = min_i64(CHANNELS, t->channels - first);
  const R(t) *x = (const R(t) *)t->x + first;
  R(t) *y = (R(t) *)t->y + first;
  R(line) l[CHANNELS];
  double mean[CHANNELS] = { 0 }, squares[CHANNELS] = { 0 };
  if (t->training) {
    for (int64_t i = 0; i < t->n; i++)
      for (int64_t c = 0; c < n; c++) mean[c] += (double)x[i * t->channels + c];
    for (int64_t c = 0; c < n; c++) mean[c] /= (double)t->n;
    for (int64_t i = 0; i < t->n; i++)
      for (int64_t c = 0; c < n; c++) {
        double d = (double)x[i * t->channels + c] - mean[c];
        squares[c] += d * d;
      }
  }
  for (int64_t c = 0; c < n; c++) l[c] = R(batch_settle)(t, first + c, mean[c], squares[c]);
  for (int64_t i = 0; i < t->n; i++)
    for (int64_t c = 0; c < n; c++)
      y[i * t->channels + c] = (x[i * t->channels + c] - l[c].mean) * l[c].scale + l[c].bias;
}

/* dx = g scale - (x - mean) slope - level: in training the statistics move with x. */
typedef struct R(slopes) { R(t) scale, slope, level; } R(slopes);

static inline R(slopes) R(batch_back_settle)(const norm *t, int64_t channel, double sum,
                                             double product) {
  double rstd = (double)((const R(t) *)t->rstd)[channel], count = (double)(t->n * t->plane);
  double scale = (double)R(element)(t->weight, channel, 1) * rstd;
  ((R(t) *)t->dweight)[channel] = (R(t))(product * rstd);
  ((R(t) *)t->dbias)[channel] = (R(t))sum;
  if (!t->training) return (R(slopes)){ (R(t))scale, 0, 0 };
  return (R(slopes)){ (R(t))scale, (R(t))(scale * rstd * rstd * product / count),
                      (R(t))(scale * sum / count) };
}

static void R(batch_back_planes)(void *context, int64_t channel, int worker) {
  (void)worker;
  const norm *t = context;
  const R(t) *x = (const R(t) *)t->x + channel * t->plane;
  const R(t) *g = (const R(t) *)t->grad + channel * t->plane;
  R(t) *dx = (R(t) *)t->dx + channel * t->plane, mean = ((const R(t) *)t->mean)[channel];
  int64_t step = t->channels * t->plane;
  double sum = 0, product = 0;
  for (int64_t i = 0; i < t->n; i++)
    R(products_of)(x + i * step, g + i * step, NULL, mean, t->plane, &sum, &product);
  const R(slopes) s = R(batch_back_settle)(t, channel, sum, product);
  for (int64_t i = 0; i < t->n; i++) {
    const R(t) *restrict from = x + i * step, *restrict grad = g + i * step;
    R(t) *restrict to = dx + i * step;
    for (int64_t k = 0; k < t->plane; k++)
      to[k] = grad[k] * s.scale - (from[k] - mean) * s.slope - s.level;
  }
}

static void R(batch_back_columns)(void *context, int64_t index, int worker) {
  (void)worker;
  const norm *t = context;
  int64_t first = index * CHANNELS, n = min_i64(CHANNELS, t->channels - first);
  const R(t) *x = (const R(t) *)t->x + first, *g = (const R(t) *)t->grad + first;
  const R(t) *mean = (const R(t) *)t->mean + first;
  R(t) *dx = (R(t) *)t->dx + first;
  double sum[CHANNELS] = { 0 }, product[CHANNELS] = { 0 };
  R(slopes) s[CHANNELS];
  for (int64_t i = 0; i < t->n; i++)
    for (int64_t c = 0; c < n; c++) {
      int64_t at = i * t->channels + c;
      sum[c] += (double)g[at];
      product[c] += (double)g[at] * (double)(x[at] - mean[c]);
    }
  for (int64_t c = 0; c < n; c++) s[c] = R(batch_back_settle)(t, first + c, sum[c], product[c]);
  for (int64_t i = 0; i < t->n; i++)
    for (int64_t c = 0; c < n; c++) {
      int64_t at = i * t->channels + c;
      dx[at] = g[at] * s[c].scale - (x[at] - mean[c]) * s[c].slope - s[c].level;
    }
}

static void R(layer_rows)(void *context, int64_t index, int worker) {
  (void)worker;
  const norm *t = context;
  const R(t) *w = t->weight, *b = t->bias;
  int64_t last = min_i64((index + 1) * t->per_task, t->rows);
  for (int64_t row = index * t->per_task; row < last; row++) {
    const R(t) *restrict x = (const R(t) *)t->x + row * t->length;
    R(t) *restrict y = (R(t) *)t->y + row * t->length;
    R(t) mean = (R(t))(R(sum_of)(x, 0, t->length) / (double)t->length);
    double var = R(squares_of)(x, mean, t->length) / (double)t->length;
    R(t) rstd = (R(t))(1 / sqrt(var + t->eps));
    ((R(t) *)t->mean)[row] = mean;
    ((R(t) *)t->rstd)[row] = rstd;
    R(line_to)(y, x, (R(line)){ mean, rstd, 0 }, t->length);
    if (w)
      for (int64_t i = 0; i < t->length; i++) y[i] *= w[i];
    if (b)
      for (int64_t i = 0; i < t->length; i++) y[i] += b[i];
  }
}

/* dx = rstd (w g - mean of w g - xhat mean of w g xhat) */
static void R(layer_back_rows)(void *context, int64_t index, int worker) {
  (void)worker;
  const norm *t = context;
  const R(t) *w = t->weight;
  int64_t last = min_i64((index + 1) * t->per_task, t->rows);
  for (int64_t row = index * t->per_task; row < last; row++) {
    const R(t) *restrict x = (const R(t) *)t->x + row * t->length;
    const R(t) *restrict g = (const R(t) *)t->grad + row * t->length;
    R(t) *restrict dx = (R(t) *)t->dx + row * t->length;
    R(t) mean = ((const R(t) *)t->mean)[row], rstd = ((const R(t) *)t->rstd)[row];
    double sum = 0, product = 0, r = (double)rstd;
    R(products_of)(x, g, w, mean, t->length, &sum, &product);
    R(t) slope = (R(t))(r * r * r * product / (double)t->length);
    R(t) level = (R(t))(r * sum / (double)t->length);
    for (int64_t i = 0; i < t->length; i++)
      dx[i] = (w ? g[i] * w[i] : g[i]) * rstd - (x[i] - mean) * slope - level;
  }
}

static void R(layer_back_columns)(void *context, int64_t index, int worker) {
  (void)worker;
  const norm *t = context;
  int64_t first = index * COLUMNS, n = min_i64(COLUMNS, t->length - first);
  double sum[COLUMNS] = { 0 }, product[COLUMNS] = { 0 };
  for (int64_t row = 0; row < t->rows; row++) {
    const R(t) *x = (const R(t) *)t->x + row * t->length + first;
    const R(t) *g = (const R(t) *)t->grad + row * t->length + first;
    R(t) mean = ((const R(t) *)t->mean)[row], rstd = ((const R(t) *)t->rstd)[row];
    for (int64_t i = 0; i < n; i++) {
      sum[i] += (double)g[i];
      product[i] += (double)(g[i] * ((x[i] - mean) * rstd));
    }
  }
  for (int64_t i = 0; i < n; i++) {
    ((R(t) *)t->dweight)[first + i] = (R(t))product[i];
    ((R(t) *)t->dbias)[first + i] = (R(t))sum[i];
  }
}
