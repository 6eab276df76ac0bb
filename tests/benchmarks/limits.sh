#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# benchmarks/limits, short: every layer has its rows, each figure is positive, the
# last line is as promised, and nothing stays behind.
set -eu

if [ ! -x "$top_builddir/src/tools/capstan" ]; then
    echo "no capstan program in this build tree"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
before=$(find /dev/shm -maxdepth 1 -name 'limits-*' | wc -l)

timeout 240 python3 "$top_srcdir/benchmarks/limits" --quick --seconds 0.02 \
    --provider 'tcp;ofi_rxm' --build "$top_builddir" --json "$dir/json" \
    --chart "$dir/svg" >"$dir/out"
tail -n 1 "$dir/out"
tail -n 1 "$dir/out" | grep -Eq '^limits: tcp;ofi_rxm read [0-9.]+, write [0-9.]+ of raw RMA; batched 4 KiB reads [0-9,]+/s per server core$'
python3 - "$dir/json" <<'END'
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
layers = {row["layer"] for row in rows}
assert layers >= {"libfabric", "net", "memcpy", "client", "MPI_File",
                  "client, no shortcut"}, layers
for layer in layers - {"fio"}:
    assert any(r["layer"] == layer and r["size"] == 1 << 20 for r in rows), layer
for row in rows:
    assert row["least"] > 0 and row["least"] <= row["median"] <= row["most"], row
END
grep -q '</svg>' "$dir/svg"
[ "$(find /dev/shm -maxdepth 1 -name 'limits-*' | wc -l)" -le "$before" ]
