/*
** idx_test.c -- idx files, plain and gzip: what is right is read, and every way a file can be wrong
** (cut anywhere, any bit flipped, sizes that lie) ends in one sentence and never in a bad read.
*/
#include "../engine/engine_unit.h"
#include "data/rows.h"
#include <libdeflate.h>
#include <stdlib.h>
#include <unistd.h>

enum { N = 3, H = 5, W = 4, HEADER = 16, PLAIN = HEADER + N * H * W, ROOM = 4096 };

static char folder[] = P_tmpdir "/perilune_idx_XXXXXX", path[64];

static void write_file(const uint8_t *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, n, file) != n) abort();
  fclose(file);
}

static void make_images(uint8_t *out) {
  const uint8_t header[HEADER] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, H, 0, 0, 0, W};
  memcpy(out, header, HEADER);
  for (int i = HEADER; i < PLAIN; i++) out[i] = (uint8_t)(i * 7);
}

static size_t compress(const uint8_t *in, size_t n, uint8_t *out) {
  struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
  size_t size = libdeflate_gzip_compress(c, in, n, out, ROOM);
  libdeflate_free_compressor(c);
  return size;
}

static const char *data_of(const pl_rows *rows) { return atomic_load(&rows->data); }

/* Opens and loads; *same tells whether the rows are those of `plain`. */
static pl_status open_and_load(const uint8_t *plain, bool *same) {
  pl_rows *rows = NULL;
  *same = false;
  pl_status s = pl_rows_open_idx(path, 3, &rows);
  if (s) return s;
  s = pl_rows_load(rows);
  if (!s && plain)
    *same = rows->info.count == N && rows->info.row_bytes == H * W &&
            memcmp(data_of(rows), plain + HEADER, N * H * W) == 0;
  pl_rows_free(rows);
  return s;
}

static bool fails_with(pl_status expected, const char *word) {
  bool same;
  pl_status s = open_and_load(NULL, &same);
  return s == expected && strstr(pl_error(), word) && strstr(pl_error(), path);
}

static void test_good(const uint8_t *plain, const uint8_t *zipped, size_t size) {
  bool same;
  write_file(plain, PLAIN);
  CHECK(open_and_load(plain, &same) == PL_OK && same);
  write_file(zipped, size);
  CHECK(open_and_load(plain, &same) == PL_OK && same);
}

static void test_cut(const uint8_t *bytes, size_t size) {
  for (size_t n = 0; n < size; n++) {
    bool same;
    write_file(bytes, n);
    pl_status s = open_and_load(bytes, &same);
    CHECK(s == PL_EFORMAT);
    CHECK(strstr(pl_error(), path) != NULL);
  }
}

static void test_flipped(const uint8_t *plain, const uint8_t *zipped, size_t size) {
  uint8_t bytes[ROOM];
  for (size_t i = 0; i < size * 8; i++) {
    bool same;
    memcpy(bytes, zipped, size);
    bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    write_file(bytes, size);
    pl_status s = open_and_load(plain, &same);
    CHECK(s ? s == PL_EFORMAT : same);
  }
}

static void with_header(const uint8_t *plain, int at, uint32_t value, size_t n) {
  uint8_t bytes[ROOM] = {0};
  memcpy(bytes, plain, PLAIN);
  for (int i = 0; i < 4; i++) bytes[at + i] = (uint8_t)(value >> (24 - 8 * i));
  write_file(bytes, n);
}

static void test_headers(const uint8_t *plain) {
  with_header(plain, 0, 0x00000801, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "wrong magic number: 0x00000801"));
  with_header(plain, 0, 0x00000d03, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "wrong magic"));
  with_header(plain, 4, N + 1, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "too short"));
  with_header(plain, 4, N - 1, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "too long"));
  with_header(plain, 8, 0, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "impossible shape"));
  with_header(plain, 0, 0x00000803, 10);
  CHECK(fails_with(PL_EFORMAT, "too short"));
  uint8_t huge[PLAIN];
  memcpy(huge, plain, PLAIN);
  memset(huge + 4, 0xff, 12);
  write_file(huge, PLAIN);
  CHECK(fails_with(PL_EFORMAT, "impossible shape in its header: 4294967295x4294967295"));
}

/* A trailer and a header that agree on a size no such file can hold. */
static void test_boasting(const uint8_t *plain) {
  uint8_t bytes[ROOM], zipped[ROOM];
  memcpy(bytes, plain, PLAIN);
  bytes[4] = 0x0c;
  size_t size = compress(bytes, PLAIN, zipped);
  uint32_t boast = HEADER + (0x0c000000u + N) * H * W;
  for (int i = 0; i < 4; i++) zipped[size - 4 + (size_t)i] = (uint8_t)(boast >> 8 * i);
  write_file(zipped, size);
  CHECK(fails_with(PL_EFORMAT, "corrupt"));
}

