/*
** gemm_plan.h -- how a product is computed, decided from shape and strides alone.
** A product is seen as S V with `rows` of S and `columns` of V: as it stands (S = A, V = B), or
** turned over (S = B^T, V = A^T), when copying A along k is cheaper than copying B; the result
** then passes through a block of scratch that is transposed on its way out.
*/
#pragma once
#include "gemm.h"
#include "gemm_tile.h"

enum {
  ROW_BLOCK = 128,                    /* rows of S a task computes at most; packed, within L2 */
  COLUMN_BLOCK = 16 * TILE_COLUMNS,
  K_BLOCK = 256,                      /* a packed tile of S stays in L1 */
  K_WHOLE = 1024,                     /* up to here unpacked S is not cut along k */
  PANELS_BYTES = 4 << 20,             /* packed V at a time: within L3 */
  OWN_PANELS = 64 * 1024,             /* numbers of V cheaper packed twice than shared */
  STATE = 64 / sizeof(real),
  PACK_ROWS = 64,                     /* fewer do not pay for packing a V that could be read */
  TASK_WORK = 200 * 1000,             /* multiply-adds worth a task of its own */
  TASKS = 8,                          /* as many as that when rows and columns allow */
};

/* Where the tiles read V: as it lies, or panels that every worker packs for itself, that all share,
** or that the caller packed. */
typedef enum { V_IN_PLACE, V_OWN, V_SHARED, V_GIVEN } v_form;

typedef struct plan {
  int64_t rows, columns, k;
  const real *s, *v;
  int64_t s_rs, s_cs;                 /* s(i,p) = s[i * s_rs + p * s_cs] */
  int64_t v_rs, v_cs;                 /* v(p,j) = v[p * v_rs + j * v_cs] */
  bool dot, turned, pack_s;
  v_form v_form;
  int64_t row_block, column_block, k_block;
  int64_t chunk;                      /* columns of V packed at a time */
  int64_t shared_size;                /* numbers of scratch all workers share: packed V */
  int64_t own_size;                   /* and of each worker's own: a line of state, then */
  int64_t panels_at, s_at, turned_at; /* packed V, packed S, the result before it is turned */
} plan;

INLINE int64_t at_least(int64_t x, int64_t least) { return x > least ? x : least; }
INLINE int64_t at_most(int64_t x, int64_t most) { return x < most ? x : most; }
INLINE int64_t parts(int64_t x, int64_t size) { return (x + size - 1) / size; }
INLINE int64_t round_up(int64_t x, int64_t unit) { return parts(x, unit) * unit; }

static void plan_orient(plan *p, const gemm_args *g, bool turned) {
  p->turned = turned;
  p->k = g->k;
  p->rows = turned ? g->n : g->m;
  p->columns = turned ? g->m : g->n;
  p->s = turned ? g->b : g->a;
  p->v = turned ? g->a : g->b;
  p->s_rs = turned ? g->b_cs : g->a_rs;
  p->s_cs = turned ? g->b_rs : g->a_cs;
  p->v_rs = turned ? g->a_cs : g->b_rs;
  p->v_cs = turned ? g->a_rs : g->b_cs;
  /* A stride over one element means nothing: make it the one that is fast. */
  if (p->k == 1) p->s_cs = 1;
  if (p->rows == 1) p->s_rs = 1;
  if (p->columns == 1) p->v_cs = 1;
}

/* Rows a power of two apart share few sets of L1 (4 KiB a way) and push each other out. */
static bool stride_collides(int64_t stride, int64_t count) {
  const int64_t bytes = stride * (int64_t)sizeof(real);
  const int64_t power = bytes & -bytes;
  return count * at_most(power, 4096) > 4 * 4096;
}

static bool v_needs_packing(const plan *p) {
  if (p->v_cs != 1) return true;
  if (p->rows < PACK_ROWS) return false;
  return p->k * p->columns > 32 * 1024 || stride_collides(p->v_rs, p->k);
}

static bool s_needs_packing(const plan *p) {
  if (p->s_rs != 1 && p->s_cs != 1) return true;
  return p->columns >= 2 * TILE_COLUMNS && p->k * p->rows > 32 * 1024;
}

