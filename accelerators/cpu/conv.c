/*
** conv.c -- convolutions as products: windows of the large side become columns (k x positions),
** a block of them at a time, and gemm.h does the rest. "Large" is what conv2d reads and
** conv_transpose2d writes, "small" the other side. Rows of positions are counted through all
** images, so a block may hold several small ones. Blocks follow from the shape alone.
** Groups with one large channel (depthwise) are computed directly.
*/
#include "cpu.h"
#include "gemm.h"
#include "real.h"
#include <string.h>

enum {
  COLUMNS_BYTES = 256 * 1024,   /* of columns in a block: within L2 beside the other operand */
  PARTS = 8,                    /* sums a weight's gradient is made of at most */
  DIRECT = 4,                   /* small channels of a group that has one large channel */
};

typedef struct conv {
  int32_t dtype;
  int64_t size;                      /* bytes of an element */
  int64_t images, groups, ic, oc;    /* channels of a group: large side, small side */
  int64_t h, w, oh, ow;              /* the large side, the small side */
  int64_t kh, kw, sh, sw, ph, pw, dh, dw;
  int64_t k;                         /* ic kh kw */
  int64_t rows;                      /* images oh */
  int64_t block;                     /* rows in a block */
  char *large, *small, *weight;
  const char *bias;
  int64_t blocks, parts, per_task, pieces;
  char *shared;                      /* parts of the weight's gradient but the first */
  char *own;                         /* scratch of worker 0; the next ones follow */
  size_t own_bytes, columns_bytes, block_bytes;
  size_t gemm_bytes;
} conv;

static void conv_sides(conv *c, const pl_operand *large, const pl_operand *small,
                       const pl_operand *weight, int64_t groups) {
  int r = large->rank;
  *c = (conv){ .dtype = large->dtype, .size = dtype_size(large->dtype),
               .images = r == 4 ? large->sizes[0] : 1, .groups = groups,
               .ic = weight->sizes[1], .oc = weight->sizes[0] / groups,
               .h = large->sizes[r - 2], .w = large->sizes[r - 1],
               .oh = small->sizes[r - 2], .ow = small->sizes[r - 1],
               .kh = weight->sizes[2], .kw = weight->sizes[3],
               .large = operand_data(large), .small = operand_data(small),
               .weight = operand_data(weight) };
  c->k = c->ic * c->kh * c->kw;
  c->rows = c->images * c->oh;
  int64_t fits = COLUMNS_BYTES / max_i64(1, c->k * c->ow * c->size);
  c->block = max_i64(1, min_i64(c->rows, fits));
}

static void conv_window(conv *c, const pl_sizes *stride, const pl_sizes *padding,
                        const pl_sizes *dilation) {
  c->sh = pl_sizes_at(stride, 0), c->sw = pl_sizes_at(stride, 1);
  c->ph = pl_sizes_at(padding, 0), c->pw = pl_sizes_at(padding, 1);
  c->dh = pl_sizes_at(dilation, 0), c->dw = pl_sizes_at(dilation, 1);
}

static bool conv_is_direct(const conv *c) { return c->ic == 1 && c->oc <= DIRECT && c->groups > 1; }

/* What a tap reads at position i of an axis is i * stride + from; inside for begin <= i < end. */
typedef struct reach { int64_t from, begin, end; } reach;

static reach reach_of(int64_t tap, int64_t stride, int64_t padding, int64_t dilation, int64_t size,
                      int64_t positions) {
  reach r = { .from = tap * dilation - padding };
  r.begin = r.from >= 0 ? 0 : min_i64(positions, (-r.from + stride - 1) / stride);
  r.end = size <= r.from ? 0 : min_i64(positions, (size - 1 - r.from) / stride + 1);
  r.end = max_i64(r.end, r.begin);
  return r;
}

static reach reach_x(const conv *c, int64_t tap) {
  return reach_of(tap, c->sw, c->pw, c->dw, c->w, c->ow);
}

static reach reach_y(const conv *c, int64_t tap) {
  return reach_of(tap, c->sh, c->ph, c->dh, c->h, c->oh);
}

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static size_t bytes_of(const conv *c, int64_t n) { return (size_t)(n * c->size); }

/* The product of a block of `rows` rows, its pointers and scratch to be filled in. */
static gemm_args forward_product(const conv *c, int64_t rows) {
  int64_t n = rows * c->ow;
  return (gemm_args){ .m = c->oc, .n = n, .k = c->k, .a_rs = c->k, .a_cs = 1, .b_rs = n, .b_cs = 1,
                      .ldc = n };
}

static gemm_args transpose_product(const conv *c, int64_t rows, int64_t channels) {
  int64_t n = rows * c->ow;
  return (gemm_args){ .m = channels * c->kh * c->kw, .n = n, .k = c->oc, .a_rs = 1, .a_cs = c->k,
                      .b_rs = n, .b_cs = 1, .ldc = n };
}

static gemm_args weight_product(const conv *c, int64_t rows) {
  int64_t n = rows * c->ow;
  return (gemm_args){ .m = c->oc, .n = c->k, .k = n, .a_rs = n, .a_cs = 1, .b_rs = 1, .b_cs = n,
                      .ldc = c->k };
}

#define REAL f32
#include "conv_real.h"
#undef REAL
#define REAL f64
#include "conv_real.h"
#undef REAL

#define OF_DTYPE(c, f) ((c)->dtype == PL_F32 ? f##_f32 : f##_f64)

