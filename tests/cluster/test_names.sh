# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of servers while names are made, renamed, linked and removed: every
# call ends as if nothing had happened, and capstan fsck then finds the namespace
# whole.
. "$top_srcdir/tests/cluster/lib.sh"

program=$top_builddir/tests/cluster/change_names
cluster_up --servers 4
"$capstan" fsck || fail "fsck of an empty cluster"

timeout 200 "$program" 1 12 >"$work/out" 2>&1 &
background=$!
for round in 1 2 3 4 5 6; do
    for server in s1 s2 s3 s4; do
        kill -0 "$background" 2>/dev/null || break 2
        kill -9 "$(server_pid $server)"
        cluster_up --servers 4
    done
done
wait "$background"
rc=$?
background=
cat "$work/out"
[ $rc -eq 0 ] || fail "a call did not end as it should ($rc)"

tries=0
until "$capstan" fsck --json >"$work/fsck"; do
    tries=$((tries + 1))
    [ $tries -lt 10 ] || fail "fsck: $(cat "$work/fsck")"
done
python3 - "$work/fsck" <<'END' || fail "fsck --json"
import json, sys
whole = json.load(open(sys.argv[1]))
assert whole["problem_count"] == 0 and whole["names"] > 0, whole
END
"$capstan" fsck --nonsense 2>/dev/null
[ $? -eq 16 ] || fail "wrong usage is not status 16"
echo "the namespace is whole after kill -9"
