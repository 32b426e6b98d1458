/*
** attrs.c -- reads the fields and defaults of a row ("pl_dims axes; pl_flag keepdim;" and
** "axes=() keepdim=false"). Offsets follow from C's layout: every member lies at a multiple of its
** alignment.
*/
#include "attrs.h"
#include <stdlib.h>
#include <string.h>

typedef struct field {
  const char *type, *name;       /* in the row's text, not terminated */
  size_t type_length, name_length;
  size_t at, size;
} field;

static const struct { const char *name; size_t size, align; } types[] = {
  { "pl_dims", sizeof(pl_dims), _Alignof(pl_dims) },
  { "pl_sizes", sizeof(pl_sizes), _Alignof(pl_sizes) },
  { "pl_int", sizeof(pl_int), _Alignof(pl_int) },
  { "pl_real", sizeof(pl_real), _Alignof(pl_real) },
};

static bool is_word(const char *text, size_t length, const char *word) {
  return strlen(word) == length && !memcmp(text, word, length);
}

static size_t size_of(const field *f, size_t *align) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (is_word(f->type, f->type_length, types[i].name)) {
      *align = types[i].align;
      return types[i].size;
    }
  *align = _Alignof(int32_t);
  return sizeof(int32_t);
}

/* The field after f; *text is where it begins. A blank f starts with the first. */
static bool next_field(const char **text, field *f) {
  const char *p = *text + strspn(*text, " ");
  size_t align, end = f->at + f->size;
  if (!*p) return false;
  f->type = p;
  f->type_length = strcspn(p, " ");
  p += f->type_length;
  f->name = p + strspn(p, " ");
  f->name_length = strcspn(f->name, " ;");
  f->size = size_of(f, &align);
  f->at = (end + align - 1) / align * align;
  p = f->name + strcspn(f->name, ";");
  *text = p + (*p == ';');
  return true;
}

/* The text of the field's default, NULL if it must be given. */
static const char *default_of(const op_row *row, const field *f) {
  for (const char *p = row->info.defaults; *p;) {
    p += strspn(p, " ");
    size_t n = strcspn(p, "=");
    if (n == f->name_length && !memcmp(p, f->name, n)) return p + n + 1;
    p += strcspn(p, " ");
  }
  return NULL;
}

/* "(1,2)" or a lone number; dimensions are written from 1 and kept from 0. */
static int64_t read_list(const char *text, bool dimensions, int64_t *out) {
  int64_t n = 0;
  char *end;
  for (const char *p = text + (*text == '('); n < PL_MAX_RANK; p = end + 1) {
    int64_t value = strtoll(p, &end, 10);
    if (end == p) break;
    out[n++] = dimensions && value > 0 ? value - 1 : value;
    if (*end != ',') break;
  }
  return n;
}

/* Names of the enums, in the order of their numbers; a dtype's are its own. */
static int32_t read_enum(const field *f, const char *text, size_t length) {
  static const struct { const char *type, *names[3]; } enums[] = {
    { "pl_flag", { "false", "true" } },
    { "pl_reduction", { "mean", "sum", "none" } },
    { "pl_activation", { "none", "relu" } },
  };
  for (int i = 0; i < PL_DTYPES && is_word(f->type, f->type_length, "pl_dtype"); i++)
    if (is_word(text, length, pl_dtype_name(i))) return i;
  for (size_t e = 0; e < sizeof enums / sizeof *enums; e++)
    for (int i = 0; i < 3 && is_word(f->type, f->type_length, enums[e].type); i++)
      if (enums[e].names[i] && is_word(text, length, enums[e].names[i])) return i;
  return 0;
}

static void read_default(const field *f, const char *text, char *out) {
  bool dims = is_word(f->type, f->type_length, "pl_dims");
  if (dims || is_word(f->type, f->type_length, "pl_sizes")) {
    int64_t list[PL_MAX_RANK] = { 0 }, n = read_list(text, dims, list);
    pl_dims d = { .n = (int32_t)n };
    pl_sizes s = { .n = n };
    for (int i = 0; i < n; i++) {
      d.dim[i] = (int32_t)list[i];
      s.size[i] = list[i];
    }
    memcpy(out, dims ? (void *)&d : (void *)&s, f->size);
  } else if (is_word(f->type, f->type_length, "pl_real")) {
    double value = strtod(text, NULL);
    memcpy(out, &value, sizeof value);
  } else if (is_word(f->type, f->type_length, "pl_int")) {
    int64_t value = strtoll(text, NULL, 10);
    memcpy(out, &value, sizeof value);
  } else if (is_word(f->type, f->type_length, "pl_dim")) {
    int32_t value = (int32_t)strtol(text, NULL, 10);
    value -= value > 0;
    memcpy(out, &value, sizeof value);
  } else {
    int32_t value = read_enum(f, text, strcspn(text, " "));
    memcpy(out, &value, sizeof value);
  }
}

void attrs_describe(op_row *row) {
  int dims = 0, sizes = 0;
  for (int i = 0; i < 4; i++) row->dims_at[i] = row->sizes_at[i] = -1;
  const char *text = row->info.fields;
  for (field f = { 0 }; next_field(&text, &f);) {
    if (f.size == sizeof(pl_dims)) row->dims_at[dims++] = (int16_t)f.at;
    if (f.size == sizeof(pl_sizes)) row->sizes_at[sizes++] = (int16_t)f.at;
    const char *value = default_of(row, &f);
    if (value) read_default(&f, value, row->defaults + f.at);
  }
}

bool attrs_fit_kernel(const op_row *row, const void *attrs, uint32_t known) {
  const char *text = row->info.fields, *given = attrs;
  if (known >= (uint32_t)row->info.attrs_size) return true;
  for (field f = { 0 }; next_field(&text, &f);) {
    if (f.at < known) continue;
    if (!default_of(row, &f) || memcmp(given + f.at, row->defaults + f.at, f.size)) return false;
  }
  return true;
}