static void test_two_members(const uint8_t *zipped, size_t size) {
  uint8_t bytes[2 * ROOM];
  memcpy(bytes, zipped, size);
  memcpy(bytes + size, zipped, size);
  write_file(bytes, 2 * size);
  CHECK(fails_with(PL_EFORMAT, "goes on"));
}

static void test_changed(const uint8_t *plain) {
  pl_rows *rows = NULL;
  write_file(plain, PLAIN);
  CHECK(pl_rows_open_idx(path, 3, &rows) == PL_OK);
  with_header(plain, 8, W << 8, PLAIN);
  CHECK(pl_rows_load(rows) == PL_EFORMAT && strstr(pl_error(), "another header"));
  write_file(plain, PLAIN - 1);
  CHECK(pl_rows_load(rows) == PL_EFORMAT && strstr(pl_error(), "bytes now"));
  unlink(path);
  CHECK(pl_rows_load(rows) == PL_EIO);
  write_file(plain, PLAIN);
  CHECK(pl_rows_load(rows) == PL_OK);
  pl_rows_free(rows);
}

static void test_labels(void) {
  const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 4, 0, 9, 3, 10};
  pl_rows *rows = NULL;
  write_file(labels, sizeof labels);
  CHECK(pl_rows_open_idx(path, 1, &rows) == PL_OK);
  CHECK(rows->info.rank == 0 && rows->info.count == 4 && rows->info.row_bytes == 1);
  CHECK(pl_rows_check_labels(rows, 11) == PL_OK);
  CHECK(pl_rows_check_labels(rows, 10) == PL_EFORMAT);
  CHECK(strstr(pl_error(), "label 10 for sample 4; 10 classes have 0 to 9") != NULL);
  const int64_t empty[2] = {1000, 0};      /* a thousand rows of nothing: no byte to look at */
  pl_tensor t;
  pl_rows *none;
  CHECK(pl_tensor_empty(cpu(), PL_U8, 2, empty, &t) == PL_OK);
  CHECK(pl_rows_of_tensor(t, &none) == PL_OK);
  CHECK(pl_rows_check_labels(none, 10) == PL_EDTYPE);
  pl_rows_free(none);
  pl_tensor_release(t);
  pl_rows_free(rows);
}

static void test_no_file(void) {
  unlink(path);
  CHECK(fails_with(PL_EIO, "cannot open"));
  pl_rows *rows = NULL;
  CHECK(pl_rows_open_idx(folder, 3, &rows) == PL_EIO && strstr(pl_error(), "no regular file"));
  CHECK(pl_rows_open_idx(path, 9, &rows) == PL_EARGUMENT);
  write_file((const uint8_t *)"", 0);
  CHECK(fails_with(PL_EFORMAT, "empty"));
}

/* Noise behind a beginning that looks right. */
static void test_noise(const uint8_t *plain, const uint8_t *zipped, size_t size) {
  uint32_t state = 12345;
  uint8_t bytes[256];
  for (int round = 0; round < 1000; round++) {
    const uint8_t *from = round % 2 ? plain : zipped;
    size_t n = round % 2 ? sizeof bytes : size < sizeof bytes ? size : sizeof bytes;
    for (size_t i = 0; i < n; i++) {
      state = state * 1664525u + 1013904223u;
      uint8_t right = i < PLAIN ? from[i < size ? i : 0] : 0;
      bytes[i] = (state >> 24) % 8 ? right : (uint8_t)(state >> 16);
    }
    bool same;
    write_file(bytes, n);
    pl_status s = open_and_load(plain, &same);
    CHECK(s == PL_OK || s == PL_EFORMAT || s == PL_EMEMORY);
  }
}

int main(void) {
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/images", folder);
  uint8_t plain[PLAIN], zipped[ROOM];
  make_images(plain);
  size_t size = compress(plain, PLAIN, zipped);
  test_good(plain, zipped, size);
  test_cut(plain, PLAIN);
  test_cut(zipped, size);
  test_flipped(plain, zipped, size);
  test_headers(plain);
  test_boasting(plain);
  test_two_members(zipped, size);
  test_changed(plain);
  test_labels();
  test_no_file();
  test_noise(plain, zipped, size);
  unlink(path);
  rmdir(folder);
  return units_end();
}
