// optim.cl -- optimizer steps, an item for each element of a tensor. Numbers of a parameter group
// are f64: without cl_khr_fp64 there are no such kernels and the CPU makes the steps.

#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

// hyper: lr, momentum, dampening, weight_decay
kernel void sgd(global float *param, global const float *grad, global float *momentum,
                global const double *hyper, const long nesterov, const long maximize,
                const long first) {
  ITEM;
  float x = param[i], d = maximize ? -grad[i] : grad[i];
  d += (float)hyper[3] * x;
  if (momentum) {
    const float m = first ? d : momentum[i] * (float)hyper[1] + (float)(1 - hyper[2]) * d;
    momentum[i] = m;
    d = nesterov ? d + (float)hyper[1] * m : m;
  }
  param[i] = x - (float)hyper[0] * d;
}

// hyper: lr, beta1, beta2, eps, weight_decay; steps: those made so far
kernel void adam(global float *param, global const float *grad, global float *mean,
                 global float *square, global float *top, global const double *steps,
                 global const double *hyper, const long decoupled, const long maximize) {
  ITEM;
  const double step = steps[0] + 1, lr = hyper[0];
  const float correction = (float)(1 / sqrt(1 - pow(hyper[2], step)));
  const float step_size = (float)(lr / (1 - pow(hyper[1], step)));
  const float x = param[i];
  float d = maximize ? -grad[i] : grad[i];
  if (!decoupled) d += (float)hyper[4] * x;
  const float m = mean[i] + (float)(1 - hyper[1]) * (d - mean[i]);
  float v = square[i] * (float)hyper[2] + d * (float)(1 - hyper[2]) * d;
  mean[i] = m;
  square[i] = v;
  if (top) top[i] = v = fmax(v, top[i]);
  const float keep = decoupled ? (float)(1 - lr * hyper[4]) : 1;
  param[i] = x * keep - m * step_size / (sqrt(v) * correction + (float)hyper[3]);
}

kernel void count_up(global double *steps) { steps[0] += 1; }
#endif

kernel void scale(global float *x, global const float *factor) {
  ITEM;
  x[i] *= factor[0];
}

// Tensor after tensor: the squares so far, and the root at the last one.
kernel void norm_add(global const float *x, global float *y, const long n, const long first,
                     const long last) {
  total t = { first ? 0 : y[0], 0 };
  for (long k = 0; k < n; k++) add_to(&t, x[k] * x[k]);
  y[0] = last ? sqrt(t.sum) : t.sum;
}
