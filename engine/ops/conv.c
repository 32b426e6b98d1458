/*
** conv.c -- convolutions over the last two dimensions. They are each other's gradients: what
** conv2d does to its input conv_transpose2d undoes in shape, and conv2d_weight_grad serves both.
** A lone size among stride, padding and so on counts for both dimensions.
*/
#include "../rule.h"
#include "../autograd.h"

/* The attributes that all three rows have. */
typedef struct window {
  const pl_sizes *stride, *padding, *dilation;
  int64_t groups;
} window;

static pl_status check_window(infer *c, const window *w) {
  pl_status s = infer_pair(c, "stride", w->stride, 1);
  if (!s) s = infer_pair(c, "padding", w->padding, 0);
  if (!s) s = infer_pair(c, "dilation", w->dilation, 1);
  if (!s && (w->groups < 1 || w->groups > INT32_MAX))
    s = infer_error(c, "groups", PL_EARGUMENT, "groups must lie in 1..%d, got %lld", INT32_MAX,
                    (long long)w->groups);
  return s;
}

/* Positions, strides and kernels of 32 bits: their products never overflow. */
static pl_status check_plane(infer *c, int i) {
  const int64_t *plane = c->in[i]->sizes + c->in[i]->rank - 2;
  char text[SHAPE_TEXT];
  if (plane[0] <= INT32_MAX && plane[1] <= INT32_MAX) return PL_OK;
  return infer_error(c, c->op->in[i].name, PL_ESHAPE, "%s is %s; height and width are %d at most",
                     c->op->in[i].name, shape_text(c->in[i], text), INT32_MAX);
}

static pl_status check_image(infer *c, int i) {
  const pl_operand *x = c->in[i];
  char text[SHAPE_TEXT];
  if (x->rank != 3 && x->rank != 4)
    return infer_error(c, c->op->in[i].name, PL_ESHAPE,
                       "%s must be images x channels x height x width, "
                       "or one image without the first, it is %s",
                       c->op->in[i].name, shape_text(x, text));
  return check_plane(c, i);
}

static int64_t channels(const pl_operand *x) { return x->sizes[x->rank - 3]; }

static pl_status check_weight(infer *c, int64_t groups) {
  const pl_operand *w = c->in[1];
  char text[SHAPE_TEXT];
  if (w->rank != 4 || w->sizes[2] < 1 || w->sizes[3] < 1)
    return infer_error(c, "weight", PL_ESHAPE,
                       "weight must be channels x channels x height x width, "
                       "it is %s",
                       shape_text(w, text));
  if (w->sizes[0] % groups)
    return infer_error(c, "weight", PL_ESHAPE, "the weight's first size, %lld, is not divisible by "
                       "groups %lld", (long long)w->sizes[0], (long long)groups);
  return check_plane(c, 1);
}

static pl_status check_channels(infer *c, int64_t expected) {
  char x[SHAPE_TEXT], w[SHAPE_TEXT];
  if (channels(c->in[0]) == expected) return PL_OK;
  return infer_error(c, "x", PL_ESHAPE, "input has %lld channels, weight expects %lld (input %s, "
                     "weight %s)", (long long)channels(c->in[0]), (long long)expected,
                     shape_text(c->in[0], x), shape_text(c->in[1], w));
}

static pl_status check_bias(infer *c, int64_t expected) {
  const pl_operand *bias = c->in[2];
  char text[SHAPE_TEXT];
  if (!bias || (bias->rank == 1 && bias->sizes[0] == expected)) return PL_OK;
  return infer_error(c, "bias", PL_ESHAPE,
                     "bias must have one element per output channel (%lld), it "
                     "is %s",
                     (long long)expected, shape_text(bias, text));
}

/* What a window of `kernel` elements spans. */
static int64_t span(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) + 1; }

/* Positions of the window along one axis, less than 1 where it does not fit at all. */
static int64_t positions(const window *w, int axis, int64_t size, int64_t kernel) {
  int64_t room =
      size + 2 * pl_sizes_at(w->padding, axis) - span(kernel, pl_sizes_at(w->dilation, axis));
  return room < 0 ? 0 : room / pl_sizes_at(w->stride, axis) + 1;
}

