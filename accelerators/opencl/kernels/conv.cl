// conv.cl -- convolutions of images x channels x height x width, an item for each result.

typedef struct window {
  long images, channels, height, width;          // of x
  long filters, out_height, out_width;           // of y
  long kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, step_h, step_w;
  long groups;
} window;

kernel void conv2d(global const float *x, global const float *weight, global const float *bias,
                   global float *y, const window w) {
  const long i = get_global_id(0), column = i % w.out_width;
  const long row = i / w.out_width % w.out_height;
  const long filter = i / (w.out_width * w.out_height) % w.filters;
  const long image = i / (w.out_width * w.out_height * w.filters);
  const long per_group = w.channels / w.groups, first = filter / (w.filters / w.groups) * per_group;
  total t = { 0, 0 };
  for (long c = 0; c < per_group; c++)
    for (long p = 0; p < w.kernel_h; p++)
      for (long q = 0; q < w.kernel_w; q++) {
        const long h = row * w.stride_h - w.pad_h + p * w.step_h;
        const long v = column * w.stride_w - w.pad_w + q * w.step_w;
        if (h < 0 || h >= w.height || v < 0 || v >= w.width) continue;
        add_to(&t, x[((image * w.channels + first + c) * w.height + h) * w.width + v]
                     * weight[((filter * per_group + c) * w.kernel_h + p) * w.kernel_w + q]);
      }
  y[i] = bias ? t.sum + bias[filter] : t.sum;
}

// The transpose: here x is what conv2d gives (filters x out_height x out_width) and y what it takes.
kernel void conv_transpose2d(global const float *x, global const float *weight,
                             global const float *bias, global float *y, const window w) {
  const long i = get_global_id(0), v = i % w.width, h = i / w.width % w.height;
  const long channel = i / (w.width * w.height) % w.channels;
  const long image = i / (w.width * w.height * w.channels);
  const long per_group = w.channels / w.groups, filters = w.filters / w.groups;
  const long group = channel / per_group;
  total t = { 0, 0 };
  for (long f = group * filters; f < (group + 1) * filters; f++)
    for (long p = 0; p < w.kernel_h; p++)
      for (long q = 0; q < w.kernel_w; q++) {
        const long row = h + w.pad_h - p * w.step_h, column = v + w.pad_w - q * w.step_w;
        if (row < 0 || row % w.stride_h || row / w.stride_h >= w.out_height) continue;
        if (column < 0 || column % w.stride_w || column / w.stride_w >= w.out_width) continue;
        const long at = ((image * w.filters + f) * w.out_height + row / w.stride_h) * w.out_width
                      + column / w.stride_w;
        add_to(&t, x[at] * weight[((f * per_group + channel % per_group) * w.kernel_h + p)
                                    * w.kernel_w + q]);
      }
  y[i] = bias ? t.sum + bias[channel] : t.sum;
}

kernel void conv2d_weight_grad(global const float *x, global const float *grad,
                               global float *dweight, const window w) {
  const long i = get_global_id(0), q = i % w.kernel_w, p = i / w.kernel_w % w.kernel_h;
  const long per_group = w.channels / w.groups, c = i / (w.kernel_w * w.kernel_h) % per_group;
  const long filter = i / (w.kernel_w * w.kernel_h * per_group);
  const long channel = filter / (w.filters / w.groups) * per_group + c;
  total t = { 0, 0 };
  for (long image = 0; image < w.images; image++)
    for (long row = 0; row < w.out_height; row++)
      for (long column = 0; column < w.out_width; column++) {
        const long h = row * w.stride_h - w.pad_h + p * w.step_h;
        const long v = column * w.stride_w - w.pad_w + q * w.step_w;
        if (h < 0 || h >= w.height || v < 0 || v >= w.width) continue;
        add_to(&t, x[((image * w.channels + channel) * w.height + h) * w.width + v]
                     * grad[((image * w.filters + filter) * w.out_height + row) * w.out_width
                            + column]);
      }
  dweight[i] = t.sum;
}
