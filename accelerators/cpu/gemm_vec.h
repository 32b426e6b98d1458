/*
** gemm_vec.h -- the vector of a level as the products need it: `vec` holds VL numbers of type
** `real`. GEMM_F64 chooses f64. Arithmetic is GCC's vector extension; what that cannot say
** (contracted multiply-add, masks, a maximum that keeps NaN, transposes) is a function here.
*/
#pragma once
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#ifdef GEMM_F64
typedef double real;
typedef int64_t real_bits;
#define VEC_SUFFIX pd
#else
typedef float real;
typedef int32_t real_bits;
#define VEC_SUFFIX ps
#endif

#if defined(__AVX512F__)
enum { VEC_BYTES = 64, VEC_REGISTERS = 32 };
#define VEC_PREFIX _mm512
#elif defined(__AVX2__)
enum { VEC_BYTES = 32, VEC_REGISTERS = 16 };
#define VEC_PREFIX _mm256
#else
enum { VEC_BYTES = 16, VEC_REGISTERS = 16 };
#define VEC_PREFIX _mm
#endif

enum { VL = VEC_BYTES / (int)sizeof(real), LANE = 16 / (int)sizeof(real), LANES = VL / LANE };

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef real vec_loose __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));
typedef real_bits vec_bits __attribute__((vector_size(VEC_BYTES)));
typedef float vec_f32 __attribute__((vector_size(VEC_BYTES)));
typedef double vec_f64 __attribute__((vector_size(VEC_BYTES)));

#define INLINE static inline __attribute__((always_inline))

/* INTRINSIC(fmadd) is _mm512_fmadd_ps at the AVX-512 level for f32. */
#define INTRINSIC_PASTE_(prefix, name, suffix) prefix##_##name##_##suffix
#define INTRINSIC_PASTE(prefix, name, suffix) INTRINSIC_PASTE_(prefix, name, suffix)
#define INTRINSIC(name) INTRINSIC_PASTE(VEC_PREFIX, name, VEC_SUFFIX)
#define INTRINSIC_OF(name, suffix) INTRINSIC_PASTE(VEC_PREFIX, name, suffix)

INLINE vec vec_load(const real *p) { return *(const vec_loose *)p; }
INLINE void vec_store(real *p, vec x) { *(vec_loose *)p = x; }
INLINE vec vec_set(real x) { return x - (vec){0}; }

/* A mask is the first `count` numbers; others read as zero and are not touched by a store. */
#if defined(__AVX512F__)

typedef __mmask16 vec_mask;
INLINE vec_mask vec_first(int64_t count) { return (vec_mask)((1u << count) - 1); }
INLINE vec vec_load_first(const real *p, vec_mask m) { return INTRINSIC(maskz_loadu)(m, p); }
INLINE void vec_store_first(real *p, vec_mask m, vec x) { INTRINSIC(mask_storeu)(p, m, x); }

#elif defined(__AVX2__)

typedef __m256i vec_mask;
INLINE vec_mask vec_first(int64_t count) {
  vec_bits lane;
  for (int i = 0; i < VL; i++) lane[i] = i;
  return (vec_mask)(lane < (real_bits)count);
}
INLINE vec vec_load_first(const real *p, vec_mask m) { return INTRINSIC(maskload)(p, m); }
INLINE void vec_store_first(real *p, vec_mask m, vec x) { INTRINSIC(maskstore)(p, m, x); }

#else

typedef int64_t vec_mask;
INLINE vec_mask vec_first(int64_t count) { return count; }
INLINE vec vec_load_first(const real *p, vec_mask m) {
  vec x = {0};
  memcpy(&x, p, (size_t)m * sizeof(real));
  return x;
}
INLINE void vec_store_first(real *p, vec_mask m, vec x) { memcpy(p, &x, (size_t)m * sizeof(real)); }

#endif

#ifdef __FMA__
INLINE vec vec_fma(vec a, vec b, vec c) { return INTRINSIC(fmadd)(a, b, c); }
#else
INLINE vec vec_fma(vec a, vec b, vec c) { return a * b + c; }
#endif

/* NaN stays NaN: the instruction answers its second operand when either is one. */
#ifdef __SSE2__
INLINE vec vec_relu(vec x) { return INTRINSIC(max)((vec){0}, x); }
#else
INLINE vec vec_relu(vec x) { return (vec)((vec_bits)x & ~(vec_bits)(x < (vec){0})); }
#endif

