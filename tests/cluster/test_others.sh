# SPDX-License-Identifier: BSD-3-Clause
# HDF5 and mpi4py, unmodified, on a real cluster.
prefix=capstan:/
. "$top_srcdir/tests/cluster/lib.sh"

cluster_up --servers 2 --targets 1
for script in test_hdf5.sh test_mpi4py.sh; do
    CAPSTAN_TEST_PREFIX=$prefix sh "$top_srcdir/tests/mpi/$script"
    rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || fail "$script: $rc"
done
