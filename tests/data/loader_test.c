/*
** loader_test.c -- batches filled by the owner and by a thread: the same bytes, in the same order,
** with lifetimes as promised; a thread's failure reaches the owner; leaving early leaves nothing.
*/
#include "../engine/engine_unit.h"
#include "data.h"
#include <stdlib.h>
#include <unistd.h>

enum { N = 203, WIDTH = 5, BATCH = 10, BATCHES = 21 };

static uint8_t pixels[N][WIDTH], labels[N];

static pl_rows *rows_of(int32_t rank, const void *data) {
  int64_t sizes[2] = {N, WIDTH};
  pl_tensor t = 0;
  pl_rows *rows = NULL;
  OK(pl_tensor_empty(cpu(), PL_U8, rank, sizes, &t));
  OK(pl_tensor_write(t, data, rank == 1 ? N : N * WIDTH));
  OK(pl_rows_of_tensor(t, &rows));
  pl_tensor_release(t);
  return rows;
}

/* Images to f32 in [0, 1], labels to i64 from 1. */
static pl_source *make_source(void) {
  for (int i = 0; i < N; i++) {
    labels[i] = (uint8_t)(i % 10);
    for (int k = 0; k < WIDTH; k++) pixels[i][k] = (uint8_t)(i + 50 * k);
  }
  pl_field fields[2] = {
    {.rows = rows_of(2, pixels), .transform_count = 2,
     .transforms = {{.kind = PL_TRANSFORM_CAST, .dtype = PL_F32},
                    {.kind = PL_TRANSFORM_DIVIDE, .value = 255}}},
    {.rows = rows_of(1, labels), .transform_count = 2,
     .transforms = {{.kind = PL_TRANSFORM_CAST, .dtype = PL_I64},
                    {.kind = PL_TRANSFORM_ADD, .value = 1}}},
  };
  pl_source *source = NULL;
  OK(pl_source_new(fields, 2, &source));
  pl_rows_free(fields[0].rows);
  pl_rows_free(fields[1].rows);
  return source;
}

typedef struct fixture {
  pl_source *source;
  pl_loader *loader;
  pl_tensor images[PL_LOADER_SLOTS], targets[PL_LOADER_SLOTS];
} fixture;

static pl_tensor bind(fixture *f, int32_t slot, int32_t field, int32_t dtype, int32_t rank) {
  int64_t sizes[2] = {BATCH, WIDTH};
  pl_tensor t = 0;
  void *staging;
  OK(pl_tensor_empty(cpu(), dtype, rank, sizes, &t));
  OK(pl_loader_bind(f->loader, slot, field, t, &staging));
  CHECK(staging == NULL);
  return t;
}

static fixture make(pl_source *source, int32_t ahead) {
  fixture f = {.source = source};
  OK(pl_loader_new(source, BATCH, ahead, &f.loader));
  for (int32_t slot = 0; slot < PL_LOADER_SLOTS; slot++) {
    f.images[slot] = bind(&f, slot, 0, PL_F32, 2);
    f.targets[slot] = bind(&f, slot, 1, PL_I64, 1);
  }
  return f;
}

static void drop(fixture *f) {
  pl_loader_free(f->loader);
  pl_source_free(f->source);
  for (int32_t slot = 0; slot < PL_LOADER_SLOTS; slot++) {
    pl_tensor_release(f->images[slot]);
    pl_tensor_release(f->targets[slot]);
  }
}

/* A pass in the order 0, 7, 14, ... (7 and N have no common divisor). */
static int64_t sample_at(int64_t i) { return i * 7 % N; }

static void start(fixture *f) {
  int64_t *positions, *ends;
  OK(pl_loader_plan(f->loader, N, BATCHES, &positions, &ends));
  for (int64_t i = 0; i < N; i++) positions[i] = sample_at(i);
  for (int64_t b = 0; b < BATCHES; b++) ends[b] = b + 1 < BATCHES ? (b + 1) * BATCH : N;
  OK(pl_loader_start(f->loader, 1, 1));
}

