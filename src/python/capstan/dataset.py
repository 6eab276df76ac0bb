# SPDX-License-Identifier: BSD-3-Clause
"""Shuffled batches of a dataset: capstan/loader.h for Python."""
from __future__ import annotations

import atexit
import ctypes
import errno
import itertools
import operator
import os
import sys
from typing import Iterator

import numpy
from mpi4py import MPI

from capstan import _lib

_SHUFFLES = {"full": 0, "window": 1, "none": 2}
_TAILS = {"drop": 0, "pad": 1, "short": 2}
_PROGRESS = {"auto": 0, "caller": 1, "thread": 2}


def _choice(table, value, name):
    if value not in table:
        raise ValueError(f"{name}={value!r}: one of {', '.join(table)}")
    return table[value]


def _count(value, name):
    """A whole number that is not negative: ctypes would wrap others round."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: not a whole number") from None
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{name}={value!r}: out of range")
    return number


_numbers = itertools.count()
_open = {}  # loaders by the order in which they were opened, the same on all ranks


def _close_rest():
    """A loader that is left when the program ends may have a thread in MPI, and
    MPI's end would come too early for it. Closing is as collective as that end.
    After an uncaught exception the others may be elsewhere: then it is left."""
    if MPI.Is_finalized() or hasattr(sys, "last_value"):
        return
    for number in sorted(_open):
        _lib.library.capstan_loader_close(ctypes.byref(_open.pop(number)))


atexit.register(_close_rest)


def _view(address, length):
    """Memory of the loader as an array of bytes, not copied, not to be written."""
    if length == 0:
        return numpy.empty(0, numpy.uint8)
    array = numpy.ctypeslib.as_array(
        (ctypes.c_uint8 * length).from_address(address))
    array.flags.writeable = False
    return array


class Sample:
    """One sample: `array` of bytes, `number` in the index, `is_padding`."""

    __slots__ = ("array", "number", "is_padding")

    def __init__(self, array: numpy.ndarray, number: int, is_padding: bool):
        self.array, self.number, self.is_padding = array, number, is_padding

    def __bytes__(self) -> bytes:
        return self.array.tobytes()

    def __len__(self) -> int:
        return len(self.array)

    def fields(self) -> dict[str, numpy.ndarray]:
        """Members of a WebDataset sample: {extension: array of bytes}."""
        sample = _lib.CSample(self.array.ctypes.data, len(self.array),
                              self.number, 0)
        at, field, found = ctypes.c_size_t(0), _lib.CField(), {}
        while True:
            rc = _lib.library.capstan_sample_field(
                ctypes.byref(sample), ctypes.byref(at), ctypes.byref(field))
            if rc == -errno.ENODATA:
                return found
            if rc != 0:
                raise _lib.Error(rc, f"sample {self.number}: not a tar sample")
            name = ctypes.string_at(field.extension, field.extension_length)
            begin = (field.data or 0) - sample.data
            found[name.decode("utf-8", "surrogateescape")] = \
                self.array[begin:begin + field.length]


class Batch:
    """This rank's samples of a step, and where the step is: (epoch, step) is
    what Dataset() takes to go on from here; `steps` are the epoch's."""

    __slots__ = ("epoch", "step", "steps", "samples")

    def __init__(self, epoch: int, step: int, steps: int,
                 samples: list[Sample]):
        self.epoch, self.step, self.steps = epoch, step, steps
        self.samples = samples

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Sample:
        return self.samples[i]


