/*
** loader.c -- batches of a source in buffers that are used again, filled by the owner or, when that
** takes long, ahead of it by a thread. Batch b lies in slot b % 4 (b % 2 once it is known that no
** thread is needed). Invariant: the batch last given out and the one before it are never written;
** every buffer's version moves on before it is given out and before it is written again.
*/
#include "source.h"
#include "status.h"
#include "thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Batches timed before choosing: each slot twice, for the first time brings its memory in. */
enum { TRIAL = 2 * PL_LOADER_SLOTS };
static const double INLINE_SECONDS = 50e-6;

typedef struct slot {
  char *data[PL_MAX_FIELDS];
  char *staging[PL_MAX_FIELDS];      /* owned; data of a device without host memory */
  storage *storages[PL_MAX_FIELDS];  /* counted */
} slot;

typedef enum choice { UNDECIDED, INLINE, AHEAD } choice;

struct pl_loader {
  pl_source *source;
  int64_t max_rows;
  slot slots[PL_LOADER_SLOTS];
  choice choice;
  double fastest;                    /* seconds of a batch, while undecided */
  /* the plan of a pass */
  int64_t *positions, *ends;
  int64_t n, n_batches, room, batch_room;
  int64_t taken;                     /* batches given out */
  pl_key key;                        /* of the pass; sample 0 */
  char *scratch;                     /* of whoever fills: one thread at a time */
  /* shared with the thread, under the lock */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  bool running, stop;
  int64_t filled;                    /* batches ready */
  int64_t retired;                   /* batches whose slots are free again */
  pl_status failure;                 /* of batch `filled` */
  char sentence[1024];
};

/* ---- making ------------------------------------------------------------------------------- */

pl_status pl_loader_new(pl_source *source, int64_t max_rows, int32_t ahead, pl_loader **out) {
  if (max_rows < 1)
    return status_fail(PL_EARGUMENT, NULL, "batch_size", "a batch has at least 1 sample, not %lld",
                       (long long)max_rows);
  pl_loader *l = calloc(1, sizeof *l);
  int64_t scratch = source_scratch_bytes(source);
  if (l && scratch > 0 && !(l->scratch = malloc((size_t)scratch))) {
    free(l);
    l = NULL;
  }
  if (!l) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while making a loader");
  l->source = source_ref(source);
  l->max_rows = max_rows;
  l->choice = ahead == PL_AHEAD_NEVER ? INLINE : ahead == PL_AHEAD_ALWAYS ? AHEAD : UNDECIDED;
  l->fastest = 1e9;
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  *out = l;
  return PL_OK;
}

static void release_field(slot *s, int32_t field) {
  if (s->storages[field]) storage_unref(s->storages[field]);
  free(s->staging[field]);
  s->storages[field] = NULL;
  s->staging[field] = s->data[field] = NULL;
}

void pl_loader_free(pl_loader *l) {
  if (!l) return;
  pl_loader_stop(l);
  for (int32_t i = 0; i < PL_LOADER_SLOTS; i++)
    for (int32_t k = 0; k < PL_MAX_FIELDS; k++) release_field(&l->slots[i], k);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  pl_source_free(l->source);
  free(l->positions);
  free(l->ends);
  free(l->scratch);
  free(l);
}

static pl_status check_bound(const pl_loader *l, int32_t slot, int32_t field, const tensor *t) {
  if (slot < 0 || slot >= PL_LOADER_SLOTS || field < 0 || field >= source_fields(l->source))
    return status_fail(PL_EARGUMENT, NULL, NULL, "the loader has no slot %d with field %d", slot,
                       field);
  pl_rows_info info;
  pl_source_describe(l->source, field, &info);
  if (t->is_number || t->view.dtype != info.dtype || !t->view.dense ||
      t->view.count != l->max_rows * info.row_elements)
    return status_fail(PL_ESHAPE, NULL, NULL,
                       "the buffer of field %d must be dense, %lld rows of %s", field + 1,
                       (long long)l->max_rows, pl_dtype_name(info.dtype));
  return PL_OK;
}

