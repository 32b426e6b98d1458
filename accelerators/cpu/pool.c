/*
** pool.c -- pooling of planes. Where the windows of an axis begin and end is worked out once per
** call (spans), whatever kernel, stride, padding or adaptive size asked for it; the loops only
** follow spans. A plane is one task.
*/
#include "cpu.h"
#include "real.h"
#include <math.h>

/* begin, begin + step .. below end; `counted` elements divide an average. */
typedef struct span { int64_t begin, end, counted; } span;

typedef struct pool {
  int32_t dtype;
  int64_t planes, h, w, oh, ow, step_h, step_w;   /* the large side, the small side */
  const span *rows, *columns;                     /* oh, ow of them */
  int64_t tallest, widest;                        /* of the rows, of the columns */
  bool even;                                      /* all windows are as large as these */
  char *large, *small;
  int32_t *position;
} pool;

enum { STRIP = 64 };   /* results compared side by side, a whole number of vectors */

/* Positions in lanes as wide as the elements'. */
typedef int32_t place_f32;
typedef int64_t place_f64;
static inline m_f32 places_f32(const place_f32 *p) { return load_i32(p, 0); }
static inline m_f64 places_f64(const place_f64 *p) { return load_i64(p, 0); }
static inline void places_store_f32(place_f32 *p, m_f32 x) { store_i32(p, 0, x); }
static inline void places_store_f64(place_f64 *p, m_f64 x) { store_i64(p, 0, x); }

#define REAL f32
#include "pool_real.h"
#undef REAL
#define REAL f64
#include "pool_real.h"
#undef REAL

typedef struct axis { int64_t kernel, stride, padding, dilation; } axis;

static axis axis_of(const pl_sizes *kernel, const pl_sizes *stride, const pl_sizes *padding,
                    int i) {
  return (axis){pl_sizes_at(kernel, i), stride->n ? pl_sizes_at(stride, i) : pl_sizes_at(kernel, i),
                pl_sizes_at(padding, i), 1};
}

/* Windows clipped to 0 .. size; padding counts where asked, but never beyond its end. */
static void spans_fill(span *s, int64_t n, axis a, int64_t size, bool count_padding) {
  for (int64_t i = 0; i < n; i++) {
    int64_t begin = i * a.stride - a.padding, end = begin + a.dilation * (a.kernel - 1) + 1;
    int64_t padded = min_i64(end, size + a.padding) - begin;
    if (begin < 0) begin += (-begin + a.dilation - 1) / a.dilation * a.dilation;
    s[i] = (span){ begin, min_i64(end, size), 0 };
    s[i].counted = count_padding ? padded : s[i].end - s[i].begin;
  }
}

static void spans_adapt(span *s, int64_t n, int64_t size) {
  for (int64_t i = 0; i < n; i++) {
    s[i] = (span){ i * size / n, ((i + 1) * size + n - 1) / n, 0 };
    s[i].counted = s[i].end - s[i].begin;
  }
}

/* Sizes of both sides and room for the spans; false where there is no memory. */
static bool pool_sides(pool *p, const pl_operand *large, const pl_operand *small, span **rows,
                       span **columns) {
  int r = large->rank;
  *p = (pool){.dtype = large->dtype,
              .planes = large->sizes[r - 3] * (r == 4 ? large->sizes[0] : 1),
              .h = large->sizes[r - 2],
              .w = large->sizes[r - 1],
              .oh = small->sizes[r - 2],
              .ow = small->sizes[r - 1],
              .step_h = 1,
              .step_w = 1,
              .large = operand_data(large),
              .small = operand_data(small)};
  *rows = cpu_scratch((size_t)(p->oh + p->ow) * sizeof(span));
  *columns = *rows + p->oh;
  p->rows = *rows;
  p->columns = *columns;
  return *rows != NULL;
}

static bool pool_takes(const pl_call *call) {
  int32_t dtype = call->out[0]->dtype;
  return (dtype == PL_F32 || dtype == PL_F64) && call->in[0]->dtype == dtype;
}

/* Elements from begin to end of the longest span; clears `even` if another is shorter. */
static int64_t longest(const span *s, int64_t n, bool *even) {
  int64_t length = s[0].end - s[0].begin;
  for (int64_t i = 1; i < n; i++) {
    if (s[i].end - s[i].begin != length) *even = false;
    length = max_i64(length, s[i].end - s[i].begin);
  }
  return length;
}

