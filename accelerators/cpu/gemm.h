/*
** gemm.h -- matrix products of the CPU device: C = act(A B + bias), f32 and f64, or C + A B there.
** How a product is cut depends on its shape and strides only, never on the number of threads,
** so the same operands give the same bits whatever the machine is doing.
*/
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "level.h"

typedef enum { GEMM_NONE, GEMM_RELU } gemm_activation;

/* Strides are in elements and may be anything, 0 included. Any of m, n, k may be 0; with k = 0
** the product is zero and bias and activation still apply. C must not overlap A or B. */
typedef struct gemm_args {
  int64_t m, n, k;
  const void *a;
  int64_t a_rs, a_cs;          /* a(i,p) = a[i * a_rs + p * a_cs] */
  const void *b;
  int64_t b_rs, b_cs;          /* b(p,j) = b[p * b_rs + j * b_cs] */
  bool packed;                 /* b is what gemm_*_pack made of such a B; strides mean nothing */
  void *c;
  int64_t ldc;                 /* c(i,j) = c[i * ldc + j] */
  const void *bias;            /* n values added to every row, or NULL */
  gemm_activation activation;
  bool accumulate;             /* added to what C holds, before bias and activation */
  void *scratch;               /* what gemm_*_scratch asks for, 64-aligned; NULL when that is 0 */
  size_t scratch_bytes;
} gemm_args;

/* Bytes of scratch the product needs; reads the shape, the strides and cpu_threads() only. */
size_t LEVEL(gemm_f32_scratch)(const gemm_args *args);
size_t LEVEL(gemm_f64_scratch)(const gemm_args *args);

void LEVEL(gemm_f32)(const gemm_args *args);
void LEVEL(gemm_f64)(const gemm_args *args);

/* For a B that many products share: the bytes it takes packed, 64-aligned, and its packing, which
** reads only what the arguments say of B. */
size_t LEVEL(gemm_f32_packed)(const gemm_args *args);
size_t LEVEL(gemm_f64_packed)(const gemm_args *args);
void LEVEL(gemm_f32_pack)(const gemm_args *args, void *to);
void LEVEL(gemm_f64_pack)(const gemm_args *args, void *to);
