/*
** io.h -- the public API of files that hold weights and state: safetensors (named tensors and a few
** words about them), and saving in the background.
** ffi.cdef reads this file as it is, after perilune.h; the same rules hold. Positions are 0-based.
*/
#pragma once
#pragma GCC visibility push(default)

/* A tensor of a file, in the order in which the header names them. */
typedef struct pl_safetensors_entry {
  const char *name;
  int32_t dtype, rank;
  int64_t sizes[8];
  int64_t begin, bytes;              /* where its elements lie in the file's data */
} pl_safetensors_entry;

typedef struct pl_safetensors_note { const char *key, *value; } pl_safetensors_note;

/* An open file: its header is read and checked against the file's size, the data is not read. */
typedef struct pl_safetensors pl_safetensors;
pl_status pl_safetensors_open(const char *path, pl_safetensors **out);
/* The tensors and the notes ("__metadata__"); they live as long as the file is open. */
int32_t pl_safetensors_entries(const pl_safetensors *file, const pl_safetensors_entry **out);
int32_t pl_safetensors_notes(const pl_safetensors *file, const pl_safetensors_note **out);
/* Into a tensor of the entry's dtype and shape. */
pl_status pl_safetensors_read(pl_safetensors *file, int32_t entry, pl_tensor t);
void pl_safetensors_close(pl_safetensors *file);

/* Writes names[i] = tensors[i] in this order; the file is complete on the disk under its name, or
** nothing has changed. */
pl_status pl_safetensors_write(const char *path, const char *const *names, const pl_tensor *tensors,
                               int32_t n, const pl_safetensors_note *notes, int32_t n_notes);

/* A thread that saves, and what it was given to save. A save is one file, or a directory of files,
** that appears whole or not at all; what it is made of is copied when it is added, and only that
** takes the owner's time. Saves and removals happen in the order in which they were handed over. */
typedef struct pl_saver pl_saver;
pl_status pl_saver_new(pl_saver **out);
/* Waits where two saves are still on their way. A save that was begun and not committed is dropped
** when another is begun, and where something cannot be added to it. */
pl_status pl_saver_begin(pl_saver *s, const char *path, int32_t is_directory);
/* `name` is the file's in the directory; a save that is no directory has one file. */
pl_status pl_saver_add_tensors(pl_saver *s, const char *name, const char *const *names,
                               const pl_tensor *tensors, int32_t n,
                               const pl_safetensors_note *notes, int32_t n_notes);
pl_status pl_saver_add_text(pl_saver *s, const char *name, const char *text, int64_t size);
pl_status pl_saver_commit(pl_saver *s);
/* A file, or a directory with these files; others stay, and with them their directory. What is not
** there is removed already. */
pl_status pl_saver_remove(pl_saver *s, const char *path, const char *const *names, int32_t n);
/* How the oldest that was handed over and not asked for has ended: 1 and its status (its sentence
** is the thread's last error then). 0: none has, or with `wait` none is left. */
int32_t pl_saver_next(pl_saver *s, int32_t wait, pl_status *status);
/* Waits for all that was handed over; so does the end of the process. */
void pl_saver_free(pl_saver *s);

#pragma GCC visibility pop
