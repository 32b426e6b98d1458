/*
** data.h -- the public API of readers and the batch loader: rows (an array of samples in memory or
** in a file), steps (what transforms do to images), source (fields of rows, their transforms, an
** index list), loader (rows to batches).
** ffi.cdef reads this file as it is, after perilune.h; the same rules hold. Positions are 0-based.
*/
#pragma once
#pragma GCC visibility push(default)

enum {
  PL_MAX_FIELDS = 8, PL_MAX_TRANSFORMS = 4, PL_MAX_STEPS = 16, PL_MAX_CHANNELS = 16,
  PL_LOADER_SLOTS = 4
};

/* ---- rows: n samples of one dtype and shape ----------------------------------------------- */

typedef struct pl_rows pl_rows;
typedef struct pl_rows_info {
  int32_t dtype, rank;               /* rank and sizes are those of one row */
  int64_t count, row_elements, row_bytes;
  int64_t sizes[8];
} pl_rows_info;

/* An idx file of u8, plain or gzip, of that rank (1: labels, 3: images). Header and sizes are
** checked now; the contents are read into memory at first use. */
pl_status pl_rows_open_idx(const char *path, int32_t rank, pl_rows **out);
/* The first dimension of a dense tensor on a host device; shares and holds its storage. */
pl_status pl_rows_of_tensor(pl_tensor t, pl_rows **out);
/* Rows of height x width become 1 x height x width; before anybody else has the rows. */
pl_status pl_rows_add_channel(pl_rows *rows);
void pl_rows_describe(const pl_rows *rows, pl_rows_info *out);
pl_status pl_rows_load(pl_rows *rows);
/* u8 labels, one a row (PL_EDTYPE): is each below `classes`? PL_EFORMAT names the first that is
** not. */
pl_status pl_rows_check_labels(pl_rows *labels, int64_t classes);
void pl_rows_free(pl_rows *rows);

/* ---- steps: what transforms do to a row, mostly an image ----------------------------------- */

/* Random numbers of a step are Philox of this and of its call number. */
typedef struct pl_key { uint64_t seed, epoch, sample; } pl_key;   /* epoch and sample from 1 */

enum {
  PL_STEP_TO_FLOAT,                  /* u8 to f32, divided by 255 */
  PL_STEP_NORMALIZE,                 /* (x - mean) / std */
  PL_STEP_CROP, PL_STEP_FLIP, PL_STEP_ERASE,
  PL_STEP_RESIZE                     /* bilinear */
};
typedef struct pl_step {
  int32_t kind, call;
  int64_t height, width;             /* of what crop and resize give; width 0: see resize in Lua */
  int64_t padding;                   /* crop: on all four sides */
  double value;                      /* crop: of the padding; erase */
  double probability;                /* flip, erase */
  double scale[2], ratio[2];         /* erase */
  int32_t channels, unused;          /* normalize: how many means; 1 serves all channels */
  double mean[16], std[16];
} pl_step;

/* What comes out for rows like `in`; count is passed on. */
pl_status pl_step_describe(const pl_step *step, const pl_rows_info *in, pl_rows_info *out);
/* One row; src and dst do not overlap. */
pl_status pl_step_run(const pl_step *step, const pl_rows_info *in, const pl_key *key,
                      const void *src, void *dst);

/* ---- sources: what a sample is made of ---------------------------------------------------- */

enum { PL_TRANSFORM_CAST, PL_TRANSFORM_DIVIDE, PL_TRANSFORM_ADD };
typedef struct pl_transform {
  int32_t kind, dtype;               /* dtype: of a cast */
  double value;                      /* of the others; each step rounds to its dtype */
} pl_transform;

typedef struct pl_field {
  pl_rows *rows;
  int32_t transform_count, unused;
  pl_transform transforms[4];
} pl_field;

typedef struct pl_source pl_source;
pl_status pl_source_new(const pl_field *fields, int32_t n, pl_source **out);
/* The samples at these positions, in this order. */
pl_status pl_source_select(pl_source *source, const int64_t *positions, int64_t n,
                           pl_source **out);
/* One after the other; fields must agree in number, dtype and shape. */
pl_status pl_source_concat(pl_source *const *sources, int32_t n, pl_source **out);
/* The same samples with steps appended to those of a field. */
pl_status pl_source_transform(pl_source *source, int32_t field, const pl_step *steps, int32_t n,
                              pl_source **out);
void pl_source_hold(pl_source *source);      /* for another owner, who frees it too */
int64_t pl_source_size(const pl_source *source);
int32_t pl_source_fields(const pl_source *source);
/* A field as it comes out of its transforms; count is the source's size. */
pl_status pl_source_describe(const pl_source *source, int32_t field, pl_rows_info *out);
pl_status pl_source_read(pl_source *source, int64_t position, int32_t field, const pl_key *key,
                         void *dst);
void pl_source_free(pl_source *source);

/* ---- loader: batches in buffers that are used again --------------------------------------- */

enum { PL_AHEAD_AUTO, PL_AHEAD_NEVER, PL_AHEAD_ALWAYS };

/* A batch and the one before it stay as they are; older ones are rewritten. */
typedef struct pl_loader pl_loader;
typedef struct pl_batch { int64_t rows; int32_t slot, unused; } pl_batch;

/* Batches of at most max_rows samples. ahead: PL_AHEAD_AUTO fills batches in a thread once they
** proved to take over 50 us. */
pl_status pl_loader_new(pl_source *source, int64_t max_rows, int32_t ahead, pl_loader **out);
/* The tensor of a slot's field, max_rows x row, dense. Where its device has no host memory, the
** rows of a batch are in *staging and the caller writes them; else *staging is NULL. */
pl_status pl_loader_bind(pl_loader *loader, int32_t slot, int32_t field, pl_tensor t,
                         void **staging);
/* Room for the plan of a pass: positions of n samples, and where each batch ends among them. */
pl_status pl_loader_plan(pl_loader *loader, int64_t n, int64_t batches, int64_t **positions,
                         int64_t **ends);
/* A pass over the plan from its beginning; steps draw from (seed, epoch, position + 1). */
pl_status pl_loader_start(pl_loader *loader, uint64_t seed, uint64_t epoch);
pl_status pl_loader_next(pl_loader *loader, pl_batch *out);   /* rows = 0: the pass is over */
void pl_loader_stop(pl_loader *loader);
int32_t pl_loader_is_ahead(const pl_loader *loader);          /* is a thread at work? */
void pl_loader_free(pl_loader *loader);

/* ---- workers: Lua states in threads -------------------------------------------------------- */

typedef struct pl_worker pl_worker;
/* code is Lua and returns a function from a string to a string. */
pl_status pl_worker_new(const char *code, int64_t size, pl_worker **out);
/* Call that function; its last answer must have been received. */
pl_status pl_worker_send(pl_worker *worker, const char *bytes, int64_t size);
/* Wait for the answer, which stays until the next send. 0: it is an error's text. */
int32_t pl_worker_receive(pl_worker *worker, const char **bytes, int64_t *size);
void pl_worker_free(pl_worker *worker);   /* waits for the call under way */

/* A tensor on its way to another thread: the memory is shared, the handle is new. */
typedef struct pl_shared pl_shared;
pl_status pl_shared_new(pl_tensor t, pl_shared **out);
pl_status pl_shared_open(const pl_shared *shared, pl_tensor *out);
void pl_shared_free(pl_shared *shared);

#pragma GCC visibility pop
