# SPDX-License-Identifier: BSD-3-Clause
# benchmarks/training, one small workload: every loader has its row and its last
# line, has waited for every step, and nothing stays mounted.
work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-training-test.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

TMPDIR=$work timeout 300 bash "$top_srcdir/benchmarks/training" --quick \
    --workload cosmoflow --build "$top_builddir" --json "$work/rows" \
    --svg "$work/svg" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
loaders="collective independent"
grep -q "^no posix rows" "$work/out" || loaders="$loaders posix"
for loader in $loaders; do
    grep -Eq "^training: utilisation $loader/cosmoflow [0-9.]+ %" "$work/out" ||
        { cat "$work/out"; echo "no last line of $loader"; exit 1; }
done
python3 - "$work/rows" $loaders <<'END' || { cat "$work/rows"; exit 1; }
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    rows = {row["loader"]: row for row in map(json.loads, file)}
assert sorted(rows) == sorted(sys.argv[2:]), sorted(rows)
for row in rows.values():
    assert row["steps"] == 120, row
    assert 0 < row["utilisation"] <= 100, row
END
grep -q '</svg>' "$work/svg" || { echo "no chart"; exit 1; }
! grep -q "$work" /proc/self/mountinfo || { echo "still mounted"; exit 1; }