static bool holds_batch(const fixture *f, int32_t slot, int64_t b, int64_t rows) {
  float images[BATCH * WIDTH];
  int64_t targets[BATCH];
  OK(pl_tensor_read(f->images[slot], images, sizeof images));
  OK(pl_tensor_read(f->targets[slot], targets, sizeof targets));
  for (int64_t i = 0; i < rows; i++) {
    int64_t at = sample_at(b * BATCH + i);
    if (targets[i] != labels[at] + 1) return false;
    for (int k = 0; k < WIDTH; k++)
      if (images[i * WIDTH + k] != (float)pixels[at][k] / 255.0f) return false;
  }
  return true;
}

/* The batch given out and the one before it hold until the next is asked for. */
static void check_pass(fixture *f) {
  pl_batch now, before = {0};
  start(f);
  for (int64_t b = 0; b < BATCHES; b++) {
    OK(pl_loader_next(f->loader, &now));
    CHECK(now.rows == (b + 1 < BATCHES ? BATCH : N % BATCH));
    CHECK(holds_batch(f, now.slot, b, now.rows));
    if (b > 0) CHECK(holds_batch(f, before.slot, b - 1, before.rows));
    before = now;
  }
  OK(pl_loader_next(f->loader, &now));
  CHECK(now.rows == 0);
  OK(pl_loader_next(f->loader, &now));
  CHECK(now.rows == 0);
}

static void passes(void) {
  for (int32_t ahead = PL_AHEAD_AUTO; ahead <= PL_AHEAD_ALWAYS; ahead++) {
    fixture f = make(make_source(), ahead);
    for (int round = 0; round < 20; round++) check_pass(&f);
    drop(&f);
  }
}

static void leaving(void) {
  fixture f = make(make_source(), PL_AHEAD_ALWAYS);
  for (int round = 0; round < 100; round++) {
    pl_batch batch;
    start(&f);
    for (int i = 0; i <= round % BATCHES; i++) OK(pl_loader_next(f.loader, &batch));
    if (round % 3 == 0) {
      pl_loader_stop(f.loader);
      CHECK(!pl_loader_is_ahead(f.loader));
      OK(pl_loader_next(f.loader, &batch));
      CHECK(batch.rows == 0);
    }
  }
  check_pass(&f);
  start(&f);
  drop(&f);
}

static void versions(void) {
  fixture f = make(make_source(), PL_AHEAD_NEVER);
  pl_tensor_info info;
  pl_batch first_batch, batch;
  start(&f);
  OK(pl_loader_next(f.loader, &first_batch));
  OK(pl_tensor_describe(f.images[first_batch.slot], &info));
  int64_t version = info.version;
  OK(pl_loader_next(f.loader, &batch));
  OK(pl_tensor_describe(f.images[first_batch.slot], &info));
  CHECK(info.version == version && batch.slot != first_batch.slot);
  OK(pl_loader_next(f.loader, &batch));
  OK(pl_tensor_describe(f.images[first_batch.slot], &info));
  CHECK(info.version > version);
  drop(&f);
}

/* Who looks at a batch after its time sees another version once it is given out again. */
static void versions_ahead(void) {
  fixture f = make(make_source(), PL_AHEAD_ALWAYS);
  pl_tensor_info info;
  pl_batch batch;
  int64_t seen[PL_LOADER_SLOTS + 1];
  start(&f);
  for (int b = 0; b <= PL_LOADER_SLOTS; b++) {
    OK(pl_loader_next(f.loader, &batch));
    OK(pl_tensor_describe(f.images[0], &info));
    seen[b] = info.version;
  }
  CHECK(batch.slot == 0);
  CHECK(seen[1] == seen[0] && seen[2] > seen[1] && seen[3] == seen[2] && seen[4] > seen[3]);
  drop(&f);
}

