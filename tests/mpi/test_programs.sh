# SPDX-License-Identifier: BSD-3-Clause
# The MPI programs, with every number of ranks; the random views with every
# strategy too, and with buffers so small that collectives take many rounds.
. "$top_srcdir/tests/mpi/lib.sh"

bin=$top_builddir/tests/mpi
each "$bin/test_pvars" "$files"
each "$bin/test_basics" "$files"
each "$bin/test_views" "$files"
export ROMIO_HINTS="$work/hints"
for strategy in share direct two_phase independent; do
    printf '%s\n' "capstan_strategy $strategy" "cb_buffer_size 4096" \
        "cb_nodes 2" >"$ROMIO_HINTS"
    each "$bin/test_views" "$files" $$
done
