# SPDX-License-Identifier: BSD-3-Clause
"""capstan.torch under mpirun: test_torch.py DATASET. Run by test_python.sh."""
import sys

import torch.utils.data
from mpi4py import MPI

import capstan.torch

comm = MPI.COMM_WORLD


def numbers(data):
    """Of all ranks, step by step, and of what was yielded here."""
    batches = [list(item) for item in
               torch.utils.data.DataLoader(data, batch_size=None)]
    return [sorted(sum(step, [])) for step in zip(*comm.allgather(batches))]


def decode(batch):
    return [sample.number for sample in batch]


data = capstan.torch.IterableDataset(sys.argv[1], decode, batch=20, seed=7)
first, second = numbers(data), numbers(data)
assert first != second and len(first) == len(second)
assert sum(map(len, first)) == 20 * len(first)
data.set_epoch(0)
assert numbers(data) == first

# Left early by all ranks, twice: it begins anew, and counts for nothing.
data.set_epoch(1)
for _ in range(2):
    for item in torch.utils.data.DataLoader(data, batch_size=None):
        break
assert numbers(data) == second

# Resumed: the step is the first epoch's, also where that is said once more.
data = capstan.torch.IterableDataset(sys.argv[1], decode, batch=20, seed=7,
                                     epoch=1, step=2)
data.set_epoch(1)
assert numbers(data) == second[2:]
data.set_epoch(0)
assert numbers(data) == first

# By default a tensor a sample.
data = capstan.torch.IterableDataset(sys.argv[1], batch=20)
for tensors in data:
    assert all(t.dtype == torch.uint8 and t.ndim == 1 for t in tensors)
    break
data.close()

# And left at the program's end.
for item in data:
    break
print("ok")
