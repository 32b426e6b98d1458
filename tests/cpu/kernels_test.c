/*
** kernels_test.c -- what the op specs cannot see of the CPU kernels: every level draws the same
** random numbers, one thread and two give the same bits, elementary functions keep their error
** bound, a call gives the caller's floating-point mode back.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu.h"
#include "philox.h"

enum { MAX_IN = 8, LEVELS = 3 };

static const char *const level_names[LEVELS] = { "baseline", "avx2", "avx512" };
extern const pl_accelerator pl_accelerator_table;
static const pl_accelerator *const cpu = &pl_accelerator_table;
static int failures, checks;

#define CHECK(condition, ...) do { \
  checks++; \
  if (!(condition)) { failures++; printf(__VA_ARGS__); printf("\n"); } \
} while (0)

static pl_status fail(pl_status status, const char *format, ...) {
  (void)format;
  return status;
}
static void quiet(const char *format, ...) { (void)format; }
static const pl_host host = { .size = sizeof host, .fail = fail, .log = quiet };

static pl_operand tensor(int32_t dtype, int32_t rank, int64_t rows, int64_t columns) {
  pl_operand o = { .size = sizeof o, .dtype = dtype, .rank = rank, .dense = 1, .count = 1 };
  int64_t sizes[2] = { rows, columns };
  for (int i = 0; i < rank; i++) o.count *= o.sizes[i] = sizes[i];
  if (rank > 0) o.strides[rank - 1] = 1;
  if (rank > 1) o.strides[0] = columns;
  if (cpu->create(NULL, (size_t)(o.count * dtype_size(dtype)), &o.buffer) != PL_OK) abort();
  memset(o.buffer->data, 0, o.buffer->size);
  return o;
}

/* Values from -1 to 1, the same at every call. */
static pl_operand numbers(int32_t rank, int64_t rows, int64_t columns) {
  pl_operand o = tensor(PL_F32, rank, rows, columns);
  uint32_t words[4];
  for (int64_t i = 0; i < o.count; i++) {
    philox_words(7, 0, 0, 0, (uint64_t)i, words);
    ((float *)o.buffer->data)[i] = (float)words[0] * 0x1p-31f - 1;
  }
  return o;
}

static void drop(pl_operand *o) { cpu->release(NULL, o->buffer); }

static pl_status run(const char *name, const void *attrs, const int32_t *counts, int n_in,
                     pl_operand *const *in, int n_out, pl_operand *const *out) {
  pl_op_info info = { .name = name };
  pl_call call = { .size = sizeof call, .n_in = n_in, .n_out = n_out, .op = &info, .attrs = attrs,
                   .counts = counts, .in = (const pl_operand *const *)in,
                   .out = (const pl_operand *const *)out };
  pl_kernel kernel = cpu->find(NULL, &info);
  return kernel ? kernel(NULL, &call) : PL_EUNSUPPORTED;
}

/* false: this processor lacks the level. */
static bool level_open(int level) {
  void *state;
  setenv("PERILUNE_CPU", level_names[level], 1);
  return cpu->open(0, &host, &state) == PL_OK;
}

/* ---- random numbers ---- */

static void check_philox(void) {
  const uint32_t known[4] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
  uint32_t words[4];
  philox_block(0, 0, 0, 0, words);
  CHECK(memcmp(words, known, sizeof known) == 0, "philox: not the published answer");
}

enum { DRAWS = 10007, KINDS = 6 };

