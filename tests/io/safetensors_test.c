/*
** safetensors_test.c -- weights in files: what was written is read back bit by bit, and every way a
** file can be wrong (cut anywhere, any bit flipped, headers that lie) ends in one sentence, never
** in a bad read. Nothing is left behind by a write that failed.
*/
#include "../engine/engine_unit.h"
#include "io/durable.h"
#include "io.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 4096, N = 4 };

static char folder[] = "/tmp/perilune_io_XXXXXX", path[64];
static const char *const names[N] = {"layer.weight", "mask", "step", "caf\xc3\xa9 \"x\"\n"};

static void write_file(const void *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, n, file) != n) abort();
  fclose(file);
}

static size_t read_file(uint8_t *bytes) {
  FILE *file = fopen(path, "rb");
  size_t n = file ? fread(bytes, 1, ROOM, file) : 0;
  if (file) fclose(file);
  return n;
}

static void write_text(const char *header, int64_t data_bytes) {
  uint8_t bytes[ROOM] = {0};
  size_t length = strlen(header);
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(length >> 8 * i);
  memcpy(bytes + 8, header, length);
  write_file(bytes, 8 + length + (size_t)data_bytes);
}

static pl_tensor make(int32_t dtype, int32_t rank, int64_t a, int64_t b, const void *data,
                      int64_t bytes) {
  pl_tensor t = 0;
  OK(pl_tensor_empty(cpu(), dtype, rank, (int64_t[]){a, b}, &t));
  OK(pl_tensor_write(t, data, bytes));
  return t;
}

static const float weights[6] = {1, -2, 0.5f, 3e38f, -0.0f, 1e-40f};
static const uint8_t mask[3] = {1, 0, 1};
static const int64_t step = -5000000000;
static const double table[2] = {0.1, 1e300};

static void make_tensors(pl_tensor *out) {
  out[0] = make(PL_F32, 2, 2, 3, weights, sizeof weights);
  out[1] = make(PL_BOOL, 1, 3, 0, mask, sizeof mask);
  out[2] = make(PL_I64, 0, 0, 0, &step, sizeof step);
  out[3] = make(PL_F64, 1, 2, 0, table, sizeof table);
}

/* Opens and reads every tensor. */
static pl_status read_all(void) {
  pl_safetensors *file = NULL;
  pl_status s = pl_safetensors_open(path, &file);
  if (s) return s;
  const pl_safetensors_entry *entries;
  int32_t n = pl_safetensors_entries(file, &entries);
  for (int32_t i = 0; i < n && !s; i++) {
    pl_tensor t = 0;
    s = pl_tensor_empty(cpu(), entries[i].dtype, entries[i].rank, entries[i].sizes, &t);
    if (!s) s = pl_safetensors_read(file, i, t);
    if (t) pl_tensor_release(t);
  }
  pl_safetensors_close(file);
  return s;
}

static bool is_refused(const char *word) {
  return read_all() == PL_EFORMAT && strstr(pl_error(), path) && strstr(pl_error(), word);
}

static void check_contents(pl_safetensors *file, const pl_safetensors_entry *entries) {
  const void *const data[N] = {weights, mask, &step, table};
  const int64_t bytes[N] = {sizeof weights, sizeof mask, sizeof step, sizeof table};
  char got[64];
  for (int i = 0; i < N; i++) {
    pl_tensor t = 0;
    CHECK(strcmp(entries[i].name, names[i]) == 0 && entries[i].bytes == bytes[i]);
    CHECK(entries[i].begin % pl_dtype_size(entries[i].dtype) == 0);
    OK(pl_tensor_empty(cpu(), entries[i].dtype, entries[i].rank, entries[i].sizes, &t));
    OK(pl_safetensors_read(file, i, t));
    OK(pl_tensor_read(t, got, bytes[i]));
    CHECK(memcmp(got, data[i], (size_t)bytes[i]) == 0);
    pl_tensor_release(t);
  }
}

static void test_round_trip(const pl_tensor *tensors) {
  const pl_safetensors_note notes[] = {{"format", "pt"}, {"who\t", "\xf0\x9f\x8c\x99"}};
  const pl_safetensors_entry *entries;
  const pl_safetensors_note *read;
  pl_safetensors *file = NULL;
  OK(pl_safetensors_write(path, names, tensors, N, notes, 2));
  OK(pl_safetensors_open(path, &file));
  CHECK(pl_safetensors_entries(file, &entries) == N);
  CHECK(pl_safetensors_notes(file, &read) == 2);
  CHECK(strcmp(read[1].key, "who\t") == 0 && strcmp(read[1].value, "\xf0\x9f\x8c\x99") == 0);
  check_contents(file, entries);
  CHECK(pl_safetensors_read(file, 0, tensors[1]) == PL_ESHAPE);
  CHECK(pl_safetensors_read(file, N, tensors[1]) == PL_EARGUMENT);
  pl_safetensors_close(file);
  uint8_t bytes[ROOM];
  read_file(bytes);
  CHECK((bytes[0] + 256 * bytes[1]) % 8 == 0);
}

