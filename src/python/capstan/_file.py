# SPDX-License-Identifier: BSD-3-Clause
"""MPI files for the rest of this package: whole transfers, errors for all."""
import errno
import os

import numpy
from mpi4py import MPI

from capstan._lib import Error

PIECE = 1 << 30  # bytes a call: MPI counts in int


def _code(error):
    if isinstance(error, Error):
        return error.code
    if isinstance(error, MPI.Exception) and \
            error.Get_error_class() == MPI.ERR_NO_SUCH_FILE:
        return -errno.ENOENT
    if isinstance(error, (TypeError, ValueError, IndexError)):
        return -errno.EINVAL  # of the caller's, on this rank
    return -errno.EIO


def agree(comm, error):
    """One rank's error is everybody's: raise it on all. Collective."""
    own = None
    if error is not None:
        own = (_code(error), str(error) or repr(error))
    worst = [pair for pair in comm.allgather(own) if pair is not None]
    if worst:
        raise Error(*worst[0]) from error


def attempt(comm, call, *arguments):
    """Call it on all ranks; what fails on one is raised on all. Collective."""
    result, error = None, None
    try:
        result = call(*arguments)
    except Exception as caught:  # whatever it is, the others have to know
        error = caught
    agree(comm, error)
    return result


def open_file(comm, path, mode, info=MPI.INFO_NULL):
    return attempt(comm, MPI.File.Open, comm, os.fspath(path), mode, info)


def _transfer_all(comm, call, offset, array, what):
    """call(offset, piece, status) until all ranks have moved their arrays; all
    make the same number of calls. Collective."""
    flat = array.reshape(-1).view(numpy.uint8)
    pieces = comm.allreduce(-(-flat.size // PIECE), MPI.MAX)
    error = None
    for i in range(pieces):
        piece = flat[i * PIECE:(i + 1) * PIECE]
        status = MPI.Status()
        try:
            call(offset + i * PIECE, [piece, piece.size, MPI.BYTE], status)
            got = status.Get_elements(MPI.BYTE)
            if got != piece.size and error is None:
                error = Error(-errno.EIO, f"{what}: {got} bytes of "
                                          f"{piece.size} at {offset}")
        except MPI.Exception as caught:
            error = error or Error(-errno.EIO, f"{what}: {caught}")
    agree(comm, error)


def read_all(comm, file, offset, array, what):
    _transfer_all(comm, file.Read_at_all, offset, array, what)


def write_all(comm, file, offset, array, what):
    _transfer_all(comm, file.Write_at_all, offset, array, what)