pl_status pl_loader_bind(pl_loader *l, int32_t slot_number, int32_t field, pl_tensor handle,
                         void **staging) {
  tensor *t;
  pl_status s = tensor_get(handle, NULL, NULL, &t);
  if (!s) s = check_bound(l, slot_number, field, t);
  if (s) return s;
  slot *to = &l->slots[slot_number];
  release_field(to, field);
  void *data = NULL;
  if (!device_is(tensor_device(t), PL_CAP_HOST)) {
    int64_t bytes = l->max_rows * source_row_bytes(l->source, field);
    data = to->staging[field] = malloc((size_t)(bytes > 0 ? bytes : 1));
    if (!data)
      return status_fail(PL_EMEMORY, NULL, NULL, "out of memory: a batch needs %lld bytes",
                         (long long)bytes);
  } else if ((s = pl_tensor_data(handle, &data))) {
    return s;
  }
  to->data[field] = data;
  to->storages[field] = storage_ref(t->storage);
  t->storage->reused = true;
  *staging = to->staging[field];
  return PL_OK;
}

/* ---- the plan ----------------------------------------------------------------------------- */

static bool grow(int64_t **list, int64_t *room, int64_t n) {
  if (n <= *room) return true;
  int64_t *larger = n > INT64_MAX / 8 ? NULL : realloc(*list, (size_t)n * sizeof **list);
  if (!larger) return false;
  *list = larger;
  *room = n;
  return true;
}

pl_status pl_loader_plan(pl_loader *l, int64_t n, int64_t batches, int64_t **positions,
                         int64_t **ends) {
  pl_loader_stop(l);
  if (n < 0 || batches < 0 || !grow(&l->positions, &l->room, n) ||
      !grow(&l->ends, &l->batch_room, batches))
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory: a plan of %lld samples",
                       (long long)n);
  l->n = n;
  l->n_batches = batches;
  l->taken = batches;  /* until the pass starts there is nothing to give out */
  *positions = l->positions;
  *ends = l->ends;
  return PL_OK;
}

static pl_status check_plan(const pl_loader *l) {
  int64_t before = 0, size = l->source->size;
  for (int64_t i = 0; i < l->n; i++)
    if (l->positions[i] < 0 || l->positions[i] >= size)
      return status_fail(PL_EARGUMENT, NULL, "sampler",
                         "the sampler asks for sample %lld; the dataset has 1 to %lld",
                         (long long)l->positions[i] + 1, (long long)size);
  for (int64_t b = 0; b < l->n_batches; b++) {
    int64_t rows = l->ends[b] - before;
    if (rows < 1 || rows > l->max_rows || l->ends[b] > l->n)
      return status_fail(PL_EARGUMENT, NULL, "batch_sampler", "batch %lld would have %lld samples",
                         (long long)b + 1, (long long)rows);
    before = l->ends[b];
  }
  return PL_OK;
}

static void touch(pl_loader *l, int32_t slot_number) {
  for (int32_t k = 0; k < source_fields(l->source); k++) {
    storage *s = l->slots[slot_number].storages[k];
    if (!s) continue;
    s->version++;
    s->writer = -1;
  }
}

pl_status pl_loader_start(pl_loader *l, uint64_t seed, uint64_t epoch) {
  pl_loader_stop(l);
  pl_status s = check_plan(l);
  if (s) return s;
  l->key = (pl_key){ .seed = seed, .epoch = epoch };
  l->taken = l->filled = l->retired = 0;
  l->failure = PL_OK;
  for (int32_t i = 0; i < PL_LOADER_SLOTS; i++) touch(l, i);
  return PL_OK;
}

/* ---- filling ------------------------------------------------------------------------------ */

static int64_t batch_first(const pl_loader *l, int64_t b) { return b ? l->ends[b - 1] : 0; }

static int32_t slot_of(const pl_loader *l, int64_t b) {
  return (int32_t)(l->choice == INLINE ? b % 2 : b % PL_LOADER_SLOTS);
}

