# SPDX-License-Identifier: BSD-3-Clause
"""capstan.Dataset as a torch.utils.data.IterableDataset.

    dataset = capstan.torch.IterableDataset("capstan:/digits", decode,
                                            batch=256, epochs=1)
    for images, labels in torch.utils.data.DataLoader(dataset, batch_size=None):
        ...

The loader batches and reads ahead by itself, so the DataLoader gets
batch_size=None and no worker processes: MPI and fork do not go together.
"""
import torch.utils.data

from capstan.dataset import Dataset


class IterableDataset(torch.utils.data.IterableDataset):
    """Each item is decode(batch) of a capstan.Batch, by default a list with a
    uint8 tensor for each sample. The options are those of capstan.Dataset; each
    iteration takes the next `epochs` epochs."""

    def __init__(self, path, decode=None, **options):
        super().__init__()
        self._path, self._options = path, options
        self._decode = decode if decode is not None else self.tensors
        self._epoch = options.pop("epoch", 0)

    @staticmethod
    def tensors(batch):
        return [torch.from_numpy(sample.array) for sample in batch]

    def set_epoch(self, epoch):
        """Where the next iteration begins."""
        self._epoch = epoch

    def __iter__(self):
        if torch.utils.data.get_worker_info() is not None:
            raise RuntimeError("capstan: give DataLoader num_workers=0; the "
                               "loader reads ahead by itself")
        with Dataset(self._path, epoch=self._epoch, **self._options) as data:
            for batch in data:
                yield self._decode(batch)
        self._epoch += self._options.get("epochs", 1) or 0
        self._options.pop("step", None)
