# SPDX-License-Identifier: BSD-3-Clause
# The Python module on local files, and on a cluster.
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

# Where there is PyTorch too, its adaptor.
torch_test() {
    find_python torch || { echo "without the adaptor: $python_lacks"; return 0; }
    mpi 2 "$python" "$top_srcdir/tests/loader/test_torch.py" "$work/tar" ||
        fail "PyTorch's adaptor"
}

find_python sys || skip "$python_lacks (Debian: python3-mpi4py python3-numpy)"
[ -e "$CAPSTAN_LOADER_LIBRARY" ] || skip "the loader is built without sharing"

cluster_up --servers 2 --targets 2 --stripe-size 65536
make_tree
"$capstan" pack --shards 3 "$work/tree" capstan:/tar || fail "pack"
"$capstan" pack --shards 3 "$work/tree" "$work/tar" || fail "pack"
test=$top_srcdir/tests/loader/test_python.py
for n in 1 4; do
    mpi "$n" "$python" "$test" capstan:/tar "$work/tree" "capstan:/p$n-" ||
        fail "$n ranks, cluster"
done
export OMPI_MCA_io_capstan_posix_prefix="$work/"
mpi 3 "$python" "$test" "$work/tar" "$work/tree" "$work/p3-" ||
    fail "3 ranks, local"
torch_test