/* Nanoseconds, roughly. */
static int64_t conv_work(const conv *c, int64_t flops) { return flops * c->size / 128 + c->rows; }

static int64_t conv_flops(const conv *c) { return c->groups * c->oc * c->k * c->rows * c->ow; }

/* A kernel's products differ in size where blocks end; the scratch is what the largest takes. */
static void conv_expect(conv *c, const gemm_args *g) {
  size_t bytes = c->dtype == PL_F32 ? LEVEL(gemm_f32_scratch)(g) : LEVEL(gemm_f64_scratch)(g);
  if (aligned(bytes) > c->gemm_bytes) c->gemm_bytes = aligned(bytes);
}

/* One piece of memory for what is shared and for each worker's columns, block and product. */
static bool conv_scratch(conv *c, int64_t shared, int64_t columns, int64_t block) {
  c->columns_bytes = aligned(bytes_of(c, columns));
  c->block_bytes = aligned(bytes_of(c, block));
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

KERNEL(conv2d) {
  const pl_conv2d_attrs *a = call->attrs;
  const pl_operand *out = call->out[0];
  conv c;
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv_sides(&c, call->in[0], out, call->in[1], a->groups);
  conv_window(&c, &a->stride, &a->padding, &a->dilation);
  if (call->n_in > 2 && call->in[2]) c.bias = operand_data(call->in[2]);
  int64_t work = conv_work(&c, conv_flops(&c));
  if (conv_is_direct(&c)) {
    parallel_for(c.images * c.groups, work * 4, OF_DTYPE(&c, direct_forward), &c);
    return PL_OK;
  }
  c.blocks = (c.rows + c.block - 1) / c.block;
  for (int i = 0; i < 2; i++) {
    gemm_args g = forward_product(&c, i ? c.rows % c.block : c.block);
    conv_expect(&c, &g);
  }
  if (!conv_scratch(&c, 0, c.k * c.block * c.ow, c.oc * c.block * c.ow)) return PL_EMEMORY;
  parallel_for(c.groups * c.blocks, work, OF_DTYPE(&c, forward_block), &c);
  return PL_OK;
}

/* A task owns whole images, or a piece of the channels of one where there are few. */
static void transpose_cut(conv *c) {
  c->per_task = max_i64(1, min_i64(c->images, c->block / max_i64(1, c->oh)));
  c->blocks = (c->images + c->per_task - 1) / c->per_task;
  c->pieces = c->blocks * c->groups >= PARTS ? 1 : max_i64(1, min_i64(c->ic, PARTS / 2));
}

/* Blocks within a task, at the end of one, and at the end of the last, smaller one. */
static void transpose_expect(conv *c) {
  int64_t task = c->per_task * c->oh, last = c->images % c->per_task * c->oh;
  const int64_t rows[] = { min_i64(c->block, task), task % c->block, min_i64(c->block, last),
                           last % c->block };
  for (int i = 0; i < 4; i++)
    for (int up = 0; up < 2; up++) {
      gemm_args g = transpose_product(c, rows[i], (c->ic + up * (c->pieces - 1)) / c->pieces);
      conv_expect(c, &g);
    }
}

KERNEL(conv_transpose2d) {
  const pl_conv_transpose2d_attrs *a = call->attrs;
  const pl_operand *out = call->out[0];
  conv c;
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv_sides(&c, out, call->in[0], call->in[1], a->groups);
  conv_window(&c, &a->stride, &a->padding, &a->dilation);
  if (call->n_in > 2 && call->in[2]) c.bias = operand_data(call->in[2]);
  int64_t work = conv_work(&c, conv_flops(&c));
  if (conv_is_direct(&c)) {
    parallel_for(c.images * c.groups, work * 4, OF_DTYPE(&c, direct_transpose), &c);
    return PL_OK;
  }
  transpose_cut(&c);
  transpose_expect(&c);
  if (!conv_scratch(&c, 0, c.k * c.block * c.ow, c.oc * c.block * c.ow)) return PL_EMEMORY;
  parallel_for(c.groups * c.blocks * c.pieces, work, OF_DTYPE(&c, transpose_task), &c);
  return PL_OK;
}

KERNEL(conv2d_weight_grad) {
  const pl_conv2d_weight_grad_attrs *a = call->attrs;
  const pl_operand *out = call->out[0];
  conv c;
  if (!conv_takes(call)) return PL_EUNSUPPORTED;
  if (out->count == 0) return PL_OK;
  conv_sides(&c, call->in[0], call->in[1], out, a->groups);
  conv_window(&c, &a->stride, &a->padding, &a->dilation);
  int64_t work = conv_work(&c, conv_flops(&c));
  if (conv_is_direct(&c)) {
    parallel_for(c.groups, work * 4, OF_DTYPE(&c, direct_weight), &c);
    return PL_OK;
  }
  c.blocks = (c.rows + c.block - 1) / c.block;
  c.parts = max_i64(1, min_i64(PARTS, c.blocks));
  int64_t n = c.block * c.ow, weights = c.groups * c.oc * c.k;
  for (int i = 0; i < 2; i++) {
    gemm_args g = weight_product(&c, i ? c.rows % c.block : c.block);
    conv_expect(&c, &g);
  }
  if (!conv_scratch(&c, (c.parts - 1) * weights, c.k * n, c.oc * (n + c.k))) return PL_EMEMORY;
  parallel_for(c.groups * c.parts, work, OF_DTYPE(&c, weight_part), &c);
  OF_DTYPE(&c, weight_sum)(&c, weights);
  return PL_OK;
}
