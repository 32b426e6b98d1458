/*
** vecmath.h -- elementary functions of vectors: f32 by polynomials within 2 ulp (minimax fits,
** made for the intervals named beside them), f64 lane by lane from libm.
** Subnormal inputs and results count as zero, as everywhere in these kernels.
*/
#pragma once
#include "vec.h"

#define S(c) splat_f32(c)

/* Horner's rule: c[n-1] x^(n-1) + .. + c[0]. */
static inline __attribute__((always_inline)) v_f32 poly_f32(v_f32 x, int n, const float *c) {
  v_f32 sum = S(c[n - 1]);
  for (int i = n - 2; i >= 0; i--) sum = v_fma(sum, x, S(c[i]));
  return sum;
}
#define POLY(x, ...) \
  poly_f32(x, (int)(sizeof((float[]){ __VA_ARGS__ }) / sizeof(float)), (float[]){ __VA_ARGS__ })

/* x = n ln 2 + r with |r| <= ln 2 / 2; n and exp(r) - 1. */
static inline v_f32 exp_reduced(v_f32 x, v_i32 *n) {
  const v_f32 magic = S(12582912.0f);   /* 1.5 * 2^23: adding it rounds to an integer */
  v_f32 shifted = v_fma(x, S(1.44269504f), magic), whole = shifted - magic;
  *n = (v_i32)shifted - (v_i32)magic;
  v_f32 r = v_fma(whole, S(-0.693359375f), x);
  r = v_fma(whole, S(2.12194440e-4f), r);
  v_f32 q = POLY(r, 0.500000008262f, 0.166666668723f, 0.0416662540549f, 0.00833326163296f,
                 0.00139472091173f, 0.000199198934066f);
  return v_fma(q * r, r, r);
}

static inline v_f32 power_of_2(v_i32 n) { return (v_f32)((n + 127) << 23); }

static inline v_f32 exp_f32(v_f32 x) {
  v_i32 n, half;
  v_f32 y = exp_reduced(within_f32(x, -104.0f, 89.0f), &n) + 1.0f;
  half = n >> 1;
  return y * power_of_2(half) * power_of_2(n - half);
}

/* exp(x) - 1, where 2^n and its neighbours are normal numbers. */
static inline v_f32 expm1_within_f32(v_f32 x, float low, float high) {
  v_i32 n;
  v_f32 y = exp_reduced(within_f32(x, low, high), &n), scale = power_of_2(n);
  return v_fma(y, scale, scale - 1.0f);
}

static inline v_f32 expm1_f32(v_f32 x) {
  v_f32 y = v_select(x > 80.0f, exp_f32(x), expm1_within_f32(x, -20.0f, 80.0f));
  return v_select(v_is_nan(x) | (x == 0.0f), x, y);
}

static inline v_f32 log_f32(v_f32 x) {
  v_i32 bits = (v_i32)x - 0x3f3504f3;                       /* sqrt(1/2) */
  v_f32 e = __builtin_convertvector(bits >> 23, v_f32);
  v_f32 f = (v_f32)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f; /* m - 1, m in sqrt(1/2)..sqrt(2) */
  v_f32 p = POLY(f, 0.333333126157f, -0.250000095857f, 0.200021179807f, -0.166679960075f,
                 0.142195646388f, -0.124055943131f, 0.118880853272f, -0.116755900377f,
                 0.0674672556264f);
  v_f32 square = f * f;
  v_f32 y = v_fma(p * f, square, e * -2.12194440e-4f);
  y = v_fma(square, S(-0.5f), y) + f;
  y = v_fma(e, S(0.693359375f), y);
  y = v_select(x == INFINITY, x, y);
  y = v_select(x < 1.17549435e-38f, v_select(x < 0.0f, S(NAN), S(-INFINITY)), y);
  return v_select(v_is_nan(x), x, y);
}

/* log(u) for u = 1 + x rounded, plus what the rounding lost. */
static inline v_f32 log1p_f32(v_f32 x) {
  v_f32 u = 1.0f + x, lost = x - (u - 1.0f);
  v_f32 y = log_f32(u) + lost / u;
  y = v_select((u == INFINITY) | (u <= 0.0f), log_f32(u), y);
  return v_select(v_is_nan(x) | (x == 0.0f), x, y);
}

/* With e = exp(2x) - 1, which keeps its digits near 0: e / (e + 2). */
static inline v_f32 tanh_f32(v_f32 x) {
  v_f32 e = expm1_within_f32(2.0f * x, -20.0f, 20.0f);
  return v_select(x == 0.0f, x, e / (e + 2.0f));
}

static inline v_f32 sigmoid_f32(v_f32 x) {
  v_i32 n;
  v_f32 y = exp_reduced(within_f32(-x, -87.0f, 88.0f), &n), scale = power_of_2(n);
  return 1.0f / (v_fma(y, scale, scale) + 1.0f);
}

/* x P(x^2) up to 1, beyond it 1 - exp(-Q(|x|)). */
static inline v_f32 erf_f32(v_f32 x) {
  v_f32 a = v_select(x < 0.0f, -x, x), square = x * x;
  v_f32 small = x * POLY(square, 1.12837916591f, -0.37612627136f, 0.112836001758f,
                         -0.0268544445617f, 0.00518953527639f, -0.000802084070216f,
                         7.88911754415e-5f);
  v_f32 t = v_select(a > 4.0f, S(4.0f), a);
  v_f32 large = 1.0f - exp_f32(-POLY(t, -0.000125448443033f, 1.12922200638f, 0.63410638971f,
                                     0.107154697258f, -0.0240700010753f, 0.00353292778386f,
                                     -0.000181615565148f, -4.18092253179e-5f, 8.91006045194e-6f,
                                     -5.47095042566e-7f));
  v_f32 y = v_select(a < 1.0f, small, v_select(x < 0.0f, -large, large));
  return v_select(v_is_nan(x), x, y);
}
#undef S
#undef POLY

static inline v_f64 sigmoid_f64(v_f64 x) { return 1.0 / (1.0 + map_f64(-x, exp)); }

#define FROM_LIBM(name) \
  static inline v_f64 name##_f64(v_f64 x) { return map_f64(x, name); }
FROM_LIBM( exp )
FROM_LIBM( expm1 )
FROM_LIBM( log )
FROM_LIBM( log1p )
FROM_LIBM( tanh )
FROM_LIBM( erf )
#undef FROM_LIBM

#define MATH(name, x) _Generic((x), v_f32: name##_f32, v_f64: name##_f64)(x)
#define v_exp(x) MATH(exp, x)
#define v_expm1(x) MATH(expm1, x)
#define v_log(x) MATH(log, x)
#define v_log1p(x) MATH(log1p, x)
#define v_tanh(x) MATH(tanh, x)
#define v_sigmoid(x) MATH(sigmoid, x)
#define v_erf(x) MATH(erf, x)
/* Lane by lane from libm in both widths: v_libm(sin, x). */
#define v_libm(name, x) _Generic((x), v_f32: map_f32, v_f64: map_f64)(x, \
  _Generic((x), v_f32: name##f, v_f64: name))
