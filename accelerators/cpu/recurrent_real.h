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
  const lstm *l = context;
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

static void R(lstm_forward)(lstm *l) {
  int64_t rows = l->n * l->hidden;
  for (l->step = 0; l->step < l->steps; l->step++) {
    l->product.a = l->step ? (const R(t) *)l->y + (l->step - 1) * rows : l->h0;
    l->product.b = l->weight;
    l->product.c = (R(t) *)l->active + l->step * 4 * rows;
    LEVEL(R(gemm))(&l->product);
    parallel_for(l->n, 8 * rows, R(lstm_row), l);
  }
}

/* From dh and dc of the step to the gradients before activation, and dc of the step before. */
static void R(lstm_back_row)(void *context, int64_t row, int worker) {
  (void)worker;
  const lstm *l = context;
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

static void R(lstm_back)(lstm *l) {
  int64_t rows = l->n * l->hidden;
  R(t) *dh = l->dh, *dc = l->dc;
  const R(t) *dcell = l->dcell;
  for (int64_t k = 0; k < rows; k++) dh[k] = 0, dc[k] = dcell ? dcell[k] : 0;
  for (l->step = l->steps - 1; l->step >= 0; l->step--) {
    parallel_for(l->n, 8 * rows, R(lstm_back_row), l);
    l->product.a = (const R(t) *)l->dgates + l->step * 4 * rows;
    l->product.b = l->weight;
    l->product.c = dh;
    LEVEL(R(gemm))(&l->product);
  }
}
