# SPDX-License-Identifier: BSD-3-Clause
# The rest of the standard's chapter 13: shared pointers, atomic mode, data
# representations, over ad_posix; or where CAPSTAN_TEST_PREFIX says.
. "$top_srcdir/tests/mpi/lib.sh"

for program in shared atomic datarep; do
    each "$top_builddir/tests/mpi/test_$program" "$files"
done
# Without the others, registering a representation is ours alone.
OMPI_MCA_io=capstan mpi 2 "$top_builddir/tests/mpi/test_datarep" "$files"
