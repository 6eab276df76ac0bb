# SPDX-License-Identifier: BSD-3-Clause
"""All calls of mpi4py's MPI.File; the end asks whether one was left out."""
import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
path = sys.argv[1] + "mpi4py"
PIECE = 1000
called = {"Open", "Delete", "py2f", "f2py"}


class Recorder:
    """A file that notes which of its methods and attributes were used."""

    def __init__(self, f):
        self.f = f

    def __getattr__(self, name):
        called.add(name)
        return getattr(self.f, name)


def opened(mode=MPI.MODE_CREATE | MPI.MODE_RDWR, info=MPI.INFO_NULL):
    return Recorder(MPI.File.Open(comm, path, mode, info))


def data(r, salt=0):
    """What rank r writes: PIECE bytes that no other rank or salt has."""
    return bytearray((r * 31 + i + salt * 7) % 251 for i in range(PIECE))


def empty():
    return bytearray(PIECE)


def settle(f):
    """Writes of all ranks can be seen by all (MPI-3.1, 13.6.1)."""
    f.Sync()
    comm.Barrier()
    f.Sync()


def expect(what, got, want):
    assert got == want, f"rank {rank}: {what}: {got!r}, not {want!r}"


def full(status, what):
    expect(what + " count", status.Get_count(MPI.BYTE), PIECE)


def check_settings(f):
    assert f.Get_info().Get("capstan_driver"), "another component has the file"
    expect("hint", f.info.Get("cb_buffer_size"), "65536")
    info = MPI.Info.Create()
    info.Set("cb_buffer_size", "131072")
    f.Set_info(info)
    expect("hint", f.Get_info().Get("cb_buffer_size"), "131072")
    info.Free()
    expect("amode", f.Get_amode(), MPI.MODE_CREATE | MPI.MODE_RDWR)
    expect("amode", f.amode, f.Get_amode())
    expect("group", f.Get_group().Get_size(), size)
    expect("group", f.group.Get_rank(), rank)
    expect("handle", MPI.File.f2py(f.py2f()), f.f)
    expect("error handler", f.Get_errhandler(), MPI.ERRORS_RETURN)
    f.Set_errhandler(MPI.ERRORS_RETURN)
    f.Call_errhandler(MPI.ERR_OTHER)


def check_sizes(f):
    f.Set_size(123)
    expect("size", f.Get_size(), 123)
    f.Preallocate(size * PIECE)
    expect("size", f.size, size * PIECE)
    f.Set_size(0)


def check_view(f):
    """Byte i of rank r is at i * size + r."""
    column = MPI.BYTE.Create_resized(0, size).Commit()
    f.Set_view(rank, MPI.BYTE, column)
    disp, etype, filetype, datarep = f.Get_view()
    expect("displacement", disp, rank)
    expect("representation", datarep, "native")
    expect("etype", etype.Get_size(), 1)
    expect("filetype", filetype.Get_extent(), (0, size))
    expect("extent", f.Get_type_extent(MPI.INT32_T), 4)
    expect("offset", f.Get_byte_offset(10), 10 * size + rank)
    f.Write_all(data(rank))
    settle(f)
    f.Set_view(0, MPI.BYTE, MPI.BYTE)
    whole = bytearray(PIECE * size)
    status = MPI.Status()
    f.Read_at(0, whole, status)
    expect("count", status.Get_count(MPI.BYTE), PIECE * size)
    for r in range(size):
        expect(f"bytes of rank {r}", whole[r::size], data(r))
    settle(f)
    column.Free()


def split(begin, end):
    """A begin and its end as one call."""
    def call(*args):
        begin(*args)
        status = MPI.Status()
        end(args[-1], status)
        return status
    return call


def plain(transfer):
    """A blocking call that gives its status."""
    def call(*args):
        status = MPI.Status()
        transfer(*args, status)
        return status
    return call


def waited(start):
    """A nonblocking call and its wait."""
    def call(*args):
        status = MPI.Status()
        start(*args).Wait(status)
        return status
    return call


