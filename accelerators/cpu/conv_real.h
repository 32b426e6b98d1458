/* conv_real.h -- the bodies of conv.c, once for f32 and once for f64. */

/* to[i] = from[i * stride], n of them. */
static inline void R(take_row)(R(t) *restrict to, const R(t) *restrict from, int64_t stride,
                               int64_t n) {
  int64_t i = 0;
  if (stride != 1) {
    for (; i < n; i++) to[i] = from[i * stride];
    return;
  }
  for (; i + R(lanes) <= n; i += R(lanes)) R(store)(to, i, R(load)(from, i));
  if (i < n) R(store_part)(to + i, n - i, R(load_part)(from + i, n - i, 0));
}

/* to[i * stride] += from[i] * factor */
static inline void R(add_row)(R(t) *restrict to, const R(t) *restrict from, R(t) factor,
                              int64_t stride, int64_t n) {
  int64_t i = 0;
  if (stride != 1) {
    for (; i < n; i++) to[i * stride] += from[i] * factor;
    return;
  }
  const R(v) f = R(splat)(factor);
  for (; i + R(lanes) <= n; i += R(lanes))
    R(store)(to, i, v_fma(R(load)(from, i), f, R(load)(to, i)));
  if (i < n)
    R(store_part)(to + i, n - i, v_fma(R(load_part)(from + i, n - i, 0), f,
                                       R(load_part)(to + i, n - i, 0)));
}

static inline void R(fill)(R(t) *to, R(t) value, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = value;
}

/* Channel `channel` of group g in image n of the large side. */
static inline R(t) *R(plane)(const conv *c, int64_t n, int64_t g, int64_t channel) {
  return (R(t) *)c->large + ((n * c->groups + g) * c->ic + channel) * c->h * c->w;
}

/* The same of the small side. */
static inline R(t) *R(small_plane)(const conv *c, int64_t n, int64_t g, int64_t channel) {
  return (R(t) *)c->small + ((n * c->groups + g) * c->oc + channel) * c->oh * c->ow;
}

/* One row of the columns: what a tap of a channel meets at rows begin .. end - 1. */
static void R(take_tap)(const conv *c, int64_t g, int64_t channel, int64_t ky, int64_t kx,
                        int64_t begin, int64_t end, R(t) *to) {
  const reach x = reach_x(c, kx), y = reach_y(c, ky);
  for (int64_t r = begin, n = begin / c->oh, i = begin % c->oh; r < end; r++, to += c->ow) {
    if (i >= y.begin && i < y.end) {
      const R(t) *from = R(plane)(c, n, g, channel) + (i * c->sh + y.from) * c->w;
      for (int64_t j = 0; j < x.begin; j++) to[j] = 0;
      R(take_row)(to + x.begin, from + x.begin * c->sw + x.from, c->sw, x.end - x.begin);
      for (int64_t j = x.end; j < c->ow; j++) to[j] = 0;
    } else {
      R(fill)(to, 0, c->ow);
    }
    if (++i == c->oh) i = 0, n++;
  }
}

static void R(take_columns)(const conv *c, int64_t g, int64_t begin, int64_t end, R(t) *columns) {
  int64_t n = (end - begin) * c->ow;
  for (int64_t channel = 0; channel < c->ic; channel++)
    for (int64_t ky = 0; ky < c->kh; ky++)
      for (int64_t kx = 0; kx < c->kw; kx++, columns += n)
        R(take_tap)(c, g, channel, ky, kx, begin, end, columns);
}

/* The reverse: a row of the columns onto what its tap met. */
static void R(add_tap)(const conv *c, int64_t g, int64_t channel, int64_t ky, int64_t kx,
                       int64_t begin, int64_t end, const R(t) *from) {
  const reach x = reach_x(c, kx), y = reach_y(c, ky);
  for (int64_t r = begin, n = begin / c->oh, i = begin % c->oh; r < end; r++, from += c->ow) {
    if (i >= y.begin && i < y.end)
      R(add_row)(R(plane)(c, n, g, channel) + (i * c->sh + y.from) * c->w + x.begin * c->sw
                 + x.from, from + x.begin, 1, c->sw, x.end - x.begin);
    if (++i == c->oh) i = 0, n++;
  }
}

/* Runs of rows begin .. end - 1 that lie in one image: its number, the run's rows in it. */
typedef struct R(run) { int64_t image, row, count; } R(run);

static inline R(run) R(run_at)(const conv *c, int64_t row, int64_t end) {
  R(run) r = { row / c->oh, row % c->oh, 0 };
  r.count = min_i64(end - row, c->oh - r.row);
  return r;
}

