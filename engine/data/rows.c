/*
** rows.c -- rows of idx files and of tensors. A file's sizes are checked against each other when it
** is opened, so loading allocates exactly what the file holds.
*/
#include "rows.h"
#include "archive.h"
#include "shape.h"
#include "status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, IDX_U8 = 0x08 };

static pl_status no_memory(const char *what, int64_t bytes) {
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory: %s needs %lld bytes", what,
                     (long long)bytes);
}

static pl_rows *rows_new(void) {
  pl_rows *rows = calloc(1, sizeof *rows);
  if (!rows) return NULL;
  atomic_init(&rows->refs, 1);
  atomic_init(&rows->data, NULL);
  pthread_mutex_init(&rows->loading, NULL);
  return rows;
}

pl_rows *rows_ref(pl_rows *rows) {
  atomic_fetch_add(&rows->refs, 1);
  return rows;
}

void pl_rows_free(pl_rows *rows) {
  if (!rows || atomic_fetch_sub(&rows->refs, 1) > 1) return;
  if (rows->storage) storage_unref(rows->storage);
  pthread_mutex_destroy(&rows->loading);
  free(rows->contents);
  free(rows->path);
  free(rows);
}

void pl_rows_describe(const pl_rows *rows, pl_rows_info *out) { *out = rows->info; }

pl_status pl_rows_add_channel(pl_rows *rows) {
  pl_rows_info *info = &rows->info;
  if (info->rank != 2)
    return status_fail(PL_ESHAPE, NULL, "channels", "rows of %d dimensions are no images of height "
                       "x width", info->rank);
  memmove(info->sizes + 1, info->sizes, 2 * sizeof *info->sizes);
  info->sizes[0] = 1;
  info->rank = 3;
  return PL_OK;
}

/* ---- idx ---------------------------------------------------------------------------------- */

static int64_t big_endian(const uint8_t *p) {
  return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
}

static void shape_text_of(const int64_t *sizes, int32_t rank, char *text, size_t room) {
  size_t at = 0;
  text[0] = 0;
  for (int32_t i = 0; i < rank && at < room; i++)
    at += (size_t)snprintf(text + at, room - at, i ? "x%lld" : "%lld", (long long)sizes[i]);
}

/* The shape in the header: every product must fit. */
static pl_status idx_shape(const char *path, const uint8_t *head, int32_t rank, pl_rows_info *info,
                           int64_t *bytes) {
  int64_t sizes[PL_MAX_RANK], elements = 1, all = 0;
  bool fits = true;
  for (int32_t i = 0; i < rank; i++) sizes[i] = big_endian(head + 4 + 4 * i);
  for (int32_t i = 1; i < rank; i++) fits &= !__builtin_mul_overflow(elements, sizes[i], &elements);
  fits = fits && !__builtin_mul_overflow(elements, sizes[0], &all);
  if (!fits || elements == 0 || all > INT64_MAX - 64) {
    char text[SHAPE_TEXT];
    shape_text_of(sizes, rank, text, sizeof text);
    return status_fail(PL_EFORMAT, NULL, NULL, "%s has an impossible shape in its header: %s", path,
                       text);
  }
  *info = (pl_rows_info){.dtype = PL_U8, .rank = rank - 1, .count = sizes[0],
                         .row_elements = elements, .row_bytes = elements};
  memcpy(info->sizes, sizes + 1, (size_t)(rank - 1) * sizeof *sizes);
  *bytes = all;
  return PL_OK;
}

static pl_status idx_header(const char *path, int32_t rank, pl_rows *rows) {
  size_t got;
  uint64_t size;
  pl_status s = archive_peek(path, rows->head, sizeof rows->head, &got, &size);
  if (s) return s;
  rows->header = 4 + 4 * rank;
  if ((int64_t)got < rows->header)
    return status_fail(PL_EFORMAT, NULL, NULL,
                       "%s is too short: %zu bytes, its idx header alone has %lld", path, got,
                       (long long)rows->header);
  int64_t magic = big_endian(rows->head), expected = IDX_U8 << 8 | rank;
  if (magic != expected)
    return status_fail(PL_EFORMAT, NULL, NULL,
                       "%s has the wrong magic number: 0x%08llx instead of 0x%08llx (idx, u8, "
                       "%d dimension%s)", path, (unsigned long long)magic,
                       (unsigned long long)expected, rank, rank == 1 ? "" : "s");
  int64_t bytes = 0;
  s = idx_shape(path, rows->head, rank, &rows->info, &bytes);
  if (s) return s;
  rows->bytes = rows->header + bytes;
  if ((uint64_t)rows->bytes != size)
    return status_fail(PL_EFORMAT, NULL, NULL,
                       "%s is too %s: it holds %llu bytes, its header asks for %lld", path,
                       size < (uint64_t)rows->bytes ? "short" : "long", (unsigned long long)size,
                       (long long)rows->bytes);
  return PL_OK;
}

