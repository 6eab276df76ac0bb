#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# benchmarks/scale, short, from costs that were measured elsewhere: the same
# settings give the same simulation, a device or a core alone limits as can be told
# by hand, as many requests are sent as the client library sent, and the last line
# is as promised.
set -eu

sim=$top_builddir/benchmarks/scale_sim
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

"$sim" servers=4 ranks=256 pieces=64 operations=20 device_iops=10000 \
    device_mb_per_s=1000000 files=64 directories=64 >"$dir/device"
"$sim" servers=4 ranks=256 pieces=64 operations=20 device_iops=10000 \
    device_mb_per_s=1000000 files=64 directories=64 | cmp - "$dir/device"
"$sim" servers=2 ranks=64 operations=50 server_request_ns=100000 has_device=0 \
    >"$dir/core"
! "$sim" servers=0 2>/dev/null
! "$sim" no_such_setting=1 2>/dev/null

python3 - "$dir/costs" <<'END'
import json, sys
# Operations, requests and processor time as scale_probe told them once.
rows = [{"way": way, "servers": n, "shape": shape, "operations": 1000,
         "requests": requests, "client_ns": client, "server_ns": server,
         "seconds": (client + server) / 2e9}
        for way in ("TCP", "one copy")
        for n, lists in ((1, 8000), (2, 8960), (4, 9840))
        for shape, requests, client, server in (
            ("random", 1000, 8_200_000, 15_600_000),
            ("list", lists, 1_450_000_000, 3_380_000_000),
            ("stream", 1000, 240_000_000, 552_000_000))]
sessions = [{"servers": n, "clients": 8, "client_bytes": 2e6 + 1e5 * n,
             "server_bytes": 3e5 * n} for n in (1, 2, 4)]
json.dump({"measured": {"cores": 2, "rows": rows, "sessions": sessions}},
          open(sys.argv[1], "w"))
END
timeout 240 python3 "$top_srcdir/benchmarks/scale" --quick --costs "$dir/costs" \
    --servers 16 --ranks 2000 --build "$top_builddir" --json "$dir/json" \
    --chart "$dir/svg" >"$dir/out"
tail -n 1 "$dir/out"
tail -n 1 "$dir/out" | grep -Eq '^scale: 8 servers give [0-9,]+ \(TCP\), [0-9,]+ \(one copy\) random 4 KiB reads/s, reference 2,500,000; a core here does what the model says within [0-9]+ %$'
grep -q '</svg>' "$dir/svg"

python3 - "$dir" <<'END'
import json, sys
result = json.load(open(sys.argv[1] + "/json"))
for check in result["checks"]:
    a, b = check["requests"], check["simulated_requests"]
    assert abs(a - b) <= 0.02 * a, check
    assert abs(check["error_a_core"]) < 0.25, check
for row in result["rows"] + result["largest"]:
    assert row["mb_per_s"] > 0 and row["most_by_mean"] >= 1, row
for row in result["collective"]:
    assert row["mb_per_s"] > 0 and 0 < row["aggregators"] <= row["ranks"], row
device = json.load(open(sys.argv[1] + "/device"))
assert 0.9 * 40000 < device["pieces_per_s"] <= 1.05 * 40000, device
assert device["busiest"] == "device", device
core = json.load(open(sys.argv[1] + "/core"))
assert 0.9 * 20000 < core["pieces_per_s"] <= 1.05 * 20000, core
assert core["busiest"] == "server core", core
END
