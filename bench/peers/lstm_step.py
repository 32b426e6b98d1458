"""The training step of bench/ours/lstm_step.lua in eager PyTorch.
Usage: lstm_step.py THREADS; prints seconds per step."""
import sys

import torch
from torch import nn

from quiet import seconds_per_call

CHARACTERS, STEPS, BATCH = 96, 64, 32

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
embedding = nn.Embedding(CHARACTERS, 64)
lstm = nn.LSTM(64, 256, num_layers=2)
head = nn.Linear(256, CHARACTERS)
parameters = list(nn.ModuleList([embedding, lstm, head]).parameters())
optimizer = torch.optim.Adam(parameters, lr=0.002)
loss_func = nn.CrossEntropyLoss()
text = torch.randint(0, CHARACTERS, (STEPS, BATCH))
target = torch.randint(0, CHARACTERS, (STEPS * BATCH,))


def steps(n):
    for _ in range(n):
        optimizer.zero_grad()
        logits = head(lstm(embedding(text))[0])
        loss_func(logits.flatten(0, 1), target).backward()
        nn.utils.clip_grad_norm_(parameters, 1)
        optimizer.step()


steps(2)
print("lstm_step", seconds_per_call(steps))
