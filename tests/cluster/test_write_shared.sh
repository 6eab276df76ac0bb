# SPDX-License-Identifier: BSD-3-Clause
# What many ranks pay that write one file, by the servers' own counters: a request
# for each piece, and at close one sync for each target, however many ranks there
# are. Nobody is told to come later.
. "$top_srcdir/tests/cluster/lib.sh"

targets=4
pieces=32
cluster_up --servers 2 --targets 2 --stripe-size 65536

# changed NAME: by how much a counter grew since it was noted in $before.
note() {
    for name in writes syncs busy repeats; do
        eval "before_$name=$(counter $name)"
    done
}
changed() {
    echo $(($(counter "$1") - before_$1))
}

for n in $ranks; do
    for bytes in 4096 65536; do
        note
        mpi "$n" "$top_builddir/tests/cluster/write_shared" \
            "capstan:/file-$n-$bytes" $bytes $pieces ||
            fail "write_shared with $n ranks"
        writes=$(changed writes) syncs=$(changed syncs)
        repeats=$(changed repeats) busy=$(changed busy)
        echo "$n ranks, $bytes bytes: $writes writes, $syncs syncs," \
            "$repeats repeats, $busy busy"
        # What had to be sent again, on a slow machine, is not their fault.
        [ "$writes" -le $((n * pieces + repeats)) ] || fail "writes"
        [ "$syncs" -le $((targets + repeats)) ] && [ "$syncs" -ge 1 ] ||
            fail "syncs"
        [ "$busy" -eq 0 ] || fail "busy"
    done
done
