/* random.h -- the generator's state as a tensor of a device: the hidden input of random rows. */
#pragma once
#include "tensor.h"

pl_status random_state(device *d, tensor **out);      /* borrowed; i64 (seed, stream, step) */
