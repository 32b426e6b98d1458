/*
** peak.c -- what this machine can do: f32 FMA peak with its widest vectors and memory bandwidth,
** each with 1 and 2 threads. Prints "name value" lines, GFLOP/s and GB/s, best of many short runs:
** a limit is what the machine reaches when left alone.
*/
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 100000, RUNS = 25, STREAM_RUNS = 9, CHAINS = 12 };
static const size_t STREAM_BYTES = (size_t)128 << 20;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* CHAINS independent chains hide the latency of the FMA units; answers flops done. */
#define FMA_LOOP(name, type, lanes, target_options) \
  typedef float type __attribute__((vector_size(lanes * 4))); \
  __attribute__((target(target_options), noinline)) static double name(float *sink) { \
    type c[CHAINS] = {0}, x, y; \
    for (int i = 0; i < lanes; i++) x[i] = 0.999f, y[i] = 1e-3f; \
    for (long r = 0; r < ROUNDS; r++) { \
      __asm__ volatile("" : "+x"(x), "+x"(y)); \
      _Pragma("GCC unroll 12") for (int k = 0; k < CHAINS; k++) c[k] = c[k] * x + y; \
    } \
    for (int k = 0; k < CHAINS; k++) *sink += c[k][0]; \
    return 2.0 * lanes * CHAINS * ROUNDS; \
  }

#if defined(__x86_64__)
#pragma GCC optimize("fp-contract=fast")
#pragma GCC diagnostic ignored "-Wpsabi"
FMA_LOOP(fma_512, vector_512, 16, "avx512f,prefer-vector-width=512")
FMA_LOOP(fma_256, vector_256, 8, "avx2,fma")
FMA_LOOP(fma_128, vector_128, 4, "sse2")
#else
#error "peak.c knows x86-64 only"
#endif

typedef double (*work_fn)(float *sink);

static work_fn widest(const char **name) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) {
    *name = "avx512";
    return fma_512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    *name = "avx2";
    return fma_256;
  }
  *name = "sse2";
  return fma_128;
}

/* ---- threads that start each run together --------------------------------------------------- */

typedef struct {
  pthread_barrier_t *start;
  work_fn fma;
  float *memory; /* for the stream, else NULL */
  double work, begin, end;
  int runs;
  double best; /* rate of the best run; kept by the first thread */
} worker;

static double stream(const float *memory, float *sink) {
  typedef float vector __attribute__((vector_size(64), aligned(64)));
  const vector *v = (const vector *)(const void *)memory;
  vector sum[4] = {0};
  for (size_t i = 0; i < STREAM_BYTES / sizeof(vector); i += 4)
    for (int k = 0; k < 4; k++) sum[k] += v[i + k];
  for (int k = 0; k < 4; k++) *sink += sum[k][0];
  return (double)STREAM_BYTES;
}

static void one_run(worker *w) {
  float sink = 0;
  pthread_barrier_wait(w->start);
  w->begin = now();
  w->work = w->memory ? stream(w->memory, &sink) : w->fma(&sink);
  w->end = now();
  *(volatile float *)&sink;
  pthread_barrier_wait(w->start);
}

static void *work(void *argument) {
  worker *w = argument;
  for (int i = 0; i < w->runs; i++) one_run(w);
  return NULL;
}

/* The best rate of runs in which n threads do the same work at once. */
static double measure(int n, work_fn fma, int streams) {
  pthread_barrier_t start;
  worker w[2];
  pthread_t other;
  double best = 0;
  pthread_barrier_init(&start, NULL, (unsigned)n);
  for (int i = 0; i < n; i++) {
    w[i] = (worker){.start = &start, .fma = fma, .runs = streams ? STREAM_RUNS : RUNS};
    if (streams) {
      w[i].memory = aligned_alloc(64, STREAM_BYTES);
      if (!w[i].memory) return 0;
      memset(w[i].memory, 0, STREAM_BYTES);
    }
  }
  if (n == 2) pthread_create(&other, NULL, work, &w[1]);
  for (int i = 0; i < w[0].runs; i++) {
    one_run(&w[0]);
    double begin = w[0].begin, end = w[0].end;
    if (n == 2 && w[1].begin < begin) begin = w[1].begin;
    if (n == 2 && w[1].end > end) end = w[1].end;
    double rate = n * w[0].work / (end - begin) * 1e-9;
    if (rate > best) best = rate;
  }
  if (n == 2) pthread_join(other, NULL);
  for (int i = 0; i < n; i++) free(w[i].memory);
  pthread_barrier_destroy(&start);
  return best;
}

int main(int argc, char **argv) {
  const char *vectors;
  work_fn fma = widest(&vectors);
  printf("vectors %s\n", vectors);
  for (int n = 1; n <= 2; n++) printf("fma_%dt %.2f\n", n, measure(n, fma, 0));
  if (argc > 1 && !strcmp(argv[1], "fma")) return 0;
  for (int n = 1; n <= 2; n++) printf("read_%dt %.2f\n", n, measure(n, fma, 1));
  return 0;
}
