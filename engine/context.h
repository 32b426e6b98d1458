/* context.h -- which tensors a scope frees. */
#pragma once
#include "tensor.h"

void scope_add(tensor *t, int32_t scope);      /* 0: to none */
void scope_remove(tensor *t);
void tensor_end_handle(tensor *t);
