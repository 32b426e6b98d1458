/* pool_real.h -- the planes of pool.c, once for f32 and once for f64. */

/* The first largest element; a NaN wins, the last one of them as in PyTorch. */
static void R(max_plane)(void *context, int64_t plane, int worker) {
  (void)worker;
  const pool *p = context;
  const R(t) *x = (const R(t) *)p->large + plane * p->h * p->w;
  R(t) *y = (R(t) *)p->small + plane * p->oh * p->ow;
  int32_t *position = p->position + plane * p->oh * p->ow;
  for (int64_t i = 0; i < p->oh; i++)
    for (int64_t j = 0; j < p->ow; j++) {
      const span rows = p->rows[i], columns = p->columns[j];
      int64_t at = rows.begin * p->w + columns.begin;
      R(t) best = (R(t))-INFINITY;
      for (int64_t k = rows.begin; k < rows.end; k += p->step_h)
        for (int64_t l = columns.begin; l < columns.end; l += p->step_w) {
          R(t) v = x[k * p->w + l];
          if (v > best || v != v) {
            best = v;
            at = k * p->w + l;
          }
        }
      y[i * p->ow + j] = best;
      position[i * p->ow + j] = (int32_t)at;
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
