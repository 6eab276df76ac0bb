#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The MPI programs under valgrind, over ad_posix and over a server, with 1 and 2
# ranks. Too slow for `make check`; run it in a build tree:
#
#   top_srcdir=.. top_builddir=. OMPI_MCA_DIR=DIR sh ../tests/mpi/valgrind.sh \
#       [PROGRAM...]
#
# with DIR as configure found it (grep OMPI_MCA_DIR Makefile). What Open MPI does
# itself is left out by its own suppressions and by valgrind.supp; any report
# that is left fails.
. "$top_srcdir/tests/mpi/lib.sh"

command -v valgrind >/dev/null || skip "no valgrind"
theirs=/usr/share/openmpi/openmpi-valgrind.supp
capstan=$top_builddir/src/tools/capstan
root=$work/root
trap '"$capstan" down --root "$root" >/dev/null 2>&1; rm -rf "$work"' EXIT

# under_valgrind RANKS PROGRAM PREFIX: fails if a rank's log is not empty.
under_valgrind() {
    rm -f "$work"/vg.*
    mpi "$1" valgrind -q --num-callers=30 --log-file="$work/vg.%p" \
        ${theirs:+--suppressions="$theirs"} \
        --suppressions="$top_srcdir/tests/mpi/valgrind.supp" \
        "$top_builddir/tests/mpi/$2" "$3" || return 1
    cat "$work"/vg.* >"$work/reports"
    [ ! -s "$work/reports" ] || { cat "$work/reports" >&2; return 1; }
}

[ -f "$theirs" ] || theirs=''
timeout 60 "$capstan" up --root "$root" --servers 1 >"$work/up" 2>&1 ||
    { cat "$work/up" >&2; exit 1; }
: "${CAPSTAN_TIMEOUT_MS:=120000}"
export CAPSTAN_TIMEOUT_MS
eval "$("$capstan" env --root "$root")"
[ $# -gt 0 ] || set -- test_basics
for program in "$@"; do
    for prefix in "$files" capstan:/; do
        for n in 1 2; do
            echo "$program, $n ranks, $prefix"
            under_valgrind "$n" "$program" "$prefix" || exit 1
        done
    done
done
