// pool.cl -- maxima and means of windows, an item for each result. Positions count within a plane.

typedef struct pool {
  long height, width, out_height, out_width;
  long kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, step_h, step_w;
} pool;

kernel void max_pool2d(global const float *x, global float *y, global int *position, const pool p) {
  const long i = get_global_id(0), plane = i / (p.out_width * p.out_height);
  const long top = i / p.out_width % p.out_height * p.stride_h - p.pad_h;
  const long left = i % p.out_width * p.stride_w - p.pad_w;
  float best = -INFINITY;
  long at = -1;
  for (long k = 0; k < p.kernel_h; k++)
    for (long l = 0; l < p.kernel_w; l++) {
      const long h = top + k * p.step_h, v = left + l * p.step_w;
      if (h < 0 || h >= p.height || v < 0 || v >= p.width) continue;
      const float value = x[(plane * p.height + h) * p.width + v];
      if (at < 0 || value > best || isnan(value)) {
        best = value;
        at = h * p.width + v;
      }
    }
  y[i] = best;
  position[i] = (int)at;
}

// A plane is one item's, because windows may overlap.
kernel void max_pool2d_backward(global const float *grad, global const int *position,
                                global float *dx, const long large, const long small,
                                global int *fault) {
  ITEM;
  for (long k = 0; k < large; k++) dx[i * large + k] = 0;
  for (long k = 0; k < small; k++) {
    const int at = position[i * small + k];
    if (at >= 0 && at < large) dx[i * large + at] += grad[i * small + k];
    else tell_fault(fault, i * small + k, at, 0, large - 1);
  }
}
