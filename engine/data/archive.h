/*
** archive.h -- the contents of a file, plain or gzip, whichever it is.
** A file is mapped only during a call; nothing it says is believed before it is compared.
*/
#pragma once
#include "base.h"

/* The first bytes of the contents (at most `room`, *got of them) and how many there are in all.
** Of gzip only the first block is inflated; its size is what the trailer says. */
pl_status archive_peek(const char *path, void *head, size_t room, size_t *got, uint64_t *size);
/* All contents, which must be exactly `size` bytes. */
pl_status archive_read(const char *path, void *dst, size_t size);
