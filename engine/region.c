/*
** region.c -- the region of a base that a view looks at. Both lie somewhere in one storage; the
** tape wants to know what the view is to the base's elements in row-major order, because gradients
** are dense. A base that was detached from a view has strides of its own, hence the detour through
** indices.
*/
#include "region.h"
#include <string.h>

/* A dimension of the base: its stride, and that of a dense tensor of the base's shape. */
typedef struct walk { int64_t size, stride, dense, start; } walk;

/* The dimensions that lead anywhere, largest stride first. */
static int walks_of(const pl_operand *base, walk *out) {
  int64_t dense = 1;
  int n = 0;
  for (int d = base->rank - 1; d >= 0; dense *= base->sizes[d--]) {
    walk w = { base->sizes[d], base->strides[d], dense, 0 };
    if (w.size <= 1 || w.stride <= 0) continue;
    int at = n++;
    for (; at > 0 && out[at - 1].stride < w.stride; at--) out[at] = out[at - 1];
    out[at] = w;
  }
  return n;
}

/* Index by index, from the largest stride on: the dimensions of a base never interleave. */
static bool place_of(int64_t offset, walk *walks, int n, int64_t *out) {
  *out = 0;
  for (int i = 0; i < n; i++) {
    walk *w = &walks[i];
    w->start = offset / w->stride < w->size ? offset / w->stride : w->size - 1;
    offset -= w->start * w->stride;
    *out += w->start * w->dense;
  }
  return offset == 0;
}

/* A step of the view is some of one dimension of the base; the view may go on into the next larger
** one only where the dense tensor goes on there as well. */
static bool stride_of(int64_t stride, int64_t count, const walk *walks, int n, int64_t *out) {
  int i = 0;
  while (i < n && walks[i].stride > stride) i++;
  if (i == n || stride % walks[i].stride) return false;
  const walk *w = &walks[i];
  int64_t step = stride / w->stride, room = w->size, last = w->start;
  last += step * (count - 1);
  for (int larger = i - 1; last >= room; larger--) {
    if (larger < 0 || walks[larger].stride != room * w->stride
        || walks[larger].dense != room * w->dense) return false;
    last += walks[larger].start * room;
    room *= walks[larger].size;
  }
  *out = step * w->dense;
  return true;
}

bool region_of(const pl_operand *view, const pl_operand *base, region *out) {
  walk walks[PL_MAX_RANK];
  int n = walks_of(base, walks);
  memset(out, 0, sizeof *out);
  out->sizes.n = out->strides.n = view->rank;
  memcpy(out->sizes.size, view->sizes, sizeof out->sizes.size);
  if (view->count == 0) return true;
  if (shape_overlaps(base)) return false;
  if (!place_of(view->offset - base->offset, walks, n, &out->offset)) return false;
  for (int d = 0; d < view->rank; d++)
    if (view->sizes[d] > 1 && view->strides[d] > 0
        && !stride_of(view->strides[d], view->sizes[d], walks, n, &out->strides.size[d]))
      return false;
  return true;
}
