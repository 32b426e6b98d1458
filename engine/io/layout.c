/* layout.c -- makes the header of a safetensors file and lays its tensors out. */
#include "layout.h"
#include "header.h"
#include "status.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
  layout *l;
  const char *const *names;
  bool no_memory;
} writer;

/* ---- the header's text -------------------------------------------------------------------- */

static void put(writer *w, const char *bytes, size_t n) {
  layout *l = w->l;
  if (w->no_memory) return;
  if (l->size + n > l->room) {
    size_t room = (l->size + n) * 2;
    char *larger = realloc(l->text, room);
    if (!larger) {
      w->no_memory = true;
      return;
    }
    l->text = larger;
    l->room = room;
  }
  memcpy(l->text + l->size, bytes, n);
  l->size += n;
}

static void put_text(writer *w, const char *text) { put(w, text, strlen(text)); }

static void put_string(writer *w, const char *text) {
  char escape[8];
  put(w, "\"", 1);
  for (const char *p = text; *p; p++) {
    if (*p == '"' || *p == '\\') put(w, (char[]){'\\', *p}, 2);
    else if ((uint8_t)*p >= 0x20) put(w, p, 1);
    else put(w, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *p));
  }
  put(w, "\"", 1);
}

static void put_number(writer *w, int64_t value) {
  char digits[24];
  put(w, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value));
}

static void put_notes(writer *w, const pl_safetensors_note *notes, int32_t n) {
  put_text(w, "\"__metadata__\":{");
  for (int32_t i = 0; i < n; i++) {
    if (i > 0) put(w, ",", 1);
    put_string(w, notes[i].key);
    put(w, ":", 1);
    put_string(w, notes[i].value);
  }
  put(w, "}", 1);
}

static void put_tensor(writer *w, int32_t i) {
  const layout *l = w->l;
  const pl_tensor_info *info = &l->infos[i];
  put_string(w, w->names[i]);
  put_text(w, ":{\"dtype\":");
  put_string(w, header_dtype_name(info->dtype));
  put_text(w, ",\"shape\":[");
  for (int k = 0; k < info->rank; k++) {
    if (k > 0) put(w, ",", 1);
    put_number(w, info->sizes[k]);
  }
  put_text(w, "],\"data_offsets\":[");
  put_number(w, l->begins[i]);
  put(w, ",", 1);
  put_number(w, l->begins[i] + layout_bytes(l, i));
  put_text(w, "]}");
}

static void put_header(writer *w, const pl_safetensors_note *notes, int32_t n_notes) {
  layout *l = w->l;
  put(w, "\0\0\0\0\0\0\0\0{", 9);
  if (n_notes > 0) put_notes(w, notes, n_notes);
  for (int32_t i = 0; i < l->n; i++) {
    if (i > 0 || n_notes > 0) put(w, ",", 1);
    put_tensor(w, i);
  }
  put(w, "}", 1);
  while (!w->no_memory && l->size % 8) put(w, " ", 1);
  for (int i = 0; i < 8 && !w->no_memory; i++) l->text[i] = (char)((l->size - 8) >> 8 * i);
}

/* ---- the layout --------------------------------------------------------------------------- */

static void lay_out(layout *l) {
  int32_t placed = 0;
  for (int size = 8; size > 0; size /= 2)
    for (int32_t i = 0; i < l->n; i++) {
      if (pl_dtype_size(l->infos[i].dtype) != size) continue;
      l->begins[i] = l->bytes;
      l->bytes += layout_bytes(l, i);
      l->order[placed++] = i;
    }
}

static pl_status check_text(const char *path, const char *text) {
  if (header_is_text(text, strlen(text))) return PL_OK;
  return status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: a name or note is no valid UTF-8",
                     path);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static pl_status check_names(const writer *w, const char *path) {
  int32_t n = w->l->n;
  const char **sorted = malloc((size_t)(n + 1) * sizeof *sorted);
  pl_status s = sorted ? PL_OK : status_fail(PL_EMEMORY, NULL, NULL,
                                             "out of memory while writing %s", path);
  for (int32_t i = 0; i < n && !s; i++) {
    sorted[i] = w->names[i];
    s = check_text(path, w->names[i]);
    if (!s && strcmp(w->names[i], "__metadata__") == 0)
      s = status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: no tensor can be called "
                      "'__metadata__'", path);
  }
  if (!s && n) qsort(sorted, (size_t)n, sizeof *sorted, by_text);
  for (int32_t i = 1; i < n && !s; i++)
    if (strcmp(sorted[i - 1], sorted[i]) == 0)
      s = status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: two tensors are called '%s'",
                      path, sorted[i]);
  free(sorted);
  return s;
}

static pl_status no_memory(const char *path) {
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", path);
}

static pl_status fill(writer *w, const char *path, const pl_tensor *tensors,
                      const pl_safetensors_note *notes, int32_t n_notes) {
  layout *l = w->l;
  pl_status s = check_names(w, path);
  for (int32_t i = 0; i < n_notes && !s; i++)
    if (!(s = check_text(path, notes[i].key))) s = check_text(path, notes[i].value);
  for (int32_t i = 0; i < l->n && !s; i++) s = pl_tensor_describe(tensors[i], &l->infos[i]);
  if (s) return s;
  lay_out(l);
  put_header(w, notes, n_notes);
  return w->no_memory ? no_memory(path) : PL_OK;
}

pl_status layout_make(const char *path, const char *const *names, const pl_tensor *tensors,
                      int32_t n, const pl_safetensors_note *notes, int32_t n_notes, layout *out) {
  size_t some = (size_t)n + 1;
  layout l = {.n = n};
  writer w = {.l = &l, .names = names};
  l.infos = calloc(some, sizeof *l.infos);
  l.begins = calloc(some, sizeof *l.begins);
  l.order = calloc(some, sizeof *l.order);
  pl_status s = l.infos && l.begins && l.order ? fill(&w, path, tensors, notes, n_notes)
                                               : no_memory(path);
  if (s) layout_free(&l);
  else *out = l;
  return s;
}

void layout_free(layout *l) {
  free(l->infos);
  free(l->begins);
  free(l->order);
  free(l->text);
  *l = (layout){0};
}