pl_status pl_rows_open_idx(const char *path, int32_t rank, pl_rows **out) {
  if (rank < 1 || rank > PL_MAX_RANK)
    return status_fail(PL_EARGUMENT, NULL, "rank", "idx files have 1 to %d dimensions, not %d",
                       PL_MAX_RANK, rank);
  pl_rows *rows = rows_new();
  if (!rows) return no_memory(path, sizeof *rows);
  pl_status s = idx_header(path, rank, rows);
  if (!s && !(rows->path = strdup(path))) s = no_memory(path, (int64_t)strlen(path));
  if (s)
    pl_rows_free(rows);
  else
    *out = rows;
  return s;
}

/* Large contents lie on huge pages: random rows then cost no walk through page tables each. */
static char *allocate(size_t bytes) {
  if (bytes < 2 * (size_t)HUGE_PAGE) return malloc(bytes);
  size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  char *block = aligned_alloc(HUGE_PAGE, rounded);
  if (block) madvise(block, rounded, MADV_HUGEPAGE);
  return block;
}

static pl_status load_file(pl_rows *rows) {
  char *contents = allocate((size_t)rows->bytes);
  if (!contents) return no_memory(rows->path, rows->bytes);
  pl_status s = archive_read(rows->path, contents, (size_t)rows->bytes);
  if (!s && memcmp(contents, rows->head, (size_t)rows->header))
    s = status_fail(PL_EFORMAT, NULL, NULL, "%s has another header than when it was opened",
                    rows->path);
  if (s) {
    free(contents);
    return s;
  }
  rows->contents = contents;
  atomic_store_explicit(&rows->data, contents + rows->header, memory_order_release);
  return PL_OK;
}

pl_status pl_rows_load(pl_rows *rows) {
  if (rows->storage || atomic_load_explicit(&rows->data, memory_order_acquire)) return PL_OK;
  pthread_mutex_lock(&rows->loading);
  pl_status s = atomic_load(&rows->data) ? PL_OK : load_file(rows);
  pthread_mutex_unlock(&rows->loading);
  return s;
}

pl_status pl_rows_check_labels(pl_rows *labels, int64_t classes) {
  if (labels->info.dtype != PL_U8 || labels->info.row_elements != 1)
    return status_fail(PL_EDTYPE, NULL, NULL, "labels are u8, one a sample; these are %s, %lld a "
                       "sample", pl_dtype_name(labels->info.dtype),
                       (long long)labels->info.row_elements);
  pl_status s = pl_rows_load(labels);
  if (s) return s;
  const uint8_t *data = (const uint8_t *)atomic_load(&labels->data);
  for (int64_t i = 0; i < labels->info.count; i++)
    if (data[i] >= classes)
      return status_fail(PL_EFORMAT, NULL, NULL,
                         "%s has label %d for sample %lld; %lld classes have 0 to %lld in the file",
                         labels->path ? labels->path : "the tensor", data[i], (long long)i + 1,
                         (long long)classes, (long long)classes - 1);
  return PL_OK;
}

/* ---- tensors ------------------------------------------------------------------------------ */

pl_status pl_rows_of_tensor(pl_tensor handle, pl_rows **out) {
  tensor *t;
  pl_status s = tensor_get(handle, NULL, NULL, &t);
  if (s) return s;
  if (t->is_number || t->view.rank < 1 || !shape_is_contiguous(&t->view))
    return status_fail(PL_ESHAPE, NULL, NULL,
                       "samples are the rows of a contiguous tensor of at least one dimension");
  void *data;
  s = pl_tensor_data(handle, &data);
  if (s) return s;
  pl_rows *rows = rows_new();
  if (!rows) return no_memory("a dataset", sizeof *rows);
  int64_t elements = 1;
  for (int32_t i = 1; i < t->view.rank; i++) elements *= t->view.sizes[i];
  rows->info = (pl_rows_info){.dtype = t->view.dtype, .rank = t->view.rank - 1,
                              .count = t->view.sizes[0], .row_elements = elements,
                              .row_bytes = elements * pl_dtype_size(t->view.dtype)};
  memcpy(rows->info.sizes, t->view.sizes + 1, (size_t)rows->info.rank * sizeof(int64_t));
  rows->storage = storage_ref(t->storage);
  atomic_store(&rows->data, data);
  *out = rows;
  return PL_OK;
}
