"""One op on one element, the same recording a gradient, and the smallest backward(), in PyTorch.
Prints seconds each."""
import time

import torch

from quiet import seconds_per_call

torch.set_num_threads(1)
a, b = torch.ones(1), torch.ones(1)
w = torch.ones(1, requires_grad=True)


def plain(n):
    for _ in range(n):
        a + b


def recording(n):
    for _ in range(n):
        w + b


def backward_seconds(n=2000):
    outputs = [w * b for _ in range(n)]
    begin = time.monotonic()
    for y in outputs:
        y.backward()
    return (time.monotonic() - begin) / n


print("op_overhead", seconds_per_call(plain))
print("op_overhead_grad", seconds_per_call(recording))
backward_seconds(100)
print("backward_overhead", sorted(backward_seconds() for _ in range(5))[2])
