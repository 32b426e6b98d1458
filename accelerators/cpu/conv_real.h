/* conv_real.h -- the blocks of conv.c, once for f32 and once for f64. */

/* Channel `channel` of group g in image n of the side that is read, and of the other one. */
static inline R(t) *R(in_plane)(const conv *c, int64_t n, int64_t g, int64_t channel) {
  return (R(t) *)c->in + ((n * c->groups + g) * c->ic + channel) * c->y.size * c->x.size;
}

static inline R(t) *R(out_plane)(const conv *c, int64_t n, int64_t g, int64_t channel) {
  return (R(t) *)c->out + ((n * c->groups + g) * c->oc + channel) * c->y.out_size * c->x.out_size;
}

static inline R(t) R(bias_at)(const conv *c, int64_t g, int64_t channel) {
  return c->bias ? ((const R(t) *)c->bias)[g * c->oc + channel] : 0;
}

static inline void R(fill)(R(t) *to, R(t) value, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = value;
}

/* ---- columns ---- */

/* What a tap meets in rows that follow each other in memory as they do in the columns: zeros where
** it is outside. May write a vector more. `n` positions a row. */
static inline void R(take_rows)(R(t) *restrict to, const R(t) *restrict from, reach x,
                                int64_t stride, int64_t n, int64_t rows) {
  int64_t i = x.begin, end = x.begin < x.end ? (rows - 1) * n + x.end : x.begin;
  from += x.from;
  if (stride == 1) {
    for (; i + R(lanes) <= end; i += R(lanes)) R(store)(to, i, R(load)(from, i));
    if (i < end) R(store)(to, i, R(load_part)(from + i, end - i, 0));
  } else {
    for (; i < end; i++) to[i] = from[i * stride];
  }
  for (; rows > 0; rows--, to += n) {
    for (i = 0; i < x.begin; i++) to[i] = 0;
    for (i = x.end; i < n; i++) to[i] = 0;
  }
}

/* `count` rows of positions from `row` on, counted through images of `height` rows; the tap meets
** row i of an image at i * stride + from. */
static void R(take_tap)(const conv *c, int64_t g, int64_t channel, reach x, int64_t from,
                        int64_t image, int64_t row, int64_t height, int64_t count, R(t) *to) {
  const int64_t n = c->x.positions;
  const bool follow = c->y.stride == 1 && c->x.stride == 1 && n == c->x.size;
  for (int64_t run; count > 0; count -= run, to += run * n) {
    int64_t at = row * c->y.stride + from;
    run = 1;
    if (at < 0 || at >= c->y.size) {
      R(fill)(to, 0, n);
    } else {
      if (follow) run = min_i64(min_i64(count, height - row), c->y.size - at);
      R(take_rows)(to, R(in_plane)(c, image, g, channel) + at * c->x.size, x, c->x.stride, n, run);
    }
    if ((row += run) == height) row = 0, image++;
  }
}

/* Columns of channels first .. last - 1 for a block: [channel][ky][kx], or [channel][kx] if tall;
** from the first row to the last, since each may write into the next. */
static void R(take_columns)(const conv *c, int64_t g, int64_t first, int64_t last, rows r,
                            R(t) *to) {
  const int64_t height = c->y.positions, image = r.begin / height, row = r.begin % height;
  const int64_t taps = c->tall ? 1 : c->y.taps, step = pitch(c, r.end - r.begin);
  const int64_t count = r.end - r.begin + halo(c), wrap = c->tall ? height + count : height;
  for (int64_t channel = first; channel < last; channel++)
    for (int64_t ky = 0; ky < taps; ky++)
      for (int64_t kx = 0; kx < c->x.taps; kx++, to += step)
        R(take_tap)(c, g, channel, reach_of(&c->x, kx), c->y.from + ky * c->y.apart, image, row,
                    wrap, count, to);
}

/* ---- the other side ---- */

/* Runs of rows that lie in one image: its number, the run's first row in it, how many. */
typedef struct R(run) { int64_t image, row, count; } R(run);

static inline R(run) R(run_at)(const conv *c, int64_t row, int64_t end) {
  R(run) r = { row / c->y.positions, row % c->y.positions, 0 };
  r.count = min_i64(end - row, c->y.positions - r.row);
  return r;
}

static inline void R(put_row)(R(t) *to, const R(t) *from, R(t) bias, int64_t n) {
  int64_t i = 0;
  const R(v) b = R(splat)(bias);
  for (; i + R(lanes) <= n; i += R(lanes)) R(store)(to, i, R(load)(from, i) + b);
  if (i < n) R(store_part)(to + i, n - i, R(load_part)(from + i, n - i, 0) + b);
}

/* A run of a channel's positions to where they lie. */
static void R(put_run)(const conv *c, R(t) *plane, R(run) r, R(t) bias, const R(t) *from) {
  const int64_t n = c->x.positions;
  if (c->y.out_step == 1 && c->x.out_step == 1) {
    R(put_row)(plane + r.row * n, from, bias, r.count * n);
    return;
  }
  for (int64_t i = r.row; i < r.row + r.count; i++, from += n) {
    R(t) *to = plane + (c->y.out + i * c->y.out_step) * c->x.out_size + c->x.out;
    for (int64_t j = 0; j < n; j++) to[j * c->x.out_step] = from[j] + bias;
  }
}

/* A block oc x positions to the side that is written. */
static void R(put_block)(const conv *c, int64_t g, rows all, const R(t) *block) {
  const int64_t n = (all.end - all.begin) * c->x.positions;
  for (int64_t row = all.begin; row < all.end;) {
    R(run) r = R(run_at)(c, row, all.end);
    for (int64_t o = 0; o < c->oc; o++)
      R(put_run)(c, R(out_plane)(c, r.image, g, o), r, R(bias_at)(c, g, o),
                 block + o * n + (row - all.begin) * c->x.positions);
    row += r.count;
  }
}

