/* node_heap.c -- a binary heap: the children of nodes[i] are nodes[2 i + 1] and nodes[2 i + 2]. */
#include "node_heap.h"
#include <stdlib.h>

bool node_heap_push(node_heap *h, node *n) {
  if (h->count == h->capacity) {
    int32_t capacity = h->capacity ? 2 * h->capacity : 64;
    node **grown = realloc(h->nodes, (size_t)capacity * sizeof *grown);
    if (!grown) return false;
    h->nodes = grown;
    h->capacity = capacity;
  }
  int i = h->count++;
  for (; i > 0 && h->nodes[(i - 1) / 2]->sequence < n->sequence; i = (i - 1) / 2)
    h->nodes[i] = h->nodes[(i - 1) / 2];
  h->nodes[i] = node_ref(n);
  return true;
}

node *node_heap_pop(node_heap *h) {
  node *top = h->nodes[0], *last = h->nodes[--h->count];
  int i = 0;
  for (int child; (child = 2 * i + 1) < h->count; i = child) {
    if (child + 1 < h->count && h->nodes[child + 1]->sequence > h->nodes[child]->sequence) child++;
    if (h->nodes[child]->sequence <= last->sequence) break;
    h->nodes[i] = h->nodes[child];
  }
  if (h->count) h->nodes[i] = last;
  return top;
}
