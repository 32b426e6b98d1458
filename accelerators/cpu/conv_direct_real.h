/* conv_direct_real.h -- groups of few channels, tap by tap on the planes; for f32 and for f64. */

/* to[i * to_step] += from[i * from_step] * factor */
static inline void R(add_row)(R(t) *restrict to, int64_t to_step, const R(t) *restrict from,
                              int64_t from_step, R(t) factor, int64_t n) {
  int64_t i = 0;
  if (to_step != 1 || from_step != 1) {
    for (; i < n; i++) to[i * to_step] += from[i * from_step] * factor;
    return;
  }
  const R(v) f = R(splat)(factor);
  for (; i + R(lanes) <= n; i += R(lanes))
    R(store)(to, i, v_fma(R(load)(from, i), f, R(load)(to, i)));
  if (i < n)
    R(store_part)(to + i, n - i, v_fma(R(load_part)(from + i, n - i, 0), f,
                                       R(load_part)(to + i, n - i, 0)));
}

/* The row of a plane of the result where position i lies, at its first position. */
static inline R(t) *R(out_row)(const conv *c, R(t) *plane, int64_t i) {
  return plane + (c->y.out + i * c->y.out_step) * c->x.out_size + c->x.out;
}

/* One plane read, one written: what all taps add; weight is that pair's kernel. */
static void R(direct_pair)(const conv *c, R(t) *out, const R(t) *in, const R(t) *weight) {
  for (int64_t ky = 0; ky < c->y.taps; ky++) {
    const reach y = reach_of(&c->y, ky);
    const R(t) *w = weight + (c->y.weight + ky * c->y.weight_step) * c->kernel_w + c->x.weight;
    for (int64_t kx = 0; kx < c->x.taps; kx++) {
      const reach x = reach_of(&c->x, kx);
      for (int64_t i = y.begin; i < y.end; i++)
        R(add_row)(R(out_row)(c, out, i) + x.begin * c->x.out_step, c->x.out_step,
                   in + (i * c->y.stride + y.from) * c->x.size + x.begin * c->x.stride + x.from,
                   c->x.stride, w[kx * c->x.weight_step], x.end - x.begin);
    }
  }
}

static void R(direct_forward)(void *context, int64_t index, int worker) {
  (void)worker;
  const conv *c = context;
  const int64_t n = index / c->groups, g = index % c->groups;
  const R(t) *weight = (const R(t) *)c->weight + g * c->ic * c->oc * c->kernel_h * c->kernel_w;
  for (int64_t o = 0; o < c->oc; o++) {
    R(t) *out = R(out_plane)(c, n, g, o);
    for (int64_t i = 0; i < c->y.positions; i++)
      for (int64_t j = 0; j < c->x.positions; j++)
        R(out_row)(c, out, i)[j * c->x.out_step] = R(bias_at)(c, g, o);
    for (int64_t channel = 0; channel < c->ic; channel++)
      R(direct_pair)(c, out, R(in_plane)(c, n, g, channel),
                     weight + o * c->weight_out + channel * c->weight_in);
  }
}

/* The sum of x[i * stride] y[i]. */
static inline R(t) R(dot_row)(const R(t) *x, const R(t) *y, int64_t stride, int64_t n) {
  R(t) total = 0;
  int64_t i = 0;
  if (stride == 1) {
    R(v) sum = { 0 };
    for (; i + R(lanes) <= n; i += R(lanes)) sum = v_fma(R(load)(x, i), R(load)(y, i), sum);
    if (i < n) sum = v_fma(R(load_part)(x + i, n - i, 0), R(load_part)(y + i, n - i, 0), sum);
    return R(lanes_sum)(sum);
  }
  for (; i < n; i++) total += x[i * stride] * y[i];
  return total;
}

/* What a tap at (y, x) adds up over all images for one pair of channels. */
static double R(direct_sum)(const conv *c, int64_t g, int64_t o, int64_t channel, reach y,
                            reach x) {
  double total = 0;
  for (int64_t n = 0; n < c->images; n++) {
    const R(t) *in = R(in_plane)(c, n, g, channel), *grad = R(out_plane)(c, n, g, o);
    for (int64_t i = y.begin; i < y.end; i++)
      total += (double)R(dot_row)(in + (i * c->y.stride + y.from) * c->x.size
                                  + x.begin * c->x.stride + x.from,
                                  grad + i * c->x.positions + x.begin, c->x.stride,
                                  x.end - x.begin);
  }
  return total;
}

static void R(direct_weight)(void *context, int64_t g, int worker) {
  (void)worker;
  const conv *c = context;
  R(t) *to = (R(t) *)c->weight + g * c->oc * c->ic * c->kernel_h * c->kernel_w;
  for (int64_t o = 0; o < c->oc; o++)
    for (int64_t channel = 0; channel < c->ic; channel++)
      for (int64_t ky = 0; ky < c->kernel_h; ky++)
        for (int64_t kx = 0; kx < c->kernel_w; kx++)
          *to++ = (R(t))R(direct_sum)(c, g, o, channel, reach_of(&c->y, ky), reach_of(&c->x, kx));
}