/* The sum of all numbers of a vector. */
#if defined(__AVX512F__)
INLINE real vec_sum(vec x) { return INTRINSIC(reduce_add)(x); }
#else
typedef real vec_lane __attribute__((vector_size(16)));
INLINE real vec_sum(vec x) {
#if defined(__AVX2__)
  vec_lane s = (vec_lane)_mm256_castps256_ps128((vec_f32)x) + INTRINSIC(extractf128)(x, 1);
#else
  vec_lane s = x;
#endif
#ifdef GEMM_F64
  return s[0] + s[1];
#else
  return (s[0] + s[2]) + (s[1] + s[3]);
#endif
}
#endif

#ifdef __SSE2__

/* Exchanges lanes of LANES vectors: lane j of vector i and lane i of vector j. */
#if defined(__AVX512F__)
INLINE void lanes_transpose(vec *a, vec *b, vec *c, vec *d) {
  vec_f32 ab_even = _mm512_shuffle_f32x4((vec_f32)*a, (vec_f32)*b, 0x88);
  vec_f32 ab_odd = _mm512_shuffle_f32x4((vec_f32)*a, (vec_f32)*b, 0xdd);
  vec_f32 cd_even = _mm512_shuffle_f32x4((vec_f32)*c, (vec_f32)*d, 0x88);
  vec_f32 cd_odd = _mm512_shuffle_f32x4((vec_f32)*c, (vec_f32)*d, 0xdd);
  *a = (vec)_mm512_shuffle_f32x4(ab_even, cd_even, 0x88);
  *b = (vec)_mm512_shuffle_f32x4(ab_odd, cd_odd, 0x88);
  *c = (vec)_mm512_shuffle_f32x4(ab_even, cd_even, 0xdd);
  *d = (vec)_mm512_shuffle_f32x4(ab_odd, cd_odd, 0xdd);
}
#elif defined(__AVX2__)
INLINE void lanes_transpose(vec *a, vec *b) {
  vec_f32 x = (vec_f32)*a, y = (vec_f32)*b;
  *a = (vec)_mm256_permute2f128_ps(x, y, 0x20);
  *b = (vec)_mm256_permute2f128_ps(x, y, 0x31);
}
#endif

INLINE void pair_interleave(vec *a, vec *b) {
  vec x = *a, y = *b;
  *a = INTRINSIC(unpacklo)(x, y);
  *b = INTRINSIC(unpackhi)(x, y);
}

#ifdef GEMM_F64
INLINE void group_transpose(vec *r) { pair_interleave(&r[0], &r[1]); }
#else
INLINE void group_transpose(vec *r) {
  pair_interleave(&r[0], &r[1]);
  pair_interleave(&r[2], &r[3]);
  vec_f64 a = (vec_f64)r[0], b = (vec_f64)r[1], c = (vec_f64)r[2], d = (vec_f64)r[3];
  r[0] = (vec)INTRINSIC_OF(unpacklo, pd)(a, c);
  r[1] = (vec)INTRINSIC_OF(unpackhi, pd)(a, c);
  r[2] = (vec)INTRINSIC_OF(unpacklo, pd)(b, d);
  r[3] = (vec)INTRINSIC_OF(unpackhi, pd)(b, d);
}
#endif

/* r becomes the transpose of the VL x VL block whose rows it holds. */
INLINE void vec_transpose(vec r[VL]) {
#pragma GCC unroll 16
  for (int i = 0; i < VL; i += LANE) group_transpose(r + i);
#if defined(__AVX512F__)
#pragma GCC unroll 4
  for (int i = 0; i < LANE; i++)
    lanes_transpose(&r[i], &r[LANE + i], &r[2 * LANE + i], &r[3 * LANE + i]);
#elif defined(__AVX2__)
#pragma GCC unroll 4
  for (int i = 0; i < LANE; i++) lanes_transpose(&r[i], &r[LANE + i]);
#endif
}

#else

INLINE void vec_transpose(vec r[VL]) {
  for (int i = 0; i < VL; i++)
    for (int j = 0; j < i; j++) {
      real x = r[i][j];
      r[i][j] = r[j][i];
      r[j][i] = x;
    }
}

#endif