/* Small side's rows to and from a block oc x positions. */
static void R(take_small)(const conv *c, int64_t g, int64_t begin, int64_t end, R(t) *block) {
  int64_t n = (end - begin) * c->ow;
  for (int64_t row = begin; row < end;) {
    R(run) r = R(run_at)(c, row, end);
    for (int64_t o = 0; o < c->oc; o++)
      R(take_row)(block + o * n + (row - begin) * c->ow,
                  R(small_plane)(c, r.image, g, o) + r.row * c->ow, 1, r.count * c->ow);
    row += r.count;
  }
}

static inline void R(put_row)(R(t) *to, const R(t) *from, R(t) bias, int64_t n) {
  int64_t i = 0;
  const R(v) b = R(splat)(bias);
  for (; i + R(lanes) <= n; i += R(lanes)) R(store)(to, i, R(load)(from, i) + b);
  if (i < n) R(store_part)(to + i, n - i, R(load_part)(from + i, n - i, 0) + b);
}

static inline R(t) R(bias_at)(const conv *c, int64_t channel) {
  return c->bias ? ((const R(t) *)c->bias)[channel] : 0;
}

static void R(put_small)(const conv *c, int64_t g, int64_t begin, int64_t end, const R(t) *block) {
  int64_t n = (end - begin) * c->ow;
  for (int64_t row = begin; row < end;) {
    R(run) r = R(run_at)(c, row, end);
    for (int64_t o = 0; o < c->oc; o++)
      R(put_row)(R(small_plane)(c, r.image, g, o) + r.row * c->ow,
                 block + o * n + (row - begin) * c->ow, R(bias_at)(c, g * c->oc + o),
                 r.count * c->ow);
    row += r.count;
  }
}

static inline void R(multiply)(const conv *c, gemm_args g, const R(t) *a, const R(t) *b, R(t) *out,
                               char *own) {
  g.a = a, g.b = b, g.c = out;
  g.scratch = c->gemm_bytes ? own + c->columns_bytes + c->block_bytes : NULL;
  g.scratch_bytes = c->gemm_bytes;
  LEVEL(R(gemm))(&g);
}

static void R(forward_block)(void *context, int64_t index, int worker) {
  const conv *c = context;
  int64_t g = index / c->blocks, begin = index % c->blocks * c->block;
  int64_t end = min_i64(begin + c->block, c->rows);
  char *own = c->own + (size_t)worker * c->own_bytes;
  R(t) *columns = (R(t) *)own, *block = (R(t) *)(own + c->columns_bytes);
  R(take_columns)(c, g, begin, end, columns);
  const R(t) *weight = (const R(t) *)c->weight + g * c->oc * c->k;
  R(multiply)(c, forward_product(c, end - begin), weight, columns, block, own);
  R(put_small)(c, g, begin, end, block);
}

/* Large channels first .. last - 1 of a task's images, begun with the bias. */
static void R(transpose_task)(void *context, int64_t index, int worker) {
  const conv *c = context;
  int64_t piece = index % c->pieces, g = index / c->pieces / c->blocks;
  int64_t image = index / c->pieces % c->blocks * c->per_task;
  int64_t last_image = min_i64(image + c->per_task, c->images);
  int64_t first = c->ic * piece / c->pieces, last = c->ic * (piece + 1) / c->pieces;
  char *own = c->own + (size_t)worker * c->own_bytes;
  R(t) *columns = (R(t) *)own, *block = (R(t) *)(own + c->columns_bytes);
  for (int64_t i = image; i < last_image; i++)
    for (int64_t channel = first; channel < last; channel++)
      R(fill)(R(plane)(c, i, g, channel), R(bias_at)(c, g * c->ic + channel), c->h * c->w);
  for (int64_t begin = image * c->oh; begin < last_image * c->oh; begin += c->block) {
    int64_t end = min_i64(begin + c->block, last_image * c->oh), n = (end - begin) * c->ow;
    R(take_small)(c, g, begin, end, block);
    R(multiply)(c, transpose_product(c, end - begin, last - first),
                (R(t) *)c->weight + g * c->oc * c->k + first * c->kh * c->kw, block, columns, own);
    const R(t) *from = columns;
    for (int64_t channel = first; channel < last; channel++)
      for (int64_t ky = 0; ky < c->kh; ky++)
        for (int64_t kx = 0; kx < c->kw; kx++, from += n)
          R(add_tap)(c, g, channel, ky, kx, begin, end, from);
  }
}

