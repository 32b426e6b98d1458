/*
** conv.c -- convolutions as products. What the windows meet becomes columns (channels and taps x
** positions), a block of positions and as many channels at a time as stay in L2, and gemm.h does
** the rest. Where windows move down by one row, taps above each other meet the same rows, so
** "tall" columns hold them once and there is a product per tap row, each beginning further down.
** conv_transpose2d is conv2d with the weight turned round, once for every phase of its stride.
** Groups with few channels (depthwise) are computed directly. Blocks follow from the shape alone.
*/
#include "cpu.h"
#include "gemm.h"
#include "real.h"

enum {
  BLOCK_BYTES = 384 * 1024,   /* of columns, and of results, in a block: both within L2 */
  POSITIONS = 1024,           /* in a block at most */
  FEW_POSITIONS = 64,         /* fewer are not worth a block */
  TALL_POSITIONS = 128,       /* tall columns end with the image: a vector in part at each end */
  TALL_ROWS = 32,             /* of columns in one product: fewer spend it on the result */
  TASKS = 8,                  /* wanted, where the shape has so many */
  SPARE = 64,                 /* elements behind the columns, where the last row may end */
  DIRECT = 4,                 /* pairs of channels in a group that is computed directly */
};

/* One of the two dimensions, seen from the result. */
typedef struct axis {
  int64_t size;                      /* of the side that is read */
  int64_t positions, taps;
  int64_t from, stride, apart;       /* tap t at position i meets i * stride + from + t * apart */
  int64_t weight, weight_step;       /* and lies at weight + t * weight_step in the kernel */
  int64_t out_size, out, out_step;   /* position i lies at out + i * out_step of the other side */
} axis;

typedef struct conv {
  int32_t dtype;
  int64_t size;                      /* bytes of an element */
  int64_t images, groups, ic, oc;    /* channels of a group: of the side read, of the other */
  axis y, x;
  char *in, *out, *weight;
  const char *bias;
  int64_t kernel_h, kernel_w;
  int64_t weight_in, weight_out;     /* elements between channels */
  const char *prepared;              /* the weight as the products want it: [group][oc][k] */
  bool tall;
  int64_t k;                         /* ic taps */
  int64_t k_channel, k_row;          /* steps along k from channel to channel, from ky to ky */
  int64_t block, span;               /* rows in a block, rows that one may not cross */
  int64_t in_span, blocks;           /* blocks in a span, and in all */
  int64_t chunk, chunks;             /* channels in the columns at a time */
  int64_t parts;                     /* sums that a weight's gradient is made of */
  char *shared, *own;                /* of all workers; of worker 0, the next ones follow */
  size_t own_bytes, columns_bytes, block_bytes, gemm_bytes;
} conv;

static axis axis_of(int64_t size, int64_t positions, int64_t kernel, int64_t stride,
                    int64_t padding, int64_t dilation) {
  return (axis){ .size = size, .positions = positions, .taps = kernel, .from = -padding,
                 .stride = stride, .apart = dilation, .weight_step = 1, .out_size = positions,
                 .out_step = 1 };
}

/* Positions phase, phase + stride .. of a transpose's result: the taps that meet them, from the
** last to the first, since they meet ever later elements that way. */
static axis axis_phase(int64_t size, int64_t out_size, int64_t kernel, int64_t stride,
                       int64_t padding, int64_t dilation, int64_t phase) {
  axis a = { .size = size, .stride = 1, .apart = 1, .out_size = out_size, .out = phase,
             .out_step = stride };
  a.positions = max_i64(0, (out_size - phase + stride - 1) / stride);
  for (int64_t tap = kernel - 1; tap >= 0; tap--) {
    int64_t at = phase + padding - tap * dilation;
    if (at % stride) continue;
    if (a.taps == 0) a.weight = tap, a.from = at / stride;
    if (a.taps == 1) a.weight_step = tap - a.weight, a.apart = at / stride - a.from;
    a.taps++;
  }
  return a;
}

