/*
** header.h -- the header of a safetensors file, from text. Nothing in it is believed: the text may
** be anything, and what comes out describes exactly the bytes that follow it.
*/
#pragma once
#include "base.h"
#include "io.h"

typedef struct header {
  char *text;                        /* the names and notes lie in it */
  pl_safetensors_entry *entries;
  pl_safetensors_note *notes;
  int32_t n_entries, n_notes, entry_room, note_room;
} header;

enum { HEADER_PROBLEM = 256 };

/* Takes over text (from malloc), which is changed in place. `problem` has room for HEADER_PROBLEM
** and says what is wrong on PL_EFORMAT. */
pl_status header_parse(char *text, size_t size, int64_t data_bytes, header *out, char *problem);
void header_free(header *h);

/* Bytes of valid UTF-8 without a zero byte? */
bool header_is_text(const char *text, size_t size);
/* "F32" of PL_F32, and back (-1: unknown). */
const char *header_dtype_name(int dtype);
int header_dtype(const char *name);