class Dataset:
    """A dataset that all ranks of a communicator load together.

    batch       samples a step, over all ranks (0: 32 a rank)
    epochs      how many, from `epoch` on (None: without end)
    epoch, step where to begin; with any number of ranks
    shuffle     "full", "window" (over `window` files), "none"
    tail        "drop", "pad" or "short": what becomes of the last, odd batch
    weight      of this rank's share of a batch
    group       so many ranks in a row get the same samples
    depth       batches read ahead
    memory_max  bytes of this rank's buffers (0: 1 GiB): fewer batches are read
                ahead where so many do not fit
    plan        batches of which servers are told before they are read
    progress    "auto", "thread", "caller"
    copy        False: samples are views of the loader's memory, and must not be
                used any more once the next batch is asked for

    It is an iterator: all epochs come one behind the other, once. batch.epoch
    tells them apart, and so does

        for epoch, batches in itertools.groupby(data, lambda batch: batch.epoch):
            for batch in batches: ...
    """

    def __init__(self, path: str | os.PathLike, *, comm: MPI.Comm | None = None,
                 batch: int = 0, epochs: int | None = 1, epoch: int = 0,
                 step: int = 0, seed: int = 0, shuffle: str = "full",
                 tail: str = "drop", window: int = 0, weight: int = 0,
                 group: int = 0, depth: int = 0, memory_max: int = 0,
                 files_max: int = 0, plan: int = 0, progress: str = "auto",
                 check: bool = True, independent: bool = False,
                 index: str | os.PathLike | None = None,
                 info: MPI.Info = MPI.INFO_NULL, copy: bool = True):
        self._loader = ctypes.c_void_p()
        self._number = None  # in _open
        self._copy, self._is_over = copy, False
        self.path = path
        if epochs == 0:
            raise ValueError("epochs=0: give None for a run without end")
        numbers = {
            "batch": batch, "epochs": 0 if epochs is None else epochs,
            "epoch": epoch, "step": step, "seed": seed, "window": window,
            "weight": weight, "group": group, "depth": depth,
            "memory_max": memory_max, "files_max": files_max, "plan": plan}
        options = _lib.Options(
            shuffle=_choice(_SHUFFLES, shuffle, "shuffle"),
            tail=_choice(_TAILS, tail, "tail"),
            progress=_choice(_PROGRESS, progress, "progress"),
            is_unchecked=not check, is_independent=bool(independent),
            index=os.fsencode(index) if index else None,
            info=_lib.handle(info),
            **{name: _count(value, name) for name, value in numbers.items()})
        rc = _lib.library.capstan_loader_open(
            _lib.handle(comm if comm is not None else MPI.COMM_WORLD),
            os.fsencode(path), ctypes.byref(options),
            ctypes.byref(self._loader))
        if self._loader:
            self._number = next(_numbers)
            _open[self._number] = self._loader
        if rc != 0:
            error = self._error(rc)
            self.close()
            raise error

    def _error(self, rc):
        text = _lib.library.capstan_loader_error(self._loader)
        return _lib.Error(rc, text.decode("utf-8", "replace"))

    def _handle(self):
        if not self._loader:
            raise ValueError("the dataset is closed")
        return self._loader

    def __iter__(self) -> Iterator[Batch]:
        # Once more would be no samples, without a word.
        if self._is_over:
            raise ValueError(f"{self.path}: all epochs are over; give epochs=N, "
                             "or None for a run without end")
        return self

    def __next__(self) -> Batch:
        batch = _lib.CBatch()
        rc = _lib.library.capstan_loader_next(self._handle(),
                                              ctypes.byref(batch))
        if rc == -errno.ENODATA:
            self._is_over = True
            raise StopIteration
        if rc != 0:
            raise self._error(rc)
        samples = []
        for i in range(batch.count):
            sample = batch.samples[i]
            array = _view(sample.data, sample.length)
            samples.append(Sample(array.copy() if self._copy else array,
                                  sample.number, bool(sample.is_padding)))
        return Batch(batch.epoch, batch.step, batch.steps, samples)

    def __len__(self) -> int:
        """Samples of the dataset, on all ranks together."""
        return _lib.library.capstan_loader_samples(self._handle())

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return _lib.library.capstan_loader_steps(self._handle())

    def stats(self) -> dict[str, int | float]:
        """What this rank did: a dict of counts, bytes and seconds."""
        stats = _lib.Stats()
        _lib.library.capstan_loader_stats(self._handle(), ctypes.byref(stats))
        return {name: getattr(stats, name) for name, _ in stats._fields_}

    def progress(self) -> None:
        """Move reads on, where there is no thread for it."""
        _lib.library.capstan_loader_progress(self._handle())

    def close(self) -> None:
        """Collective. Not done by the garbage collector, whose order differs
        from rank to rank: use `with`, or call it. What is left open is closed
        where the program ends, on all ranks."""
        if self._loader:
            _open.pop(self._number)
            _lib.library.capstan_loader_close(ctypes.byref(self._loader))

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *exception):
        # A rank that fails alone must not wait here for the others.
        if exception[0] is None or issubclass(exception[0], _lib.Error):
            self.close()
