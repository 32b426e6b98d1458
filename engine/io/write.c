/*
** write.c -- writes safetensors files. The header names the tensors in the caller's order; the data
** holds the widest dtypes first, so that every tensor is aligned to its elements without holes.
*/
#include "durable.h"
#include "header.h"
#include "status.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
  const char *const *names;
  const pl_tensor *tensors;
  pl_tensor_info *infos;
  int64_t *begins;
  int32_t n;
  char *text;
  size_t size, room;
  bool no_memory;
} writer;

/* ---- the header's text -------------------------------------------------------------------- */

static void put(writer *w, const char *bytes, size_t n) {
  if (w->no_memory) return;
  if (w->size + n > w->room) {
    size_t room = (w->size + n) * 2;
    char *larger = realloc(w->text, room);
    if (!larger) {
      w->no_memory = true;
      return;
    }
    w->text = larger;
    w->room = room;
  }
  memcpy(w->text + w->size, bytes, n);
  w->size += n;
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

static int64_t bytes_of(const pl_tensor_info *info) {
  return info->count * pl_dtype_size(info->dtype);
}

static void put_tensor(writer *w, int32_t i) {
  const pl_tensor_info *info = &w->infos[i];
  put_string(w, w->names[i]);
  put_text(w, ":{\"dtype\":");
  put_string(w, header_dtype_name(info->dtype));
  put_text(w, ",\"shape\":[");
  for (int k = 0; k < info->rank; k++) {
    if (k > 0) put(w, ",", 1);
    put_number(w, info->sizes[k]);
  }
  put_text(w, "],\"data_offsets\":[");
  put_number(w, w->begins[i]);
  put(w, ",", 1);
  put_number(w, w->begins[i] + bytes_of(info));
  put_text(w, "]}");
}

static void put_header(writer *w, const pl_safetensors_note *notes, int32_t n_notes) {
  put(w, "\0\0\0\0\0\0\0\0{", 9);
  if (n_notes > 0) put_notes(w, notes, n_notes);
  for (int32_t i = 0; i < w->n; i++) {
    if (i > 0 || n_notes > 0) put(w, ",", 1);
    put_tensor(w, i);
  }
  put(w, "}", 1);
  while (!w->no_memory && w->size % 8) put(w, " ", 1);
  for (int i = 0; i < 8 && !w->no_memory; i++) w->text[i] = (char)((w->size - 8) >> 8 * i);
}

/* ---- the data ----------------------------------------------------------------------------- */

static void lay_out(writer *w) {
  int64_t at = 0;
  for (int size = 8; size > 0; size /= 2)
    for (int32_t i = 0; i < w->n; i++) {
      if (pl_dtype_size(w->infos[i].dtype) != size) continue;
      w->begins[i] = at;
      at += bytes_of(&w->infos[i]);
    }
}

static pl_status write_tensor(writer *w, durable *file, int32_t i) {
  void *data;
  const pl_tensor_info *info = &w->infos[i];
  int64_t bytes = bytes_of(info);
  if (info->is_dense && !pl_tensor_data(w->tensors[i], &data))
    return durable_write(file, data, bytes);
  if (!(data = malloc((size_t)bytes + 1)))
    return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", file->path);
  pl_status s = pl_tensor_read(w->tensors[i], data, bytes);
  if (!s) s = durable_write(file, data, bytes);
  free(data);
  return s;
}

static pl_status write_all(writer *w, durable *file) {
  pl_status s = durable_write(file, w->text, (int64_t)w->size);
  for (int size = 8; size > 0; size /= 2)
    for (int32_t i = 0; i < w->n && !s; i++)
      if (pl_dtype_size(w->infos[i].dtype) == size) s = write_tensor(w, file, i);
  return s;
}

/* ---- the file ----------------------------------------------------------------------------- */

static pl_status check_text(const char *path, const char *text) {
  if (header_is_text(text, strlen(text))) return PL_OK;
  return status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: a name or note is no valid UTF-8",
                     path);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static pl_status check_names(const writer *w, const char *path) {
  const char **sorted = malloc((size_t)(w->n + 1) * sizeof *sorted);
  pl_status s = sorted ? PL_OK : status_fail(PL_EMEMORY, NULL, NULL,
                                             "out of memory while writing %s", path);
  for (int32_t i = 0; i < w->n && !s; i++) {
    sorted[i] = w->names[i];
    s = check_text(path, w->names[i]);
    if (!s && strcmp(w->names[i], "__metadata__") == 0)
      s = status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: no tensor can be called "
                      "'__metadata__'", path);
  }
  if (!s && w->n) qsort(sorted, (size_t)w->n, sizeof *sorted, by_text);
  for (int32_t i = 1; i < w->n && !s; i++)
    if (strcmp(sorted[i - 1], sorted[i]) == 0)
      s = status_fail(PL_EARGUMENT, NULL, NULL, "cannot write %s: two tensors are called '%s'",
                      path, sorted[i]);
  free(sorted);
  return s;
}

static pl_status prepare(writer *w, const char *path, const pl_safetensors_note *notes,
                         int32_t n_notes) {
  pl_status s = check_names(w, path);
  for (int32_t i = 0; i < n_notes && !s; i++)
    if (!(s = check_text(path, notes[i].key))) s = check_text(path, notes[i].value);
  for (int32_t i = 0; i < w->n && !s; i++) s = pl_tensor_describe(w->tensors[i], &w->infos[i]);
  if (s) return s;
  lay_out(w);
  put_header(w, notes, n_notes);
  if (!w->no_memory) return PL_OK;
  return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", path);
}

static pl_status write_file(writer *w, const char *path) {
  durable file;
  pl_status s = durable_begin(path, &file);
  return s ? s : durable_end(&file, write_all(w, &file));
}

pl_status pl_safetensors_write(const char *path, const char *const *names, const pl_tensor *tensors,
                               int32_t n, const pl_safetensors_note *notes, int32_t n_notes) {
  writer w = {.names = names, .tensors = tensors, .n = n};
  w.infos = calloc((size_t)n + 1, sizeof *w.infos);
  w.begins = calloc((size_t)n + 1, sizeof *w.begins);
  pl_status s = w.infos && w.begins
              ? prepare(&w, path, notes, n_notes)
              : status_fail(PL_EMEMORY, NULL, NULL, "out of memory while writing %s", path);
  if (!s) s = write_file(&w, path);
  free(w.infos);
  free(w.begins);
  free(w.text);
  return s;
}
