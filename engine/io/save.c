/*
** save.c -- saves are put together where the tensors are and run in a saver's thread. What is
** written takes its name when every byte is on the disk; what had the name before goes after that.
*/
#include "save.h"
#include "durable.h"
#include "status.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pl_status no_memory(const char *path) {
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while saving %s", path);
}

save *save_new(const char *path) {
  save *s = calloc(1, sizeof *s);
  if (s && (s->path = strdup(path))) return s;
  free(s);
  no_memory(path);
  return NULL;
}

void save_free(save *s) {
  if (!s) return;
  for (int32_t i = 0; i < s->n_files; i++) {
    free(s->files[i].name);
    free(s->files[i].head);
  }
  free(s->path);
  free(s);
}

/* ---- copies ------------------------------------------------------------------------------- */

static void block_free(block *b) {
  if (b->bytes) munmap(b->bytes, b->room);
  *b = (block){0};
}

/* Large pages: the first copy into fresh memory would spend its time on page faults. */
static bool block_reserve(block *b, size_t bytes) {
  enum { PAGE = 1 << 21 };
  if (bytes <= b->room) return true;
  block_free(b);
  size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
  void *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  madvise(memory, room, MADV_HUGEPAGE);
  *b = (block){memory, room};
  return true;
}

void snapshot_free(snapshot *shot) {
  for (int i = 0; i < SAVE_FILES; i++) block_free(&shot->blocks[i]);
}

static pl_status next_file(save *s, const char *name, save_file **out) {
  if (s->n_files == 1 && !s->is_directory && !s->removes)
    return status_fail(PL_EARGUMENT, NULL, NULL, "cannot save %s: it is no directory and has its "
                       "file", s->path);
  if (s->n_files == SAVE_FILES)
    return status_fail(PL_EARGUMENT, NULL, NULL, "cannot save %s: more than %d files", s->path,
                       SAVE_FILES);
  char *own = strdup(name);
  if (!own) return no_memory(s->path);
  *out = &s->files[s->n_files++];
  **out = (save_file){.name = own};
  return PL_OK;
}

static pl_status copy_tensors(save *s, save_file *f, const layout *l, const pl_tensor *tensors) {
  block *b = &s->snapshot->blocks[f - s->files];
  pl_status status = PL_OK;
  if (!block_reserve(b, (size_t)l->bytes)) return no_memory(s->path);
  for (int32_t i = 0; i < l->n && !status; i++)
    status = pl_tensor_read(tensors[i], b->bytes + l->begins[i], layout_bytes(l, i));
  f->data = b->bytes;
  f->data_size = l->bytes;
  return status;
}

pl_status save_add_tensors(save *s, const char *name, const char *const *names,
                           const pl_tensor *tensors, int32_t n, const pl_safetensors_note *notes,
                           int32_t n_notes) {
  layout l;
  save_file *f = NULL;
  pl_status status = next_file(s, name, &f);
  if (!status) status = layout_make(s->path, names, tensors, n, notes, n_notes, &l);
  if (status) return status;
  status = copy_tensors(s, f, &l, tensors);
  f->head = l.text;
  f->head_size = (int64_t)l.size;
  l.text = NULL;
  layout_free(&l);
  return status;
}

pl_status save_add_text(save *s, const char *name, const char *text, int64_t size) {
  save_file *f = NULL;
  pl_status status = next_file(s, name, &f);
  if (status) return status;
  f->head = malloc((size_t)size + 1);
  if (!f->head) return no_memory(s->path);
  memcpy(f->head, text, (size_t)size);
  f->head_size = size;
  return PL_OK;
}

pl_status save_add_name(save *s, const char *name) {
  save_file *f = NULL;
  return next_file(s, name, &f);
}

/* ---- in the thread ------------------------------------------------------------------------ */

static pl_status write_file(const save_file *f, const char *path) {
  durable file;
  pl_status s = durable_begin(path, &file);
  if (s) return s;
  s = durable_write(&file, f->head, f->head_size);
  if (!s) s = durable_write(&file, f->data, f->data_size);
  return durable_end(&file, s);
}

static pl_status write_in(const save_file *f, const char *directory) {
  size_t room = strlen(directory) + strlen(f->name) + 2;
  char *path = malloc(room);
  if (!path) return no_memory(directory);
  snprintf(path, room, "%s/%s", directory, f->name);
  pl_status s = write_file(f, path);
  free(path);
  return s;
}

static pl_status clear(const save *s, const char *directory) {
  const char *names[SAVE_FILES];
  for (int32_t i = 0; i < s->n_files; i++) names[i] = s->files[i].name;
  return durable_clear_directory(directory, names, s->n_files);
}

/* A directory of that name is what a process of this number left that was killed. */
static pl_status make_directory(const save *s, const char *temporary) {
  if (mkdir(temporary, 0777) == 0) return PL_OK;
  if (errno == EEXIST) {
    clear(s, temporary);
    if (mkdir(temporary, 0777) == 0) return PL_OK;
  }
  return status_fail(PL_EIO, NULL, "path", "cannot write %s: %s", s->path, strerror(errno));
}

static pl_status write_directory(const save *s) {
  char *temporary = durable_temporary(s->path);
  if (!temporary) return no_memory(s->path);
  pl_status status = make_directory(s, temporary);
  if (!status) {
    for (int32_t i = 0; i < s->n_files && !status; i++)
      status = write_in(&s->files[i], temporary);
    if (!status) status = durable_publish(temporary, s->path);
    clear(s, temporary);  /* the one before, or what was not finished */
  }
  free(temporary);
  return status;
}

static pl_status take_away(const save *s) {
  if (unlink(s->path) == 0 || errno == ENOENT) return PL_OK;
  bool is_directory = errno == EISDIR || errno == EPERM;
  return is_directory ? clear(s, s->path) : durable_cannot_remove(s->path, errno);
}

pl_status save_run(const save *s) {
  if (s->removes) return take_away(s);
  return s->is_directory ? write_directory(s) : write_file(&s->files[0], s->path);
}