/* The last two sizes of out, for windows of kernel[2] over x. */
static pl_status set_positions(infer *c, const window *w, const int64_t *kernel) {
  const pl_operand *x = c->in[0];
  for (int axis = 0; axis < 2; axis++) {
    int64_t size = x->sizes[x->rank - 2 + axis], n = positions(w, axis, size, kernel[axis]);
    if (n < 1)
      return infer_error(c, "x", PL_ESHAPE,
                         "a kernel that spans %lld does not fit into %s %lld with "
                         "padding %lld",
                         (long long)span(kernel[axis], pl_sizes_at(w->dilation, axis)),
                         axis ? "width" : "height", (long long)size,
                         (long long)pl_sizes_at(w->padding, axis));
    c->out->sizes[x->rank - 2 + axis] = n;
  }
  return PL_OK;
}

INFER(conv2d) {
  const pl_conv2d_attrs *a = c->attrs;
  const window w = { &a->stride, &a->padding, &a->dilation, a->groups };
  pl_status s = check_window(c, &w);
  if (s || (s = check_image(c, 0)) || (s = check_weight(c, w.groups))) return s;
  const pl_operand *weight = c->in[1];
  if ((s = check_channels(c, weight->sizes[1] * w.groups))) return s;
  if ((s = check_bias(c, weight->sizes[0]))) return s;
  infer_like(c->out, c->in[0]);
  c->out->sizes[c->out->rank - 3] = weight->sizes[0];
  return set_positions(c, &w, weight->sizes + 2);
}

INFER(conv_transpose2d) {
  const pl_conv_transpose2d_attrs *a = c->attrs;
  const window w = { &a->stride, &a->padding, &a->dilation, a->groups };
  pl_status s = check_window(c, &w);
  if (!s) s = infer_pair(c, "output_padding", &a->output_padding, 0);
  if (s || (s = check_image(c, 0)) || (s = check_weight(c, w.groups))) return s;
  const pl_operand *x = c->in[0], *weight = c->in[1];
  if ((s = check_channels(c, weight->sizes[0]))) return s;
  if ((s = check_bias(c, weight->sizes[1] * w.groups))) return s;
  infer_like(c->out, x);
  c->out->sizes[x->rank - 3] = weight->sizes[1] * w.groups;
  for (int axis = 0; axis < 2; axis++) {
    int64_t more = pl_sizes_at(&a->output_padding, axis), stride = pl_sizes_at(w.stride, axis);
    int64_t dilation = pl_sizes_at(w.dilation, axis);
    if (more >= stride && more >= dilation)
      return infer_error(c, "output_padding", PL_EARGUMENT, "output_padding %lld must be smaller "
                         "than stride %lld or dilation %lld", (long long)more, (long long)stride,
                         (long long)dilation);
    int64_t size = (x->sizes[x->rank - 2 + axis] - 1) * stride - 2 * pl_sizes_at(w.padding, axis)
                 + span(weight->sizes[2 + axis], dilation) + more;
    if (size < 1)
      return infer_error(c, "x", PL_ESHAPE, "the output's %s would be %lld",
                         axis ? "width" : "height", (long long)size);
    c->out->sizes[x->rank - 2 + axis] = size;
  }
  return PL_OK;
}

/* Input x and the gradient of the output fit together: grad is shaped as the output would be. */
INFER(conv2d_weight_grad) {
  const pl_conv2d_weight_grad_attrs *a = c->attrs;
  const window w = { &a->stride, &a->padding, &a->dilation, a->groups };
  const pl_operand *x = c->in[0], *grad = c->in[1];
  char p[SHAPE_TEXT], q[SHAPE_TEXT];
  pl_status s = check_window(c, &w);
  if (!s) s = infer_pair(c, "kernel", &a->kernel, 1);
  if (s || (s = check_image(c, 0)) || (s = check_image(c, 1))) return s;
  const int64_t kernel[2] = { pl_sizes_at(&a->kernel, 0), pl_sizes_at(&a->kernel, 1) };
  infer_like(c->out, x);
  if ((s = set_positions(c, &w, kernel))) return s;
  c->out->sizes[x->rank - 3] = channels(grad);
  if (!shape_equal(c->out, grad) || channels(x) % w.groups || channels(grad) % w.groups)
    return infer_error(c, "grad", PL_ESHAPE, "grad %s is no output for x %s", shape_text(grad, q),
                       shape_text(x, p));
  c->out->rank = 4;
  c->out->sizes[0] = channels(grad);
  c->out->sizes[1] = channels(x) / w.groups;
  c->out->sizes[2] = kernel[0];
  c->out->sizes[3] = kernel[1];
  return PL_OK;
}

