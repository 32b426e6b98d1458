/* idx_fuzz.c -- any bytes as an idx file, plain or gzip, of labels and of images. */
#include "fuzz.h"
#include "data.h"

static void read_as(const char *path, int32_t rank) {
  pl_rows *rows;
  pl_rows_info info;
  if (pl_rows_open_idx(path, rank, &rows)) return;
  pl_rows_describe(rows, &info);
  EXPECT(info.count >= 0 && info.row_bytes > 0);
  if (pl_rows_load(rows) == PL_OK && rank == 1) pl_rows_check_labels(rows, 10);
  pl_rows_free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = file_of(data, size);
  read_as(path, 1);
  read_as(path, 3);
  return 0;
}
