/*
** step.h -- the steps of data.h made ready for rows of one dtype and shape, and run one after the
** other. What a step draws depends on its call number and on the key alone.
*/
#pragma once
#include "base.h"
#include "data.h"

typedef struct pipeline {
  int32_t n;
  pl_step steps[PL_MAX_STEPS];
  pl_rows_info infos[PL_MAX_STEPS + 1];  /* what step i takes; the last one: what comes out */
} pipeline;

/* A copy of `before` (or of nothing, for rows of that kind) with steps appended. */
pl_status pipeline_extend(const pipeline *before, const pl_rows_info *in, const pl_step *steps,
                          int32_t n, pipeline **out);
static inline const pl_rows_info *pipeline_result(const pipeline *p) { return &p->infos[p->n]; }
/* Bytes of the largest row between steps. */
int64_t pipeline_row_bytes(const pipeline *p);
/* scratch: room for two of these rows; src may be the first of them. */
void pipeline_run(const pipeline *p, const pl_key *key, const void *src, char *scratch, void *dst);
