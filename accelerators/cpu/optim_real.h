/* optim_real.h -- the loops of optim.c, once for f32 and once for f64. */

/* One vector of PyTorch's SGD. `plain`: momentum and nothing else. */
static inline __attribute__((always_inline)) void
R(sgd_vector)(const sgd *s, bool plain, R(t) *p, const R(t) *g, R(t) *b) {
  R(v) x = R(load)(p, 0), d = R(load)(g, 0);
  if (!plain && s->maximize) d = -d;
  if (!plain && s->decay != 0) d = v_fma(x, R(splat)((R(t))s->decay), d);
  if (plain || s->buffered) {
    R(v) m = R(load)(b, 0) * (R(t))s->momentum;
    m = !plain && s->first ? d : v_fma(d, R(splat)((R(t))(1 - s->dampening)), m);
    R(store)(b, 0, m);
    d = !plain && s->nesterov ? v_fma(m, R(splat)((R(t))s->momentum), d) : m;
  }
  R(store)(p, 0, v_fma(d, R(splat)((R(t))-s->lr), x));
}

static void R(sgd_range)(const sgd *shared, void *param, const void *grad, void *buffer,
                         int64_t n) {
  const sgd s = *shared;   /* a copy: stores cannot change it */
  R(t) *p = param, *b = buffer;
  const R(t) *g = grad;
  bool plain = s.buffered && !s.first && !s.nesterov && !s.maximize && s.decay == 0;
  int64_t i = 0;
  if (plain) {
    for (; i + R(lanes) <= n; i += R(lanes)) R(sgd_vector)(&s, true, p + i, g + i, b + i);
  } else {
    for (; i + R(lanes) <= n; i += R(lanes))
      R(sgd_vector)(&s, false, p + i, g + i, s.buffered ? b + i : b);
  }
  if (i == n) return;
  R(t) tail[3][R(lanes)] = { { 0 } };
  size_t left = (size_t)(n - i) * sizeof(R(t));
  memcpy(tail[0], p + i, left);
  memcpy(tail[1], g + i, left);
  if (s.buffered) memcpy(tail[2], b + i, left);
  R(sgd_vector)(&s, false, tail[0], tail[1], tail[2]);
  memcpy(p + i, tail[0], left);
  if (s.buffered) memcpy(b + i, tail[2], left);
}

static void R(scale_range)(void *data, double factor, int64_t n) {
  R(t) *x = data, f = (R(t))factor;
  for (int64_t i = 0; i < n; i++) x[i] *= f;
}

static void R(lerp_range)(void *data, const void *others, double weight, int64_t n) {
  R(t) *x = data, w = (R(t))weight;
  const R(t) *other = others;
  for (int64_t i = 0; i < n; i++) x[i] += w * (other[i] - x[i]);
}

/* The sum of squares, in double: eight partial sums whatever the level. */
static double R(square_range)(const void *data, int64_t n) {
  const R(t) *x = data;
  double part[8] = { 0 };
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++) part[k] += (double)x[i + k] * (double)x[i + k];
  for (; i < n; i++) part[0] += (double)x[i] * (double)x[i];
  return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}
