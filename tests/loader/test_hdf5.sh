# SPDX-License-Identifier: BSD-3-Clause
# Rows of HDF5 datasets as samples, on a cluster: written by parallel HDF5,
# indexed by it; loaded without it, and by it where they are chunked or compressed.
# test_matrix.sh has every tail and number of ranks.
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

hdf5_have || skip "$hdf5_lacks"
tool=$hdf5_index

cluster_up --servers 2 --targets 2 --stripe-size 65536
"$capstan" mkdir /h || fail "mkdir"
mpi 3 "$work/make_hdf5" capstan:/h/ "$work/flat" || fail "writing"
mpi 4 "$tool" capstan:/h /group/rows a.h5 b.h5 || fail "indexing"
load 3 capstan:/h epochs=2 tail=2 batch=24 flat="$work/flat"
mpi 4 "$tool" capstan:/h /group/rows chunked.h5 packed.h5 >"$work/out" ||
    fail "indexing what is chunked"
grep -q "to be read by HDF5" "$work/out" || fail "not to be read by HDF5"
load 3 capstan:/h epochs=2 tail=2 batch=24 flat="$work/flat" -- \
    capstan:/h epochs=2 tail=1 batch=24 flat="$work/flat" depth=4 \
    progress=2 -- \
    capstan:/h epochs=1 tail=2 batch=7 flat="$work/flat" independent=1
echo "ok: chunked and compressed"
mpi 2 "$tool" capstan:/h /group/none a.h5 >"$work/out" 2>&1 &&
    fail "a dataset that is not there was taken"
mpi 2 "$tool" capstan:/h /group/rows none.h5 >"$work/out" 2>&1 &&
    fail "a file that is not there was taken"
echo "ok: refused what cannot be indexed"