static void test_empty(void) {
  pl_tensor none = make(PL_F32, 2, 0, 3, weights, 0);
  const char *name = "none";
  OK(pl_safetensors_write(path, &name, &none, 1, NULL, 0));
  OK(read_all());
  OK(pl_safetensors_write(path, NULL, NULL, 0, NULL, 0));
  OK(read_all());
  pl_tensor_release(none);
}

/* A view with gaps is written as its elements. */
static void test_strided(const pl_tensor *tensors) {
  pl_transpose_attrs at;
  memset(&at, 0, sizeof at);
  at.second = 1;
  pl_tensor turned = apply1(OP_transpose, &at, tensors[0]), t = 0;
  pl_safetensors *file = NULL;
  const pl_safetensors_entry *entries;
  float got[6];
  OK(pl_safetensors_write(path, names, &turned, 1, NULL, 0));
  OK(pl_safetensors_open(path, &file));
  pl_safetensors_entries(file, &entries);
  CHECK(entries[0].sizes[0] == 3 && entries[0].sizes[1] == 2);
  OK(pl_tensor_empty(cpu(), PL_F32, 2, entries[0].sizes, &t));
  OK(pl_safetensors_read(file, 0, t));
  OK(pl_tensor_read(t, got, sizeof got));
  CHECK(got[1] == weights[3] && got[2] == weights[1]);
  pl_safetensors_close(file);
  pl_tensor_release(t);
  pl_tensor_release(turned);
}

static void test_cut(const uint8_t *bytes, size_t size) {
  for (size_t n = 0; n < size; n++) {
    write_file(bytes, n);
    CHECK(is_refused(""));
  }
  write_file(bytes, size + 1);
  CHECK(is_refused("its tensors end"));
}

static void test_flipped(const uint8_t *good, size_t size) {
  uint8_t bytes[ROOM];
  for (size_t i = 0; i < size * 8; i++) {
    memcpy(bytes, good, size);
    bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    write_file(bytes, size);
    pl_status s = read_all();
    CHECK(s == PL_OK || s == PL_EFORMAT);
  }
}

static void test_headers(void) {
  static const struct { const char *header; int64_t data; const char *word; } bad[] = {
    {"", 0, "does not begin"},
    {"{", 0, "lacks a '\"'"},
    {"[]", 0, "does not begin"},
    {"{}x", 0, "goes on"},
    {"{\"a", 0, "ends in a string"},
    {"{\"a\":{}}", 0, "lacks a"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, "lacks its"},
    {"{\"a\":{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "Perilune has not"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, "twice"},
    {"{\"a\":{\"kind\":1}}", 0, "unknown field"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "whole number"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,1]}}", 1, "lacks a ']'"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "needs 2 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "ends before"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "begins at byte 1"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}", 1, "cut short"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
     "dimensions"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     "impossible shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}", 0,
     "too large"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "in it twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "begins at byte 1"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "lacks a '\"'"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
    {"{\"\\u0000\":{}}", 0, "escape"},
    {"{\"\\ud800\":{}}", 0, "escape"},
    {"{\"\\q\":{}}", 0, "escape"},
    {"{\"\xc0\x80\":{}}", 0, "UTF-8"},
    {"{\"\xed\xa0\x80\":{}}", 0, "UTF-8"},
    {"{\"\n\":{}}", 0, "control"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    write_text(bad[i].header, bad[i].data);
    bool refused = is_refused(bad[i].word);
    CHECK(refused);
    if (!refused) fprintf(stderr, "  header: %s\n", bad[i].header);
  }
  write_text("{ \"\\u00e9\\ud83c\\udf19\" : {\"shape\":[ ],\"data_offsets\":[0,1],"
             "\"dtype\":\"U8\"} }  ", 1);
  OK(read_all());
}

static void test_lengths(const uint8_t *good, size_t size) {
  uint8_t bytes[ROOM];
  for (int i = 2; i < 8; i++) {
    memcpy(bytes, good, size);
    bytes[i] = 0xff;
    write_file(bytes, size);
    CHECK(is_refused("header"));
  }
}