/* What is left of the input behind the last window: a transpose must add it to give x's size. */
static pl_sizes left_over(const window *w, const input_shape *x, const int64_t *kernel) {
  pl_sizes left = { .n = 2 };
  for (int axis = 0; axis < 2; axis++)
    left.size[axis] = (x->sizes[x->rank - 2 + axis] + 2 * pl_sizes_at(w->padding, axis) -
                       span(kernel[axis], pl_sizes_at(w->dilation, axis))) %
                      pl_sizes_at(w->stride, axis);
  return left;
}

/* The sum over everything but channels. */
static tensor *bias_grad(tensor *dy, int rank) {
  return rank == 3 ? op1(sum, dy, .axes = {2, {1, 2}}) : op1(sum, dy, .axes = {3, {0, 2, 3}});
}

GRAD(conv2d) {
  const pl_conv2d_attrs *t = r->attrs;
  const window w = { &t->stride, &t->padding, &t->dilation, t->groups };
  const int64_t *kernel = r->shapes[1].sizes + 2;
  D(0) = op2(conv_transpose2d, dy, b, .stride = t->stride, .padding = t->padding,
             .output_padding = left_over(&w, &r->shapes[0], kernel), .dilation = t->dilation,
             .groups = t->groups);
  D(1) = op2(conv2d_weight_grad, a, dy, .kernel = { 2, { kernel[0], kernel[1] } },
             .stride = t->stride, .padding = t->padding, .dilation = t->dilation,
             .groups = t->groups);
  if (r->n_in > 2) D(2) = bias_grad(dy, r->shapes[0].rank);
}

/* Windows that fit behind the last one: an output padding of a stride and more makes room for them.
** As a padding of x; below 0 where they are to be cut off. */
static pl_sizes windows_behind(const pl_conv_transpose2d_attrs *t, int sign) {
  pl_sizes padding = { .n = 4 };
  for (int axis = 0; axis < 2; axis++)
    padding.size[3 - 2 * axis] = sign * (pl_sizes_at(&t->output_padding, axis)
                                         / pl_sizes_at(&t->stride, axis));
  return padding;
}

GRAD(conv_transpose2d) {
  const pl_conv_transpose2d_attrs *t = r->attrs;
  const int64_t *kernel = r->shapes[1].sizes + 2;
  const pl_sizes more = windows_behind(t, 1);
  bool fits = !more.size[1] && !more.size[3];
  if (r->need[0]) {
    tensor *dx = op2(conv2d, dy, b, .stride = t->stride, .padding = t->padding,
                     .dilation = t->dilation, .groups = t->groups);
    r->dx[0] = fits ? dx : op1(pad, dx, .padding = windows_behind(t, -1));
  }
  tensor *x = fits || !r->need[1] ? a : op1(pad, a, .padding = more);
  D(1) = op2(conv2d_weight_grad, dy, x, .kernel = { 2, { kernel[0], kernel[1] } },
             .stride = t->stride, .padding = t->padding, .dilation = t->dilation,
             .groups = t->groups);
  if (r->n_in > 2) D(2) = bias_grad(dy, r->shapes[0].rank);
}

GRAD(conv2d_weight_grad) {
  const pl_conv2d_weight_grad_attrs *t = r->attrs;
  const window w = { &t->stride, &t->padding, &t->dilation, t->groups };
  const int64_t kernel[2] = { pl_sizes_at(&t->kernel, 0), pl_sizes_at(&t->kernel, 1) };
  D(0) = op2(conv_transpose2d, b, dy, .stride = t->stride, .padding = t->padding,
             .output_padding = left_over(&w, &r->shapes[0], kernel), .dilation = t->dilation,
             .groups = t->groups);
  D(1) = op2(conv2d, a, dy, .stride = t->stride, .padding = t->padding, .dilation = t->dilation,
             .groups = t->groups);
}
