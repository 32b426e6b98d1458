/* write.c -- writes safetensors files, straight from the tensors' memory where that can be. */
#include "durable.h"
#include "layout.h"
#include "status.h"
#include <stdlib.h>

static pl_status write_tensor(durable *file, pl_tensor t, const pl_tensor_info *info,
                              int64_t bytes) {
  void *data;
  if (info->is_dense && !pl_tensor_data(t, &data)) return durable_write(file, data, bytes);
  if (!(data = malloc((size_t)bytes + 1)))
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", file->path);
  pl_status s = pl_tensor_read(t, data, bytes);
  if (!s) s = durable_write(file, data, bytes);
  free(data);
  return s;
}

static pl_status write_all(const layout *l, const pl_tensor *tensors, durable *file) {
  pl_status s = durable_write(file, l->text, (int64_t)l->size);
  for (int32_t k = 0; k < l->n && !s; k++) {
    int32_t i = l->order[k];
    s = write_tensor(file, tensors[i], &l->infos[i], layout_bytes(l, i));
  }
  return s;
}

pl_status pl_safetensors_write(const char *path, const char *const *names, const pl_tensor *tensors,
                               int32_t n, const pl_safetensors_note *notes, int32_t n_notes) {
  layout l;
  durable file;
  pl_status s = layout_make(path, names, tensors, n, notes, n_notes, &l);
  if (s) return s;
  s = durable_begin(path, &file);
  if (!s) s = durable_end(&file, write_all(&l, tensors, &file));
  layout_free(&l);
  return s;
}
