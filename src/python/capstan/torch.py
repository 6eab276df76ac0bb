# SPDX-License-Identifier: BSD-3-Clause
"""capstan.Dataset as a torch.utils.data.IterableDataset.

    dataset = capstan.torch.IterableDataset("capstan:/digits", decode,
                                            batch=256, epochs=1)
    for images, labels in torch.utils.data.DataLoader(dataset, batch_size=None):
        ...

The loader batches and reads ahead by itself, so the DataLoader gets
batch_size=None and no worker processes: MPI and fork do not go together.
"""
from __future__ import annotations

import os
from typing import Any, Callable, Iterator

import torch.utils.data

from capstan.dataset import Batch, Dataset


class IterableDataset(torch.utils.data.IterableDataset):
    """Each item is decode(batch) of a capstan.Batch, by default a list with a
    uint8 tensor for each sample. The options are those of capstan.Dataset; each
    iteration takes the next `epochs` epochs. One that is left early, by all
    ranks, does not count; its loader is closed when the next one begins, by
    close(), or at the program's end."""

    def __init__(self, path: str | os.PathLike,
                 decode: Callable[[Batch], Any] | None = None, **options):
        super().__init__()
        self._path, self._options = path, options
        self._decode = decode if decode is not None else self.tensors
        self._epoch = options.pop("epoch", 0)
        self._data = None

    @staticmethod
    def tensors(batch: Batch) -> list[torch.Tensor]:
        return [torch.from_numpy(sample.array) for sample in batch]

    def set_epoch(self, epoch: int) -> None:
        """Where the next iteration begins."""
        if epoch != self._epoch:
            self._options.pop("step", None)  # it was of another epoch
        self._epoch = epoch

    def close(self) -> None:
        """End an iteration that was left early. Collective."""
        data, self._data = self._data, None
        if data is not None:
            data.close()

    def __iter__(self) -> Iterator[Any]:
        if torch.utils.data.get_worker_info() is not None:
            raise RuntimeError("capstan: give DataLoader num_workers=0; the "
                               "loader reads ahead by itself")
        self.close()
        # Not by `with`: a rank that leaves alone must not wait for the others.
        self._data = data = Dataset(self._path, epoch=self._epoch,
                                    **self._options)
        for batch in data:
            yield self._decode(batch)
        self.close()
        self._epoch += self._options.get("epochs", 1) or 0
        self._options.pop("step", None)
