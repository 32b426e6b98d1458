/*
** gemm_test.c -- the products of every CPU level this machine has, against a plain product in
** float64, over shapes, strides, bias, activation and what C held before; and bit for bit with one
** thread and two.
*/
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gemm.h"
#include "parallel.h"

#define DECLARE(level) \
  size_t gemm_f32_scratch_##level(const gemm_args *); \
  size_t gemm_f64_scratch_##level(const gemm_args *); \
  size_t gemm_f32_packed_##level(const gemm_args *); \
  size_t gemm_f64_packed_##level(const gemm_args *); \
  void gemm_f32_pack_##level(const gemm_args *, void *); \
  void gemm_f64_pack_##level(const gemm_args *, void *); \
  void gemm_f32_##level(const gemm_args *); \
  void gemm_f64_##level(const gemm_args *);
DECLARE(baseline)
#ifdef __x86_64__
DECLARE(avx2)
DECLARE(avx512)
#endif

typedef struct product {
  const char *name;
  bool f64;
  size_t (*scratch)(const gemm_args *);
  void (*run)(const gemm_args *);
  size_t (*packed)(const gemm_args *);
  void (*pack)(const gemm_args *, void *);
} product;

#define PRODUCTS(level) \
  { #level " f32", false, gemm_f32_scratch_##level, gemm_f32_##level, gemm_f32_packed_##level, \
    gemm_f32_pack_##level }, \
  { #level " f64", true, gemm_f64_scratch_##level, gemm_f64_##level, gemm_f64_packed_##level, \
    gemm_f64_pack_##level }

static int failures, checks;

/* An operand inside a larger allocation filled with NaN: what is read outside shows. */
typedef struct matrix {
  void *data;
  int64_t rs, cs;
} matrix;

typedef enum { ROWS, COLUMNS, SPREAD, SAME_ROW, SAME_COLUMN, LAYOUTS } layout;

static uint32_t noise_state = 1;

static double noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (double)(noise_state >> 8) / (1 << 23) - 1;
}

static double get(const void *data, bool f64, int64_t i) {
  return f64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static void put(void *data, bool f64, int64_t i, double x) {
  if (f64) ((double *)data)[i] = x;
  else ((float *)data)[i] = (float)x;
}

static void *allocate(bool f64, int64_t count) {
  const size_t bytes = ((size_t)count * (f64 ? 8 : 4) / 64 + 1) * 64;
  void *data = aligned_alloc(64, bytes);
  if (!data) abort();
  memset(data, 0xff, bytes);
  return data;
}

static matrix matrix_make(bool f64, int64_t rows, int64_t columns, layout as) {
  matrix x = { NULL, 0, 0 };
  switch (as) {
    case ROWS: x.rs = columns + 1, x.cs = 1; break;
    case COLUMNS: x.rs = 1, x.cs = rows + 3; break;
    case SPREAD: x.rs = 2 * columns + 1, x.cs = 2; break;
    case SAME_ROW: x.rs = 0, x.cs = 1; break;
    default: x.rs = 1, x.cs = 0; break;
  }
  x.data = allocate(f64, rows * x.rs + columns * x.cs + 1);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) put(x.data, f64, i * x.rs + j * x.cs, noise());
  return x;
}

/* Row i of the product, and for each number the sum of what was added up, without signs. `before`
** is what C held. */
static void expected(const gemm_args *g, bool f64, const void *before, int64_t i, double *row,
                     double *size) {
  for (int64_t j = 0; j < g->n; j++) row[j] = 0, size[j] = 1;
  for (int64_t p = 0; p < g->k; p++) {
    const double x = get(g->a, f64, i * g->a_rs + p * g->a_cs);
    for (int64_t j = 0; j < g->n; j++) {
      const double term = x * get(g->b, f64, p * g->b_rs + j * g->b_cs);
      row[j] += term;
      size[j] += fabs(term);
    }
  }
  for (int64_t j = 0; j < g->n; j++) {
    if (g->accumulate) row[j] += get(before, f64, i * g->ldc + j);
    if (g->bias) row[j] += get(g->bias, f64, j);
    if (g->activation == GEMM_RELU && row[j] < 0) row[j] = 0;
  }
}

static void compute(const product *p, gemm_args *g) {
  g->scratch_bytes = p->scratch(g);
  g->scratch = NULL;
  if (g->scratch_bytes > 0) {
    g->scratch = allocate(p->f64, (int64_t)(g->scratch_bytes / (p->f64 ? 8 : 4)));
  }
  p->run(g);
  free(g->scratch);
}

static void complain(const product *p, const gemm_args *g, const char *what, int64_t i, int64_t j) {
  if (failures++ > 20) return;
  printf("%s %lldx%lldx%lld strides %lld,%lld %lld,%lld bias %d relu %d added %d: %s at %lld,%lld",
         p->name, (long long)g->m, (long long)g->k, (long long)g->n, (long long)g->a_rs,
         (long long)g->a_cs, (long long)g->b_rs, (long long)g->b_cs, g->bias != NULL,
         (int)g->activation, (int)g->accumulate, what, (long long)i, (long long)j);
  putchar('\n');
}

/* Every number right, and the numbers between the rows of C untouched (still NaN). */
static void compare(const product *p, const gemm_args *g, const void *before) {
  const double step = (p->f64 ? 0x1p-53 : 0x1p-24) * (double)(g->k + 4);
  static double row[1024], size[1024];
  for (int64_t i = 0; i < g->m; i++) {
    expected(g, p->f64, before, i, row, size);
    for (int64_t j = 0; j < g->n; j++) {
      if (fabs(get(g->c, p->f64, i * g->ldc + j) - row[j]) <= step * size[j]) continue;
      complain(p, g, "wrong", i, j);
      return;
    }
    if (!isnan(get(g->c, p->f64, i * g->ldc + g->n))) complain(p, g, "outside written", i, g->n);
  }
}

/* The same product with B packed before. */
static void check_packed(const product *p, const gemm_args *g, const void *before) {
  gemm_args with = *g;
  void *b = allocate(p->f64, (int64_t)(p->packed(g) / (p->f64 ? 8 : 4)) + 1);
  p->pack(g, b);
  with.b = b;
  with.b_rs = with.b_cs = 0;
  with.packed = true;
  compute(p, &with);
  compare(p, g, before);
  free(b);
}

static void check(const product *p, int64_t m, int64_t k, int64_t n, layout a_as, layout b_as,
                  bool bias, gemm_activation activation) {
  matrix a = matrix_make(p->f64, m, k, a_as), b = matrix_make(p->f64, k, n, b_as);
  matrix add = matrix_make(p->f64, 1, n, ROWS);
  const int64_t ldc = n + 2;
  const size_t bytes = (size_t)(m * ldc + 1) * (p->f64 ? 8 : 4);
  const bool accumulate = (m + k + n + (int)a_as + (int)b_as) % 3 == 0;
  void *once = allocate(p->f64, m * ldc + 1), *again = allocate(p->f64, m * ldc + 1);
  void *before = allocate(p->f64, m * ldc + 1);
  for (int64_t i = 0; accumulate && i < m; i++)
    for (int64_t j = 0; j < n; j++) put(before, p->f64, i * ldc + j, noise());
  memcpy(once, before, bytes);
  memcpy(again, before, bytes);
  gemm_args g = { .m = m, .n = n, .k = k, .a = a.data, .a_rs = a.rs, .a_cs = a.cs, .b = b.data,
                  .b_rs = b.rs, .b_cs = b.cs, .c = once, .ldc = ldc,
                  .bias = bias ? add.data : NULL, .activation = activation,
                  .accumulate = accumulate };
  checks++;
  cpu_threads_set(1);
  compute(p, &g);
  compare(p, &g, before);
  cpu_threads_set(2);
  g.c = again;
  compute(p, &g);
  if (memcmp(once, again, bytes) != 0) complain(p, &g, "two threads differ", 0, 0);
  memcpy(again, before, bytes);
  check_packed(p, &g, before);
  free(a.data), free(b.data), free(add.data), free(once), free(again);
  free(before);
}

static void check_layouts(const product *p, int64_t m, int64_t k, int64_t n) {
  for (int a = 0; a < LAYOUTS; a++)
    for (int b = 0; b < LAYOUTS; b++)
      check(p, m, k, n, (layout)a, (layout)b, (a + b + m) % 2 == 0,
            (a + n) % 2 == 0 ? GEMM_RELU : GEMM_NONE);
}

static void check_small(const product *p) {
  static const int64_t sizes[] = { 0, 1, 2, 7, 17, 50 };
  const int count = sizeof sizes / sizeof sizes[0];
  for (int i = 0; i < count; i++)
    for (int j = 0; j < count; j++)
      for (int q = 0; q < count; q++) check_layouts(p, sizes[i], sizes[q], sizes[j]);
}

/* The products of a classifier and its gradients, long ones, and every way through the blocks.
** A build with sanitizers (PERILUNE_QUICK) leaves out the long ones. */
static void check_large(const product *p) {
  static const int64_t shapes[][3] = {
    { 32, 784, 128 }, { 128, 32, 784 }, { 32, 128, 64 }, { 32, 64, 128 }, { 64, 32, 128 },
    { 32, 64, 10 },   { 10, 32, 64 },   { 32, 10, 64 },  { 1, 784, 128 }, { 5, 2100, 70 },
    { 257, 263, 131 }, { 300, 1100, 90 }, { 70, 5000, 40 }, { 128, 1024, 256 },
  };
  const bool quick = getenv("PERILUNE_QUICK") != NULL;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const int64_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
    if (quick && m * k * n > 4000000) continue;
    for (int as = 0; as < 4; as++)
      check(p, m, k, n, as % 2 ? COLUMNS : ROWS, as / 2 ? COLUMNS : ROWS, as != 2,
            as == 1 ? GEMM_RELU : GEMM_NONE);
    check(p, m, k, n, i % 2 ? SPREAD : ROWS, i % 2 ? SAME_ROW : SPREAD, i % 3 == 0, GEMM_NONE);
  }
  if (!quick) check(p, 60, 3000, 700, ROWS, ROWS, true, GEMM_RELU);
}

