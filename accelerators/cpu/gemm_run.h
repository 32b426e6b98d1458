/*
** gemm_run.h -- carries out a plan: packs V panel by panel, then computes blocks of the result.
** A number of C is one chain of multiply-adds in the order of k (the dot form: one per lane), so
** neither the cut into blocks nor the number of workers can change its bits.
*/
#pragma once
#include "gemm_dot.h"
#include "gemm_plan.h"
#include "parallel.h"

typedef struct run {
  const plan *plan;
  real *c;
  int64_t ldc;
  finish finish;
  real *shared;              /* where V of this chunk is packed to, unless V_OWN or V_GIVEN */
  const real *panels;        /* that, or what was given; NULL when V is read in place */
  real *own;                 /* own_size numbers for each worker */
  int64_t first;             /* the chunk's first column */
  int64_t columns;           /* and how many */
} run;

/* Nanoseconds a thread needs, roughly, at every level. */
INLINE int64_t work_of(int64_t multiply_adds) { return multiply_adds * (int)sizeof(real) / 128; }

static void pack_panel(const run *r, real *panels, int64_t index) {
  const plan *p = r->plan;
  const int64_t j = index * TILE_COLUMNS;
  pack(panels + j * p->k, TILE_COLUMNS, p->v + (r->first + j) * p->v_cs, p->v_cs, p->v_rs,
       at_most(r->columns - j, TILE_COLUMNS), p->k);
}

static void run_pack_panel(void *context, int64_t index, int worker) {
  const run *r = context;
  (void)worker;
  pack_panel(r, r->shared, index);
}

/* V of the chunk, all workers together. */
static void pack_chunk(run *r) {
  parallel_for(parts(r->columns, TILE_COLUMNS), work_of(r->columns * r->plan->k * VL),
               run_pack_panel, r);
}

/* The panels a worker reads; its own it packs when it comes here first. */
static const real *panels_of(const run *r, real *own) {
  const plan *p = r->plan;
  if (p->v_form != V_OWN) return r->panels;
  real *panels = own + p->panels_at;
  if (own[0] == 0)
    for (int64_t i = 0; i < parts(r->columns, TILE_COLUMNS); i++) pack_panel(r, panels, i);
  own[0] = 1;
  return panels;
}

/* Rows are shared evenly among the tiles of a block: 32 rows are 11, 11 and 10. */
typedef struct even {
  int64_t tiles, size, larger;           /* the first `larger` tiles have one row more than size */
} even;

INLINE even even_split(int64_t rows) {
  const int64_t tiles = parts(rows, TILE_ROWS);
  return (even){ tiles, rows / tiles, rows % tiles };
}

/* Numbers from one packed tile of S to the next; what a pack writes over the end has room. */
INLINE int64_t packed_tile(int64_t rows, int64_t k) { return rows * k + VL; }

/* S whose rows lie together: step by step, so that memory is read in its order. */
static void pack_s_steps(real *to, const real *from, int64_t stride, even split, int64_t k) {
  const int64_t rows = split.tiles * split.size + split.larger;
  for (int64_t p = 0; p < k; p++, from += stride) {
    const real *row = from;
    real *tile = to;
    fetch_ahead(from, stride * (int)sizeof(real), rows * (int)sizeof(real));
    for (int64_t i = 0; i < split.tiles; i++) {
      const int64_t high = split.size + (i < split.larger);
      copy_numbers(tile + p * high, row, high);
      tile += packed_tile(high, k);
      row += high;
    }
  }
}

static void pack_s_block(const plan *p, real *to, int64_t row, int64_t rows, int64_t at,
                         int64_t k) {
  const even split = even_split(rows);
  const real *from = p->s + row * p->s_rs + at * p->s_cs;
  if (p->s_rs == 1) {
    pack_s_steps(to, from, p->s_cs, split, k);
    return;
  }
  for (int64_t i = 0; i < split.tiles; i++) {
    const int64_t high = split.size + (i < split.larger);
    pack(to, high, from, p->s_rs, p->s_cs, high, k);
    to += packed_tile(high, k);
    from += high * p->s_rs;
  }
}

/* Where a task is: its block of the result and, while it runs, its steps of k. */
typedef struct place {
  int64_t row, rows, column, columns;    /* column within the chunk */
  int64_t at, k;
  const real *panels;
  const real *s;                         /* S of these rows and steps, packed or in place */
  real *c;                               /* the block's first number */
  int64_t c_stride;
} place;

/* All tiles of the block in one strip of columns, as wide as a tile kernel. */
static void strip_compute(const plan *p, const place *w, const even *split, tile t, int width) {
  const int form = p->pack_s || p->s_rs == 1 ? S_STEPS : S_ROWS;
  t.s = w->s;
  t.s_stride = form == S_STEPS ? p->s_cs : p->s_rs;
  for (int64_t i = 0; i < split->tiles; i++) {
    const int64_t rows = split->size + (i < split->larger);
    if (p->pack_s) t.s_stride = rows;
    tile_kernels[rows - 1][form][width](&t);
    t.s += p->pack_s ? packed_tile(rows, w->k) : rows * p->s_rs;
    t.c += rows * t.c_stride;
  }
}

