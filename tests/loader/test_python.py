# SPDX-License-Identifier: BSD-3-Clause
"""The Python module under mpirun: test_python.py DATASET TREE FILES

DATASET is TREE packed as tar; FILES is a prefix for files of this test, which
lies behind MPI-IO. Run by test_python.sh with different numbers of ranks.
"""
import errno
import hashlib
import json
import os
import pathlib
import struct
import sys

import numpy
from mpi4py import MPI

import capstan

dataset, tree, files = sys.argv[1:]
comm = MPI.COMM_WORLD


def raises(code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except capstan.Error as error:
        assert error.code == code, error
        assert set(comm.allgather(str(error))) == {str(error)}
        return str(error)
    raise AssertionError(f"no error {code}")


def check_fields(sample):
    fields = sample.fields()
    assert fields
    for data in fields.values():
        digest = hashlib.sha256(data.tobytes()).digest()
        assert digest in sources, sample.number
    return len(fields)


sources = set()
for directory, _, names in os.walk(tree):
    for name in names:
        with open(os.path.join(directory, name), "rb") as file:
            sources.add(hashlib.sha256(file.read()).digest())

for options in ({"tail": "short"}, {"tail": "short", "copy": False},
                {"tail": "short", "progress": "caller", "shuffle": "window"}):
    with capstan.Dataset(dataset, batch=20, epochs=3, **options) as data:
        seen, members, steps = [[], [], []], 0, 0
        for batch in data:
            seen[batch.epoch] += [sample.number for sample in batch]
            members += sum(map(check_fields, batch))
            steps += 1
        assert steps == 3 * data.steps == data.stats()["steps"]
        for epoch in seen:
            numbers = sorted(sum(comm.allgather(epoch), []))
            assert numbers == list(range(len(data)))
        assert comm.allreduce(members) == 3 * 301
        assert comm.allgather(seen)[0][0] != comm.allgather(seen)[0][1]

# Two at a time, each with its thread or none; and one on half of the ranks.
half = comm.Split(comm.rank % 2)
for progress in "thread", "caller":
    with capstan.Dataset(dataset, batch=30, seed=1, progress=progress) as one, \
            capstan.Dataset(dataset, batch=20, seed=2, progress=progress) as two, \
            capstan.Dataset(dataset, batch=10, seed=3, comm=half) as three:
        count = 0
        for batches in zip(one, two, three):
            for batch in batches:
                count += sum(map(check_fields, batch)) > 0
        assert count > 0
half.Free()


def refuses(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error as caught:
        return str(caught)
    raise AssertionError(f"no {error}")


# An iterator is over once; what cannot be is said by its name.
with capstan.Dataset(pathlib.Path(dataset), batch=100) as data:
    for batch in data:
        for sample in batch:
            assert len(sample) == len(bytes(sample)) == sample.array.size
        assert len(batch) == 0 or batch[0].number == next(iter(batch)).number
    assert "over" in refuses(ValueError, iter, data)
assert "closed" in refuses(ValueError, next, data)
for name, value in (("batch", -1), ("step", 1 << 64), ("seed", 1.5),
                    ("shuffle", "some"), ("epochs", 0)):
    assert name in refuses((ValueError, TypeError), capstan.Dataset, dataset,
                           **{name: value})
raises(-errno.ENOENT, capstan.Dataset, files + "nothing")
assert "capstan index" in raises(-errno.ENOENT, capstan.Dataset,
                                 files + "nothing")
assert "nothing/index" in raises(-errno.ENOENT, capstan.Dataset,
                                 files + "nothing")

# Safetensors: the file as its own library would write it.
tensors = {"a": numpy.arange(7000, dtype="<f4").reshape(70, 100),
           "b": numpy.array([[1], [2]], "<i8"), "none": numpy.empty((0, 3), "<f8"),
           "odd": numpy.arange(5, dtype="u1"),
           "wave": numpy.array([1 + 2j, 3], "<c8"), "half": numpy.ones(3, "<f2")}
names = {"<f4": "F32", "<i8": "I64", "<f8": "F64", "|u1": "U8", "<f2": "F16",
         "<c8": "C64"}


def write_file(name, data):
    """By rank 0 through MPI-IO, so that it may lie in a cluster."""
    file = MPI.File.Open(comm, files + name, MPI.MODE_WRONLY | MPI.MODE_CREATE)
    file.Set_size(0)
    if comm.rank == 0:
        file.Write_at(0, data)
    file.Close()


def safetensors(tensors):
    header, at = {"__metadata__": {"made": "here"}}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": names[array.dtype.str], "shape": array.shape,
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + \
        b"".join(array.tobytes() for array in tensors.values())


write_file("st", safetensors(tensors))
loaded = capstan.load_safetensors(files + "st")
assert list(loaded) == list(tensors)
for name, array in tensors.items():
    assert loaded[name].dtype == array.dtype
    assert numpy.array_equal(loaded[name], array)
with capstan.SafeTensors(files + "st") as file:
    assert file.metadata == {"made": "here"}
    first, last = (70 * (comm.rank + i) // comm.size for i in (0, 1))
    assert numpy.array_equal(file.read("a", first, last),
                             tensors["a"][first:last])
    assert numpy.array_equal(file.read("b"), tensors["b"])
    # One rank's mistake is everybody's error, and nobody's wait.
    assert "none such" in raises(-errno.ENOENT, file.read, "none such")
    raises(-errno.EINVAL, file.read, "a", "x" if comm.rank == 0 else 0, 1)
write_file("bad", struct.pack("<Q", 1 << 40) + b"{}")
raises(-errno.EPROTO, capstan.load_safetensors, files + "bad")
write_file("bad", safetensors(tensors)[:-10])
raises(-errno.EPROTO, capstan.load_safetensors, files + "bad")

# Checkpoints: each rank has some rows; all are read by all, and in other parts.
for generation in range(1, 5):
    rows = 1000 * generation
    whole = numpy.arange(rows * 3, dtype="<f4").reshape(rows, 3) * generation
    first, last = (rows * (comm.rank + i) // comm.size for i in (0, 1))
    made = capstan.save_checkpoint(
        files + "ck", {"w": capstan.Part(whole[first:last], first, rows),
                       "bias": numpy.full(3, generation, "<f8"),
                       f"own{comm.rank}": numpy.int64(comm.rank)},
        meta={"step": generation})
    assert made == generation
    found, meta = capstan.load_checkpoint(files + "ck")
    assert meta == {"step": generation}
    assert numpy.array_equal(found["w"], whole)
    assert numpy.array_equal(found["bias"], numpy.full(3, generation))
    assert [int(found[f"own{i}"]) for i in range(comm.size)] == \
        list(range(comm.size))
    found, _ = capstan.load_checkpoint(files + "ck", names=["w"],
                                       rows={"w": (comm.rank, comm.rank + 2)})
    assert numpy.array_equal(found["w"], whole[comm.rank:comm.rank + 2])
raises(-errno.EINVAL, capstan.load_checkpoint, files + "ck",
       rows={"w": "x" if comm.rank == 0 else (0, 1)})
raises(-errno.EINVAL, capstan.save_checkpoint, files + "ck", {},
       meta=lambda: comm.rank)
raises(-errno.EINVAL, capstan.save_checkpoint, files + "ck",
       {"w": capstan.Part(whole[:1], 0, rows)})


# Writers that end anywhere before the commit leave the checkpoint that was: the
# newest record is damaged, as one that is half written.
def damage(slot):
    file = MPI.File.Open(comm, files + "ck", MPI.MODE_WRONLY)
    if comm.rank == 0:
        file.Write_at(slot * 4096 + 8, b"\xff")
    file.Close()


damage(1)
found, meta = capstan.load_checkpoint(files + "ck")
assert meta == {"step": 3} and found["w"].shape == (3000, 3)
damage(0)
raises(-errno.ENODATA, capstan.load_checkpoint, files + "ck")
raises(-errno.ENOENT, capstan.load_checkpoint, files + "nothing")
# Left in the middle by all ranks, with reads under way: the program's end closes
# it, before MPI's end.
for batch in capstan.Dataset(dataset, batch=16, epochs=None, depth=4):
    if batch.step == 3:
        break
if comm.rank == 0:
    print(f"ok: {comm.size} ranks")
