#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The load of names on a local directory: every phase of both patterns passes,
# and a file that has other bytes, or is not there, is found.
set -eu

load=$top_builddir/benchmarks/names_load
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# phase PATTERN PHASE: prints seconds.
phase() {
    timeout 60 "$load" "$dir" "$1" "$2" 3 20
}

for pattern in easy hard; do
    for name in create stat read; do
        phase $pattern $name | grep -q '^[0-9]*\.[0-9]*$' || fail "$pattern $name"
    done
done
[ "$(find "$dir" -type f -size 0 | wc -l)" = 60 ] || fail "easy files"
[ "$(find "$dir/hard" -type f -size 3901c | wc -l)" = 60 ] || fail "hard files"
# A damaged file, another size, an own one that is there already, a missing one:
# the other ranks do not wait for the one that stops.
printf x | dd of="$dir/hard/f.1.7" bs=1 seek=2000 conv=notrunc 2>/dev/null
phase hard read 2>"$dir/said" && fail "a damaged file was read"
grep -q "f.1.7: has other bytes" "$dir/said" || fail "$(cat "$dir/said")"
: >"$dir/hard/f.2.3"
phase hard stat 2>"$dir/said" && fail "an emptied file passed"
grep -q "f.2.3: has the wrong size" "$dir/said" || fail "$(cat "$dir/said")"
phase hard create 2>/dev/null && fail "files were made twice"
phase hard remove >/dev/null || fail "hard remove"
phase easy remove >/dev/null || fail "easy remove"
phase easy remove 2>/dev/null && fail "files were removed twice"
[ -z "$(find "$dir" -name 'f.*')" ] || fail "files are left"
for words in "easy fly 1 1" "odd stat 1 1" "easy stat 0 1" "easy stat 1 0"; do
    rc=0
    # shellcheck disable=SC2086
    "$load" "$dir" $words 2>/dev/null || rc=$?
    [ "$rc" = 2 ] || fail "'$words' ended with $rc"
done
echo ok
