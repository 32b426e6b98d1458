"""The training step of bench/ours/convnet_step.lua in eager PyTorch.
Usage: convnet_step.py THREADS; prints seconds per step."""
import sys

import torch
from torch import nn

from quiet import seconds_per_call

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)


def conv(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


model = nn.Sequential(conv(1, 32), conv(32, 32), nn.MaxPool2d(2), conv(32, 64), conv(64, 64),
                      nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(),
                      nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
loss_func = nn.CrossEntropyLoss()
batches = [(torch.rand(64, 1, 28, 28), torch.randint(0, 10, (64,))) for _ in range(8)]


def steps(n):
    for i in range(n):
        x, target = batches[i % 8]
        optimizer.zero_grad()
        loss_func(model(x), target).backward()
        optimizer.step()


steps(2)
print("convnet_step", seconds_per_call(steps))
