/* optim_rmsprop_real.h -- the loops of optim_rmsprop.c, once for f32 and once for f64. */

/* One vector, in PyTorch's order of steps; m is NULL unless centered, b without momentum. */
static inline __attribute__((always_inline)) void
R(rmsprop_vector)(const rmsprop *s, R(t) *p, const R(t) *g, R(t) *v, R(t) *m, R(t) *b) {
  R(v) x = R(load)(p, 0), d = R(load)(g, 0), square = R(load)(v, 0);
  R(v) share = R(splat)((R(t))(1 - s->alpha));
  if (s->maximize) d = -d;
  if (s->decay != 0) d = v_fma(x, R(splat)((R(t))s->decay), d);
  square = v_fma(d * share, d, square * (R(t))s->alpha);
  R(store)(v, 0, square);
  if (m) {
    R(v) mean = R(load)(m, 0);
    mean = v_fma(d - mean, share, mean);
    R(store)(m, 0, mean);
    square = square - mean * mean;
  }
  d = d / (v_sqrt(square) + (R(t))s->eps);
  if (b) {
    d = v_fma(R(load)(b, 0), R(splat)((R(t))s->momentum), d);
    R(store)(b, 0, d);
  }
  R(store)(p, 0, v_fma(d, R(splat)((R(t))-s->lr), x));
}

static void R(rmsprop_range)(rmsprop s, void *param, const void *grad, void *square, void *mean,
                             void *buffer, int64_t n) {
  R(t) *p = param, *v = square, *m = mean, *b = buffer;
  const R(t) *g = grad;
  int64_t i = 0;
  for (; i + R(lanes) <= n; i += R(lanes))
    R(rmsprop_vector)(&s, p + i, g + i, v + i, m ? m + i : m, b ? b + i : b);
  if (i == n) return;
  R(t) tail[5][R(lanes)] = { { 0 } };
  size_t left = (size_t)(n - i) * sizeof(R(t));
  memcpy(tail[0], p + i, left);
  memcpy(tail[1], g + i, left);
  memcpy(tail[2], v + i, left);
  if (m) memcpy(tail[3], m + i, left);
  if (b) memcpy(tail[4], b + i, left);
  R(rmsprop_vector)(&s, tail[0], tail[1], tail[2], m ? tail[3] : NULL, b ? tail[4] : NULL);
  memcpy(p + i, tail[0], left);
  memcpy(v + i, tail[2], left);
  if (m) memcpy(m + i, tail[3], left);
  if (b) memcpy(b + i, tail[4], left);
}
