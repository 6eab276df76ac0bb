# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints: all ranks write one file together, and any number reads it.

A file holds two commit records, of 4096 bytes each, and behind them the tensors
and a JSON index of the last checkpoint, and perhaps those of the one before:

    0      record A: "CAPCKPT1", u64 generation, u64 index offset, u64 index
           length, u32 CRC32 of the index, u32 CRC32 of the record so far
    4096   record B, the same
    8192   data

A save writes tensors and index where the last checkpoint's are not, makes them
durable, and only then writes the record that is older: that is the commit. A
load takes the higher generation whose record is whole. So whenever the writers
end, the file is the old checkpoint or the new one. MPI has no rename; this needs
none.

A tensor lies in one piece, rows in order, so that any rank may read any rows of
it, however many ranks wrote it.
"""
from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from typing import Any, Iterable

import numpy
from mpi4py import MPI

from capstan import _file
from capstan._lib import Error

_MAGIC = b"CAPCKPT1"
_RECORD = 4096
_BEGIN = 2 * _RECORD
_HEAD = struct.Struct("<8sQQQI")
_ALIGN = 4096


class Part:
    """Rows `start` on of a tensor of `rows` rows, which other ranks complete."""

    def __init__(self, array: numpy.ndarray, start: int, rows: int):
        self.array, self.start, self.rows = array, start, rows


def _record(generation, at, index):
    head = _HEAD.pack(_MAGIC, generation, at, len(index), zlib.crc32(index))
    return (head + struct.pack("<I", zlib.crc32(head))).ljust(_RECORD, b"\0")


def _parse(record):
    """(generation, index offset, index length, its CRC), None if it is none."""
    head = record[:_HEAD.size]
    if head[:8] != _MAGIC or \
            record[_HEAD.size:_HEAD.size + 4] != struct.pack("<I",
                                                             zlib.crc32(head)):
        return None
    return _HEAD.unpack(head)[1:]


def _last(comm, file, path):
    """The committed record, the place of the other one, and the index."""
    records = numpy.zeros(_BEGIN, numpy.uint8)
    size = _file.attempt(comm, file.Get_size)
    if size < _BEGIN:
        return None, 0, None
    _file.read_all(comm, file, 0, records, path)
    found = [_parse(records[i * _RECORD:(i + 1) * _RECORD].tobytes())
             for i in (0, 1)]
    for i in sorted((0, 1), key=lambda i: found[i][0] if found[i] else 0,
                    reverse=True):
        if found[i] is None or found[i][1] + found[i][2] > size:
            continue
        index = numpy.empty(found[i][2], numpy.uint8)
        _file.read_all(comm, file, found[i][1], index, path)
        if zlib.crc32(index) == found[i][3]:
            return found[i], 1 - i, json.loads(index.tobytes())
    return None, 0, None


def _describe(tensors):
    """What this rank writes: {name: (dtype, row shape, rows, start, count)}."""
    own = {}
    for name, value in tensors.items():
        part = value if isinstance(value, Part) else \
            Part(numpy.asarray(value), None, None)
        array = part.array
        if array.dtype.hasobject:
            raise Error(-errno.EINVAL, f"{name}: not numbers")
        if part.start is None:
            own[name] = (array.dtype.str, list(array.shape), None, 0, 0)
        else:
            own[name] = (array.dtype.str, list(array.shape[1:]), part.rows,
                         part.start, array.shape[0])
    return own


def _check_parts(name, parts):
    at = 0
    for start, count in sorted(parts["ranges"]):
        if start != at:
            raise Error(-errno.EINVAL, f"{name}: rows {at} to {start} are "
                                       "nobody's, or two ranks'")
        at += count
    if at != parts["shape"][0]:
        raise Error(-errno.EINVAL,
                    f"{name}: {at} rows of {parts['shape'][0]}")


def _merge(described):
    """One table of all ranks' tensors, the same on all of them."""
    table = {}
    for rank, own in enumerate(described):
        for name, (dtype, shape, rows, start, count) in own.items():
            if rows is not None:
                shape = [rows] + shape
            entry = table.setdefault(name, {
                "dtype": dtype, "shape": shape, "writer": rank,
                "ranges": None if rows is None else []})
            if entry["dtype"] != dtype or entry["shape"] != shape or \
                    (entry["ranges"] is None) != (rows is None):
                raise Error(-errno.EINVAL, f"{name}: ranks differ on it")
            if rows is not None:
                entry["ranges"].append((start, count))
    for name, entry in table.items():
        if entry["ranges"] is not None:
            _check_parts(name, entry)
    return table


def _nbytes(entry):
    size = numpy.dtype(entry["dtype"]).itemsize
    for n in entry["shape"]:
        size *= n
    return size


