/* recurrent_real.h -- the steps of recurrent.c, once for f32 and once for f64. */

static inline R(v) R(some)(const R(t) *p, int64_t left) {
  return left >= R(lanes) ? R(load)(p, 0) : R(load_part)(p, left, 0);
}

static inline void R(put)(R(t) *p, int64_t left, R(v) x) {
  if (left >= R(lanes)) R(store)(p, 0, x);
  else R(store_part)(p, left, x);
}

/* Row `row` of the step: gates activated, c = f c + i g, h = o tanh(c). */
static void R(lstm_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = l->step * l->n + row;
  R(t) *a = (R(t) *)l->active + at * 4 * H, *cell = (R(t) *)l->cells + at * H;
  R(t) *h = (R(t) *)l->y + at * H;
  const R(t) *x = (const R(t) *)l->gates + at * 4 * H;
  const R(t) *before = l->step ? cell - l->n * H : (const R(t) *)l->c0 + row * H;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    int64_t left = H - k;
    R(v) i = v_sigmoid(R(some)(a + k, left) + R(some)(x + k, left));
    R(v) f = v_sigmoid(R(some)(a + H + k, left) + R(some)(x + H + k, left));
    R(v) g = v_tanh(R(some)(a + 2 * H + k, left) + R(some)(x + 2 * H + k, left));
    R(v) o = v_sigmoid(R(some)(a + 3 * H + k, left) + R(some)(x + 3 * H + k, left));
    R(v) c = v_fma(f, R(some)(before + k, left), i * g);
    R(put)(a + k, left, i);
    R(put)(a + H + k, left, f);
    R(put)(a + 2 * H + k, left, g);
    R(put)(a + 3 * H + k, left, o);
    R(put)(cell + k, left, c);
    R(put)(h + k, left, o * v_tanh(c));
  }
  if (l->step == l->steps - 1)
    for (int64_t k = 0; k < H; k++) ((R(t) *)l->last_cell)[row * H + k] = cell[k];
}

/* The output before step, of all rows. */
static const R(t) *R(before)(const recurrent *l) {
  return l->step ? (const R(t) *)l->y + (l->step - 1) * l->n * l->hidden : l->h0;
}

/* Every step: its product into `to`, then each row. */
static void R(forward)(recurrent *l, void *to, parallel_body row) {
  for (l->step = 0; l->step < l->steps; l->step++) {
    l->product.a = R(before)(l);
    l->product.c = (R(t) *)to + l->step * l->n * l->product.ldc;
    LEVEL(R(gemm))(&l->product);
    parallel_for(l->n, 2 * l->n * l->product.n, row, l);
  }
}

static void R(lstm_forward)(recurrent *l) { R(forward)(l, l->active, R(lstm_row)); }

/* From dh and dc of the step to the gradients before activation, and dc of the step before. */
static void R(lstm_back_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = l->step * l->n + row;
  const R(t) *a = (const R(t) *)l->active + at * 4 * H, *cell = (const R(t) *)l->cells + at * H;
  const R(t) *before = l->step ? cell - l->n * H : (const R(t) *)l->c0 + row * H;
  const R(t) *dy = l->dy ? (const R(t) *)l->dy + at * H : NULL;
  R(t) *to = (R(t) *)l->dgates + at * 4 * H;
  R(t) *dh = (R(t) *)l->dh + row * H, *dc = (R(t) *)l->dc + row * H;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    int64_t left = H - k;
    R(v) i = R(some)(a + k, left), f = R(some)(a + H + k, left), g = R(some)(a + 2 * H + k, left);
    R(v) o = R(some)(a + 3 * H + k, left), t = v_tanh(R(some)(cell + k, left));
    R(v) d = R(some)(dh + k, left);
    if (dy) d += R(some)(dy + k, left);
    R(v) c = v_fma(d * o, 1 - t * t, R(some)(dc + k, left));
    R(put)(to + k, left, c * g * i * (1 - i));
    R(put)(to + H + k, left, c * R(some)(before + k, left) * f * (1 - f));
    R(put)(to + 2 * H + k, left, c * i * (1 - g * g));
    R(put)(to + 3 * H + k, left, d * t * o * (1 - o));
    R(put)(dc + k, left, c * f);
  }
}

/* Every step from the last: each row, then `from` times the weight into `to`. */
static void R(backward)(recurrent *l, const void *from, void *to, parallel_body row) {
  l->product.c = to;
  for (l->step = l->steps - 1; l->step >= 0; l->step--) {
    parallel_for(l->n, 2 * l->n * l->product.k, row, l);
    l->product.a = (const R(t) *)from + l->step * l->n * l->product.k;
    LEVEL(R(gemm))(&l->product);
  }
}

