# SPDX-License-Identifier: BSD-3-Clause
# The MPI programs, with every number of ranks.
. "$top_srcdir/tests/mpi/lib.sh"

bin=$top_builddir/tests/mpi
each "$bin/test_basics" "$files"
each "$bin/test_views" "$files"
