#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Did an operation become dearer? What it sends, moves, copies, allocates and
# computes is counted, not timed, and compared with costs.txt (compare.py).
#
#     make check TESTS=tests/costs/test_costs.sh
#     COSTS_UPDATE=1 make check TESTS=tests/costs/test_costs.sh     write the table
#
# Instructions are counted by callgrind, where there is one and the compiler is
# the table's.
. "$top_srcdir/tests/mpi/lib.sh"

costs=$top_builddir/tests/costs
"$costs/costs" >"$work/rows" || exit 1
for n in 2 4; do
    mpi "$n" "$costs/collective" "$work/file" >>"$work/rows" || exit 1
    CAPSTAN_NODE_RANKS=1 mpi "$n" -x CAPSTAN_NODE_RANKS "$costs/collective" \
        "$work/file" >>"$work/rows" || exit 1
done
if command -v valgrind >/dev/null; then
    at_start=yes
    ! grep -q '"starts": true' "$work/rows" || at_start=no
    valgrind --tool=callgrind --instr-atstart=$at_start \
        --toggle-collect=costs_measured \
        --dump-after=costs_measured --callgrind-out-file="$work/callgrind" \
        "$costs/costs" >/dev/null 2>"$work/valgrind" ||
        { cat "$work/valgrind"; exit 1; }
fi
exec python3 "$top_srcdir/tests/costs/compare.py" \
    ${COSTS_UPDATE:+--update} "$top_srcdir/tests/costs/costs.txt" \
    "$work/rows" $(ls "$work"/callgrind.* 2>/dev/null)
