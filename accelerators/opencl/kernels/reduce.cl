// reduce.cl -- an item walks what its result is made of. The result's number counts through the
// kept dimensions, `begin` is where its elements begin.

typedef struct reduction {
  long kept, reduced, count;
  long kept_sizes[8], kept_strides[8], sizes[8], strides[8];
} reduction;

static long offset_of(long at, long rank, const long *sizes, const long *strides) {
  long offset = 0;
  for (long d = rank - 1; d >= 0; d--) {
    offset += at % sizes[d] * strides[d];
    at /= sizes[d];
  }
  return offset;
}

static float sum_of(global const float *x, const reduction *r, long i) {
  const long begin = offset_of(i, r->kept, r->kept_sizes, r->kept_strides);
  total t = { 0, 0 };
  for (long k = 0; k < r->count; k++)
    add_to(&t, x[begin + offset_of(k, r->reduced, r->sizes, r->strides)]);
  return t.sum;
}

kernel void sum(global const float *x, global float *y, const reduction r) {
  ITEM;
  y[i] = sum_of(x, &r, i);
}

kernel void mean(global const float *x, global float *y, const reduction r) {
  ITEM;
  y[i] = sum_of(x, &r, i) / (float)r.count;
}

#define EXTREMUM(name, beats) \
  kernel void name(global const float *x, global float *y, const reduction r) { \
    ITEM; \
    const long begin = offset_of(i, r.kept, r.kept_sizes, r.kept_strides); \
    float best = x[begin]; \
    for (long k = 1; k < r.count; k++) { \
      const float v = x[begin + offset_of(k, r.reduced, r.sizes, r.strides)]; \
      if (v beats best || isnan(v)) best = v; \
    } \
    y[i] = best; \
  }
EXTREMUM( max_, > )
EXTREMUM( min_, < )

// The first of the largest; a NaN counts as largest.
kernel void argmax(global const float *x, global long *y, const reduction r, const long base) {
  ITEM;
  const long begin = offset_of(i, r.kept, r.kept_sizes, r.kept_strides);
  float best = x[begin];
  long position = 0;
  for (long k = 1; k < r.count; k++) {
    const float v = x[begin + k * r.strides[0]];
    if (v > best || (isnan(v) && !isnan(best))) {
      best = v;
      position = k;
    }
  }
  y[i] = position + base;
}
