# SPDX-License-Identifier: BSD-3-Clause
"""h5py over MPI-IO: contiguous, chunked and compressed datasets, points,
attributes, many datasets, flush and reopen."""
import os
import sys

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
import h5py
import numpy
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
path = sys.argv[1] + "h5py.h5"
rows, columns, many = 48, 8, 20
whole = numpy.arange(rows * columns * size).reshape(rows, columns * size)
mine = slice(rank * columns, (rank + 1) * columns)

with h5py.File(path, "w", driver="mpio", comm=comm) as f:
    sets = {
        "contiguous": {},
        "chunked": {"chunks": (rows // 4, columns)},
        "compressed": {"chunks": (rows // 4, columns), "compression": "gzip"},
    }
    for name, how in sets.items():
        data = f.create_dataset(name, whole.shape, dtype="i8", **how)
        data.attrs["kind"] = name
        with data.collective:
            data[:, mine] = whole[:, mine]
    for i in range(many):
        f.create_dataset("many/%d" % i, (size,), dtype="i4")[rank] = i + rank
    f.flush()
    comm.Barrier()
    assert (f["contiguous"][:] == whole).all()

with h5py.File(path, "r", driver="mpio", comm=comm) as f:
    for name in sets:
        assert f[name].attrs["kind"] == name
        with f[name].collective:
            assert (f[name][:] == whole).all(), name
            assert (f[name][::3, 1::2] == whole[::3, 1::2]).all(), name
        points = [1, 5, rows - 1]
        assert (f[name][points, rank] == whole[points, rank]).all(), name
    for i in range(many):
        assert list(f["many/%d" % i][:]) == [i + r for r in range(size)]

comm.Barrier()
if rank == 0:
    MPI.File.Delete(path)
