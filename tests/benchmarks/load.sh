#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Pack a tree and load it with ranks, over whatever MPI-IO does with ordinary
# paths: the counts are right in both modes and for every split, and a sample
# that was changed behind the index is found.
set -eu

. "$top_srcdir/tests/lib/mpi.sh"
pack="$top_builddir/src/tools/capstan pack --format raw"
load=$top_builddir/benchmarks/load

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# make_tree: 60 files of odd sizes, and three that are no samples.
make_tree() {
    mkdir -p "$dir/tree/sub"
    i=0
    while [ "$i" -lt 60 ]; do
        head -c $((i * i * 7 + 1)) /dev/urandom >"$dir/tree/sub/file$i"
        i=$((i + 1))
    done
    : >"$dir/tree/empty"
    head -c 100000 /dev/zero >"$dir/tree/too-long"
    ln -s sub/file1 "$dir/tree/link"
}

# field NAME LINE: the number behind "NAME": in a line of JSON.
field() {
    printf '%s\n' "$2" | sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p"
}

# check RANKS GROUP MODE: two epochs read each sample twice a rank of a group.
check() {
    line=$(mpi_run "$1" 200 "$load" --mode "$3" --group "$2" --batch 16 \
        --epochs 2 "$dir/data") || fail "$3 at $1 ranks ended with $?"
    [ "$(field samples "$line")" = $((60 * 2 * $2)) ] ||
        fail "$3 at $1 ranks, groups of $2: $line"
    [ "$(field bytes "$line")" = $((bytes * 2 * $2)) ] ||
        fail "$3 at $1 ranks, groups of $2: $line"
    echo "ok: $3, $1 ranks, groups of $2"
}

make_tree
mkdir "$dir/data"
$pack --shards 3 --max-sample 65536 "$dir/tree" "$dir/data"
bytes=$(cat "$dir"/data/shard-* | wc -c)
[ "$bytes" = "$(cat "$dir"/tree/sub/* | wc -c)" ] ||
    fail "the shards hold $bytes bytes"

for mode in independent collective; do
    check 1 1 $mode
    check 3 1 $mode
    check 4 2 $mode
done

# Some bytes differ: the ranks must not end well, and must say where.
printf 'XXXXXXXXXXXXXXXX' |
    dd of="$dir/data/shard-000001" bs=1 seek=4321 conv=notrunc 2>/dev/null
mpi_run 2 200 "$load" --mode collective "$dir/data" >"$dir/out" 2>&1 &&
    fail "changed bytes were not found"
grep -q 'shard 1, offset' "$dir/out" || fail "no word of shard 1: $(cat "$dir/out")"
echo "ok: changed bytes are found"

# A shard cut short is an error too, not a hang.
head -c 100 "$dir/data/shard-000002" >"$dir/short"
mv "$dir/short" "$dir/data/shard-000002"
mpi_run 2 200 "$load" --mode independent "$dir/data" >"$dir/out" 2>&1 &&
    fail "a short shard was not found"
[ $? != 124 ] || fail "a short shard hangs"
echo "ok: a short shard is found"