/* All random rows into `out`, one after the other. */
static void draw(char *out) {
  pl_operand state = tensor(PL_I64, 1, 3, 0), x = numbers(1, DRAWS, 0);
  memcpy(state.buffer->data, (int64_t[]){ 42, 3, 9 }, 24);
  pl_operand mask = tensor(PL_BOOL, 1, DRAWS, 0), y;
  for (int kind = 0; kind < KINDS; kind++) {
    static const int32_t dtypes[KINDS] = { PL_F32, PL_F64, PL_F32, PL_F64, PL_I64, PL_F32 };
    y = tensor(dtypes[kind], 1, DRAWS, 0);
    pl_rand_attrs real = { .dtype = dtypes[kind], .call = 5 };
    pl_randint_attrs integer = { .low = -3, .high = 1000000007, .call = 5 };
    pl_dropout_attrs dropout = { .p = 0.3, .call = 5 };
    pl_operand *in[2] = { &state, &state }, *to[2] = { &y, &mask };
    pl_status s;
    if (kind == 5) in[0] = &x;
    if (kind < 2) s = run("rand", &real, NULL, 1, in, 1, to);
    else if (kind < 4) s = run("randn", &real, NULL, 1, in, 1, to);
    else if (kind == 4) s = run("randint", &integer, NULL, 1, in, 1, to);
    else s = run("dropout", &dropout, NULL, 2, in, 2, to);
    CHECK(s == PL_OK, "random row %d: status %d", kind, s);
    memcpy(out + kind * DRAWS * 8, y.buffer->data, y.buffer->size);
    drop(&y);
  }
  drop(&state);
  drop(&x);
  drop(&mask);
}

static void check_random(int level, char *first, char *now) {
  draw(now);
  if (level == 0) memcpy(first, now, KINDS * DRAWS * 8);
  CHECK(memcmp(first, now, KINDS * DRAWS * 8) == 0, "%s draws other numbers than baseline",
        level_names[level]);
  uint32_t words[4];
  int differ = 0;
  for (int i = 0; i < DRAWS; i++) {
    philox_words(42, 3, 9, 5, (uint64_t)i / 4, words);
    differ += ((float *)now)[i] != (float)(words[i % 4] >> 8) * 0x1p-24f;
  }
  CHECK(differ == 0, "%s: rand differs from philox.h at %d places", level_names[level], differ);
}

/* ---- one thread and two ---- */

enum { RESULTS = 200000 };

static int64_t append(float *results, int64_t at, const pl_operand *o) {
  memcpy(results + at, o->buffer->data, (size_t)(o->count * dtype_size(o->dtype)));
  return at + o->count;
}

/* Rows whose work is shared out; their results in one list. */
static int64_t compute(float *results) {
  int64_t n = 0;
  pl_operand x = numbers(2, 1003, 307), all = tensor(PL_F32, 0, 0, 0);
  pl_operand rows = tensor(PL_F32, 1, 1003, 0), columns = tensor(PL_F32, 1, 307, 0);
  pl_sum_attrs sum = { .keepdim = 0 }, last = { .axes = { 1, { 1 } } };
  pl_sum_attrs first = { .axes = { 1, { 0 } } };
  run("sum", &sum, NULL, 1, (pl_operand *[]){ &x }, 1, (pl_operand *[]){ &all });
  n = append(results, n, &all);
  run("sum", &last, NULL, 1, (pl_operand *[]){ &x }, 1, (pl_operand *[]){ &rows });
  n = append(results, n, &rows);
  run("sum", &first, NULL, 1, (pl_operand *[]){ &x }, 1, (pl_operand *[]){ &columns });
  n = append(results, n, &columns);

  pl_operand target = tensor(PL_I64, 1, 1003, 0), each = tensor(PL_F32, 1, 1003, 0);
  for (int i = 0; i < 1003; i++) ((int64_t *)target.buffer->data)[i] = 1 + i % 307;
  pl_cross_entropy_attrs loss = { .ignore_index = -100, .base = 1 };
  run("cross_entropy", &loss, NULL, 3, (pl_operand *[]){ &x, &target, NULL }, 2,
      (pl_operand *[]){ &all, &each });
  n = append(results, n, &all);

  pl_operand p = numbers(1, 100009, 0), g = numbers(1, 100009, 0), b = numbers(1, 100009, 0);
  pl_operand hyper = tensor(PL_F64, 1, 4, 0);
  memcpy(hyper.buffer->data, (double[]){ 0.1, 0.9, 0.1, 0.01 }, 32);
  pl_sgd_step_attrs sgd = { .nesterov = 1 };
  run("sgd_step", &sgd, (int32_t[]){ 1, 1, 1, 1 }, 4, (pl_operand *[]){ &p, &g, &b, &hyper }, 0,
      NULL);
  n = append(results, n, &p);
  pl_total_norm_attrs norm = { 0 };
  run("total_norm", &norm, (int32_t[]){ 2 }, 2, (pl_operand *[]){ &x, &p }, 1,
      (pl_operand *[]){ &all });
  n = append(results, n, &all);
  pl_operand *used[] = { &x, &all, &rows, &columns, &target, &each, &p, &g, &b, &hyper };
  for (size_t i = 0; i < sizeof used / sizeof *used; i++) drop(used[i]);
  return n;
}