static void R(lstm_back)(recurrent *l) {
  R(t) *dh = l->dh, *dc = l->dc;
  const R(t) *dcell = l->dcell;
  for (int64_t k = 0; k < l->n * l->hidden; k++) dh[k] = 0, dc[k] = dcell ? dcell[k] : 0;
  R(backward)(l, l->dgates, dh, R(lstm_back_row));
}

/* Row `row` of the step: r and z activated, m = tanh(x + r q), h = m + z (h before - m). */
static void R(gru_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = l->step * l->n + row;
  R(t) *a = (R(t) *)l->active + at * 4 * H, *h = (R(t) *)l->y + at * H;
  const R(t) *x = (const R(t) *)l->gates + at * 3 * H, *before = R(before)(l) + row * H;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    int64_t left = H - k;
    R(v) r = v_sigmoid(R(some)(a + k, left) + R(some)(x + k, left));
    R(v) z = v_sigmoid(R(some)(a + H + k, left) + R(some)(x + H + k, left));
    R(v) q = R(some)(a + 2 * H + k, left);
    R(v) m = v_tanh(v_fma(r, q, R(some)(x + 2 * H + k, left)));
    R(put)(a + k, left, r);
    R(put)(a + H + k, left, z);
    R(put)(a + 2 * H + k, left, m);
    R(put)(a + 3 * H + k, left, q);
    R(put)(h + k, left, v_fma(z, R(some)(before + k, left) - m, m));
  }
}

static void R(gru_forward)(recurrent *l) { R(forward)(l, l->active, R(gru_row)); }

/* dh holds what reaches the step before without its product, which is in product_dh. */
static void R(gru_back_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = l->step * l->n + row;
  const R(t) *a = (const R(t) *)l->active + at * 4 * H, *dy = (const R(t) *)l->dy + at * H;
  const R(t) *before = R(before)(l) + row * H, *more = (const R(t) *)l->product_dh + row * H;
  R(t) *to = (R(t) *)l->dgates + at * 3 * H, *products = (R(t) *)l->dproducts + at * 3 * H;
  R(t) *dh = (R(t) *)l->dh + row * H;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    int64_t left = H - k;
    R(v) r = R(some)(a + k, left), z = R(some)(a + H + k, left);
    R(v) m = R(some)(a + 2 * H + k, left), q = R(some)(a + 3 * H + k, left);
    R(v) d = R(some)(dh + k, left) + R(some)(more + k, left) + R(some)(dy + k, left);
    R(v) dm = d * (1 - z) * (1 - m * m), dr = dm * q * r * (1 - r);
    R(v) dz = d * (R(some)(before + k, left) - m) * z * (1 - z);
    R(put)(to + k, left, dr);
    R(put)(to + H + k, left, dz);
    R(put)(to + 2 * H + k, left, dm);
    R(put)(products + k, left, dr);
    R(put)(products + H + k, left, dz);
    R(put)(products + 2 * H + k, left, dm * r);
    R(put)(dh + k, left, d * z);
  }
}

static void R(gru_back)(recurrent *l) {
  R(t) *dh = l->dh, *more = l->product_dh;
  int64_t rows = l->n * l->hidden;
  for (int64_t k = 0; k < rows; k++) dh[k] = more[k] = 0;
  R(backward)(l, l->dproducts, more, R(gru_back_row));
  for (int64_t k = 0; k < rows; k++) dh[k] += more[k];
}

/* Row `row` of the step, whose product lies in y: h = tanh or relu (x + product). */
static void R(rnn_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = (l->step * l->n + row) * H;
  R(t) *h = (R(t) *)l->y + at;
  const R(t) *x = (const R(t) *)l->gates + at;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    R(v) z = R(some)(h + k, H - k) + R(some)(x + k, H - k);
    R(put)(h + k, H - k, l->relu ? v_select(z <= 0, v_splat(z, 0), z) : v_tanh(z));
  }
}

static void R(rnn_forward)(recurrent *l) { R(forward)(l, l->y, R(rnn_row)); }

static void R(rnn_back_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const recurrent *l = context;
  int64_t H = l->hidden, at = (l->step * l->n + row) * H;
  const R(t) *h = (const R(t) *)l->y + at, *dy = (const R(t) *)l->dy + at;
  const R(t) *dh = (const R(t) *)l->dh + row * H;
  R(t) *to = (R(t) *)l->dgates + at;
  for (int64_t k = 0; k < H; k += R(lanes)) {
    R(v) y = R(some)(h + k, H - k), d = R(some)(dh + k, H - k) + R(some)(dy + k, H - k);
    R(put)(to + k, H - k, l->relu ? v_select(y > 0, d, v_splat(d, 0)) : d * (1 - y * y));
  }
}

static void R(rnn_back)(recurrent *l) {
  R(t) *dh = l->dh;
  for (int64_t k = 0; k < l->n * l->hidden; k++) dh[k] = 0;
  R(backward)(l, l->dgates, dh, R(rnn_back_row));
}
