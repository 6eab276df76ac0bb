# SPDX-License-Identifier: BSD-3-Clause
# The rest of the standard's chapter 13: shared pointers, atomic mode, data
# representations, all access modes, many requests, sizes beyond 4 GiB, over
# ad_posix; or where CAPSTAN_TEST_PREFIX says.
. "$top_srcdir/tests/mpi/lib.sh"

for program in shared atomic datarep modes large; do
    each "$top_builddir/tests/mpi/test_$program" "$files"
done
each "$top_builddir/tests/mpi/test_requests" "$files" \
    "${CAPSTAN_TEST_REQUESTS:-1500}"
# Without the others, registering a representation is ours alone.
OMPI_MCA_io=capstan mpi 2 "$top_builddir/tests/mpi/test_datarep" "$files"
