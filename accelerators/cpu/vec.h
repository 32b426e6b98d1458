/*
** vec.h -- the vector types of this level: v_f32 v_f64 v_i32 v_i64 v_u8, all VEC_BYTES wide, as
** GCC vector extensions, so arithmetic and comparisons are written with operators. A comparison
** gives a mask, -1 in the lanes where it holds. Contraction is off: fused steps say v_fma.
*/
#pragma once
#include "base.h"
#if defined __AVX2__ || defined __AVX512F__
#include <immintrin.h>
#elif defined __SSE2__
#include <emmintrin.h>
#endif
#include <math.h>

#if defined __AVX512F__
enum { VEC_BYTES = 64 };
#elif defined __AVX2__
enum { VEC_BYTES = 32 };
#else
enum { VEC_BYTES = 16 };
#endif

__extension__ typedef _Float16 t_f16;

/* t_ element, v_ vector, u_ vector at any address, lanes_ how many. */
#define VECTOR(name, type) \
  typedef type t_##name; \
  typedef type v_##name __attribute__((vector_size(VEC_BYTES))); \
  typedef type u_##name __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias)); \
  enum { lanes_##name = VEC_BYTES / sizeof(type) }; \
  static inline v_##name load_##name(const void *p, int64_t i) { \
    return *(const u_##name *)((const char *)p + i * (int64_t)sizeof(type)); \
  } \
  static inline void store_##name(void *p, int64_t i, v_##name x) { \
    *(u_##name *)((char *)p + i * (int64_t)sizeof(type)) = x; \
  } \
  static inline v_##name splat_##name(type x) { return x - (v_##name){ 0 }; }
VECTOR( f32, float )
VECTOR( f64, double )
VECTOR( i32, int32_t )
VECTOR( i64, int64_t )
VECTOR( u8, uint8_t )
VECTOR( i8, int8_t )
VECTOR( u32, uint32_t )
VECTOR( u64, uint64_t )
#undef VECTOR

/* The mask of a comparison, and as many bytes as there are lanes. */
typedef v_i32 m_f32, m_i32;
typedef v_i64 m_f64, m_i64;
typedef v_i8 m_u8;
#define BYTES(name, lanes) \
  typedef uint8_t b_##name __attribute__((vector_size(lanes))); \
  typedef uint8_t ub_##name __attribute__((vector_size(lanes), aligned(1), may_alias)); \
  static inline void store_mask_##name(void *p, int64_t i, m_##name m) { \
    *(ub_##name *)((char *)p + i) = __builtin_convertvector(m & 1, b_##name); \
  } \
  static inline m_##name load_mask_##name(const void *p, int64_t i) { \
    b_##name b = *(const ub_##name *)((const char *)p + i); \
    return __builtin_convertvector(b, m_##name) != 0; \
  }
BYTES( f32, VEC_BYTES / 4 )
BYTES( i32, VEC_BYTES / 4 )
BYTES( f64, VEC_BYTES / 8 )
BYTES( i64, VEC_BYTES / 8 )
BYTES( u8, VEC_BYTES )
#undef BYTES

/* Half types in memory, f32 in registers: load_bf16 and store_bf16 move lanes_f32 elements.
** Stores round to nearest, ties to even; a NaN stays one. */
typedef uint16_t h_u16 __attribute__((vector_size(VEC_BYTES / 2)));
typedef uint16_t uh_u16 __attribute__((vector_size(VEC_BYTES / 2), aligned(1), may_alias));

static inline v_f32 load_bf16(const void *p, int64_t i) {
  h_u16 x = *(const uh_u16 *)((const uint16_t *)p + i);
  return (v_f32)(__builtin_convertvector(x, v_u32) << 16);
}

static inline void store_bf16(void *p, int64_t i, v_f32 x) {
  v_u32 bits = (v_u32)x, high = bits >> 16;
  v_u32 rounded = (bits + 0x7fff + (high & 1)) >> 16, nan = (v_u32)(x != x);
  v_u32 y = (nan & (high | 0x40)) | (~nan & rounded);
  *(uh_u16 *)((uint16_t *)p + i) = __builtin_convertvector(y, h_u16);
}

static inline v_f32 load_f16(const void *p, int64_t i) {
  const char *at = (const char *)p + 2 * i;
#if defined __AVX512F__
  return (v_f32)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at));