static void wrong_plans(void) {
  fixture f = make(make_source(), PL_AHEAD_NEVER);
  int64_t *positions, *ends;
  pl_batch batch;
  OK(pl_loader_plan(f.loader, 2, 1, &positions, &ends));
  positions[0] = 0, positions[1] = N, ends[0] = 2;
  CHECK(pl_loader_start(f.loader, 1, 1) == PL_EARGUMENT);
  positions[1] = -1;
  CHECK(pl_loader_start(f.loader, 1, 1) == PL_EARGUMENT);
  positions[1] = 1, ends[0] = 3;
  CHECK(pl_loader_start(f.loader, 1, 1) == PL_EARGUMENT);
  ends[0] = 0;
  CHECK(pl_loader_start(f.loader, 1, 1) == PL_EARGUMENT);
  OK(pl_loader_next(f.loader, &batch));
  CHECK(batch.rows == 0);
  ends[0] = 2;
  OK(pl_loader_start(f.loader, 1, 1));
  drop(&f);
}

static void wrong_buffers(void) {
  pl_source *source = make_source();
  pl_loader *loader = NULL;
  int64_t sizes[2] = {BATCH, WIDTH + 1}, *positions, *ends;
  pl_tensor t = 0;
  void *staging;
  pl_batch batch;
  CHECK(pl_loader_new(source, 0, PL_AHEAD_NEVER, &loader) == PL_EARGUMENT);
  OK(pl_loader_new(source, BATCH, PL_AHEAD_NEVER, &loader));
  OK(pl_tensor_empty(cpu(), PL_F32, 2, sizes, &t));
  CHECK(pl_loader_bind(loader, 0, 0, t, &staging) == PL_ESHAPE);
  CHECK(pl_loader_bind(loader, PL_LOADER_SLOTS, 0, t, &staging) == PL_EARGUMENT);
  CHECK(pl_loader_bind(loader, 0, 2, t, &staging) == PL_EARGUMENT);
  OK(pl_loader_plan(loader, 1, 1, &positions, &ends));
  positions[0] = 0, ends[0] = 1;
  OK(pl_loader_start(loader, 1, 1));
  CHECK(pl_loader_next(loader, &batch) == PL_EARGUMENT);
  pl_tensor_release(t);
  pl_loader_free(loader);
  pl_source_free(source);
}

/* The file is gone when the thread comes to read it. */
static void thread_fails(void) {
  char path[] = P_tmpdir "/perilune_loader_XXXXXX";
  const uint8_t bytes[] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3};
  int fd = mkstemp(path);
  CHECK(write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes);
  close(fd);
  pl_field field = {0};
  OK(pl_rows_open_idx(path, 1, &field.rows));
  unlink(path);
  pl_source *source = NULL;
  OK(pl_source_new(&field, 1, &source));
  pl_rows_free(field.rows);
  pl_loader *loader = NULL;
  OK(pl_loader_new(source, 1, PL_AHEAD_ALWAYS, &loader));
  for (int round = 0; round < 2; round++) {
    int64_t *positions, *ends;
    pl_batch batch;
    OK(pl_loader_plan(loader, 1, 1, &positions, &ends));
    positions[0] = 0, ends[0] = 1;
    OK(pl_loader_start(loader, 1, 1));
    CHECK(pl_loader_next(loader, &batch) == PL_EIO);
    CHECK(strstr(pl_error(), path) != NULL);
    OK(pl_loader_next(loader, &batch));
    CHECK(batch.rows == 0);
  }
  pl_loader_free(loader);
  pl_source_free(source);
}

int main(void) {
  UNIT(passes);
  UNIT(leaving);
  UNIT(versions);
  UNIT(versions_ahead);
  UNIT(wrong_plans);
  UNIT(wrong_buffers);
  UNIT(thread_fails);
  return units_end();
}