static inline void R(add_all)(R(t) *sum, const R(t) *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

/* Every parts-th block's share of a group's weight gradient; part 0 lies where the result goes. */
static void R(weight_part)(void *context, int64_t index, int worker) {
  const conv *c = context;
  int64_t g = index / c->parts, part = index % c->parts, weights = c->groups * c->oc * c->k;
  char *own = c->own + (size_t)worker * c->own_bytes;
  R(t) *columns = (R(t) *)own, *block = (R(t) *)(own + c->columns_bytes);
  R(t) *result = block + c->oc * c->block * c->ow;
  R(t) *sum = (part ? (R(t) *)c->shared + (part - 1) * weights : (R(t) *)c->weight)
            + g * c->oc * c->k;
  if (part >= c->blocks) R(fill)(sum, 0, c->oc * c->k);
  for (int64_t b = part; b < c->blocks; b += c->parts) {
    int64_t begin = b * c->block, end = min_i64(begin + c->block, c->rows);
    R(take_columns)(c, g, begin, end, columns);
    R(take_small)(c, g, begin, end, block);
    R(multiply)(c, weight_product(c, end - begin), block, columns, b == part ? sum : result, own);
    if (b != part) R(add_all)(sum, result, c->oc * c->k);
  }
}

static void R(weight_sum)(const conv *c, int64_t weights) {
  for (int64_t part = 1; part < c->parts; part++)
    R(add_all)((R(t) *)c->weight, (const R(t) *)c->shared + (part - 1) * weights, weights);
}

/* ---- one large channel per group ---- */

static void R(direct_forward)(void *context, int64_t index, int worker) {
  (void)worker;
  const conv *c = context;
  int64_t n = index / c->groups, g = index % c->groups, window = c->kh * c->kw;
  const R(t) *from = R(plane)(c, n, g, 0);
  for (int64_t o = 0; o < c->oc; o++) {
    R(t) *to = R(small_plane)(c, n, g, o);
    const R(t) *weight = (const R(t) *)c->weight + (g * c->oc + o) * window;
    R(fill)(to, R(bias_at)(c, g * c->oc + o), c->oh * c->ow);
    for (int64_t t = 0; t < window; t++) {
      const reach x = reach_x(c, t % c->kw), y = reach_y(c, t / c->kw);
      for (int64_t i = y.begin; i < y.end; i++) {
        const R(t) *row = from + (i * c->sh + y.from) * c->w + x.from;
        if (c->sw == 1)
          R(add_row)(to + i * c->ow + x.begin, row + x.begin, weight[t], 1, x.end - x.begin);
        else
          for (int64_t j = x.begin; j < x.end; j++) to[i * c->ow + j] += row[j * c->sw] * weight[t];
      }
    }
  }
}

static void R(direct_transpose)(void *context, int64_t index, int worker) {
  (void)worker;
  const conv *c = context;
  int64_t n = index / c->groups, g = index % c->groups, window = c->kh * c->kw;
  R(t) *to = R(plane)(c, n, g, 0);
  R(fill)(to, R(bias_at)(c, g), c->h * c->w);
  for (int64_t o = 0; o < c->oc; o++) {
    const R(t) *from = R(small_plane)(c, n, g, o);
    const R(t) *weight = (const R(t) *)c->weight + (g * c->oc + o) * window;
    for (int64_t t = 0; t < window; t++) {
      const reach x = reach_x(c, t % c->kw), y = reach_y(c, t / c->kw);
      for (int64_t i = y.begin; i < y.end; i++)
        R(add_row)(to + (i * c->sh + y.from) * c->w + x.begin * c->sw + x.from,
                   from + i * c->ow + x.begin, weight[t], c->sw, x.end - x.begin);
    }
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

static void R(direct_weight)(void *context, int64_t g, int worker) {
  (void)worker;
  const conv *c = context;
  int64_t window = c->kh * c->kw;
  for (int64_t o = 0; o < c->oc; o++)
    for (int64_t t = 0; t < window; t++) {
      const reach x = reach_x(c, t % c->kw), y = reach_y(c, t / c->kw);
      double total = 0;
      for (int64_t n = 0; n < c->images; n++) {
        const R(t) *large = R(plane)(c, n, g, 0), *small = R(small_plane)(c, n, g, o);
        for (int64_t i = y.begin; i < y.end; i++)
          total += (double)R(dot_row)(large + (i * c->sh + y.from) * c->w + x.begin * c->sw
                                      + x.from, small + i * c->ow + x.begin, c->sw,
                                      x.end - x.begin);
      }
      ((R(t) *)c->weight)[(g * c->oc + o) * window + t] = (R(t))total;
    }
}
