"""pytorch-accelerated's quick start as its README has it, on Fashion-MNIST: torchvision, ToTensor,
the library's defaults. Usage: quick_start.py DATA_ROOT EPOCHS START, START being the monotonic
clock when the process was started. Prints the seconds of the best epoch (its training part), the
seconds to the first update, and the peak RSS of this process in bytes."""
import resource
import sys
import time

from torch import nn, optim
from torch.utils.data import random_split
from torchvision import transforms
from torchvision.datasets import FashionMNIST
from pytorch_accelerated.callbacks import TrainerCallback
from pytorch_accelerated.trainer import DEFAULT_CALLBACKS, Trainer


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(in_features=784, out_features=128), nn.ReLU(),
            nn.Linear(in_features=128, out_features=64), nn.ReLU(),
            nn.Linear(in_features=64, out_features=10))

    def forward(self, x):
        return self.main(x.view(x.shape[0], -1))


class Clock(TrainerCallback):
    def __init__(self, start):
        self.start, self.first_update, self.epochs = start, None, []

    def on_train_epoch_start(self, trainer, **kwargs):
        self.begin = time.monotonic()

    def on_train_step_end(self, trainer, **kwargs):
        if self.first_update is None:
            self.first_update = time.monotonic() - self.start

    def on_train_epoch_end(self, trainer, **kwargs):
        self.epochs.append(time.monotonic() - self.begin)


def main():
    root, epochs, start = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    dataset = FashionMNIST(root, transform=transforms.ToTensor())
    train, valid, _ = random_split(dataset, [50000, 5000, 5000])
    model = Model()
    clock = Clock(start)
    trainer = Trainer(
        model, loss_func=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(model.parameters(), lr=0.001, momentum=0.9),
        callbacks=(*DEFAULT_CALLBACKS, clock))
    trainer.train(train_dataset=train, eval_dataset=valid, num_epochs=epochs,
                  per_device_batch_size=32)
    print("\nepoch", min(clock.epochs))
    print("first_update", clock.first_update)
    print("peak_rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
