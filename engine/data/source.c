/*
** source.c -- samples as rows of blocks behind an index list: made of fields, selected, joined,
** described, and gathered in any order.
*/
#include "source.h"
#include "shape.h"
#include "status.h"
#include <stdlib.h>
#include <string.h>

static pl_status no_memory(void) {
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while making a dataset's source");
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void block_unref(block *b) {
  if (!b || atomic_fetch_sub(&b->refs, 1) > 1) return;
  for (int32_t i = 0; i < b->n_fields; i++) {
    pl_rows_free(b->rows[i]);
    free(b->pipelines[i]);
  }
  free(b);
}

static pl_status block_fill(block *b, const pl_field *fields, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    const pl_field *f = &fields[i];
    int64_t count = f->rows->info.count;
    if (count != fields[0].rows->info.count)
      return status_fail(PL_ESHAPE, NULL, NULL,
                         "field %d has %lld samples and field 1 has %lld; they must have as many",
                         i + 1, (long long)count, (long long)fields[0].rows->info.count);
    pl_status s = convert_make(f->rows->info.dtype, f->transforms, f->transform_count,
                               &b->converts[i]);
    if (s) return s;
    b->rows[i] = rows_ref(f->rows);
    b->n_fields = i + 1;
    b->count = count;
  }
  return PL_OK;
}

static pl_status block_new(const pl_field *fields, int32_t n, block **out) {
  if (n < 1 || n > PL_MAX_FIELDS)
    return status_fail(PL_EARGUMENT, NULL, NULL, "a sample has 1 to %d fields, not %d",
                       PL_MAX_FIELDS, n);
  block *b = calloc(1, sizeof *b);
  if (!b) return no_memory();
  atomic_init(&b->refs, 1);
  pl_status s = block_fill(b, fields, n);
  if (s)
    block_unref(b);
  else
    *out = b;
  return s;
}

/* A field after its conversion, before its steps. */
static void block_describe_converted(const block *b, int32_t field, pl_rows_info *out) {
  *out = b->rows[field]->info;
  out->dtype = b->converts[field].to;
  out->row_bytes = out->row_elements * pl_dtype_size(out->dtype);
}

static void block_describe(const block *b, int32_t field, pl_rows_info *out) {
  if (b->pipelines[field])
    *out = *pipeline_result(b->pipelines[field]);
  else
    block_describe_converted(b, field, out);
}

/* Shares the rows, copies the rest. */
static pl_status block_copy(const block *b, block **out) {
  block *copy = calloc(1, sizeof *copy);
  if (!copy) return no_memory();
  atomic_init(&copy->refs, 1);
  copy->count = b->count;
  memcpy(copy->converts, b->converts, sizeof copy->converts);
  for (int32_t i = 0; i < b->n_fields; i++) {
    pl_status s = b->pipelines[i]
                      ? pipeline_extend(b->pipelines[i], NULL, NULL, 0, &copy->pipelines[i])
                      : PL_OK;
    if (s) {
      block_unref(copy);
      return s;
    }
    copy->rows[i] = rows_ref(b->rows[i]);
    copy->n_fields = i + 1;
  }
  *out = copy;
  return PL_OK;
}

static pl_status block_transform(const block *b, int32_t field, const pl_step *steps, int32_t n,
                                 block **out) {
  block *copy = NULL;
  pipeline *longer = NULL;
  pl_rows_info info;
  block_describe_converted(b, field, &info);
  pl_status s = pipeline_extend(b->pipelines[field], &info, steps, n, &longer);
  if (s) return s;
  if ((s = block_copy(b, &copy))) {
    free(longer);
    return s;
  }
  free(copy->pipelines[field]);
  copy->pipelines[field] = longer;
  *out = copy;
  return PL_OK;
}

/* ---- sources ------------------------------------------------------------------------------ */

pl_source *source_ref(pl_source *source) {
  atomic_fetch_add(&source->refs, 1);
  return source;
}

void pl_source_hold(pl_source *source) { source_ref(source); }

void pl_source_free(pl_source *source) {
  if (!source || atomic_fetch_sub(&source->refs, 1) > 1) return;
  for (int32_t i = 0; i < source->n_blocks; i++) block_unref(source->blocks[i]);
  free(source->blocks);
  free(source->firsts);
  free(source->index);
  free(source);
}

/* Room for blocks and, if asked for, an index list; the blocks are added next. */
static pl_source *source_alloc(int32_t n_blocks, int64_t size, bool indexed) {
  pl_source *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  atomic_init(&s->refs, 1);
  s->size = size;
  s->blocks = calloc((size_t)n_blocks, sizeof *s->blocks);
  s->firsts = calloc((size_t)n_blocks, sizeof *s->firsts);
  if (indexed) s->index = malloc((size_t)(size > 0 ? size : 1) * sizeof *s->index);
  if (s->blocks && s->firsts && (!indexed || s->index)) return s;
  pl_source_free(s);
  return NULL;
}

