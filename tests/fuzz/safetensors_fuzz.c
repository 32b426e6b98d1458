/* safetensors_fuzz.c -- any bytes as a safetensors file: opened, and every tensor of it read. */
#include "fuzz.h"
#include "io.h"

static void read_one(pl_safetensors *file, int32_t i, const pl_safetensors_entry *e) {
  int32_t cpu;
  pl_tensor t;
  EXPECT(pl_device_open("cpu", &cpu) == PL_OK);
  if (pl_tensor_empty(cpu, e->dtype, e->rank, e->sizes, &t)) return;
  EXPECT(pl_safetensors_read(file, i, t) == PL_OK);
  pl_tensor_release(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  pl_safetensors *file;
  const pl_safetensors_entry *entries;
  if (pl_safetensors_open(file_of(data, size), &file)) return 0;
  int32_t n = pl_safetensors_entries(file, &entries);
  for (int32_t i = 0; i < n; i++) {
    EXPECT(entries[i].bytes <= (int64_t)size);
    read_one(file, i, &entries[i]);
  }
  pl_safetensors_close(file);
  return 0;
}
