// pointwise.cl -- arithmetic on dense f32, comparisons to bool, casts, and the copy that every
// device must have.

#define UNARY(name, expression) \
  kernel void name(global const float *a, global float *y) { \
    ITEM; \
    const float x = a[i]; \
    y[i] = expression; \
  }
UNARY( neg, -x )
UNARY( abs_, fabs(x) )
UNARY( square, x * x )
UNARY( relu, x < 0 ? 0 : x )
UNARY( exp_, exp(x) )
UNARY( log_, log(x) )
UNARY( sqrt_, sqrt(x) )
UNARY( rsqrt_, 1 / sqrt(x) )
UNARY( tanh_, tanh(x) )
UNARY( sigmoid, 1 / (1 + exp(-x)) )

#define BINARY(name, type, expression) \
  kernel void name(global const float *a, global const float *b, global type *y) { \
    ITEM; \
    const float x = a[i], other = b[i]; \
    y[i] = expression; \
  }
BINARY( add, float, x + other )
BINARY( sub, float, x - other )
BINARY( mul, float, x * other )
BINARY( div, float, x / other )
BINARY( maximum, float, x > other || isnan(x) ? x : other )
BINARY( minimum, float, x < other || isnan(x) ? x : other )
BINARY( relu_backward, float, x > 0 ? other : 0 )
BINARY( eq, uchar, x == other )
BINARY( ne, uchar, x != other )
BINARY( lt, uchar, x < other )
BINARY( le, uchar, x <= other )
BINARY( gt, uchar, x > other )
BINARY( ge, uchar, x >= other )

kernel void where_(global const uchar *condition, global const float *a, global const float *b,
                   global float *y) {
  ITEM;
  y[i] = condition[i] ? a[i] : b[i];
}

// Float to integer truncates and saturates, NaN becomes 0, as everywhere.
#define CAST(from, to, expression) \
  kernel void cast_##from##_##to(global const from *a, global to *y) { \
    ITEM; \
    const from x = a[i]; \
    y[i] = expression; \
  }
CAST( uchar, float, (float)x )
CAST( int, float, (float)x )
CAST( long, float, (float)x )
CAST( float, int, convert_int_sat_rtz(x) )
CAST( float, long, convert_long_sat_rtz(x) )
CAST( uchar, long, (long)x )
CAST( int, long, (long)x )
CAST( long, int, (int)x )
kernel void cast_float_flag(global const float *a, global uchar *y) {
  ITEM;
  y[i] = a[i] != 0;
}

// Any strides on both sides: sizes, then the steps of the source and of the destination.
typedef struct geometry {
  long rank, from, to;
  long sizes[8], from_strides[8], to_strides[8];
} geometry;

#define COPY(name, type) \
  kernel void name(global const type *a, global type *y, const geometry g) { \
    long at = get_global_id(0), from = g.from, to = g.to; \
    for (long d = g.rank - 1; d >= 0; d--) { \
      const long place = at % g.sizes[d]; \
      from += place * g.from_strides[d]; \
      to += place * g.to_strides[d]; \
      at /= g.sizes[d]; \
    } \
    y[to] = a[from]; \
  }
COPY( copy_1, uchar )
COPY( copy_2, ushort )
COPY( copy_4, uint )
COPY( copy_8, ulong )