/* One NaN in A reaches its row and no other, through bias and activation; so does infinity. */
static void check_not_finite(const product *p, int64_t m, int64_t k, int64_t n, layout b_as) {
  matrix a = matrix_make(p->f64, m, k, ROWS), b = matrix_make(p->f64, k, n, b_as);
  matrix add = matrix_make(p->f64, 1, n, ROWS);
  gemm_args g = { .m = m, .n = n, .k = k, .a = a.data, .a_rs = a.rs, .a_cs = a.cs, .b = b.data,
                  .b_rs = b.rs, .b_cs = b.cs, .c = allocate(p->f64, m * n), .ldc = n,
                  .bias = add.data, .activation = GEMM_RELU };
  put(a.data, p->f64, (m - 1) * a.rs + k - 1, NAN);
  put(a.data, p->f64, 0, INFINITY);
  checks++;
  compute(p, &g);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      const double got = get(g.c, p->f64, i * n + j);
      const double infinite = get(b.data, p->f64, j * b.cs) > 0 ? INFINITY : 0;
      const bool right = i == m - 1 ? isnan(got) : i == 0 ? got == infinite : isfinite(got);
      if (!right) complain(p, &g, "not finite", i, j);
    }
  free(a.data), free(b.data), free(add.data), free(g.c);
}

static void check_all(const product *p) {
  check_small(p);
  check_large(p);
  static const int64_t shapes[][3] = {
    { 3, 40, 5 }, { 32, 784, 128 }, { 64, 64, 64 }, { 2, 5, 9 },
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    check_not_finite(p, shapes[i][0], shapes[i][1], shapes[i][2], ROWS);
    check_not_finite(p, shapes[i][0], shapes[i][1], shapes[i][2], COLUMNS);
  }
}

static void check_level(const product *products) {
  check_all(&products[0]);
  check_all(&products[1]);
  printf("%s and f64: %d products so far, %d failures\n", products[0].name, checks, failures);
}

int main(void) {
  check_level((const product[]){ PRODUCTS(baseline) });
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    check_level((const product[]){ PRODUCTS(avx2) });
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    check_level((const product[]){ PRODUCTS(avx512) });
#endif
  return failures > 0;
}
