/*
** source.h -- fields of rows and an index list. Sources are immutable and counted: selecting and
** joining make new ones that share the blocks, so a loader's thread may read one without a lock.
*/
#pragma once
#include "convert.h"
#include "rows.h"
#include "step.h"

/* Fields that belong together: sample i is row i of each. */
typedef struct block {
  atomic_int refs;
  int32_t n_fields;
  int64_t count;
  pl_rows *rows[PL_MAX_FIELDS];
  convert converts[PL_MAX_FIELDS];
  pipeline *pipelines[PL_MAX_FIELDS];   /* NULL where no steps follow */
} block;

struct pl_source {
  atomic_int refs;
  int32_t n_blocks;
  int64_t size;
  int64_t *index;              /* of each sample: its row, counted through all blocks; NULL: i */
  int64_t *firsts;             /* of each block: the number of its first row */
  block **blocks;
};

pl_source *source_ref(pl_source *source);
static inline int32_t source_fields(const pl_source *s) { return s->blocks[0]->n_fields; }
/* Bytes of one sample's field, after its transforms. */
int64_t source_row_bytes(const pl_source *source, int32_t field);
/* Loads what is not in memory yet. */
pl_status source_load(pl_source *source);
/* Bytes that gathering needs beside the result; 0 where no field has steps. */
int64_t source_scratch_bytes(const pl_source *source);
typedef struct gather {
  int32_t field;
  pl_key key;                  /* sample 0: each sample's position counted from 1 */
  char *scratch;
} gather;
/* The field of the samples at these positions, one after the other; loaded. */
void source_gather(const pl_source *source, const gather *g, const int64_t *positions, int64_t n,
                   char *dst);