static void panel_compute(const run *r, const place *w, const even *split, int64_t column) {
  const plan *p = r->plan;
  const bool ends = w->at + w->k == p->k && !p->turned;
  const int64_t j = w->column + column;
  int64_t columns = at_most(w->columns - column, TILE_COLUMNS);
  tile t = {
    .v = w->panels ? w->panels + j * p->k + w->at * TILE_COLUMNS
                   : p->v + w->at * p->v_rs + r->first + j,
    .v_stride = w->panels ? TILE_COLUMNS : p->v_rs,
    .k = w->k,
    .c = w->c + column,
    .c_stride = w->c_stride,
    .bias = ends && r->finish.bias ? r->finish.bias + r->first + j : NULL,
    .accumulate = w->at > 0 || (r->finish.accumulate && !p->turned),
    .relu = ends && r->finish.relu,
  };
  if (columns == TILE_COLUMNS) {
    strip_compute(p, w, split, t, WIDTH_TWO);
    return;
  }
  if (columns >= VL) {
    strip_compute(p, w, split, t, WIDTH_ONE);
    t.v += VL;
    t.c += VL;
    if (t.bias) t.bias += VL;
    columns -= VL;
  }
  t.last = vec_first(columns);
  if (columns > 0) strip_compute(p, w, split, t, WIDTH_PART);
}

static void block_compute(const run *r, place *w, real *packed) {
  const plan *p = r->plan;
  const even split = even_split(w->rows);
  for (w->at = 0; w->at < p->k; w->at += w->k) {
    w->k = at_most(p->k - w->at, p->k_block);
    w->s = p->s + w->row * p->s_rs + w->at * p->s_cs;
    if (p->pack_s) {
      pack_s_block(p, packed, w->row, w->rows, w->at, w->k);
      w->s = packed;
    }
    for (int64_t j = 0; j < w->columns; j += TILE_COLUMNS) panel_compute(r, w, &split, j);
  }
}

static finish finish_from(const run *r, int64_t column) {
  finish f = r->finish;
  if (f.bias) f.bias += column;
  return f;
}

static void run_block(void *context, int64_t index, int worker) {
  const run *r = context;
  const plan *p = r->plan;
  const int64_t across = parts(r->columns, p->column_block);
  place w = { .row = index / across * p->row_block, .column = index % across * p->column_block };
  w.rows = at_most(p->rows - w.row, p->row_block);
  w.columns = at_most(r->columns - w.column, p->column_block);
  const int64_t column = r->first + w.column;
  if (p->dot) {
    dot d = { p->s + w.row * p->s_rs, p->v + column * p->v_cs, p->s_rs, p->v_cs, p->k };
    dot_rectangle(d, w.rows, w.columns, r->c + w.row * r->ldc + column, r->ldc,
                  finish_from(r, column));
    return;
  }
  real *own = r->own + worker * p->own_size, *turned = own + p->turned_at;
  w.panels = panels_of(r, own);
  w.c = p->turned ? turned : r->c + w.row * r->ldc + column;
  w.c_stride = p->turned ? p->column_block : r->ldc;
  block_compute(r, &w, own + p->s_at);
  if (p->turned)
    transpose_out(r->c + column * r->ldc + w.row, r->ldc, turned, p->column_block, w.rows,
                  w.columns, finish_from(r, w.row));
}

static void run_chunk(run *r) {
  const plan *p = r->plan;
  if (p->v_form == V_SHARED) pack_chunk(r);
  parallel_for(parts(p->rows, p->row_block) * parts(r->columns, p->column_block),
               work_of(p->rows * r->columns * p->k), run_block, r);
}

/* k = 0: nothing but bias and activation. */
static void run_empty(const gemm_args *g) {
  const real *bias = g->bias;
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++) {
      real *to = (real *)g->c + i * g->ldc + j, x = g->accumulate ? *to : 0;
      if (bias) x += bias[j];
      *to = g->activation == GEMM_RELU && x < 0 ? 0 : x;
    }
}

INLINE size_t scratch_of(const gemm_args *g) {
  if (g->m == 0 || g->n == 0 || g->k == 0) return 0;
  const plan p = plan_make(g);
  return (size_t)(p.shared_size + p.own_size * cpu_threads()) * sizeof(real);
}

INLINE void product(const gemm_args *g) {
  if (g->m == 0 || g->n == 0) return;
  if (g->k == 0) {
    run_empty(g);
    return;
  }
  const plan p = plan_make(g);
  run r = { .plan = &p, .c = g->c, .ldc = g->ldc, .shared = g->scratch,
            .finish = { g->bias, g->accumulate, g->activation == GEMM_RELU } };
  r.own = r.shared + p.shared_size;
  r.panels = p.v_form == V_SHARED ? r.shared : p.v_form == V_GIVEN ? p.v : NULL;
  if (p.v_form == V_OWN)
    for (int i = 0; i < cpu_threads(); i++) r.own[i * p.own_size] = 0;
  for (; r.first < p.columns; r.first += r.columns) {
    r.columns = at_most(p.columns - r.first, p.chunk ? p.chunk : p.columns);
    run_chunk(&r);
  }
}

INLINE size_t packed_bytes(const gemm_args *g) {
  return (size_t)(round_up(g->n, TILE_COLUMNS) * g->k) * sizeof(real);
}

INLINE void pack_b(const gemm_args *g, real *to) {
  plan p = {0};
  plan_orient(&p, g, false);
  run r = { .plan = &p, .shared = to, .columns = p.columns };
  if (p.columns > 0 && p.k > 0) pack_chunk(&r);
}
