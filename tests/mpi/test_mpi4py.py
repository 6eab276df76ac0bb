# SPDX-License-Identifier: BSD-3-Clause
"""An mpi4py round trip: what the ranks write together each reads alone."""
import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
path = sys.argv[1] + "mpi4py"
piece = 1000

mine = bytearray((rank + i) % 251 for i in range(piece))
info = MPI.Info.Create()
info.Set("cb_buffer_size", "65536")
f = MPI.File.Open(comm, path, MPI.MODE_CREATE | MPI.MODE_RDWR, info)
assert f.Get_info().Get("capstan_driver"), "another component has the file"
assert f.Get_info().Get("cb_buffer_size") == "65536"

# Byte i of rank r is at i * size + r.
column = MPI.BYTE.Create_resized(0, size)
column.Commit()
f.Set_view(rank, MPI.BYTE, column)
f.Write_all(mine)
f.Sync()
comm.Barrier()

f.Set_view(0, MPI.BYTE, MPI.BYTE)
whole = bytearray(piece * size)
status = MPI.Status()
f.Read_at(0, whole, status)
assert status.Get_count(MPI.BYTE) == piece * size
for r in range(size):
    assert whole[r::size] == bytes((r + i) % 251 for i in range(piece))
f.Close()
comm.Barrier()

try:
    MPI.File.Open(comm, path + ".none", MPI.MODE_RDONLY)
    raise AssertionError("a file that is not there was opened")
except MPI.Exception as error:
    assert error.Get_error_class() == MPI.ERR_NO_SUCH_FILE
    assert ".none" in error.Get_error_string(), error.Get_error_string()

if rank == 0:
    MPI.File.Delete(path)
