/*
** fold_body.h -- the functions of one fold on elements of type X. For an op the includer defines
** OP, by prefixes of X the accumulator ACC_OF, the result Y_OF and the vector load LOAD_OF, and
** STEP(a, x), ACC_START, X_NEUTRAL, RESULT(a, count). X is undefined at the end.
*/
#define P3_(a, b) a##_##b
#define P3(a, b) P3_(a, b)
#define NAME P3(OP, X)
#define ACC P3(ACC_OF, X)
#define F(part) P3(NAME, part)
#define A_T P3(t, ACC)
#define A_V P3(v, ACC)
#define A_LANES P3(lanes, ACC)
#define A_LOAD P3(load, ACC)
#define A_STORE P3(store, ACC)
#define X_T P3(t, X)
#define LOAD P3(LOAD_OF, X)

static void F(start)(void *acc, int64_t n) {
  A_T *a = acc;
  for (int64_t i = 0; i < n; i++) a[i] = ACC_START;
}

static void F(pad)(void *x, int64_t n) {
  X_T *p = x;
  for (int64_t i = 0; i < n; i++) p[i] = X_NEUTRAL;
}

static void F(row)(const void *x, int64_t n, void *acc) {
  A_V a = A_LOAD(acc, 0), b = A_LOAD(acc, A_LANES), c = A_LOAD(acc, 2 * A_LANES);
  A_V d = A_LOAD(acc, 3 * A_LANES);
  int64_t i = 0;
  for (; i + 4 * A_LANES <= n; i += 4 * A_LANES) {
    A_V p = LOAD(x, i), q = LOAD(x, i + A_LANES), r = LOAD(x, i + 2 * A_LANES);
    A_V s = LOAD(x, i + 3 * A_LANES);
    a = STEP(a, p);
    b = STEP(b, q);
    c = STEP(c, r);
    d = STEP(d, s);
  }
  for (; i < n; i += A_LANES) {
    A_V p = LOAD(x, i);
    a = STEP(a, p);
  }
  A_STORE(acc, 0, a);
  A_STORE(acc, A_LANES, b);
  A_STORE(acc, 2 * A_LANES, c);
  A_STORE(acc, 3 * A_LANES, d);
}

static void F(merge)(void *acc) {
  A_V a = A_LOAD(acc, 0), b = A_LOAD(acc, A_LANES), c = A_LOAD(acc, 2 * A_LANES);
  A_V d = A_LOAD(acc, 3 * A_LANES);
  a = STEP(a, b);
  c = STEP(c, d);
  a = STEP(a, c);
  for (int half = A_LANES / 2; half > 0; half /= 2) {
    A_STORE(acc, 0, a);
    A_V x = A_LOAD(acc, half);
    a = STEP(a, x);
  }
  A_STORE(acc, 0, a);
}

static void F(join)(void *acc, const void *other) {
  A_V a = { *(A_T *)acc }, x = { *(const A_T *)other };
  a = STEP(a, x);
  *(A_T *)acc = a[0];
}

static void F(columns)(const void *x, int64_t stride, int64_t rows, int64_t n, void *acc) {
  int64_t j = 0;
  for (; j + 4 * A_LANES <= n; j += 4 * A_LANES) {
    A_V a = A_LOAD(acc, j), b = A_LOAD(acc, j + A_LANES), c = A_LOAD(acc, j + 2 * A_LANES);
    A_V d = A_LOAD(acc, j + 3 * A_LANES);
    const char *at = x;
    for (int64_t i = 0; i < rows; i++, at += stride) {
      A_V p = LOAD(at, j), q = LOAD(at, j + A_LANES), r = LOAD(at, j + 2 * A_LANES);
      A_V s = LOAD(at, j + 3 * A_LANES);
      fetch_ahead(at + j * (int64_t)sizeof(X_T), stride, 4 * A_LANES * (int)sizeof(X_T));
      a = STEP(a, p);
      b = STEP(b, q);
      c = STEP(c, r);
      d = STEP(d, s);
    }
    A_STORE(acc, j, a);
    A_STORE(acc, j + A_LANES, b);
    A_STORE(acc, j + 2 * A_LANES, c);
    A_STORE(acc, j + 3 * A_LANES, d);
  }
  for (; j < n; j += A_LANES) {
    A_V a = A_LOAD(acc, j);
    const char *at = x;
    for (int64_t i = 0; i < rows; i++, at += stride) {
      A_V p = LOAD(at, j);
      a = STEP(a, p);
    }
    A_STORE(acc, j, a);
  }
}

static void F(finish)(const void *acc, int64_t n, double count, void *out, int64_t out_stride) {
  const A_T *a = acc;
  P3(t, P3(Y_OF, X)) *y = out;
  (void)count;
  for (int64_t i = 0; i < n; i++) y[i * out_stride] = RESULT(a[i], count);
}

static const fold P3(fold, NAME) = {
  .x_size = sizeof(X_T), .acc_size = sizeof(A_T), .lanes = A_LANES, .start = F(start),
  .pad = F(pad), .row = F(row), .merge = F(merge), .join = F(join), .columns = F(columns),
  .finish = F(finish),
};

#undef P3_
#undef P3
#undef F
#undef A_T
#undef A_V
#undef A_LANES
#undef A_LOAD
#undef A_STORE
#undef X_T
#undef NAME
#undef ACC
#undef LOAD
#undef X
