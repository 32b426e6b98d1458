/* header_fuzz.c -- any text as the header of a safetensors file: what it describes lies in the data
** without holes or overlaps, and is as large as its shape and dtype say. */
#include "fuzz.h"
#include "io/header.h"
#include <string.h>

static void check_apart(const pl_safetensors_entry *a, const pl_safetensors_entry *b) {
  EXPECT(strcmp(a->name, b->name) != 0);
  EXPECT(a->begin + a->bytes <= b->begin || b->begin + b->bytes <= a->begin);
}

static void check(const header *h, int64_t bytes) {
  int64_t sum = 0;
  for (int32_t i = 0; i < h->n_entries; i++) {
    const pl_safetensors_entry *e = &h->entries[i];
    int64_t size = pl_dtype_size(e->dtype);
    EXPECT(e->name && e->rank >= 0 && e->rank <= PL_MAX_RANK && e->begin >= 0 && e->bytes >= 0);
    EXPECT(e->bytes <= bytes - e->begin);
    for (int32_t k = 0; k < e->rank; k++) size *= e->sizes[k];
    EXPECT(size == e->bytes);
    for (int32_t k = 0; k < i; k++) check_apart(&h->entries[k], e);
    sum += e->bytes;
  }
  EXPECT(sum == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  header h = {0};
  char problem[HEADER_PROBLEM];
  if (size < 1) return 0;
  int64_t bytes = data[0] * 4;
  char *text = malloc(size - 1);   /* not a byte more, so that a look behind its end is seen */
  EXPECT(text);
  memcpy(text, data + 1, size - 1);
  pl_status s = header_parse(text, size - 1, bytes, &h, problem);
  if (s == PL_OK) {
    check(&h, bytes);
    header_free(&h);
  } else {
    EXPECT(s == PL_EFORMAT && memchr(problem, 0, sizeof problem));
  }
  return 0;
}
