/*
** io.h -- the public API of files that hold weights and state: safetensors (named tensors and a few
** words about them), and directories that appear whole or not at all.
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

/* A directory whose files are on the disk takes its name, in place of one that has it; that one is
** then called `temporary`. */
pl_status pl_directory_publish(const char *temporary, const char *path);

#pragma GCC visibility pop
