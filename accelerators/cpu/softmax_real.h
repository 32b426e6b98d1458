/* softmax_real.h -- softmax.c's rows, once for f32 and once for f64. */

static void R(softmax_row)(const void *in, int64_t n, void *out) {
  const R(t) *x = in;
  R(t) top = R(row_max)(x, n);
  R(row_exp)(x, n, top, (R(t))(1 / R(row_exp_sum)(x, n, top)), 0, out);
}

static void R(log_softmax_row)(const void *in, int64_t n, void *out) {
  const R(t) *x = in;
  R(t) *y = out, total;
  R(rows_log_sum)(x, 1, n, &total);
  for (int64_t i = 0; i < n; i++) y[i] = x[i] - total;
}
