#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a collective costs a rank at 4, 16 and 64 ranks, which share the cores.
. "$top_srcdir/tests/lib/mpi.sh"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
mpi_run "${TEST_COLL_RANKS:-64}" 300 "$top_builddir/tests/adio/test_coll_scale" \
    "$dir/file"
