/*
** header.c -- reads the header of a safetensors file: one JSON object of tensors, and of notes
** under "__metadata__". Strings are decoded where they stand. Only what the format knows is
** accepted; tensors must cover the data without holes or overlaps.
*/
#include "header.h"
#include "shape.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const dtype_names[PL_DTYPES] = {
  [PL_BOOL] = "BOOL", [PL_U8] = "U8", [PL_I32] = "I32", [PL_I64] = "I64",
  [PL_F16] = "F16", [PL_BF16] = "BF16", [PL_F32] = "F32", [PL_F64] = "F64",
};

const char *header_dtype_name(int dtype) { return dtype_names[dtype]; }

int header_dtype(const char *name) {
  for (int i = 0; i < PL_DTYPES; i++)
    if (strcmp(dtype_names[i], name) == 0) return i;
  return -1;
}

typedef struct reader {
  char *at, *end;
  char *problem;                     /* "" until something is wrong */
  bool no_memory;
} reader;

__attribute__((format(printf, 2, 3)))
static bool wrong(reader *r, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(r->problem, HEADER_PROBLEM, format, list);
  va_end(list);
  return false;
}

/* ---- text --------------------------------------------------------------------------------- */

/* How many bytes the UTF-8 sequence at p has; 0: none that is valid. */
static size_t sequence_length(const uint8_t *p, size_t left) {
  if (p[0] < 0x80) return 1;
  size_t n = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
           : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
  if (p[0] == 0xed && p[1] > 0x9f) return 0;
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
  return n;
}

bool header_is_text(const char *text, size_t size) {
  const uint8_t *p = (const uint8_t *)text;
  for (size_t i = 0; i < size;) {
    size_t n = sequence_length(p + i, size - i);
    if (n == 0 || p[i] == 0) return false;
    i += n;
  }
  return true;
}

static void skip_blanks(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
    r->at++;
}

/* Is c the next character? Then it is taken. */
static bool take(reader *r, char c) {
  skip_blanks(r);
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

static bool expect(reader *r, char c) {
  return take(r, c) || wrong(r, "its header lacks a '%c'", c);
}

static bool hex4(reader *r, uint32_t *out) {
  uint32_t value = 0;
  if (r->end - r->at < 4) return false;
  for (int i = 0; i < 4; i++) {
    char c = *r->at++;
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
              : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return false;
    value = value * 16 + (uint32_t)digit;
  }
  *out = value;
  return true;
}

/* After "\u"; two halves make one character. */
static bool escaped_character(reader *r, uint32_t *out) {
  uint32_t low;
  if (!hex4(r, out) || *out == 0) return false;
  if (*out < 0xd800 || *out > 0xdfff) return true;
  if (*out > 0xdbff || r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') return false;
  r->at += 2;
  if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff) return false;
  *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
  return true;
}

/* Never longer than what it was written as. */
static char *put_character(char *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (char)c;
  } else if (c < 0x800) {
    *to++ = (char)(0xc0 | c >> 6);
    *to++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *to++ = (char)(0xe0 | c >> 12);
    *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    *to++ = (char)(0x80 | (c & 0x3f));
  } else {
    *to++ = (char)(0xf0 | c >> 18);
    *to++ = (char)(0x80 | (c >> 12 & 0x3f));
    *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    *to++ = (char)(0x80 | (c & 0x3f));
  }
  return to;
}

static bool take_escape(reader *r, char **to) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return false;
  char c = *r->at++;
  if (c == 'u') {
    uint32_t character;
    if (!escaped_character(r, &character)) return false;
    *to = put_character(*to, character);
    return true;
  }
  const char *found = c ? strchr(from, c) : NULL;
  if (!found) return false;
  *(*to)++ = into[found - from];
  return true;
}