static int64_t source_rows(const pl_source *s) {
  if (s->n_blocks == 0) return 0;
  return s->firsts[s->n_blocks - 1] + s->blocks[s->n_blocks - 1]->count;
}

static void add_blocks(pl_source *to, const pl_source *from) {
  for (int32_t i = 0; i < from->n_blocks; i++) {
    int64_t first = source_rows(to);
    atomic_fetch_add(&from->blocks[i]->refs, 1);
    to->firsts[to->n_blocks] = first;
    to->blocks[to->n_blocks++] = from->blocks[i];
  }
}

static inline int64_t row_of(const pl_source *s, int64_t position) {
  return s->index ? s->index[position] : position;
}

pl_status pl_source_new(const pl_field *fields, int32_t n, pl_source **out) {
  block *b = NULL;
  pl_status status = block_new(fields, n, &b);
  if (status) return status;
  pl_source *s = source_alloc(1, b->count, false);
  if (!s) {
    block_unref(b);
    return no_memory();
  }
  s->blocks[0] = b;
  s->n_blocks = 1;
  *out = s;
  return PL_OK;
}

pl_status pl_source_select(pl_source *source, const int64_t *positions, int64_t n,
                           pl_source **out) {
  for (int64_t i = 0; i < n; i++)
    if (positions[i] < 0 || positions[i] >= source->size)
      return status_fail(PL_EARGUMENT, NULL, "indices",
                         "index %lld is %lld, but the dataset has samples 1 to %lld",
                         (long long)i + 1, (long long)positions[i] + 1, (long long)source->size);
  pl_source *s = source_alloc(source->n_blocks, n, true);
  if (!s) return no_memory();
  add_blocks(s, source);
  for (int64_t i = 0; i < n; i++) s->index[i] = row_of(source, positions[i]);
  *out = s;
  return PL_OK;
}

static pl_status check_same_fields(const pl_source *a, const pl_source *b, int32_t number) {
  if (source_fields(a) != source_fields(b))
    return status_fail(PL_ESHAPE, NULL, "datasets",
                       "dataset %d has %d fields a sample and dataset 1 has %d", number,
                       source_fields(b), source_fields(a));
  for (int32_t i = 0; i < source_fields(a); i++) {
    pl_rows_info x, y;
    block_describe(a->blocks[0], i, &x);
    block_describe(b->blocks[0], i, &y);
    if (x.dtype != y.dtype || x.rank != y.rank ||
        memcmp(x.sizes, y.sizes, (size_t)x.rank * sizeof *x.sizes))
      return status_fail(PL_ESHAPE, NULL, "datasets",
                         "field %d of dataset %d has another shape or dtype than in dataset 1",
                         i + 1, number);
  }
  return PL_OK;
}

static void join(pl_source *to, const pl_source *from, int64_t *at) {
  int64_t first = source_rows(to);
  add_blocks(to, from);
  for (int64_t i = 0; i < from->size; i++) to->index[(*at)++] = first + row_of(from, i);
}

pl_status pl_source_concat(pl_source *const *sources, int32_t n, pl_source **out) {
  int64_t size = 0, at = 0;
  int32_t n_blocks = 0;
  for (int32_t i = 0; i < n; i++) {
    pl_status status = check_same_fields(sources[0], sources[i], i + 1);
    if (status) return status;
    size += sources[i]->size;
    n_blocks += sources[i]->n_blocks;
  }
  if (n < 1) return status_fail(PL_EARGUMENT, NULL, "datasets", "there is no dataset to join");
  pl_source *s = source_alloc(n_blocks, size, true);
  if (!s) return no_memory();
  for (int32_t i = 0; i < n; i++) join(s, sources[i], &at);
  *out = s;
  return PL_OK;
}

int64_t pl_source_size(const pl_source *source) { return source->size; }

int32_t pl_source_fields(const pl_source *source) { return source_fields(source); }

static pl_status check_field(const pl_source *source, int32_t field) {
  if (field >= 0 && field < source_fields(source)) return PL_OK;
  return status_fail(PL_EARGUMENT, NULL, "field", "there is no field %d in samples of %d",
                     field + 1, source_fields(source));
}

pl_status pl_source_describe(const pl_source *source, int32_t field, pl_rows_info *out) {
  pl_status s = check_field(source, field);
  if (s) return s;
  block_describe(source->blocks[0], field, out);
  out->count = source->size;
  return PL_OK;
}