/* Positions begin <= i < end of a tap lie inside; it meets i * stride + from. */
typedef struct reach { int64_t from, begin, end; } reach;

static reach reach_of(const axis *a, int64_t tap) {
  reach r = { .from = a->from + tap * a->apart };
  r.begin = r.from >= 0 ? 0 : min_i64(a->positions, (-r.from + a->stride - 1) / a->stride);
  r.end = a->size <= r.from ? 0 : min_i64(a->positions, (a->size - 1 - r.from) / a->stride + 1);
  r.end = max_i64(r.end, r.begin);
  return r;
}

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static size_t bytes_of(const conv *c, int64_t n) { return (size_t)(n * c->size); }

/* Rows that tall columns hold below those of the block. */
static int64_t halo(const conv *c) { return c->tall ? (c->y.taps - 1) * c->y.apart : 0; }

/* Elements of a row of columns for `rows` rows of positions. */
static int64_t pitch(const conv *c, int64_t rows) { return (rows + halo(c)) * c->x.positions; }

/* Products per block and chunk, one below the other. */
static int64_t steps(const conv *c) { return c->tall ? c->y.taps : 1; }

/* The product of a block of `rows` rows with `channels` channels of columns. */
static gemm_args forward_product(const conv *c, int64_t rows, int64_t channels) {
  int64_t n = rows * c->x.positions;
  return (gemm_args){ .m = c->oc, .n = n, .k = channels * c->k_channel, .a_rs = c->k, .a_cs = 1,
                      .b_rs = pitch(c, rows), .b_cs = 1, .ldc = n };
}

static gemm_args weight_product(const conv *c, int64_t rows, int64_t channels) {
  int64_t n = rows * c->x.positions;
  return (gemm_args){ .m = channels * c->k_channel, .n = c->oc, .k = n, .a_rs = pitch(c, rows),
                      .a_cs = 1, .b_rs = 1, .b_cs = n, .ldc = c->oc };
}

/* Rows of positions begin .. end - 1, counted through all images. */
typedef struct rows { int64_t begin, end; } rows;

static rows rows_of_block(const conv *c, int64_t block) {
  int64_t first = block / c->in_span * c->span, begin = first + block % c->in_span * c->block;
  return (rows){ begin, min_i64(begin + c->block, first + c->span) };
}

static int64_t chunk_begin(const conv *c, int64_t chunk) {
  return min_i64(chunk * c->chunk, c->ic);
}

#define REAL f32
#include "conv_real.h"
#include "conv_direct_real.h"
#undef REAL
#define REAL f64
#include "conv_real.h"
#include "conv_direct_real.h"
#undef REAL

#define OF_DTYPE(c, f) ((c)->dtype == PL_F32 ? f##_f32 : f##_f64)

/* Nanoseconds, roughly. */
static int64_t conv_work(const conv *c) {
  int64_t positions = c->images * c->y.positions * c->x.positions;
  return c->groups * c->oc * c->k * positions * c->size / 128 + c->images * c->y.positions;
}

static bool conv_is_direct(const conv *c) { return c->groups > 1 && c->ic * c->oc <= DIRECT; }

static void conv_cut(conv *c) {
  int64_t width = max_i64(1, c->x.positions), height = max_i64(1, c->y.positions);
  int64_t n = min_i64(POSITIONS, BLOCK_BYTES / (c->oc * c->size));
  n = max_i64(FEW_POSITIONS, min_i64(n, c->images * c->groups * height * width / TASKS));
  int64_t fits = max_i64(1, n / width);
  c->tall = c->images > 0 && c->y.stride == 1 && c->y.taps > 1 && c->ic * c->x.taps >= TALL_ROWS &&
            height * width >= TALL_POSITIONS && c->y.apart < min_i64(fits, height);
  c->span = c->tall ? height : c->images * height;
  c->in_span = max_i64(1, (c->span + fits - 1) / fits);
  c->block = max_i64(1, (c->span + c->in_span - 1) / c->in_span);
  c->blocks = c->in_span * (c->tall ? c->images : 1);
  c->k = c->ic * c->y.taps * c->x.taps;
  c->k_channel = c->x.taps * (c->tall ? 1 : c->y.taps);
  c->k_row = c->x.taps * (c->tall ? c->ic : 1);
  int64_t channel = max_i64(1, c->k_channel) * pitch(c, c->block) * c->size;
  c->chunk = max_i64(1, min_i64(c->ic, BLOCK_BYTES / channel));
  c->chunks = max_i64(1, (c->ic + c->chunk - 1) / c->chunk);   /* no channels: an empty product */
  c->chunk = max_i64(1, (c->ic + c->chunks - 1) / c->chunks);
}

