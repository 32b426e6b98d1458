/*
** matmul.c -- the rows matmul and linear on top of gemm.h: shapes and strides become one product,
** or one per matrix of the leading dimensions.
*/
#include "cpu.h"
#include "gemm.h"

/* Integers: plain loops along rows of b, wrapping around. They need no scratch. */
#define GEMM_INTEGER(name, type) \
  static void gemm_##name(const gemm_args *g) { \
    const type *a = g->a, *b = g->b; \
    type *c = g->c; \
    for (int64_t i = 0; i < g->m; i++) { \
      for (int64_t j = 0; j < g->n; j++) c[i * g->ldc + j] = 0; \
      for (int64_t p = 0; p < g->k; p++) \
        for (int64_t j = 0; j < g->n; j++) \
          c[i * g->ldc + j] += a[i * g->a_rs + p * g->a_cs] * b[p * g->b_rs + j * g->b_cs]; \
    } \
  }
GEMM_INTEGER( u8, uint8_t )
GEMM_INTEGER( i32, int32_t )
GEMM_INTEGER( i64, int64_t )

static size_t no_scratch(const gemm_args *g) {
  (void)g;
  return 0;
}

typedef struct product {
  gemm_args args;                    /* of the first matrix; scratch not set */
  int64_t size;                      /* bytes of an element */
  int32_t rank;                      /* leading dimensions that are left */
  int64_t sizes[PL_MAX_RANK], a_strides[PL_MAX_RANK], b_strides[PL_MAX_RANK];
  int64_t count;                     /* matrices */
  void (*gemm)(const gemm_args *);
  size_t (*gemm_scratch)(const gemm_args *);
  bool failed;
} product;

enum { SMALL = 1 << 19 };   /* multiply-adds up to which whole matrices are shared out */

static void product_run(product *p, int64_t index) {
  gemm_args args = p->args;
  int64_t a = 0, b = 0, rest = index;
  for (int d = p->rank - 1; d >= 0; d--) {
    int64_t i = rest % p->sizes[d];
    rest /= p->sizes[d];
    a += i * p->a_strides[d];
    b += i * p->b_strides[d];
  }
  args.a = (const char *)args.a + a * p->size;
  args.b = (const char *)args.b + b * p->size;
  args.c = (char *)args.c + index * args.m * args.n * p->size;
  args.scratch_bytes = p->gemm_scratch(&args);
  args.scratch = args.scratch_bytes ? cpu_scratch(args.scratch_bytes) : NULL;
  if (args.scratch_bytes && !args.scratch) __atomic_store_n(&p->failed, true, __ATOMIC_RELAXED);
  else p->gemm(&args);
}

static void product_block(void *context, int64_t index, int worker) {
  (void)worker;
  product_run(context, index);
}

/* Leading dimensions along which b does not move and rows of a follow on become rows. */
static void product_collapse(product *p) {
  while (p->rank > 0) {
    int d = p->rank - 1;
    bool follows = p->args.m == 1 || p->a_strides[d] == p->args.a_rs * p->args.m;
    if (p->sizes[d] != 1 && (p->b_strides[d] != 0 || !follows)) return;
    if (p->sizes[d] != 1) {
      if (p->args.m == 1) p->args.a_rs = p->a_strides[d];
      p->args.m *= p->sizes[d];
    }
    p->rank--;
  }
}

static bool choose_gemm(product *p, int32_t dtype) {
  p->gemm_scratch = dtype == PL_F32 ? LEVEL(gemm_f32_scratch)
                  : dtype == PL_F64 ? LEVEL(gemm_f64_scratch) : no_scratch;
  switch (dtype) {
    case PL_F32: p->gemm = LEVEL(gemm_f32); return true;
    case PL_F64: p->gemm = LEVEL(gemm_f64); return true;
    case PL_U8: p->gemm = gemm_u8; return true;
    case PL_I32: p->gemm = gemm_i32; return true;
    case PL_I64: p->gemm = gemm_i64; return true;
    default: return false;
  }
}

static pl_status product_all(product *p, int32_t dtype) {
  if (!choose_gemm(p, dtype)) return PL_EUNSUPPORTED;
  p->size = dtype_size(dtype);
  product_collapse(p);
  p->count = 1;
  for (int d = 0; d < p->rank; d++) p->count *= p->sizes[d];
  int64_t each = p->args.m * p->args.n * p->args.k;
  if (p->count > 1 && each <= SMALL) {
    parallel_for(p->count, p->count * (each / 20 + 50), product_block, p);
  } else {
    for (int64_t i = 0; i < p->count; i++) product_run(p, i);
  }
  return p->failed ? PL_EMEMORY : PL_OK;
}

/* The stride of leading dimension d of `rank`, for an operand that has `own` of them. */
static int64_t leading_stride(const pl_operand *o, int own, int rank, int d) {
  int i = d - (rank - own);
  return i < 0 || o->sizes[i] == 1 ? 0 : o->strides[i];
}

KERNEL(matmul) {
  const pl_operand *x = call->in[0], *y = call->in[1], *out = call->out[0];
  if (x->dtype != y->dtype || x->dtype != out->dtype) return PL_EUNSUPPORTED;
  bool row = x->rank == 1, column = y->rank == 1;   /* vectors as matrices */
  product p = { .args = { .c = operand_data(out), .a = operand_data(x), .b = operand_data(y) } };
  gemm_args *g = &p.args;
  g->k = x->sizes[x->rank - 1];
  g->m = row ? 1 : x->sizes[x->rank - 2];
  g->n = column ? 1 : y->sizes[y->rank - 1];
  g->a_rs = row ? 0 : x->strides[x->rank - 2];
  g->a_cs = x->strides[x->rank - 1];
  g->b_rs = y->strides[column ? 0 : y->rank - 2];
  g->b_cs = column ? 0 : y->strides[y->rank - 1];
  g->ldc = g->n;
  if (out->count == 0) return PL_OK;
  p.rank = out->rank - !row - !column;
  for (int d = 0; d < p.rank; d++) {
    p.sizes[d] = out->sizes[d];
    p.a_strides[d] = leading_stride(x, row ? 0 : x->rank - 2, p.rank, d);
    p.b_strides[d] = leading_stride(y, column ? 0 : y->rank - 2, p.rank, d);
  }
  return product_all(&p, out->dtype);
}

KERNEL(linear) {
  const pl_operand *x = call->in[0], *weight = call->in[1], *out = call->out[0];
  const pl_operand *bias = call->n_in > 2 ? call->in[2] : NULL;
  if (x->dtype != weight->dtype || (bias && bias->dtype != x->dtype)) return PL_EUNSUPPORTED;
  if (bias && bias->count > 1 && bias->strides[bias->rank - 1] != 1) return PL_EUNSUPPORTED;
  int32_t activation = ((const pl_linear_attrs *)call->attrs)->activation;
  product p = { .args = {
    .m = 1, .n = weight->sizes[0], .k = weight->sizes[1],
    .a = operand_data(x), .a_cs = x->strides[x->rank - 1],
    .b = operand_data(weight), .b_rs = weight->strides[1], .b_cs = weight->strides[0],
    .c = operand_data(out), .ldc = weight->sizes[0], .bias = bias ? operand_data(bias) : NULL,
    .activation = activation == PL_ACTIVATION_RELU ? GEMM_RELU : GEMM_NONE } };
  if (out->count == 0) return PL_OK;
  p.rank = x->rank - 1;
  for (int d = 0; d < p.rank; d++) {
    p.sizes[d] = x->sizes[d];
    p.a_strides[d] = x->strides[d];
  }
  return product_all(&p, out->dtype);
}
