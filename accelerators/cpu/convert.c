/*
** convert.c -- every dtype to every dtype, and the kernels cast and full. One expression per
** destination, in terms of the source's value as float, double or int64; between f32 and the half
** types whole vectors.
*/
#include "convert.h"
#include "vec.h"
#include "view.h"
#include <string.h>

typedef uint8_t t_flag;
typedef struct { uint16_t bits; } t_bf16;

static inline float bf16_value(t_bf16 x) {
  uint32_t bits = (uint32_t)x.bits << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Nearest, ties to even; a NaN stays one. */
static inline t_bf16 bf16_make(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (t_bf16){ (uint16_t)(bits >> 16 | 0x40) };
  return (t_bf16){ (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16) };
}

/* below and above: the least and the first too large value, both exact in double. */
static inline int64_t saturate(double x, double below, double above, int64_t least, int64_t most) {
  return x >= above ? most : x <= below ? least : x == x ? (int64_t)x : 0;
}

#define VALUE_flag(x) ((int64_t)(x))
#define VALUE_u8(x) ((int64_t)(x))
#define VALUE_i32(x) ((int64_t)(x))
#define VALUE_i64(x) (x)
#define VALUE_f16(x) ((float)(x))
#define VALUE_bf16(x) bf16_value(x)
#define VALUE_f32(x) (x)
#define VALUE_f64(x) (x)

#define MAKE_flag(v) ((v) != 0)
#define MAKE_f16(v) ((t_f16)(v))
#define MAKE_bf16(v) bf16_make((float)(v))
#define MAKE_f32(v) ((float)(v))
#define MAKE_f64(v) ((double)(v))
#define WHOLE(v, type, below, above, least, most) (_Generic((v), int64_t: (type)(v), \
  default: (type)saturate((double)(v), below, above, least, most)))
#define MAKE_u8(v) WHOLE(v, uint8_t, 0.0, 256.0, 0, 255)
#define MAKE_i32(v) WHOLE(v, int32_t, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)
#define MAKE_i64(v) WHOLE(v, int64_t, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)

#define PAIR(from, to) \
  static void from##_to_##to(void *restrict out, const void *restrict in, int64_t n) { \
    const t_##from *restrict x = in; \
    t_##to *restrict y = out; \
    for (int64_t i = 0; i < n; i++) y[i] = MAKE_##to(VALUE_##from(x[i])); \
  }
#define VECTORS(from, to, load, store) \
  static void from##_to_##to(void *restrict out, const void *restrict in, int64_t n) { \
    const t_##from *restrict x = in; \
    t_##to *restrict y = out; \
    int64_t i = 0; \
    for (; i + lanes_f32 <= n; i += lanes_f32) store(y, i, load(x, i)); \
    for (; i < n; i++) y[i] = MAKE_##to(VALUE_##from(x[i])); \
  }
VECTORS( f16, f32, load_f16, store_f32 )
VECTORS( bf16, f32, load_bf16, store_f32 )
VECTORS( f32, f16, load_f32, store_f16 )
VECTORS( f32, bf16, load_f32, store_bf16 )

#define COLUMN(to) \
  PAIR(flag, to) PAIR(u8, to) PAIR(i32, to) PAIR(i64, to) PAIR(f64, to)
#define COLUMN_OF_FLOATS(to) COLUMN(to) PAIR(f16, to) PAIR(bf16, to) PAIR(f32, to)
COLUMN_OF_FLOATS( flag )
COLUMN_OF_FLOATS( u8 )
COLUMN_OF_FLOATS( i32 )
COLUMN_OF_FLOATS( i64 )
COLUMN_OF_FLOATS( f64 )
COLUMN( f16 )
PAIR( f16, f16 )
PAIR( bf16, f16 )
COLUMN( bf16 )
PAIR( f16, bf16 )
PAIR( bf16, bf16 )
COLUMN( f32 )
PAIR( f32, f32 )

#define ENTRIES(from) { from##_to_flag, from##_to_u8, from##_to_i32, from##_to_i64, \
                        from##_to_f16, from##_to_bf16, from##_to_f32, from##_to_f64 }
convert_fn LEVEL(convert_loop)(int32_t from, int32_t to) {
  static const convert_fn table[PL_DTYPES][PL_DTYPES] = {
    [PL_BOOL] = ENTRIES(flag), [PL_U8] = ENTRIES(u8), [PL_I32] = ENTRIES(i32),
    [PL_I64] = ENTRIES(i64), [PL_F16] = ENTRIES(f16), [PL_BF16] = ENTRIES(bf16),
    [PL_F32] = ENTRIES(f32), [PL_F64] = ENTRIES(f64),
  };
  return table[from][to];
}

enum { BLOCK = 512, CHUNK = 8192 };

typedef struct cast_plan {
  convert_fn convert;
  view in, out;
} cast_plan;

static void cast_block(const cast_plan *p, int64_t at, int64_t n) {
  uint64_t from[BLOCK], to[BLOCK];
  const char *source = p->in.data + at * p->in.size;
  char *target = p->out.data + at * p->out.size;
  if (!p->in.flat) {
    LEVEL(view_gather)(&p->in, at, n, (char *)from);
    source = (const char *)from;
  }
  if (p->out.flat) {
    p->convert(target, source, n);
  } else {
    p->convert(to, source, n);
    LEVEL(view_scatter)(&p->out, at, n, (const char *)to);
  }
}

static void cast_chunk(void *context, int64_t index, int worker) {
  (void)worker;
  const cast_plan *p = context;
  int64_t end = min_i64((index + 1) * CHUNK, p->out.count);
  int64_t step = p->in.flat && p->out.flat ? CHUNK : BLOCK;
  for (int64_t at = index * CHUNK; at < end; at += step)
    cast_block(p, at, min_i64(step, end - at));
}

void LEVEL(operand_cast)(const pl_operand *from, const pl_operand *to) {
  cast_plan p;
  p.convert = LEVEL(convert_loop)(from->dtype, to->dtype);
  view_open(&p.in, from);
  view_open(&p.out, to);
  parallel_for((to->count + CHUNK - 1) / CHUNK, to->count / 2, cast_chunk, &p);
}

KERNEL(cast) {
  LEVEL(operand_cast)(call->in[0], call->out[0]);
  return PL_OK;
}

/* The value, repeated without strides, in the dtype of the output. */
KERNEL(full) {
  pl_operand value = *call->in[0];
  const pl_operand *out = call->out[0];
  value.rank = out->rank;
  value.count = out->count;
  value.dense = 0;
  for (int i = 0; i < out->rank; i++) {
    value.sizes[i] = out->sizes[i];
    value.strides[i] = 0;
  }
  LEVEL(operand_cast)(&value, out);
  return PL_OK;
}
