# SPDX-License-Identifier: BSD-3-Clause
# Rows of HDF5 datasets as samples, on a cluster: written by parallel HDF5,
# indexed by it, loaded without it.
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

tool=$top_builddir/src/loader/capstan-index-hdf5
[ -x "$tool" ] || skip "built without parallel HDF5 (Debian: libhdf5-openmpi-dev)"
flags=$(pkg-config --cflags --libs hdf5-openmpi) || skip "no hdf5-openmpi"
# shellcheck disable=SC2086
"$MPICC" -std=gnu11 "$top_srcdir/tests/loader/make_hdf5.c" \
    -o "$work/make_hdf5" $flags || die "make_hdf5 does not build"

cluster_up --servers 2 --targets 2 --stripe-size 65536
"$capstan" mkdir /h || fail "mkdir"
mpi 3 "$work/make_hdf5" capstan:/h/ "$work/flat" || fail "writing"
mpi 4 "$tool" capstan:/h /group/rows a.h5 b.h5 || fail "indexing"
for n in $ranks; do
    load "$n" capstan:/h epochs=3 tail=0 batch=24 flat="$work/flat" -- \
        capstan:/h epochs=3 tail=1 batch=24 flat="$work/flat" -- \
        capstan:/h epochs=3 tail=2 batch=24 flat="$work/flat"
done
mpi 2 "$tool" capstan:/h /group/rows chunked.h5 >"$work/out" 2>&1 &&
    fail "a chunked dataset was taken"
grep -q "h5repack -l CONTI" "$work/out" || fail "no word of h5repack"
mpi 2 "$tool" capstan:/h /group/none a.h5 >"$work/out" 2>&1 &&
    fail "a dataset that is not there was taken"
mpi 2 "$tool" capstan:/h /group/rows none.h5 >"$work/out" 2>&1 &&
    fail "a file that is not there was taken"
echo "ok: refused what cannot be indexed"