/* A kernel's products differ in size where blocks and chunks end; scratch is for the largest. */
static void conv_expect(conv *c, gemm_args (*product)(const conv *, int64_t, int64_t)) {
  const int64_t rows[] = { c->block, c->span % c->block };
  const int64_t channels[] = { c->chunk, c->ic % c->chunk };
  for (int i = 0; i < 4; i++) {
    gemm_args g = product(c, rows[i / 2], channels[i % 2]);
    size_t bytes = c->dtype == PL_F32 ? LEVEL(gemm_f32_scratch)(&g) : LEVEL(gemm_f64_scratch)(&g);
    if (aligned(bytes) > c->gemm_bytes) c->gemm_bytes = aligned(bytes);
  }
}

/* One piece of memory for what is shared and for each worker's columns, block and product. */
static bool conv_scratch(conv *c, int64_t shared) {
  int64_t columns = c->chunk * c->k_channel * pitch(c, c->block) + SPARE;
  c->columns_bytes = aligned(bytes_of(c, columns));
  c->block_bytes = aligned(bytes_of(c, c->oc * c->block * c->x.positions));
  c->own_bytes = c->columns_bytes + c->block_bytes + c->gemm_bytes;
  char *memory = cpu_scratch(aligned(bytes_of(c, shared)) + c->own_bytes * (size_t)cpu_threads());
  c->shared = memory;
  c->own = memory + aligned(bytes_of(c, shared));
  return memory != NULL;
}

static bool conv_takes(const pl_call *call) {
  int32_t dtype = call->out[0]->dtype;
  if (dtype != PL_F32 && dtype != PL_F64) return false;
  for (int i = 0; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->dtype != dtype) return false;
  return true;
}

/* Channels and data; `in` is the side that is read, `out` the other one. */
static conv conv_of(const pl_operand *in, const pl_operand *out, const pl_operand *weight,
                    int64_t groups) {
  return (conv){ .dtype = out->dtype, .size = dtype_size(out->dtype),
                 .images = in->rank == 4 ? in->sizes[0] : 1, .groups = groups,
                 .ic = in->sizes[in->rank - 3] / groups, .oc = out->sizes[out->rank - 3] / groups,
                 .in = operand_data(in), .out = operand_data(out),
                 .weight = operand_data(weight), .kernel_h = weight->sizes[2],
                 .kernel_w = weight->sizes[3] };
}

static void set_axes(conv *c, const pl_operand *in, const pl_operand *out, const pl_sizes *stride,
                     const pl_sizes *padding, const pl_sizes *dilation) {
  const int64_t *from = in->sizes + in->rank - 2, *to = out->sizes + out->rank - 2;
  c->y = axis_of(from[0], to[0], c->kernel_h, pl_sizes_at(stride, 0), pl_sizes_at(padding, 0),
                 pl_sizes_at(dilation, 0));
  c->x = axis_of(from[1], to[1], c->kernel_w, pl_sizes_at(stride, 1), pl_sizes_at(padding, 1),
                 pl_sizes_at(dilation, 1));
}

/* The weight lies as products want it unless columns are tall or taps come in another order. */
static bool weight_is_ready(const conv *c) {
  return !c->tall && c->y.weight_step == 1 && c->x.weight_step == 1 && c->weight_out == c->k;
}