static pl_status fill(const pl_loader *l, int64_t b) {
  const slot *to = &l->slots[slot_of(l, b)];
  int64_t first = batch_first(l, b), rows = l->ends[b] - first;
  pl_status s = source_load(l->source);
  if (s) return s;
  for (int32_t k = 0; k < source_fields(l->source); k++) {
    if (!to->data[k]) return status_fail(PL_EARGUMENT, NULL, NULL, "the loader has no buffers yet");
    gather g = { .field = k, .key = l->key, .scratch = l->scratch };
    source_gather(l->source, &g, l->positions + first, rows, to->data[k]);
  }
  return PL_OK;
}

static pl_status fill_here(pl_loader *l, int64_t b) {
  if (l->choice != UNDECIDED) return fill(l, b);
  double began = pl_clock();
  pl_status s = fill(l, b);
  double seconds = pl_clock() - began;
  if (seconds < l->fastest) l->fastest = seconds;
  return s;
}

/* ---- the thread --------------------------------------------------------------------------- */

static void keep_failure(pl_loader *l, pl_status s) {
  l->failure = s;
  snprintf(l->sentence, sizeof l->sentence, "%s", pl_error());
}

static void *run_ahead(void *argument) {
  pl_loader *l = argument;
  pthread_mutex_lock(&l->lock);
  while (!l->stop && !l->failure && l->filled < l->n_batches) {
    if (l->filled >= l->retired + PL_LOADER_SLOTS) {
      pthread_cond_wait(&l->changed, &l->lock);
      continue;
    }
    int64_t b = l->filled;
    pthread_mutex_unlock(&l->lock);
    pl_status s = fill(l, b);
    pthread_mutex_lock(&l->lock);
    if (s)
      keep_failure(l, s);
    else
      l->filled++;
    pthread_cond_broadcast(&l->changed);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

static pl_status start_thread(pl_loader *l, int64_t first) {
  l->filled = first;
  l->stop = false;
  int error = thread_start(&l->thread, run_ahead, l);
  if (error)
    return status_fail(PL_EIO, NULL, NULL, "cannot start a loader thread: %s", strerror(error));
  l->running = true;
  return PL_OK;
}

void pl_loader_stop(pl_loader *l) {
  if (l->running) {
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    l->running = false;
  }
  l->taken = l->n_batches;
}

int32_t pl_loader_is_ahead(const pl_loader *l) { return l->running; }

static pl_status wait_for(pl_loader *l, int64_t b) {
  pl_status s = PL_OK;
  pthread_mutex_lock(&l->lock);
  l->retired = b > 0 ? b - 1 : 0;
  pthread_cond_broadcast(&l->changed);
  while (l->filled <= b && !l->failure) pthread_cond_wait(&l->changed, &l->lock);
  if (l->filled <= b) s = l->failure;
  pthread_mutex_unlock(&l->lock);
  return s ? status_fail(s, NULL, NULL, "%s", l->sentence) : PL_OK;
}

/* ---- giving out --------------------------------------------------------------------------- */

static pl_status choose(pl_loader *l, int64_t b) {
  if (l->choice == UNDECIDED && b == TRIAL)
    l->choice = l->fastest > INLINE_SECONDS ? AHEAD : INLINE;
  return l->choice == AHEAD && !l->running ? start_thread(l, b) : PL_OK;
}

pl_status pl_loader_next(pl_loader *l, pl_batch *out) {
  int64_t b = l->taken;
  out->rows = 0;
  if (b >= l->n_batches) {
    pl_loader_stop(l);
    return PL_OK;
  }
  if (b >= 2) touch(l, slot_of(l, b - 2));
  pl_status s = choose(l, b);
  if (!s) s = l->running ? wait_for(l, b) : fill_here(l, b);
  if (s) {
    pl_loader_stop(l);
    return s;
  }
  out->slot = slot_of(l, b);
  out->rows = l->ends[b] - batch_first(l, b);
  touch(l, out->slot);
  l->taken = b + 1;
  return PL_OK;
}
