// matmul.cl -- the product of two matrices.

kernel void matmul(global const float *a, global const float *b, global float *y, const long inner,
                   const long columns) {
  ITEM;
  const long row = i / columns, column = i % columns;
  total t = { 0, 0 };
  for (long k = 0; k < inner; k++) add_to(&t, a[row * inner + k] * b[k * columns + column]);
  y[i] = t.sum;
}
