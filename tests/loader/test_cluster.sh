# SPDX-License-Identifier: BSD-3-Clause
# The loader on a real cluster: packed straight into it, loaded by any number of
# ranks, every sample compared with its source, and by the servers' own counters
# read once an epoch. A killed rank or server ends a run, and none hangs.
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

cluster_up --servers 2 --targets 2 --stripe-size 65536
make_tree
"$capstan" pack --shards 3 "$work/tree" capstan:/tar || fail "pack"
"$capstan" pack --shards 3 --format raw "$work/tree" capstan:/raw ||
    fail "pack raw"
index=$("$capstan" stat --json /raw/index |
    $python -c 'import json, sys; print(json.load(sys.stdin)["size"])')
bytes=$(cat $(cat "$work/list") | wc -c)

# What servers send in `epochs` epochs is so often the dataset, and the index;
# a request that was sent again, on a slow machine, is counted twice.
epochs=3
read_once() {
    before=$(counter bytes_sent)
    load "$@"
    sent=$(($(counter bytes_sent) - before))
    least=$((bytes * epochs + index))
    echo "$1 ranks: servers sent $sent bytes for $least"
    [ $sent -ge $least ] && [ $sent -le $((least + least / 20)) ] ||
        fail "$1 ranks: servers sent $sent bytes for $least"
}

for n in $ranks; do
    # Each sample to one rank (two-phase), then each to all (share).
    read_once "$n" capstan:/raw epochs=$epochs tail=2 batch=40 \
        list="$work/list"
    read_once "$n" capstan:/raw epochs=$epochs tail=2 batch=40 group="$n" \
        list="$work/list"
    load "$n" capstan:/tar epochs=3 tail=1 batch=16 tree="$work/tree" -- \
        capstan:/tar epochs=3 tail=0 batch=16 tree="$work/tree" progress=1
done

# Told what comes, servers have it in memory by then; not told, they read nothing
# ahead. The first batches are read before anybody could tell.
[ "$(counter plan_bytes_read)" = 0 ] || fail "read ahead without a plan"
load 4 capstan:/raw epochs=$epochs tail=2 batch=20 plan=6 list="$work/list"
served=$(counter plan_bytes_served)
echo "planned: $served of $((bytes * epochs)) bytes were in memory"
[ "$served" -ge $((bytes * epochs / 2)) ] || fail "the plan was of no use"
[ "$(counter plan_bytes_read)" -gt 0 ] || fail "nothing was read ahead"

# Packed here and packed into a cluster is the same, and nothing else is left.
"$capstan" pack --shards 3 --format raw "$work/tree" "$work/raw" || fail "pack"
"$capstan" get -r /raw "$work/got" || fail "get"
for file in "$work"/raw/*; do
    cmp "$file" "$work/got/${file##*/}" || fail "local and cluster differ"
done
[ "$(ls "$work/raw")" = "$(ls "$work/got")" ] || fail "more is there"

# A killed server is the same error on all ranks.
deadline_ms=3000
for progress in 1 2; do
    background_load capstan:/raw epochs=1000000 batch=16 tail=2 fails=-5 \
        progress=$progress
    kill -9 "$(server_pid s2)"
    wait "$background" || fail "ranks hung or differed: $(cat "$work/out")"
    background=
    grep "ended with -5" "$work/out" || fail "no error: $(cat "$work/out")"
    cluster_up --servers 2 --targets 2 --stripe-size 65536
done

# A killed rank ends the run. The servers live, and may be slow.
deadline_ms=60000
background_load capstan:/raw epochs=1000000 batch=16 tail=2
kill_rank
echo "ok: a killed rank ends the run"