/* The reverse, for a gradient: its positions are all of its elements. */
static void R(take_block)(const conv *c, int64_t g, rows all, R(t) *block) {
  const int64_t width = c->x.positions, n = (all.end - all.begin) * width;
  for (int64_t row = all.begin; row < all.end;) {
    R(run) r = R(run_at)(c, row, all.end);
    for (int64_t o = 0; o < c->oc; o++)
      R(put_row)(block + o * n + (row - all.begin) * width,
                 R(out_plane)(c, r.image, g, o) + r.row * width, 0, r.count * width);
    row += r.count;
  }
}

/* ---- tasks ---- */

/* A result channel's weight in the order of k. */
static void R(prepare)(void *context, int64_t index, int worker) {
  (void)worker;
  const conv *c = context;
  const int64_t g = index / c->oc, o = index % c->oc;
  R(t) *to = (R(t) *)c->shared + index * c->k;
  const R(t) *from = (const R(t) *)c->weight + o * c->weight_out
                   + g * c->ic * c->oc * c->kernel_h * c->kernel_w
                   + c->y.weight * c->kernel_w + c->x.weight;
  for (int64_t channel = 0; channel < c->ic; channel++)
    for (int64_t ky = 0; ky < c->y.taps; ky++)
      for (int64_t kx = 0; kx < c->x.taps; kx++)
        to[channel * c->k_channel + ky * c->k_row + kx] =
            from[channel * c->weight_in + ky * c->y.weight_step * c->kernel_w
                 + kx * c->x.weight_step];
}

static inline void R(multiply)(const conv *c, gemm_args g, const R(t) *a, const R(t) *b, R(t) *out,
                               bool accumulate, char *own) {
  g.a = a, g.b = b, g.c = out, g.accumulate = accumulate;
  g.scratch = c->gemm_bytes ? own + c->columns_bytes + c->block_bytes : NULL;
  g.scratch_bytes = c->gemm_bytes;
  LEVEL(R(gemm))(&g);
}

static void R(forward_block)(void *context, int64_t index, int worker) {
  const conv *c = context;
  const int64_t g = index / c->blocks;
  const rows r = rows_of_block(c, index % c->blocks);
  char *own = c->own + (size_t)worker * c->own_bytes;
  R(t) *columns = (R(t) *)own, *block = (R(t) *)(own + c->columns_bytes);
  const R(t) *weight = (const R(t) *)c->prepared + g * c->oc * c->k;
  for (int64_t chunk = 0; chunk < c->chunks; chunk++) {
    const int64_t first = chunk_begin(c, chunk), last = chunk_begin(c, chunk + 1);
    const gemm_args product = forward_product(c, r.end - r.begin, last - first);
    R(take_columns)(c, g, first, last, r, columns);
    for (int64_t s = 0; s < steps(c); s++)
      R(multiply)(c, product, weight + first * c->k_channel + s * c->k_row,
                  columns + s * c->y.apart * c->x.positions, block, chunk + s > 0, own);
  }
  R(put_block)(c, g, r, block);
}

/* Every parts-th block's share of the weight's gradient for a chunk of channels, as [k][oc]. */
static void R(weight_part)(void *context, int64_t index, int worker) {
  const conv *c = context;
  const int64_t part = index % c->parts, chunk = index / c->parts % c->chunks;
  const int64_t g = index / c->parts / c->chunks;
  const int64_t first = chunk_begin(c, chunk), last = chunk_begin(c, chunk + 1);
  char *own = c->own + (size_t)worker * c->own_bytes;
  R(t) *columns = (R(t) *)own, *block = (R(t) *)(own + c->columns_bytes);
  R(t) *sum = (R(t) *)c->shared + (part * c->groups + g) * c->k * c->oc;
  for (int64_t b = part; b < max_i64(c->blocks, c->parts); b += c->parts) {
    const rows r = b < c->blocks ? rows_of_block(c, b) : (rows){ 0, 0 };
    const gemm_args product = weight_product(c, r.end - r.begin, last - first);
    R(take_columns)(c, g, first, last, r, columns);
    R(take_block)(c, g, r, block);
    for (int64_t s = 0; s < steps(c); s++)
      R(multiply)(c, product, columns + s * c->y.apart * c->x.positions, block,
                  sum + (first * c->k_channel + s * c->k_row) * c->oc, b != part, own);
  }
}

/* Adds up a large channel's parts and puts them in the weight's order. */
static void R(weight_finish)(void *context, int64_t index, int worker) {
  (void)worker;
  const conv *c = context;
  const int64_t g = index / c->ic, channel = index % c->ic, window = c->kernel_h * c->kernel_w;
  R(t) *to = (R(t) *)c->weight + (g * c->oc * c->ic + channel) * window;
  for (int64_t ky = 0; ky < c->kernel_h; ky++)
    for (int64_t kx = 0; kx < c->kernel_w; kx++, to++) {
      const int64_t k = channel * c->k_channel + ky * c->k_row + kx;
      R(t) *sum = (R(t) *)c->shared + (g * c->k + k) * c->oc;
      for (int64_t part = 1; part < c->parts; part++) {
        const R(t) *more = sum + part * c->groups * c->k * c->oc;
        for (int64_t o = 0; o < c->oc; o++) sum[o] += more[o];
      }
      for (int64_t o = 0; o < c->oc; o++) to[o * c->weight_out] = sum[o];
    }
}