/* Costs in vector multiply-adds; the constants are what transposes were seen to take. */
static double tile_cost(const plan *p) {
  const double rows = (double)p->rows, columns = (double)p->columns, k = (double)p->k;
  const double vectors = (double)parts(p->columns, VL);
  const int64_t sums = at_most(p->rows, TILE_ROWS) * at_most(parts(p->columns, VL), 2);
  double cost = rows * vectors * k * (sums < 4 ? 4.0 / (double)sums : 1);
  if (p->v_cs != 1) cost += columns * k * (p->v_rs == 1 ? 0.5 : 2);
  if (p->turned) cost += rows * columns * 0.5;
  return cost;
}

static double dot_cost(const gemm_args *g) {
  const int64_t tile = at_most(g->m, 3) * at_most(g->n, 4);
  const double slow = tile < 6 ? 8.0 / (double)tile : 1.4;   /* few sums in flight; loads */
  return (double)g->m * (double)g->n * ((double)parts(g->k, VL) * slow + 4);
}

INLINE int64_t power_of_two_within(int64_t most) {
  int64_t x = 1;
  while (2 * x <= most) x *= 2;
  return x;
}

/* Tasks: enough of them to share out, each worth its start, and of one size in numbers that most
** machines have cores: a fifth task would keep two threads busy for as long as six. */
static void plan_cut(plan *p) {
  const int64_t work = p->rows * p->columns * p->k;
  const int64_t wanted = at_most(work / TASK_WORK, TASKS);
  const int64_t panels = parts(p->columns, TILE_COLUMNS);
  const int64_t by_rows = power_of_two_within(at_most(wanted, parts(p->rows, TILE_ROWS) / 2));
  const int64_t by_columns = power_of_two_within(at_most(wanted / by_rows, panels));
  p->row_block = parts(p->rows, round_up(parts(p->rows, ROW_BLOCK), by_rows));
  p->column_block = at_most(parts(panels, by_columns) * TILE_COLUMNS, COLUMN_BLOCK);
}

/* A small V is packed by every worker: the others would wait for it anyway, and a line that one
** core wrote costs another one more than the copy does. */
static void plan_scratch(plan *p) {
  p->chunk = p->columns;
  p->panels_at = p->s_at = STATE;
  if (p->v_form == V_SHARED) {
    const int64_t fits = PANELS_BYTES / (int64_t)sizeof(real) / p->k;
    p->chunk = at_most(p->columns, at_least(fits / p->column_block, 1) * p->column_block);
    const int64_t size = round_up(p->chunk, TILE_COLUMNS) * p->k;
    if (size <= OWN_PANELS && p->chunk == p->columns) {
      p->v_form = V_OWN;
      p->s_at += size;
    } else {
      p->shared_size = round_up(size, STATE);
    }
  }
  p->turned_at = p->s_at;
  if (p->pack_s)
    p->turned_at += p->row_block * p->k_block + parts(p->row_block, TILE_ROWS) * VL;
  p->turned_at = round_up(p->turned_at, STATE);
  p->own_size = p->turned_at + (p->turned ? p->row_block * p->column_block : 0);
  p->own_size = p->own_size == STATE ? 0 : round_up(p->own_size, STATE);
}

/* The cheapest of three: as it stands, turned over, sums along k. */
static plan plan_choose(const gemm_args *g) {
  plan p = {0}, other = {0};
  plan_orient(&p, g, false);
  if (g->packed) {
    p.v_form = V_GIVEN;
    return p;
  }
  plan_orient(&other, g, true);
  const double cost = tile_cost(&p), other_cost = tile_cost(&other);
  p.dot = g->a_cs == 1 && g->b_rs == 1 && dot_cost(g) < (other_cost < cost ? other_cost : cost);
  if (!p.dot && other_cost < cost) p = other;
  if (!p.dot && v_needs_packing(&p)) p.v_form = V_SHARED;
  return p;
}

static plan plan_make(const gemm_args *g) {
  plan p = plan_choose(g);
  if (p.dot) {
    plan_cut(&p);
    return p;
  }
  p.pack_s = s_needs_packing(&p);
  p.k_block = p.k <= K_WHOLE && !p.pack_s ? p.k : parts(p.k, parts(p.k, K_BLOCK));
  plan_cut(&p);
  plan_scratch(&p);
  return p;
}