/* A string, ended by a zero byte in the place of its text. */
static bool take_string(reader *r, const char **out) {
  if (!expect(r, '"')) return false;
  char *start = r->at, *to = r->at;
  while (r->at < r->end && *r->at != '"') {
    if ((uint8_t)*r->at < 0x20) return wrong(r, "its header has a control character in a string");
    if (*r->at == '\\') {
      r->at++;
      if (!take_escape(r, &to)) return wrong(r, "its header has an impossible escape in a string");
      continue;
    }
    size_t n = sequence_length((const uint8_t *)r->at, (size_t)(r->end - r->at));
    if (n == 0) return wrong(r, "its header is no valid UTF-8");
    memmove(to, r->at, n);
    to += n;
    r->at += n;
  }
  if (r->at == r->end) return wrong(r, "its header ends in a string");
  r->at++;
  *to = 0;
  *out = start;
  return true;
}

static bool take_integer(reader *r, int64_t *out) {
  int64_t value = 0;
  skip_blanks(r);
  char *start = r->at;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, *r->at - '0', &value))
      return wrong(r, "its header has a number that is too large");
  if (r->at == start) return wrong(r, "its header lacks a whole number");
  *out = value;
  return true;
}

/* ---- what the header says ----------------------------------------------------------------- */

static bool take_shape(reader *r, pl_safetensors_entry *e) {
  e->rank = 0;
  if (!expect(r, '[')) return false;
  if (take(r, ']')) return true;
  do {
    if (e->rank == PL_MAX_RANK)
      return wrong(r, "'%.80s' has more than %d dimensions", e->name, PL_MAX_RANK);
    if (!take_integer(r, &e->sizes[e->rank++])) return false;
  } while (take(r, ','));
  return expect(r, ']');
}

static bool take_offsets(reader *r, pl_safetensors_entry *e) {
  int64_t end;
  if (!expect(r, '[') || !take_integer(r, &e->begin) || !expect(r, ',') || !take_integer(r, &end) ||
      !expect(r, ']'))
    return false;
  if (end < e->begin) return wrong(r, "'%.80s' ends before it begins", e->name);
  e->bytes = end - e->begin;
  return true;
}

static bool take_dtype(reader *r, pl_safetensors_entry *e) {
  const char *name;
  if (!take_string(r, &name)) return false;
  e->dtype = header_dtype(name);
  return e->dtype >= 0 ||
         wrong(r, "'%.80s' has the dtype %.20s, which Perilune has not", e->name, name);
}

/* The elements that the shape tells take the bytes that the offsets tell. */
static bool check_size(reader *r, const pl_safetensors_entry *e) {
  int64_t bytes = pl_dtype_size(e->dtype);
  for (int i = 0; i < e->rank; i++)
    if (__builtin_mul_overflow(bytes, e->sizes[i], &bytes))
      return wrong(r, "'%.80s' has an impossible shape", e->name);
  return bytes == e->bytes || wrong(r, "'%.80s' needs %lld bytes and has %lld", e->name,
                                    (long long)bytes, (long long)e->bytes);
}

static bool take_field(reader *r, pl_safetensors_entry *e, int *seen) {
  static const char *const fields[] = {"dtype", "shape", "data_offsets"};
  static bool (*const takers[])(reader *, pl_safetensors_entry *) = {take_dtype, take_shape,
                                                                     take_offsets};
  const char *key;
  if (!take_string(r, &key) || !expect(r, ':')) return false;
  for (int i = 0; i < 3; i++) {
    if (strcmp(key, fields[i]) != 0) continue;
    if (*seen & 1 << i) return wrong(r, "'%.80s' has its %s twice", e->name, key);
    *seen |= 1 << i;
    return takers[i](r, e);
  }
  return wrong(r, "'%.80s' has an unknown field '%.40s'", e->name, key);
}

static bool take_tensor(reader *r, pl_safetensors_entry *e) {
  int seen = 0;
  if (!expect(r, '{')) return false;
  do {
    if (!take_field(r, e, &seen)) return false;
  } while (take(r, ','));
  if (!expect(r, '}')) return false;
  if (seen != 7) return wrong(r, "'%.80s' lacks its dtype, shape or data_offsets", e->name);
  return check_size(r, e);
}

static void *grown(reader *r, void *list, int32_t n, int32_t *room, size_t size) {
  if (n < *room) return list;
  int32_t more = *room ? *room * 2 : 16;
  void *larger = realloc(list, (size_t)more * size);
  if (!larger) r->no_memory = true;
  else *room = more;
  return larger;
}

