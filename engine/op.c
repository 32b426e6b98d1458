/*
** op.c -- one table entry per row of ops.def; a missing rule is a link error.
** Signatures are parsed once, when the library loads, into names and marks.
*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "attrs.h"

#define OP(name, signature, fields, defaults, family, rule, grad, compose, flags, doc) \
  INFER(rule); GRAD(grad); COMPOSE(compose);
#include "ops.def"
#undef OP

GRAD(none) { (void)dy, (void)a, (void)b, (void)y; }
GRAD(via) { (void)dy, (void)a, (void)b, (void)y; }
COMPOSE(none) { (void)a, (void)b; }

op_row op_table[OP_COUNT] = {
#define OP(name, signature, fields, defaults, family, rule, grad, compose, flags, doc) \
  [OP_##name] = { { #name, signature, #fields, defaults, #family, doc, OP_##name, flags, \
                    sizeof(pl_##name##_attrs), 0, 0, 0, 0, 0, { { 0 } }, { { 0 } } }, \
                  infer_##rule, grad_##grad, compose_##compose, { 0 }, { 0 }, \
                  (char[sizeof(pl_##name##_attrs)]){ 0 } },
#include "ops.def"
#undef OP
};

static char names[16 * 1024];     /* argument names, cut out of the signatures */
static size_t names_used;

static const char *keep_name(const char *text, size_t n) {
  char *name = names + names_used;
  memcpy(name, text, n);
  names_used += n + 1;
  return name;
}

static int32_t mark_of(char c) {
  static const char letters[] = "?*!#>~=";
  static const int32_t marks[] = { PL_OPTIONAL, PL_LIST, PL_UPDATED, PL_POSITIONS, PL_SAVED,
                                   PL_HIDDEN, PL_FIXED };
  const char *at = strchr(letters, c);
  return c && at ? marks[at - letters] : 0;
}

static const char *parse_argument(const char *p, pl_argument *a) {
  size_t n = strcspn(p, "?*!#>~= ");
  a->name = keep_name(p, n);
  a->marks = 0;
  for (p += n; *p && *p != ' '; p++) a->marks |= mark_of(*p);
  return p;
}

static void parse_signature(pl_op_info *op) {
  bool outputs = false;
  for (const char *p = op->signature; *p;) {
    if (*p == ' ') { p++; continue; }
    if (p[0] == '-' && p[1] == '>') { outputs = true; p += 2; continue; }
    pl_argument *a = outputs ? &op->out[op->n_out++] : &op->in[op->n_in++];
    p = parse_argument(p, a);
    op->list_count += (a->marks & PL_LIST) != 0;
  }
}

__attribute__((constructor)) static void parse_table(void) {
  for (int i = 0; i < OP_COUNT; i++) {
    op_row *row = &op_table[i];
    parse_signature(&row->info);
    attrs_describe(row);
    row->info.differentiable = row->grad != grad_none;
    row->info.composite = row->compose != compose_none;
  }
}

int32_t pl_op_count(void) { return OP_COUNT; }
const pl_op_info *pl_op(int32_t id) { return id >= 0 && id < OP_COUNT ? &op_table[id].info : NULL; }

/* ---- what shape rules share ---- */

int infer_axis(int32_t axis, int rank) {
  int a = axis < 0 ? axis + rank : axis;
  return a >= 0 && a < rank ? a : -1;
}

pl_status infer_error(const infer *c, const char *argument, pl_status status, const char *format,
                      ...) {
  char text[512];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return status_fail(status, c->op->name, argument, "%s: %s", c->op->name, text);
}

/* Axes reach C counted from 0, users count from 1. */
pl_status infer_axis_error(const infer *c, const char *argument, int32_t axis, int rank) {
  int shown = axis < 0 ? axis : axis + 1;
  if (rank == 0)
    return infer_error(c, argument, PL_ESHAPE, "%s %d does not exist: the input is a scalar",
                       argument, shown);
  return infer_error(c, argument, PL_ESHAPE, "%s %d does not exist: the input has %d dimension%s "
                     "(1..%d, or -1..-%d from the end)", argument, shown, rank,
                     rank == 1 ? "" : "s", rank, rank);
}

void infer_like(pl_operand *out, const pl_operand *in) {
  out->dtype = in->dtype;
  out->rank = in->rank;
  memcpy(out->sizes, in->sizes, (size_t)in->rank * sizeof *in->sizes);
}

pl_status infer_pair(const infer *c, const char *argument, const pl_sizes *sizes, int64_t least) {
  if (sizes->n != 1 && sizes->n != 2)
    return infer_error(c, argument, PL_EARGUMENT, "%s must be one size or two, got %lld", argument,
                       (long long)sizes->n);
  for (int i = 0; i < sizes->n; i++)
    if (sizes->size[i] < least || sizes->size[i] > INT32_MAX)
      return infer_error(c, argument, PL_EARGUMENT, "%s must lie in %lld..%d, got %lld", argument,
                         (long long)least, INT32_MAX, (long long)sizes->size[i]);
  return PL_OK;
}

pl_status infer_mask(const infer *c, const char *argument, const pl_dims *axes, int rank,
                     bool *mask) {
  for (int i = 0; i < rank; i++) mask[i] = axes->n == 0;
  for (int i = 0; i < axes->n; i++) {
    int a = infer_axis(axes->dim[i], rank);
    if (a < 0) {
      if (rank == 0 && (axes->dim[i] == 0 || axes->dim[i] == -1)) continue;
      return infer_axis_error(c, argument, axes->dim[i], rank);
    }
    if (mask[a] && axes->n)
      return infer_error(c, argument, PL_EARGUMENT, "%s names dimension %d twice", argument, a + 1);
    mask[a] = true;
  }
  return PL_OK;
}