static pl_status conv_forward(conv *c) {
  if (c->y.positions * c->x.positions == 0) return PL_OK;
  conv_cut(c);
  if (conv_is_direct(c)) {
    parallel_for(c->images * c->groups, conv_work(c) * 4, OF_DTYPE(c, direct_forward), c);
    return PL_OK;
  }
  bool ready = weight_is_ready(c);
  conv_expect(c, forward_product);
  if (!conv_scratch(c, ready ? 0 : c->groups * c->oc * c->k)) return PL_EMEMORY;
  c->prepared = ready ? c->weight : c->shared;
  if (!ready) parallel_for(c->groups * c->oc, c->groups * c->oc * c->k, OF_DTYPE(c, prepare), c);
  parallel_for(c->groups * c->blocks, conv_work(c), OF_DTYPE(c, forward_block), c);
  return PL_OK;
}

KERNEL(conv2d) {
  const pl_conv2d_attrs *a = call->attrs;
  const pl_operand *out = call->out[0];
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv c = conv_of(call->in[0], out, call->in[1], a->groups);
  set_axes(&c, call->in[0], out, &a->stride, &a->padding, &a->dilation);
  c.weight_in = c.kernel_h * c.kernel_w;
  c.weight_out = c.ic * c.weight_in;
  if (call->n_in > 2 && call->in[2]) c.bias = operand_data(call->in[2]);
  return conv_forward(&c);
}

KERNEL(conv_transpose2d) {
  const pl_conv_transpose2d_attrs *a = call->attrs;
  const pl_operand *in = call->in[0], *out = call->out[0];
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv c = conv_of(in, out, call->in[1], a->groups);
  c.weight_out = c.kernel_h * c.kernel_w;
  c.weight_in = c.oc * c.weight_out;
  if (call->n_in > 2 && call->in[2]) c.bias = operand_data(call->in[2]);
  const int64_t *from = in->sizes + in->rank - 2, *to = out->sizes + out->rank - 2;
  int64_t sh = pl_sizes_at(&a->stride, 0), sw = pl_sizes_at(&a->stride, 1);
  int64_t rows = min_i64(sh, to[0]), columns = min_i64(sw, to[1]);   /* phases with positions */
  for (int64_t phase = 0; phase < rows * columns; phase++) {
    c.y = axis_phase(from[0], to[0], c.kernel_h, sh, pl_sizes_at(&a->padding, 0),
                     pl_sizes_at(&a->dilation, 0), phase / columns);
    c.x = axis_phase(from[1], to[1], c.kernel_w, sw, pl_sizes_at(&a->padding, 1),
                     pl_sizes_at(&a->dilation, 1), phase % columns);
    pl_status s = conv_forward(&c);
    if (s) return s;
  }
  return PL_OK;
}

KERNEL(conv2d_weight_grad) {
  const pl_conv2d_weight_grad_attrs *a = call->attrs;
  const pl_operand *x = call->in[0], *grad = call->in[1], *out = call->out[0];
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv c = conv_of(x, grad, out, a->groups);
  set_axes(&c, x, grad, &a->stride, &a->padding, &a->dilation);
  c.weight_in = c.kernel_h * c.kernel_w;
  c.weight_out = c.ic * c.weight_in;
  conv_cut(&c);
  if (conv_is_direct(&c)) {
    parallel_for(c.groups, conv_work(&c) * 4, OF_DTYPE(&c, direct_weight), &c);
    return PL_OK;
  }
  for (c.parts = 1; c.parts * c.groups * c.chunks < TASKS && c.parts < c.blocks;) c.parts *= 2;
  conv_expect(&c, weight_product);
  if (!conv_scratch(&c, c.parts * c.groups * c.oc * c.k)) return PL_EMEMORY;
  parallel_for(c.groups * c.chunks * c.parts, conv_work(&c), OF_DTYPE(&c, weight_part), &c);
  parallel_for(c.groups * c.ic, c.parts * c.groups * c.oc * c.k, OF_DTYPE(&c, weight_finish), &c);
  return PL_OK;
}
