# SPDX-License-Identifier: BSD-3-Clause
# What the scripts here share: a small dataset in every format, and its sources.
# To be sourced by sh, after tests/mpi/lib.sh or tests/cluster/lib.sh.
#
#   make_tree          $work/tree, and $work/list of its files as they are sorted
#   make_records       $work/flat/records, 1000 records of 96 bytes
#   load N DATASET K=V...   check_load with N ranks

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
    die "$load_ranks ranks: $*"
}
