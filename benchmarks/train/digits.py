# SPDX-License-Identifier: BSD-3-Clause
"""Train a small classifier on real data, ranks together.

The data are scikit-learn's handwritten digits: 1797 images of 8 x 8 by 43
people (UCI, Alpaydin and Kaynak, 1998). Every fifth is kept for the test.

    digits.py make DIRECTORY         the samples as fixed-size records
    digits.py train DATASET LOSSES   under mpirun; writes the loss of each step

Ranks take their parts of each batch through capstan's PyTorch adaptor, compute
gradients, and all-reduce them by mpi4py. The samples of a step are the same
from any storage, so the losses are too, bit by bit, at one number of ranks.
"""
import os
import sys

import numpy
import torch

IMAGE = 64  # bytes; 0 .. 16
RECORD = IMAGE + 1  # and the digit
EPOCHS = 30
BATCH = 128


def digits():
    from sklearn.datasets import load_digits
    data = load_digits()
    records = numpy.empty((len(data.target), RECORD), numpy.uint8)
    records[:, :IMAGE] = data.data
    records[:, IMAGE] = data.target
    is_test = numpy.arange(len(records)) % 5 == 0
    return records[~is_test], records[is_test]


def make(directory):
    os.makedirs(directory, exist_ok=True)
    train, _ = digits()
    for i, part in enumerate(numpy.array_split(train, 4)):
        part.tofile(os.path.join(directory, f"part-{i}"))
    print(f"{len(train)} records of {RECORD} bytes in 4 files")


def decode(batch):
    """A capstan.Batch as two tensors."""
    records = numpy.stack([sample.array for sample in batch]) if len(batch) \
        else numpy.empty((0, RECORD), numpy.uint8)
    return (torch.from_numpy(records[:, :IMAGE].astype(numpy.float32) / 16),
            torch.from_numpy(records[:, IMAGE].astype(numpy.int64)))


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 8, 8)),
        torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(256, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))


def step(comm, model, optimizer, images, labels):
    """One step of all ranks. @return the loss over the whole batch."""
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels,
                                             reduction="sum")
    loss.backward()
    # All gradients, the loss and the count, in one all-reduction.
    parts = [p.grad.reshape(-1) for p in model.parameters()]
    mine = torch.cat(parts + [loss.detach().reshape(1),
                              torch.tensor([float(len(labels))])]).numpy()
    total = numpy.empty_like(mine)
    comm.Allreduce(mine, total)
    count, at = total[-1], 0
    for p in model.parameters():
        p.grad.copy_(torch.from_numpy(
            total[at:at + p.numel()].reshape(tuple(p.shape)) / count))
        at += p.numel()
    optimizer.step()
    return float(total[-2] / count)


def train(dataset, losses_path):
    from mpi4py import MPI
    import capstan.torch
    comm = MPI.COMM_WORLD
    torch.set_num_threads(1)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = capstan.torch.IterableDataset(dataset, decode, batch=BATCH,
                                         epochs=EPOCHS, tail="short", seed=7)
    losses = [step(comm, model, optimizer, images, labels)
              for images, labels in torch.utils.data.DataLoader(
                  data, batch_size=None)]
    _, test = digits()
    with torch.no_grad():
        guess = model(torch.from_numpy(
            test[:, :IMAGE].astype(numpy.float32) / 16)).argmax(1).numpy()
    accuracy = float((guess == test[:, IMAGE]).mean())
    if comm.rank == 0:
        with open(losses_path, "w", encoding="ascii") as file:
            file.writelines(f"{loss.hex()}\n" for loss in losses)
        print(f"digits: {comm.size} ranks, {len(losses)} steps, loss "
              f"{losses[0]:.4f} to {losses[-1]:.4f}, test accuracy "
              f"{accuracy * 100:.2f} %")
    if accuracy <= 0.95:
        raise SystemExit(f"digits: accuracy {accuracy}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        train(sys.argv[2], sys.argv[3])