pl_status pl_source_transform(pl_source *source, int32_t field, const pl_step *steps, int32_t n,
                              pl_source **out) {
  pl_status status = check_field(source, field);
  if (status) return status;
  pl_source *s = source_alloc(source->n_blocks, source->size, source->index != NULL);
  if (!s) return no_memory();
  if (source->index) memcpy(s->index, source->index, (size_t)s->size * sizeof *s->index);
  for (int32_t i = 0; i < source->n_blocks; i++) {
    status = block_transform(source->blocks[i], field, steps, n, &s->blocks[i]);
    if (status) {
      pl_source_free(s);
      return status;
    }
    s->firsts[i] = source->firsts[i];
    s->n_blocks = i + 1;
  }
  *out = s;
  return PL_OK;
}

int64_t source_row_bytes(const pl_source *source, int32_t field) {
  pl_rows_info info;
  block_describe(source->blocks[0], field, &info);
  return info.row_bytes;
}

pl_status source_load(pl_source *source) {
  for (int32_t i = 0; i < source->n_blocks; i++)
    for (int32_t k = 0; k < source->blocks[i]->n_fields; k++) {
      pl_status s = pl_rows_load(source->blocks[i]->rows[k]);
      if (s) return s;
    }
  return PL_OK;
}

/* ---- gathering ---------------------------------------------------------------------------- */

enum { LINE = 64, ROWS_AHEAD = 4, LINES_AHEAD = 16 };

static inline int32_t block_of(const pl_source *s, int64_t row) {
  int32_t low = 0, high = s->n_blocks - 1;
  while (low < high) {
    int32_t middle = (low + high + 1) / 2;
    if (s->firsts[middle] <= row)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

static inline const char *row_at(const pl_source *s, int32_t field, int64_t position,
                                 const block **b) {
  int64_t row = row_of(s, position);
  int32_t i = block_of(s, row);
  *b = s->blocks[i];
  const pl_rows *rows = (*b)->rows[field];
  return atomic_load_explicit(&rows->data, memory_order_relaxed) +
         (row - s->firsts[i]) * rows->info.row_bytes;
}

/* Rows are far apart in memory: ask for one while those before it are converted. */
static inline void prefetch_row(const pl_source *s, int32_t field, int64_t position) {
  const block *b;
  const char *row = row_at(s, field, position, &b);
  int64_t bytes = b->rows[field]->info.row_bytes;
  for (int64_t at = 0; at < bytes && at < LINE * LINES_AHEAD; at += LINE)
    __builtin_prefetch(row + at);
}

int64_t source_scratch_bytes(const pl_source *source) {
  int64_t most = 0;
  for (int32_t i = 0; i < source->n_blocks; i++)
    for (int32_t k = 0; k < source->blocks[i]->n_fields; k++) {
      const pipeline *p = source->blocks[i]->pipelines[k];
      if (p && pipeline_row_bytes(p) > most) most = pipeline_row_bytes(p);
    }
  return 2 * most;
}

/* A row through its conversion and its steps. */
static void gather_row(const block *b, const gather *g, const pl_key *key, const char *src,
                       char *dst) {
  const convert *c = &b->converts[g->field];
  const pipeline *p = b->pipelines[g->field];
  int64_t elements = b->rows[g->field]->info.row_elements;
  if (!p || p->n == 0) {
    c->row(c, src, dst, elements);
    return;
  }
  if (c->count > 0) {
    c->row(c, src, g->scratch, elements);
    src = g->scratch;
  }
  pipeline_run(p, key, src, g->scratch, dst);
}

void source_gather(const pl_source *source, const gather *g, const int64_t *positions, int64_t n,
                   char *dst) {
  int64_t bytes = source_row_bytes(source, g->field);
  for (int64_t i = 0; i < n && i < ROWS_AHEAD; i++) prefetch_row(source, g->field, positions[i]);
  for (int64_t i = 0; i < n; i++) {
    if (i + ROWS_AHEAD < n) prefetch_row(source, g->field, positions[i + ROWS_AHEAD]);
    const block *b;
    const char *src = row_at(source, g->field, positions[i], &b);
    pl_key key = g->key;
    if (key.sample == 0) key.sample = (uint64_t)positions[i] + 1;
    gather_row(b, g, &key, src, dst + i * bytes);
  }
}

pl_status pl_source_read(pl_source *source, int64_t position, int32_t field, const pl_key *key,
                         void *dst) {
  pl_status s = check_field(source, field);
  if (s) return s;
  if (position < 0 || position >= source->size)
    return status_fail(PL_EARGUMENT, NULL, "i",
                       "there is no sample %lld; the dataset has 1 to %lld",
                       (long long)position + 1, (long long)source->size);
  int64_t bytes = source_scratch_bytes(source);
  gather g = { .field = field, .key = *key, .scratch = bytes > 0 ? malloc((size_t)bytes) : NULL };
  if (bytes > 0 && !g.scratch) return no_memory();
  s = source_load(source);
  if (!s) source_gather(source, &g, &position, 1, dst);
  free(g.scratch);
  return s;
}
