/* node_heap.h -- nodes by sequence number, the highest first; holds references. */
#pragma once
#include "autograd.h"

typedef struct node_heap { node **nodes; int32_t count, capacity; } node_heap;

bool node_heap_push(node_heap *h, node *n);   /* takes a reference; false: no memory */
node *node_heap_pop(node_heap *h);            /* hands its reference on; count > 0 */
