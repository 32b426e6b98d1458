/*
** cell.h -- memory for small engine objects (tensors, nodes, storages): free lists by size, so that
** a step in steady state calls no malloc. A cell may be freed on another thread than its own.
*/
#pragma once
#include "base.h"

void *cell_new(size_t bytes);               /* zeroed; NULL when out of memory */
void cell_free(void *cell, size_t bytes);   /* the size it was made with */
void cell_end(void);                        /* the calling thread makes and frees no more */