#elif defined __F16C__
  return (v_f32)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)at));
#else
  v_f32 x = { 0 };
  for (int k = 0; k < lanes_f32; k++) x[k] = (float)((const t_f16 *)at)[k];
  return x;
#endif
}

static inline void store_f16(void *p, int64_t i, v_f32 x) {
  char *at = (char *)p + 2 * i;
#if defined __AVX512F__
  _mm256_storeu_si256((__m256i *)at, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
#elif defined __F16C__
  _mm_storeu_si128((__m128i *)at, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#else
  for (int k = 0; k < lanes_f32; k++) ((t_f16 *)at)[k] = (t_f16)x[k];
#endif
}

/* a where the mask is set, else b. */
#define v_select(mask, a, b) __extension__({ \
  __typeof__(mask) m_ = (mask); \
  (__typeof__(a))((m_ & (__typeof__(m_))(a)) | (~m_ & (__typeof__(m_))(b))); })

static inline v_f32 fma_f32(v_f32 a, v_f32 b, v_f32 c) {
#if defined __AVX512F__
  return (v_f32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __FMA__
  return (v_f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

static inline v_f64 fma_f64(v_f64 a, v_f64 b, v_f64 c) {
#if defined __AVX512F__
  return (v_f64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined __FMA__
  return (v_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}

/* Products of the low halves of lanes. */
static inline v_u64 mul_low_u64(v_u64 a, v_u64 b) {
#if defined __AVX512F__
  return (v_u64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined __AVX2__
  return (v_u64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined __SSE2__
  return (v_u64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & UINT32_MAX) * (b & UINT32_MAX);
#endif
}

static inline v_f32 sqrt_f32(v_f32 x) {
#if defined __AVX512F__
  return (v_f32)_mm512_sqrt_ps((__m512)x);
#elif defined __AVX2__
  return (v_f32)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < lanes_f32; i++) x[i] = sqrtf(x[i]);
  return x;
#endif
}

static inline v_f64 sqrt_f64(v_f64 x) {
#if defined __AVX512F__
  return (v_f64)_mm512_sqrt_pd((__m512d)x);
#elif defined __AVX2__
  return (v_f64)_mm256_sqrt_pd((__m256d)x);
#else
  for (int i = 0; i < lanes_f64; i++) x[i] = sqrt(x[i]);
  return x;
#endif
}

/* x where it lies between, else the nearer limit. NaN stays: the instructions answer their second
** operand when either is one. */
static inline v_f32 within_f32(v_f32 x, float low, float high) {
  const v_f32 least = splat_f32(low), most = splat_f32(high);
#if defined __AVX512F__
  return (v_f32)_mm512_min_ps((__m512)most, _mm512_max_ps((__m512)least, (__m512)x));
#elif defined __AVX2__
  return (v_f32)_mm256_min_ps((__m256)most, _mm256_max_ps((__m256)least, (__m256)x));
#else
  return v_select(x > most, most, v_select(x < least, least, x));
#endif
}

/* The mask of the first n lanes. */
#define FIRST(T) \
  static inline m_##T first_lanes_##T(int64_t n) { \
    m_##T lane; \
    for (int i = 0; i < lanes_##T; i++) lane[i] = i; \
    return lane < (m_##T){ 0 } + (t_##T##_bits)n; \
  }
typedef int32_t t_f32_bits;
typedef int64_t t_f64_bits;
FIRST( f32 )
FIRST( f64 )
#undef FIRST

/* The first n < lanes elements; the other lanes hold `rest`. */
static inline v_f32 load_part_f32(const float *p, int64_t n, float rest) {
#if defined __AVX512F__
  return (v_f32)_mm512_mask_loadu_ps(_mm512_set1_ps(rest), (__mmask16)((1u << n) - 1), p);
#elif defined __AVX2__
  m_f32 first = first_lanes_f32(n);
  return v_select(first, (v_f32)_mm256_maskload_ps(p, (__m256i)first), splat_f32(rest));
#else
  v_f32 x = splat_f32(rest);
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return x;
#endif
}

static inline v_f64 load_part_f64(const double *p, int64_t n, double rest) {
#if defined __AVX512F__
  return (v_f64)_mm512_mask_loadu_pd(_mm512_set1_pd(rest), (__mmask8)((1u << n) - 1), p);
#elif defined __AVX2__
  m_f64 first = first_lanes_f64(n);
  return v_select(first, (v_f64)_mm256_maskload_pd(p, (__m256i)first), splat_f64(rest));
#else
  v_f64 x = splat_f64(rest);
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return x;
#endif
}

static inline void store_part_f32(float *p, int64_t n, v_f32 x) {
#if defined __AVX512F__
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#elif defined __AVX2__
  _mm256_maskstore_ps(p, (__m256i)first_lanes_f32(n), (__m256)x);
#else
  for (int64_t i = 0; i < n; i++) p[i] = x[i];
#endif
}

static inline void store_part_f64(double *p, int64_t n, v_f64 x) {
#if defined __AVX512F__
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)x);
#elif defined __AVX2__
  _mm256_maskstore_pd(p, (__m256i)first_lanes_f64(n), (__m256d)x);
#else
  for (int64_t i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* All lanes together by halves: HALF_n gives n / 2 lanes from lane `at`. */
#define HALF_16(x, at) \
  __builtin_shufflevector(x, x, at, at + 1, at + 2, at + 3, at + 4, at + 5, at + 6, at + 7)
#define HALF_8(x, at) __builtin_shufflevector(x, x, at, at + 1, at + 2, at + 3)
#define HALF_4(x, at) __builtin_shufflevector(x, x, at, at + 1)
#define ACROSS_16(x, step) __extension__({ \
  __auto_type low_16 = HALF_16(x, 0); \
  __auto_type high_16 = HALF_16(x, 8); \
  ACROSS_8(step(low_16, high_16), step); })
#define ACROSS_8(x, step) __extension__({ \
  __auto_type low_8 = HALF_8(x, 0); \
  __auto_type high_8 = HALF_8(x, 4); \
  ACROSS_4(step(low_8, high_8), step); })
#define ACROSS_4(x, step) __extension__({ \
  __auto_type low_4 = HALF_4(x, 0); \
  __auto_type high_4 = HALF_4(x, 2); \
  ACROSS_2(step(low_4, high_4), step); })
#define ACROSS_2(x, step) __extension__({ \
  __auto_type a_2 = (x); \
  __auto_type b_2 = __builtin_shufflevector(a_2, a_2, 1, 0); \
  step(a_2, b_2)[0]; })
