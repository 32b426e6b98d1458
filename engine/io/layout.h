/*
** layout.h -- a safetensors file that is about to be written: its header as text and, behind it,
** the place of every tensor. The header names the tensors in the caller's order; the data holds the
** widest dtypes first, so that every tensor is aligned to its elements without holes.
*/
#pragma once
#include "base.h"
#include "io.h"

typedef struct layout {
  pl_tensor_info *infos;
  int64_t *begins;                   /* of each tensor, in the data */
  int32_t *order;                    /* the tensors as they lie in the data */
  int32_t n;
  char *text;                        /* the length of the header and the header */
  size_t size, room;
  int64_t bytes;                     /* of the data */
} layout;

/* `path` is for errors. Nothing is kept of the arguments. */
pl_status layout_make(const char *path, const char *const *names, const pl_tensor *tensors,
                      int32_t n, const pl_safetensors_note *notes, int32_t n_notes, layout *out);
void layout_free(layout *l);
static inline int64_t layout_bytes(const layout *l, int32_t i) {
  return l->infos[i].count * pl_dtype_size(l->infos[i].dtype);
}