static pl_status pool_run(pool *p, parallel_body f32, parallel_body f64) {
  p->even = true;
  p->tallest = longest(p->rows, p->oh, &p->even);
  p->widest = longest(p->columns, p->ow, &p->even);
  parallel_for(p->planes, p->planes * (p->h * p->w + 4 * p->oh * p->ow),
               p->dtype == PL_F32 ? f32 : f64, p);
  return PL_OK;
}

KERNEL(max_pool2d) {
  const pl_max_pool2d_attrs *a = call->attrs;
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->in[0], call->out[0], &rows, &columns)) return PL_EMEMORY;
  p.position = (int32_t *)operand_data(call->out[1]);
  axis y = axis_of(&a->kernel, &a->stride, &a->padding, 0);
  axis x = axis_of(&a->kernel, &a->stride, &a->padding, 1);
  p.step_h = y.dilation = pl_sizes_at(&a->dilation, 0);
  p.step_w = x.dilation = pl_sizes_at(&a->dilation, 1);
  spans_fill(rows, p.oh, y, p.h, false);
  spans_fill(columns, p.ow, x, p.w, false);
  return pool_run(&p, max_plane_f32, max_plane_f64);
}

KERNEL(adaptive_max_pool2d) {
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->in[0], call->out[0], &rows, &columns)) return PL_EMEMORY;
  p.position = (int32_t *)operand_data(call->out[1]);
  spans_adapt(rows, p.oh, p.h);
  spans_adapt(columns, p.ow, p.w);
  return pool_run(&p, max_plane_f32, max_plane_f64);
}

/* Positions come from the forward pass; one outside its plane would write elsewhere. */
static bool positions_fit(const pool *p) {
  for (int64_t i = 0; i < p->planes * p->oh * p->ow; i++)
    if (p->position[i] < 0 || p->position[i] >= p->h * p->w) return false;
  return true;
}

KERNEL(max_pool2d_backward) {
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->out[0], call->in[0], &rows, &columns)) return PL_EMEMORY;
  p.position = (int32_t *)operand_data(call->in[1]);
  if (!positions_fit(&p))
    return FAIL(PL_EARGUMENT, "max_pool2d_backward: a position lies outside its plane");
  return pool_run(&p, max_back_plane_f32, max_back_plane_f64);
}

KERNEL(avg_pool2d) {
  const pl_avg_pool2d_attrs *a = call->attrs;
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->in[0], call->out[0], &rows, &columns)) return PL_EMEMORY;
  spans_fill(rows, p.oh, axis_of(&a->kernel, &a->stride, &a->padding, 0), p.h,
             a->count_include_pad);
  spans_fill(columns, p.ow, axis_of(&a->kernel, &a->stride, &a->padding, 1), p.w,
             a->count_include_pad);
  return pool_run(&p, avg_plane_f32, avg_plane_f64);
}

KERNEL(avg_pool2d_backward) {
  const pl_avg_pool2d_backward_attrs *a = call->attrs;
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->out[0], call->in[0], &rows, &columns)) return PL_EMEMORY;
  spans_fill(rows, p.oh, axis_of(&a->kernel, &a->stride, &a->padding, 0), p.h,
             a->count_include_pad);
  spans_fill(columns, p.ow, axis_of(&a->kernel, &a->stride, &a->padding, 1), p.w,
             a->count_include_pad);
  return pool_run(&p, avg_back_plane_f32, avg_back_plane_f64);
}

KERNEL(adaptive_avg_pool2d) {
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->in[0], call->out[0], &rows, &columns)) return PL_EMEMORY;
  spans_adapt(rows, p.oh, p.h);
  spans_adapt(columns, p.ow, p.w);
  return pool_run(&p, avg_plane_f32, avg_plane_f64);
}

KERNEL(adaptive_avg_pool2d_backward) {
  pool p;
  span *rows, *columns;
  if (!pool_takes(call)) return PL_EUNSUPPORTED;
  if (!pool_sides(&p, call->out[0], call->in[0], &rows, &columns)) return PL_EMEMORY;
  spans_adapt(rows, p.oh, p.h);
  spans_adapt(columns, p.ow, p.w);
  return pool_run(&p, avg_back_plane_f32, avg_back_plane_f64);
}
