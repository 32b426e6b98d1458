/*
** save.h -- one thing to be done to the disk by a saver's thread: a file or a directory of files to
** write from memory that nobody else touches, or a path to take away.
*/
#pragma once
#include "base.h"
#include "layout.h"

enum { SAVE_FILES = 4, SAVE_SENTENCE = 1024 };

/* Memory for copies, one block per file of a save; kept from one save to the next. */
typedef struct block { char *bytes; size_t room; } block;
typedef struct snapshot { block blocks[SAVE_FILES]; bool used; } snapshot;

typedef struct save_file {
  char *name;                        /* in the directory */
  char *head;                        /* owned: a header, or the whole text */
  const char *data;                  /* in the snapshot, behind the head */
  int64_t head_size, data_size;
} save_file;

typedef struct save {
  struct save *next;
  char *path;
  bool is_directory, removes;
  save_file files[SAVE_FILES];
  int32_t n_files;
  snapshot *snapshot;                /* NULL where there is nothing to copy */
  pl_status status;                  /* the answer, and its sentence */
  char sentence[SAVE_SENTENCE];
} save;

save *save_new(const char *path);
void save_free(save *s);
void snapshot_free(snapshot *shot);
/* Copies of the tensors, and of the text, as the next file. A save without room for one more is an
** argument error. */
pl_status save_add_tensors(save *s, const char *name, const char *const *names,
                           const pl_tensor *tensors, int32_t n, const pl_safetensors_note *notes,
                           int32_t n_notes);
pl_status save_add_text(save *s, const char *name, const char *text, int64_t size);
pl_status save_add_name(save *s, const char *name);
/* Does it; slow. */
pl_status save_run(const save *s);