def _layout(table, begin, meta):
    """Give each tensor its place from there on. @return the end, the index."""
    at = begin
    for name in sorted(table):
        table[name]["offset"] = at
        at += -(-_nbytes(table[name]) // _ALIGN) * _ALIGN
    names = {name: {key: entry[key] for key in ("dtype", "shape", "offset")}
             for name, entry in table.items()}
    return at, json.dumps({"begin": begin, "meta": meta,
                           "tensors": names}).encode()


def _place(table, last, old, meta):
    """Lay out clear of the last checkpoint: before it, if there is room."""
    end, index = _layout(table, _BEGIN, meta)
    if last is not None and end + len(index) > old["begin"]:
        behind = -(-(last[1] + last[2]) // _ALIGN) * _ALIGN
        end, index = _layout(table, behind, meta)
    return end, index


def _own_piece(comm, name, entry, tensors):
    """Where and what this rank writes of a tensor: perhaps nothing."""
    value = tensors.get(name)
    if isinstance(value, Part):
        row = _nbytes(entry) // max(entry["shape"][0], 1)
        return entry["offset"] + value.start * row, value.array
    if entry["ranges"] is None and entry["writer"] == comm.rank:
        return entry["offset"], numpy.asarray(value)
    return entry["offset"], numpy.empty(0, numpy.uint8)


def save_checkpoint(path: str | os.PathLike,
                    tensors: dict[str, numpy.ndarray | Part],
                    comm: MPI.Comm | None = None,
                    info: MPI.Info = MPI.INFO_NULL, meta: Any = None) -> int:
    """Write a checkpoint; the one that is there stays until it is complete.

    tensors  this rank's: {name: array, or Part}. A tensor that several ranks
             give whole is written by the first of them.
    meta     whatever JSON can hold; rank 0's.

    Collective. Returns the generation.
    """
    comm = comm if comm is not None else MPI.COMM_WORLD
    meta = comm.bcast(_file.attempt(comm, json.dumps,
                                    meta if comm.rank == 0 else None))
    described = _file.attempt(comm, _describe, tensors)
    table = _file.attempt(comm, _merge, comm.allgather(described))
    file = _file.open_file(comm, path, MPI.MODE_RDWR | MPI.MODE_CREATE, info)
    try:
        last, slot, old = _last(comm, file, path)
        end, index = _place(table, last, old, json.loads(meta))
        for name in sorted(table):
            offset, array = _own_piece(comm, name, table[name], tensors)
            _file.write_all(comm, file, offset, numpy.ascontiguousarray(array),
                            f"{path}: {name}")
        generation = last[0] + 1 if last is not None else 1
        # The order is all: what a record names is durable before it is written.
        _write_first(comm, file, end, index, path)
        _write_first(comm, file, slot * _RECORD,
                     _record(generation, end, index), path)
    finally:
        file.Close()
    return generation


def _write_first(comm, file, offset, data, path):
    """The first rank's bytes, and all that was written before them, durable."""
    size = len(data) if comm.rank == 0 else 0
    _file.write_all(comm, file, offset,
                    numpy.frombuffer(data[:size], numpy.uint8), path)
    _file.attempt(comm, file.Sync)


def _rows(entry, wanted):
    """Where those rows begin, all if it is None, and room for them."""
    shape, offset = list(entry["shape"]), entry["offset"]
    if wanted is not None:
        start, stop, _ = slice(*wanted).indices(shape[0])
        offset += start * (_nbytes(entry) // max(shape[0], 1))
        shape[0] = max(stop - start, 0)
    return offset, numpy.empty(shape, entry["dtype"])


def load_checkpoint(path: str | os.PathLike, comm: MPI.Comm | None = None,
                    names: Iterable[str] | None = None,
                    rows: dict[str, tuple[int, int]] | None = None,
                    info: MPI.Info = MPI.INFO_NULL
                    ) -> tuple[dict[str, numpy.ndarray], Any]:
    """Read the last complete checkpoint: ({name: array}, meta). Collective.

    names  which tensors (all); the same on all ranks
    rows   {name: (start, stop)}: only those rows, this rank's own
    """
    comm = comm if comm is not None else MPI.COMM_WORLD
    file = _file.open_file(comm, path, MPI.MODE_RDONLY, info)
    try:
        last, _, index = _last(comm, file, path)
        if last is None:
            raise Error(-errno.ENODATA, f"{path}: no complete checkpoint")
        found = {}
        for name in sorted(names if names is not None else index["tensors"]):
            if name not in index["tensors"]:
                raise Error(-errno.ENOENT, f"{path}: no tensor {name}")
            # A rank's rows are its own, and so is what is wrong with them.
            offset, found[name] = _file.attempt(
                comm, _rows, index["tensors"][name], (rows or {}).get(name))
            _file.read_all(comm, file, offset, found[name], f"{path}: {name}")
        return found, index["meta"]
    finally:
        file.Close()
