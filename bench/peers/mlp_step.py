"""The training step of the 784-128-64-10 classifier in eager PyTorch, batches in memory.
Usage: mlp_step.py THREADS; prints seconds per step."""
import sys

import torch
from torch import nn

from quiet import seconds_per_call

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
                      nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
loss_func = nn.CrossEntropyLoss()
batches = [(torch.rand(32, 1, 28, 28), torch.randint(0, 10, (32,))) for _ in range(64)]


def steps(n):
    for i in range(n):
        x, target = batches[i % 64]
        optimizer.zero_grad()
        loss_func(model(x), target).backward()
        optimizer.step()


steps(200)
print("mlp_step", seconds_per_call(steps))
