# SPDX-License-Identifier: BSD-3-Clause
# What the scripts here share: a small dataset in every format, and its sources.
# To be sourced by sh, after tests/mpi/lib.sh or tests/cluster/lib.sh.
#
#   make_tree          $work/tree, and $work/list of its files as they are sorted
#   make_records       $work/flat/records, 1000 records of 96 bytes
#   load N DATASET K=V...   check_load with N ranks
#   background_load DATASET K=V...   with 4 ranks, until it has begun to load
#   kill_rank               one of those, and the run has to end
#   find_python MODULE...   a Python that has them, mpi4py and numpy: $python; sets
#                           what it needs to find our module in the build tree
#   hdf5_have               is there HDF5? builds $work/make_hdf5; sets hdf5_index

capstan=$top_builddir/src/tools/capstan
python=python3
# Ranks may be more than cores.
export OMPI_MCA_mpi_yield_when_idle=1

die() {
    echo "FAIL: $*" >&2
    exit 1
}

make_tree() {
    $python - "$work" <<'END_PYTHON'
import os, random, sys
os.chdir(sys.argv[1])
random.seed(11)
names = []
for i in range(150):
    directory = f"train/{i % 5}"
    os.makedirs("tree/" + directory, exist_ok=True)
    for extension, size in (("bin", random.randrange(1, 5000)), ("cls", 1)):
        names.append(f"{directory}/{i:05d}.{extension}")
        with open("tree/" + names[-1], "wb") as file:
            file.write(random.randbytes(size))
# A name beyond what a ustar header holds, in a directory that is itself long.
names.append("/".join(["d" * 70] * 3) + "/" + "n" * 110 + ".txt")
os.makedirs("tree/" + os.path.dirname(names[-1]))
with open("tree/" + names[-1], "wb") as file:
    file.write(b"a long name\n" * 9)
names.sort(key=lambda name: (name.split(".")[0].encode(), name.encode()))
with open("list", "w") as file:
    file.writelines(f"{os.getcwd()}/tree/{name}\n" for name in names)
END_PYTHON
}

make_records() {
    mkdir "$work/flat"
    $python -c '
import random, sys
random.seed(5)
open(sys.argv[1], "wb").write(random.randbytes(96000))' "$work/flat/records"
}

load() {
    load_ranks=$1
    shift
    mpi "$load_ranks" "$top_builddir/tests/loader/check_load" "$@" \
        >"$work/out" 2>&1 && return 0
    cat "$work/out" >&2
    die "$load_ranks ranks: $1 ..."
}

background_load() {
    rm -f "$work/out"
    CAPSTAN_TIMEOUT_MS=$deadline_ms timeout 100 "$MPIRUN" --oversubscribe -n 4 \
        "$top_builddir/tests/loader/check_load" "$@" >"$work/out" 2>&1 \
        </dev/null &
    background=$!
    tries=0
    until grep -q loading "$work/out" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || die "no step in 60 s: $(cat "$work/out")"
        sleep 0.1
    done
}

kill_rank() {
    victim=$(pgrep -P "$(pgrep -P "$background" | head -n 1)" | head -n 1)
    [ -n "$victim" ] && kill -9 "$victim" ||
        die "no rank to kill: $(cat "$work/out")"
    wait "$background"
    rc=$?
    background=
    [ $rc -ne 0 ] && [ $rc -ne 124 ] || die "a killed rank: $rc"
}

hdf5_have() {
    hdf5_index=$top_builddir/src/loader/capstan-index-hdf5
    hdf5_lacks="built without parallel HDF5 (Debian: libhdf5-openmpi-dev)"
    [ -x "$hdf5_index" ] || return 1
    hdf5_lacks="no hdf5-openmpi"
    hdf5_flags=$(pkg-config --cflags --libs hdf5-openmpi) || return 1
    # shellcheck disable=SC2086
    "$MPICC" -std=gnu11 "$top_srcdir/tests/loader/make_hdf5.c" \
        -o "$work/make_hdf5" $hdf5_flags || die "make_hdf5 does not build"
}

find_python() {
    for python in ${CAPSTAN_TEST_PYTHON:-python3 /usr/bin/python3} none; do
        find_imports=$(printf ', %s' "$@")
        "$python" -c "import mpi4py, numpy$find_imports" 2>/dev/null && break
    done
    python_lacks="no Python with mpi4py, numpy$find_imports"
    CAPSTAN_LOADER_LIBRARY=$top_builddir/src/loader/.libs/libcapstan_loader.so.0
    PYTHONPATH=$top_srcdir/src/python
    PYTHONDONTWRITEBYTECODE=1
    export CAPSTAN_LOADER_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE
    [ "$python" != none ]
}
