# SPDX-License-Identifier: BSD-3-Clause
"""Shuffled batches of a dataset: capstan/loader.h for Python."""
import ctypes
import errno

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

    def __init__(self, array, number, is_padding):
        self.array, self.number, self.is_padding = array, number, is_padding

    def __bytes__(self):
        return self.array.tobytes()

    def fields(self):
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

    def __init__(self, epoch, step, steps, samples):
        self.epoch, self.step, self.steps = epoch, step, steps
        self.samples = samples

    def __iter__(self):
        return iter(self.samples)

    def __len__(self):
        return len(self.samples)


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
    memory_max  bytes of this rank's buffers
    plan        batches of which servers are told before they are read
    progress    "auto", "thread", "caller"
    copy        False: samples are views of the loader's memory, and must not be
                used any more once the next batch is asked for
    """

    def __init__(self, path, *, comm=None, batch=0, epochs=1, epoch=0, step=0,
                 seed=0, shuffle="full", tail="drop", window=0, weight=0,
                 group=0, depth=0, memory_max=0, files_max=0, plan=0,
                 progress="auto", check=True, independent=False, index=None,
                 info=MPI.INFO_NULL, copy=True):
        if epochs == 0:
            raise ValueError("epochs=0: give None for a run without end")
        self._loader = ctypes.c_void_p()
        self._copy = copy
        self.path = path
        options = _lib.Options(
            batch=batch, epochs=epochs or 0, epoch=epoch, step=step, seed=seed,
            shuffle=_choice(_SHUFFLES, shuffle, "shuffle"),
            tail=_choice(_TAILS, tail, "tail"), window=window, weight=weight,
            group=group, depth=depth, memory_max=memory_max,
            files_max=files_max, plan=plan,
            progress=_choice(_PROGRESS, progress, "progress"),
            is_unchecked=not check, is_independent=bool(independent),
            index=index.encode() if index else None, info=_lib.handle(info))
        rc = _lib.library.capstan_loader_open(
            _lib.handle(comm if comm is not None else MPI.COMM_WORLD),
            path.encode("utf-8", "surrogateescape"), ctypes.byref(options),
            ctypes.byref(self._loader))
        if rc != 0:
            error = self._error(rc)
            self.close()
            raise error

    def _error(self, rc):
        text = _lib.library.capstan_loader_error(self._loader)
        return _lib.Error(rc, text.decode("utf-8", "replace"))

    def _open(self):
        if not self._loader:
            raise ValueError("the dataset is closed")
        return self._loader

    def __iter__(self):
        return self

    def __next__(self):
        batch = _lib.CBatch()
        rc = _lib.library.capstan_loader_next(self._open(),
                                              ctypes.byref(batch))
        if rc == -errno.ENODATA:
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

    def __len__(self):
        """Samples of the dataset, on all ranks together."""
        return _lib.library.capstan_loader_samples(self._open())

    @property
    def steps(self):
        """Steps of an epoch."""
        return _lib.library.capstan_loader_steps(self._open())

    def stats(self):
        """What this rank did: a dict of counts, bytes and seconds."""
        stats = _lib.Stats()
        _lib.library.capstan_loader_stats(self._open(), ctypes.byref(stats))
        return {name: getattr(stats, name) for name, _ in stats._fields_}

    def progress(self):
        """Move reads on, where there is no thread for it."""
        _lib.library.capstan_loader_progress(self._open())

    def close(self):
        """Collective. Not done by the garbage collector, whose order differs
        from rank to rank: use `with`, or call it."""
        if self._loader:
            _lib.library.capstan_loader_close(ctypes.byref(self._loader))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        # A rank that fails alone must not wait here for the others.
        if exception[0] is None or issubclass(exception[0], _lib.Error):
            self.close()
