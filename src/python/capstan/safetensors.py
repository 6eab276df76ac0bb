# SPDX-License-Identifier: BSD-3-Clause
"""Safetensors files on all ranks: what all want leaves the servers once.

The format: u64 length of a JSON header, the header ({name: {"dtype", "shape",
"data_offsets"}}), then the tensors, one behind the other.
"""
from __future__ import annotations

import errno
import json
import os
from typing import Iterator

import numpy
from mpi4py import MPI

from capstan import _file
from capstan._lib import Error

HEADER_MAX = 100 << 20  # as the format's own library has it

# Types that numpy does not have come as whole numbers, their very bits.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
          "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1", "C64": "<c8",
          "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}


class SafeTensors:
    """A safetensors file that all ranks have open. Each call is collective."""

    def __init__(self, path: str | os.PathLike, comm: MPI.Comm | None = None,
                 info: MPI.Info = MPI.INFO_NULL):
        self.path = path
        self.comm = comm if comm is not None else MPI.COMM_WORLD
        self._file = _file.open_file(self.comm, path, MPI.MODE_RDONLY, info)
        try:
            self._read_header()
        except Error:
            self._file.Close()
            raise

    def _refuse(self, why):
        raise Error(-errno.EPROTO, f"{self.path}: not safetensors: {why}")

    def _read_header(self):
        size = _file.attempt(self.comm, self._file.Get_size)
        if size < 8:
            self._refuse(f"{size} bytes")
        length = numpy.empty(1, "<u8")
        _file.read_all(self.comm, self._file, 0, length, self.path)
        length = int(length[0])
        if length > min(size - 8, HEADER_MAX):
            self._refuse(f"a header of {length} bytes in a file of {size}")
        header = numpy.empty(length, numpy.uint8)
        _file.read_all(self.comm, self._file, 8, header, self.path)
        self._data, self._size = 8 + length, size
        try:
            header = json.loads(header.tobytes())
            self.metadata = header.pop("__metadata__", {})
            self._tensors = {name: self._check(name, entry)
                             for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._refuse(f"header: {error!r}")

    def _check(self, name, entry):
        dtype = numpy.dtype(DTYPES[entry["dtype"]])
        shape = tuple(int(n) for n in entry["shape"])
        begin, end = (int(n) for n in entry["data_offsets"])
        count = 1
        for n in shape:
            if n < 0:
                self._refuse(f"{name}: shape {shape}")
            count *= n
        if not 0 <= begin <= end <= self._size - self._data or \
                end - begin != count * dtype.itemsize:
            self._refuse(f"{name}: bytes {begin} to {end} for {shape}")
        return dtype, shape, begin

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name][1]

    def dtype(self, name: str) -> numpy.dtype:
        return self._tensors[name][0]

    def read(self, name: str, start: int = 0,
             stop: int | None = None) -> numpy.ndarray:
        """A tensor, or its rows start to stop along the first axis: the same on
        all ranks (each byte is read once) or this rank's own."""
        # What is wrong on one rank only must not leave the others in the read.
        begin, array = _file.attempt(self.comm, self._rows, name, start, stop)
        _file.read_all(self.comm, self._file, self._data + begin, array,
                       f"{self.path}: {name}")
        return array

    def _rows(self, name, start, stop):
        """Where they begin, and room for them."""
        if name not in self._tensors:
            raise Error(-errno.ENOENT, f"{self.path}: no tensor {name}")
        dtype, shape, begin = self._tensors[name]
        if shape and not (start == 0 and stop is None):
            start, stop, _ = slice(start, stop).indices(shape[0])
            row = dtype.itemsize
            for n in shape[1:]:
                row *= n
            begin += start * row
            shape = (max(stop - start, 0),) + shape[1:]
        return begin, numpy.empty(shape, dtype)

    def read_whole(self) -> dict[str, numpy.ndarray]:
        """All tensors, as views of one buffer; the same on all ranks."""
        buffer = numpy.empty(self._size - self._data, numpy.uint8)
        _file.read_all(self.comm, self._file, self._data, buffer, self.path)
        tensors = {}
        for name, (dtype, shape, begin) in self._tensors.items():
            size = dtype.itemsize
            for n in shape:
                size *= n
            piece = buffer[begin:begin + size]
            if begin % dtype.itemsize != 0:
                piece = piece.copy()
            tensors[name] = piece.view(dtype).reshape(shape)
        return tensors

    def close(self) -> None:
        self._file.Close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if exception[0] is None or issubclass(exception[0], Error):
            self.close()


def load_safetensors(path: str | os.PathLike, comm: MPI.Comm | None = None,
                     info: MPI.Info = MPI.INFO_NULL
                     ) -> dict[str, numpy.ndarray]:
    """All tensors of a file on all ranks: {name: array}. Collective."""
    with SafeTensors(path, comm, info) as file:
        return file.read_whole()