def pairs(f, form):
    """(write, read) of all ways to say them for one positioning."""
    write, read = "Write" + form, "Read" + form
    collective = form in ("_all", "_at_all", "_ordered")
    yield plain(getattr(f, write)), plain(getattr(f, read))
    if form != "_ordered":
        yield waited(getattr(f, "I" + write.lower())), waited(getattr(f, "I" + read.lower()))
    if collective:
        yield (split(getattr(f, write + "_begin"), getattr(f, write + "_end")),
               split(getattr(f, read + "_begin"), getattr(f, read + "_end")))


def check_explicit(f, form):
    """At an offset: each rank writes its piece and reads its neighbour's."""
    other = (rank + 1) % size
    for salt, (write, read) in enumerate(pairs(f, form)):
        full(write(rank * PIECE, data(rank, salt)), form)
        settle(f)
        got = empty()
        full(read(other * PIECE, got), form)
        expect(form, got, data(other, salt))
        settle(f)


def check_pointer(f, form):
    """The same with the individual pointer."""
    other = (rank + 1) % size
    for salt, (write, read) in enumerate(pairs(f, form)):
        f.Seek(rank * PIECE)
        full(write(data(rank, salt + 3)), form)
        expect("position", f.Get_position(), (rank + 1) * PIECE)
        settle(f)
        f.Seek(other * PIECE, MPI.SEEK_SET)
        got = empty()
        full(read(got), form)
        expect(form, got, data(other, salt + 3))
        settle(f)


def check_shared(f):
    """Each piece is somewhere once, and each is read by one rank."""
    for salt, (write, read) in enumerate(pairs(f, "_shared")):
        f.Seek_shared(0)
        comm.Barrier()
        full(write(data(rank, salt)), "shared")
        settle(f)
        expect("shared position", f.Get_position_shared(), size * PIECE)
        comm.Barrier()
        f.Seek_shared(0)
        comm.Barrier()
        got = empty()
        full(read(got), "shared")
        expect("pieces", sorted(comm.allgather(bytes(got))),
               sorted(bytes(data(r, salt)) for r in range(size)))
        settle(f)


def check_ordered(f):
    """In the order of ranks."""
    for salt, (write, read) in enumerate(pairs(f, "_ordered")):
        f.Seek_shared(0)
        full(write(data(rank, salt + 5)), "ordered")
        settle(f)
        f.Seek_shared(0)
        got = empty()
        full(read(got), "ordered")
        expect("ordered", got, data(rank, salt + 5))
        settle(f)


def check_atomicity(f):
    expect("atomicity", f.Get_atomicity(), False)
    f.Set_atomicity(True)
    expect("atomicity", f.atomicity, True)
    f.Write_at(0, bytes([65 + rank]) * PIECE)
    comm.Barrier()
    got = empty()
    f.Read_at(0, got)
    expect("bytes of one writer", len(set(got)), 1)
    comm.Barrier()
    f.Set_atomicity(False)


def check_missing():
    try:
        MPI.File.Open(comm, path + ".none", MPI.MODE_RDONLY)
        raise AssertionError("a file that is not there was opened")
    except MPI.Exception as error:
        expect("class", error.Get_error_class(), MPI.ERR_NO_SUCH_FILE)
        assert ".none" in error.Get_error_string(), error.Get_error_string()


def check_complete():
    names = {n for n in dir(MPI.File) if not n.startswith("_")}
    expect("calls left out", names - called, set())


hints = MPI.Info.Create()
hints.Set("cb_buffer_size", "65536")
f = opened(info=hints)
check_settings(f)
check_sizes(f)
check_view(f)
for form in ("_at", "_at_all"):
    check_explicit(f, form)
for form in ("", "_all"):
    check_pointer(f, form)
check_shared(f)
check_ordered(f)
check_atomicity(f)
f.Close()
comm.Barrier()
check_missing()
if rank == 0:
    MPI.File.Delete(path)
check_complete()