static void test_bool_bytes(void) {
  pl_safetensors *file = NULL;
  uint8_t got = 9, bytes[ROOM];
  write_text("{\"a\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]}}", 1);
  size_t size = read_file(bytes);
  bytes[size - 1] = 0x80;
  write_file(bytes, size);
  pl_tensor t = make(PL_BOOL, 0, 0, 0, mask, 1);
  OK(pl_safetensors_open(path, &file));
  OK(pl_safetensors_read(file, 0, t));
  OK(pl_tensor_read(t, &got, 1));
  CHECK(got == 1);
  pl_safetensors_close(file);
  pl_tensor_release(t);
}

/* Cut after it was opened. */
static void test_shrunk(const uint8_t *good, size_t size, pl_tensor like) {
  pl_safetensors *file = NULL;
  write_file(good, size);
  OK(pl_safetensors_open(path, &file));
  CHECK(truncate(path, (off_t)size - 40) == 0);
  CHECK(pl_safetensors_read(file, 0, like) == PL_EFORMAT && strstr(pl_error(), "cut short"));
  pl_safetensors_close(file);
}

static void test_refused_writes(const pl_tensor *tensors) {
  const char *const twice[] = {"a", "a"}, *const reserved[] = {"__metadata__"};
  const char *const bytes[] = {"\xff"};
  uint8_t before[ROOM], after[ROOM];
  write_file("old", 3);
  read_file(before);
  CHECK(pl_safetensors_write(path, twice, tensors, 2, NULL, 0) == PL_EARGUMENT);
  CHECK(strstr(pl_error(), "two tensors are called 'a'") != NULL);
  CHECK(pl_safetensors_write(path, reserved, tensors, 1, NULL, 0) == PL_EARGUMENT);
  CHECK(pl_safetensors_write(path, bytes, tensors, 1, NULL, 0) == PL_EARGUMENT);
  CHECK(read_file(after) == 3 && memcmp(before, after, 3) == 0);
  CHECK(pl_safetensors_write("/nowhere/at/all", names, tensors, 1, NULL, 0) == PL_EIO);
}

/* A full disk: the temporary name leads to a device that is always full. */
static void test_full_disk(const pl_tensor *tensors) {
  char temporary[96];
  uint8_t bytes[ROOM];
  snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
  write_file("old", 3);
  CHECK(symlink("/dev/full", temporary) == 0);
  CHECK(pl_safetensors_write(path, names, tensors, N, NULL, 0) == PL_EIO);
  CHECK(strstr(pl_error(), "No space left") && strstr(pl_error(), path));
  CHECK(access(temporary, F_OK) != 0);
  CHECK(read_file(bytes) == 3);
}

static void make_directory(const char *name, const char *file) {
  char where[128];
  CHECK(mkdir(name, 0777) == 0);
  snprintf(where, sizeof where, "%s/%s", name, file);
  close(open(where, O_CREAT | O_WRONLY, 0666));
}

static bool has(const char *name, const char *file) {
  char where[128];
  snprintf(where, sizeof where, "%s/%s", name, file);
  return access(where, F_OK) == 0;
}

static void clear(const char *name, const char *file) {
  char where[128];
  snprintf(where, sizeof where, "%s/%s", name, file);
  CHECK(unlink(where) == 0 && rmdir(name) == 0);
}

static void test_directories(void) {
  char fresh[64], place[64];
  snprintf(fresh, sizeof fresh, "%s/fresh", folder);
  snprintf(place, sizeof place, "%s/place", folder);
  make_directory(fresh, "one");
  OK(durable_publish(fresh, place));
  CHECK(has(place, "one") && access(fresh, F_OK) != 0);
  make_directory(fresh, "two");
  OK(durable_publish(fresh, place));
  CHECK(has(place, "two") && has(fresh, "one"));
  clear(place, "two");
  clear(fresh, "one");
  CHECK(durable_publish(fresh, place) == PL_EIO && strstr(pl_error(), fresh));
}

static void test_no_file(void) {
  unlink(path);
  CHECK(read_all() == PL_EIO && strstr(pl_error(), "cannot open"));
  pl_safetensors *file = NULL;
  CHECK(pl_safetensors_open(folder, &file) == PL_EIO && strstr(pl_error(), "no regular file"));
}

int main(void) {
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/file", folder);
  pl_tensor tensors[N];
  uint8_t good[ROOM];
  make_tensors(tensors);
  test_round_trip(tensors);
  size_t size = read_file(good);
  test_cut(good, size);
  test_flipped(good, size);
  test_lengths(good, size);
  test_headers();
  UNIT(test_bool_bytes);
  test_shrunk(good, size, tensors[0]);
  test_strided(tensors);
  UNIT(test_empty);
  test_refused_writes(tensors);
  test_full_disk(tensors);
  UNIT(test_directories);
  UNIT(test_no_file);
  rmdir(folder);
  return units_end();
}
