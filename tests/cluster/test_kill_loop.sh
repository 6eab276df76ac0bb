# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of a server, again and again, under load: programs write anywhere in a
# large file (as IOR), one by the ways of one machine and one by the provider's,
# and one makes, fills and removes small ones (as mdtest).
# After each kill and restart all read all that was acknowledged, and compare.
#
#     KILL_ROUNDS=100 tests/cluster/test_kill_loop.sh     (default 4)
. "$top_srcdir/tests/cluster/lib.sh"

rounds=${KILL_ROUNDS:-4}
seed=${KILL_SEED:-$$}
program=$top_builddir/tests/cluster/kill_load
echo "seed $seed"
cluster_up --servers 2 --targets 2 --stripe-size 65536

loads=
end_loads() {
    for pid in $loads; do
        kill "$pid" 2>/dev/null
    done
    end
}
trap end_loads EXIT

kinds="ior wire mdtest"
for kind in $kinds; do
    way=
    [ $kind != wire ] || way=CAPSTAN_NO_SHORTCUT=1
    env $way "$program" $kind "$work" "$rounds" "$seed" >"$work/$kind" 2>&1 &
    loads="$loads $!"
done

# Wait until all say so; at most 120 s.
wait_for() {
    for kind in $kinds; do
        tries=0
        until grep -q "^$1" "$work/$kind"; do
            grep FAILED "$work/$kind" && fail "$kind in round $round"
            tries=$((tries + 1))
            [ $tries -lt 1200 ] || fail "$kind: no '$1' in 120 s"
            sleep 0.1
        done
    done
}

round=1
while [ "$round" -le "$rounds" ]; do
    wait_for "load $round\$"
    # Some time into the load, not always the same.
    sleep "0.$(((round * 7919 + seed) % 6))"
    kill -9 "$(server_pid "s$((round % 2 + 1))")"
    cluster_up >/dev/null
    : >"$work/round.$round"
    wait_for "verified $round:"
    round=$((round + 1))
done
for pid in $loads; do
    wait "$pid" || fail "a load ended with $?"
done
loads=
tail -n 1 "$work/ior" "$work/wire" "$work/mdtest"
[ "$(counter sums_mismatches)" = 0 ] || fail "checksum mismatches"
"$capstan" scrub --quiet || fail "scrub"
exit 0
