#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# benchmarks/peers, short and without IOR: every row on both faces of Capstan, in
# the table and in the JSON; a damaged file is found by the load; nothing stays.
set -eu

if [ ! -x "$top_builddir/src/tools/capstan" ]; then
    echo "no capstan program in this build tree"
    exit 77
fi
top=$(cd "$top_srcdir" && pwd)
# shellcheck source=tests/lib/mpi.sh
. "$top/tests/lib/mpi.sh"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

timeout 120 python3 "$top/benchmarks/peers" --quick --load own \
    --rows hard-collective,view,random --faces automatic,TCP \
    --build "$top_builddir" --json "$dir/json" >"$dir/out" 2>"$dir/err" ||
    fail "$(cat "$dir/err")"
cat "$dir/out"
python3 - "$dir/json" <<'PY'
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
seen = {(r["face"], r["row"], r["verb"]) for r in rows}
wanted = {(face, row, verb) for face in ("automatic", "TCP")
          for row in ("hard-collective", "view", "random")
          for verb in ("read", "write")} - {("automatic", "random", "write"),
                                            ("TCP", "random", "write")}
assert seen == wanted, seen ^ wanted
for r in rows:
    assert 0 < r["least"] <= r["median"] <= r["most"], r
    assert abs(r["over_peer"] * r["peer"] - r["median"]) < 1e-6, r
assert {r["peer_name"] for r in rows if r["row"] == "view"} == {"GlusterFS"}
PY

# The load by itself, on a local file: what is damaged between two launches.
load=$top_builddir/benchmarks/peers_io
export OMPI_MCA_io=ompio
mpi_run 2 60 "$load" "$dir/file" fill 2 1 >"$dir/out" || fail "fill"
grep -q '"row": "fill", "write_mib_s": [0-9.]*}' "$dir/out" || fail "no rate"
[ "$(wc -c <"$dir/file")" = $((4 << 20)) ] || fail "size of the file"
mpi_run 2 60 "$load" "$dir/file" random 512 1 >/dev/null || fail "random"
printf x | dd of="$dir/file" bs=1 seek=1234567 conv=notrunc 2>/dev/null
mpi_run 2 60 "$load" "$dir/file" random 512 1 >"$dir/out" 2>&1 &&
    fail "a damaged file was read"
grep -q 'rank 0: wrong byte at offset 1234567' "$dir/out" ||
    fail "$(cat "$dir/out")"
mpi_run 1 60 "$load" "$dir/none/x" hard 1 1 >"$dir/out" 2>&1 &&
    fail "a missing directory"
mpi_run 1 60 "$load" "$dir/file" odd 1 1 2>/dev/null && fail "an odd row"
for words in "--rows odd" "--faces odd"; do
    rc=0
    # shellcheck disable=SC2086
    python3 "$top/benchmarks/peers" --load own $words 2>"$dir/err" || rc=$?
    [ $rc = 2 ] && grep -q "'odd'" "$dir/err" || fail "$words: $(cat "$dir/err")"
done
echo ok