static bool take_notes(reader *r, header *h) {
  if (!expect(r, '{')) return false;
  if (take(r, '}')) return true;
  do {
    pl_safetensors_note note;
    if (!take_string(r, &note.key) || !expect(r, ':') || !take_string(r, &note.value)) return false;
    void *list = grown(r, h->notes, h->n_notes, &h->note_room, sizeof note);
    if (!list) return false;
    h->notes = list;
    h->notes[h->n_notes++] = note;
  } while (take(r, ','));
  return expect(r, '}');
}

static bool take_member(reader *r, header *h, bool *has_notes) {
  pl_safetensors_entry e;
  memset(&e, 0, sizeof e);
  if (!take_string(r, &e.name) || !expect(r, ':')) return false;
  if (strcmp(e.name, "__metadata__") == 0) {
    if (*has_notes) return wrong(r, "its header has __metadata__ twice");
    *has_notes = true;
    return take_notes(r, h);
  }
  if (!take_tensor(r, &e)) return false;
  void *list = grown(r, h->entries, h->n_entries, &h->entry_room, sizeof e);
  if (!list) return false;
  h->entries = list;
  h->entries[h->n_entries++] = e;
  return true;
}

static bool take_header(reader *r, header *h) {
  bool has_notes = false;
  if (r->at == r->end || *r->at != '{') return wrong(r, "its header does not begin with '{'");
  r->at++;
  if (!take(r, '}')) {
    do {
      if (!take_member(r, h, &has_notes)) return false;
    } while (take(r, ','));
    if (!expect(r, '}')) return false;
  }
  skip_blanks(r);
  return r->at == r->end || wrong(r, "its header goes on after its end");
}

/* ---- what it says together ---------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
  const pl_safetensors_entry *x = *(const pl_safetensors_entry *const *)a;
  const pl_safetensors_entry *y = *(const pl_safetensors_entry *const *)b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b) {
  const pl_safetensors_entry *x = *(const pl_safetensors_entry *const *)a;
  const pl_safetensors_entry *y = *(const pl_safetensors_entry *const *)b;
  return strcmp(x->name, y->name);
}

static bool check_together(reader *r, const header *h, const pl_safetensors_entry **order,
                           int64_t data_bytes) {
  size_t n = (size_t)h->n_entries;
  for (size_t i = 0; i < n; i++) order[i] = &h->entries[i];
  if (n) qsort(order, n, sizeof *order, by_name);
  for (size_t i = 1; i < n; i++)
    if (strcmp(order[i - 1]->name, order[i]->name) == 0)
      return wrong(r, "'%.80s' is in it twice", order[i]->name);
  if (n) qsort(order, n, sizeof *order, by_place);
  int64_t at = 0;
  for (size_t i = 0; i < n; i++) {
    if (order[i]->begin != at)
      return wrong(r, "'%.80s' begins at byte %lld of the data, expected %lld", order[i]->name,
                   (long long)order[i]->begin, (long long)at);
    if (__builtin_add_overflow(at, order[i]->bytes, &at) || at > data_bytes)
      return wrong(r, "'%.80s' ends after the file's end: the file is cut short", order[i]->name);
  }
  return at == data_bytes || wrong(r, "its tensors end at byte %lld of %lld", (long long)at,
                                   (long long)data_bytes);
}

pl_status header_parse(char *text, size_t size, int64_t data_bytes, header *out, char *problem) {
  header h = {.text = text};
  reader r = {.at = text, .end = text + size, .problem = problem};
  problem[0] = 0;
  bool ok = take_header(&r, &h);
  if (ok) {
    const pl_safetensors_entry **order = malloc((size_t)(h.n_entries + 1) * sizeof *order);
    r.no_memory = !order;
    ok = order && check_together(&r, &h, order, data_bytes);
    free(order);
  }
  if (ok) {
    *out = h;
    return PL_OK;
  }
  header_free(&h);
  return r.no_memory ? PL_EMEMORY : PL_EFORMAT;
}

void header_free(header *h) {
  free(h->text);
  free(h->entries);
  free(h->notes);
}
