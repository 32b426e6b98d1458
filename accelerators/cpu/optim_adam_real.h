/* optim_adam_real.h -- the loops of optim_adam.c, once for f32 and once for f64. */

/* One vector, in PyTorch's order of steps; top is the largest square so far, or NULL. */
static inline __attribute__((always_inline)) void
R(adam_vector)(const adam_numbers *a, R(t) *p, const R(t) *g, R(t) *m, R(t) *v, R(t) *top) {
  R(v) x = R(load)(p, 0), d = R(load)(g, 0), mean = R(load)(m, 0), square = R(load)(v, 0);
  if (a->maximize) d = -d;
  if (a->penalty != 0) d = v_fma(x, R(splat)((R(t))a->penalty), d);
  mean = v_fma(d - mean, R(splat)((R(t))a->share1), mean);
  square = v_fma(d * (R(t))a->share2, d, square * (R(t))a->beta2);
  R(store)(m, 0, mean);
  R(store)(v, 0, square);
  if (top) {
    R(v) largest = R(load)(top, 0);
    square = v_select(square < largest, largest, square);
    R(store)(top, 0, square);
  }
  R(v) scale = v_fma(v_sqrt(square), R(splat)((R(t))a->correction), R(splat)((R(t))a->eps));
  R(store)(p, 0, x * (R(t))a->keep - mean * (R(t))a->step_size / scale);
}

static void R(adam_range)(adam_numbers a, void *param, const void *grad, void *mean, void *square,
                          void *largest, int64_t n) {
  R(t) *p = param, *m = mean, *v = square, *top = largest;
  const R(t) *g = grad;
  int64_t i = 0;
  for (; i + R(lanes) <= n; i += R(lanes))
    R(adam_vector)(&a, p + i, g + i, m + i, v + i, top ? top + i : top);
  if (i == n) return;
  R(t) tail[5][R(lanes)] = { { 0 } };
  size_t left = (size_t)(n - i) * sizeof(R(t));
  memcpy(tail[0], p + i, left);
  memcpy(tail[1], g + i, left);
  memcpy(tail[2], m + i, left);
  memcpy(tail[3], v + i, left);
  if (top) memcpy(tail[4], top + i, left);
  R(adam_vector)(&a, tail[0], tail[1], tail[2], tail[3], top ? tail[4] : NULL);
  memcpy(p + i, tail[0], left);
  memcpy(m + i, tail[2], left);
  memcpy(v + i, tail[3], left);
  if (top) memcpy(top + i, tail[4], left);
}
