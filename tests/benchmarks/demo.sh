#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# benchmarks/demo as a user runs it, but small: the table has its rows, what left
# the servers is plausible, and nothing stays behind, also after an interrupt.
set -eu

demo=$top_srcdir/benchmarks/demo
if [ ! -x "$top_builddir/src/tools/capstan" ]; then
    echo "no capstan program in this build tree"
    exit 77
fi

dir=$(mktemp -d)
TMPDIR=$dir
export TMPDIR
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

clean() {
    left=$(find "$dir" -mindepth 1 -maxdepth 1 -name 'capstan-*')
    [ -z "$left" ] || fail "$1 left $left"
}

mkdir "$dir/tree"
i=0
while [ "$i" -lt 50 ]; do
    head -c $((i * i * 40 + 1)) /dev/urandom >"$dir/tree/file$i"
    i=$((i + 1))
done

timeout 240 bash "$demo" --build "$top_builddir" --source "$dir/tree" --ranks 2 \
    --servers 2 --targets 1 --shards 2 --batch 16 --json "$dir/json" </dev/null ||
    fail "the demo ended with $?"
clean "the demo"
python3 - "$dir/json" <<'END'
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
assert len(rows) == 8, len(rows)
size = sum(i * i * 40 + 1 for i in range(50))
for row in rows:
    assert row["samples"] == 100 * row["group"], row
    assert row["bytes"] == 2 * size * row["group"], row
    if row["storage"] == "capstan":
        # The index is read too; collective reads of what all want share it.
        assert row["bytes_left"] >= 2 * size, row
        if row["mode"] == "collective":
            assert row["bytes_left"] < 2.2 * size, row
END
echo "ok: rows"

# Interrupted while it works: as clean, and soon.
bash "$demo" --build "$top_builddir" --source "$dir/tree" --ranks 2 \
    --epochs 100000 </dev/null >"$dir/out" 2>&1 &
pid=$!
tries=0
until grep -q 'independent reads' "$dir/out"; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "the demo did not begin: $(cat "$dir/out")"
    sleep 0.1
done
kill -TERM "$pid"
wait "$pid" && fail "an interrupted demo ended with 0"
clean "an interrupted demo"
echo "ok: interrupted"
