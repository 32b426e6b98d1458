// norm.cl -- batch norm. An item computes a channel's statistics or one element.

// Running statistics move in training; mean and rstd are what normalises.
kernel void batch_statistics(global const float *x, global float *running_mean,
                             global float *running_var, global float *mean, global float *rstd,
                             const long images, const long channels, const long plane,
                             const long training, const float momentum, const float eps) {
  const long c = get_global_id(0);
  const float count = (float)(images * plane);
  float m, v;
  if (training) {
    total sum = { 0, 0 }, squares = { 0, 0 };
    for (long n = 0; n < images; n++)
      for (long k = 0; k < plane; k++) add_to(&sum, x[(n * channels + c) * plane + k]);
    m = sum.sum / count;
    for (long n = 0; n < images; n++)
      for (long k = 0; k < plane; k++) {
        const float d = x[(n * channels + c) * plane + k] - m;
        add_to(&squares, d * d);
      }
    v = squares.sum / count;
    if (running_mean) {
      running_mean[c] = (1 - momentum) * running_mean[c] + momentum * m;
      running_var[c] = (1 - momentum) * running_var[c] + momentum * (squares.sum / (count - 1));
    }
  } else {
    m = running_mean[c];
    v = running_var[c];
  }
  mean[c] = m;
  rstd[c] = 1 / sqrt(v + eps);
}

kernel void batch_apply(global const float *x, global const float *weight, global const float *bias,
                        global const float *mean, global const float *rstd, global float *y,
                        const long channels, const long plane) {
  ITEM;
  const long c = i / plane % channels;
  const float scaled = (x[i] - mean[c]) * rstd[c] * (weight ? weight[c] : 1);
  y[i] = bias ? scaled + bias[c] : scaled;
}

// dweight is the sum of grad (x - mean) rstd, dbias that of grad.
kernel void batch_sums(global const float *x, global const float *mean, global const float *rstd,
                       global const float *grad, global float *dweight, global float *dbias,
                       const long images, const long channels, const long plane) {
  const long c = get_global_id(0);
  total sum = { 0, 0 }, product = { 0, 0 };
  for (long n = 0; n < images; n++)
    for (long k = 0; k < plane; k++) {
      const long at = (n * channels + c) * plane + k;
      add_to(&sum, grad[at]);
      add_to(&product, grad[at] * (x[at] - mean[c]));
    }
  dweight[c] = product.sum * rstd[c];
  dbias[c] = sum.sum;
}

// dx = weight rstd (grad - (sum of grad + (x - mean) rstd dweight) / count), in training.
kernel void batch_back(global const float *x, global const float *weight, global const float *mean,
                       global const float *rstd, global const float *grad,
                       global const float *dweight, global const float *dbias, global float *dx,
                       const long images, const long channels, const long plane,
                       const long training) {
  ITEM;
  const long c = i / plane % channels;
  const float scale = (weight ? weight[c] : 1) * rstd[c], count = (float)(images * plane);
  float g = grad[i];
  if (training) g -= (dbias[c] + (x[i] - mean[c]) * rstd[c] * dweight[c]) / count;
  dx[i] = scale * g;
}
