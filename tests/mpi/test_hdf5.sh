# SPDX-License-Identifier: BSD-3-Clause
# HDF5 over the component. The program is built here, as HDF5 is needed by this
# test alone.
. "$top_srcdir/tests/mpi/lib.sh"

flags=$(pkg-config --cflags --libs hdf5-openmpi 2>/dev/null) ||
    skip "no parallel HDF5 (Debian: libhdf5-openmpi-dev)"
# shellcheck disable=SC2086
"$MPICC" -std=gnu11 -D_GNU_SOURCE -I"$top_srcdir/tests/mpi" \
    "$top_srcdir/tests/mpi/test_hdf5.c" -o "$work/test_hdf5" $flags || exit 1
each "$work/test_hdf5" "$files"
