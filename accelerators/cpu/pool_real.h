/* pool_real.h -- the planes of pool.c, once for f32 and once for f64. */

/* Up to STRIP results of a plane side by side: where their windows begin and how far they reach,
** the largest element so far and where it was found. */
typedef struct R(strip) {
  R(place) start[STRIP], at[STRIP];
  int32_t height[STRIP], width[STRIP];
  R(t) value[STRIP], best[STRIP];
} R(strip);

/* n results from `first` on, n rounded up to whole vectors. */
static void R(strip_begin)(R(strip) *s, const pool *p, int64_t first, int64_t n) {
  for (int64_t k = 0, i = first / p->ow, j = first % p->ow; k < n; k++) {
    const span rows = p->rows[i], columns = p->columns[j];
    s->at[k] = s->start[k] = (R(place))(rows.begin * p->w + columns.begin);
    s->height[k] = (int32_t)(rows.end - rows.begin);
    s->width[k] = (int32_t)(columns.end - columns.begin);
    if (++j == p->ow) j = 0, i++;
    if (i == p->oh) i = 0;
  }
  for (int64_t k = 0; k < n; k++) s->best[k] = (R(t))-INFINITY;
}

/* The element (y, x) of every window, -infinity where it has none. */
static inline void R(strip_take)(R(strip) *s, const pool *p, const R(t) *plane, int64_t y,
                                 int64_t x, int64_t n) {
  plane += y * p->w + x;
  if (p->even)
    for (int64_t k = 0; k < n; k++) s->value[k] = plane[s->start[k]];
  else
    for (int64_t k = 0; k < n; k++)
      s->value[k] = y < s->height[k] && x < s->width[k] ? plane[s->start[k]] : (R(t))-INFINITY;
}

/* A NaN wins; `from_start` is how far the elements are from where windows begin. */
static inline void R(strip_compare)(R(strip) *s, int64_t from_start, int64_t n) {
  for (int64_t k = 0; k < n; k += R(lanes)) {
    const R(v) v = R(load)(s->value, k), best = R(load)(s->best, k);
    const R(m) larger = (v > best) | (v != v);
    const R(m) here = R(places)(s->start + k) + (R(place))from_start;
    R(store)(s->best, k, v_select(larger, v, best));
    R(places_store)(s->at + k, v_select(larger, here, R(places)(s->at + k)));
  }
}

/* The first largest element; a NaN wins, the last one of them as in PyTorch. Windows are compared
** side by side: a branch on which element is larger would be a guess. */
static void R(max_plane)(void *context, int64_t plane, int worker) {
  (void)worker;
  const pool *p = context;
  const R(t) *x = (const R(t) *)p->large + plane * p->h * p->w;
  const int64_t size = p->oh * p->ow;
  R(t) *y = (R(t) *)p->small + plane * size;
  int32_t *position = p->position + plane * size;
  for (int64_t first = 0; first < size; first += STRIP) {
    const int64_t n = min_i64(STRIP, size - first), whole = (n + R(lanes) - 1) & -R(lanes);
    R(strip) s;
    R(strip_begin)(&s, p, first, whole);
    for (int64_t i = 0; i < p->tallest; i += p->step_h)
      for (int64_t j = 0; j < p->widest; j += p->step_w) {
        R(strip_take)(&s, p, x, i, j, whole);
        R(strip_compare)(&s, i * p->w + j, whole);
      }
    for (int64_t k = 0; k < n; k++) {
      y[first + k] = s.best[k];
      position[first + k] = (int32_t)s.at[k];
    }
  }
}

static void R(max_back_plane)(void *context, int64_t plane, int worker) {
  (void)worker;
  const pool *p = context;
  R(t) *dx = (R(t) *)p->large + plane * p->h * p->w;
  const R(t) *dy = (const R(t) *)p->small + plane * p->oh * p->ow;
  const int32_t *position = p->position + plane * p->oh * p->ow;
  for (int64_t i = 0; i < p->h * p->w; i++) dx[i] = 0;
  for (int64_t i = 0; i < p->oh * p->ow; i++) dx[position[i]] += dy[i];
}

static void R(avg_plane)(void *context, int64_t plane, int worker) {
  (void)worker;
  const pool *p = context;
  const R(t) *x = (const R(t) *)p->large + plane * p->h * p->w;
  R(t) *y = (R(t) *)p->small + plane * p->oh * p->ow;
  for (int64_t i = 0; i < p->oh; i++)
    for (int64_t j = 0; j < p->ow; j++) {
      const span rows = p->rows[i], columns = p->columns[j];
      R(t) total = 0;
      for (int64_t k = rows.begin; k < rows.end; k++)
        for (int64_t l = columns.begin; l < columns.end; l++) total += x[k * p->w + l];
      y[i * p->ow + j] = total / (R(t))(rows.counted * columns.counted);
    }
}

static void R(avg_back_plane)(void *context, int64_t plane, int worker) {
  (void)worker;
  const pool *p = context;
  R(t) *dx = (R(t) *)p->large + plane * p->h * p->w;
  const R(t) *dy = (const R(t) *)p->small + plane * p->oh * p->ow;
  for (int64_t i = 0; i < p->h * p->w; i++) dx[i] = 0;
  for (int64_t i = 0; i < p->oh; i++)
    for (int64_t j = 0; j < p->ow; j++) {
      const span rows = p->rows[i], columns = p->columns[j];
      R(t) share = dy[i * p->ow + j] / (R(t))(rows.counted * columns.counted);
      for (int64_t k = rows.begin; k < rows.end; k++)
        for (int64_t l = columns.begin; l < columns.end; l++) dx[k * p->w + l] += share;
    }
}
