/*
** shared.c -- tensors handed to another thread: storage and geometry, which threads may share,
** without the handle, which they may not.
*/
#include "base.h"
#include "data.h"
#include "status.h"
#include "tensor.h"
#include <stdlib.h>

struct pl_shared {
  storage *storage;            /* counted */
  pl_operand view;
};

pl_status pl_shared_new(pl_tensor handle, pl_shared **out) {
  tensor *t;
  pl_status s = tensor_get(handle, NULL, NULL, &t);
  if (s) return s;
  if (t->is_number || !device_is(tensor_device(t), PL_CAP_HOST))
    return status_fail(PL_EDEVICE, NULL, NULL, "only tensors in host memory reach other threads");
  pl_shared *shared = malloc(sizeof *shared);
  if (!shared) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while sharing a tensor");
  shared->storage = storage_ref(t->storage);
  shared->view = t->view;
  *out = shared;
  return PL_OK;
}

pl_status pl_shared_open(const pl_shared *shared, pl_tensor *out) {
  tensor *t = tensor_blank();
  if (!t) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while opening a shared tensor");
  t->storage = storage_ref(shared->storage);
  t->view = shared->view;
  *out = tensor_handle(t);
  return PL_OK;
}

void pl_shared_free(pl_shared *shared) {
  if (!shared) return;
  storage_unref(shared->storage);
  free(shared);
}