static void check_threads(int level) {
  static float one[RESULTS], two[RESULTS];
  cpu->set(NULL, "threads", 1);
  int64_t n = compute(one);
  cpu->set(NULL, "threads", 2);
  compute(two);
  CHECK(n > 100000 && memcmp(one, two, (size_t)n * sizeof *one) == 0,
        "%s: two threads change bits", level_names[level]);
}

/* ---- single calls ---- */

static void check_one_element(int level) {
  pl_operand x = tensor(PL_F32, 0, 0, 0), y = tensor(PL_F32, 0, 0, 0);
  *(float *)x.buffer->data = 1.5f;
  *(float *)y.buffer->data = 2;
  run("add", NULL, NULL, 2, (pl_operand *[]){ &x, &y }, 1, (pl_operand *[]){ &y });
  CHECK(*(float *)y.buffer->data == 3.5f, "%s: 1.5 + 2 is not 3.5", level_names[level]);
  *(float *)x.buffer->data = 1e-30f;
  volatile float small = 1e-30f, tiny = small * 1e-10f;
  run("square", NULL, NULL, 1, (pl_operand *[]){ &x }, 1, (pl_operand *[]){ &y });
  CHECK(*(float *)y.buffer->data == 0, "%s: denormals are not flushed", level_names[level]);
  CHECK(small * 1e-10f == tiny && tiny > 0, "%s: the caller lost its denormals",
        level_names[level]);
  drop(&x);
  drop(&y);
}

typedef struct function {
  const char *name;
  double (*exact)(double);
  float from, to;
} function;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void check_functions(int level) {
  static const function functions[] = {
    { "exp", exp, -87, 88 }, { "expm1", expm1, -3, 3 }, { "log", log, 0.01f, 20 },
    { "log1p", log1p, -0.9f, 3 }, { "tanh", tanh, -8, 8 }, { "sigmoid", sigmoid, -30, 30 },
    { "erf", erf, -4, 4 },
  };
  enum { N = 4001 };
  pl_operand x = tensor(PL_F32, 1, N, 0), y = tensor(PL_F32, 1, N, 0);
  for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
    const function *f = &functions[k];
    float *in = x.buffer->data, *out = y.buffer->data;
    double worst = 0;
    for (int i = 0; i < N; i++) in[i] = f->from + (f->to - f->from) * (float)i / (N - 1);
    run(f->name, NULL, NULL, 1, (pl_operand *[]){ &x }, 1, (pl_operand *[]){ &y });
    for (int i = 0; i < N; i++) {
      double want = f->exact(in[i]);
      double ulp = nextafterf((float)fabs(want), INFINITY) - (float)fabs(want);
      double error = fabs((double)out[i] - want) / ulp;
      if (!(error <= worst)) worst = error;
    }
    CHECK(worst <= 3, "%s: %s is %.1f ulp off", level_names[level], f->name, worst);
  }
  drop(&x);
  drop(&y);
}

int main(void) {
  char *first = malloc(KINDS * DRAWS * 8), *now = malloc(KINDS * DRAWS * 8);
  if (!first || !now) return 1;
  memset(first, 0, KINDS * DRAWS * 8);
  memset(now, 0, KINDS * DRAWS * 8);
  check_philox();
  for (int level = 0; level < LEVELS; level++) {
    if (!level_open(level)) continue;
    check_random(level, first, now);
    check_threads(level);
    check_one_element(level);
    check_functions(level);
  }
  free(first);
  free(now);
  printf("%d checks, %d failures\n", checks, failures);
  return failures != 0;
}
