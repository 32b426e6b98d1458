/* row_real.h -- what softmax and cross-entropy ask of a contiguous row of n elements. */
#ifndef ROWS
#define ROWS 64   /* a whole number of vectors */
#endif

static inline R(t) R(row_max)(const R(t) *x, int64_t n) {
  if (n < R(lanes)) return R(lanes_max)(R(load_part)(x, n, (R(t))-INFINITY));
  R(v) best = R(load)(x, 0);
  for (int64_t i = R(lanes); i + R(lanes) <= n; i += R(lanes)) {
    R(v) v = R(load)(x, i);
    best = v_select(v > best, v, best);
  }
  R(v) v = R(load)(x, n - R(lanes));
  return R(lanes_max)(v_select(v > best, v, best));
}

/* The sum of exp(x - shift): vectors of 1024 elements are added up in their own dtype. */
static inline double R(row_exp_sum)(const R(t) *x, int64_t n, R(t) shift) {
  double total = 0;
  int64_t i = 0;
  while (n - i >= R(lanes)) {
    int64_t end = i + min_i64(1024, (n - i) & -(int64_t)R(lanes));
    R(v) sum = { 0 };
    for (; i < end; i += R(lanes)) sum += v_exp(R(load)(x, i) - shift);
    total += (double)R(lanes_sum)(sum);
  }
  if (i < n)
    total += (double)R(lanes_sum)(v_exp(R(load_part)(x + i, n - i, (R(t))-INFINITY) - shift));
  return total;
}

/* y = exp(x - shift) scale - less */
static inline void R(row_exp)(const R(t) *x, int64_t n, R(t) shift, R(t) scale, R(t) less,
                              R(t) *y) {
  int64_t i = 0;
  for (; i + R(lanes) <= n; i += R(lanes))
    R(store)(y, i, v_exp(R(load)(x, i) - shift) * scale - less);
  if (i < n)
    R(store_part)(y + i, n - i, v_exp(R(load_part)(x + i, n - i, 0) - shift) * scale - less);
}

/* Logs of the sums of exp of `rows` <= ROWS rows. */
static inline void R(rows_log_sum)(const R(t) *x, int64_t rows, int64_t n, R(t) *out) {
  R(t) sums[ROWS] = { 0 };
  for (int64_t i = 0; i < rows; i++) {
    out[i] = R(row_max)(x + i * n, n);
    sums[i] = (R(t))R(row_exp_sum)(x + i * n, n, out[i]);
  }
  for (int64_t i = 0; i < rows; i += R(lanes)) R(store)(sums, i, v_log(R(load)(sums, i)));
  for (int64_t i = 0; i < rows; i++) out[i] += sums[i];
}
