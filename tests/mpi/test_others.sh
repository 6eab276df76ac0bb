# SPDX-License-Identifier: BSD-3-Clause
# Files of others stay with others: without the parameter, and outside of its
# prefix, our component is not used. A file that was never closed does not make
# MPI_Finalize hang.
. "$top_srcdir/tests/mpi/lib.sh"

bin=$top_builddir/tests/mpi
export OMPI_MCA_io_capstan_verbose=1
mpi 2 "$bin/test_open" "$work/f" >"$work/out" 2>&1 || exit 1
[ -n "$CAPSTAN_TEST_PREFIX" ] || grep -q "served by posix" "$work/out" ||
    { cat "$work/out"; echo "our own prefix is not served"; exit 1; }
for prefix in "" /somewhere/else/; do
    OMPI_MCA_io_capstan_posix_prefix=$prefix \
        mpi 2 "$bin/test_open" "$work/f" >"$work/out" 2>&1 || exit 1
    if grep -q "served by" "$work/out"; then
        cat "$work/out"
        echo "prefix '$prefix': a file of others was taken"
        exit 1
    fi
done