#if defined __AVX512F__
#define ACROSS_f32 ACROSS_16
#define ACROSS_f64 ACROSS_8
#elif defined __AVX2__
#define ACROSS_f32 ACROSS_8
#define ACROSS_f64 ACROSS_4
#else
#define ACROSS_f32 ACROSS_4
#define ACROSS_f64 ACROSS_2
#endif
#define LARGER_LANE(a, b) v_select(a > b, a, b)
#define SUM_LANE(a, b) ((a) + (b))
static inline float lanes_sum_f32(v_f32 x) { return ACROSS_f32(x, SUM_LANE); }
static inline double lanes_sum_f64(v_f64 x) { return ACROSS_f64(x, SUM_LANE); }
static inline float lanes_max_f32(v_f32 x) { return ACROSS_f32(x, LARGER_LANE); }
static inline double lanes_max_f64(v_f64 x) { return ACROSS_f64(x, LARGER_LANE); }

/* f of every lane: for functions that have no vector form here. */
static inline v_f32 map_f32(v_f32 x, float (*f)(float)) {
  v_f32 y = { 0 };
  for (int i = 0; i < lanes_f32; i++) y[i] = f(x[i]);
  return y;
}

static inline v_f64 map_f64(v_f64 x, double (*f)(double)) {
  v_f64 y = { 0 };
  for (int i = 0; i < lanes_f64; i++) y[i] = f(x[i]);
  return y;
}

#define v_fma(a, b, c) _Generic((a), v_f32: fma_f32, v_f64: fma_f64)(a, b, c)
#define v_sqrt(x) _Generic((x), v_f32: sqrt_f32, v_f64: sqrt_f64)(x)
#define v_splat(like, value) \
  _Generic((like), v_f32: splat_f32, v_f64: splat_f64, v_i32: splat_i32, v_i64: splat_i64, \
           v_u8: splat_u8)(value)
#define v_is_nan(x) ((x) != (x))
