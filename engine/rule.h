/*
** rule.h -- how ops/ writes its rules.
** INFER decides shapes and dtypes, GRAD is mathematics in terms of ops, COMPOSE makes an op of
** others. Every op function makes a tensor that the surrounding frame frees; the first failure
** sticks, and NULL flows through the rest.
*/
#pragma once
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "op.h"
#include "status.h"
#include "tensor.h"

typedef struct infer {
  const pl_op_info *op;
  const void *attrs;
  const int32_t *counts;             /* tensors per input of the signature */
  int n_in;
  const pl_operand *const *in;       /* NULL: absent */
  pl_operand *out;                   /* to fill: dtype, rank, sizes; views: strides, offset */
} infer;

typedef struct rule {
  const pl_op_info *op;
  const void *attrs;
  const int32_t *counts;
  int n_in;
  tensor *const *x;                  /* inputs: what the signature marks '>' in a gradient */
  tensor **y;                        /* outputs: saved ones in a gradient, results in a composite */
  tensor *const *dy;                 /* gradients of the outputs, NULL where none arrived */
  tensor **dx;                       /* results of a gradient; shapes may be the broadcast ones */
  const bool *need;                  /* which dx are wanted */
  const struct input_shape *shapes;  /* of the inputs */
} rule;

#define INFER(name)   pl_status infer_##name(infer *c)
#define GRAD(name)    void grad_##name(rule *r, tensor *dy, tensor *a, tensor *b, tensor *y)
#define COMPOSE(name) void compose_##name(rule *r, tensor *a, tensor *b)
/* A gradient's result, computed only if somebody wants it. */
#define D(i) if (r->need[i]) r->dx[i]
#define ATTRS(op) (*(const pl_##op##_attrs *)r->attrs)
#define INFER_ATTRS(op) (*(const pl_##op##_attrs *)c->attrs)

typedef pl_status (*infer_rule)(infer *);
typedef void (*grad_rule)(rule *, tensor *, tensor *, tensor *, tensor *);
typedef void (*compose_rule)(rule *, tensor *, tensor *);

typedef struct op_row {
  pl_op_info info;
  infer_rule infer;
  grad_rule grad;                    /* grad_none, grad_via or a rule */
  compose_rule compose;              /* compose_none or a rule */
  int16_t dims_at[4], sizes_at[4];   /* where pl_dims and pl_sizes lie in the attributes, or -1 */
  char *defaults;                    /* the attributes as they are when nobody gives them */
} op_row;

extern op_row op_table[OP_COUNT];
GRAD(none);
GRAD(via);
COMPOSE(none);

/* op1(sum, x, .keepdim = 1) and so on: one op on one, two, three tensors. */
tensor *rule_apply(int op, const void *attrs, int n, tensor *const *x);
/* The same, with all outputs; false where there are none. */
bool rule_apply_all(int op, const void *attrs, int n, tensor *const *x, tensor **out);
tensor *rule_filled(const struct input_shape *s, double value);  /* shaped and typed like it */
pl_sizes rule_sizes(const struct input_shape *s);
tensor *rule_number(double value);   /* weak, as a Lua number is */
void rule_fail(pl_status status);
bool rule_failed(void);
#define op0(name, ...) rule_apply(OP_##name, &(pl_##name##_attrs){ __VA_ARGS__ }, 0, NULL)
#define op1(name, a, ...) \
  rule_apply(OP_##name, &(pl_##name##_attrs){ __VA_ARGS__ }, 1, (tensor *[]){ a })
#define op2(name, a, b, ...) \
  rule_apply(OP_##name, &(pl_##name##_attrs){ __VA_ARGS__ }, 2, (tensor *[]){ a, b })
#define op3(name, a, b, c, ...) \
  rule_apply(OP_##name, &(pl_##name##_attrs){ __VA_ARGS__ }, 3, (tensor *[]){ a, b, c })
#define num(v) rule_number(v)

/* What shape rules share. */
int infer_axis(int32_t axis, int rank);                   /* 0..rank-1, or -1 */
pl_status infer_axis_error(const infer *c, const char *argument, int32_t axis, int rank);
pl_status infer_error(const infer *c, const char *argument, pl_status status, const char *format,
                      ...)
  __attribute__((format(printf, 4, 5)));
void infer_like(pl_operand *out, const pl_operand *in);   /* dtype, rank, sizes */
pl_status infer_pair(const infer *c, const char *argument, const pl_sizes *sizes,
                     int64_t least);                      /* one size or two, none below least */
pl_status infer_mask(const infer *c, const char *argument, const pl_dims *axes, int rank,
                     bool *mask);                         /* n = 0 marks all */
